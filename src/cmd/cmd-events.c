/* whelk events: what happens, and what happened. */
#include "cmd.h"

#include "whelk/event.h"
#include "whelk/filter.h"
#include "whelk/template.h"
#include "whelk/units.h"

struct events_opts {
    char **filters;
    char *format, *since, *until;
    bool stream, no_trunc;
    struct template *template; /* of format */
};

static const struct opt events_table[] = {
    {"filter", 'f', OPT_LIST, OPT(struct events_opts, filters), .arg = "KEY=VALUE",
     .help = "only these: container, event, image, label, network, secret, type, volume"},
    {"format", 0, OPT_STR, OPT(struct events_opts, format), .arg = "TEMPLATE",
     .help = "json, or a template for each event, as '{{.Action}} {{.Name}}'"},
    {"no-trunc", 0, OPT_BOOL, OPT(struct events_opts, no_trunc), .help = "show whole ids"},
    {"since", 0, OPT_STR, OPT(struct events_opts, since), .arg = "TIME",
     .help = "begin with the events after this time"},
    {"stream", 0, OPT_BOOL, OPT(struct events_opts, stream), .help = "go on with the events to come", .def = "true"},
    {"until", 0, OPT_STR, OPT(struct events_opts, until), .arg = "TIME", .help = "end at this time"},
    OPT_END,
};

static int match_object(const struct event *e, const char *type, const char *value)
{
    if (!e->type || !str_eq(e->type, type))
        return 0;
    return (e->name && str_eq(e->name, value)) || (e->id && str_after(e->id, value) != NULL);
}

static int match_container(const void *object, const char *value, void *ctx)
{
    return match_object(object, "container", value);
}

static int match_volume(const void *object, const char *value, void *ctx)
{
    return match_object(object, "volume", value);
}

static int match_network(const void *object, const char *value, void *ctx)
{
    return match_object(object, "network", value);
}

static int match_secret(const void *object, const char *value, void *ctx)
{
    return match_object(object, "secret", value);
}

static int match_image(const void *object, const char *value, void *ctx)
{
    const struct event *e = object;
    const char *name = e->type && str_eq(e->type, "image") ? e->name : e->image;
    return (name && filter_regex(name, value) > 0) || match_object(e, "image", value);
}

/* docker's and podman's other words for the same. */
static int match_event(const void *object, const char *value, void *ctx)
{
    static const char *const same[][2] = {
        {"delete", "remove"}, {"destroy", "remove"}, {"die", "died"}, {"loadFromArchive", "load"}};
    const struct event *e = object;
    for (size_t i = 0; i < ARRAY_LEN(same); i++)
        if (str_eq(value, same[i][0]))
            value = same[i][1];
    return e->action && str_eq(e->action, value);
}

static int match_type(const void *object, const char *value, void *ctx)
{
    const struct event *e = object;
    return e->type && str_eq(e->type, value);
}

static int match_label(const void *object, const char *value, void *ctx)
{
    return filter_label(((const struct event *)object)->attributes, value);
}

static const struct filter_key keys[] = {
    {"container", match_container, false}, {"event", match_event, false},     {"image", match_image, false},
    {"label", match_label, true},          {"network", match_network, false}, {"secret", match_secret, false},
    {"type", match_type, false},           {"volume", match_volume, false},   {NULL, NULL, false},
};

static json_t *text(const char *s)
{
    return json_from_str(s ? s : "");
}

/* Labels and facts, with the name and the image, as docker has them. */
static json_t *attributes_json(const struct event *e)
{
    json_t *o = json_object();
    strv_foreach (pair, e->attributes) {
        auto_free char *key = xstrndup(pair, strcspn(pair, "="));
        const char *eq = strchr(pair, '=');
        json_object_set_new(o, key, text(eq ? eq + 1 : ""));
    }
    json_object_set_new(o, "name", text(e->name));
    if (e->image)
        json_object_set_new(o, "image", text(e->image));
    return o;
}

static json_t *exit_json(const struct event *e)
{
    const char *code = strv_env_get(e->attributes, "exitCode");
    int64_t n;
    return code && str_to_i64(code, &n) ? json_integer(n) : json_null();
}

/* The members as docker's JSON spells them, and as its and podman's templates do. */
static json_t *event_json(const struct event *e)
{
    json_int_t seconds = e->time / 1000000000;
    auto_json json_t *attributes = attributes_json(e);
    json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:{s:o, s:O}, s:s, s:I, s:I}", "status", text(e->action), "id",
                          text(e->id), "from", text(e->image), "Type", text(e->type), "Action", text(e->action),
                          "Actor", "ID", text(e->id), "Attributes", attributes, "scope", "local", "time", seconds,
                          "timeNano", (json_int_t)e->time);
    static const char *const also[][2] = {{"Status", "status"}, {"ID", "id"},     {"From", "from"},
                                          {"Scope", "scope"},   {"Time", "time"}, {"TimeNano", "timeNano"},
                                          {"Image", "from"}};
    for (size_t i = 0; i < ARRAY_LEN(also); i++)
        json_object_set(o, also[i][0], json_object_get(o, also[i][1]));
    json_object_set_new(o, "Name", text(e->name));
    json_object_set(o, "Attributes", attributes);
    json_object_set_new(o, "ContainerExitCode", exit_json(e));
    json_object_set_new(o, "Error", text(strv_env_get(e->attributes, "error")));
    json_object_set_new(o, "HealthStatus", text(strv_env_get(e->attributes, "healthStatus")));
    return o;
}

static int print_formatted(const struct event *e, const struct template *t)
{
    auto_buf struct buf out = {0};
    auto_json json_t *o = event_json(e);
    int r = template_execute(t, o, &out);
    if (r < 0)
        return r;
    buf_addc(&out, '\n');
    fwrite(out.data, 1, out.len, stdout);
    return fflush(stdout) != 0 ? -EPIPE : 0;
}

static int print_event(const struct event *e, void *ctx)
{
    const struct events_opts *o = ctx;
    char stamp[40];
    int r = filter_match(keys, o->filters, e, NULL);
    if (r <= 0)
        return r;
    if (o->template)
        return print_formatted(e, o->template);
    printf("%s %s %s %.*s (name=%s", time_format(e->time, stamp), e->type, e->action, o->no_trunc ? 64 : 12,
           e->id ? e->id : "", e->name ? e->name : "");
    if (e->image)
        printf(", image=%s", e->image);
    strv_foreach (attribute, e->attributes)
        printf(", %s", attribute);
    printf(")\n");
    return fflush(stdout) != 0 ? -EPIPE : 0;
}

static void defaults(void *opts)
{
    ((struct events_opts *)opts)->stream = true;
}

/* What whelk has none of, is told so. */
static int check_filters(const struct events_opts *o)
{
    strv_foreach (filter, o->filters)
        if (str_after(filter, "pod=") || str_eq(filter, "type=pod"))
            return err_set(-EINVAL, "--filter %s: whelk has no pods, so nothing happens to them", filter);
    return filter_check(keys, o->filters);
}

static int parse_format(struct events_opts *o)
{
    return o->format ? template_parse(str_eq(o->format, "json") ? "{{json .}}" : o->format, &o->template) : 0;
}

static int run(void *opts, char **args)
{
    struct events_opts *o = opts;
    struct store *s;
    int64_t since = time_now(), until = 0;
    int r = check_filters(o);
    if (r == 0)
        r = parse_format(o);
    if (r == 0 && o->since)
        r = filter_time(o->since, &since);
    else if (!o->stream || o->until)
        since = 0;
    if (r == 0 && o->until)
        r = filter_time(o->until, &until);
    if (r == 0)
        r = cmd_store(&s);
    if (r == 0)
        r = events_read(s, since, until, o->stream && (!until || until > time_now()), print_event, o);
    template_free(o->template);
    return r;
}

const struct cmd cmd_events = {
    .names = "events;system events",
    .args = "[OPTIONS]",
    .summary = "show what happens to containers",
    .description = "Prints events as they come, a line each, until interrupted; with --since also those of the past, "
                   "with --until or --stream=false only those.",
    .examples = "whelk events\nwhelk events --since 1h --stream=false\nwhelk events -f type=container -f "
                "event=died\nwhelk events --format '{{json .}}'",
    .opts = events_table,
    .opts_size = sizeof(struct events_opts),
    .defaults = defaults,
    .max_args = 0,
    .run = run,
};
