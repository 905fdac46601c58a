/* What the files of the store share among themselves. */
#ifndef WHELK_STORE_PRIVATE_H
#define WHELK_STORE_PRIVATE_H

#include "whelk/record.h"
#include "whelk/store.h"

enum { TRASH_NAME = 80 }; /* "trash-<id>" */

/* whelk-store.json: says that a directory is a store, whose, and with which ids its trees are written. */
struct store_marker {
    struct rec_head head;
    int64_t version; /* of the layout */
    char *uuid;
    int64_t uid;
    json_t *idmap; /* {"uid": [[inside, outside, count], ...], "gid": ...}; absent in root's store */
};
extern const struct rec_type store_marker_rec;
extern const char store_marker_name[];

json_t *idmap_to_json(const struct idmap *m); /* NULL for the map of root */
int idmap_from_json(const json_t *j, struct idmap *ret);

/* gc.lock exclusive, polled for at most patience_ms (the shared holders are short); -EWOULDBLOCK without text. */
int store_lock_all(const struct store *s, int patience_ms, int *ret_fd);
/* Renames dir/name to tmp/<ret>, no more; -ENOENT without text. ret may be NULL. */
int trash_move(const struct store *s, const char *dir, const char *name, char ret[TRASH_NAME]);
/* Removes one tmp/trash-* entry, under its flock. While another process is at it, or had the directory locked for its
 * own reasons before it came here: wait for that, or leave it to them. */
enum trash_busy { TRASH_WAIT, TRASH_LEAVE };
int trash_remove(const struct store *s, const char *name, enum trash_busy busy);
/* The same for what another process has left. */
void trash_finish(const struct store *s, const char *name);
/* Removes every tmp/trash-* entry; what cannot be removed waits for the next time. */
void trash_empty(const struct store *s);
/* The caller has gc.lock exclusive: moves staging and drafts without an owner to trash and drops the names of
 * containers that are not there. */
void sweep_stale(const struct store *s);

/* What the marker tmp/rm-<id> of a --rm container is a link to if it was claimed (ctr_claim). Short: no block. */
#define rm_marker_claimed "run"

/* ctr.c: removes container-names entries whose container is neither published nor a draft. */
void ctr_names_sweep(const struct store *s);
/* ctr.c: frees the name of a container whose remover was killed right after it had moved it to tmp/<trash>. It must
 * come before the removal of that trash, whose record is the last that tells the name. Other trash is left alone. */
void ctr_finish_retired(const struct store *s, const char *trash);

extern const struct rec_type name_rec;
/* The hex digests of the indexes that names refer to. Caller frees. */
int names_indexes(const struct store *s, char ***ret_hex);
/* A stored manifest or index, held against its digest ("sha256:<hex>"); -ENOENT without text. Caller frees. */
int manifest_file_read(const struct store *s, const char *path, const char *digest, char **ret, size_t *ret_len);

/* Does dir/name exist? */
bool store_has(const struct store *s, const char *dir, const char *name);
/* "id, id, id" for an error text about a prefix; at most ten. Caller frees. */
char *candidates_text(char *const *ids, const char *prefix);
/* The ids in dir that start with prefix; names that are no ids are left out. Caller frees. */
int ids_with_prefix(const struct store *s, const char *dir, const char *prefix, char ***ret);

#endif
