/* whelk system prune: removes all that nobody needs (C-147). */
#include "confirm.h"
#include "containers.h"
#include "images.h"
#include "prune.h"
#include "volumes.h"

#include "whelk/gc.h"

struct prune_opts {
    bool all, force, volumes, build;
    char **filters;
};

static const struct opt prune_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct prune_opts, all),
     .help = "also images that have a name, unless a container uses them, and the whole build cache"},
    {"build", 0, OPT_BOOL, OPT(struct prune_opts, build), .help = "the whole build cache"},
    {"filter", 0, OPT_LIST, OPT(struct prune_opts, filters), .arg = "KEY=VALUE",
     .help = "only what matches: label, label!, until", .complete = COMPLETE_WORDS, .words = "label= until="},
    {"force", 'f', OPT_BOOL, OPT(struct prune_opts, force), .help = "do not ask"},
    {"volumes", 0, OPT_BOOL, OPT(struct prune_opts, volumes), .help = "also anonymous volumes that no container has"},
    OPT_END,
};

/* What comes, before anybody is asked. Caller frees. */
static char *warning(const struct prune_opts *o)
{
    return xasprintf("This will remove all containers that do not run, all networks that no container has, %sall images without %s, %s build cache, and what broken pulls left.",
                     o->volumes ? "all anonymous volumes that no container has, " : "",
                     o->all ? "a container that uses them" : "a name that no container uses",
                     o->all || o->build ? "the whole" : "the unused");
}

static int prune_rest(struct store *s, const struct prune_opts *o, uint64_t *sum)
{
    struct prune_out steps = {.headline = "Deleted Build Cache:"}, images = {.headline = "Deleted Images:"},
                     partial = {.headline = "Deleted Partial Pulls:"};
    int r = 0;
    if (!o->filters) /* a step has no labels, and is used by who knows whom */
        r = prune_steps(s, o->all || o->build, &steps);
    if (r == 0 && steps.begun)
        printf("\n");
    if (r == 0)
        r = prune_images(s, o->all, o->filters, &images);
    if (r == 0 && images.begun)
        printf("\n");
    if (!o->filters)
        prune_partial_blobs(s, &partial);
    if (partial.begun)
        printf("\n");
    *sum += images.bytes + partial.bytes;
    return r;
}

static int prune(struct store *s, const struct prune_opts *o)
{
    struct prune_out containers = {.headline = "Deleted Containers:"}, networks = {.headline = "Deleted Networks:"},
                     volumes = {.headline = "Deleted Volumes:"};
    int status = 0;
    store_tidy(s);
    int r = prune_containers(s, o->filters, &containers);
    if (r == 0 && containers.begun)
        printf("\n");
    if (r == 0)
        r = status = prune_networks(s, o->filters, &networks);
    if (networks.begun)
        printf("\n");
    if (r == 0 && o->volumes)
        r = status = prune_volumes(s, false, false, o->filters, &volumes);
    if (volumes.begun)
        printf("\n");
    uint64_t sum = containers.bytes + volumes.bytes;
    if (r >= 0)
        r = prune_rest(s, o, &sum);
    if (r < 0)
        return r;
    prune_total(sum);
    return status;
}

static int run(void *opts, char **args)
{
    const struct prune_opts *o = opts;
    struct store *s;
    auto_free char *text = warning(o);
    int r = filter_check(ctr_prune_filters, o->filters);
    if (r < 0)
        return r;
    r = o->force ? 1 : cmd_confirm(text);
    if (r <= 0)
        return r;
    r = cmd_store(&s);
    return r < 0 ? r : prune(s, o);
}

const struct cmd cmd_system_prune = {
    .names = "system prune",
    .args = "[OPTIONS]",
    .summary = "remove all that nobody needs",
    .description =
        "Removes containers that do not run, networks that no container has, images without a name, unused cached build steps and what broken pulls left, and prints "
        "what went and what that freed. Says before what it will remove and asks, on a terminal; elsewhere "
        "--force is needed.",
    .examples = "whelk system prune\nwhelk system prune -f --filter until=24h\nwhelk system prune -af --volumes",
    .opts = prune_table,
    .opts_size = sizeof(struct prune_opts),
    .max_args = 0,
    .run = run,
};
