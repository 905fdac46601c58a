/* From IMAGE [COMMAND...] and options to a published container. */
#include "run-options.h"

#include "whelk/image.h"
#include "whelk/lock.h"

#include <fcntl.h>

const struct opt make_option_rows[] = {
#define RUN(field) OPT(struct make_options, run.field)
#include "run-options.def"
#undef RUN
    PULL_ROWS(struct make_options, pull),
    OPT_END,
};

/* The mistake of "-e NAME = value": the shell makes three words of it (S-010). */
static int check_image_word(const char *word)
{
    if (*word == '=')
        return err_set(-EINVAL,
                       "\"%s\" is not an image; variables are set as -e NAME=value, without blanks around =", word);
    return 0;
}

/* Made before the container, so that an existing file stops everything. */
static int make_cidfile(const char *path)
{
    auto_close int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST)
        return err_set(
            -EEXIST, "the cid file %s exists already; is another container using it? Remove it or name another", path);
    return fd < 0 ? err_sys("cannot make the cid file %s", path) : 0;
}

static int write_cidfile(const char *path, const char *id)
{
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, id, ID_LEN) != ID_LEN)
        return err_sys("cannot write the cid file %s", path);
    return 0;
}

/* A name that was made up may collide; one that was asked for may not. */
static int publish(struct store *s, const struct run_options *o, struct ctr *c, int *claim)
{
    auto_close int lock = -1; /* nobody gets the same ids meanwhile */
    int r = spec_wants_ids(c) ? lock_file(s->fd, "containers/.ids", true, true, &lock) : 0;
    if (r == 0 && spec_wants_ids(c))
        r = spec_allot_ids(s, c);
    if (r == 0)
        r = run_create(s, c, claim);
    for (int tries = 0; r == -EEXIST && !o->name && tries < 20; tries++) {
        free(c->name);
        c->name = id_random_name();
        r = run_create(s, c, claim);
    }
    return r;
}

static int from_rootfs(struct store *s, const struct run_options *o, char **args, struct ctr *ret, int *claim)
{
    auto_close int hold = -1;
    int r = store_hold(s, &hold);
    if (r == 0)
        r = spec_make_rootfs(s, o, args[0], args + 1, ret);
    if (r < 0)
        return r;
    r = publish(s, o, ret, claim);
    if (r < 0)
        ctr_done(ret);
    return r;
}

static int from_image(struct store *s, const struct run_options *o, char **args, struct ctr *ret, int *claim)
{
    auto_free char *id = NULL, *reference = NULL;
    struct image image = {0};
    struct image_config config = {0};
    auto_close int hold = -1;
    int r = store_hold(s, &hold);
    if (r == 0)
        r = image_find(s, args[0], &id, &reference);
    if (r == 0)
        r = image_load(s, id, &image);
    if (r == 0)
        r = image_load_config(s, id, &config);
    if (r == 0)
        r = spec_make(s, o, id, reference ? reference : args[0], &config, image.layers, args + 1, ret);
    if (r == 0) {
        ret->create_command = strv_copy(cmd_words);
        r = publish(s, o, ret, claim);
        if (r < 0)
            ctr_done(ret);
    }
    image_config_done(&config);
    image_done(&image);
    return r;
}

void run_option_defaults(struct run_options *o)
{
    o->stop_timeout = 10;
    o->passwd = o->read_only_tmpfs = true;
    o->health_timeout = o->health_start_period = o->health_start_interval = o->health_retries = -1;
    o->health_startup_interval = o->health_startup_timeout = o->health_startup_retries = o->health_startup_success = -1;
    o->health_log_count = o->health_log_size = -1;
}

void make_option_defaults(void *opts)
{
    struct make_options *m = opts;
    run_option_defaults(&m->run);
    registry_flags_defaults(&m->pull.registry);
}

/* --replace: like rm -f NAME before. */
static int remove_namesake(struct store *s, const char *name)
{
    auto_free char *id = NULL;
    int r = ctr_find(s, name, &id);
    if (r == 0)
        r = run_remove(s, id, true, 0);
    return r == -ENOENT ? 0 : r;
}

int make_container(struct store *s, struct make_options *m, char **args, struct ctr *ret, int *claim)
{
    struct run_options *o = &m->run;
    int r = check_image_word(args[0]);
    if (r == 0 && !o->rootfs)
        r = pull_flags_need(s, &m->pull, args[0]);
    if (r == 0 && o->replace && !o->name)
        r = err_set(-EINVAL, "--replace needs --name: it removes the container that has the name");
    if (r == 0 && o->replace)
        r = remove_namesake(s, o->name);
    if (r == 0 && o->cidfile)
        r = make_cidfile(o->cidfile);
    if (r < 0)
        return r;
    r = o->rootfs ? from_rootfs(s, o, args, ret, claim) : from_image(s, o, args, ret, claim);
    if (r < 0 && o->cidfile)
        unlink(o->cidfile);
    return r == 0 && o->cidfile ? write_cidfile(o->cidfile, ret->id) : r;
}
