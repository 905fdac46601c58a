/* whelk load: images out of archives and directories that whelk, docker, podman or others wrote. */
#include "cmd.h"
#include "image-names.h"

#include "whelk/event.h"
#include "whelk/gc.h"
#include "whelk/receive.h"
#include "whelk/ref.h"

struct load_opts {
    char *input, *platform;
    bool quiet;
};

static const struct opt load_table[] = {
    {"input", 'i', OPT_STR, OPT(struct load_opts, input), .arg = "PATH",
     .help = "a file or a directory; else standard input", .complete = COMPLETE_FILE},
    {"platform", 0, OPT_STR, OPT(struct load_opts, platform), .arg = "OS/ARCH[/VARIANT]",
     .help = "which image of an index", .def = "this machine's"},
    {"quiet", 'q', OPT_BOOL, OPT(struct load_opts, quiet), .help = "no progress on a terminal"},
    OPT_END,
};

struct context {
    struct store *store;
    struct source *src;
    const struct load_opts *o;
    const struct platform *platform;
    unsigned loaded;
};

/* Full references of the names in the archive. One that is none is passed over: the image is worth more. */
static char **full_names(char *const *names)
{
    char **full = NULL;
    strv_foreach (name, names) {
        auto_with(ref_done) struct ref ref = {0};
        if (ref_parse(name, &ref) < 0) {
            log_warn("%s", err_text(-EINVAL));
            continue;
        }
        /* docker writes its own names short. A lone word of an OCI layout is a tag and not a name of docker's. */
        bool tag_only = !ref.domain && !ref.tag && !ref.digest && !strchr(ref.path, '/');
        strv_add_take(&full, ref_full(&ref, tag_only ? "localhost" : "docker.io"));
    }
    return full;
}

static int load_one(const char *digest, char *const *names, void *arg)
{
    struct context *x = arg;
    auto_strv char **full = full_names(names);
    char id[65];
    const struct receive_options receive = {
        .platform = x->platform,
        .names = full,
        .layer = x->o->quiet ? NULL : image_say_blob,
        .arg = (void *)(uintptr_t) "Loading",
    };
    int r = image_receive(x->store, x->src, digest, &receive, id);
    if (r < 0)
        return r;
    x->loaded++;
    event_object(x->store, "image", "load", id, full ? full[0] : id);
    strv_foreach (name, full)
        printf("Loaded image: %s\n", name);
    if (!full)
        printf("Loaded image: sha256:%s\n", id);
    return 0;
}

static int load(struct context *x, const char *input)
{
    auto_free char *tmp = xasprintf("%s/tmp", x->store->path);
    const struct transport_options o = {.path = input, .std_fd = STDIN_FILENO, .tmp = tmp};
    int r = source_open_any(&o, &x->src);
    if (r == 0)
        r = source_each(x->src, load_one, x);
    if (r == 0 && x->loaded == 0)
        r = err_set(-ENOENT, "there is no image in it");
    source_free(x->src);
    return r;
}

static int run(void *opts, char **args)
{
    const struct load_opts *o = opts;
    auto_with(platform_done) struct platform platform = {0};
    struct context x = {.o = o};
    const char *input = o->input && !str_eq(o->input, "-") ? o->input : NULL;
    if (!input && isatty(STDIN_FILENO))
        return err_set(-EINVAL, "standard input is a terminal; name an archive: whelk load -i FILE");
    int r = o->platform ? platform_parse(o->platform, &platform) : 0;
    if (r == 0)
        r = cmd_store(&x.store);
    if (r < 0)
        return r;
    x.platform = o->platform ? &platform : NULL;
    store_tidy(x.store);
    r = load(&x, input);
    if (r < 0) { /* layers that nobody names now; the error stays */
        size_t len;
        auto_free char *error = err_pack(r, &len);
        gc_run(x.store, NULL);
        r = err_unpack(error, len);
        return err_wrap(r, "cannot load %s", input ? input : "standard input");
    }
    return 0;
}

const struct cmd cmd_load = {
    .names = "load;image load",
    .args = "[OPTIONS]",
    .summary = "take images out of an archive or a directory",
    .description =
        "Reads what whelk save, docker save, podman save, skopeo, buildah and others write: archives of docker "
        "and of OCI, plain or compressed by gzip, zstd, xz or bzip2, and OCI layouts; with all the images and "
        "names in it. Every part is held against its digest; if one is wrong, nothing of its image stays.",
    .examples =
        "whelk load -i web.tar\nwhelk load < all.tar.zst\nssh other docker save web | whelk load\nwhelk load -q -i "
        "layout-directory",
    .opts = load_table,
    .opts_size = sizeof(struct load_opts),
    .max_args = 0,
    .run = run,
};
