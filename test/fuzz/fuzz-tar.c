/* The tar reader on any bytes: no crash, and raw bytes with payloads make the stream again if it was read to its end.
 */
#include "tar-parts.h"
#include "whelk/fd.h"
#include "whelk/tar.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int collect(void *arg, const void *data, size_t len)
{
    buf_add(arg, data, len);
    return 0;
}

static int read_entry(struct tar_reader *r, const struct tar_entry *e, struct buf *again)
{
    static char chunk[4096];
    ssize_t n = 0;
    /* A sparse file may be endless zeros. */
    for (int reads = 0; !e->sparse || reads < 64; reads++) {
        n = tar_data(r, chunk, sizeof(chunk));
        if (n <= 0)
            break;
        if (!e->sparse)
            buf_add(again, chunk, n);
    }
    return n < 0 ? (int)n : 0;
}

/* Right checksums where a header may be, or few inputs would get beyond them. */
static char *with_checksums(const uint8_t *data, size_t size)
{
    char *copy = xmalloc(size + 1);
    memcpy(copy, data, size);
    for (size_t at = 0; at + sizeof(struct tar_block) <= size; at += sizeof(struct tar_block)) {
        struct tar_block *b = (struct tar_block *)(copy + at);
        if (memcmp(b->magic, "ustar", 5) == 0)
            tar_block_checksum_set(b);
    }
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    auto_free char *data = with_checksums(bytes, size);
    auto_close int fd = memfd_create("fuzz", MFD_CLOEXEC);
    auto_buf struct buf again = {};
    const struct tar_entry *e;
    int r;
    if (fd < 0 || fd_write_all(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
        abort();
    struct tar_reader *reader = tar_reader_new(fd, NULL, collect, &again);
    while ((r = tar_next(reader, &e)) > 0) {
        if (!e->path || !*e->path || read_entry(reader, e, &again) < 0)
            break;
        auto_buf struct buf header = {};
        tar_format(e, &header);
        if (header.len % TAR_BLOCK_SIZE)
            abort();
    }
    tar_reader_free(reader);
    if (r == 0 && (again.len != size || (size && memcmp(again.data, data, size) != 0)))
        abort();
    return 0;
}
