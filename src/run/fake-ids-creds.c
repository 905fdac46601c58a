/* Who processes believe to be, and the calls that tell and change it (credentials(7), setresuid(2), setfsuid(2)).
 *
 * A process is as its parent was when it was made. Nothing is told when it is made: whoever is met for the first time
 * is as its nearest known ancestor; and before somebody changes, the children that he has get what he was. Runs in:
 * NOTIFIER. */
#include "fake-ids.h"

#include "whelk/fd.h"

#include <fcntl.h>

enum { PROCESSES_MAX = 16384, ANCESTORS_MAX = 64, STATUS_MAX = 8192, UNCHANGED = -1 };

/* ---- processes ---- */

static int proc_read(const struct notifier *t, pid_t pid, const char *what, char *ret, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "%d/%s", pid, what);
    auto_close int fd = openat(t->proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -errno : fd_read_full(fd, ret, size - 1);
    if (n < 0)
        return (int)n;
    ret[n] = '\0';
    return 0;
}

/* proc(5), stat: the 22nd field; the second may hold anything, but the last ')' is its end. 0: it has gone. */
static uint64_t start_time(const struct notifier *t, pid_t pid)
{
    char text[1024];
    if (proc_read(t, pid, "stat", text, sizeof text) < 0)
        return 0;
    const char *p = strrchr(text, ')');
    for (int field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoull(p + 1, NULL, 10) : 0;
}

static long status_number(const char *status, const char *key, int base)
{
    const char *p = strstr(status, key);
    return p ? strtol(p + strlen(key), NULL, base) : 0;
}

static int read_family(const struct notifier *t, pid_t tid, pid_t *ret_pid, pid_t *ret_parent, unsigned *ret_umask)
{
    char status[STATUS_MAX];
    int r = proc_read(t, tid, "status", status, sizeof status);
    if (r < 0)
        return r;
    /* The name comes first and may hold anything but a line's end. */
    *ret_umask = (unsigned)status_number(status, "\nUmask:\t", 8);
    *ret_pid = (pid_t)status_number(status, "\nTgid:\t", 10);
    *ret_parent = (pid_t)status_number(status, "\nPPid:\t", 10);
    return *ret_pid > 0 ? 0 : -ESRCH;
}

int question_read_status(struct question *q)
{
    return q->pid ? 0 : read_family(q->t, (pid_t)q->n->pid, &q->pid, &q->parent, &q->umask);
}

/* ---- the table ---- */

static void forget_ended(struct notifier *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        if (start_time(t, t->v[i].pid) == t->v[i].start)
            t->v[n++] = t->v[i];
    t->n = n;
}

static struct fake_process *find(struct notifier *t, pid_t pid)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->v[i].pid != pid)
            continue;
        if (start_time(t, pid) == t->v[i].start)
            return &t->v[i];
        t->v[i] = t->v[--t->n]; /* the pid came again */
        return NULL;
    }
    return NULL;
}

static struct fake_process *add(struct notifier *t, pid_t pid, const struct fake_creds *creds)
{
    if (t->n == t->cap)
        forget_ended(t);
    if (t->n >= t->cap / 4 * 3 && t->cap < PROCESSES_MAX) {
        t->cap = t->cap ? t->cap * 2 : 16;
        t->v = xrealloc(t->v, t->cap * sizeof *t->v);
    }
    if (t->n == t->cap)
        t->n--; /* too many: the last one is forgotten */
    struct fake_process *p = &t->v[t->n++];
    *p = (struct fake_process){.pid = pid, .start = start_time(t, pid), .creds = *creds};
    return p;
}

/* The nearest ancestor that is known. */
static struct fake_process *find_ancestor(struct notifier *t, pid_t pid)
{
    for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
        struct fake_process *p = find(t, pid);
        pid_t self, parent;
        unsigned umask;
        if (p)
            return p;
        if (read_family(t, pid, &self, &parent, &umask) < 0)
            break;
        pid = parent;
    }
    return NULL;
}

const struct fake_creds *creds_of(struct question *q)
{
    struct notifier *t = q->t;
    if (q->creds)
        return q->creds;
    if (t->n == 0 || question_read_status(q) < 0)
        return &t->first;
    struct fake_process *p = find(t, q->pid);
    if (!p && (p = find_ancestor(t, q->parent))) {
        struct fake_creds creds = p->creds; /* adding may move the table */
        p = add(t, q->pid, &creds);
    }
    return p ? (q->creds = &p->creds) : &t->first;
}

/* The children that a process has stay what it was. */
static void keep_children(struct question *q, const struct fake_creds *creds)
{
    char what[64], text[4096];
    snprintf(what, sizeof what, "task/%d/children", q->pid);
    if (proc_read(q->t, q->pid, what, text, sizeof text) < 0)
        return;
    for (char *p = text, *end; *p; p = end) {
        pid_t child = (pid_t)strtol(p, &end, 10);
        if (end == p)
            break;
        if (child > 0 && !find(q->t, child))
            add(q->t, child, creds);
    }
}

struct fake_creds *creds_own(struct question *q)
{
    struct fake_creds before = *creds_of(q);
    if (question_read_status(q) < 0)
        return NULL;
    keep_children(q, &before);
    struct fake_process *p = find(q->t, q->pid);
    if (!p)
        p = add(q->t, q->pid, &before);
    return q->creds = &p->creds;
}

/* ---- telling ---- */

static int tell(struct question *q, int64_t *ret_value, bool group, int which)
{
    const struct fake_creds *c = creds_of(q);
    *ret_value = group ? c->gid[which] : c->uid[which];
    return 0;
}

int ids_getuid(struct question *q, int64_t *ret_value)
{
    return tell(q, ret_value, false, ID_REAL);
}

int ids_geteuid(struct question *q, int64_t *ret_value)
{
    return tell(q, ret_value, false, ID_EFFECTIVE);
}

int ids_getgid(struct question *q, int64_t *ret_value)
{
    return tell(q, ret_value, true, ID_REAL);
}

int ids_getegid(struct question *q, int64_t *ret_value)
{
    return tell(q, ret_value, true, ID_EFFECTIVE);
}

static int tell_three(struct question *q, const uint32_t ids[ID_COUNT])
{
    int r = 0;
    for (unsigned i = ID_REAL; i <= ID_SAVED && r == 0; i++)
        r = memory_write(q, question_arg(q, i), &ids[i], sizeof ids[i]);
    return r;
}

int ids_getresuid(struct question *q, int64_t *ret_value)
{
    return tell_three(q, creds_of(q)->uid);
}

int ids_getresgid(struct question *q, int64_t *ret_value)
{
    return tell_three(q, creds_of(q)->gid);
}

int ids_getgroups(struct question *q, int64_t *ret_value)
{
    const struct fake_creds *c = creds_of(q);
    int room = (int)question_arg(q, 0);
    *ret_value = c->n_groups;
    if (room == 0)
        return 0;
    if (room < 0 || (uint32_t)room < c->n_groups)
        return -EINVAL;
    return memory_write(q, question_arg(q, 1), c->groups, c->n_groups * sizeof *c->groups);
}

/* ---- changing ---- */

static bool may(const struct fake_creds *c)
{
    return c->uid[ID_EFFECTIVE] == 0; /* CAP_SETUID, CAP_SETGID */
}

static bool is_one_of(const uint32_t ids[ID_COUNT], int64_t id, unsigned set)
{
    for (unsigned i = 0; i < ID_COUNT; i++)
        if ((set & 1u << i) && ids[i] == (uint32_t)id)
            return true;
    return false;
}

enum { R = 1 << ID_REAL, E = 1 << ID_EFFECTIVE, S = 1 << ID_SAVED, F = 1 << ID_FS };

struct change {
    int64_t real, effective, saved; /* UNCHANGED */
};

static int64_t id_arg(const struct question *q, unsigned i)
{
    uint32_t id = (uint32_t)question_arg(q, i);
    return id == UINT32_MAX ? UNCHANGED : (int64_t)id;
}

static void put(uint32_t *ids, unsigned which, int64_t id)
{
    if (id != UNCHANGED)
        ids[which] = (uint32_t)id;
}

static int change(struct question *q, bool group, const struct change *c)
{
    struct fake_creds new = *creds_of(q);
    uint32_t *ids = group ? new.gid : new.uid;
    put(ids, ID_REAL, c->real);
    put(ids, ID_EFFECTIVE, c->effective);
    put(ids, ID_SAVED, c->saved);
    ids[ID_FS] = ids[ID_EFFECTIVE];
    if (memcmp(&new, creds_of(q), sizeof new) == 0)
        return 0;
    struct fake_creds *own = creds_own(q);
    if (!own)
        return -ESRCH;
    *own = new;
    return 0;
}

static int set_one(struct question *q, bool group)
{
    const struct fake_creds *c = creds_of(q);
    const uint32_t *ids = group ? c->gid : c->uid;
    int64_t id = id_arg(q, 0);
    if (id == UNCHANGED)
        return -EINVAL;
    if (may(c))
        return change(q, group, &(struct change){id, id, id});
    return is_one_of(ids, id, R | S) ? change(q, group, &(struct change){UNCHANGED, id, UNCHANGED}) : -EPERM;
}

int ids_setuid(struct question *q, int64_t *ret_value)
{
    return set_one(q, false);
}

int ids_setgid(struct question *q, int64_t *ret_value)
{
    return set_one(q, true);
}

static int set_two(struct question *q, bool group)
{
    const struct fake_creds *c = creds_of(q);
    const uint32_t *ids = group ? c->gid : c->uid;
    struct change new = {id_arg(q, 0), id_arg(q, 1), UNCHANGED};
    bool allowed = (new.real == UNCHANGED || is_one_of(ids, new.real, R | E)) &&
                   (new.effective == UNCHANGED || is_one_of(ids, new.effective, R | E | S));
    if (!may(c) && !allowed)
        return -EPERM;
    if (new.real != UNCHANGED || (new.effective != UNCHANGED && (uint32_t) new.effective != ids[ID_REAL]))
        new.saved = new.effective != UNCHANGED ? new.effective : ids[ID_EFFECTIVE];
    return change(q, group, &new);
}

int ids_setreuid(struct question *q, int64_t *ret_value)
{
    return set_two(q, false);
}

int ids_setregid(struct question *q, int64_t *ret_value)
{
    return set_two(q, true);
}

static int set_three(struct question *q, bool group)
{
    const struct fake_creds *c = creds_of(q);
    const uint32_t *ids = group ? c->gid : c->uid;
    struct change new = {id_arg(q, 0), id_arg(q, 1), id_arg(q, 2)};
    const int64_t wanted[] = {new.real, new.effective, new.saved};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (!may(c) && wanted[i] != UNCHANGED && !is_one_of(ids, wanted[i], R | E | S))
            return -EPERM;
    return change(q, group, &new);
}

int ids_setresuid(struct question *q, int64_t *ret_value)
{
    return set_three(q, false);
}

int ids_setresgid(struct question *q, int64_t *ret_value)
{
    return set_three(q, true);
}

/* They return what was, whether they may change it or not. */
static int set_fs(struct question *q, int64_t *ret_value, bool group)
{
    const struct fake_creds *c = creds_of(q);
    const uint32_t *ids = group ? c->gid : c->uid;
    int64_t id = id_arg(q, 0);
    *ret_value = ids[ID_FS];
    if (id == UNCHANGED || (!may(c) && !is_one_of(ids, id, R | E | S | F)))
        return 0;
    struct fake_creds *own = creds_own(q);
    if (own)
        (group ? own->gid : own->uid)[ID_FS] = (uint32_t)id;
    return 0;
}

int ids_setfsuid(struct question *q, int64_t *ret_value)
{
    return set_fs(q, ret_value, false);
}

int ids_setfsgid(struct question *q, int64_t *ret_value)
{
    return set_fs(q, ret_value, true);
}

int ids_setgroups(struct question *q, int64_t *ret_value)
{
    uint32_t groups[FAKE_GROUPS_MAX];
    uint64_t n = (uint32_t)question_arg(q, 0);
    if (!may(creds_of(q)))
        return -EPERM;
    if (n > ARRAY_LEN(groups))
        return -EINVAL;
    int r = memory_read(q, question_arg(q, 1), groups, (size_t)n * sizeof *groups);
    struct fake_creds *own = r == 0 ? creds_own(q) : NULL;
    if (!own)
        return r < 0 ? r : -ESRCH;
    memcpy(own->groups, groups, (size_t)n * sizeof *groups);
    own->n_groups = (uint32_t)n;
    return 0;
}
