/* whelk export */
#include "cmd.h"

#include "whelk/event.h"
#include "whelk/rootfs.h"

#include <fcntl.h>

struct export_opts {
    char *output;
};

static const struct opt export_table[] = {
    {"output", 'o', OPT_STR, OPT(struct export_opts, output), .arg = "FILE", .help = "write to a file",
     .def = "standard output", .complete = COMPLETE_FILE},
    OPT_END,
};

static int open_output(const char *path, int *ret_fd)
{
    bool to_stdout = !path || str_eq(path, "-");
    if (to_stdout && isatty(STDOUT_FILENO))
        return err_set(-EINVAL, "standard output is a terminal; give --output FILE or redirect it");
    int fd = to_stdout ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                       : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys("cannot open %s", to_stdout ? "standard output" : path);
    *ret_fd = fd;
    return 0;
}

static int export(const struct store *s, const struct ctr *c, const struct export_opts *o)
{
    auto_close int out = -1;
    int r = open_output(o->output, &out);
    if (r == 0)
        r = rootfs_export(s, c, out);
    if (r < 0)
        return r == -EPIPE ? r : err_wrap(r, "cannot export container %s", c->name);
    event_write(s, &(struct event){.type = (char *)(uintptr_t) "container",
                                   .action = (char *)(uintptr_t) "export",
                                   .id = c->id,
                                   .name = c->name,
                                   .image = c->image_ref});
    return 0;
}

static int run(void *opts, char **args)
{
    struct store *s;
    auto_free char *id = NULL;
    struct ctr c = {0};
    int r = cmd_store(&s);
    if (r == 0)
        r = ctr_find(s, args[0], &id);
    if (r == 0)
        r = ctr_load(s, id, &c);
    if (r == 0)
        r = export(s, &c, opts);
    ctr_done(&c);
    return r;
}

const struct cmd cmd_export = {
    .names = "export;container export",
    .args = "[OPTIONS] CONTAINER",
    .summary = "write a container's files as a tar archive",
    .description = "Writes all files of a container, running or not, as one plain tar archive to standard output or a "
                   "file. What is mounted in it (volumes, /proc, "
                   "/dev) is left out. whelk import makes an image of such an archive.",
    .examples = "whelk export web -o web.tar\nwhelk export web | whelk import - web:flat\nwhelk export web | tar -t",
    .opts = export_table,
    .opts_size = sizeof(struct export_opts),
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
