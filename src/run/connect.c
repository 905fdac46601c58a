/* Connecting containers with networks, and taking them off again (network connect, disconnect, reload).
 *
 * Of a container that does not run only the record changes. Of one that runs a worker joins the user namespace of the
 * user's networks (root needs none), plugs the device in or out, and writes both records; then the SUPERVISOR is told to
 * read them.
 *
 * Runs in: the invocation, and the worker. Lock: the container's directory. */
#include "launch.h"

#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/fd.h"
#include "whelk/network.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <sched.h>

struct change {
    const struct store *s;
    struct ctr *c;
    struct ctr_net spec;
    bool plug; /* in, or out */
    int dir;   /* the container's directory */
    struct net_space space;
    int init; /* pidfd of its first process */
};

static struct ctr_net *find_network(const struct ctr *c, const char *name)
{
    struct ctr_net *nets = c->networks.items;
    for (size_t i = 0; i < c->networks.n; i++)
        if (nets[i].name && str_eq(nets[i].name, name))
            return &nets[i];
    return NULL;
}

/* ---- the record ---- */

static void add_network(const struct change *x)
{
    struct ctr_net *to = rec_list_add(&ctr_net_rec, &x->c->networks);
    auto_json json_t *j = rec_to_json(&ctr_net_rec, &x->spec);
    (void)rec_from_json(&ctr_net_rec, j, to);
}

static void remove_network(const struct change *x)
{
    struct ctr_net *one = find_network(x->c, x->spec.name), *all = x->c->networks.items;
    size_t at = (size_t)(one - all);
    rec_done(&ctr_net_rec, one);
    memmove(one, one + 1, (--x->c->networks.n - at) * sizeof *one);
}

static int save_record(const struct change *x)
{
    const struct ctr_net *first = x->c->networks.items;
    if (x->plug)
        add_network(x);
    else
        remove_network(x);
    first = x->c->networks.items;
    free(x->c->network);
    x->c->network = xstrdup(first->name);
    return rec_save(&ctr_rec, x->dir, "container.json", x->c, false);
}

/* ---- of a running container ---- */

static int change_running(void *arg)
{
    struct change *x = arg;
    struct ctr_live live = {0};
    auto_free char *path = xasprintf("/proc/%d/ns/net", pidfd_pid(x->init));
    if (x->space.user >= 0 && setns(x->space.user, CLONE_NEWUSER) < 0)
        return err_sys("cannot join the user namespace of the networks");
    auto_close int netns = open(path, O_RDONLY | O_CLOEXEC);
    if (netns < 0 || pidfd_wait_end(x->init, 0) != 0)
        return err_sys("cannot open the network of container %s", x->c->name);
    int r = ctr_live_load(x->s, x->c->id, &live);
    struct plug p = {x->s, x->c, &x->spec, x->space.net, netns};
    if (r == 0)
        r = x->plug ? net_plug(&p, &live) : net_unplug(&p, &live);
    if (r == 0)
        r = rec_save(&ctr_live_rec, x->dir, "live.json", &live, false);
    ctr_live_done(&live);
    return r < 0 ? r : save_record(x);
}

static int change_up(struct change *x)
{
    struct worker w;
    int r = run_init_pidfd(x->s, x->c, &x->init);
    if (r == 0 && !idmap_none(&x->s->map) && net_space_find(x->s, &x->space) < 0)
        r = err_set(-ESRCH, "container %s: its networks are not there any more", x->c->name);
    if (r == 0)
        r = worker_start(change_running, x, &w);
    if (r == 0)
        r = worker_wait(&w);
    net_space_close(&x->space);
    fd_close(x->init);
    return r;
}

/* ---- both ---- */

static int check(const struct change *x)
{
    const struct ctr_net *first = x->c->networks.items;
    bool there = find_network(x->c, x->spec.name) != NULL;
    if (!x->c->networks.n || !net_is_named(first->name))
        return err_set(-EINVAL, "container %s has the network %s: only one that was made with a named network can be %s",
                       x->c->name, x->c->network ? x->c->network : "host",
                       x->plug ? "connected to others" : "disconnected");
    if (x->plug && there)
        return err_set(-EEXIST, "container %s is on the network %s already", x->c->name, x->spec.name);
    if (!x->plug && !there)
        return err_set(-ENOENT, "container %s is not on the network %s", x->c->name, x->spec.name);
    if (!x->plug && x->c->networks.n == 1)
        return err_set(-EBUSY, "container %s would have no network any more: connect it to another one first",
                       x->c->name);
    return 0;
}

static int check_spec(const struct change *x)
{
    struct ctr_net spec = x->spec;
    struct ctr one = {.networks = {.items = &spec, .n = 1}};
    return x->plug ? net_check(&one) : 0;
}

static int change_locked(struct change *x)
{
    struct ctr_state state;
    int r = check(x);
    if (r == 0)
        r = check_spec(x);
    if (r == 0)
        r = ctr_state(x->s, x->c->id, &state);
    if (r == 0 && state.status == CTR_RESTARTING)
        r = err_set(-EAGAIN, "container %s waits to be started again", x->c->name);
    return r < 0 ? r : ctr_is_up(&state) ? change_up(x) : save_record(x);
}

static void tell(const struct change *x)
{
    struct network n = {0};
    auto_strv char **facts = NULL;
    char type[] = "network", in[] = "connect", out[] = "disconnect";
    strv_addf(&facts, "container=%s", x->c->id);
    if (network_load(x->s, x->spec.name, &n) == 0)
        event_write(x->s, &(struct event){.type = type,
                                          .action = x->plug ? in : out,
                                          .id = n.id,
                                          .name = n.name,
                                          .attributes = facts});
    network_done(&n);
    err_clear();
}

static int change(const struct store *s, const char *id, const struct ctr_net *spec, bool plug)
{
    struct ctr c = {0};
    struct change x = {.s = s, .c = &c, .spec = *spec, .plug = plug, .dir = -1, .space = NET_SPACE_NONE, .init = -1};
    int r = ctr_lock(s, id, true, &x.dir);
    if (r == 0)
        r = ctr_load(s, id, &c);
    if (r == -ENOENT && err_is_clear())
        r = err_set(r, "no such container: %.12s", id);
    if (r == 0)
        r = change_locked(&x);
    if (r == 0) {
        run_reload(s, id);
        tell(&x);
    }
    ctr_unlock(s, id, x.dir);
    ctr_done(&c);
    return r;
}

int run_connect(const struct store *s, const char *id, const struct ctr_net *spec)
{
    return change(s, id, spec, true);
}

int run_disconnect(const struct store *s, const char *id, const char *network)
{
    auto_free char *name = xstrdup(network);
    struct ctr_net spec = {.name = name};
    return change(s, id, &spec, false);
}

/* ---- filters ---- */

static int reapply(void *arg)
{
    struct change *x = arg;
    if (x->space.user >= 0 && setns(x->space.user, CLONE_NEWUSER) < 0)
        return err_sys("cannot join the user namespace of the networks");
    return net_reapply(x->s, x->space.net);
}

int run_reload_networks(const struct store *s)
{
    struct change x = {.s = s, .space = NET_SPACE_NONE};
    struct worker w;
    if (!idmap_none(&s->map) && net_space_find(s, &x.space) < 0)
        return 0; /* nobody is on a network */
    int r = worker_start(reapply, &x, &w);
    if (r == 0)
        r = worker_wait(&w);
    net_space_close(&x.space);
    return r;
}
