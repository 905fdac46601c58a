/* whelk events: what happens, and what happened. */
#include "cmd.h"

#include "whelk/event.h"
#include "whelk/filter.h"
#include "whelk/units.h"

struct events_opts {
    char **filters;
    char *since, *until;
    bool stream, no_trunc;
};

static const struct opt events_table[] = {
    {"filter", 'f', OPT_LIST, OPT(struct events_opts, filters), .arg = "KEY=VALUE",
     .help = "only these: container, event, image, label, type, volume"},
    {"no-trunc", 0, OPT_BOOL, OPT(struct events_opts, no_trunc), .help = "show whole ids"},
    {"since", 0, OPT_STR, OPT(struct events_opts, since), .arg = "TIME", .help = "begin with the events after this time"},
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

static int match_image(const void *object, const char *value, void *ctx)
{
    const struct event *e = object;
    return (e->image && filter_regex(e->image, value) > 0) || match_object(e, "image", value);
}

/* docker's "die" is podman's "died". */
static int match_event(const void *object, const char *value, void *ctx)
{
    const struct event *e = object;
    return e->action && str_eq(e->action, str_eq(value, "die") ? "died" : value);
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
    {"container", match_container, false}, {"event", match_event, false}, {"image", match_image, false}, {"label", match_label, true},
    {"type", match_type, false},           {"volume", match_volume, false}, {NULL, NULL, false},
};

static int print_event(const struct event *e, void *ctx)
{
    const struct events_opts *o = ctx;
    char stamp[40];
    int r = filter_match(keys, o->filters, e, NULL);
    if (r <= 0)
        return r;
    printf("%s %s %s %.*s (name=%s", time_format(e->time, stamp), e->type, e->action, o->no_trunc ? 64 : 12, e->id ? e->id : "",
           e->name ? e->name : "");
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

static int run(void *opts, char **args)
{
    struct events_opts *o = opts;
    struct store *s;
    int64_t since = time_now(), until = 0;
    int r = filter_check(keys, o->filters);
    if (r == 0 && o->since)
        r = filter_time(o->since, &since);
    else if (!o->stream || o->until)
        since = 0;
    if (r == 0 && o->until)
        r = filter_time(o->until, &until);
    if (r == 0)
        r = cmd_store(&s);
    return r < 0 ? r : events_read(s, since, until, o->stream && (!until || until > time_now()), print_event, o);
}

const struct cmd cmd_events = {
    .names = "events;system events",
    .args = "[OPTIONS]",
    .summary = "show what happens to containers",
    .description = "Prints events as they come, a line each, until interrupted; with --since also those of the past, with --until or --stream=false only those.",
    .examples = "whelk events\nwhelk events --since 1h --stream=false\nwhelk events -f type=container -f event=died",
    .opts = events_table,
    .opts_size = sizeof(struct events_opts),
    .defaults = defaults,
    .max_args = 0,
    .run = run,
};
