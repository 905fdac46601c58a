/* whelk volume create */
#include "volumes.h"

#include "whelk/id.h"
#include "whelk/units.h"

struct create_opts {
    bool ignore;
    char *driver, *uid, *gid;
    char **labels, **options;
};

static const struct opt create_table[] = {
    {"driver", 'd', OPT_STR, OPT(struct create_opts, driver), .arg = "DRIVER", .help = "only local", .def = "local",
     .complete = COMPLETE_WORDS, .words = "local"},
    {"gid", 0, OPT_STR, OPT(struct create_opts, gid), .arg = "ID", .help = "the group of its directory, of containers"},
    {"ignore", 0, OPT_BOOL, OPT(struct create_opts, ignore), .help = "say nothing about a volume that exists already"},
    {"label", 'l', OPT_LIST, OPT(struct create_opts, labels), .arg = "KEY=VALUE", .help = "set a label"},
    {"opt", 'o', OPT_LIST, OPT(struct create_opts, options), .arg = "KEY=VALUE",
     .help = "type=tmpfs, or type=none, o=bind and device=DIR, for what is mounted in place of an own directory",
     .complete = COMPLETE_WORDS, .words = "type=none type=tmpfs o=bind device="},
    {"uid", 0, OPT_STR, OPT(struct create_opts, uid), .arg = "ID", .help = "the owner of its directory, of containers"},
    OPT_END,
};

/* KEY alone is KEY= as in run's --label; the last one of a key counts. */
static int make_map(const char *flag, char *const *words, char ***ret)
{
    strv_foreach (word, words) {
        auto_free char *key = xstrndup(word, strcspn(word, "="));
        const char *eq = strchr(word, '=');
        if (!*key)
            return err_set(-EINVAL, "%s %s has no key; write KEY=VALUE", flag, word);
        strv_env_set(ret, key, eq ? eq + 1 : "");
    }
    return 0;
}

static int parse_id(const char *flag, const char *word, int64_t *ret)
{
    if (word && (!str_to_i64(word, ret) || *ret < 0 || *ret > UINT32_MAX - 1))
        return err_set(-EINVAL, "%s %s is not a number of a user or group", flag, word);
    return 0;
}

static int make_owner(const struct create_opts *o, enum volume_kind kind, struct volume *v)
{
    v->owned = o->uid || o->gid;
    int r = parse_id("--uid", o->uid, &v->uid);
    if (r == 0)
        r = parse_id("--gid", o->gid, &v->gid);
    if (r == 0 && v->owned && kind != VOLUME_DATA)
        r = err_set(-EINVAL, "--uid and --gid are for a directory of the volume's own, not for type=%s",
                    strv_env_get(v->options, "type"));
    return r;
}

static int make_record(const struct create_opts *o, const char *name, struct volume *v)
{
    char id[ID_LEN + 1];
    enum volume_kind kind;
    if (!name)
        id_new(id);
    v->name = xstrdup(name ? name : id);
    v->driver = xstrdup("local");
    v->created = time_now();
    v->anonymous = false;
    if (o->driver && !str_eq(o->driver, "local"))
        return err_set(-EINVAL, "--driver %s is not known; the only volume driver is local", o->driver);
    int r = make_map("--label", o->labels, &v->labels);
    if (r == 0)
        r = make_map("--opt", o->options, &v->options);
    if (r == 0)
        r = volume_check_options(v->options, &kind);
    return r < 0 ? r : make_owner(o, kind, v);
}

static int run(void *opts, char **args)
{
    const struct create_opts *o = opts;
    auto_with(volume_done) struct volume v = {0};
    struct store *s;
    int r = make_record(o, args[0], &v);
    if (r == 0)
        r = cmd_store(&s);
    if (r < 0)
        return r;
    store_tidy(s);
    r = volume_create(s, &v);
    if (r == -EEXIST) {
        if (!o->ignore)
            fprintf(stderr, "volume %s exists already\n", v.name);
        r = 0;
    }
    if (r == 0)
        printf("%s\n", v.name);
    return r;
}

const struct cmd cmd_volume_create = {
    .names = "volume create",
    .args = "[OPTIONS] [NAME]",
    .summary = "make a volume",
    .description = "Makes an empty volume and prints its name, 64 digits if none is given. What the image has where "
                   "the volume is first mounted is copied into "
                   "it then. A volume that exists already is left as it is.",
    .examples = "whelk volume create data\nwhelk volume create --label app=shop db\nwhelk volume create -o type=none "
                "-o o=bind -o device=/srv/www www",
    .opts = create_table,
    .opts_size = sizeof(struct create_opts),
    .max_args = 1,
    .run = run,
};
