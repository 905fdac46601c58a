/* What the volume commands share: rows, filters, and the object of inspect. */
#include "volumes.h"

#include "whelk/units.h"

#include <fcntl.h>

/* ---- filters (CV-54, CV-55) ---- */

static int is_true(const char *value)
{
    if (str_eq(value, "true") || str_eq(value, "1"))
        return 1;
    return str_eq(value, "false") || str_eq(value, "0") ? 0
                                                        : err_set(-EINVAL, "\"%s\" is neither true nor false", value);
}

static int equals_bool(bool have, const char *value)
{
    int wanted = is_true(value);
    return wanted < 0 ? wanted : have == wanted;
}

static int match_anonymous(const void *object, const char *value, void *ctx)
{
    return equals_bool(((const struct volume_row *)object)->v.anonymous, value);
}

static int match_dangling(const void *object, const char *value, void *ctx)
{
    return equals_bool(((const struct volume_row *)object)->links == 0, value);
}

static int match_driver(const void *object, const char *value, void *ctx)
{
    const struct volume_row *row = object;
    return str_eq(row->v.driver ? row->v.driver : "local", value);
}

static int match_label(const void *object, const char *value, void *ctx)
{
    return filter_label(((const struct volume_row *)object)->v.labels, value);
}

static int match_not_label(const void *object, const char *value, void *ctx)
{
    int r = match_label(object, value, ctx);
    return r < 0 ? r : !r;
}

static int match_name(const void *object, const char *value, void *ctx)
{
    return filter_regex(((const struct volume_row *)object)->v.name, value);
}

static int match_opt(const void *object, const char *value, void *ctx)
{
    return filter_label(((const struct volume_row *)object)->v.options, value);
}

static int match_scope(const void *object, const char *value, void *ctx)
{
    return str_eq(value, "local");
}

static int match_until(const void *object, const char *value, void *ctx)
{
    int64_t until;
    int r = filter_time(value, &until);
    return r < 0 ? r : ((const struct volume_row *)object)->v.created < until;
}

/* A time, or the name of a volume that was made before. */
static int match_since(const void *object, const char *value, void *ctx)
{
    struct volume other = {0};
    int64_t since = 0;
    int r = *value && *value != '.' && !strchr(value, '/') ? volume_load(ctx, value, &other) : -ENOENT;
    if (r == 0)
        since = other.created;
    else if (r == -ENOENT)
        r = filter_time(value, &since);
    volume_done(&other);
    return r < 0 ? r : ((const struct volume_row *)object)->v.created > since;
}

const struct filter_key volume_filters[] = {
    {"anonymous", match_anonymous, false},
    {"dangling", match_dangling, false},
    {"driver", match_driver, false},
    {"label", match_label, true},
    {"label!", match_not_label, true},
    {"name", match_name, false},
    {"opt", match_opt, false},
    {"scope", match_scope, false},
    {"until", match_until, false},
    {"since", match_since, false},
    {"after", match_since, false},
    {NULL, NULL, false},
};

/* ---- rows ---- */

static size_t count(char *const *names, const char *name)
{
    size_t n = 0;
    strv_foreach (used, names)
        n += str_eq(used, name);
    return n;
}

static int add_row(const struct store *s, const char *name, char *const *used, char *const *filters,
                   struct volume_rows *rows)
{
    struct volume_row row = {.links = count(used, name)};
    int r = volume_load(s, name, &row.v);
    if (r < 0) {
        if (r != -ENOENT)
            log_warn("%s", err_text(r));
        return 0;
    }
    r = filter_match(volume_filters, filters, &row, (void *)(uintptr_t)s);
    if (r > 0)
        rows->items[rows->n++] = row;
    else
        volume_done(&row.v);
    return r;
}

int volume_rows_load(const struct store *s, char *const *filters, struct volume_rows *ret)
{
    auto_strv char **names = NULL, **used = NULL;
    int r = filter_check(volume_filters, filters);
    if (r == 0)
        r = volume_list(s, &names);
    if (r == 0)
        r = volumes_used(s, &used);
    if (r < 0)
        return r;
    struct volume_rows rows = {.items = xcalloc(strv_len(names) + 1, sizeof *rows.items)};
    strv_foreach (name, names)
        if ((r = add_row(s, name, used, filters, &rows)) < 0)
            break;
    if (r < 0)
        volume_rows_done(&rows);
    else
        *ret = rows;
    return MIN(r, 0);
}

void volume_rows_done(struct volume_rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        volume_done(&rows->items[i].v);
    free(rows->items);
    *rows = (struct volume_rows){0};
}

/* ---- the object ---- */

json_t *volume_json(const struct store *s, const struct volume *v, size_t links)
{
    char created[40];
    auto_free char *data = volume_data(v->name);
    auto_free char *path = xasprintf("%s/%s", s->path, data), *copied = xasprintf("volumes/%s/copied", v->name);
    bool fresh = faccessat(s->fd, copied, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:b, s:i, s:b}", "CreatedAt",
                     time_format(v->created, created), "Driver", v->driver ? v->driver : "local", "Labels",
                     json_from_map(v->labels), "Mountpoint", json_from_str(path), "Name", json_from_str(v->name),
                     "Options", json_from_map(v->options), "Scope", "local", "Anonymous", v->anonymous, "MountCount",
                     (int)links, "NeedsCopyUp", fresh);
}

int volume_targets(const struct store *s, bool all, char *const *args, char ***ret)
{
    if (all && strv_len(args))
        return err_set(-EINVAL, "--all takes no volumes besides");
    if (!all && !strv_len(args))
        return err_set(-EINVAL, "name at least one volume, or give --all");
    if (all)
        return volume_list(s, ret);
    *ret = strv_copy(args);
    return 0;
}
