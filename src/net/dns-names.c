/* What containers on a network are called: the network's leases, read when somebody asks.
 *
 * A lease counts while its container's lock is held, which is tested for each answer (the lock's file has a link beside
 * the networks). So who was killed is not found any more, and nothing has to be told to anybody. The file's time says
 * whether what was read before still holds; a time that is hardly older than the reading proves nothing, since file
 * systems count in ticks.
 *
 * Runs in: the resolver, with the directory of networks as its root and nothing else. */
#include "dns.h"

#include "whelk/err.h"
#include "whelk/lock.h"
#include "whelk/network.h"
#include "whelk/str.h"

#include <fcntl.h>
#include <strings.h>
#include <time.h>

enum { SHORT_ID = 12, TICK_NS = 20 * 1000 * 1000 };

struct known {
    const struct net_lease *lease;
    struct ip ip[2];
};

struct network_names {
    const char *name;
    struct timespec time; /* of its leases when they were read */
    ino_t ino;
    bool proves; /* the same time means the same leases */
    struct net_leases leases;
    struct known *list; /* as many */
};

struct dns_names {
    int root;
    struct network_names *networks;
    size_t n;
};

struct dns_names *dns_names_new(int root, char *const *networks)
{
    struct dns_names *n = xcalloc(1, sizeof(*n));
    n->root = root;
    n->n = strv_len(networks);
    n->networks = xcalloc(MAX(n->n, (size_t)1), sizeof(*n->networks));
    for (size_t i = 0; i < n->n; i++)
        n->networks[i].name = networks[i];
    return n;
}

static void forget(struct network_names *net)
{
    net_leases_done(&net->leases);
    free(net->list);
    net->list = NULL;
    net->proves = false;
}

void dns_names_free(struct dns_names *n)
{
    for (size_t i = 0; i < n->n; i++)
        forget(&n->networks[i]);
    free(n->networks);
    free(n);
}

/* ---- reading ---- */

static void set_address(const char *text, struct ip *ret)
{
    *ret = (struct ip){0};
    if (text && ip_parse_net(text, ret) < 0 && ip_parse(text, ret) < 0)
        *ret = (struct ip){0};
}

static bool is_old(const struct timespec *t)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (now.tv_sec - t->tv_sec) * 1000000000LL + now.tv_nsec - t->tv_nsec > TICK_NS;
}

static void read_leases(struct network_names *net, int root, const char *file, const struct stat *st)
{
    forget(net);
    net->time = st->st_mtim;
    net->ino = st->st_ino;
    net->proves = is_old(&st->st_mtim);
    if (rec_load(&net_leases_rec, root, file, &net->leases) < 0) {
        err_clear(); /* removed in this moment, or damaged: nobody is found */
        net->leases = (struct net_leases){0};
        net->proves = false;
    }
    const struct net_lease *leases = net->leases.list.items;
    net->list = xcalloc(MAX(net->leases.list.n, (size_t)1), sizeof(*net->list));
    for (size_t i = 0; i < net->leases.list.n; i++) {
        net->list[i].lease = &leases[i];
        set_address(leases[i].ip, &net->list[i].ip[0]);
        set_address(leases[i].ip6, &net->list[i].ip[1]);
    }
}

static void refresh(const struct dns_names *n, struct network_names *net)
{
    struct stat st;
    auto_free char *file = xasprintf("%s.leases", net->name);
    if (fstatat(n->root, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
        forget(net);
    else if (!net->proves || net->ino != st.st_ino || net->time.tv_sec != st.st_mtim.tv_sec ||
             net->time.tv_nsec != st.st_mtim.tv_nsec)
        read_leases(net, n->root, file, &st);
}

static bool lives(int root, const struct known *k)
{
    auto_free char *path = xasprintf(NETWORK_ALIVE "/%s", k->lease->id ? k->lease->id : "");
    auto_close int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    pid_t holder = fd < 0 ? 0 : record_lock_holder(fd);
    if (holder < -1)
        err_clear();
    return holder > 0 || holder == -1;
}

/* ---- asking ---- */

static bool is_called(const struct known *k, const char *name)
{
    const struct net_lease *l = k->lease;
    if (l->name && strcasecmp(l->name, name) == 0)
        return true;
    if (l->id && strlen(name) == SHORT_ID && strncmp(l->id, name, SHORT_ID) == 0)
        return true;
    strv_foreach (alias, l->aliases)
        if (strcasecmp(alias, name) == 0)
            return true;
    return false;
}

static void add_addresses(const struct known *k, sa_family_t family, struct ip ret[DNS_FOUND_MAX], size_t *ret_n)
{
    for (size_t i = 0; i < ARRAY_LEN(k->ip); i++)
        if (k->ip[i].family && (family == AF_UNSPEC || k->ip[i].family == family) && *ret_n < DNS_FOUND_MAX)
            ret[(*ret_n)++] = k->ip[i];
}

bool dns_names_find(struct dns_names *n, const char *name, sa_family_t family, struct ip ret[DNS_FOUND_MAX],
                    size_t *ret_n)
{
    bool known = false;
    *ret_n = 0;
    for (size_t i = 0; i < n->n; i++) {
        struct network_names *net = &n->networks[i];
        refresh(n, net);
        for (size_t j = 0; j < net->leases.list.n; j++) {
            const struct known *k = &net->list[j];
            if (!is_called(k, name) || !lives(n->root, k))
                continue;
            known = true;
            add_addresses(k, family, ret, ret_n);
        }
    }
    return known;
}

/* Each lease has its network's length with its address. */
static bool is_inside(const struct known *k, const struct ip *address)
{
    for (size_t i = 0; i < ARRAY_LEN(k->ip); i++)
        if (k->ip[i].family == address->family && ip_in_net(address, &k->ip[i]))
            return true;
    return false;
}

bool dns_names_of(struct dns_names *n, const struct ip *address, char ret[DNS_TEXT_MAX])
{
    bool inside = false;
    *ret = '\0';
    for (size_t i = 0; i < n->n && !*ret; i++) {
        struct network_names *net = &n->networks[i];
        refresh(n, net);
        for (size_t j = 0; j < net->leases.list.n; j++) {
            const struct known *k = &net->list[j];
            bool is_its = ip_equal(&k->ip[0], address) || ip_equal(&k->ip[1], address);
            inside = inside || is_inside(k, address);
            if (is_its && k->lease->name && lives(n->root, k))
                snprintf(ret, DNS_TEXT_MAX, "%s", k->lease->name);
        }
    }
    return inside;
}
