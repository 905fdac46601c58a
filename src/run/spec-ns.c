/* Namespaces and the id map of a new container. */
#include "ns.h"
#include "spec.h"

#include "whelk/err.h"

#include <sched.h>

/* ---- those of other containers ---- */

/* The container whose user namespace comes with the first of the other namespaces; NULL: none is shared. */
static const char *shared_with(const struct ctr *c)
{
    static const uint64_t types[] = {CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (ns_container(ns_mode(c, types[i])))
            return ns_container(ns_mode(c, types[i]));
    return NULL;
}

static bool has_root(const struct store *s, const struct ctr *c)
{
    struct idmap map;
    return ctr_idmap(s, c, &map) < 0 || (idmap_has_uid(&map, 0) && idmap_has_gid(&map, 0));
}

/* Its user namespace is used too, with its map; root's containers without one have none to share. */
static int use_userns(const struct store *s, const struct run_options *o, const char *id, struct ctr *c)
{
    struct ctr other = {0};
    int r = ctr_load(s, id, &other);
    if (r < 0)
        return r == -ENOENT ? err_set(r, "container %.12s was removed", id) : r;
    if (other.idmap || !idmap_none(&s->map))
        c->userns = xasprintf("container:%s", id);
    c->idmap = json_incref(other.idmap);
    if (!o->user && other.idmap && str_empty(c->user) && !has_root(s, &other)) {
        free(c->user);
        c->user = xstrdup(other.user);
    }
    ctr_done(&other);
    return 0;
}

/* ---- the whole ---- */

static int make_modes(const struct store *s, const struct run_options *o, struct ctr *c)
{
    const struct {
        uint64_t type;
        const char *word, *modes;
        char **ret;
    } table[] = {
        {CLONE_NEWPID, o->pid, "private host container ns", &c->pid},
        {CLONE_NEWIPC, o->ipc, "private shareable none host container ns", &c->ipc},
        {CLONE_NEWUTS, o->uts, "private host container ns", &c->uts},
        {CLONE_NEWCGROUP, o->cgroupns, "private host", &c->cgroupns},
    };
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(table) && r == 0; i++)
        r = spec_ns(s, table[i].type, table[i].word, table[i].modes, table[i].ret);
    return r;
}

int spec_make_namespaces(const struct store *s, const struct run_options *o, struct ctr *c)
{
    auto_free char *named = NULL;
    int r = make_modes(s, o, c);
    if (r == 0 && o->userns && str_after(o->userns, "container:"))
        r = ctr_find(s, str_after(o->userns, "container:"), &named);
    if (r < 0)
        return r;
    const char *other = shared_with(c);
    bool asked = o->userns || o->uidmap || o->gidmap || o->subuidname || o->subgidname;
    if (other && asked && (!named || !str_eq(named, other)))
        return err_set(
            -EINVAL, "a container that uses the namespaces of another one has its user namespace; leave out --userns, "
                     "--uidmap and --gidmap");
    return other || named ? use_userns(s, o, other ? other : named, c) : spec_make_userns(s, o, c);
}
