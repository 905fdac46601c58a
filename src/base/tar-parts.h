/* The parts of the tar format that reader and writer share: the header block, numbers, extended headers, sparse maps.
 */
#ifndef WHELK_BASE_TAR_PARTS_H
#define WHELK_BASE_TAR_PARTS_H

#include "whelk/tar.h"

/* One header block. Fields are padded with NULs or blanks and need not be terminated. */
struct tar_block {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8];
    char type;
    char link[100], magic[8], uname[32], gname[32], major[8], minor[8];
    union {
        char prefix[155]; /* ustar */
        struct {
            char atime[12], ctime[12], offset[12], long_names[4], unused;
            struct tar_block_sparse {
                char offset[12], len[12];
            } sparse[4];
            char more, real_size[12];
        } gnu;
    };
    char rest[12];
};
_Static_assert(sizeof(struct tar_block) == TAR_BLOCK_SIZE, "a header block");

/* Further entries of an old GNU sparse map. */
enum { TAR_SPARSE_FIRST = 4, TAR_SPARSE_MORE = 21 };
struct tar_block_more {
    struct tar_block_sparse sparse[TAR_SPARSE_MORE];
    char more, rest[7];
};
_Static_assert(sizeof(struct tar_block_more) == TAR_BLOCK_SIZE, "a sparse extension block");

enum tar_magic { TAR_V7, TAR_USTAR, TAR_GNU };

bool tar_block_is_zero(const void *block);
bool tar_block_checksum_ok(const struct tar_block *b);
void tar_block_checksum_set(struct tar_block *b);
enum tar_magic tar_block_magic(const struct tar_block *b);
/* Octal between blanks, up to a NUL (no digit: 0), or base-256. False if it is neither or does not fit. */
bool tar_number(const char *field, size_t len, int64_t *ret);
/* Octal with a closing NUL, or base-256 where that is too short. */
void tar_number_set(char *field, size_t len, int64_t n);
/* Nanoseconds, held at the ends of what they can say. */
int64_t tar_time(int64_t seconds, int32_t ns);

enum { TAR_MAX_SEGMENTS = 1000 * 1000, TAR_MAX_XATTRS = 1024 };

/* Where a piece of the stored payload of a sparse file belongs. */
struct tar_segment {
    uint64_t offset, len;
};

struct tar_sparse {
    struct tar_segment *segments;
    size_t n, cap;
    bool half; /* the last segment waits for its length */
};
void tar_sparse_done(struct tar_sparse *s);
/* Adds the next number of a map: offset, length, offset ... -E2BIG with text beyond TAR_MAX_SEGMENTS. */
int tar_sparse_add(struct tar_sparse *s, uint64_t number);
/* -EBADMSG with text unless the segments are in order, within real_size, and together stored bytes. */
int tar_sparse_check(const struct tar_sparse *s, uint64_t real_size, uint64_t stored);

/* What extended headers say about an entry. */
struct tar_meta {
    char *path, *link;           /* PAX */
    char *long_path, *long_link; /* GNU; they win */
    bool has_size, has_uid, has_gid, has_mtime;
    uint64_t size;
    uint32_t uid, gid;
    int64_t mtime;
    struct tar_xattr *xattrs;
    size_t n_xattrs;
    /* GNU sparse by PAX; 1.0 has its map in front of the payload. */
    uint64_t sparse_major, sparse_minor, sparse_count, real_size;
    bool has_sparse_major, has_sparse_minor, has_sparse_count, has_real_size;
    char *sparse_path;
    struct tar_sparse sparse;
};
void tar_meta_done(struct tar_meta *m);
/* Reads the records of one extended header into m; later ones win. A global header gives no xattrs and no sparse map.
 * -EBADMSG with text. */
int tar_pax_read(const char *data, size_t len, bool global, struct tar_meta *m);

void tar_xattrs_free(struct tar_xattr *xattrs, size_t n);
/* Sets name, replacing an equal one; data is copied. */
void tar_xattr_set(struct tar_xattr **xattrs, size_t *n, const char *name, const void *value, size_t len);

#endif
