/* --output: the files of what was built, as a directory or a tar archive.
 * Runs in: the BUILDER, which the process becomes for it; the archive is written by a child where a directory is
 * filled. */
#include "builder.h"

#include "unpack.h"

#include "whelk/err.h"
#include "whelk/proc.h"
#include "whelk/tree-tar.h"

#include <fcntl.h>

static int write_tar(int tree, int out)
{
    return tree_tar_write(&(struct tree_tar_write){.out = out, .dir = tree, .name = ".", .as = ""});
}

struct job {
    int tree, out, other;
};

static int worker(void *arg)
{
    const struct job *j = arg;
    fd_close(j->other);
    return write_tar(j->tree, j->out);
}

static int fill_directory(int tree, int dir)
{
    struct worker w;
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    struct job job = {tree, p[1], p[0]};
    int r = worker_start(worker, &job, &w);
    fd_close(p[1]);
    if (r < 0) {
        fd_close(p[0]);
        return r;
    }
    r = unpack_stream(p[0], dir);
    fd_close(p[0]);
    size_t len;
    auto_free char *error = r < 0 ? err_pack(r, &len) : NULL;
    int wrote = worker_wait(&w);
    return error ? err_unpack(error, len) : wrote;
}

int build_output(struct builder *b)
{
    const struct build_options *o = b->options;
    auto_close int tree = -1;
    if (o->out_dir < 0 && o->out_tar < 0)
        return 0;
    int r = builder_enter(b);
    if (r == 0)
        r = builder_merged(b, b->stages[b->plan.target].layers, &tree);
    if (r == 0 && o->out_tar >= 0)
        r = write_tar(tree, o->out_tar);
    if (r == 0 && o->out_dir >= 0)
        r = fill_directory(tree, o->out_dir);
    return r < 0 ? err_wrap(r, "--output") : 0;
}
