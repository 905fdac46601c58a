/* whelk commit */
#include "cmd.h"

#include "whelk/build.h"
#include "whelk/commit.h"
#include "whelk/event.h"
#include "whelk/fd.h"
#include "whelk/image.h"
#include "whelk/layer.h"
#include "whelk/ref.h"
#include "whelk/units.h"

#include <fcntl.h>

struct commit_opts {
    char *message, *author, *iidfile, *format, *config;
    char **changes;
    bool pause, no_pause, quiet, squash, volumes;
};

static void defaults(void *opts)
{
    ((struct commit_opts *)opts)->pause = true;
}

static const struct opt commit_table[] = {
    {"message", 'm', OPT_STR, OPT(struct commit_opts, message), .arg = "TEXT",
     .help = "the comment of the history entry"},
    {"author", 'a', OPT_STR, OPT(struct commit_opts, author), .arg = "TEXT", .help = "who made it: \"name <mail>\""},
    {"change", 'c', OPT_LIST, OPT(struct commit_opts, changes), .arg = "INSTRUCTION",
     .help = "change the image's settings by an instruction of a Dockerfile"},
    {"pause", 'p', OPT_BOOL, OPT(struct commit_opts, pause),
     .help = "freeze a running container meanwhile, where that can be done", .def = "true"},
    {"squash", 's', OPT_BOOL, OPT(struct commit_opts, squash), .help = "make one layer of all files"},
    {"format", 'f', OPT_STR, OPT(struct commit_opts, format), .arg = "oci"},
    {"include-volumes", 0, OPT_BOOL, OPT(struct commit_opts, volumes)},
    {"config", 0, OPT_STR, OPT(struct commit_opts, config), .arg = "FILE"},
    {"no-pause", 0, OPT_BOOL, OPT(struct commit_opts, no_pause), .help = "the same as --pause=false"},
    {"quiet", 'q', OPT_BOOL, OPT(struct commit_opts, quiet), .help = "print nothing but the id; it never does"},
    {"iidfile", 0, OPT_STR, OPT(struct commit_opts, iidfile), .arg = "FILE", .help = "write the image's id to a file",
     .complete = COMPLETE_FILE},
    OPT_END,
};

static int pin(struct stage *st, const struct ctr *c)
{
    auto_strv char **objects = NULL;
    strv_foreach (layer, c->layers)
        strv_addf(&objects, "layers/%s", layer);
    return stage_pin(st, (const char *const *)objects, (unsigned)strv_len(objects));
}

/* The new layer, if there is one, and its entry in the history. Squashed, it is the only one. */
static int add_layer(struct stage *st, const struct ctr *c, const struct commit_opts *o, struct image_config *config,
                     char ***layers)
{
    auto_free char *key = NULL;
    struct layer layer = {0};
    int r = commit_layer(st, c, &(struct commit_layer_options){.pause = o->pause && !o->no_pause, .squash = o->squash},
                         &key);
    if (r == 0 && key)
        r = layer_load(st->store, key, &layer);
    if (r < 0)
        return r;
    if (o->squash) {
        image_config_clear_layers(config);
        strv_free(*layers);
        *layers = NULL;
    }
    if (key) {
        image_config_add_diff_id(config, layer.diffid);
        strv_add(layers, key);
    }
    layer_done(&layer);
    auto_free char *command = c->args ? strv_join(c->args, " ") : xstrdup("");
    int64_t now = time_now();
    image_config_put_created(config, now);
    image_config_add_history(config, now, command, o->message, !key);
    return 0;
}

static int make_image(struct store *s, const struct ctr *c, const struct commit_opts *o, char ret_id[65])
{
    auto_stage struct stage *st = NULL;
    auto_strv char **layers = strv_copy(c->layers);
    struct image_config config = {0};
    int r = commit_config(s, c, &config);
    if (r == 0)
        r = build_change(&config, o->changes);
    if (r == 0 && o->author)
        image_config_put_author(&config, o->author);
    if (r == 0)
        r = stage_begin(s, &st);
    if (r == 0)
        r = pin(st, c);
    if (r == 0)
        r = add_layer(st, c, o, &config, &layers);
    if (r == 0)
        r = image_publish(st, &config, layers, ret_id);
    image_config_done(&config);
    return r;
}

static int commit(struct store *s, const struct ctr *c, const char *reference, const struct commit_opts *o)
{
    char id[65];
    int r = make_image(s, c, o, id);
    if (r == 0 && reference)
        r = name_set(s, reference, id);
    if (r == 0 && o->iidfile)
        r = file_write(AT_FDCWD, o->iidfile, id, strlen(id), 0644);
    if (r < 0)
        return r;
    event_write(s, &(struct event){.type = (char *)(uintptr_t) "container",
                                   .action = (char *)(uintptr_t) "commit",
                                   .id = c->id,
                                   .name = c->name,
                                   .image = id});
    printf("%s\n", id);
    return 0;
}

static int check(const struct commit_opts *o)
{
    if (o->format && !str_eq(o->format, "oci"))
        return err_set(-EINVAL,
                       "--format %s: an image gets its form when it leaves: whelk push --format, whelk save "
                       "--format",
                       o->format);
    if (o->config)
        return err_set(-EINVAL, "--config %s: change settings one by one: --change 'CMD [\"httpd\"]'", o->config);
    if (o->volumes)
        return err_set(-EINVAL, "--include-volumes: what is in volumes does not go into images; copy it into the "
                                "container first: whelk cp");
    return 0;
}

static int run(void *opts, char **args)
{
    struct store *s;
    auto_free char *reference = NULL, *id = NULL;
    struct ctr c = {0};
    int r = check(opts);
    if (r == 0 && args[1])
        r = ref_normalize_local(args[1], &reference);
    if (r == 0)
        r = cmd_store(&s);
    if (r == 0)
        r = ctr_find(s, args[0], &id);
    if (r == 0)
        r = ctr_load(s, id, &c);
    if (r < 0)
        return r;
    store_tidy(s);
    r = commit(s, &c, reference, opts);
    ctr_done(&c);
    return r < 0 ? err_wrap(r, "cannot commit container %s", args[0]) : 0;
}

const struct cmd cmd_commit = {
    .names = "commit;container commit",
    .args = "[OPTIONS] CONTAINER [NAME[:TAG]]",
    .summary = "make an image from a container's changes",
    .description = "Makes an image of the container's image, what the container has changed in its files, and the "
                   "command, environment and other settings that it "
                   "was started with; prints its id. What is in volumes does not belong to it.",
    .examples = "whelk commit web web:patched\nwhelk commit -m 'tuned' web\nwhelk commit -c 'CMD [\"httpd\", \"-f\"]' "
                "-c 'ENV MODE=live' web web:live",
    .opts = commit_table,
    .opts_size = sizeof(struct commit_opts),
    .defaults = defaults,
    .min_args = 1,
    .max_args = 2,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
