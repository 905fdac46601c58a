/* What a library that inflates or deflates must be able to do. gzip.c has the loop over buffers and members, codec.c
 * the one for deflating. */
#ifndef WHELK_BASE_GZIP_BACKEND_H
#define WHELK_BASE_GZIP_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is left of the input and of the room for output; a step moves both on. */
struct inflate_io {
    const unsigned char *in;
    size_t in_len;
    unsigned char *out;
    size_t out_len;
};

enum inflate_result { INFLATE_MORE, INFLATE_MEMBER_END, INFLATE_DAMAGED };

struct inflate_backend {
    const char *name;
    bool (*ready)(void);
    /* A state at the start of a member; never NULL once ready. */
    void *(*start)(void);
    /* Goes on until input or room is used up, or the member is over and its CRC and length are right. */
    enum inflate_result (*step)(void *state, struct inflate_io *io);
    void (*next_member)(void *state);
    void (*end)(void *state);
    const char *format; /* for error texts */
    const char *starts; /* the bytes that a further member may start with */
};

extern const struct inflate_backend inflate_isal, inflate_zlib, inflate_zstd, inflate_xz, inflate_bzip2;

struct deflate_backend {
    const char *name;
    bool (*ready)(void);
    int min_level, max_level, usual_level;
    void *(*start)(int level);
    /* Takes input while there is room for output. last: no input follows behind this. True: all is written (with last),
     * or more input is wanted (without). */
    bool (*step)(void *state, struct inflate_io *io, bool last);
    void (*end)(void *state);
};

extern const struct deflate_backend deflate_isal, deflate_zlib, deflate_zstd;

/* gzip_inflate_fd with the backend and the size of its two buffers given. */
int inflate_fd(const struct inflate_backend *backend, size_t buf_size, int in, int out, uint64_t max);

#endif
