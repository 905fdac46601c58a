/* whelk manifest inspect */
#include "manifests.h"
#include "registry-flags.h"

#include "whelk/transport-docker.h"

struct inspect_opts {
    struct registry_flags registry;
};

static const struct opt inspect_table[] = {
    REGISTRY_TRANSFER_ROWS(struct inspect_opts, registry),
    OPT_END,
};

static void defaults(void *opts)
{
    registry_flags_defaults(&((struct inspect_opts *)opts)->registry);
}

static int print_bytes(const char *bytes, size_t len)
{
    auto_json json_t *j = NULL;
    int r = json_parse("the manifest", bytes, len, &j);
    if (r < 0)
        return r;
    auto_free char *text = json_text(j, true);
    printf("%s\n", text);
    return 0;
}

static int inspect_elsewhere(const char *name, const void *registry)
{
    auto_with(source_free_auto) struct source *src = NULL;
    auto_with(manifest_blob_done) struct manifest_blob blob = {0};
    const struct transport_options o = {.registry = registry, .std_fd = STDIN_FILENO};
    int r = source_open(name, &o, &src);
    if (r == 0)
        r = source_manifest(src, NULL, &blob);
    return r < 0 ? r : print_bytes(blob.bytes, blob.len);
}

/* A list, or the index or manifest that an image came by. */
static int inspect_here(const struct store *s, const char *typed)
{
    auto_with(image_name_done) struct image_name n = {0};
    auto_free char *bytes = NULL;
    size_t len;
    int r = name_find(s, typed, true, &n);
    if (r == -ENOENT)
        r = name_find(s, typed, false, &n);
    if (r < 0)
        return r;
    if (n.index)
        r = index_read(s, n.index, &bytes, &len);
    else
        r = n.manifest ? image_read_manifest(s, n.image, n.manifest, &bytes, &len) : -ENOENT;
    return r < 0 ? r : print_bytes(bytes, len);
}

static int run(void *opts, char **args)
{
    const struct inspect_opts *o = opts;
    struct docker_options docker = {0};
    struct store *s;
    int r = registry_flags_options(&o->registry, &docker.registry);
    if (r < 0)
        return r;
    if (transport_rest(args[0]))
        return inspect_elsewhere(args[0], &docker);
    r = cmd_store(&s);
    if (r == 0)
        r = inspect_here(s, args[0]);
    if (r != -ENOENT)
        return r;
    auto_free char *remote = xasprintf("docker://%s", args[0]);
    return inspect_elsewhere(remote, &docker);
}

const struct cmd cmd_manifest_inspect = {
    .names = "manifest inspect",
    .args = "[OPTIONS] LIST|IMAGE",
    .summary = "show a list of manifests, or a manifest",
    .description =
        "Shows the list of this name as JSON; else the index or manifest that the image of this name came by; else "
        "what the registry has under the name. Names like docker://NAME and oci:DIR say where to look.",
    .examples = "whelk manifest inspect web:all\nwhelk manifest inspect docker://registry.example.org/web:v1 | jq "
                "'.manifests[].platform'",
    .opts = inspect_table,
    .opts_size = sizeof(struct inspect_opts),
    .defaults = defaults,
    .min_args = 1,
    .max_args = 1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
