/* Operations that publish: a staging directory tmp/op-<id>/ whose flock says that its owner lives, with pins of what it
 * will use (STORE, garbage 1). */
#ifndef WHELK_STAGE_H
#define WHELK_STAGE_H

#include "whelk/store.h"

struct stage {
    const struct store *store;
    int fd;        /* the directory, flocked */
    char name[80]; /* "op-<id>" below tmp/ */
    int sync_fd;   /* opened before the first write, for stage_sync */
};

int stage_begin(const struct store *s, struct stage **ret);
/* Writes pins before the caller looks whether the objects exist: "layers/<key>", "images/<id>". */
int stage_pin(struct stage *st, const char *const *objects, unsigned n);
/* Makes everything that was written to this file system durable, and reports write errors since stage_begin (STORE,
 * trust 4). */
int stage_sync(struct stage *st);
/* Removes the staging directory and the pins. NULL is fine. */
void stage_end(struct stage *st);
static inline void stage_auto(struct stage **st)
{
    if (*st)
        stage_end(*st);
}
#define auto_stage auto_with(stage_auto)

/* Makes tmp/<stage>/<name> the layer <key> by one rename and notes that this operation made it. If there is one
 * already: success when it is trusted (the own copy stays in the staging directory and goes with it), else the two
 * change places. */
int stage_publish_layer(struct stage *st, const char *name, const char *key);
/* May an existing layer be used without hashing it again (STORE, trust)? True if an image or cache record names it, or
 * a running operation (this one too) made it. Whoever finds a layer by layer_exists asks this before it skips a
 * download or a step. */
bool layer_trusted(const struct store *s, const char *key);
/* The same for whoever asks about many: reads the records once. It stays true of the layers that the caller has pinned
 * before. The caller frees. */
struct trusted_layers *trusted_layers_read(const struct store *s);
bool trusted_layers_has(const struct trusted_layers *t, const char *key);
void trusted_layers_free(struct trusted_layers *t); /* NULL is fine */

/* The store's collector: is the owner of tmp/<name> gone? (flock free means stale.) The caller has gc.lock exclusive.
 */
bool stage_is_stale(const struct store *s, const char *name);

#endif
