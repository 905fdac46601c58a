/* What the files of layers share. Private to src/store. */
#ifndef WHELK_STORE_LAYER_PRIVATE_H
#define WHELK_STORE_LAYER_PRIVATE_H

#include "whelk/layer.h"

/* A layer that is being unpacked: all that the APPLY worker holds. */
struct apply_job {
    const struct idmap *map; /* that it runs with */
    struct layer_limits limits;
    int in;     /* the plain tar stream */
    int dir;    /* the layer's directory with diff/ and lost/; the worker's root */
    int recipe; /* empty file */
    int facts;  /* empty file for a struct layer without diffid, as JSON */
};
/* Runs in: APPLY. Confines the process, then fills diff/, the recipe and the facts. */
int layer_apply(struct apply_job *job);

/* The name below tmp/<stage>/ becomes "/"-free normal form: no leading slash, no ".", no empty component. false: it has
 * "..". ret has room for strlen(path) + 1 bytes. The root directory gives "". */
bool layer_path_normal(const char *path, char *ret);
/* Opens path (normal form, "": diff_fd itself) below diff_fd and through no symbolic link. No text. */
int layer_open_beneath(int diff_fd, const char *path, int flags);

/* Records hold UTF-8 only, file names any bytes: '%', control characters and what is not ASCII become %XX. Caller
 * frees. */
char *layer_path_escape(const char *path);
char *layer_path_unescape(const char *escaped);

#define NS_PER_SECOND INT64_C(1000000000)
static inline struct timespec layer_timespec(int64_t ns)
{
    int64_t rest = ns % NS_PER_SECOND;
    rest += rest < 0 ? NS_PER_SECOND : 0;
    return (struct timespec){.tv_sec = (ns - rest) / NS_PER_SECOND, .tv_nsec = rest};
}

#define OPAQUE_XATTR "user.overlay.opaque"
#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_META ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

/* The two forms of owners in layer.json. */
#define OWNERS_EXACT "exact"
#define OWNERS_SQUASHED "squashed"

#endif
