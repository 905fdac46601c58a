/* A container as docker's JSON, with what is observed at this moment. */
#include "containers.h"
#include "inspect.h"

#include "whelk/ctr.h"
#include "whelk/err.h"
#include "whelk/image.h"
#include "whelk/layer.h"
#include "whelk/platform.h"
#include "whelk/run.h"
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

static json_t *set_json(char *const *v)
{
    json_t *o = json_object();
    strv_foreach (key, v)
        json_object_set_new(o, key, json_object());
    return o;
}

static json_t *results_json(const struct ctr_health *h)
{
    const struct health_result *result = h->log.items;
    json_t *a = json_array();
    for (size_t i = 0; i < h->log.n; i++)
        json_array_append_new(a, json_pack("{s:o, s:o, s:I, s:o}", "Start", time_json(result[i].started), "End",
                                           time_json(result[i].finished), "ExitCode", (json_int_t)result[i].exit_code,
                                           "Output", str_json(result[i].output)));
    return a;
}

/* What the checks found; NULL if it is not checked. */
static json_t *health_json(const struct store *s, const struct ctr *c)
{
    struct ctr_health h = {0};
    if (!c->health_cmd)
        return NULL;
    int r = ctr_health_load(s, c->id, &h);
    json_t *o = json_pack("{s:s, s:I, s:o}", "Status", r == 0 && h.status ? h.status : "starting", "FailingStreak",
                          (json_int_t)h.failing_streak, "Log", results_json(&h));
    rec_done(&ctr_health_rec, &h);
    return o;
}

static json_t *state_json(const struct store *s, const struct ctr *c, const struct ctr_state *st,
                          const struct ctr_live *live)
{
    bool running = ctr_is_up(st), paused = st->status == CTR_RUNNING && run_is_paused(s, c->id);
    json_t *o =
        json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:I, s:I, s:i, s:o, s:o, s:o}", "Status",
                  paused ? "paused" : ctr_status_name(st->status), "Running", running, "Paused", paused, "Restarting",
                  st->status == CTR_RESTARTING, "OOMKilled", st->oom, "TimedOut", st->timed_out, "StoppedByUser",
                  st->stopped, "Dead", false, "Pid", (json_int_t)(running ? live->pid : 0), "SupervisorPid",
                  (json_int_t)(running ? st->supervisor : 0), "ExitCode", st->exit_code, "Error", str_json(st->error),
                  "StartedAt", time_json(st->started), "FinishedAt", time_json(running ? 0 : st->finished));
    json_t *health = health_json(s, c);
    if (health)
        json_object_set_new(o, "Health", health);
    return o;
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
    json_t *o =
        json_pack("{s:o, s:o, s:o, s:o, s:b, s:s}", "Type", str_json(m->type), "Source", str_json(path), "Destination",
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

static json_t *check_json(const struct ctr *c)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "Test", json_from_strv(c->health_cmd), "Interval",
                     (json_int_t)c->health_interval, "Timeout", (json_int_t)c->health_timeout, "StartPeriod",
                     (json_int_t)c->health_start_period, "StartInterval", (json_int_t)c->health_start_interval,
                     "Retries", (json_int_t)c->health_retries);
}

/* podman's, beside docker's Healthcheck. */
static void add_check_json(const struct ctr *c, json_t *o)
{
    json_object_set_new(o, "Healthcheck", check_json(c));
    json_object_set_new(o, "HealthcheckOnFailureAction", str_json(c->health_on_failure));
    bool events = c->health_log && str_eq(c->health_log, "events");
    json_object_set_new(o, "HealthLogDestination",
                        str_json(events          ? "events_logger"
                                 : c->health_log ? c->health_log
                                                 : "local"));
    json_object_set_new(o, "HealthMaxLogCount", json_integer(c->health_log_count ? c->health_log_count : 5));
    json_object_set_new(o, "HealthMaxLogSize", json_integer(c->health_log_size ? c->health_log_size : 4096));
    if (c->health_startup_cmd)
        json_object_set_new(o, "StartupHealthCheck",
                            json_pack("{s:o, s:I, s:I, s:I, s:I}", "Test", json_from_strv(c->health_startup_cmd),
                                      "Interval", (json_int_t)c->health_startup_interval, "Timeout",
                                      (json_int_t)c->health_startup_timeout, "Retries",
                                      (json_int_t)c->health_startup_retries, "Successes",
                                      (json_int_t)c->health_startup_success));
}

static json_t *config_json(const struct ctr *c)
{
    auto_strv char **cmd = strv_copy(c->args + c->n_entrypoint), **entrypoint = NULL;
    for (int64_t i = 0; i < c->n_entrypoint; i++)
        strv_add(&entrypoint, c->args[i]);
    json_t *o = json_pack("{s:o, s:s, s:o, s:b, s:b, s:b, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}",
                          "Hostname", str_json(c->hostname), "Domainname", "", "User", str_json(c->user), "AttachStdin",
                          c->open_stdin, "AttachStdout", true, "AttachStderr", true, "ExposedPorts",
                          set_json(c->exposed_ports), "Tty", c->tty, "OpenStdin", c->open_stdin, "Env",
                          strv_json(c->env), "Cmd", strv_json(cmd), "Image", str_json(c->image_ref), "WorkingDir",
                          str_json(c->cwd), "Entrypoint", strv_json(entrypoint), "Labels", json_from_map(c->labels),
                          "StopSignal", str_json(c->stop_signal), "StopTimeout", (json_int_t)c->stop_timeout);
    json_object_set_new(o, "StdinOnce", json_false());
    json_object_set_new(o, "Domainname", str_json(c->domainname));
    json_object_set_new(o, "Umask", str_json(c->umask ? c->umask : "0022"));
    if (c->annotations)
        json_object_set_new(o, "Annotations", json_from_map(c->annotations));
    json_object_set_new(o, "Volumes", json_null());
    json_object_set_new(o, "CreateCommand", strv_json(c->create_command));
    json_object_set_new(o, "SystemdMode", json_boolean(c->systemd));
    json_object_set_new(o, "Timeout", json_integer(c->timeout));
    json_object_set_new(o, "Passwd", json_boolean(!c->no_passwd));
    json_object_set_new(o, "sdNotifyMode", str_json(c->sdnotify ? c->sdnotify : "conmon"));
    if (c->health_cmd)
        add_check_json(c, o);
    return o;
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

static void add_labels(json_t *o)
{
    static const char *const labels[] = {"AppArmorProfile", "MountLabel", "ProcessLabel"};
    for (size_t i = 0; i < ARRAY_LEN(labels); i++)
        json_object_set_new(o, labels[i], str_json(""));
}

/* Where the files are, top first. */
static json_t *graph_json(const struct store *s, const struct ctr *c)
{
    auto_strv char **layers = NULL, **paths = NULL;
    if (ctr_lowers(s, c, &layers) < 0)
        err_clear(); /* they are damaged; the rest can be told */
    strv_foreach (layer, layers)
        strv_addf(&paths, "%s%s%s", *layer == '/' ? "" : s->path, *layer == '/' ? "" : "/", layer);
    auto_free char *lower = strv_join(paths, ":");
    return json_pack("{s:s, s:{s:o, s:o, s:o}}", "Name", "overlay", "Data", "LowerDir", str_json(lower), "UpperDir",
                     file_json(s, c->id, "upper"), "WorkDir", file_json(s, c->id, "work"));
}

/* The digest that its image came by, as long as the name that was typed still means that image. */
static json_t *image_digest_json(const struct store *s, const struct ctr *c)
{
    struct image_name n = {0};
    bool known = c->image && c->image_ref && name_get_all(s, c->image_ref, &n) == 0 && str_eq(n.image, c->image);
    json_t *digest = str_json(known ? n.manifest : NULL);
    image_name_done(&n);
    err_clear();
    return digest;
}

static json_t *object(const struct store *s, const struct ctr *c, const struct ctr_state *st,
                      const struct ctr_live *live)
{
    auto_free char *name = xasprintf("/%s", c->name);
    auto_free char *image = c->image ? xasprintf("sha256:%s", c->image) : xstrdup("");
    json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "Id", str_json(c->id), "Created",
                          time_json(c->created), "Path", str_json(c->args[0]), "Args", json_from_strv(c->args + 1),
                          "State", state_json(s, c, st, live), "Image", str_json(image), "ImageName",
                          str_json(c->image_ref), "Name", str_json(name));
    add_paths(s, c, o);
    add_labels(o);
    json_object_set_new(o, "ImageDigest", image_digest_json(s, c));
    json_object_set_new(o, "Driver", json_string("overlay"));
    json_object_set_new(o, "Platform", json_string(platform_os()));
    json_object_set_new(o, "RestartCount", json_integer(live->restarts));
    json_object_set_new(o, "ExecIDs", json_null());
    json_object_set_new(o, "GraphDriver", graph_json(s, c));
    json_object_set_new(o, "Mounts", mounts_json(s, c));
    json_object_set_new(o, "Config", config_json(c));
    json_object_set_new(o, "HostConfig", inspect_host_config(c));
    json_object_set_new(o, "NetworkSettings", inspect_network(c, live));
    return o;
}

static void add_sizes(const struct store *s, const struct ctr *c, json_t *o)
{
    uint64_t wrote, all;
    ctr_sizes(s, c, &wrote, &all);
    json_object_set_new(o, "SizeRw", json_integer((json_int_t)wrote));
    json_object_set_new(o, "SizeRootFs", json_integer((json_int_t)all));
}

/* Of one that is not up, only how often it was started again is still true. */
static void load_live(const struct store *s, const char *id, bool up, struct ctr_live *ret)
{
    struct ctr_live live = {0};
    if (ctr_live_load(s, id, &live) < 0) {
        err_clear(); /* it was never started, or starts or ends at this moment */
        return;
    }
    if (up) {
        *ret = live;
        return;
    }
    ret->restarts = live.restarts;
    ctr_live_done(&live);
}

int inspect_container(const struct store *s, const char *id, bool size, json_t **ret)
{
    struct ctr c = {0};
    struct ctr_state st;
    struct ctr_live live = {0};
    int r = ctr_load(s, id, &c);
    if (r == 0)
        r = ctr_state(s, id, &st);
    if (r == 0)
        load_live(s, id, ctr_is_up(&st), &live);
    if (r == 0)
        *ret = object(s, &c, &st, &live);
    if (r == 0)
        inspect_add_podman(&c, &live, *ret);
    if (r == 0 && size)
        add_sizes(s, &c, *ret);
    ctr_live_done(&live);
    ctr_done(&c);
    return r;
}
