/* whelk save: images as archives and directories, for whelk, docker, podman and others. */
#include "cmd.h"
#include "image-names.h"

#include "whelk/copy.h"
#include "whelk/event.h"
#include "whelk/image.h"

struct save_opts {
    char *output, *format, *platform;
    bool compress, uncompressed, multi, quiet;
};

static const struct opt save_table[] = {
    {"compress", 0, OPT_BOOL, OPT(struct save_opts, compress),
     .help = "compress the layers with gzip (not docker-archive)"},
    {"format", 0, OPT_STR, OPT(struct save_opts, format), .arg = "FORMAT", .help = "what to write",
     .def = "docker-archive", .complete = COMPLETE_WORDS, .words = "docker-archive docker-dir oci-archive oci-dir"},
    {"multi-image-archive", 'm', OPT_BOOL, OPT(struct save_opts, multi),
     .help = "several images into one archive: what several names mean anyway"},
    {"output", 'o', OPT_STR, OPT(struct save_opts, output), .arg = "PATH",
     .help = "a file, or the directory of the -dir formats; else standard output", .complete = COMPLETE_FILE},
    {"platform", 0, OPT_STR, OPT(struct save_opts, platform), .arg = "OS/ARCH[/VARIANT]",
     .help = "the image of this platform that the name's index lists"},
    {"quiet", 'q', OPT_BOOL, OPT(struct save_opts, quiet), .help = "no progress on a terminal"},
    {"uncompressed", 0, OPT_BOOL, OPT(struct save_opts, uncompressed), .help = "plain layers: the usual way"},
    OPT_END,
};

static const struct save_format {
    const char *word, *name;
    bool dir, docker;
} formats[] = {
    {"docker-archive", "docker-archive:-", false, true},
    {"oci-archive", "oci-archive:-", false, false},
    {"oci-dir", "oci:-", true, false},
    {"docker-dir", "dir:-", true, true},
};

static int find_format(const char *word, const struct save_format **ret)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_eq(word ? word : formats[0].word, formats[i].word)) {
            *ret = &formats[i];
            return 0;
        }
    auto_free char *shown = str_printable(word);
    return err_set(-EINVAL, "--format %s: docker-archive, oci-archive, oci-dir or docker-dir", shown);
}

static int check(const struct save_opts *o, const struct save_format *f, size_t n)
{
    if (o->compress && o->uncompressed)
        return err_set(-EINVAL, "--compress and --uncompressed exclude each other");
    if (o->compress && f == &formats[0])
        return err_set(-EINVAL, "a docker-archive has plain layers; leave out --compress, or compress the archive");
    if (f->dir && !o->output)
        return err_set(-EINVAL, "--format %s writes a directory: name it with --output", f->word);
    if (str_eq(f->word, "docker-dir") && n > 1)
        return err_set(-EINVAL, "a docker-dir holds one image: save them one by one, or as oci-dir");
    return 0;
}

struct context {
    struct store *store;
    const struct save_opts *o;
    const struct save_format *format;
    struct dest *dst;
};

static int save_one(const struct context *x, const char *arg)
{
    auto_free char *id = NULL, *reference = NULL;
    struct source *src = NULL;
    char digest[DIGEST_TEXT];
    const struct copy_options copy = {
        .format = x->format->docker ? FORMAT_DOCKER : FORMAT_OCI,
        .recompress = x->o->compress,
        .codec = CODEC_GZIP,
        .blob = x->o->quiet ? NULL : image_say_blob,
        .arg = (void *)(uintptr_t) "Saving",
    };
    int r = image_find_platform(x->store, arg, x->o->platform, &id, &reference);
    if (r == 0)
        r = transport_store_source(x->store, id, NULL, x->format->docker, &src);
    if (r < 0)
        return r;
    struct copy_options named = copy;
    named.name = reference ? reference : "";
    r = image_copy(src, NULL, x->dst, &named, digest);
    source_free(src);
    if (r == 0)
        event_object(x->store, "image", "save", id, reference ? reference : id);
    return r;
}

static int save(const struct context *x, char **args)
{
    int r = 0;
    strv_foreach (arg, args) {
        r = save_one(x, arg);
        if (r < 0)
            return err_wrap(r, "cannot save %s", arg);
    }
    return x->dst->ops->commit(x->dst);
}

/* All names before anything is written. */
static int check_names(const struct context *x, char **args)
{
    int r = 0;
    strv_foreach (arg, args) {
        auto_free char *id = NULL, *reference = NULL;
        r = r < 0 ? r : image_find_platform(x->store, arg, x->o->platform, &id, &reference);
    }
    return r;
}

static int run(void *opts, char **args)
{
    const struct save_opts *o = opts;
    struct context x = {.o = o};
    auto_close int hold = -1;
    int r = find_format(o->format, &x.format);
    if (r == 0)
        r = check(o, x.format, strv_len(args));
    if (r == 0)
        r = cmd_store(&x.store);
    if (r == 0)
        r = store_hold(x.store, &hold);
    if (r == 0)
        r = check_names(&x, args);
    const struct transport_options to = {.path = o->output && !str_eq(o->output, "-") ? o->output : NULL,
                                         .std_fd = STDOUT_FILENO};
    if (r == 0)
        r = dest_open(x.format->name, &to, &x.dst);
    if (r < 0)
        return r;
    r = save(&x, args);
    dest_free(x.dst);
    return r;
}

const struct cmd cmd_save = {
    .names = "save;image save",
    .args = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "write images to an archive or a directory",
    .description =
        "Writes images with their names and layers, as docker save does, to standard output or with --output to "
        "a file or directory. docker, podman and others load them; configurations and layers are the same "
        "bytes as they came.",
    .examples =
        "whelk save -o web.tar web\nwhelk save web db | zstd > all.tar.zst\nwhelk save --format oci-dir -o layout "
        "web\nwhelk save web | ssh other whelk load",
    .opts = save_table,
    .opts_size = sizeof(struct save_opts),
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
