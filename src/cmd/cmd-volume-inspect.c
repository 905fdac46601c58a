/* whelk volume inspect */
#include "volumes.h"

#include "whelk/template.h"

struct inspect_opts {
    bool all;
    char *format;
};

static const struct opt inspect_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct inspect_opts, all), .help = "all volumes"},
    {"format", 'f', OPT_STR, OPT(struct inspect_opts, format), .arg = "TEMPLATE",
     .help = "print a template for each, as '{{.Mountpoint}}'"},
    OPT_END,
};

DEFINE_AUTO(struct template *, template_free)

struct context {
    struct store *store;
    const struct template *template;
    char **used;
    json_t *found;
};

static int inspect_one(const char *arg, void *ctx)
{
    struct context *x = ctx;
    auto_free char *name = NULL;
    auto_with(volume_done) struct volume v = {0};
    int r = volume_find(x->store, arg, &name);
    if (r == 0)
        r = volume_load(x->store, name, &v);
    if (r < 0)
        return r;
    size_t links = 0;
    strv_foreach (used, x->used)
        links += str_eq(used, name);
    json_array_append_new(x->found, volume_json(x->store, &v, links));
    return 0;
}

static int print_found(const struct context *x)
{
    auto_free char *text = NULL;
    if (!x->template) {
        text = json_text(x->found, true);
        printf("%s\n", text);
        return 0;
    }
    int r = 0;
    for (size_t i = 0; i < json_array_size(x->found) && r == 0; i++) {
        auto_buf struct buf out = {0};
        r = template_execute(x->template, json_array_get(x->found, i), &out);
        if (r == 0)
            printf("%s\n", out.data ? out.data : "");
    }
    return r;
}

static int run(void *opts, char **args)
{
    const struct inspect_opts *o = opts;
    auto_json json_t *found = json_array();
    auto_strv char **names = NULL, **used = NULL;
    auto_with(template_free_auto) struct template *template = NULL;
    struct context x = {.found = found};
    int r = o->format && !str_eq(o->format, "json") ? template_parse(o->format, &template) : 0;
    if (r == 0)
        r = cmd_store(&x.store);
    if (r == 0)
        r = volume_targets(x.store, o->all, args, &names);
    if (r == 0)
        r = volumes_used(x.store, &used);
    if (r < 0)
        return r;
    x.template = template;
    x.used = used;
    int status = cmd_each(names, inspect_one, &x);
    r = print_found(&x);
    return r < 0 ? r : status;
}

const struct cmd cmd_volume_inspect = {
    .names = "volume inspect",
    .args = "[OPTIONS] VOLUME [VOLUME...]",
    .summary = "show all about volumes as JSON",
    .description = "Prints a JSON array with an object for each volume. Mountpoint is the directory on the host; its "
                   "files belong to the ids of the store, so a "
                   "user looks at them inside of whelk unshare.",
    .examples = "whelk volume inspect data\nwhelk volume inspect -f '{{.Mountpoint}}' data\nwhelk unshare ls $(whelk "
                "volume inspect -f '{{.Mountpoint}}' data)",
    .opts = inspect_table,
    .opts_size = sizeof(struct inspect_opts),
    .max_args = -1,
    .complete = COMPLETE_VOLUME,
    .run = run,
};
