/* Talking to a supervisor from outside: kill, stop, wait. No socket and no disk is needed, so it works on a full one
 * (RUNTIME, life and death 3, 4). */
#include "launch.h"

#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/fd.h"
#include "whelk/lock.h"
#include "whelk/proc.h"

#include <fcntl.h>

/* The holder is asked twice around pidfd_open: the same answer means that the descriptor is the supervisor's. */
static int checked_pidfd(int alive, int *ret_pidfd)
{
    pid_t pid = record_lock_holder(alive);
    if (pid == 0)
        return -ESRCH;
    if (pid < 0)
        return err_set(-EBUSY, "the container runs outside of what is visible here (another host or pid namespace)");
    auto_close int pidfd = pidfd_open_pid(pid);
    if (pidfd < 0 || record_lock_holder(alive) != pid)
        return -EAGAIN;
    *ret_pidfd = take_fd(&pidfd);
    return 0;
}

static int open_alive(const struct store *s, const char *id)
{
    auto_close int dir = -1;
    int r = ctr_open_dir(s, id, &dir);
    if (r < 0)
        return r == -ENOENT ? err_set(r, "container %.12s was removed", id) : r;
    int fd = openat(dir, "alive", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_sys("cannot open the record of container %.12s", id) : fd;
}

static int holder_pidfd(int alive, int *ret_pidfd)
{
    int r;
    do
        r = checked_pidfd(alive, ret_pidfd);
    while (r == -EAGAIN);
    return r;
}

int run_supervisor(const struct store *s, const char *id, int *ret_pidfd)
{
    auto_close int alive = open_alive(s, id);
    return alive < 0 ? alive : holder_pidfd(alive, ret_pidfd);
}

static int send_request(const struct store *s, const char *id, int value, int *ret_pidfd)
{
    int r = run_supervisor(s, id, ret_pidfd);
    if (r < 0)
        return r;
    return pidfd_signal(*ret_pidfd, SIGRTMIN + REQUEST_SIGNAL_OFFSET, value);
}

int run_kill(const struct store *s, const char *id, int sig)
{
    auto_close int pidfd = -1;
    int r = send_request(s, id, request_pack_kill(sig), &pidfd);
    if (r == -ESRCH)
        return err_set(r, "container %.12s is not running", id);
    auto_strv char **facts = NULL;
    strv_addf(&facts, "signal=%d", sig);
    if (r == 0)
        event_container_id(s, id, "kill", facts);
    return r;
}

void run_reload(const struct store *s, const char *id)
{
    auto_close int pidfd = -1;
    if (send_request(s, id, request_pack_reload(), &pidfd) < 0)
        err_clear(); /* it does not run: the next start reads the record */
}

static int ask_to_stop(int pidfd, int sig, int64_t timeout)
{
    int r = sig ? pidfd_signal(pidfd, SIGRTMIN + REQUEST_SIGNAL_OFFSET, request_pack_stop_signal(sig)) : 0;
    return r < 0 ? r : pidfd_signal(pidfd, SIGRTMIN + REQUEST_SIGNAL_OFFSET, request_pack_stop(timeout));
}

int run_stop(const struct store *s, const char *id, int sig, int64_t timeout, bool *ret_forced)
{
    auto_close int alive = open_alive(s, id), pidfd = -1;
    if (alive < 0)
        return alive;
    int r = holder_pidfd(alive, &pidfd);
    if (r == 0 && run_is_paused(s, id))
        r = run_pause(s, id, false); /* frozen processes take no signal */
    if (r == 0)
        r = ask_to_stop(pidfd, sig, timeout);
    if (r == -ESRCH)
        return 0; /* ended already */
    if (r == 0)
        event_container_id(s, id, "stop", NULL);
    if (r == 0)
        r = pidfd_wait_end(pidfd, -1);
    struct exit_record record = {0};
    if (r >= 0 && ret_forced && exit_record_read(alive, &record) == 0)
        *ret_forced = timeout != 0 && record.exit_code == 137;
    return MIN(r, 0);
}

/* Under the directory's lock, so that it cannot be started meanwhile. */
static int retire_locked(const struct store *s, const char *id, bool force, int64_t timeout, char ret_trash[80])
{
    struct ctr_state state;
    int r = ctr_state(s, id, &state);
    if (r < 0)
        return r == -ENOENT ? err_set(r, "no such container: %.12s", id) : r;
    if (state.status == CTR_ELSEWHERE)
        return err_set(-EBUSY, "container %.12s runs on another host", id);
    if (ctr_is_up(&state) && !force)
        return err_set(-EBUSY, "container %.12s is running; stop it first, or remove it with --force", id);
    if (ctr_is_up(&state))
        r = run_stop(s, id, 0, timeout, NULL);
    if (r < 0)
        return r;
    struct ctr_live live = {0}; /* of a supervisor that was killed: it could not remove the groups */
    if (ctr_live_load(s, id, &live) == 0)
        remove_cgroup(&live);
    ctr_live_done(&live);
    return ctr_retire(s, id, ret_trash);
}

int run_remove(const struct store *s, const char *id, bool force, int64_t timeout)
{
    struct ctr c = {0}; /* for the event, when the record is gone */
    int dir = -1;
    int r = ctr_lock(s, id, true, &dir);
    if (r < 0)
        return r == -ENOENT ? err_set(r, "no such container: %.12s", id) : r;
    char trash[80];
    if (ctr_load(s, id, &c) < 0) {
        c.id = xstrdup(id);
        err_clear();
    }
    r = retire_locked(s, id, force, timeout, trash);
    if (r == 0) {
        fd_close(dir);
        event_container(s, &c, "remove", NULL);
        ctr_delete_soon(s, trash);
    } else {
        ctr_unlock(s, id, dir);
    }
    ctr_done(&c);
    return r == -ENOENT && err_is_clear() ? 0 : r; /* --rm was faster */
}

int run_wait(const struct store *s, const char *id, int *ret_code)
{
    /* Opened before the end is waited for: the record can be read through it even when --rm has removed the file. */
    auto_close int alive = open_alive(s, id), pidfd = -1;
    if (alive < 0)
        return alive;
    int r = holder_pidfd(alive, &pidfd);
    if (r == 0)
        r = pidfd_wait_end(pidfd, -1);
    if (r < 0 && r != -ESRCH)
        return r;
    struct exit_record record = {0};
    r = exit_record_read(alive, &record);
    if (r < 0 && r != -ENOENT)
        return r;
    *ret_code = r == -ENOENT ? 0 : record.finished ? record.exit_code : 137;
    return 0;
}
