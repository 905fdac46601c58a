/* whelk image copy: from one place to another without the store in between. */
#include "cmd.h"
#include "image-names.h"
#include "registry-flags.h"

#include "whelk/copy.h"
#include "whelk/transport-docker.h"

struct copy_opts {
    bool all, quiet;
    char *format, *platform, *multi_arch, *codec, *digestfile;
    int64_t level;
    struct registry_flags registry;
};

static const struct opt copy_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct copy_opts, all), .help = "an index with all platforms that it lists"},
    {"compression-format|dest-compress-format", 0, OPT_STR, OPT(struct copy_opts, codec), .arg = "FORMAT",
     .help = "compress all layers anew with this", .complete = COMPLETE_WORDS, .words = "gzip none zstd"},
    {"compression-level", 0, OPT_INT, OPT(struct copy_opts, level), .arg = "N",
     .help = "with --compression-format: how hard (gzip 1 to 9, zstd 1 to 19)"},
    {"digestfile", 0, OPT_STR, OPT(struct copy_opts, digestfile), .arg = "FILE",
     .help = "write the digest of the copied manifest there", .complete = COMPLETE_FILE},
    {"format", 'f', OPT_STR, OPT(struct copy_opts, format), .arg = "FORMAT", .help = "the type of the manifest",
     .def = "as it is", .complete = COMPLETE_WORDS, .words = "oci v2s2"},
    {"multi-arch", 0, OPT_STR, OPT(struct copy_opts, multi_arch), .arg = "WHAT", .help = "of an index: all, or system",
     .def = "system", .complete = COMPLETE_WORDS, .words = "all system"},
    {"platform", 0, OPT_STR, OPT(struct copy_opts, platform), .arg = "OS/ARCH[/VARIANT]",
     .help = "which image of an index", .def = "this machine's"},
    {"quiet", 'q', OPT_BOOL, OPT(struct copy_opts, quiet), .help = "no progress on a terminal"},
    REGISTRY_TRANSFER_ROWS(struct copy_opts, registry),
    OPT_END,
};

static void defaults(void *opts)
{
    registry_flags_defaults(&((struct copy_opts *)opts)->registry);
}

static int find_format(const char *word, enum copy_format *ret)
{
    static const struct {
        const char *word;
        enum copy_format format;
    } formats[] = {{"oci", FORMAT_OCI}, {"v2s2", FORMAT_DOCKER}, {"docker", FORMAT_DOCKER}};
    if (!word)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_eq(word, formats[i].word)) {
            *ret = formats[i].format;
            return 0;
        }
    auto_free char *shown = str_printable(word);
    return err_set(-EINVAL, "--format %s: oci or v2s2", shown);
}

static int read_options(const struct copy_opts *o, struct platform *platform, struct copy_options *ret)
{
    int r = find_format(o->format, &ret->format);
    if (r == 0 && o->platform)
        r = platform_parse(o->platform, platform);
    if (r == 0 && o->codec)
        r = codec_find(o->codec, &ret->codec);
    if (r < 0)
        return r;
    if (o->multi_arch && !str_eq(o->multi_arch, "all") && !str_eq(o->multi_arch, "system"))
        return err_set(-EINVAL, "--multi-arch is all or system");
    if (o->level && !o->codec)
        return err_set(-EINVAL, "--compression-level goes with --compression-format");
    ret->all = o->all || (o->multi_arch && str_eq(o->multi_arch, "all"));
    if (ret->all && o->platform)
        return err_set(-EINVAL, "--platform chooses one image, --all takes all of them");
    ret->recompress = o->codec != NULL;
    ret->level = (int)o->level;
    ret->platform = o->platform ? platform : NULL;
    return codec_deflate_prepare(ret->codec, ret->level);
}

static int write_digest(const char *path, const char *digest)
{
    auto_file FILE *f = path ? fopen(path, "we") : NULL;
    if (path && (!f || fputs(digest, f) < 0 || fflush(f) != 0))
        return err_sys("cannot write %s", path);
    return 0;
}

static int copy(struct source *src, struct dest *dst, const struct copy_opts *o)
{
    auto_with(platform_done) struct platform platform = {0};
    struct copy_options options = {.blob = o->quiet ? NULL : image_say_blob, .arg = (void *)(uintptr_t) "Copying"};
    char digest[DIGEST_TEXT];
    int r = read_options(o, &platform, &options);
    if (r == 0)
        r = image_copy(src, NULL, dst, &options, digest);
    if (r == 0 && dst->ops->commit)
        r = dst->ops->commit(dst);
    return r < 0 ? r : write_digest(o->digestfile, digest);
}

static int run(void *opts, char **args)
{
    auto_with(source_free_auto) struct source *src = NULL;
    auto_with(dest_free_auto) struct dest *dst = NULL;
    auto_with(platform_done) struct platform unused = {0};
    const struct copy_opts *o = opts;
    struct docker_options docker = {0};
    int r = read_options(o, &unused, &(struct copy_options){0});
    if (r == 0)
        r = registry_flags_options(&o->registry, &docker.registry);
    if (r == 0)
        r = source_open(args[0], &(struct transport_options){.registry = &docker, .std_fd = STDIN_FILENO}, &src);
    if (r == 0)
        r = dest_open(args[1], &(struct transport_options){.registry = &docker, .std_fd = STDOUT_FILENO}, &dst);
    if (r == 0)
        r = copy(src, dst, o);
    return r < 0 ? err_wrap(r, "cannot copy the image") : 0;
}

const struct cmd cmd_image_copy = {
    .names = "image copy",
    .args = "[OPTIONS] SOURCE DESTINATION",
    .summary = "copy an image between registries, archives and directories",
    .description =
        "Copies an image from SOURCE to DESTINATION without the store in between, as skopeo copy does. Both are "
        "one of docker://NAME, oci:DIR[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME] and "
        "dir:DIR. What need not change stays byte for byte, and with it the digest.",
    .examples = "whelk image copy docker-archive:web.tar oci:layout:web\nwhelk image copy --all oci:layout:web "
                "dir:files\nwhelk image copy --compression-format zstd oci:layout:web oci-archive:web.tar:web",
    .opts = copy_table,
    .opts_size = sizeof(struct copy_opts),
    .defaults = defaults,
    .min_args = 2,
    .max_args = 2,
    .complete = COMPLETE_FILE,
    .run = run,
};
