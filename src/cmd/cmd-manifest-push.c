/* whelk manifest push */
#include "image-names.h"
#include "manifests.h"
#include "registry-flags.h"

#include "whelk/gc.h"
#include "whelk/transport-docker.h"

struct push_opts {
    bool all, quiet, rm;
    char *format, *digestfile;
    struct registry_flags registry;
};

static const struct opt push_table[] = {
    {"all", 0, OPT_BOOL, OPT(struct push_opts, all), .help = "the images of the list too: always done"},
    {"digestfile", 0, OPT_STR, OPT(struct push_opts, digestfile), .arg = "FILE",
     .help = "write the digest of what was pushed there", .complete = COMPLETE_FILE},
    {"format", 'f', OPT_STR, OPT(struct push_opts, format), .arg = "FORMAT", .help = "the types of list and manifests",
     .def = "oci", .complete = COMPLETE_WORDS, .words = "oci v2s2"},
    {"quiet", 'q', OPT_BOOL, OPT(struct push_opts, quiet), .help = "no progress on a terminal"},
    {"rm|purge", 'p', OPT_BOOL, OPT(struct push_opts, rm), .help = "remove the list afterwards; the images stay"},
    REGISTRY_TRANSFER_ROWS(struct push_opts, registry),
    OPT_END,
};

static void defaults(void *opts)
{
    registry_flags_defaults(&((struct push_opts *)opts)->registry);
}

static int find_format(const char *word, enum copy_format *ret)
{
    bool docker = word && (str_eq(word, "v2s2") || str_eq(word, "docker"));
    auto_free char *shown = str_printable(word ? word : "");
    if (word && !docker && !str_eq(word, "oci"))
        return err_set(-EINVAL, "--format %s: oci or v2s2", shown);
    *ret = docker ? FORMAT_DOCKER : FORMAT_OCI;
    return 0;
}

static int push(const struct store *s, const struct list *l, const char *where, const struct push_opts *o,
                const void *registry, char ret_digest[DIGEST_TEXT])
{
    auto_with(dest_free_auto) struct dest *dst = NULL;
    struct copy_options copy = {.blob = o->quiet ? NULL : image_say_blob, .arg = (void *)(uintptr_t) "Pushing"};
    int r = find_format(o->format, &copy.format);
    if (r == 0)
        r = dest_open(where, &(struct transport_options){.registry = registry, .std_fd = STDOUT_FILENO}, &dst);
    if (r == 0)
        r = list_copy(s, l, dst, &copy, ret_digest);
    if (r == 0 && dst->ops->commit)
        r = dst->ops->commit(dst);
    return r < 0 ? err_wrap(r, "cannot push the list") : 0;
}

static int finish(struct store *s, const struct list *l, const struct push_opts *o, const char *digest)
{
    auto_file FILE *f = o->digestfile ? fopen(o->digestfile, "we") : NULL;
    if (o->digestfile && (!f || fputs(digest, f) < 0 || fflush(f) != 0))
        return err_sys("cannot write %s", o->digestfile);
    printf("%s\n", digest);
    if (!o->rm)
        return 0;
    int r = name_remove(s, l->name.reference);
    return r < 0 ? r : gc_run(s, NULL);
}

static int run(void *opts, char **args)
{
    const struct push_opts *o = opts;
    struct docker_options docker = {0};
    auto_with(list_done) struct list l = {0};
    struct store *s;
    char digest[DIGEST_TEXT];
    int r = registry_flags_options(&o->registry, &docker.registry);
    if (r == 0)
        r = cmd_store(&s);
    if (r == 0)
        r = list_load(s, args[0], &l);
    if (r < 0)
        return r;
    const char *to = args[1] ? args[1] : l.name.reference;
    auto_free char *where = transport_rest(to) ? xstrdup(to) : xasprintf("docker://%s", to);
    r = push(s, &l, where, o, &docker, digest);
    return r < 0 ? r : finish(s, &l, o, digest);
}

const struct cmd cmd_manifest_push = {
    .names = "manifest push",
    .args = "[OPTIONS] LIST [DESTINATION]",
    .summary = "send a list of manifests with its images",
    .description =
        "Sends the images of the list and then the list to DESTINATION, which is a registry's name or one of the "
        "others of whelk image copy; without it to the registry that the list's name says. Prints the digest of "
        "the list as it was sent.",
    .examples = "whelk manifest push web:all docker://registry.example.org/web:v1\nwhelk manifest push --rm web:all "
                "oci:layout:web",
    .opts = push_table,
    .opts_size = sizeof(struct push_opts),
    .defaults = defaults,
    .min_args = 1,
    .max_args = 2,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
