/* whelk volume export */
#include "volumes.h"

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

static int run(void *opts, char **args)
{
    const struct export_opts *o = opts;
    struct store *s;
    auto_free char *name = NULL;
    auto_close int out = -1;
    int r = cmd_store(&s);
    if (r == 0)
        r = volume_find(s, args[0], &name);
    if (r == 0)
        r = open_output(o->output, &out);
    if (r == 0)
        r = volume_export(s, name, out);
    return r;
}

const struct cmd cmd_volume_export = {
    .names = "volume export",
    .args = "[OPTIONS] VOLUME",
    .summary = "write what is in a volume as a tar archive",
    .description = "Writes a tar archive of the volume's files, with their owners as containers see them, to standard "
                   "output or a file. A volume may be in use "
                   "meanwhile; then each file is as it was when it was read.",
    .examples = "whelk volume export data -o data.tar\nwhelk volume export data | gzip >data.tar.gz\nwhelk volume "
                "export old | whelk volume import new",
    .opts = export_table,
    .opts_size = sizeof(struct export_opts),
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_VOLUME,
    .run = run,
};
