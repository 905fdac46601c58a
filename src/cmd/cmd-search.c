/* whelk search: what a registry has. */
#include "cmd.h"

#include "listing.h"
#include "registry-flags.h"
#include "whelk/filter.h"
#include "whelk/json.h"
#include "whelk/ref.h"

struct search_opts {
    struct registry_flags registry;
    char *format, **filters;
    int64_t limit;
    bool list_tags, no_trunc;
};

enum { LIMIT_USUAL = 25, LIMIT_MAX = 100, TAGS_LIMIT_MAX = 100000, CATALOG_MAX = 10000, DESCRIPTION_WIDTH = 44 };

static const struct opt search_table[] = {
    REGISTRY_TRANSFER_ROWS(struct search_opts, registry),
    {"filter", 'f', OPT_LIST, OPT(struct search_opts, filters), .arg = "KEY=VALUE",
     .help = "only what matches: stars=N (at least), is-official=true"},
    {"format", 0, OPT_STR, OPT(struct search_opts, format), .arg = "FORMAT",
     .help = "print each by a template, or json"},
    {"limit", 0, OPT_INT, OPT(struct search_opts, limit), .arg = "N", .help = "at most so many", .def = "25"},
    {"list-tags", 0, OPT_BOOL, OPT(struct search_opts, list_tags), .help = "the tags of the repository TERM"},
    {"no-trunc", 0, OPT_BOOL, OPT(struct search_opts, no_trunc), .help = "whole descriptions"},
    OPT_END,
};

static void defaults(void *opts)
{
    registry_flags_defaults(&((struct search_opts *)opts)->registry);
}

/* ---- what is found: objects of strings and numbers, as json and templates show them ---- */

static void add_found(json_t *list, const char *index, const char *name, const char *description, int64_t stars,
                      bool official)
{
    json_t *o = json_object();
    json_object_set_new(o, "Index", json_from_str(index));
    json_object_set_new(o, "Name", json_from_str(name));
    json_object_set_new(o, "Description", json_from_str(description));
    json_object_set_new(o, "Stars", json_integer(stars));
    json_object_set_new(o, "Official", json_string(official ? "[OK]" : ""));
    json_array_append_new(list, o);
}

/* docker.io has an interface of its own; its registry has no catalog. */
static int search_hub(const char *term, const struct search_opts *o, const struct registry_options *r_options,
                      json_t *list)
{
    auto_registry struct registry *hub = NULL;
    auto_json json_t *answer = NULL;
    auto_free char *text = NULL, *path = NULL;
    auto_buf struct buf query = {0};
    size_t len, i;
    for (const char *c = term; *c; c++)
        buf_addf(&query, (*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') ? "%c" : "%%%02X", (unsigned char)*c);
    path = xasprintf("/v1/search?q=%s&n=%lld", query.data ?: "", (long long)(o->limit ?: LIMIT_USUAL));
    int r = registry_open_host("index.docker.io", r_options, &hub);
    if (r == 0)
        r = registry_get(hub, path, &text, &len);
    if (r == 0)
        r = json_parse("the answer of docker.io", text, len, &answer);
    const json_t *one;
    json_array_foreach(json_object_get(answer, "results"), i, one)
    {
        auto_free char *name = xasprintf("docker.io/%s%s", strchr(json_str(one, "name") ?: "/", '/') ? "" : "library/",
                                         json_str(one, "name") ?: "");
        add_found(list, "docker.io", name, json_str(one, "description") ?: "", json_int(one, "star_count", 0),
                  json_bool(one, "is_official", false));
    }
    return r;
}

static int search_catalog(const char *host, const char *term, const struct registry_options *r_options, json_t *list)
{
    auto_registry struct registry *registry = NULL;
    auto_strv char **names = NULL;
    int r = registry_open_host(host, r_options, &registry);
    if (r == 0)
        r = registry_catalog(registry, CATALOG_MAX, &names);
    if (r < 0)
        return r;
    strv_foreach (name, names) {
        auto_free char *full = xasprintf("%s/%s", host, name);
        if (strstr(name, term))
            add_found(list, host, full, "", 0, false);
    }
    return 0;
}

/* TERM is "host/term", or a term for docker.io. */
static int search(const char *typed, const struct search_opts *o, const struct registry_options *r_options,
                  json_t *list)
{
    const char *slash = strchr(typed, '/');
    auto_free char *host = slash ? xstrndup(typed, slash - typed) : xstrdup("docker.io");
    const char *term = slash ? slash + 1 : typed;
    if (slash && !strpbrk(host, ".:") && !str_eq(host, "localhost")) { /* a user of docker.io */
        free(host);
        host = xstrdup("docker.io");
        term = typed;
    }
    if (str_eq(host, "docker.io"))
        return search_hub(term, o, r_options, list);
    return search_catalog(host, term, r_options, list);
}

static int list_tags(const char *typed, const struct registry_options *r_options, json_t *list)
{
    auto_registry struct registry *registry = NULL;
    auto_with(ref_done) struct ref ref = {0};
    auto_strv char **tags = NULL;
    int r = ref_parse(typed, &ref);
    if (r == 0 && (ref.tag || ref.digest))
        r = err_set(-EINVAL, "--list-tags wants a name without a tag or digest");
    if (r < 0)
        return r;
    auto_free char *full = ref_full(&ref, "docker.io"), *repository = NULL, *tag = NULL;
    ref_split_display(full, &repository, &tag);
    r = registry_open(full, false, r_options, &registry);
    if (r == 0)
        r = registry_tags(registry, &tags);
    strv_foreach (each, tags) {
        json_t *o = json_object();
        json_object_set_new(o, "Name", json_from_str(repository));
        json_object_set_new(o, "Tag", json_from_str(each));
        json_array_append_new(list, o);
    }
    return r;
}

/* ---- filters ---- */

static int match_stars(const void *object, const char *value, void *ctx)
{
    uint64_t least;
    if (!str_to_u64(value, &least))
        return err_set(-EINVAL, "--filter stars=%s: not a number", value);
    return json_int(object, "Stars", 0) >= (int64_t)MIN(least, (uint64_t)INT64_MAX);
}

static int match_official(const void *object, const char *value, void *ctx)
{
    bool official = !str_empty(json_str(object, "Official"));
    return str_eq(value, "false") ? !official : official;
}

static const struct filter_key filter_keys[] = {
    {"stars", match_stars},
    {"is-official", match_official},
    {NULL},
};

/* Drops what does not match, and what is beyond the limit. */
static int narrow(json_t *list, const struct search_opts *o)
{
    size_t limit = o->limit ? (size_t)o->limit : o->list_tags ? TAGS_LIMIT_MAX : LIMIT_USUAL;
    for (size_t i = 0; i < json_array_size(list);) {
        int r = i < limit ? filter_match(filter_keys, o->filters, json_array_get(list, i), NULL) : 0;
        if (r < 0)
            return r;
        if (r == 0)
            json_array_remove(list, i);
        else
            i++;
    }
    return 0;
}

/* ---- the command ---- */

static const struct template_column columns[] = {
    {"Name", "NAME", true},    {"Description", "DESCRIPTION", true},
    {"Stars", "STARS", true},  {"Official", "OFFICIAL", true},
    {"Index", "INDEX", false},
};
static const struct template_column tag_columns[] = {{"Name", "NAME", true}, {"Tag", "TAG", true}};

static void cut_descriptions(json_t *list)
{
    json_t *one;
    size_t i;
    json_array_foreach(list, i, one)
    {
        const char *text = json_str(one, "Description");
        if (!text || strlen(text) <= DESCRIPTION_WIDTH)
            continue;
        auto_free char *cut = xasprintf("%.*s...", DESCRIPTION_WIDTH - 3, text);
        json_object_set_new(one, "Description", json_from_str(cut));
    }
}

static int check(const struct search_opts *o)
{
    int64_t max = o->list_tags ? TAGS_LIMIT_MAX : LIMIT_MAX;
    if (o->limit < 0 || o->limit > max)
        return err_set(-EINVAL, "--limit is a number from 1 to %lld, not %lld", (long long)max, (long long)o->limit);
    if (o->list_tags && o->filters)
        return err_set(-EINVAL, "--filter is not for tags");
    return filter_check(filter_keys, o->filters);
}

static int run(void *opts, char **args)
{
    const struct search_opts *o = opts;
    struct registry_options registry;
    auto_json json_t *list = json_array();
    int r = check(o);
    if (r == 0)
        r = registry_flags_options(&o->registry, &registry);
    if (r < 0)
        return r;
    r = o->list_tags ? list_tags(args[0], &registry, list) : search(args[0], o, &registry, list);
    if (r < 0)
        return err_wrap(r, "cannot search for %s", args[0]);
    r = narrow(list, o);
    if (r < 0)
        return r;
    if (!o->no_trunc && !o->format)
        cut_descriptions(list);
    return o->list_tags ? listing_print(o->format, tag_columns, ARRAY_LEN(tag_columns), list, true)
                        : listing_print(o->format, columns, ARRAY_LEN(columns), list, true);
}

const struct cmd cmd_search = {
    .names = "search;image search",
    .args = "[OPTIONS] [REGISTRY/]TERM",
    .summary = "search a registry",
    .description =
        "Lists the repositories of REGISTRY that have TERM in their names, by its catalog; without a registry, what "
        "docker.io's search finds. With --list-tags TERM is a repository, and its tags are listed.",
    .examples = "whelk search busybox\nwhelk search registry.example.org/app\n"
                "whelk search --list-tags registry.example.org/team/app",
    .opts = search_table,
    .opts_size = sizeof(struct search_opts),
    .defaults = defaults,
    .min_args = 1,
    .max_args = 1,
    .run = run,
};
