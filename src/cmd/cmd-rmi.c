/* whelk rmi: takes names from images and removes images without one. */
#include "cmd.h"
#include "rmi.h"

#include "whelk/cache.h"
#include "whelk/ctr.h"
#include "whelk/gc.h"
#include "whelk/id.h"
#include "whelk/image.h"

struct rmi_opts {
    bool all, force, ignore;
};

static const struct opt rmi_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct rmi_opts, all), .help = "all images, and with --force the build cache too"},
    {"force", 'f', OPT_BOOL, OPT(struct rmi_opts, force),
     .help = "also with several names, and when ended containers use it; one that does not exist is no error"},
    {"ignore", 'i', OPT_BOOL, OPT(struct rmi_opts, ignore), .help = "an image that does not exist is no error"},
    OPT_END,
};

struct context {
    struct store *store;
    const struct rmi_opts *opts;
    bool quiet;
};

/* Refuses while containers use the image: running ones always, others without --force (docker's rule, S-032). */
static int check_users(const struct context *x, const char *id)
{
    auto_strv char **ids = NULL;
    int r = ctr_list(x->store, &ids);
    strv_foreach (ctr_id, ids) {
        struct ctr c = {0};
        struct ctr_state state;
        if (r < 0 || ctr_load(x->store, ctr_id, &c) < 0)
            continue;
        bool uses = c.image && str_eq(c.image, id) && ctr_state(x->store, ctr_id, &state) == 0;
        bool runs = uses && (ctr_is_up(&state) || state.status == CTR_ELSEWHERE);
        bool dead_rm = uses && ctr_is_dead_rm(&c, &state);
        if (runs)
            r = err_set(-EBUSY, "image %.12s is used by the running container %s (%.12s); stop it first", id, c.name,
                        c.id);
        else if (uses && !dead_rm && !x->opts->force)
            r = err_set(-EBUSY, "image %.12s is used by the container %s (%.12s); remove it first, or use --force", id,
                        c.name, c.id);
        ctr_done(&c);
    }
    return r == -EBUSY ? err_with_status(r, 2) : r;
}

static size_t count_names(const struct rec_list *names, const char *id)
{
    const struct image_name *n = names->items;
    size_t count = 0;
    for (size_t i = 0; i < names->n; i++)
        count += str_eq(n[i].image, id);
    return count;
}

static int untag(const struct context *x, const char *reference)
{
    int r = name_remove(x->store, reference);
    if (r == 0 && !x->quiet)
        printf("Untagged: %s\n", reference);
    return r == -ENOENT ? 0 : r;
}

static int untag_all(const struct context *x, const struct rec_list *names, const char *id)
{
    const struct image_name *n = names->items;
    int r = 0;
    for (size_t i = 0; i < names->n && r == 0; i++)
        if (str_eq(n[i].image, id))
            r = untag(x, n[i].reference);
    return r;
}

static int remove_image(const struct context *x, const struct rec_list *names, const char *id)
{
    int r = check_users(x, id);
    if (r == 0)
        r = untag_all(x, names, id);
    if (r == 0)
        r = image_remove(x->store, id);
    if (r == 0 && !x->quiet)
        printf("Deleted: sha256:%s\n", id);
    return r == -ENOENT ? 0 : r;
}

/* By name: that name goes, and with the last one the image. By id: only with one name, or by force. */
static int rmi_found(const struct context *x, const char *id, const char *reference)
{
    struct rec_list names = {0};
    int r = names_load(x->store, &names);
    if (r < 0)
        return r;
    size_t count = count_names(&names, id);
    if (reference && count > 1)
        r = untag(x, reference);
    else if (!reference && count > 1 && !x->opts->force)
        r = err_with_status(
            err_set(-EBUSY, "image %.12s has %zu names; remove them by name, or use --force", id, count), 2);
    else
        r = remove_image(x, &names, id);
    names_done(&names);
    return r;
}

static int rmi_one(const char *arg, void *ctx)
{
    const struct context *x = ctx;
    auto_free char *id = NULL, *reference = NULL;
    int r = image_find(x->store, arg, &id, &reference);
    if (r == -ENOENT && (x->opts->ignore || x->opts->force))
        return 0;
    if (r == -ENOENT)
        return err_with_status(r, 1);
    return r < 0 ? r : rmi_found(x, id, reference);
}

int rmi_unused(struct store *s, const char *id, const char *reference)
{
    struct context x = {.store = s, .opts = &(struct rmi_opts){0}, .quiet = true};
    auto_free char *now = NULL;
    bool named = reference && name_get(s, reference, &now) == 0 && str_eq(now, id);
    int r = rmi_found(&x, id, named ? reference : NULL);
    if (r == -EBUSY) {
        err_clear();
        return 0;
    }
    return r < 0 ? r : MIN(gc_run(s, NULL), 0);
}

static int rmi_all_one(const char *id, void *ctx)
{
    const struct context *x = ctx;
    struct rec_list names = {0};
    int r = names_load(x->store, &names);
    if (r == 0)
        r = remove_image(x, &names, id);
    names_done(&names);
    return r;
}

static int rmi_all(struct context *x)
{
    auto_strv char **ids = NULL;
    int r = image_list(x->store, &ids);
    if (r < 0)
        return r;
    r = cmd_each(ids, rmi_all_one, x);
    if (r == 0 && x->opts->force)
        r = cache_steps_remove_all(x->store);
    return r;
}

static int run(void *opts, char **args)
{
    struct context x = {.opts = opts};
    if (x.opts->all == (strv_len(args) > 0))
        return err_set(-EINVAL,
                       x.opts->all ? "--all takes no images besides" : "name at least one image, or give --all");
    int r = cmd_store(&x.store);
    if (r < 0)
        return r;
    store_tidy(x.store);
    r = x.opts->all ? rmi_all(&x) : cmd_each(args, rmi_one, &x);
    if (r < 0)
        return r;
    int collected = gc_run(x.store, NULL);
    return r ? r : collected;
}

const struct cmd cmd_rmi = {
    .names = "rmi;image rm;image remove",
    .args = "[OPTIONS] IMAGE [IMAGE...]",
    .summary = "remove images",
    .description = "Takes a name from an image; the image goes with its last name, and with it the layers that nothing "
                   "else needs. An image that a container "
                   "uses is kept.",
    .examples = "whelk rmi web:v1\nwhelk rmi -f 3f5a\nwhelk rmi -af",
    .opts = rmi_table,
    .opts_size = sizeof(struct rmi_opts),
    .max_args = -1,
    .complete = COMPLETE_IMAGE,
    .run = run,
};
