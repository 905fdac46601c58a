/* Capability sets as plain numbers. libcap-ng gives the names; the sets themselves go to the kernel directly, since
 * every run comes past here and libcap-ng reads /proc and the whole present state before each change. Runs in: any;
 * caps_become in the CHILD. */
#include "whelk/caps.h"
#include "whelk/err.h"
#include "whelk/str.h"

#include <cap-ng.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { CAP_SLOTS = 64 };

#define CAP(x) (UINT64_C(1) << CAP_##x)

const char *cap_name(unsigned cap)
{
    static char names[CAP_SLOTS][32];

    if (cap > CAP_LAST_CAP)
        return NULL;
    if (!names[cap][0]) {
        const char *s = capng_capability_to_name(cap); /* lower case, without the prefix */
        if (!s)
            return NULL;
        size_t n = (size_t)snprintf(names[cap], sizeof(names[cap]), "CAP_%s", s);
        for (size_t i = 0; i < MIN(n, sizeof(names[cap]) - 1); i++)
            if (names[cap][i] >= 'a' && names[cap][i] <= 'z')
                names[cap][i] -= 'a' - 'A';
    }
    return names[cap];
}

/* Without "cap_" in front, in upper case. */
static char *bare_name(const char *name)
{
    char *s = xstrdup(strncasecmp(name, "cap_", 4) == 0 ? name + 4 : name);
    for (char *p = s; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p -= 'a' - 'A';
    return s;
}

int cap_parse(const char *name, unsigned *ret)
{
    const char *candidates[CAP_SLOTS + 1] = {NULL};
    auto_free char *bare = bare_name(name);

    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        const char *known = cap_name(i);
        if (!known)
            break;
        candidates[i] = known + 4;
        if (str_eq(candidates[i], bare)) {
            *ret = i;
            return 0;
        }
    }
    auto_free char *shown = str_printable(name);
    const char *near = str_nearest(bare, candidates);
    return near ? err_set(-EINVAL, "unknown capability %s; did you mean %s?", shown, near)
                : err_set(-EINVAL, "unknown capability %s", shown);
}

uint64_t caps_default(void)
{
    return CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) | CAP(KILL) | CAP(NET_BIND_SERVICE) |
           CAP(SETFCAP) | CAP(SETGID) | CAP(SETPCAP) | CAP(SETUID) | CAP(SYS_CHROOT);
}

uint64_t caps_all(void)
{
    /* The kernel refuses to read the bounding bit of a number that it does not know. */
    unsigned known = 1, beyond = CAP_SLOTS;
    while (known < beyond) {
        unsigned middle = (known + beyond) / 2;
        if (prctl(PR_CAPBSET_READ, middle, 0, 0, 0) >= 0)
            known = middle + 1;
        else
            beyond = middle;
    }
    return known >= CAP_SLOTS ? UINT64_MAX : (UINT64_C(1) << known) - 1;
}

/* Without being root, containers are in a user namespace of their own, which has all. */
uint64_t caps_grantable(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (geteuid() != 0 || syscall(SYS_capget, &head, data) < 0)
        return caps_all();
    return caps_all() & (data[0].permitted | (uint64_t)data[1].permitted << 32);
}

/* A list from the command line as a set; "ALL" apart. */
static int parse_list(char *const *list, uint64_t *ret_set, bool *ret_all)
{
    uint64_t set = 0;
    bool all = false;

    strv_foreach (s, list) {
        unsigned cap;
        if (strcasecmp(s, "all") == 0 || strcasecmp(s, "cap_all") == 0) {
            all = true;
            continue;
        }
        int r = cap_parse(s, &cap);
        if (r < 0)
            return r;
        set |= UINT64_C(1) << cap;
    }
    *ret_set = set;
    *ret_all = all;
    return 0;
}

int caps_compute(uint64_t base, char *const *add, char *const *drop, uint64_t *ret)
{
    uint64_t added, dropped;
    bool add_all, drop_all;

    int r = parse_list(add, &added, &add_all);
    if (r >= 0)
        r = parse_list(drop, &dropped, &drop_all);
    if (r < 0)
        return r;
    if (add_all && drop_all)
        return err_set(-EINVAL, "cannot both add and drop all capabilities");
    if (added & dropped)
        return err_set(-EINVAL, "capability %s is both added and dropped",
                       cap_name((unsigned)__builtin_ctzll(added & dropped)));

    uint64_t set = drop_all ? 0 : add_all ? caps_grantable() : base;
    *ret = (set & ~dropped) | added;
    return 0;
}

static int set_caps(uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    for (unsigned i = 0; i < 2; i++) {
        data[i].permitted = data[i].effective = (uint32_t)(permitted >> (32 * i));
        data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
    }
    if (syscall(SYS_capset, &head, data) < 0)
        return err_sys("cannot set the capabilities");
    return 0;
}

/* Up to the first number that the kernel does not know: no need to ask for the last. */
static int drop_bounding(uint64_t keep)
{
    for (unsigned cap = 0; cap < CAP_SLOTS; cap++) {
        if (keep >> cap & 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
            continue;
        if (errno == EINVAL)
            return 0;
        return err_sys("cannot drop %s from the bounding set", cap_name(cap));
    }
    return 0;
}

static int set_ids(const struct identity *who)
{
    if (who->set_groups && setgroups(who->n_groups, who->groups) < 0)
        return err_sys("cannot set the supplementary groups");
    if (setresgid(who->gid, who->gid, who->gid) < 0)
        return err_sys("cannot become group %u", (unsigned)who->gid);
    if (setresuid(who->uid, who->uid, who->uid) < 0)
        return err_sys("cannot become user %u", (unsigned)who->uid);
    return 0;
}

static int raise_ambient(uint64_t set)
{
    for (unsigned cap = 0; cap < CAP_SLOTS; cap++)
        if ((set >> cap & 1) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
            return err_sys("cannot make %s ambient", cap_name(cap));
    return 0;
}

/* The order: the bounding set while CAP_SETPCAP is still there; ids while CAP_SETGID and CAP_SETUID are; then the sets,
 * which the change of user would else have emptied (KEEPCAPS keeps the permitted one, for this once: exec clears the
 * flag, and so do we). */
int caps_become(const struct identity *who, uint64_t bounding, uint64_t effective, uint64_t ambient, uint64_t extra)
{
    uint64_t permitted = effective | extra;
    bool keep = who->uid != 0 && (permitted | ambient);

    int r = drop_bounding(bounding);
    if (r < 0)
        return r;
    if (keep && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return err_sys("cannot keep capabilities");
    r = set_ids(who);
    if (r < 0)
        return r;
    if (keep && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
        return err_sys("cannot stop keeping capabilities");
    /* The kernel wants ambient capabilities in the inheritable set too; those that are not in it leave the ambient set
     * by this call. */
    r = set_caps(permitted | ambient, ambient);
    return r < 0 ? r : raise_ambient(ambient);
}

int caps_drop_extra(uint64_t effective)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &head, data) < 0)
        return err_sys("cannot read the capabilities");
    uint64_t inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
    return set_caps(effective | inheritable, inheritable);
}
