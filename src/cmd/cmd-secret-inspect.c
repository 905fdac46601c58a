/* whelk secret inspect */
#include "listing.h"
#include "secrets.h"

#include "whelk/units.h"

struct inspect_opts {
    bool pretty, show;
    char *format;
};

static const struct opt inspect_table[] = {
    {"format", 'f', OPT_STR, OPT(struct inspect_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each secret, as '{{.Spec.Name}}'"},
    {"pretty", 0, OPT_BOOL, OPT(struct inspect_opts, pretty), .help = "lines to read in place of JSON"},
    {"showsecret", 0, OPT_BOOL, OPT(struct inspect_opts, show), .help = "with what is in it"},
    OPT_END,
};

struct context {
    struct store *store;
    const struct inspect_opts *opts;
    json_t *found;
};

static int inspect_one(const char *arg, void *ctx)
{
    struct context *x = ctx;
    auto_free char *name = NULL, *data = NULL;
    struct secret secret = {0};
    int r = secret_find(x->store, arg, &name);
    if (r == 0)
        r = secret_load(x->store, name, &secret);
    if (r == 0 && x->opts->show)
        r = secret_read(x->store->fd, name, &data, NULL);
    if (r < 0)
        return r == -ENOENT && err_is_clear() ? err_set(r, "no such secret: %s", arg) : r;
    json_t *o = secret_json(&secret);
    if (data)
        json_object_set_new(o, "SecretData", json_from_str(data));
    json_array_append_new(x->found, o);
    secret_done(&secret);
    return 0;
}

static void print_pretty(const json_t *o)
{
    const json_t *spec = json_object_get(o, "Spec"), *value;
    const char *key;
    printf("ID:              %s\nName:            %s\nLabels:\n", json_str(o, "ID"), json_str(spec, "Name"));
    json_object_foreach(json_object_get(spec, "Labels"), key, value)
    {
        auto_free char *label = xasprintf("%s=%s", key, json_string_value(value));
        auto_free char *shown = str_printable(label);
        printf(" - %s\n", shown);
    }
    printf("Driver:          %s\nCreated at:      %s\nUpdated at:      %s\n",
           json_str(json_object_get(spec, "Driver"), "Name"), json_str(o, "CreatedAt"), json_str(o, "UpdatedAt"));
    if (json_str(o, "SecretData"))
        printf("Secret:          %s\n", json_str(o, "SecretData"));
}

static int print(const struct inspect_opts *o, const json_t *found)
{
    int r = 0;
    if (o->format && !str_eq(o->format, "json")) {
        for (size_t i = 0; i < json_array_size(found) && r == 0; i++)
            r = listing_print_object(o->format, json_array_get(found, i));
        return r;
    }
    if (o->pretty) {
        for (size_t i = 0; i < json_array_size(found); i++)
            print_pretty(json_array_get(found, i));
        return 0;
    }
    auto_free char *text = json_text(found, true);
    printf("%s\n", text);
    return 0;
}

static int run(void *opts, char **args)
{
    auto_json json_t *found = json_array();
    struct context x = {.opts = opts, .found = found};
    if (x.opts->pretty && x.opts->format)
        return err_set(-EINVAL, "--pretty and --format cannot be used together");
    int r = cmd_store(&x.store);
    if (r < 0)
        return r;
    int status = cmd_each(args, inspect_one, &x);
    r = print(x.opts, found);
    return r < 0 ? r : status;
}

const struct cmd cmd_secret_inspect = {
    .names = "secret inspect",
    .args = "[OPTIONS] SECRET [SECRET...]",
    .summary = "show what is known about secrets",
    .description = "Prints a JSON array with an object for each secret. What is in it is shown with --showsecret only.",
    .examples = "whelk secret inspect db-password\nwhelk secret inspect -f '{{.Spec.Name}} {{.UpdatedAt}}' "
                "db-password\nwhelk secret inspect --showsecret --pretty db-password",
    .opts = inspect_table,
    .opts_size = sizeof(struct inspect_opts),
    .min_args = 1,
    .max_args = -1,
    .complete = COMPLETE_SECRET,
    .run = run,
};
