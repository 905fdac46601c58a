/* whelk inspect: everything about containers and images as JSON. */
#include "cmd.h"
#include "inspect.h"
#include "targets.h"

struct inspect_opts {
    char *format, *type;
    bool latest, size;
};

static const struct opt inspect_table[] = {
    {"format", 'f', OPT_STR, OPT(struct inspect_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each object, as '{{.Id}}'"},
    TARGET_LATEST(offsetof(struct inspect_opts, latest)),
    {"size", 's', OPT_BOOL, OPT(struct inspect_opts, size),
     .help = "show what containers wrote (SizeRw), and what they hold (SizeRootFs)"},
    {"type", 0, OPT_STR, OPT(struct inspect_opts, type), .arg = "KIND",
     .help = "look only among these: container, image, network or volume", .def = "all", .complete = COMPLETE_WORDS,
     .words = "container image network volume all"},
    OPT_END,
};

static int inspect_latest(const struct inspect_request *q)
{
    auto_with(ctr_done) struct ctr c = {0};
    struct store *s;
    int r = cmd_store(&s);
    if (r == 0)
        r = target_load(s, true, NULL, &c);
    return r < 0 ? r : inspect_print(q, (char *[]){c.id, NULL});
}

static int run(void *opts, char **args)
{
    const struct inspect_opts *o = opts;
    const char *type = o->type ? o->type : "all";
    if (str_eq(type, "pod"))
        return err_set(-EINVAL, "--type pod: whelk has no pods; known: container, image, network, volume, all");
    bool all = str_eq(type, "all"), container = str_eq(type, "container"), image = str_eq(type, "image"),
         volume = str_eq(type, "volume"), network = str_eq(type, "network");
    if (!all && !container && !image && !volume && !network)
        return err_set(-EINVAL, "--type %s is not known; known: container, image, network, volume, all", type);
    if (o->latest && (*args || !(all || container)))
        return err_set(-EINVAL, "--latest is a container, and takes no names besides");
    if (!o->latest && !*args)
        return err_set(-EINVAL, "\"whelk inspect\" needs at least one NAME|ID argument; see whelk inspect --help");
    struct inspect_request q = {.containers = all || container,
                                .images = all || image,
                                .volumes = all || volume,
                                .networks = all || network,
                                .size = o->size,
                                .format = o->format};
    return o->latest ? inspect_latest(&q) : inspect_print(&q, args);
}

const struct cmd cmd_inspect = {
    .names = "inspect",
    .args = "[OPTIONS] NAME|ID [NAME|ID...]",
    .summary = "show all about containers and images as JSON",
    .description = "Prints a JSON array with an object for each container or image in docker's shape, containers "
                   "first. What is not found is told on standard "
                   "error; the rest is printed all the same.",
    .examples = "whelk inspect web\nwhelk inspect -f '{{.State.Status}} {{.State.ExitCode}}' web\nwhelk inspect web | "
                "jq '.[0].State'\nwhelk inspect --type image web | jq '.[0].Config.Env'",
    .opts = inspect_table,
    .opts_size = sizeof(struct inspect_opts),
    .max_args = -1,
    .complete = COMPLETE_ANY,
    .run = run,
};
