/* Volumes: volumes/<name>/{volume.json, data/, lock, copied}. data/ is what containers mount; its files have the
 * store's ids. volume.json never changes after the volume was published.
 *
 * Nobody counts users: a volume is in use when the record of a container names it. `lock` closes the gap between making
 * such a record and looking for one: whoever makes it holds the lock shared from before the volume is looked at until
 * the record is published, whoever removes the volume holds it exclusive. */
#ifndef WHELK_VOLUME_H
#define WHELK_VOLUME_H

#include "whelk/ctr.h"

struct volume {
    struct rec_head head;
    char *name;
    char *driver;    /* "local" */
    char **labels;   /* KEY=VALUE */
    char **options;  /* KEY=VALUE: type, device, o */
    int64_t created; /* ns */
    bool owned;      /* data/ was given to uid and gid, of containers: the first mount leaves its owner alone */
    int64_t uid, gid;
    bool
        anonymous; /* made for one container that gave no name: goes with the last one that has it, on --rm and rm -v */
};
extern const struct rec_type volume_rec;
void volume_done(struct volume *v);

int volume_load(const struct store *s, const char *name, struct volume *ret); /* -ENOENT without text */
int volume_list(const struct store *s, char ***ret_names);
/* The exact name, or the unique start of one that is an id; -ENOENT with text "no such volume: X". Caller frees. */
int volume_find(const struct store *s, const char *typed, char **ret_name);

/* The meaning of the options of a volume: what is mounted in place of data/. -EINVAL with text for those that are not
 * known. */
enum volume_kind { VOLUME_DATA, VOLUME_BIND, VOLUME_TMPFS };
int volume_check_options(char *const *options, enum volume_kind *ret);

/* Publishes a new volume with an empty data/ of 0:0 and mode 0755; v->created is filled in by the caller. -EEXIST
 * without text. */
int volume_create(const struct store *s, const struct volume *v);
/* Moves it to the trash: -ENOENT without text; -EBUSY with text that names the containers that have it. */
int volume_remove(const struct store *s, const char *name);
/* The same by rename into tmp/<trash>, which somebody is about to delete. */
int volume_retire(const struct store *s, const char *name, const char *trash);
/* Names of the containers whose records have the volume. A damaged record is an error: nothing is removed on a guess.
 */
int volume_users(const struct store *s, const char *name, char ***ret_names);

/* The volumes that the records of containers have, an element for each container and volume: for commands that look at
 * many. */
int volumes_used(const struct store *s, char ***ret_names);
/* Bytes of disk that its files hold. */
int volume_usage(const struct store *s, const char *name, uint64_t *ret);

/* Makes the volumes of a container that are not there and holds them until volumes_release. With failed, the anonymous
 * ones go. */
struct volumes_held {
    int *fds;
    size_t n;
};
int volumes_hold(const struct store *s, const struct ctr *c, struct volumes_held *ret);
void volumes_release(const struct store *s, const struct ctr *c, struct volumes_held *held, bool failed);

/* "volumes/<name>/data", relative to the store; caller frees. */
char *volume_data(const char *name);

/* The tar archive of data/, and the entries of one (plain or gzip) into data/. Both in workers inside the store's user
 * namespace. */
int volume_export(const struct store *s, const char *name, int out);
int volume_import(const struct store *s, const char *name, int in);

#endif
