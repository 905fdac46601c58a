/* Scopes: control groups that systemd makes for processes that it did not start, over D-Bus with libsystemd.
 *
 * Runs in: a forked child of the STARTER that ends, so that nobody who stays has libsystemd loaded. */
#include "cgroup-parts.h"

#include "whelk/err.h"

bool systemd_runs(void)
{
    return access("/run/systemd/system", F_OK) == 0;
}

#if HAVE_LIBSYSTEMD

#include "whelk/dl.h"
#include "whelk/proc.h"

#include <systemd/sd-bus.h>
#include <time.h>

DL_FUNCTION(sd_bus_open_user);
DL_FUNCTION(sd_bus_open_system);
DL_FUNCTION(sd_bus_match_signal);
DL_FUNCTION(sd_bus_call_method);
DL_FUNCTION(sd_bus_process);
DL_FUNCTION(sd_bus_wait);
DL_FUNCTION(sd_bus_message_read);
DL_FUNCTION(sd_bus_get_property_trivial);

static const struct dl_symbol symbols[] = {
    DL_SYMBOL(sd_bus_open_user),
    DL_SYMBOL(sd_bus_open_system),
    DL_SYMBOL(sd_bus_match_signal),
    DL_SYMBOL(sd_bus_call_method),
    DL_SYMBOL(sd_bus_process),
    DL_SYMBOL(sd_bus_wait),
    DL_SYMBOL(sd_bus_message_read),
    DL_SYMBOL(sd_bus_get_property_trivial),
    DL_END,
};
static struct dl_library library = {"libsystemd.so.0", "libsystemd0", symbols};
DL_NOTE(libsystemd, "recommended", "control groups made by systemd", "libsystemd.so.0");

#define SYSTEMD "org.freedesktop.systemd1"
#define MANAGER SYSTEMD ".Manager"
#define OBJECT "/org/freedesktop/systemd1"

enum { PATIENCE_S = 30 };

struct scope {
    const char *name;
    pid_t pid;
    sd_bus *bus;
    char result[32]; /* of the job: "" while it runs */
};

static int job_removed(sd_bus_message *m, void *arg, sd_bus_error *error)
{
    struct scope *s = arg;
    const char *job, *unit, *result;
    uint32_t id;
    int r = dl_sd_bus_message_read(m, "uoss", &id, &job, &unit, &result);
    if (r >= 0 && str_eq(unit, s->name))
        snprintf(s->result, sizeof s->result, "%s", result);
    return 0;
}

static int connect_bus(sd_bus **ret)
{
    int r = dl_need(&library, "a control group of the container's own");
    if (r < 0)
        return r;
    bool root = geteuid() == 0;
    const char *advice =
        root ? "" : ": log in through ssh or a display manager, or have root run: loginctl enable-linger";
    r = root ? dl_sd_bus_open_system(ret) : dl_sd_bus_open_user(ret);
    if (r < 0)
        return err_set(r, "the D-Bus of systemd's %s manager is not to be had (%s)%s", root ? "system" : "user",
                       strerror(-r), advice);
    return 0;
}

static int listen_to_jobs(struct scope *s)
{
    int r = dl_sd_bus_match_signal(s->bus, NULL, SYSTEMD, OBJECT, MANAGER, "JobRemoved", job_removed, s);
    return r < 0 ? err_set(r, "cannot listen to systemd: %s", strerror(-r)) : 0;
}

static int ask(struct scope *s)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    auto_free char *description = xasprintf("whelk container %.12s", s->name + strlen("whelk-"));
    int r =
        dl_sd_bus_call_method(s->bus, SYSTEMD, OBJECT, MANAGER, "StartTransientUnit", &error, NULL, "ssa(sv)a(sa(sv))",
                              s->name, "fail", 4, "Description", "s", description, "Delegate", "b", 1, "CollectMode",
                              "s", "inactive-or-failed", "PIDs", "au", 1, (uint32_t)s->pid, 0);
    if (r < 0)
        return err_set(r, "systemd refuses a scope: %s", error.message ? error.message : strerror(-r));
    return 0;
}

static int await_job(struct scope *s)
{
    time_t end = time(NULL) + PATIENCE_S;
    int r = 0;
    while (r >= 0 && !*s->result && time(NULL) <= end) {
        r = dl_sd_bus_process(s->bus, NULL);
        if (r == 0)
            r = dl_sd_bus_wait(s->bus, 1000000);
    }
    if (r < 0)
        return err_set(r, "cannot talk to systemd: %s", strerror(-r));
    if (!str_eq(s->result, "done"))
        return err_set(-EIO, "systemd did not start %s: %s", s->name, *s->result ? s->result : "no answer");
    return 0;
}

/* The connection goes with the process. */
static int make_scope(void *arg)
{
    struct scope *s = arg;
    int r = connect_bus(&s->bus);
    if (r == 0)
        r = listen_to_jobs(s);
    if (r == 0)
        r = ask(s);
    return r < 0 ? r : await_job(s);
}

int systemd_make_scope(const char *name, pid_t pid)
{
    struct scope s = {.name = name, .pid = pid};
    struct worker w;
    int r = worker_start(make_scope, &s, &w);
    return r < 0 ? r : worker_wait(&w);
}

struct attach {
    const char *unit, *below;
    pid_t pid;
};

static int attach(void *arg)
{
    const struct attach *a = arg;
    sd_bus *bus = NULL;
    sd_bus_error error = SD_BUS_ERROR_NULL;
    int r = connect_bus(&bus);
    if (r < 0)
        return r;
    r = dl_sd_bus_call_method(bus, SYSTEMD, OBJECT, MANAGER, "AttachProcessesToUnit", &error, NULL, "ssau", a->unit,
                              a->below, 1, (uint32_t)a->pid);
    return r < 0 ? err_set(r, "systemd refuses to move the process: %s", error.message ? error.message : strerror(-r))
                 : 0;
}

int systemd_attach(const char *path, pid_t pid)
{
    auto_free char *copy = xstrdup(path);
    char *below = strrchr(copy, '/');
    *below++ = 0;
    auto_free char *slashed = xasprintf("/%s", below);
    char *unit = strrchr(copy, '/');
    if (!unit)
        return err_set(-EACCES, "the control group %s belongs to no unit", path);
    struct attach a = {unit + 1, slashed, pid};
    struct worker w;
    int r = worker_start(attach, &a, &w);
    return r < 0 ? r : worker_wait(&w);
}

/* Properties of a unit are on the interface of its kind. */
static const char *const kinds[][2] = {{".service", SYSTEMD ".Service"}, {".scope", SYSTEMD ".Scope"}};

static int ask_delegate(void *arg)
{
    const char *unit = arg, *path = NULL, *interface = NULL;
    sd_bus *bus = NULL;
    sd_bus_message *reply = NULL;
    int delegate = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_ends(unit, kinds[i][0]))
            interface = kinds[i][1];
    int r = interface ? connect_bus(&bus) : -ENOENT;
    if (r == 0)
        r = dl_sd_bus_call_method(bus, SYSTEMD, OBJECT, MANAGER, "GetUnit", NULL, &reply, "s", unit);
    if (r >= 0)
        r = dl_sd_bus_message_read(reply, "o", &path);
    if (r >= 0)
        r = dl_sd_bus_get_property_trivial(bus, SYSTEMD, path, interface, "Delegate", NULL, 'b', &delegate);
    return r >= 0 && delegate;
}

bool systemd_delegates(const char *unit)
{
    struct worker w;
    int r = worker_start(ask_delegate, (void *)(uintptr_t)unit, &w);
    r = r < 0 ? r : worker_wait(&w);
    err_clear();
    return r > 0;
}

#else

int systemd_make_scope(const char *name, pid_t pid)
{
    return err_set(-ENOPKG, "this build cannot ask systemd for a control group (libsystemd)");
}

bool systemd_delegates(const char *unit)
{
    return false;
}

int systemd_attach(const char *path, pid_t pid)
{
    return err_set(-ENOPKG, "this build cannot ask systemd to move a process (libsystemd)");
}

#endif
