/* Files that are whole or absent, and what fills them: blobs and tar archives. Private to src/image. */
#ifndef WHELK_IMAGE_OUTPUT_H
#define WHELK_IMAGE_OUTPUT_H

#include "whelk/transport.h"

/* A file that has no name until output_commit, or a pipe or device that is written as it is. */
struct output {
    int fd, dir;
    char *path;  /* relative to dir, as dir descriptors have it */
    char *draft; /* the name meanwhile, where the file system has no unnamed files; else NULL */
    bool direct;
};
int output_open(int dir, const char *path, struct output *ret);
/* For a descriptor that is there (stdout). */
void output_direct(int fd, struct output *ret);
/* Gives it its name, in place of what has it. */
int output_commit(struct output *o);
void output_done(struct output *o);

/* Opens a directory, made if need be. */
int output_dir(const char *path);

/* Moves all of in to fd. known: digest and size that it must have, or NULL. */
int blob_move(struct blob *in, int fd, const struct descriptor *known, char ret_digest[DIGEST_TEXT], int64_t *ret_size);

/* Members of a tar archive. Nothing of an archive depends on when or by whom it is made. */
int archive_bytes(struct output *o, const char *name, const void *data, size_t len);
int archive_blob(struct output *o, const char *name, struct blob *in, const struct descriptor *known);
int archive_dir(struct output *o, const char *name);
int archive_end(struct output *o);
/* rest: "FILE[:REFERENCE]" (layout_split; the caller frees *ret_reference). FILE "-": o->std_fd, which must not be a
 * terminal. */
int archive_open(const char *rest, const struct transport_options *options, char **ret_reference, struct output *ret);

#endif
