/* Records of named networks, and leases of addresses. Reads and writes: networks/. Lock: networks/.lock. */
#include "whelk/network.h"

#include "store-private.h"

#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/fd.h"
#include "whelk/lock.h"

#include <fcntl.h>
#include <sys/file.h>

static const struct rec_field subnet_fields[] = {
    REC_FIELD(struct network_subnet, STR, subnet, "subnet"),
    REC_FIELD(struct network_subnet, STR, gateway, "gateway"),
    REC_FIELD(struct network_subnet, STR, range, "range"),
    REC_END,
};
const struct rec_type network_subnet_rec = {"subnet", 0, sizeof(struct network_subnet), subnet_fields};

static const struct rec_field route_fields[] = {
    REC_FIELD(struct network_route, STR, destination, "destination"),
    REC_FIELD(struct network_route, STR, gateway, "gateway"),
    REC_FIELD(struct network_route, INT, metric, "metric"),
    REC_END,
};
const struct rec_type network_route_rec = {"route", 0, sizeof(struct network_route), route_fields};

static const struct rec_field network_fields[] = {
    REC_FIELD(struct network, STR, id, "id"),
    REC_FIELD(struct network, STR, name, "name"),
    REC_FIELD(struct network, STR, interface, "interface"),
    REC_FIELD(struct network, MAP, labels, "labels"),
    REC_FIELD(struct network, MAP, options, "options"),
    REC_FIELD(struct network, STRV, dns, "dns"),
    REC_NESTED(struct network, LIST, subnets, "subnets", &network_subnet_rec),
    REC_NESTED(struct network, LIST, routes, "routes", &network_route_rec),
    REC_FIELD(struct network, BOOL, internal, "internal"),
    REC_FIELD(struct network, BOOL, ipv6, "ipv6"),
    REC_FIELD(struct network, BOOL, no_dns, "no_dns"),
    REC_FIELD(struct network, TIME, created, "created"),
    REC_END,
};
const struct rec_type network_rec = {"network", 1, sizeof(struct network), network_fields};

static const struct rec_field lease_fields[] = {
    REC_FIELD(struct net_lease, STR, id, "id"),
    REC_FIELD(struct net_lease, STR, name, "name"),
    REC_FIELD(struct net_lease, STRV, aliases, "aliases"),
    REC_FIELD(struct net_lease, STR, ip, "ip"),
    REC_FIELD(struct net_lease, STR, ip6, "ip6"),
    REC_FIELD(struct net_lease, STR, mac, "mac"),
    REC_FIELD(struct net_lease, STR, port, "port"),
    REC_FIELD(struct net_lease, STR, dns, "dns"),
    REC_END,
};
const struct rec_type net_lease_rec = {"lease", 0, sizeof(struct net_lease), lease_fields};

static const struct rec_field leases_fields[] = {
    REC_NESTED(struct net_leases, LIST, list, "leases", &net_lease_rec),
    REC_END,
};
const struct rec_type net_leases_rec = {"leases", 1, sizeof(struct net_leases), leases_fields};

void network_done(struct network *n)
{
    rec_done(&network_rec, n);
}

int network_lock(const struct store *s, int *ret_fd)
{
    return lock_file(s->fd, "networks/.lock", true, true, ret_fd);
}

void network_unlock(int fd)
{
    if (fd >= 0)
        flock(fd, LOCK_UN);
    fd_close(fd);
}

/* ---- reading ---- */

static char *record_path(const char *name)
{
    return xasprintf("networks/%s.json", name);
}

int network_load(const struct store *s, const char *name, struct network *ret)
{
    auto_free char *path = record_path(name);
    int r = rec_load(&network_rec, s->fd, path, ret);
    if (r == 0 && (str_empty(ret->name) || !str_eq(ret->name, name) || str_empty(ret->interface) || !ret->subnets.n)) {
        network_done(ret);
        r = err_set(-EBADMSG, "%s: its name, interface or subnet is missing or wrong", path);
    }
    return r;
}

int network_list(const struct store *s, char ***ret_names)
{
    auto_strv char **files = NULL, **names = NULL;
    int r = dir_names(s->fd, "networks", &files);
    strv_foreach (file, files)
        if (str_ends(file, ".json"))
            strv_addf(&names, "%.*s", (int)strlen(file) - (int)strlen(".json"), file);
    if (r == 0)
        *ret_names = take_ptr(&names);
    return r;
}

static int find_by_prefix(const struct store *s, const char *prefix, char **ret_name)
{
    auto_strv char **names = NULL, **found = NULL;
    int r = id_prefix_like(prefix) ? network_list(s, &names) : 0;
    strv_foreach (name, names) {
        struct network n = {0};
        if (network_load(s, name, &n) == 0 && n.id && str_after(n.id, prefix))
            strv_add(&found, name);
        network_done(&n);
    }
    if (strv_len(found) > 1) {
        auto_free char *list = strv_join(found, ", ");
        return err_set(-EINVAL, "\"%s\" is the start of the ids of more than one network: %s", prefix, list);
    }
    if (r == 0 && found)
        *ret_name = xstrdup(found[0]);
    return r < 0 || found ? r : -ENOENT;
}

int network_find(const struct store *s, const char *typed, char **ret_name)
{
    const char *name = str_eq(typed, "podman") ? NETWORK_DEFAULT : typed;
    bool plain = *name && *name != '.' && !strchr(name, '/');
    auto_free char *file = xasprintf("%s.json", name);
    if (plain && store_has(s, "networks", file)) {
        *ret_name = xstrdup(name);
        return 0;
    }
    int r = find_by_prefix(s, name, ret_name);
    if (r == -ENOENT) {
        auto_free char *shown = str_printable(typed);
        return err_set(r, "no such network: %s", shown);
    }
    return r;
}

const char *network_option(const struct network *n, const char *key)
{
    return strv_env_get(n->options, key);
}

/* ---- users ---- */

static int for_each_use(const struct store *s, void (*use)(const struct ctr *c, const struct ctr_net *n, void *ctx),
                        void *ctx)
{
    auto_strv char **ids = NULL;
    int r = ctr_list(s, &ids);
    strv_foreach (id, ids) {
        struct ctr c = {0};
        r = ctr_load(s, id, &c);
        if (r < 0 && r != -ENOENT)
            return err_wrap(r, "cannot tell which networks are in use");
        const struct ctr_net *nets = c.networks.items;
        for (size_t i = 0; r == 0 && i < c.networks.n; i++)
            if (nets[i].name)
                use(&c, &nets[i], ctx);
        ctr_done(&c);
    }
    return r == -ENOENT ? 0 : r;
}

struct user_search {
    const char *name;
    char **found;
};

static void add_user(const struct ctr *c, const struct ctr_net *n, void *ctx)
{
    struct user_search *u = ctx;
    if (str_eq(n->name, u->name))
        strv_add(&u->found, c->name);
}

int network_users(const struct store *s, const char *name, char ***ret_names)
{
    struct user_search u = {.name = name};
    int r = for_each_use(s, add_user, &u);
    if (r < 0)
        strv_free(u.found);
    else
        *ret_names = u.found;
    return r;
}

static void add_used(const struct ctr *c, const struct ctr_net *n, void *ctx)
{
    strv_add(ctx, n->name);
}

int networks_used(const struct store *s, char ***ret_names)
{
    char **used = NULL;
    int r = for_each_use(s, add_used, &used);
    if (r < 0)
        strv_free(used);
    else
        *ret_names = used;
    return r;
}

/* ---- making and removing ---- */

int network_create(const struct store *s, const struct network *n)
{
    auto_free char *path = record_path(n->name), *file = xasprintf("%s.json", n->name);
    int r = name_check("network", n->name);
    if (r == 0 && store_has(s, "networks", file))
        return -EEXIST;
    if (r == 0)
        r = rec_save(&network_rec, s->fd, path, n, true);
    if (r == 0)
        event_object(s, "network", "create", n->id, n->name);
    return r;
}

static char *leases_path(const char *network)
{
    return xasprintf("networks/%s.leases", network);
}

static int remove_locked(const struct store *s, const char *name)
{
    struct network n = {0};
    auto_strv char **users = NULL;
    auto_free char *path = record_path(name), *leases = leases_path(name);
    int r = network_load(s, name, &n);
    if (r == -EBADMSG) /* what cannot be read can be removed */
        r = 0;
    if (r == 0)
        r = network_users(s, name, &users);
    if (r == 0 && users) {
        auto_free char *list = strv_join(users, ", ");
        r = err_set(-EBUSY, "network %s is in use by %s: remove the container%s first", name, list,
                    strv_len(users) > 1 ? "s" : "");
    }
    if (r == 0 && unlinkat(s->fd, path, 0) < 0)
        r = err_sys("cannot remove %s/%s", s->path, path);
    if (r == 0)
        unlinkat(s->fd, leases, 0);
    if (r == 0)
        event_object(s, "network", "remove", n.id ? n.id : "", name);
    network_done(&n);
    return r;
}

int network_remove(const struct store *s, const char *name)
{
    int lock = -1, r = network_lock(s, &lock);
    if (r == 0)
        r = remove_locked(s, name);
    network_unlock(lock);
    return r;
}

/* ---- leases ---- */

void net_leases_done(struct net_leases *l)
{
    rec_done(&net_leases_rec, l);
}

int net_leases_load(const struct store *s, const char *network, struct net_leases *ret)
{
    auto_free char *path = leases_path(network);
    int r = rec_load(&net_leases_rec, s->fd, path, ret);
    if (r == -ENOENT || r == -EBADMSG) { /* a damaged one is as good as none: the next start writes it anew */
        err_clear();
        *ret = (struct net_leases){0};
        return 0;
    }
    return r;
}

int net_leases_save(const struct store *s, const char *network, const struct net_leases *l)
{
    auto_free char *path = leases_path(network);
    return rec_save(&net_leases_rec, s->fd, path, l, false);
}

bool net_lease_counts(const struct store *s, const struct net_lease *l, const char *own)
{
    if (!l->id || !str_is_hex(l->id, ID_LEN))
        return false;
    if (own && str_eq(l->id, own))
        return true;
    auto_free char *path = xasprintf("containers/%s/alive", l->id);
    auto_close int fd = openat(s->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && record_lock_holder(fd) != 0;
}

/* The same file by another name: locks are of files. */
int net_lease_mark(const struct store *s, const char *id)
{
    auto_free char *from = xasprintf("containers/%s/alive", id), *to = xasprintf("networks/" NETWORK_ALIVE "/%s", id);
    int r = dir_make(s->fd, "networks/" NETWORK_ALIVE, 0700);
    if (r == 0 && linkat(s->fd, from, s->fd, to, 0) < 0 && errno != EEXIST)
        r = err_sys("cannot link %s/%s", s->path, to);
    return r;
}

void net_lease_unmark(const struct store *s, const char *id)
{
    auto_free char *path = xasprintf("networks/" NETWORK_ALIVE "/%s", id);
    if (str_is_hex(id, ID_LEN))
        unlinkat(s->fd, path, 0);
}

static void rename_in(const struct store *s, const char *network, const char *id, const char *name)
{
    struct net_leases l = {0};
    bool changed = false;
    if (net_leases_load(s, network, &l) < 0)
        return;
    struct net_lease *list = l.list.items;
    for (size_t i = 0; i < l.list.n; i++)
        if (list[i].id && str_eq(list[i].id, id)) {
            free(list[i].name);
            list[i].name = xstrdup(name);
            changed = true;
        }
    if (changed)
        net_leases_save(s, network, &l);
    net_leases_done(&l);
}

void net_leases_rename(const struct store *s, const char *id, const char *name)
{
    auto_strv char **networks = NULL;
    int lock = -1;
    if (network_list(s, &networks) < 0 || !networks || network_lock(s, &lock) < 0)
        return;
    strv_foreach (network, networks)
        rename_in(s, network, id, name);
    network_unlock(lock);
}
