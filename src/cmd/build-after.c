/* Other commands of whelk upon the image that was built. The build may go into the store's user namespace and never
 * comes back, and there nobody can send an image; so a process is forked before, which waits for the id and then does
 * what `whelk push` and `whelk save` do. Runs in: wait_and_do in that process; the rest in the invocation or the
 * BUILDER. */
#include "build-after.h"

#include "cmd.h"

#include "whelk/fd.h"
#include "whelk/id.h"
#include "whelk/proc.h"

#include <fcntl.h>

struct waiting {
    const struct build_after_job *jobs;
    size_t n;
    int in, out; /* of the pipe that the id comes through */
};

static int do_job(const struct build_after_job *job, const char *id)
{
    auto_strv char **words = NULL;
    int used;
    strv_foreach (word, job->words)
        strv_add(&words, str_eq(word, BUILD_AFTER_ID) ? id : word);
    const struct cmd *c = cmd_find((int)strv_len(words), words, &used);
    if (!c)
        return -ENOENT;
    int r = cmd_invoke(c, (int)strv_len(words) - used, words + used);
    return r > 0 ? err_set(-EIO, "%s failed with status %d", words[0], r) : r;
}

static int wait_and_do(void *arg)
{
    const struct waiting *w = arg;
    char id[ID_LEN + 1] = "";
    fd_close(w->out);
    if (fd_read_full(w->in, id, ID_LEN) != ID_LEN)
        return 0;
    int r = 0;
    for (size_t i = 0; i < w->n && r == 0; i++)
        r = do_job(&w->jobs[i], id);
    int flushed = cmd_flush();
    return r < 0 ? r : flushed;
}

int build_after_start(const struct build_after_job *jobs, size_t n, struct build_after *ret)
{
    struct worker worker;
    int ends[2];
    *ret = (struct build_after){-1, -1};
    if (!n)
        return 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    struct waiting w = {jobs, n, ends[0], ends[1]};
    fflush(NULL);
    int r = worker_start(wait_and_do, &w, &worker);
    fd_close(ends[0]);
    if (r < 0) {
        fd_close(ends[1]);
        return r;
    }
    *ret = (struct build_after){ends[1], worker.err_fd};
    return 0;
}

int build_after_run(struct build_after *a, const char *id)
{
    if (a->id_fd < 0 || !id) /* it ends with the invocation */
        return 0;
    int r = fd_write_all(a->id_fd, id, ID_LEN);
    if (r == 0) {
        r = worker_result(a->err_fd);
        if (r == -ECHILD && err_is_clear())
            r = err_set(r, "what was to be done with the image was killed");
    }
    fd_close(a->id_fd);
    fd_close(a->err_fd);
    return r;
}
