/* The recipe of a layer: how to write its tar stream again from its tree. Private to src/store. Format: recipe.c. */
#ifndef WHELK_STORE_RECIPE_H
#define WHELK_STORE_RECIPE_H

#include <stddef.h>
#include <stdint.h>

struct recipe_writer;
struct recipe_writer *recipe_writer_new(int fd); /* fd, at its start, stays the caller's */
void recipe_writer_free(struct recipe_writer *w);
/* The next bytes of the stream, literally. */
int recipe_add_bytes(struct recipe_writer *w, const void *data, size_t len);
/* The next len bytes of the stream are the file at path (relative to diff/, normal form). */
int recipe_add_file(struct recipe_writer *w, const char *path, uint64_t len);
/* What recipe_add_file named path up to now is from now on found as lost/<*ret>. */
int recipe_add_moved(struct recipe_writer *w, const char *path, uint64_t *ret);
/* Writes the end; without it a reader calls the recipe cut short. */
int recipe_finish(struct recipe_writer *w);

struct recipe_item {
    const char *path; /* below the layer's directory: "diff/..." or "lost/..."; NULL: literal bytes */
    const char *data; /* the bytes */
    uint64_t len;     /* of data or of the file */
};

struct recipe_reader;
/* fd stays the caller's and must be at its start. The bytes of a recipe are not trusted: damage is -EBADMSG with text.
 */
int recipe_reader_new(int fd, struct recipe_reader **ret);
void recipe_reader_free(struct recipe_reader *r);
/* 1 and the next item (valid until the next call), 0 at the end. */
int recipe_next(struct recipe_reader *r, struct recipe_item *ret);

#endif
