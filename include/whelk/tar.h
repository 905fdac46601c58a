/* The tar format, both ways: ustar, PAX (records, globals), GNU long names and sparse. Pure format: no file is touched;
 * what an entry may do to a disk is store/layer-apply's question. */
#ifndef WHELK_TAR_H
#define WHELK_TAR_H

#include "whelk/str.h"

#include <sys/types.h>

enum tar_type { TAR_FILE, TAR_HARDLINK, TAR_SYMLINK, TAR_CHAR, TAR_BLOCK, TAR_DIR, TAR_FIFO };

struct tar_xattr {
    char *name;
    char *value;
    size_t len;
};

struct tar_entry {
    char *path; /* as in the archive: may be absolute, may hold .. */
    char *link; /* target of a symbolic or hard link, else NULL */
    enum tar_type type;
    mode_t mode; /* permission bits with setuid, setgid, sticky */
    uint32_t uid, gid;
    uint64_t size; /* payload bytes of a TAR_FILE (of a sparse one: the expanded size) */
    bool sparse;   /* payload was stored sparse: tar_data gives it expanded */
    int64_t mtime; /* nanoseconds since 1970 */
    unsigned major, minor;
    struct tar_xattr *xattrs; /* from PAX SCHILY.xattr. */
    size_t n_xattrs;
};
void tar_entry_done(struct tar_entry *e);
void tar_entry_add_xattr(struct tar_entry *e, const char *name, const void *value, size_t len);

/* Bounds on what a stream may make us hold or count; zero fields take the defaults. */
struct tar_limits {
    size_t max_path;      /* 4096 */
    size_t max_pax;       /* 1 MiB of extended header per entry */
    uint64_t max_entries; /* 10 million */
};

/* Do these first bytes of a file (a block, or less of a shorter file) begin a tar archive? */
bool tar_magic(const void *data, size_t len);

struct tar_reader;
/* Bytes of the stream and payloads make the stream again: an entry of a plain regular file stands between the raw bytes
 * that were given before and after it was returned, with exactly size bytes of payload. Called with every byte of the
 * stream that is not the payload of a plain (not sparse) regular file, in order, before the entry that they belong to
 * is returned. May be NULL. A negative return stops the reader with it. */
typedef int tar_raw_fn(void *arg, const void *data, size_t len);

struct tar_reader *tar_reader_new(int fd, const struct tar_limits *limits, tar_raw_fn *raw, void *arg);
void tar_reader_free(struct tar_reader *r);
/* Entries of a kind that this reader does not know are passed to raw and not returned. A path is never empty; a
 * directory's has no trailing slash. Links carry no payload, whatever their size field says.
 *
 * The next entry: 1, or 0 at the end of the archive (the rest of the stream has then been read and passed to raw).
 * *ret stays the reader's and is valid until the next call. Payload that was not read is skipped (and is lost to raw:
 * it is payload). Damage is -EBADMSG with text that says the offset. */
int tar_next(struct tar_reader *r, const struct tar_entry **ret);
/* Where in the stream the payload of the entry that tar_next just gave begins. (In a file, payload that nobody wants is
 * passed over without reading it.) */
uint64_t tar_offset(const struct tar_reader *r);
/* Payload of the current TAR_FILE: the count, 0 at its end, negative on error. */
ssize_t tar_data(struct tar_reader *r, void *data, size_t len);

/* Appends the header blocks of e (ustar; with a PAX header before it for what ustar cannot say: long names, big ids and
 * sizes, fractions of seconds, xattrs). Same entry, same bytes. The payload follows, then tar_pad(e->size). */
void tar_format(const struct tar_entry *e, struct buf *out);
/* Zero bytes that follow a payload of size. */
size_t tar_padding(uint64_t size);
/* Two zero blocks: the end of an archive. */
enum { TAR_BLOCK_SIZE = 512, TAR_END_SIZE = 1024 };

#endif
