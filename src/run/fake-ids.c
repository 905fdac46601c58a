/* Ids and owners where only one is mapped: the calls that are asked about, and the process that answers. See
 * fake-ids.h. */
#include "fake-ids.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { OWNERS_MAX = 256 << 20 };

static const struct {
    struct notify_call call;
    handler_fn *handle;
} calls[] = {
    {{SYS_getuid}, ids_getuid},
    {{SYS_geteuid}, ids_geteuid},
    {{SYS_getgid}, ids_getgid},
    {{SYS_getegid}, ids_getegid},
    {{SYS_getresuid}, ids_getresuid},
    {{SYS_getresgid}, ids_getresgid},
    {{SYS_getgroups}, ids_getgroups},
    {{SYS_setuid}, ids_setuid},
    {{SYS_setgid}, ids_setgid},
    {{SYS_setreuid}, ids_setreuid},
    {{SYS_setregid}, ids_setregid},
    {{SYS_setresuid}, ids_setresuid},
    {{SYS_setresgid}, ids_setresgid},
    {{SYS_setfsuid}, ids_setfsuid},
    {{SYS_setfsgid}, ids_setfsgid},
    {{SYS_setgroups}, ids_setgroups},
    {{SYS_fchown}, files_fchown},
    {{SYS_fchownat}, files_fchownat},
    {{SYS_fstat}, files_fstat},
    {{SYS_newfstatat}, files_fstatat},
    {{SYS_statx}, files_statx},
    {{SYS_openat, 2, O_CREAT}, files_openat},
    {{SYS_openat2}, files_openat2},
    {{SYS_mkdirat}, files_mkdirat},
    {{SYS_mknodat}, files_mknodat},
    {{SYS_symlinkat}, files_symlinkat},
#ifdef SYS_open /* what newer architectures left out */
    {{SYS_open, 1, O_CREAT}, files_open},
    {{SYS_creat}, files_creat},
    {{SYS_chown}, files_chown},
    {{SYS_lchown}, files_lchown},
    {{SYS_stat}, files_stat},
    {{SYS_lstat}, files_lstat},
    {{SYS_mkdir}, files_mkdir},
    {{SYS_mknod}, files_mknod},
    {{SYS_symlink}, files_symlink},
#endif
};

int fake_ids_install(int *ret_listener)
{
    struct notify_call asked[ARRAY_LEN(calls)];
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        asked[i] = calls[i].call;
    return notify_install(asked, ARRAY_LEN(asked), ret_listener);
}

/* ---- NOTIFIER ---- */

/* The container's root. Before the CHILD has executed the command nobody may look at it: then it is tried again. */
static int open_first_root(const struct notifier *t)
{
    char path[32];
    snprintf(path, sizeof path, "%d/root", t->first_pid);
    return openat(t->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void answer(struct notifier *t, const struct seccomp_notif *n)
{
    struct question q = {.t = t, .n = n};
    int64_t value = 0;
    if (t->root < 0)
        t->root = open_first_root(t);
    int r = ANSWER_CONTINUE;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        if (calls[i].call.nr == n->data.nr) {
            r = calls[i].handle(&q, &value);
            break;
        }
    if (r == ANSWER_CONTINUE)
        notify_continue(t->listener, n->id);
    else if (r != ANSWER_GIVEN)
        notify_answer(t->listener, n->id, value, r);
}

/* Until the last process with the filter has ended. */
static void answer_all(struct notifier *t)
{
    struct pollfd p = {.fd = t->listener, .events = POLLIN};
    while (poll(&p, 1, -1) > 0 || errno == EINTR) {
        struct seccomp_notif n;
        if (p.revents & POLLIN && notify_receive(t->listener, &n) == 0)
            answer(t, &n);
        else if (p.revents & (POLLHUP | POLLERR))
            return;
    }
}

struct fake_ids {
    struct worker worker;
    int out; /* memfd with "uid:gid:path\0" of links */
};

struct notifier_start {
    int listener, upper, out;
    pid_t first;
    const struct fake_creds *creds;
};

static int notifier_main(void *arg)
{
    const struct notifier_start *s = arg;
    struct notifier t = {.listener = s->listener, .proc = -1, .root = -1, .first_pid = s->first, .first = *s->creds};
    const int keep[] = {0, 1, 2, s->listener, s->upper, s->out, worker_err_fd()};
    fd_close_except(keep, ARRAY_LEN(keep)); /* the ends of pipes that others wait for */
    int r = mnt_new("proc", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, (const char *[]){NULL}, &t.proc);
    if (r < 0)
        return r;
    umask(0); /* modes are the asking process's own */
    answer_all(&t);
    r = files_tell_links(&t, s->upper, s->out);
    files_done(&t);
    free(t.v);
    return r < 0 ? err_set(r, "cannot tell the owners of links: %s", strerror(-r)) : 0;
}

int fake_ids_start(int listener, pid_t first, const struct fake_creds *creds, int upper, struct fake_ids **ret)
{
    struct notifier_start s = {.listener = listener, .upper = upper, .first = first, .creds = creds};
    auto_free struct fake_ids *f = xcalloc(1, sizeof *f);
    s.out = f->out = memfd_create("owners", MFD_CLOEXEC);
    if (f->out < 0)
        return err_sys("cannot make a file for owners");
    int r = worker_start(notifier_main, &s, &f->worker);
    if (r < 0)
        fd_close(f->out);
    else
        *ret = take_ptr(&f);
    return r;
}

static int read_owners(int fd, struct pack_owners *owners)
{
    auto_buf struct buf text = {0};
    int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_read_all(fd, OWNERS_MAX, &text);
    if (r < 0)
        return err_set(r, "cannot read the owners of links: %s", strerror(-r));
    for (size_t at = 0; at < text.len; at += strlen(text.data + at) + 1) {
        char *gid, *path;
        struct kept_owner owner = {.uid = (uint32_t)strtoul(text.data + at, &gid, 10)};
        owner.gid = (uint32_t)strtoul(gid + 1, &path, 10);
        pack_owners_add(owners, path + 1, owner);
    }
    return 0;
}

int fake_ids_finish(struct fake_ids *f, struct pack_owners *owners)
{
    if (!f)
        return 0;
    int r = worker_wait(&f->worker);
    if (r == 0 && owners)
        r = read_owners(f->out, owners);
    fd_close(f->out);
    free(f);
    return r;
}
