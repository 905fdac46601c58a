/* whelk push: images of the store to a registry. */
#include "cmd.h"

#include "registry-flags.h"
#include "whelk/copy.h"
#include "whelk/event.h"
#include "whelk/fd.h"
#include "whelk/image.h"
#include "whelk/ref.h"
#include "whelk/transport-docker.h"

#include <fcntl.h>

struct push_opts {
    struct registry_flags registry;
    char *digestfile, *compression, *format;
    int64_t level;
    bool quiet, all_tags, force_compression;
};

static const struct opt push_table[] = {
    REGISTRY_TRANSFER_ROWS(struct push_opts, registry),
    {"all-tags", 'a', OPT_BOOL, OPT(struct push_opts, all_tags), .help = "every name of the repository"},
    {"compression-format", 0, OPT_STR, OPT(struct push_opts, compression), .arg = "FORMAT",
     .help = "compress layers by gzip or zstd, also where the registry has them otherwise", .complete = COMPLETE_WORDS,
     .words = "gzip zstd"},
    {"compression-level", 0, OPT_INT, OPT(struct push_opts, level), .arg = "N", .help = "how hard to compress"},
    {"digestfile", 0, OPT_STR, OPT(struct push_opts, digestfile), .arg = "FILE",
     .help = "write the digest of the manifest to FILE", .complete = COMPLETE_FILE},
    {"force-compression", 0, OPT_BOOL, OPT(struct push_opts, force_compression),
     .help = "compress layers again, by gzip unless told otherwise"},
    {"format", 'f', OPT_STR, OPT(struct push_opts, format), .arg = "FORMAT",
     .help = "type of the manifest: oci or docker", .def = "as it came", .complete = COMPLETE_WORDS,
     .words = "oci docker"},
    {"quiet", 'q', OPT_BOOL, OPT(struct push_opts, quiet), .help = "print nothing"},
    OPT_END,
};

static void defaults(void *opts)
{
    registry_flags_defaults(&((struct push_opts *)opts)->registry);
}

struct context {
    struct store *store;
    const struct push_opts *o;
    struct docker_options docker;
    struct copy_options copy;
    struct manifest_blob manifest; /* that was put */
};

static int fill_format(const char *word, enum copy_format *ret)
{
    static const struct {
        const char *word;
        enum copy_format format;
    } formats[] = {{"oci", FORMAT_OCI}, {"docker", FORMAT_DOCKER}, {"v2s2", FORMAT_DOCKER}};
    *ret = FORMAT_KEEP;
    for (size_t i = 0; word && i < ARRAY_LEN(formats); i++)
        if (str_eq(word, formats[i].word)) {
            *ret = formats[i].format;
            return 0;
        }
    return word ? err_set(-EINVAL, "--format is oci or docker, not \"%s\"", word) : 0;
}

static int fill_compression(const struct push_opts *o, struct copy_options *copy)
{
    copy->recompress = o->compression || o->force_compression || o->level;
    copy->codec = CODEC_GZIP;
    copy->level = (int)o->level;
    if (!copy->recompress)
        return 0;
    int r = o->compression ? codec_find(o->compression, &copy->codec) : 0;
    if (r == 0 && !media_layer_type(false, copy->codec))
        r = err_set(-EINVAL, "layers are compressed with gzip or zstd, not %s", o->compression);
    return r < 0 ? r : codec_deflate_prepare(copy->codec, copy->level);
}

/* "docker://" and the full name of what the user typed; other transports as they are. Caller frees. */
static int dest_name(const char *typed, char **ret)
{
    auto_with(ref_done) struct ref ref = {0};
    const char *rest = str_after(typed, "docker://") ?: typed;
    if (transport_rest(rest)) {
        *ret = xstrdup(rest);
        return 0;
    }
    int r = ref_parse(rest, &ref);
    if (r < 0)
        return r;
    if (ref.domain && str_eq(ref.domain, "localhost") && !str_after(typed, "docker://"))
        return err_set(-EINVAL, "%s names no registry; say where it goes: whelk push %s registry.example.org/%s", typed,
                       typed, ref.path);
    auto_free char *full = ref_full(&ref, "docker.io");
    *ret = xasprintf("docker://%s", full);
    return 0;
}

static int write_digest(const struct context *x, const char *digest)
{
    if (!x->o->quiet)
        fprintf(stderr, "%s\n", digest);
    return x->o->digestfile ? file_write(AT_FDCWD, x->o->digestfile, digest, strlen(digest), 0644) : 0;
}

static int copy_to(struct context *x, struct source *src, const char *name)
{
    const struct transport_options t = {.registry = &x->docker};
    struct dest *dst = NULL;
    char digest[DIGEST_TEXT];
    int r = dest_open(name, &t, &dst);
    if (r < 0)
        return r;
    manifest_blob_done(&x->manifest);
    x->copy.manifest = &x->manifest;
    r = image_copy(src, NULL, dst, &x->copy, digest);
    if (r == 0 && dst->ops->commit)
        r = dst->ops->commit(dst);
    dest_free(dst);
    return r < 0 ? r : write_digest(x, digest);
}

/* Nothing of the image may go while it is sent. */
static int pin(struct stage *st, const char *id)
{
    auto_free char *object = xasprintf("images/%s", id);
    struct image image = {0};
    int r = stage_pin(st, (const char *const[]){object}, 1);
    if (r == 0)
        r = image_load(st->store, id, &image);
    image_done(&image);
    return r == -ENOENT ? err_set(r, "image %.12s was removed meanwhile", id) : r;
}

/* For the next push: by its manifest the registry can tell at once that it has everything. */
static int remember(struct context *x, const char *id, const struct image_name *known)
{
    const struct manifest_blob *m = &x->manifest;
    struct image_name n = *known;
    int r = image_add_manifest(x->store, id, m->bytes, m->len);
    if (r < 0 || !known->reference || (known->manifest && str_eq(known->manifest, m->digest)))
        return r;
    n.manifest = (char *)(uintptr_t)m->digest;
    n.index = NULL;
    return name_put(x->store, &n, NULL, 0);
}

/* reference: the name by which it was found (NULL: an id), whose manifest is sent again. */
static int push(struct context *x, const char *id, const char *reference, const char *dest)
{
    auto_progress struct progress *progress = NULL;
    auto_with(image_name_done) struct image_name known = {0};
    auto_free char *name = NULL;
    auto_stage struct stage *st = NULL;
    struct source *src = NULL;
    int r = dest_name(dest, &name);
    if (r == 0)
        r = stage_begin(x->store, &st);
    if (r == 0)
        r = pin(st, id);
    if (r < 0)
        return r;
    if (reference && name_get_all(x->store, reference, &known) < 0)
        err_clear();
    if (!x->o->quiet) {
        fprintf(stderr, "Pushing %s\n", str_after(name, "docker://") ?: name);
        r = progress_start(&progress);
    }
    x->docker.progress = progress;
    if (r == 0)
        r = transport_store_source(x->store, id, known.manifest, x->copy.format == FORMAT_DOCKER, &src);
    if (r == 0)
        r = copy_to(x, src, name);
    if (r == 0)
        r = remember(x, id, &known);
    source_free(src);
    if (r == 0)
        event_object(x->store, "image", "push", id, str_after(name, "docker://") ?: name);
    return r < 0 ? err_wrap(r, "cannot push to %s", str_after(name, "docker://") ?: name) : 0;
}

/* Every name of the repository, each to the same name. */
static int push_all(struct context *x, const char *typed)
{
    auto_with(ref_done) struct ref ref = {0};
    auto_with(names_done) struct rec_list names = {0};
    int r = ref_parse(typed, &ref), found = 0;
    if (r == 0 && (ref.tag || ref.digest))
        r = err_set(-EINVAL, "--all-tags wants a name without a tag or digest");
    if (r == 0)
        r = names_load(x->store, &names);
    auto_free char *full = r == 0 ? ref_full(&ref, "docker.io") : NULL;
    const struct image_name *n = names.items;
    for (size_t i = 0; r == 0 && i < names.n; i++) {
        auto_free char *repository = NULL, *tag = NULL, *wanted = NULL, *unused = NULL;
        ref_split_display(n[i].reference, &repository, &tag);
        ref_split_display(full, &wanted, &unused);
        if (!str_eq(repository, wanted) || strchr(n[i].reference, '@'))
            continue;
        r = push(x, n[i].image, n[i].reference, n[i].reference);
        found++;
    }
    return r == 0 && !found ? err_set(-ENOENT, "no image is called %s", typed) : r;
}

static int push_one(struct context *x, const char *typed, const char *dest)
{
    auto_free char *id = NULL, *reference = NULL;
    int r = image_find(x->store, typed, &id, &reference);
    if (r == 0 && !dest && !reference)
        r = err_set(-EINVAL, "%s is an id; say where it goes: whelk push %.12s registry.example.org/NAME", typed,
                    typed);
    return r < 0 ? r : push(x, id, reference, dest ?: reference);
}

static int run(void *opts, char **args)
{
    const struct push_opts *o = opts;
    struct context x = {.o = o};
    int r = fill_format(o->format, &x.copy.format);
    if (r == 0)
        r = fill_compression(o, &x.copy);
    if (r == 0 && o->all_tags && args[1])
        r = err_set(-EINVAL, "--all-tags and a destination cannot be given together");
    if (r == 0)
        r = registry_flags_options(&o->registry, &x.docker.registry);
    if (r == 0)
        r = cmd_store(&x.store);
    if (r < 0)
        return r;
    r = o->all_tags ? push_all(&x, args[0]) : push_one(&x, args[0], args[1]);
    manifest_blob_done(&x.manifest);
    return r;
}

const struct cmd cmd_push = {
    .names = "push;image push",
    .args = "[OPTIONS] IMAGE [DESTINATION]",
    .summary = "send an image to a registry",
    .description =
        "Sends IMAGE to the registry that its name says, or to DESTINATION: a name, or a transport as oci:DIR. What is "
        "there is not sent again; an image that was pulled goes as it came where that is possible.",
    .examples = "whelk push registry.example.org/team/app:v2\nwhelk push app registry.example.org/team/app:v2\n"
                "whelk push --compression-format zstd app registry.example.org/team/app",
    .opts = push_table,
    .opts_size = sizeof(struct push_opts),
    .defaults = defaults,
    .min_args = 1,
    .max_args = 2,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
