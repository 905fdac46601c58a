/* The user namespace of a new container: --userns, --uidmap, --gidmap, --subuidname, --subgidname.
 * What comes out is an id map whose outside are ids of the store: 0 is the user's own, the subordinate ones follow. */
#include "spec.h"

#include "whelk/err.h"

#include <string.h>

/* What there is to give away. */
struct pool {
    struct id_set uid, gid;
    bool of_root; /* every id of the host */
};

/* The numbers of the store's map, in the same pieces: a range below must not reach over the end of one above. */
static struct id_set numbers(const struct id_range *r, unsigned n)
{
    struct id_set s = {.n = n};
    for (unsigned i = 0; i < n; i++)
        s.r[i] = (struct id_range){r[i].inside, r[i].inside, r[i].count};
    return s;
}

static void find_pool(const struct store *s, struct pool *ret)
{
    static const struct id_range all = {0, 0, UINT32_MAX - 1};
    const struct idmap *m = &s->map;
    bool root = idmap_none(m);
    *ret = (struct pool){.uid = root ? numbers(&all, 1) : numbers(m->uid, m->n_uid),
                         .gid = root ? numbers(&all, 1) : numbers(m->gid, m->n_gid),
                         .of_root = root};
}

static void set_map(struct ctr *c, const struct id_set *uid, const struct id_set *gid)
{
    struct idmap map = {.n_uid = uid->n, .n_gid = gid->n};
    memcpy(map.uid, uid->r, sizeof map.uid);
    memcpy(map.gid, gid->r, sizeof map.gid);
    ctr_set_idmap(c, &map);
}

/* KEY=NUMBER words behind the colon of a mode. */
struct number_key {
    const char *name;
    uint64_t *value;
};

static int parse_numbers(const char *mode, const char *text, const struct number_key *keys, size_t n)
{
    auto_strv char **words = strv_split(text ? text : "", ",");
    strv_foreach (word, words) {
        bool known = false;
        for (size_t i = 0; i < n; i++) {
            const char *value = str_after(word, keys[i].name);
            if (!value || *value++ != '=')
                continue;
            known = true;
            if (!str_to_u64(value, keys[i].value) || *keys[i].value >= UINT32_MAX)
                return err_set(-EINVAL, "--userns %s: \"%s\" is not a number", mode, value);
        }
        if (!known)
            return err_set(-EINVAL, "--userns %s: \"%s\" is not known; known: %s%s", mode, word,
                           n > 1 ? "uid=, gid=, " : "", "size=");
    }
    return 0;
}

/* The caller is in the container who he is outside. */
static int make_keep_id(const struct run_options *o, const struct pool *pool, const char *mode, const char *rest,
                        struct ctr *c)
{
    uint64_t uid = getuid(), gid = getgid(), size = 0;
    const struct number_key keys[] = {{"uid", &uid}, {"gid", &gid}, {"size", &size}};
    struct id_set uids, gids;
    int r = parse_numbers(mode, rest, keys, ARRAY_LEN(keys));
    if (r == 0 && pool->of_root)
        r = err_set(-EINVAL,
                    "--userns %s: root is root in a container anyway; --userns auto or --uidmap gives it others", mode);
    if (r == 0)
        r = ids_keep(&pool->uid, (uint32_t)uid, size, &uids);
    if (r == 0)
        r = ids_keep(&pool->gid, (uint32_t)gid, size, &gids);
    if (r < 0)
        return r;
    set_map(c, &uids, &gids);
    if (!o->user) {
        free(c->user);
        c->user = xasprintf("%u:%u", (unsigned)uid, (unsigned)gid);
    }
    return 0;
}

static int no_subordinate_ids(const char *mode)
{
    return err_set(-EINVAL,
                   "--userns %s needs subordinate ids; as root: usermod --add-subuids 100000-165535 --add-subgids "
                   "100000-165535 USER, then use a new store",
                   mode);
}

/* The caller is nobody in the container. */
static int make_nomap(const struct run_options *o, const struct pool *pool, const char *mode, const char *rest,
                      struct ctr *c)
{
    struct id_set uids = {0}, gids = {0};
    uint64_t n_uids = ids_size(pool->uid.r, pool->uid.n) - 1, n_gids = ids_size(pool->gid.r, pool->gid.n) - 1;
    if (rest || pool->of_root)
        return err_set(-EINVAL,
                       rest ? "--userns %s: nomap takes no options" : "--userns %s is for users; root has auto", mode);
    if (!n_uids || !n_gids)
        return no_subordinate_ids(mode);
    int r = ids_slice(&pool->uid, 1, 0, n_uids, &uids);
    if (r == 0)
        r = ids_slice(&pool->gid, 1, 0, n_gids, &gids);
    if (r == 0)
        set_map(c, &uids, &gids);
    return r;
}

/* Which ids is decided when the container is published, under a lock (userns_allot). */
static int make_auto(const struct run_options *o, const struct pool *pool, const char *mode, const char *rest,
                     struct ctr *c)
{
    uint64_t size = 0;
    const struct number_key keys[] = {{"size", &size}};
    int r = parse_numbers(mode, rest, keys, ARRAY_LEN(keys));
    if (r == 0 && rest && size == 0)
        r = err_set(-EINVAL, "--userns %s: the size must be more than 0", mode);
    return r;
}

static int make_default(const struct run_options *o, const struct pool *pool, const char *mode, const char *rest,
                        struct ctr *c)
{
    free(take_ptr(&c->userns)); /* the store's map */
    return 0;
}

static const struct userns_kind {
    const char *name;
    int (*make)(const struct run_options *o, const struct pool *pool, const char *mode, const char *rest,
                struct ctr *c);
} kinds[] = {
    {"keep-id", make_keep_id}, {"nomap", make_nomap},     {"auto", make_auto},
    {"host", make_default},    {"private", make_default},
};

static int make_mode(const struct store *s, const struct run_options *o, const char *mode, struct ctr *c)
{
    size_t len = strcspn(mode, ":");
    struct pool pool;
    find_pool(s, &pool);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strlen(kinds[i].name) != len || strncmp(kinds[i].name, mode, len) != 0)
            continue;
        c->userns = xstrdup(mode);
        return kinds[i].make(o, &pool, mode, mode[len] ? mode + len + 1 : NULL, c);
    }
    return err_set(-EINVAL,
                   "--userns %s is not known; known: host, keep-id[:uid=N,gid=N,size=N], nomap, auto[:size=N], "
                   "container:NAME",
                   mode);
}

/* ---- --uidmap and --gidmap ---- */

static int add_word(const struct store *s, const char *text, bool gids, const struct id_set *pool, struct id_set *to)
{
    struct id_word w;
    int r = id_word_parse(text, &w);
    if (r < 0 || !(gids ? w.gids : w.uids))
        return r;
    if (w.host && !idmap_none(&s->map))
        w.from = gids ? id_inside(s->map.gid, s->map.n_gid, w.from) : id_inside(s->map.uid, s->map.n_uid, w.from);
    if (w.from == ID_NONE)
        return err_set(-EINVAL, "%s: the id behind @ is not the user's to give", text);
    return ids_add_word(pool, &w, to);
}

/* One without the other holds for both. */
static int make_words(const struct store *s, const struct run_options *o, struct ctr *c)
{
    struct pool pool;
    struct id_set uids = {0}, gids = {0};
    int r = 0;
    find_pool(s, &pool);
    strv_foreach (word, o->uidmap ? o->uidmap : o->gidmap)
        r = r < 0 ? r : add_word(s, word, false, &pool.uid, &uids);
    strv_foreach (word, o->gidmap ? o->gidmap : o->uidmap)
        r = r < 0 ? r : add_word(s, word, true, &pool.gid, &gids);
    if (r == 0)
        r = ids_check(&uids);
    if (r == 0)
        r = ids_check(&gids);
    if (r == 0)
        set_map(c, &uids, &gids);
    return r < 0 ? err_wrap(r, "--uidmap, --gidmap") : 0;
}

/* Root gives a container all subordinate ids of somebody. */
static int make_named(const struct store *s, const struct run_options *o, struct ctr *c)
{
    const char *uid_name = o->subuidname ? o->subuidname : o->subgidname,
               *gid_name = o->subgidname ? o->subgidname : o->subuidname;
    struct idmap map;
    if (!idmap_none(&s->map))
        return err_set(-EINVAL, "--subuidname and --subgidname are root's: a user may give away only ids of his own");
    int r = idmap_of_names(uid_name, gid_name, &map);
    if (r == 0)
        ctr_set_idmap(c, &map);
    return r;
}

int spec_make_userns(const struct store *s, const struct run_options *o, struct ctr *c)
{
    bool words = o->uidmap || o->gidmap, names = o->subuidname || o->subgidname;
    const char *mode = !str_empty(o->userns) ? o->userns : words || names ? NULL : getenv("PODMAN_USERNS");
    if ((words && names) || ((words || names) && !str_empty(o->userns)))
        return err_set(-EINVAL, "--userns, --uidmap with --gidmap, and --subuidname exclude each other");
    if (words)
        return make_words(s, o, c);
    if (names)
        return make_named(s, o, c);
    return str_empty(mode) ? 0 : make_mode(s, o, mode, c);
}

/* ---- auto ---- */

enum { AUTO_SIZE = 65536, AUTO_SIZE_OF_USER = 1024 };

/* Ids that containers with --userns auto have already, as ranges of the pool. */
static int find_used(const struct store *s, struct id_range **ret, size_t *ret_n)
{
    auto_strv char **ids = NULL;
    int r = ctr_list(s, &ids);
    strv_foreach (id, r < 0 ? NULL : ids) {
        struct ctr c = {0};
        struct idmap map;
        if (ctr_load(s, id, &c) < 0)
            continue; /* removed meanwhile, or damaged */
        if (c.userns && str_after(c.userns, "auto") && c.idmap && ctr_idmap(s, &c, &map) == 0) {
            *ret = xrealloc(*ret, (*ret_n + 1) * sizeof **ret);
            (*ret)[(*ret_n)++] = map.uid[0];
        }
        ctr_done(&c);
    }
    return r;
}

static int compare_ranges(const void *a, const void *b)
{
    const struct id_range *x = a, *y = b;
    return (x->outside > y->outside) - (x->outside < y->outside);
}

/* The first gap of size ids between first and end; ID_NONE: there is none. */
static uint32_t find_gap(struct id_range *used, size_t n, uint32_t first, uint64_t end, uint64_t size)
{
    if (n)
        qsort(used, n, sizeof *used, compare_ranges);
    uint64_t at = first;
    for (size_t i = 0; i < n && used[i].outside < at + size; i++)
        at = MAX(at, (uint64_t)used[i].outside + used[i].count);
    return at + size <= end ? (uint32_t)at : ID_NONE;
}

/* Root's come from the subordinate ids of "containers", as podman's; only their first range, the same for groups. */
static int auto_bounds(const struct store *s, uint32_t *ret_first, uint64_t *ret_end, uint64_t *ret_size)
{
    struct idmap map;
    if (!idmap_none(&s->map)) {
        *ret_first = 1;
        *ret_end = MIN(ids_size(s->map.uid, s->map.n_uid), ids_size(s->map.gid, s->map.n_gid));
        *ret_size = AUTO_SIZE_OF_USER;
        return 0;
    }
    int r = idmap_of_names("containers", "containers", &map);
    if (r < 0)
        return r;
    *ret_first = MAX(map.uid[0].outside, map.gid[0].outside);
    *ret_end = MIN((uint64_t)map.uid[0].outside + map.uid[0].count, (uint64_t)map.gid[0].outside + map.gid[0].count);
    *ret_size = AUTO_SIZE;
    return 0;
}

bool spec_wants_ids(const struct ctr *c)
{
    return c->userns && str_after(c->userns, "auto");
}

int spec_allot_ids(const struct store *s, struct ctr *c)
{
    auto_free struct id_range *used = NULL;
    size_t n = 0;
    uint32_t first = 0;
    uint64_t end = 0, size = 0;
    const char *asked = strstr(c->userns, "size=");
    int r = auto_bounds(s, &first, &end, &size);
    if (r == 0 && end <= first)
        r = no_subordinate_ids(c->userns);
    if (r == 0)
        r = find_used(s, &used, &n);
    if (r < 0)
        return err_wrap(r, "--userns %s", c->userns);
    if (asked)
        str_to_u64(asked + strlen("size="), &size);
    uint32_t at = find_gap(used, n, first, end, size);
    if (at == ID_NONE)
        return err_set(-ERANGE, "--userns %s: no %llu ids are free; others have them or there are not so many",
                       c->userns, (unsigned long long)size);
    struct id_set ids = {.r = {{0, at, (uint32_t)size}}, .n = 1};
    set_map(c, &ids, &ids);
    return 0;
}
