/* whelk import: an image of one layer from a tar archive. */
#include "cmd.h"

#include "whelk/build.h"
#include "whelk/event.h"
#include "whelk/image.h"
#include "whelk/layer.h"
#include "whelk/ref.h"
#include "whelk/units.h"

#include <fcntl.h>

struct import_opts {
    char *message;
    char **changes;
};

static const struct opt import_table[] = {
    {"message", 'm', OPT_STR, OPT(struct import_opts, message), .arg = "TEXT",
     .help = "the comment of the history entry"},
    {"change", 'c', OPT_LIST, OPT(struct import_opts, changes), .arg = "INSTRUCTION",
     .help = "set something of the image by an instruction of a Dockerfile"},
    OPT_END,
};

static int open_source(const char *path, int *ret_fd)
{
    if (str_eq(path, "-") && isatty(STDIN_FILENO))
        return err_set(-EINVAL, "standard input is a terminal; give an archive: whelk import - NAME < base.tar");
    int fd = str_eq(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys("cannot open %s", path);
    *ret_fd = fd;
    return 0;
}

static int publish(struct stage *st, const char *key, const struct import_opts *o, struct image_config *config,
                   char ret_id[65])
{
    struct layer layer = {0};
    int r = layer_load(st->store, key, &layer);
    if (r < 0)
        return r;
    int64_t now = time_now();
    image_config_put_created(config, now);
    image_config_add_diff_id(config, layer.diffid);
    image_config_add_history(config, now, "whelk import", o->message, false);
    char *keys[] = {(char *)(uintptr_t)key, NULL};
    r = image_publish(st, config, keys, ret_id);
    layer_done(&layer);
    return r;
}

static int import(struct store *s, int in, const char *reference, const struct import_opts *o)
{
    auto_stage struct stage *st = NULL;
    auto_free char *key = NULL;
    auto_with(image_config_done) struct image_config config;
    char id[65];
    image_config_new(&config);
    int r = build_change(&config, o->changes);
    if (r == 0)
        r = stage_begin(s, &st);
    if (r == 0)
        r = layer_import(st, in, NULL, &(struct layer_limits){0}, &key);
    if (r == 0)
        r = publish(st, key, o, &config, id);
    if (r == 0 && reference)
        r = name_set(s, reference, id);
    if (r < 0)
        return r;
    event_object(s, "image", "import", id, reference ? reference : id);
    printf("%s\n", id);
    return 0;
}

static int run(void *opts, char **args)
{
    struct store *s;
    auto_free char *reference = NULL;
    auto_close int in = -1;
    int r = args[1] ? ref_normalize_local(args[1], &reference) : 0;
    if (r == 0)
        r = cmd_store(&s);
    if (r == 0)
        r = open_source(args[0], &in);
    if (r < 0)
        return r;
    store_tidy(s);
    r = import(s, in, reference, opts);
    return r < 0 ? err_wrap(r, "cannot import %s", str_eq(args[0], "-") ? "standard input" : args[0]) : r;
}

const struct cmd cmd_import = {
    .names = "import;image import",
    .args = "[OPTIONS] FILE|- [NAME[:TAG]]",
    .summary = "make an image from a tar archive",
    .description =
        "Makes an image of one layer from the tar archive FILE, or from standard input, plain or compressed by "
        "gzip, zstd, xz or bzip2, and prints its id. Archives are unpacked by "
        "confined processes; one that tries to leave its directory is refused, and nothing is left behind.",
    .examples = "whelk import base.tar.gz base\nwhelk import -m 'first try' base.tar base:v1\ntar -C rootfs -c . | "
                "whelk import - base:v2",
    .opts = import_table,
    .opts_size = sizeof(struct import_opts),
    .min_args = 1,
    .max_args = 2,
    .complete = COMPLETE_FILE,
    .run = run,
};
