/* Archives: one worker inflates and holds two descriptors, another one fills one directory and sees no other.
 * Runs in: the BUILDER, or whoever reads a context; INFLATE and FILL are children of it. */
#include "unpack.h"

#include "whelk/codec.h"
#include "whelk/confine.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"
#include "whelk/tree-tar.h"

#include <fcntl.h>
#include <sys/mman.h>

static const uint64_t bytes_max = UINT64_C(64) << 30;

/* ---- workers ---- */

/* A worker that holds no descriptor but its own: the pipe for its result is ours, since that of worker_start goes too.
 */
struct sealed {
    struct worker worker;
    int result; /* our end */
};

static int sealed_start(int (*fn)(void *arg), void *arg, int *their_end, struct sealed *ret)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    auto_close int read_end = ends[0], write_end = ends[1];
    *their_end = write_end;
    int r = worker_start(fn, arg, &ret->worker);
    if (r == 0)
        ret->result = take_fd(&read_end);
    return r;
}

static int sealed_wait(struct sealed *s)
{
    size_t len;
    int r = worker_result(s->result);
    fd_close(s->result);
    auto_free char *error = r < 0 && r != -ECHILD ? err_pack(r, &len) : NULL;
    int ended = worker_wait(&s->worker); /* knows what became of one that gave no result */
    return error ? err_unpack(error, len) : r == 0 ? 0 : ended < 0 ? ended : r;
}

/* ---- inflating ---- */

struct inflate {
    enum codec codec;
    int in, out, result;
};

static int inflate_worker(void *arg)
{
    const struct inflate *i = arg;
    fd_close_except((const int[]){i->in, i->out, i->result}, 3);
    int r = confine_filter();
    worker_finish(i->result, r < 0 ? r : codec_inflate_fd(i->codec, i->in, i->out, bytes_max));
}

/* What is compressed begins to come out of *ret_fd. */
static int inflate_start(int fd, enum codec codec, struct sealed *ret, int *ret_fd)
{
    int p[2], r = codec_prepare(codec);
    if (r < 0)
        return r;
    if (pipe2(p, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    struct inflate i = {.codec = codec, .in = fd, .out = p[1]};
    r = sealed_start(inflate_worker, &i, &i.result, ret);
    fd_close(p[1]);
    if (r < 0) {
        fd_close(p[0]);
        return r;
    }
    *ret_fd = p[0];
    return 0;
}

static int read_codec(int fd, enum codec *ret)
{
    char first[CODEC_MAGIC_MAX];
    ssize_t n = pread(fd, first, sizeof(first), 0);
    if (n < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return err_sys("cannot read the archive");
    *ret = codec_detect(first, (size_t)n);
    return 0;
}

int unpack_is_archive(int fd)
{
    char block[TAR_BLOCK_SIZE];
    struct sealed w;
    enum codec codec;
    int out, r = read_codec(fd, &codec);
    if (r < 0)
        return r;
    if (codec == CODEC_NONE) {
        ssize_t n = pread(fd, block, sizeof(block), 0);
        return n < 0 ? err_sys("cannot read the archive") : tar_magic(block, (size_t)n);
    }
    r = inflate_start(fd, codec, &w, &out);
    if (r < 0)
        return r;
    ssize_t n = fd_read_full(out, block, sizeof(block));
    fd_close(out); /* the worker ends at the next thing that it writes */
    sealed_wait(&w);
    err_clear();
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys("cannot read the archive");
    return n > 0 && tar_magic(block, (size_t)n);
}

/* ---- filling ---- */

/* What the filler tells of owners that no file can keep: "UID:GID PATH" and a NUL each, in a file of memory. */
enum { SPECIAL_MAX = 256 << 20 };

struct fill {
    int in, dir, result;
    int special; /* -1: nobody wants to know */
    const struct idmap *owners;
};

static int fill_special_owner(void *ctx, const char *path, uint32_t uid, uint32_t gid)
{
    const struct fill *f = ctx;
    auto_free char *line = xasprintf("%u:%u %s", uid, gid, path);
    int r = f->special < 0 ? 0 : fd_write_all(f->special, line, strlen(line) + 1);
    return r < 0 ? err_set(r, "cannot keep the owner of %s: %s", path, strerror(-r)) : 0;
}

static int read_special_owners(int fd, struct pack_owners *ret)
{
    auto_buf struct buf text = {0};
    int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_read_all(fd, SPECIAL_MAX, &text);
    if (r < 0)
        return err_set(r, "cannot read the owners in an archive: %s", strerror(-r));
    for (size_t at = 0; at < text.len; at += strlen(text.data + at) + 1) {
        char *end;
        struct kept_owner owner = {.uid = (uint32_t)strtoul(text.data + at, &end, 10)};
        owner.gid = (uint32_t)strtoul(end + 1, &end, 10);
        pack_owners_add(ret, end + 1, owner);
    }
    pack_owners_sort(ret);
    return 0;
}

static int fill_place(void *ctx, const struct tar_entry *first, int *ret_dir, char **ret_rename)
{
    const struct fill *f = ctx;
    (void)first;
    *ret_rename = NULL;
    *ret_dir = openat(f->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *ret_dir < 0 ? err_sys("cannot open the directory to unpack to") : 0;
}

static int fill_worker(void *arg)
{
    const struct fill *f = arg;
    const struct tree_tar_fill job = {
        .in = f->in,
        .place = fill_place,
        .ctx = arg,
        .owners = f->owners != NULL,
        .no_set_ids = f->owners == NULL,
        .map = f->owners,
        .special_owner = fill_special_owner,
    };
    fd_close_except((const int[]){f->in, f->dir, f->result, f->special}, 4);
    umask(0);
    int r = f->owners ? confine_to_dir(f->dir) : 0; /* a user cannot chroot: there openat2 alone has to do */
    worker_finish(f->result, r < 0 ? r : tree_tar_fill(&job));
}

static int fill(int in, int dir, const struct idmap *owners, struct pack_owners *special)
{
    bool told = special && owners && idmap_single(owners);
    auto_close int memory = told ? memfd_create("owners", MFD_CLOEXEC) : -1;
    struct fill f = {.in = in, .dir = dir, .special = memory, .owners = owners};
    struct sealed w;
    if (told && memory < 0)
        return err_sys("cannot make a file in memory");
    int r = sealed_start(fill_worker, &f, &f.result, &w);
    if (r == 0)
        r = sealed_wait(&w);
    return r == 0 && told ? read_special_owners(memory, special) : r;
}

int unpack_stream(int in, int dir)
{
    return fill(in, dir, NULL, NULL);
}

int unpack_archive(int fd, int dir, const struct idmap *owners, struct pack_owners *special)
{
    struct sealed w;
    enum codec codec;
    size_t len;
    int out, r = read_codec(fd, &codec);
    if (r < 0)
        return r;
    if (codec == CODEC_NONE)
        return fill(fd, dir, owners, special);
    r = inflate_start(fd, codec, &w, &out);
    if (r < 0)
        return r;
    r = fill(out, dir, owners, special);
    fd_close(out);
    auto_free char *error = r < 0 ? err_pack(r, &len) : NULL;
    int inflated = sealed_wait(&w);
    /* Damage in what is compressed is why the archive ended early. */
    return inflated < 0 && inflated != -EPIPE ? inflated : error ? err_unpack(error, len) : 0;
}
