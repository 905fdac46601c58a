/* What podman's inspect shows of a container besides docker's (CV-F10). */
#include "inspect.h"

#include "whelk/caps.h"
#include "whelk/run.h"
#include "whelk/str.h"

static json_t *caps_json(uint64_t caps)
{
    json_t *a = json_array();
    for (unsigned i = 0; i < 64; i++)
        if ((caps >> i & 1) && cap_name(i))
            json_array_append_new(a, json_string(cap_name(i)));
    return a;
}

static json_t *secrets_json(const struct ctr *c)
{
    const struct ctr_secret *x = c->secrets.items;
    json_t *a = json_array();
    for (size_t i = 0; i < c->secrets.n; i++)
        json_array_append_new(a, json_pack("{s:o, s:I, s:I, s:I}", "Name", json_from_str(x[i].name), "UID",
                                           (json_int_t)x[i].uid, "GID", (json_int_t)x[i].gid, "Mode",
                                           (json_int_t)x[i].mode));
    return a;
}

/* Names that point to nothing here: whelk has no such files. */
static void add_empty(json_t *o)
{
    static const char *const texts[] = {"OCIConfigPath", "Pod"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!json_object_get(o, texts[i]))
            json_object_set_new(o, texts[i], json_string(""));
}

static void add_paths(const struct ctr *c, json_t *host)
{
    auto_strv char **masked = NULL, **readonly = NULL;
    run_hidden_paths(c, &masked, &readonly);
    json_object_set_new(host, "MaskedPaths", json_from_strv(masked));
    json_object_set_new(host, "ReadonlyPaths", json_from_strv(readonly));
}

static void add_state(const struct ctr_live *live, json_t *state)
{
    const char *group = live->cgroup ? strchr(live->cgroup[0], ':') : NULL;
    json_object_set_new(state, "OciVersion", json_string("1.2.0"));
    json_object_set(state, "ConmonPid", json_object_get(state, "SupervisorPid"));
    json_object_set_new(state, "CgroupPath", json_from_str(group ? group + 1 : ""));
    json_object_set_new(state, "Checkpointed", json_false());
}

void inspect_add_podman(const struct ctr *c, const struct ctr_live *live, json_t *o)
{
    bool root = str_empty(c->user) || str_eq(c->user, "0") || str_eq(c->user, "root");
    json_object_set_new(o, "EffectiveCaps", caps_json((uint64_t)(root ? c->cap_effective : c->cap_ambient)));
    json_object_set_new(o, "BoundingCaps", caps_json((uint64_t)(root ? c->cap_bounding : c->cap_ambient)));
    json_object_set_new(o, "Dependencies", json_from_strv(c->requires));
    json_object_set_new(o, "ConmonPidFile", json_from_str(c->conmon_pid_file ? c->conmon_pid_file : ""));
    json_object_set_new(o, "PidFile", json_from_str(c->pid_file ? c->pid_file : ""));
    json_object_set_new(o, "IsInfra", json_false());
    json_object_set_new(o, "IsService", json_false());
    json_object_set_new(o, "Namespace", json_string(""));
    json_object_set_new(o, "OCIRuntime", json_string("whelk"));
    json_object_set_new(o, "lockNumber", json_integer(0));
    add_empty(o);
    json_object_set_new(o, "Rootfs", json_string(c->rootfs ? c->rootfs : ""));
    add_paths(c, json_object_get(o, "HostConfig"));
    add_state(live, json_object_get(o, "State"));
    json_object_set_new(json_object_get(o, "Config"), "Secrets", secrets_json(c));
}
