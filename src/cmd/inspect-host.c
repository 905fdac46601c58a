/* HostConfig of a container in docker's JSON: what was asked for with options. */
#include "inspect.h"

#include "whelk/caps.h"
#include "whelk/run.h"
#include "whelk/str.h"

#include <sys/stat.h>

enum { SHM_USUAL = 64 << 20 };

static json_t *text(const char *s)
{
    return json_from_str(s ? s : "");
}

static json_t *number(int64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *caps_json(uint64_t caps)
{
    json_t *a = json_array();
    for (unsigned i = 0; i < 64; i++)
        if ((caps >> i & 1) && cap_name(i))
            json_array_append_new(a, json_string(cap_name(i)));
    return a;
}

static json_t *binds_json(const struct ctr *c)
{
    json_t *binds = json_array();
    const struct ctr_mount *m = c->mounts.items;
    for (size_t i = 0; i < c->mounts.n; i++) {
        if (!str_eq(m[i].type, "bind") && (!str_eq(m[i].type, "volume") || m[i].anonymous))
            continue;
        auto_free char *mode = strv_join(m[i].options, ",");
        auto_free char *bind = xasprintf("%s:%s%s%s", m[i].source, m[i].target, *mode ? ":" : "", mode);
        json_array_append_new(binds, text(bind));
    }
    return binds;
}

static json_t *tmpfs_json(const struct ctr *c)
{
    json_t *o = json_object();
    const struct ctr_mount *m = c->mounts.items;
    for (size_t i = 0; i < c->mounts.n; i++) {
        auto_free char *mode = strv_join(m[i].options, ",");
        if (str_eq(m[i].type, "tmpfs"))
            json_object_set_new(o, m[i].target, text(mode));
    }
    return o;
}

static int64_t limit_value(const char *s)
{
    int64_t n = -1; /* unlimited */
    auto_free char *word = xstrndup(s, strcspn(s, ":"));
    str_to_i64(word, &n);
    return n;
}

/* "nofile=1024:2048" */
static json_t *ulimits_json(const struct ctr *c)
{
    json_t *a = json_array();
    strv_foreach (limit, c->ulimits) {
        auto_free char *name = xstrndup(limit, strcspn(limit, "="));
        const char *soft = limit + strcspn(limit, "="), *hard;
        soft += *soft == '=';
        hard = strchr(soft, ':');
        json_array_append_new(a, json_pack("{s:o, s:o, s:o}", "Name", text(name), "Hard",
                                           number(limit_value(hard ? hard + 1 : soft)), "Soft",
                                           number(limit_value(soft))));
    }
    return a;
}

static json_t *log_json(const struct ctr *c)
{
    json_t *config = json_object();
    auto_free char *size = xasprintf("%lld", (long long)c->log_max_size),
                   *files = xasprintf("%lld", (long long)c->log_max_files);
    if (c->log_max_size)
        json_object_set_new(config, "max-size", text(size));
    if (c->log_max_files)
        json_object_set_new(config, "max-file", text(files));
    return json_pack("{s:s, s:o}", "Type", c->log_driver ? c->log_driver : "k8s-file", "Config", config);
}

static json_t *security_json(const struct ctr *c)
{
    json_t *a = json_array();
    auto_free char *seccomp = c->seccomp ? xasprintf("seccomp=%s", c->seccomp) : NULL;
    if (c->no_new_privs)
        json_array_append_new(a, text("no-new-privileges"));
    if (seccomp)
        json_array_append_new(a, text(seccomp));
    return a;
}

static void add_limits(const struct ctr *c, json_t *o)
{
    const struct limits *l = &c->limits;
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {
        {"Memory", l->memory},
        {"MemorySwap", l->memory_swap},
        {"MemoryReservation", l->memory_reservation},
        {"NanoCpus", l->nano_cpus},
        {"CpuShares", l->cpu_shares},
        {"CpuPeriod", l->cpu_period},
        {"CpuQuota", l->cpu_quota},
        {"BlkioWeight", l->blkio_weight},
        {"ShmSize", c->shm_size ? c->shm_size : SHM_USUAL},
        {"OomScoreAdj", c->oom_score_adj ? limit_value(c->oom_score_adj) : 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        json_object_set_new(o, numbers[i].key, number(numbers[i].value));
    json_object_set_new(o, "CpusetCpus", text(l->cpuset_cpus));
    json_object_set_new(o, "CpusetMems", text(l->cpuset_mems));
    json_object_set_new(o, "PidsLimit", l->pids ? number(l->pids) : json_null());
    json_object_set_new(o, "Ulimits", ulimits_json(c));
}

/* "MAJ:MIN=N" words. */
static json_t *throttles_json(char *const *words, const char *key)
{
    json_t *a = json_array();
    strv_foreach (word, words) {
        auto_free char *device = xasprintf("/dev/block/%.*s", (int)strcspn(word, "="), word);
        int64_t value = limit_value(word + strcspn(word, "=") + (strchr(word, '=') != NULL));
        json_array_append_new(a, json_pack("{s:o, s:o}", "Path", text(device), key, number(value)));
    }
    return a;
}

/* --device makes a bind of the node. */
static bool is_device(const struct ctr_mount *m)
{
    struct stat st;
    return str_eq(m->type, "bind") && strv_has(m->options, "dev") && stat(m->source, &st) == 0 &&
           (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

static json_t *devices_json(const struct ctr *c)
{
    json_t *a = json_array();
    const struct ctr_mount *m = c->mounts.items;
    for (size_t i = 0; i < c->mounts.n; i++)
        if (is_device(&m[i]))
            json_array_append_new(a, json_pack("{s:o, s:o, s:s}", "PathOnHost", text(m[i].source), "PathInContainer",
                                               text(m[i].target), "CgroupPermissions", "rwm"));
    return a;
}

static void add_devices(const struct ctr *c, json_t *o)
{
    const struct {
        const char *key, *value;
        char *const *words;
    } throttles[] = {
        {"BlkioWeightDevice", "Weight", c->limits.blkio_weight_devices},
        {"BlkioDeviceReadBps", "Rate", c->limits.device_read_bps},
        {"BlkioDeviceWriteBps", "Rate", c->limits.device_write_bps},
        {"BlkioDeviceReadIOps", "Rate", c->limits.device_read_iops},
        {"BlkioDeviceWriteIOps", "Rate", c->limits.device_write_iops},
    };
    for (size_t i = 0; i < ARRAY_LEN(throttles); i++)
        json_object_set_new(o, throttles[i].key, throttles_json(throttles[i].words, throttles[i].value));
    json_object_set_new(o, "Devices", devices_json(c));
}

/* docker's keys for what a container of whelk cannot have: always as if it was not asked for. */
static void add_never(json_t *o)
{
    static const struct {
        const char *key, *value; /* as JSON */
    } never[] = {
        {"Cgroup", "\"\""},          {"ConsoleSize", "[0, 0]"},   {"CpuCount", "0"},           {"CpuPercent", "0"},
        {"CpuRealtimePeriod", "0"},  {"CpuRealtimeRuntime", "0"}, {"DeviceCgroupRules", "[]"}, {"DeviceRequests", "[]"},
        {"IOMaximumBandwidth", "0"}, {"IOMaximumIOps", "0"},      {"Isolation", "\"\""},       {"KernelMemory", "0"},
        {"MemorySwappiness", "0"},   {"OomKillDisable", "false"}, {"StorageOpt", "null"},      {"VolumeDriver", "\"\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        json_object_set_new(o, never[i].key, json_loads(never[i].value, JSON_DECODE_ANY, NULL));
}

/* "NAME:ADDRESS", as docker has it. */
static char **extra_hosts(const struct ctr *c)
{
    char **hosts = NULL;
    strv_foreach (entry, c->add_hosts) {
        size_t at = strcspn(entry, "=");
        strv_addf(&hosts, "%.*s:%s", (int)at, entry, entry[at] ? entry + at + 1 : "");
    }
    return hosts;
}

static void add_modes(const struct ctr *c, json_t *o)
{
    auto_strv char **hosts = extra_hosts(c);
    const char *const modes[][2] = {
        {"NetworkMode", c->network},
        {"IpcMode", c->ipc ? c->ipc : "private"},
        {"UTSMode", c->uts && !str_eq(c->uts, "private") ? c->uts : ""},
        {"CgroupnsMode", c->cgroupns ? c->cgroupns : "private"},
        {"PidMode", c->pid},
        {"UsernsMode", c->userns},
        {"CgroupParent", c->cgroup_parent},
        {"Cgroups", c->cgroups ? c->cgroups : "default"},
        {"Runtime", "whelk"},
        {"ContainerIDFile", c->cid_file},
    };
    const struct {
        const char *key;
        char *const *words;
    } lists[] = {{"Dns", c->dns}, {"DnsOptions", c->dns_options}, {"DnsSearch", c->dns_search}, {"ExtraHosts", hosts},
                 {"Links", NULL}, {"VolumesFrom", NULL}};
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        json_object_set_new(o, modes[i][0], text(modes[i][1]));
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        json_object_set_new(o, lists[i].key, json_from_strv(lists[i].words));
}

json_t *inspect_host_config(const struct ctr *c)
{
    uint64_t have = (uint64_t)c->cap_bounding, usual = caps_default();
    json_t *o = json_pack("{s:o, s:b, s:o, s:o, s:b, s:b, s:b, s:{s:o, s:I}, s:o, s:o, s:o, s:o}", "Binds",
                          binds_json(c), "AutoRemove", c->auto_remove, "CapAdd", caps_json(have & ~usual), "CapDrop",
                          caps_json(usual & ~have), "Privileged", c->privileged, "ReadonlyRootfs", c->read_only, "Init",
                          c->init, "RestartPolicy", "Name", text(c->restart ? c->restart : "no"), "MaximumRetryCount",
                          (json_int_t)c->restart_max, "LogConfig", log_json(c), "Sysctls", json_from_map(c->sysctls),
                          "GroupAdd", json_from_strv(c->groups), "PortBindings", inspect_port_bindings(c));
    json_object_set_new(o, "PublishAllPorts", json_boolean(c->publish_all));
    json_object_set_new(o, "SecurityOpt", security_json(c));
    json_object_set_new(o, "Tmpfs", tmpfs_json(c));
    add_modes(c, o);
    add_limits(c, o);
    add_devices(c, o);
    add_never(o);
    json_object_set_new(o, "Annotations", json_from_map(c->annotations));
    return o;
}
