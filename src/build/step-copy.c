/* COPY (DF-39, S-063) and what ADD has in common with it: flags and arguments, and what is taken from where.
 * copy-source.c finds the files, copy-put.c puts them into the tree of a new layer.
 *
 * Runs in: copy_prepare in the invocation; what reads layers in the BUILDER. */
#include "copy-work.h"

#include "lex.h"

#include "whelk/err.h"
#include "whelk/fd.h"

void copy_done(struct step *s)
{
    struct copy_work *w = s->work;
    if (!w)
        return;
    copy_list_done(&w->list);
    if (w->tree.layers)
        fd_close(w->tree.fd);
    add_done(s, w);
    ignore_free(w->exclude);
    strv_free(w->sources);
    strv_free(w->texts);
    strv_free(w->names);
    strv_free(w->layers);
    strv_free(w->diffids);
    free(w->destination);
    free(w->chown);
    free(w->chmod);
    free(w->what);
    free(w);
}

/* ---- preparing ---- */

static int expand_flag(struct step *s, const char *name, char **ret)
{
    const char *flag = instruction_flag(s->i, name);
    return flag ? expand_word(flag, s->b->file.escape, build_state_lookup, s->state, ret) : 0;
}

/* --exclude may be given again: its patterns are read like those of an ignore file. */
static int read_exclude(struct step *s, struct copy_work *w)
{
    auto_buf struct buf text = {0};
    int r = 0;
    strv_foreach (flag, s->i->flags) {
        const char *pattern = str_after(flag, "exclude=");
        auto_free char *expanded = NULL;
        if (!pattern)
            continue;
        r = expand_word(pattern, s->b->file.escape, build_state_lookup, s->state, &expanded);
        if (r < 0)
            return r;
        buf_addf(&text, "%s\n", expanded);
    }
    return text.len ? ignore_parse("--exclude", text.data, text.len, &w->exclude) : 0;
}

static int read_flags(struct step *s, struct copy_work *w)
{
    int r = expand_flag(s, "chown", &w->chown);
    if (r == 0)
        r = expand_flag(s, "chmod", &w->chmod);
    if (r == 0 && w->chmod)
        r = mode_parse(w->chmod, &w->mode);
    if (r == 0)
        r = read_exclude(s, w);
    cache_key_add(&s->key, "chown", w->chown);
    cache_key_add(&s->key, "chmod", w->chmod);
    return r;
}

static bool ends_as_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *last = slash ? slash + 1 : path;
    return !*last || str_eq(last, ".") || str_eq(last, "..");
}

/* A file that stands in the Dockerfile (DF-06). */
static int read_heredoc(struct step *s, struct copy_work *w, const struct heredoc *h)
{
    auto_free char *text = heredoc_text(h);
    char *expanded = NULL;
    if (strchr(h->name, '/') || str_eq(h->name, ".") || str_eq(h->name, ".."))
        return err_set(-EINVAL, "<<%s is no name of a file", h->name);
    int r = h->expands ? expand_text(text, '\\', build_state_lookup, s->state, &expanded) : 0;
    if (r < 0)
        return r;
    strv_add_take(&w->texts, expanded ? expanded : take_ptr(&text));
    strv_add(&w->names, h->name);
    return 0;
}

static bool is_heredoc(const struct step *s, const char *written)
{
    struct lex_word word = {written, strlen(written)};
    return !s->i->json && s->i->n_heredocs && lex_is_heredoc(&word);
}

static int read_args(struct step *s, struct copy_work *w)
{
    size_t n = strv_len(s->args);
    int r = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        if (is_heredoc(s, s->i->args[i]))
            continue;
        if (!*s->args[i])
            return err_set(-EINVAL, "a source is empty; is a variable not set?");
        strv_add(s->i->kind == INSTR_ADD && add_is_remote(s->args[i]) ? &w->remotes : &w->sources, s->args[i]);
    }
    for (size_t i = 0; i < s->i->n_heredocs && r == 0; i++)
        r = read_heredoc(s, w, &s->i->heredocs[i]);
    if (r < 0)
        return r;
    w->destination = xstrdup(s->args[n - 1]);
    w->into = ends_as_directory(w->destination);
    if (s->link) /* the key does not know the stage's working directory */
        cache_key_add(&s->key, "workdir", build_state_workdir(s->state));
    if (!*w->destination)
        return err_set(-EINVAL, "the destination is empty; is a variable not set?");
    return 0;
}

int copy_check_list(const struct copy_work *w)
{
    if (w->list.n_sources <= 1 || w->into || w->tree.parents)
        return 0;
    return err_set(-EINVAL, "with more than one source the destination must be a directory and end with a /: %s/",
                   w->destination);
}

/* The list, once. Several sources want a directory, and it must be written as one. */
static int make_list(const struct step *s, struct copy_work *w)
{
    w->tree.exclude = w->exclude;
    w->tree.parents = instruction_switch(s->i, "parents");
    int r = copy_list_add(&w->tree, w->sources, &w->list);
    for (size_t i = 0; r == 0 && i < strv_len(w->texts); i++)
        copy_list_add_text(&w->list, w->names[i], w->texts[i], s->state->created);
    return r < 0 ? r : copy_check_list(w);
}

static int take_context(struct step *s, struct copy_work *w, const struct plan_source *from)
{
    struct builder *b = s->b;
    struct context *c = &b->context;
    int r = from->kind == FROM_NAMED ? builder_named(b, from->named, &c) : 0;
    if (r < 0)
        return r;
    w->what = from->kind == FROM_NAMED ? xasprintf("the build context %s", b->plan.names[from->named].name)
                                       : xstrdup("the build context");
    w->tree = (struct copy_tree){
        .fd = c->fd,
        .what = w->what,
        .ignore = c->ignore,
        .ignore_name = c->ignore_name,
        .trust_stat = !b->options->no_cache,
        .digests = b->digests,
    };
    r = make_list(s, w);
    return r < 0 ? r : copy_list_key(&w->list, &s->key);
}

static int take_image(struct step *s, struct copy_work *w, const char *image)
{
    struct image_config config = {0};
    auto_free char *id = NULL;
    int r = builder_image(s->b, image, &id, &config, &w->layers);
    if (r < 0)
        return err_wrap(r, "--from=%s: this is no stage before this one, and no image that is here", image);
    w->diffids = image_config_diff_ids(&config);
    w->what = xasprintf("image %s", image);
    image_config_done(&config);
    return 0;
}

static int take_stage(struct step *s, struct copy_work *w, size_t stage)
{
    const struct build_state *from;
    const char *name = s->b->file.stages[stage].name;
    int r = builder_stage(s->b, s->stage, stage, &from);
    if (r < 0)
        return r;
    w->layers = strv_copy(from->layers);
    w->diffids = image_config_diff_ids(&from->config);
    w->what = name ? xasprintf("stage %s", name) : xasprintf("stage %zu", stage);
    return 0;
}

static int take_layers(struct step *s, struct copy_work *w, const struct plan_source *from)
{
    int r = from->kind == FROM_STAGE ? take_stage(s, w, from->stage) : take_image(s, w, from->image);
    s->indirect = true;
    w->tree = (struct copy_tree){.fd = -1,
                                 .what = w->what,
                                 .layers = true,
                                 .kept_owners = idmap_single(&s->b->store->map),
                                 .digests = s->b->digests};
    return r;
}

int copy_prepare(struct step *s)
{

    const struct plan_source *from = &s->b->plan.stages[s->stage].copies[s->number];
    struct copy_work *w = s->work = xcalloc(1, sizeof(*w));
    int r = read_args(s, w);
    if (r == 0)
        r = read_flags(s, w);
    if (r == 0 && s->i->kind == INSTR_ADD)
        r = add_read_flags(s, w);
    if (r < 0)
        return r;
    bool files = from->kind == FROM_CONTEXT || from->kind == FROM_NAMED;
    return files ? take_context(s, w, from) : take_layers(s, w, from);
}

int copy_tell(struct step *s, struct buf *told)
{
    const struct copy_work *w = s->work;
    return copy_list_tell(&w->list, told);
}

int copy_key_source(struct step *s, struct cache_key *k)
{
    const struct copy_work *w = s->work;
    cache_key_add_strv(k, "diffids", w->diffids);
    return 0;
}

int copy_key_content(struct step *s, struct cache_key *k)
{
    struct copy_work *w = s->work;
    int r = builder_merged(s->b, w->layers, &w->tree.fd);
    if (r == 0)
        r = make_list(s, w);
    return r < 0 ? r : copy_list_key(&w->list, k);
}
