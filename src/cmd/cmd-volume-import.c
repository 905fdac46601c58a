/* whelk volume import */
#include "volumes.h"

#include <fcntl.h>

static int open_input(const char *path, int *ret_fd)
{
    bool from_stdin = !path || str_eq(path, "-");
    if (from_stdin && isatty(STDIN_FILENO))
        return err_set(-EINVAL, "standard input is a terminal; give an archive: whelk volume import VOLUME FILE");
    int fd = from_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys("cannot open %s", from_stdin ? "standard input" : path);
    *ret_fd = fd;
    return 0;
}

static int run(void *opts, char **args)
{
    struct store *s;
    auto_free char *name = NULL;
    auto_close int in = -1;
    int r = cmd_store(&s);
    if (r == 0)
        r = volume_find(s, args[0], &name);
    if (r == 0)
        r = open_input(args[1], &in);
    if (r < 0)
        return r;
    r = volume_import(s, name, in);
    return r == -ENOENT && err_is_clear() ? err_set(r, "no such volume: %s", args[0]) : r;
}

const struct cmd cmd_volume_import = {
    .names = "volume import",
    .args = "VOLUME [FILE|-]",
    .summary = "put the files of a tar archive into a volume",
    .description = "Puts the entries of a tar archive, plain or gzip, from FILE or standard input into the volume. "
                   "Files of the same names are replaced; what "
                   "else is in the volume stays.",
    .examples = "whelk volume import data data.tar\ngunzip <data.tar.gz | whelk volume import data\ntar -C site -c . | "
                "whelk volume import www -",
    .min_args = 1,
    .max_args = 2,
    .complete = COMPLETE_VOLUME,
    .run = run,
};
