/* whelk pull: images from registries into the store. */
#include "cmd.h"

#include "registry-flags.h"
#include "whelk/image.h"
#include "whelk/pull.h"

struct pull_opts {
    struct registry_flags registry;
    struct platform_flags platform;
    char *policy;
    bool quiet, all_tags, content_trust;
};

static const struct opt pull_table[] = {
    REGISTRY_TRANSFER_ROWS(struct pull_opts, registry),
    PLATFORM_ROWS(struct pull_opts, platform),
    {"all-tags", 'a', OPT_BOOL, OPT(struct pull_opts, all_tags), .help = "every tag of the repository"},
    {"disable-content-trust", 0, OPT_BOOL, OPT(struct pull_opts, content_trust)},
    {"policy", 0, OPT_STR, OPT(struct pull_opts, policy), .arg = "POLICY",
     .help = "when to pull: always, missing, newer or never", .def = "always", .complete = COMPLETE_WORDS,
     .words = "always missing never newer"},
    {"quiet", 'q', OPT_BOOL, OPT(struct pull_opts, quiet), .help = "print the id only"},
    OPT_END,
};

static void defaults(void *opts)
{
    registry_flags_defaults(&((struct pull_opts *)opts)->registry);
}

struct context {
    struct store *store;
    struct pull_options o;
    enum pull_policy policy;
};

/* Under any policy but always, what is there may do. */
static int pull_if_needed(struct context *x, const char *name)
{
    auto_free char *id = NULL;
    int r = image_need(x->store, name, x->policy, &x->o);
    if (r == 0)
        r = image_find(x->store, name, &id, NULL);
    if (r == 0)
        printf("%s\n", id);
    return r;
}

static int pull_one(const char *name, void *ctx)
{
    struct context *x = ctx;
    auto_strv char **ids = NULL;
    if (x->policy != PULL_ALWAYS && !x->o.all_tags)
        return pull_if_needed(x, name);
    int r = image_pull(x->store, name, &x->o, &ids);
    strv_foreach (id, ids)
        printf("%s\n", id);
    return r < 0 ? err_wrap(r, "cannot pull %s", name) : 0;
}

static int run(void *opts, char **args)
{
    const struct pull_opts *o = opts;
    struct context x = {.o = {.quiet = o->quiet, .all_tags = o->all_tags}};
    auto_free char *platform = NULL;
    int r = pull_policy_parse(o->policy ?: "always", &x.policy);
    if (r < 0)
        return err_wrap(r, "--policy");
    r = registry_flags_options(&o->registry, &x.o.registry);
    if (r == 0)
        r = platform_flags_text(&o->platform, &platform);
    if (r == 0)
        r = cmd_store(&x.store);
    if (r < 0)
        return r;
    x.o.platform = platform;
    store_tidy(x.store);
    return cmd_each(args, pull_one, &x);
}

const struct cmd cmd_pull = {
    .names = "pull;image pull",
    .args = "[OPTIONS] NAME[:TAG|@DIGEST]...",
    .summary = "fetch images from a registry",
    .description =
        "Fetches each image and prints its id on standard output. A name without a registry is looked for where "
        "registries.conf says, "
        "else at docker.io. What is here already is not fetched again; a pull that was broken goes on from "
        "where it was.",
    .examples =
        "whelk pull busybox\nwhelk pull registry.example.org/team/app:v2\nwhelk pull --platform linux/arm64 debian\n"
        "whelk pull oci:build/image",
    .opts = pull_table,
    .opts_size = sizeof(struct pull_opts),
    .defaults = defaults,
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
