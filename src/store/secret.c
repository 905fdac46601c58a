/* Secrets on disk. Whole or absent: a directory is filled in staging and renamed into place; to replace one, the two
 * change places and the old one goes with the staging directory. */
#include "whelk/secret.h"

#include "store-private.h"

#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/stage.h"

#include <fcntl.h>

enum { DIR_MODE = 0700, FILE_MODE = 0600 };

static const struct rec_field secret_fields[] = {
    REC_FIELD(struct secret, STR, id, "id"),
    REC_FIELD(struct secret, STR, name, "name"),
    REC_FIELD(struct secret, STR, driver, "driver"),
    REC_FIELD(struct secret, MAP, labels, "labels"),
    REC_FIELD(struct secret, TIME, created, "created"),
    REC_FIELD(struct secret, TIME, updated, "updated"),
    REC_END,
};
const struct rec_type secret_rec = {"secret", 1, sizeof(struct secret), secret_fields};

void secret_done(struct secret *x)
{
    rec_done(&secret_rec, x);
}

int secret_load(const struct store *s, const char *name, struct secret *ret)
{
    auto_free char *path = xasprintf("secrets/%s/secret.json", name);
    int r = rec_load(&secret_rec, s->fd, path, ret);
    if (r == 0 && (str_empty(ret->name) || !str_eq(ret->name, name) || !ret->id || !str_is_hex(ret->id, ID_LEN))) {
        secret_done(ret);
        r = err_set(-EBADMSG, "%s: its name or id is missing or wrong", path);
    }
    return r;
}

int secret_list(const struct store *s, char ***ret_names)
{
    int r = dir_names(s->fd, "secrets", ret_names);
    return r == -ENOENT ? 0 : r; /* a store of before there were secrets */
}

static int find_by_id(const struct store *s, const char *prefix, char **ret_name)
{
    auto_strv char **names = NULL, **ids = NULL;
    auto_free char *found = NULL;
    int r = id_prefix_like(prefix) ? secret_list(s, &names) : 0;
    strv_foreach (name, names) {
        struct secret x = {0};
        if (secret_load(s, name, &x) == 0 && str_after(x.id, prefix)) {
            strv_add(&ids, x.id);
            free(found);
            found = xstrdup(name);
        }
        secret_done(&x);
    }
    if (r < 0 || !found)
        return r < 0 ? r : -ENOENT;
    if (strv_len(ids) > 1) {
        auto_free char *candidates = candidates_text(ids, prefix);
        return err_set(-EINVAL, "\"%s\" is the start of more than one secret's id: %s", prefix, candidates);
    }
    *ret_name = take_ptr(&found);
    return 0;
}

int secret_find(const struct store *s, const char *typed, char **ret_name)
{
    if (*typed && *typed != '.' && !strchr(typed, '/') && store_has(s, "secrets", typed)) {
        *ret_name = xstrdup(typed);
        return 0;
    }
    int r = find_by_id(s, typed, ret_name);
    if (r != -ENOENT)
        return r;
    auto_free char *shown = str_printable(typed);
    return err_set(r, "no such secret: %s", shown);
}

static int fill(int stage_fd, const struct secret *x, const void *data, size_t len)
{
    static const char dir[] = "secret";
    int r = dir_make(stage_fd, dir, DIR_MODE);
    auto_close int fd = r < 0 ? -1 : dir_open(stage_fd, dir);
    if (fd < 0)
        return r < 0 ? r : fd;
    r = file_write(fd, "data", data, len, FILE_MODE);
    return r < 0 ? r : rec_write(&secret_rec, fd, "secret.json", x);
}

static int publish(const struct stage *st, const struct secret *x, bool replace)
{
    const struct store *s = st->store;
    auto_free char *path = xasprintf("secrets/%s", x->name);
    if (renameat2(st->fd, "secret", s->fd, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno == EEXIST && !replace)
        return -EEXIST;
    if (errno == EEXIST && renameat2(st->fd, "secret", s->fd, path, RENAME_EXCHANGE) == 0)
        return 0;
    return err_sys("cannot publish %s/%s", s->path, path);
}

int secret_create(const struct store *s, const struct secret *x, const void *data, size_t len, bool replace)
{
    auto_stage struct stage *st = NULL;
    int r = name_check("secret", x->name);
    if (r == 0)
        r = dir_make(s->fd, "secrets", DIR_MODE);
    if (r == 0 && !replace && store_has(s, "secrets", x->name))
        return -EEXIST;
    if (r == 0)
        r = stage_begin(s, &st);
    if (r == 0)
        r = fill(st->fd, x, data, len);
    if (r == 0)
        r = publish(st, x, replace);
    if (r == 0)
        event_object(s, "secret", "create", x->id, x->name);
    return r;
}

int secret_remove(const struct store *s, const char *name)
{
    struct secret x = {0};
    if (secret_load(s, name, &x) < 0)
        err_clear(); /* a damaged one goes too */
    int r = store_trash(s, "secrets", name);
    if (r == 0)
        event_object(s, "secret", "remove", x.id, name);
    secret_done(&x);
    return r;
}

int secret_read(int store_fd, const char *name, char **ret, size_t *ret_len)
{
    auto_free char *path = xasprintf("secrets/%s/data", name);
    int r = name_check("secret", name);
    if (r < 0)
        return r;
    r = file_read(store_fd, path, SECRET_MAX, ret, ret_len);
    return r == -ENOENT
               ? err_set(r, "there is no secret %s any more; make it again: whelk secret create %s FILE", name, name)
               : r;
}
