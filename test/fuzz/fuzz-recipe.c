/* Any bytes as the recipe of a layer, and as the plain records of one: whoever unpacked a hostile archive wrote it. What
 * is read has a length and stays below diff/ or lost/. */
#include "recipe.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/gzip.h"

#include <endian.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ITEMS_MAX = 10000 }; /* rows of zeros are long */

static void read_recipe(int fd)
{
    struct recipe_reader *r = NULL;
    struct recipe_item item;
    if (lseek(fd, 0, SEEK_SET) < 0)
        abort();
    if (recipe_reader_new(fd, &r) == 0) {
        for (int i = 0; i < ITEMS_MAX && recipe_next(r, &item) > 0; i++)
            if (item.path ? !str_after(item.path, "diff/") && !str_after(item.path, "lost/") : !item.data)
                abort();
        recipe_reader_free(r);
    }
    err_clear();
}

static int file_of(const void *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || fd_write_all(fd, data, size) < 0)
        abort();
    return fd;
}

/* Head and one frame around the records, or few inputs would get to them. */
static int framed(const uint8_t *data, size_t size)
{
    auto_free char *stored = NULL;
    size_t len;
    if (gzip_deflate_bytes(data, size, 1, &stored, &len) < 0)
        abort();
    auto_buf struct buf b = {0};
    const uint64_t moved = htole64(size % 5);
    const uint32_t frame[] = {htole32(size), htole32(len)}, end[] = {0, 0};
    buf_add(&b, "whelk-recipe 1\n", 16);
    buf_add(&b, &moved, sizeof(moved));
    buf_add(&b, frame, sizeof(frame));
    buf_add(&b, stored, len);
    buf_add(&b, end, sizeof(end));
    return file_of(b.data, b.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_close int raw = file_of(data, size), records = framed(data, size);
    read_recipe(raw);
    read_recipe(records);
    return 0;
}
