/* Names for completion, one provider a kind. */
#include "cmd.h"

#include "whelk/ctr.h"
#include "whelk/image.h"
#include "whelk/network.h"
#include "whelk/proc.h"
#include "whelk/secret.h"
#include "whelk/volume.h"

static const char *const capabilities[] = {
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
};

/* With CAP_ in front if the user writes it so. */
static int add_capabilities(const char *prefix, char ***names)
{
    const char *front = strncmp(prefix, "CAP_", 4) == 0 ? "CAP_" : "";
    for (size_t i = 0; i < ARRAY_LEN(capabilities); i++)
        strv_addf(names, "%s%s", front, capabilities[i]);
    return 0;
}

static int add_signals(const char *prefix, char ***names)
{
    const char *front = strncmp(prefix, "SIG", 3) == 0 ? "SIG" : "";
    for (int sig = 1; sig < 32; sig++)
        strv_addf(names, "%s%s", front, signal_name(sig));
    return 0;
}

static int add_containers_if(bool running, char ***names)
{
    struct store *s;
    auto_strv char **ids = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = ctr_list(s, &ids);
    if (r < 0)
        return r;
    strv_foreach (id, ids) {
        struct ctr c = {0};
        struct ctr_state state;
        bool wanted = ctr_state(s, id, &state) == 0 && (!running || ctr_is_up(&state));
        if (wanted && ctr_load(s, id, &c) == 0)
            strv_add(names, c.name);
        ctr_done(&c);
    }
    return 0;
}

static int add_containers(const char *prefix, char ***names)
{
    return add_containers_if(false, names);
}

static int add_running(const char *prefix, char ***names)
{
    return add_containers_if(true, names);
}

/* Full names, and what they are called for short. */
static int add_images(const char *prefix, char ***names)
{
    struct store *s;
    struct rec_list list = {0};
    int r = cmd_store(&s);
    if (r == 0)
        r = names_load(s, &list);
    const struct image_name *n = list.items;
    for (size_t i = 0; r == 0 && i < list.n; i++) {
        const char *local = str_after(n[i].reference, "localhost/");
        strv_add(names, n[i].reference);
        if (local)
            strv_add(names, local);
    }
    names_done(&list);
    return r;
}

static int add_any(const char *prefix, char ***names)
{
    int r = add_containers(prefix, names);
    return r < 0 ? r : add_images(prefix, names);
}

static int add_volumes(const char *prefix, char ***names)
{
    struct store *s;
    auto_strv char **list = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = volume_list(s, &list);
    if (r == 0)
        strv_extend(names, list);
    return r;
}

static int add_networks(const char *prefix, char ***names)
{
    struct store *s;
    auto_strv char **list = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = network_list(s, &list);
    if (r == 0)
        strv_extend(names, list);
    if (r == 0 && !strv_has(list, NETWORK_DEFAULT))
        strv_add(names, NETWORK_DEFAULT);
    return r;
}

static int add_secrets(const char *prefix, char ***names)
{
    struct store *s;
    auto_strv char **list = NULL;
    int r = cmd_store(&s);
    if (r == 0)
        r = secret_list(s, &list);
    if (r == 0)
        strv_extend(names, list);
    return r;
}

/* Each adds its names; prefix says what is begun, for a provider that can save work by it. */
static const struct {
    enum complete kind;
    int (*add)(const char *prefix, char ***names);
} providers[] = {
    {COMPLETE_ANY, add_any},        {COMPLETE_CAPABILITY, add_capabilities},   {COMPLETE_CONTAINER, add_containers},
    {COMPLETE_IMAGE, add_images},   {COMPLETE_RUNNING_CONTAINER, add_running}, {COMPLETE_SIGNAL, add_signals},
    {COMPLETE_VOLUME, add_volumes},
    {COMPLETE_NETWORK, add_networks},
    {COMPLETE_SECRET, add_secrets},
};

int complete_objects(enum complete kind, const char *prefix, char ***ret)
{
    auto_strv char **names = NULL;
    for (size_t i = 0; i < ARRAY_LEN(providers); i++) {
        int r = providers[i].kind == kind ? providers[i].add(prefix, &names) : 0;
        if (r < 0)
            return r;
    }
    char **begun = NULL;
    strv_foreach (name, names)
        if (str_after(name, prefix))
            strv_add(&begun, name);
    *ret = begun;
    return 0;
}
