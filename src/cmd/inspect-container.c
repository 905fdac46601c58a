/* A container as docker's JSON, with what is observed at this moment. */
#include "inspect.h"

#include "whelk/caps.h"
#include "whelk/ctr.h"
#include "whelk/err.h"
#include "whelk/platform.h"
#include "whelk/str.h"
#include "whelk/units.h"
#include "whelk/volume.h"

static json_t *time_json(int64_t ns)
{
    char text[40];
    return json_string(time_format(ns, text));
}

static json_t *str_json(const char *s)
{
    return json_from_str(s ? s : "");
}

static json_t *strv_json(char *const *v)
{
    return v ? json_from_strv(v) : json_null();
}

/* {"KEY": "VALUE"} of a KEY=VALUE vector. */
static json_t *map_json(char *const *v)
{
    json_t *o = json_object();
    strv_foreach (pair, v) {
        auto_free char *key = xstrndup(pair, strcspn(pair, "="));
        const char *eq = strchr(pair, '=');
        json_object_set_new(o, key, str_json(eq ? eq + 1 : ""));
    }
    return o;
}

static json_t *set_json(char *const *v)
{
    json_t *o = json_object();
    strv_foreach (key, v)
        json_object_set_new(o, key, json_object());
    return o;
}

static json_t *caps_json(uint64_t caps)
{
    json_t *a = json_array();
    for (unsigned i = 0; i < 64; i++)
        if ((caps >> i & 1) && cap_name(i))
            json_array_append_new(a, json_string(cap_name(i)));
    return a;
}

static json_t *state_json(const struct store *s, const struct ctr *c, const struct ctr_state *st)
{
    struct ctr_live live = {0};
    bool running = ctr_is_up(st);
    int64_t pid = running && ctr_live_load(s, c->id, &live) == 0 ? live.pid : 0;
    ctr_live_done(&live);
    return json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:I, s:I, s:i, s:o, s:o, s:o}", "Status", ctr_status_name(st->status), "Running",
                     running, "Paused", false, "Restarting", st->status == CTR_RESTARTING, "OOMKilled", st->oom, "Dead", false, "Pid", (json_int_t)pid, "SupervisorPid",
                     (json_int_t)(running ? st->supervisor : 0), "ExitCode", st->exit_code, "Error", str_json(st->error), "StartedAt",
                     time_json(st->started), "FinishedAt", time_json(running ? 0 : st->finished));
}

static const char *propagation(const struct ctr_mount *m)
{
    static const char *const known[] = {"private", "shared", "rshared", "slave", "rslave"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strv_has(m->options, known[i]))
            return known[i];
    return "rprivate";
}

static json_t *mount_json(const struct store *s, const struct ctr_mount *m)
{
    auto_free char *mode = strv_join(m->options, ",");
    bool volume = str_eq(m->type, "volume"), ro = strv_has(m->options, "ro") || str_eq(m->type, "image");
    auto_free char *data = volume ? volume_data(m->source) : NULL;
    auto_free char *path = volume ? xasprintf("%s/%s", s->path, data) : xstrdup(m->source);
    json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:b, s:s}", "Type", str_json(m->type), "Source", str_json(path), "Destination",
                          str_json(m->target), "Mode", str_json(mode), "RW", !ro, "Propagation", propagation(m));
    if (volume) {
        json_object_set_new(o, "Name", str_json(m->source));
        json_object_set_new(o, "Driver", json_string("local"));
    }
    if (m->subpath)
        json_object_set_new(o, "SubPath", str_json(m->subpath));
    return o;
}

static json_t *mounts_json(const struct store *s, const struct ctr *c)
{
    json_t *a = json_array();
    const struct ctr_mount *m = c->mounts.items;
    for (size_t i = 0; i < c->mounts.n; i++)
        json_array_append_new(a, mount_json(s, &m[i]));
    return a;
}

static json_t *config_json(const struct ctr *c)
{
    auto_strv char **cmd = strv_copy(c->args + c->n_entrypoint), **entrypoint = NULL;
    for (int64_t i = 0; i < c->n_entrypoint; i++)
        strv_add(&entrypoint, c->args[i]);
    return json_pack("{s:o, s:s, s:o, s:b, s:b, s:b, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "Hostname",
                     str_json(c->hostname), "Domainname", "", "User", str_json(c->user), "AttachStdin", c->open_stdin, "AttachStdout", true,
                     "AttachStderr", true, "ExposedPorts", set_json(c->exposed_ports), "Tty", c->tty, "OpenStdin", c->open_stdin, "Env",
                     strv_json(c->env), "Cmd", strv_json(cmd), "Image", str_json(c->image_ref), "WorkingDir", str_json(c->cwd), "Entrypoint",
                     strv_json(entrypoint), "Labels", map_json(c->labels), "StopSignal", str_json(c->stop_signal), "StopTimeout",
                     (json_int_t)c->stop_timeout);
}

static json_t *host_config_json(const struct ctr *c)
{
    uint64_t have = (uint64_t)c->cap_bounding, usual = caps_default();
    json_t *binds = json_array();
    const struct ctr_mount *m = c->mounts.items;
    for (size_t i = 0; i < c->mounts.n; i++) {
        if (!str_eq(m[i].type, "bind") && (!str_eq(m[i].type, "volume") || m[i].anonymous))
            continue;
        auto_free char *mode = strv_join(m[i].options, ",");
        auto_free char *bind = xasprintf("%s:%s%s%s", m[i].source, m[i].target, *mode ? ":" : "", mode);
        json_array_append_new(binds, str_json(bind));
    }
    return json_pack("{s:o, s:o, s:o, s:b, s:o, s:o, s:b, s:b, s:b, s:s}", "Binds", binds, "ContainerIDFile", str_json(c->cid_file),
                     "NetworkMode", str_json(c->network), "AutoRemove", c->auto_remove, "CapAdd", caps_json(have & ~usual), "CapDrop",
                     caps_json(usual & ~have), "Privileged", c->privileged, "ReadonlyRootfs", c->read_only, "Init", c->init, "IpcMode",
                     "private");
}

static json_t *file_json(const struct store *s, const char *id, const char *file)
{
    auto_free char *path = xasprintf("%s/containers/%s/%s", s->path, id, file);
    return str_json(path);
}

static void add_paths(const struct store *s, const struct ctr *c, json_t *o)
{
    static const char *const files[][2] = {
        {"ResolvConfPath", "resolv.conf"}, {"HostnamePath", "hostname"}, {"HostsPath", "hosts"}, {"LogPath", "log"}};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        json_object_set_new(o, files[i][0], file_json(s, c->id, files[i][1]));
}

static json_t *object(const struct store *s, const struct ctr *c, const struct ctr_state *st)
{
    auto_free char *name = xasprintf("/%s", c->name);
    auto_free char *image = xasprintf("sha256:%s", c->image ? c->image : "");
    json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "Id", str_json(c->id), "Created", time_json(c->created), "Path",
                          str_json(c->args[0]), "Args", json_from_strv(c->args + 1), "State", state_json(s, c, st), "Image", str_json(image),
                          "ImageName", str_json(c->image_ref), "Name", str_json(name));
    add_paths(s, c, o);
    json_object_set_new(o, "Driver", json_string("overlay"));
    json_object_set_new(o, "Platform", json_string(platform_os()));
    json_object_set_new(o, "RestartCount", json_integer(0));
    json_object_set_new(o, "GraphDriver", json_pack("{s:s, s:{s:o}}", "Name", "overlay", "Data", "UpperDir", file_json(s, c->id, "upper")));
    json_object_set_new(o, "Mounts", mounts_json(s, c));
    json_object_set_new(o, "Config", config_json(c));
    json_object_set_new(o, "HostConfig", host_config_json(c));
    return o;
}

int inspect_container(const struct store *s, const char *id, json_t **ret)
{
    struct ctr c = {0};
    struct ctr_state st;
    int r = ctr_load(s, id, &c);
    if (r == 0)
        r = ctr_state(s, id, &st);
    if (r == 0)
        *ret = object(s, &c, &st);
    ctr_done(&c);
    return r;
}
