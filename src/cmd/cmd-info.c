/* whelk info: the host and the store as whelk sees them (C-143). */
#include "cmd.h"
#include "listing.h"
#include "yaml.h"

#include "whelk/caps.h"
#include "whelk/cgroup.h"
#include "whelk/ctr.h"
#include "whelk/fd.h"
#include "whelk/image.h"
#include "whelk/platform.h"
#include "whelk/run.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

struct info_opts {
    char *format;
};

static const struct opt info_table[] = {
    {"format", 'f', OPT_STR, OPT(struct info_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template, as '{{.Host.Kernel}}' or docker's '{{.ServerVersion}}'"},
    OPT_END,
};

/* What is looked at once. */
struct facts {
    const struct store *store;
    struct utsname un;
    struct sysinfo si;
    int64_t memory_free, memory_all; /* bytes, of /proc/meminfo */
    char *distribution, *distribution_version, *pretty;
    char **controllers;
    size_t n_running, n_paused, n_stopped, n_containers, n_images;
};

static void facts_done(struct facts *f)
{
    free(f->distribution);
    free(f->distribution_version);
    free(f->pretty);
    strv_free(f->controllers);
}

/* ---- looking ---- */

/* The value of KEY=value in os-release(5), without its quotes. Caller frees. */
static char *release_value(const char *text, const char *key)
{
    auto_strv char **lines = strv_split(text, "\n");
    const char *value = strv_env_get(lines, key);
    if (!value)
        return xstrdup("");
    bool quoted = *value == '"' || *value == '\'';
    size_t len = strlen(value);
    return xstrndup(value + quoted, len - (quoted && len > 1 ? 2 : 0));
}

static void look_at_distribution(struct facts *f)
{
    auto_free char *text = NULL;
    if (file_read(AT_FDCWD, "/etc/os-release", 64 << 10, &text, NULL) < 0)
        file_read(AT_FDCWD, "/usr/lib/os-release", 64 << 10, &text, NULL);
    f->distribution = release_value(text ? text : "", "ID");
    f->distribution_version = release_value(text ? text : "", "VERSION_ID");
    f->pretty = release_value(text ? text : "", "PRETTY_NAME");
    err_clear();
}

static int64_t meminfo(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtoll(at + strlen(key), NULL, 10) * 1024 : 0;
}

static void look_at_memory(struct facts *f)
{
    auto_free char *text = NULL;
    if (file_read(AT_FDCWD, "/proc/meminfo", 64 << 10, &text, NULL) == 0) {
        f->memory_all = meminfo(text, "MemTotal:");
        f->memory_free = meminfo(text, "MemFree:");
    }
    sysinfo(&f->si);
}

/* Version 2: what this user's group has; version 1: what is mounted, which only root may use. */
static void look_at_controllers(struct facts *f)
{
    auto_free char *text = NULL, *own = NULL;
    if (cgroup_mode() == CGROUP_V2 && file_read(AT_FDCWD, "/proc/self/cgroup", 4096, &own, NULL) == 0) {
        auto_free char *path = xasprintf("/sys/fs/cgroup%.*s/cgroup.controllers", (int)strcspn(own + 3, "\n"), own + 3);
        if (file_read(AT_FDCWD, path, 4096, &text, NULL) == 0)
            f->controllers = strv_split(text, " \n");
    } else if (cgroup_mode() == CGROUP_V1) {
        static const char *const known[] = {"cpu", "cpuset", "memory", "pids", "blkio", "freezer"};
        for (size_t i = 0; i < ARRAY_LEN(known) && geteuid() == 0; i++) {
            auto_free char *path = xasprintf("/sys/fs/cgroup/%s", known[i]);
            if (access(path, W_OK) == 0)
                strv_add(&f->controllers, known[i]);
        }
    }
    err_clear();
}

static int look_at_store(struct facts *f)
{
    auto_strv char **ids = NULL, **images = NULL;
    int r = ctr_list(f->store, &ids);
    if (r == 0)
        r = image_list(f->store, &images);
    f->n_images = strv_len(images);
    strv_foreach (id, ids) {
        struct ctr_state st;
        if (ctr_state(f->store, id, &st) < 0)
            continue;
        bool paused = st.status == CTR_RUNNING && run_is_paused(f->store, id);
        f->n_containers++;
        f->n_paused += paused;
        f->n_running += ctr_is_up(&st) && !paused;
        f->n_stopped += !ctr_is_up(&st);
    }
    return r;
}

static bool file_says(const char *path, const char *word)
{
    auto_free char *text = NULL;
    bool yes = file_read(AT_FDCWD, path, 256, &text, NULL) == 0 && str_after(text, word);
    err_clear();
    return yes;
}

/* ---- podman's object ---- */

static json_t *ranges_json(const struct id_range *ranges, unsigned n)
{
    json_t *a = json_array();
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(a, json_pack("{s:I, s:I, s:I}", "container_id", (json_int_t)ranges[i].inside, "host_id",
                                           (json_int_t)ranges[i].outside, "size", (json_int_t)ranges[i].count));
    return a;
}

static json_t *default_caps(void)
{
    auto_strv char **names = NULL;
    for (unsigned i = 0; i < 64; i++)
        if (caps_default() >> i & 1)
            strv_add(&names, cap_name(i));
    auto_free char *text = strv_join(names, ",");
    return json_string(text);
}

static json_t *security_json(void)
{
    return json_pack("{s:b, s:o, s:b, s:b, s:s, s:b}", "apparmorEnabled",
                     file_says("/sys/module/apparmor/parameters/enabled", "Y"), "capabilities", default_caps(),
                     "rootless", geteuid() != 0, "seccompEnabled", true, "seccompProfilePath", "", "selinuxEnabled",
                     access("/sys/fs/selinux/enforce", F_OK) == 0);
}

static const char *cgroup_version(void)
{
    enum cgroup_mode mode = cgroup_mode();
    return mode == CGROUP_V2 ? "v2" : mode == CGROUP_V1 ? "v1" : "none";
}

static json_t *host_json(const struct facts *f)
{
    char program[4096] = "";
    const struct store *s = f->store;
    auto_free char *up = xasprintf("%ldh %ldm %ld.00s", f->si.uptime / 3600, f->si.uptime / 60 % 60, f->si.uptime % 60);
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0)
        *program = 0;
    json_t *o = json_pack(
        "{s:s, s:s, s:o, s:s, s:s, s:{s:s, s:s, s:s}, s:i, s:s, s:{s:s, s:s}, s:s, s:s, s:{s:o, s:o}, s:s, s:s, s:I, "
        "s:I, s:s, s:{s:s, s:s, s:s, s:o}, s:s, s:{s:s, s:s, s:s}, s:{s:b, s:s}, s:o, s:b, s:I, s:I, s:o}",
        "arch", platform_architecture(), "buildahVersion", WHELK_VERSION, "cgroupControllers",
        json_from_strv(f->controllers), "cgroupManager",
        access("/run/systemd/system", F_OK) == 0 ? "systemd" : "cgroupfs", "cgroupVersion", cgroup_version(), "conmon",
        "package", "", "path", "", "version", "", "cpus", (int)sysconf(_SC_NPROCESSORS_ONLN), "databaseBackend",
        "files", "distribution", "distribution", f->distribution, "version", f->distribution_version, "eventLogger",
        "file", "hostname", f->un.nodename, "idMappings", "gidmap", ranges_json(s->map.gid, s->map.n_gid), "uidmap",
        ranges_json(s->map.uid, s->map.n_uid), "kernel", f->un.release, "logDriver", "k8s-file", "memFree",
        (json_int_t)f->memory_free, "memTotal", (json_int_t)f->memory_all, "networkBackend", "whelk", "ociRuntime",
        "name", "whelk", "package", "", "version", WHELK_VERSION, "path", json_from_str(program), "os", platform_os(),
        "pasta", "executable", "", "package", "", "version", "", "remoteSocket", "exists", false, "path", "",
        "security", security_json(), "serviceIsRemote", false, "swapFree", (json_int_t)f->si.freeswap * f->si.mem_unit,
        "swapTotal", (json_int_t)f->si.totalswap * f->si.mem_unit, "uptime", json_from_str(up));
    return o;
}

static json_t *store_json(const struct facts *f)
{
    const struct store *s = f->store;
    auto_free char *volumes = xasprintf("%s/volumes", s->path), *tmp = xasprintf("%s/tmp", s->path);
    return json_pack("{s:s, s:{s:I, s:I, s:I, s:I}, s:s, s:{}, s:o, s:{s:s}, s:o, s:{s:I}, s:o, s:b, s:o}",
                     "configFile", "", "containerStore", "number", (json_int_t)f->n_containers, "paused",
                     (json_int_t)f->n_paused, "running", (json_int_t)f->n_running, "stopped", (json_int_t)f->n_stopped,
                     "graphDriverName", "overlay", "graphOptions", "graphRoot", json_from_str(s->path), "graphStatus",
                     "Mount", "userxattr", "imageCopyTmpDir", json_from_str(tmp), "imageStore", "number",
                     (json_int_t)f->n_images, "runRoot", json_from_str(s->run_path ? s->run_path : ""),
                     "transientStore", false, "volumePath", json_from_str(volumes));
}

static json_t *info_json(const struct facts *f)
{
    return json_pack(
        "{s:o, s:{s:[s, s], s:[s, s, s, s], s:[s]}, s:{}, s:o, s:{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:s}}", "host",
        host_json(f), "plugins", "log", "k8s-file", "none", "network", "bridge", "private", "none", "host", "volume",
        "local", "registries", "store", store_json(f), "version", "APIVersion", WHELK_VERSION, "BuildOrigin", "",
        "Built", 0, "BuiltTime", "", "GitCommit", "", "GoVersion", "", "OsArch", f->un.machine, "Version",
        WHELK_VERSION);
}

/* ---- names for templates: those of Go's fields ---- */

static char *go_name(const char *key)
{
    static const char *const odd[][2] = {{"os", "OS"},
                                         {"ociRuntime", "OCIRuntime"},
                                         {"idMappings", "IDMappings"},
                                         {"gidmap", "GIDMap"},
                                         {"uidmap", "UIDMap"}};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++)
        if (str_eq(key, odd[i][0]))
            return xstrdup(odd[i][1]);
    char *name = xstrdup(key);
    *name = (char)toupper((unsigned char)*name);
    return name;
}

static json_t *with_go_names(const json_t *value)
{
    const char *key;
    json_t *member;
    if (!json_is_object(value))
        return json_incref((json_t *)(uintptr_t)value);
    json_t *o = json_object();
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        auto_free char *name = go_name(key);
        json_object_set_new(o, name, with_go_names(member));
    }
    return o;
}

/* docker's flat members, beside podman's. */
static void add_docker(const struct facts *f, json_t *o)
{
    const struct {
        const char *key;
        json_int_t value;
    } numbers[] = {
        {"Containers", (json_int_t)f->n_containers},   {"ContainersRunning", (json_int_t)f->n_running},
        {"ContainersPaused", (json_int_t)f->n_paused}, {"ContainersStopped", (json_int_t)f->n_stopped},
        {"Images", (json_int_t)f->n_images},           {"NCPU", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN)},
        {"MemTotal", (json_int_t)f->memory_all},
    };
    const char *const texts[][2] = {
        {"ID", f->store->uuid},
        {"Name", f->un.nodename},
        {"ServerVersion", WHELK_VERSION},
        {"Driver", "overlay"},
        {"LoggingDriver", "k8s-file"},
        {"CgroupDriver", access("/run/systemd/system", F_OK) == 0 ? "systemd" : "cgroupfs"},
        {"CgroupVersion", cgroup_version() + (*cgroup_version() == 'v')},
        {"KernelVersion", f->un.release},
        {"OperatingSystem", f->pretty},
        {"OSType", platform_os()},
        {"Architecture", f->un.machine},
        {"DockerRootDir", f->store->path},
        {"DefaultRuntime", "whelk"},
        {"OSVersion", f->distribution_version},
        {"IndexServerAddress", "https://index.docker.io/v1/"},
    };
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        json_object_set_new(o, numbers[i].key, json_integer(numbers[i].value));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        json_object_set_new(o, texts[i][0], json_from_str(texts[i][1] ? texts[i][1] : ""));
    json_t *security = json_pack("[s, s]", "name=seccomp,profile=builtin", "name=cgroupns");
    if (geteuid() != 0)
        json_array_append_new(security, json_string("name=rootless"));
    json_object_set_new(o, "SecurityOptions", security);
    json_object_set_new(o, "Runtimes", json_pack("{s:{s:s}}", "whelk", "path", "whelk"));
    json_object_set_new(o, "Warnings", json_array());
    json_object_set_new(o, "Swarm", json_pack("{s:s}", "LocalNodeState", "inactive"));
}

/* ---- the command ---- */

static int print(const struct facts *f, const char *format)
{
    auto_json json_t *info = info_json(f), *data = NULL;
    if (str_empty(format)) {
        auto_buf struct buf out = {0};
        yaml_print(info, &out);
        fwrite(out.data, 1, out.len, stdout);
        return 0;
    }
    if (str_eq(format, "json")) {
        auto_free char *text = json_text(info, true);
        printf("%s\n", text);
        return 0;
    }
    data = with_go_names(info);
    add_docker(f, data);
    return listing_print_object(format, data);
}

static int run(void *opts, char **args)
{
    const struct info_opts *o = opts;
    struct store *s;
    auto_with(facts_done) struct facts f = {0};
    int r = cmd_store(&s);
    f.store = s;
    auto_close int run_dir = -1;
    if (r == 0 && store_run_dir(s, &run_dir) < 0) /* only to tell where it is */
        err_clear();
    if (r == 0 && uname(&f.un) < 0)
        r = err_sys("uname");
    if (r == 0)
        r = look_at_store(&f);
    if (r < 0)
        return r;
    look_at_distribution(&f);
    look_at_memory(&f);
    look_at_controllers(&f);
    return print(&f, o->format);
}

const struct cmd cmd_info = {
    .names = "info;system info",
    .args = "[OPTIONS]",
    .summary = "show what whelk knows of this machine and its store",
    .description = "Prints facts about the host, the store with the number of containers and images, and this program, "
                   "with podman's names as YAML or JSON. A template can use those and docker's.",
    .examples =
        "whelk info\nwhelk info -f '{{.Store.GraphRoot}}'\nwhelk info --format json | jq .host.security\nwhelk info -f "
        "'{{.ServerVersion}} {{.Driver}}'",
    .opts = info_table,
    .opts_size = sizeof(struct info_opts),
    .max_args = 0,
    .run = run,
};
