/* What killed commands left in tmp/, by its names:
 *
 *     trash-<id>   removed, but not to the end. Anybody may go on, at any time.
 *     op-<id>      an operation's staging directory; its owner holds a flock on it (stage.c).
 *     ctr-<id>     a container that is being made; its maker holds gc.lock shared (ctr.c).
 *     attach-<n>   the socket of an attach that waits for its supervisor; its maker holds gc.lock shared
 *                  (run/attach.c).
 *     rm-<id>      a symlink: this container is to go when it has ended (--rm), or (its target says so) when nobody is
 *                  starting it any more.
 *
 * A free flock on op-<id> and the mere sight of ctr-<id> mean "stale" only under gc.lock exclusive, because their
 * owners make them under the shared one. Tidying does not wait for it: the next command will do. */
#include "store-private.h"

#include "whelk/ctr.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/stage.h"

#include <fcntl.h>
#include <sys/file.h>

/* ---- under gc.lock exclusive ---- */

static void sweep_staging(const struct store *s, const char *name)
{
    if (stage_is_stale(s, name))
        trash_move(s, "tmp", name, NULL);
}

static void sweep_socket(const struct store *s, const char *name)
{
    auto_free char *path = xasprintf("tmp/%s", name);
    unlinkat(s->fd, path, 0);
}

static void sweep_draft(const struct store *s, const char *name)
{
    trash_move(s, "tmp", name, NULL);
}

/* The marker is made before its container is published, and outlives it only when somebody was killed. */
static void sweep_rm_marker(const struct store *s, const char *name)
{
    if (!store_has(s, "containers", name + strlen("rm-"))) {
        auto_free char *path = xasprintf("tmp/%s", name);
        unlinkat(s->fd, path, 0);
    }
}

/* ---- before it ---- */

/* Each tells whether there may be work for gc.lock. */
static bool check_trash(const struct store *s, const char *name)
{
    trash_finish(s, name);
    return false;
}

static bool check_staging(const struct store *s, const char *name)
{
    return stage_is_stale(s, name);
}

static bool check_draft(const struct store *s, const char *name)
{
    return true;
}

/* Unless somebody is at it. */
static void remove_dead(const struct store *s, const char *id)
{
    auto_close int dir = -1;
    char trash[TRASH_NAME];
    if (ctr_open_dir(s, id, &dir) < 0 || flock(dir, LOCK_EX | LOCK_NB) < 0 || ctr_retire(s, id, trash) < 0)
        return;
    fd_close(take_fd(&dir));
    ctr_delete_retired(s, trash);
}

/* A --rm container that was started and no longer runs is dead. One that was never started may be about to, unless it
 * was abandoned. */
static bool check_rm_marker(const struct store *s, const char *name)
{
    const char *id = name + strlen("rm-");
    struct ctr_state state;
    int r = ctr_state(s, id, &state);
    if (r == 0 && (state.status == CTR_EXITED || state.abandoned))
        remove_dead(s, id);
    return r == -ENOENT;
}

static const struct {
    const char *prefix;
    bool (*check)(const struct store *s, const char *name);
    void (*sweep)(const struct store *s, const char *name);
} kinds[] = {
    {"trash-", check_trash, NULL},
    {"op-", check_staging, sweep_staging},
    {"ctr-", check_draft, sweep_draft},
    {"attach-", check_draft, sweep_socket},
    {"rm-", check_rm_marker, sweep_rm_marker},
};

void sweep_stale(const struct store *s)
{
    auto_strv char **names = NULL;
    if (dir_names(s->fd, "tmp", &names) < 0)
        return;
    strv_foreach (name, names) {
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
            if (kinds[i].sweep && str_after(name, kinds[i].prefix))
                kinds[i].sweep(s, name);
    }
    ctr_names_sweep(s);
}

static bool check_all(const struct store *s, char *const *names)
{
    bool more = false;
    strv_foreach (name, names) {
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
            if (str_after(name, kinds[i].prefix) && kinds[i].check(s, name))
                more = true;
    }
    return more;
}

void store_tidy(const struct store *s)
{
    auto_strv char **names = NULL;
    auto_close int lock = -1;
    if (dir_names(s->fd, "tmp", &names) == 0 && names && check_all(s, names) && store_lock_all(s, 0, &lock) == 0) {
        sweep_stale(s);
        fd_close(take_fd(&lock));
        trash_empty(s);
    }
    err_clear();
}
