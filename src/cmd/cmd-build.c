/* whelk build: an image from a Dockerfile. */
#include "build-dest.h"
#include "build-view.h"
#include "cmd.h"
#include "registry-flags.h"

#include "whelk/build.h"
#include "whelk/event.h"
#include "whelk/fd.h"

#include <fcntl.h>

enum { ARG_FILE_MAX = 1 << 20 };

struct build_opts {
    struct build_options build;
    struct run_options run;
    struct pull_flags pull;
    char *iidfile, *metadata_file;
    char **arg_files, *call, *output, *progress, *format, *isolation;
    char **annotations, **cache_from, **cache_to, **limits; /* see undone */
    bool true_by_nature, check, squash, squash_all, layers, push, to_stdout;
};

#define BUILD(member) OPT(struct build_opts, build.member)
#define RUN(member) OPT(struct build_opts, run.member)

static const struct opt build_table[] = {
    REGISTRY_TRANSFER_ROWS(struct build_opts, pull.registry),
    {"add-host", 0, OPT_LIST, RUN(add_hosts), .arg = "NAME:ADDRESS", .help = "a line for /etc/hosts of RUN"},
    {"cap-add", 0, OPT_LIST, RUN(cap_add), .arg = "CAPABILITY", .help = "add a capability to RUN, or ALL",
     .complete = COMPLETE_CAPABILITY},
    {"cap-drop", 0, OPT_LIST, RUN(cap_drop), .arg = "CAPABILITY", .help = "take a capability from RUN, or ALL",
     .complete = COMPLETE_CAPABILITY},
    {"device", 0, OPT_LIST, RUN(devices), .arg = "HOST[:CONTAINER]", .help = "let RUN use a device of the host",
     .complete = COMPLETE_FILE},
    {"dns", 0, OPT_LIST, RUN(dns), .arg = "ADDRESS", .help = "name server of RUN, instead of this machine's"},
    {"dns-opt|dns-option", 0, OPT_LIST, RUN(dns_options), .arg = "OPTION", .help = "option of resolv.conf, as ndots:1"},
    {"dns-search", 0, OPT_LIST, RUN(dns_search), .arg = "DOMAIN", .help = "domain to look for short names in"},
    {"isolation", 0, OPT_STR, OPT(struct build_opts, isolation), .arg = "KIND",
     .help = "how RUN is kept apart: a container, which is all there is", .def = "oci", .complete = COMPLETE_WORDS,
     .words = "default oci rootless"},
    {"security-opt", 0, OPT_LIST, RUN(security_opts), .arg = "OPTION", .help = "of RUN, as for whelk run",
     .complete = COMPLETE_WORDS, .words = "no-new-privileges seccomp=unconfined nested mask= unmask=ALL"},
    {"shm-size", 0, OPT_STR, RUN(shm_size), .arg = "SIZE", .help = "size of /dev/shm of RUN", .def = "64m"},
    {"ulimit", 0, OPT_LIST, RUN(ulimits), .arg = "NAME=SOFT[:HARD]", .help = "a resource limit of RUN"},
    {"annotation", 0, OPT_LIST, OPT(struct build_opts, annotations)},
    {"build-arg", 0, OPT_LIST, BUILD(build_args), .arg = "NAME[=VALUE]",
     .help = "set an ARG of the Dockerfile; without a value, to that of the environment"},
    {"build-arg-file", 0, OPT_LIST, OPT(struct build_opts, arg_files), .arg = "FILE",
     .help = "a file of lines NAME=VALUE, as --build-arg takes them", .complete = COMPLETE_FILE},
    {"cache-from", 0, OPT_LIST, OPT(struct build_opts, cache_from)},
    {"cache-to", 0, OPT_LIST, OPT(struct build_opts, cache_to)},
    {"call", 0, OPT_STR, OPT(struct build_opts, call), .arg = "WHAT",
     .help = "build, or only look: check, outline (arguments), targets (stages)", .def = "build",
     .complete = COMPLETE_WORDS, .words = "build check outline targets"},
    {"check", 0, OPT_BOOL, OPT(struct build_opts, check),
     .help = "only tell what is odd in the Dockerfile; status 1 if anything is"},
    {"compress", 0, OPT_BOOL, OPT(struct build_opts, true_by_nature)}, /* nothing is sent to a daemon */
    {"env", 0, OPT_LIST, BUILD(env), .arg = "NAME[=VALUE]", .help = "set a variable in the image"},
    {"explain", 0, OPT_BOOL, BUILD(explain), .help = "say for each step why it is cached, or what changed"},
    {"force-rm", 0, OPT_BOOL, OPT(struct build_opts, true_by_nature)}, /* no containers stay, ever */
    {"format", 0, OPT_STR, OPT(struct build_opts, format), .arg = "FORMAT",
     .help = "of what --push sends: oci or docker; the store has an image for both", .def = "oci",
     .complete = COMPLETE_WORDS, .words = "oci docker"},
    {"from", 0, OPT_STR, BUILD(from), .arg = "IMAGE", .help = "begin with this image where the first FROM has another",
     .complete = COMPLETE_IMAGE},
    {"jobs", 0, OPT_STR, BUILD(jobs), .arg = "N",
     .help = "at most N stages side by side; 0: all",
     .def = "one for each processor, but at least 4"},
    {"layers", 0, OPT_BOOL, OPT(struct build_opts, layers),
     .help = "a layer for each step; false: all new layers become one", .def = "true"},
    {"load", 0, OPT_BOOL, OPT(struct build_opts, true_by_nature)},
    {"memory|memory-swap|cpu-period|cpu-quota|cpu-shares|cpuset-cpus|cpuset-mems|cgroup-parent", 'm', OPT_LIST,
     OPT(struct build_opts, limits)},
    {"metadata-file", 0, OPT_STR, OPT(struct build_opts, metadata_file), .arg = "FILE",
     .help = "write a JSON object about the image to FILE", .complete = COMPLETE_FILE},
    {"no-cache-filter", 0, OPT_LIST, BUILD(no_cache_stages), .arg = "STAGE[,STAGE]", .help = "make these stages anew"},
    {"output", 'o', OPT_STR, OPT(struct build_opts, output), .arg = "DEST",
     .help = "also write the files (DIR, -, type=local|tar,dest=PATH) or the image (type=oci|docker)",
     .complete = COMPLETE_FILE},
    {"platform", 0, OPT_STR, BUILD(platform), .arg = "OS/ARCH[/VARIANT]",
     .help = "must be this machine's own platform"},
    {"progress", 0, OPT_STR, OPT(struct build_opts, progress), .arg = "HOW",
     .help = "how steps are shown: tty (live), plain lines, quiet, or auto", .def = "auto",
     .complete = COMPLETE_WORDS, .words = "auto plain tty quiet"},
    {"rewrite-timestamp", 0, OPT_BOOL, BUILD(rewrite), .help = "no file in a new layer is younger than the epoch"},
    {"rm", 0, OPT_BOOL, OPT(struct build_opts, true_by_nature)},
    {"source-date-epoch", 0, OPT_STR, BUILD(epoch), .arg = "SECONDS", .help = "what the image says of its times",
     .def = "$SOURCE_DATE_EPOCH"},
    {"squash", 0, OPT_BOOL, OPT(struct build_opts, squash), .help = "the new layers become one"},
    {"squash-all", 0, OPT_BOOL, OPT(struct build_opts, squash_all),
     .help = "all layers become one, those of the base too"},
    {"timestamp", 0, OPT_STR, BUILD(timestamp), .arg = "SECONDS",
     .help = "the time of the image and of all files in its new layers"},
    {"build-context", 0, OPT_LIST, BUILD(contexts), .arg = "NAME=WHERE",
     .help = "what --from=NAME means: a directory, archive, URL, docker-image://IMAGE"},
    {"file", 'f', OPT_LIST, BUILD(files), .arg = "FILE", .help = "the Dockerfile; - is standard input",
     .def = "Containerfile or Dockerfile", .complete = COMPLETE_FILE},
    {"ignorefile", 0, OPT_STR, BUILD(ignore_file), .arg = "FILE", .help = "read it in the place of .dockerignore",
     .complete = COMPLETE_FILE},
    {"iidfile", 0, OPT_STR, OPT(struct build_opts, iidfile), .arg = "FILE", .help = "write the image id to FILE",
     .complete = COMPLETE_FILE},
    {"label", 0, OPT_LIST, BUILD(labels), .arg = "KEY=VALUE", .help = "add a label to the image"},
    {"network|net", 0, OPT_STR, BUILD(network), .arg = "MODE", .help = "network of RUN: private, none or host",
     .def = "private", .complete = COMPLETE_WORDS, .words = "private none host"},
    {"no-cache", 0, OPT_BOOL, BUILD(no_cache), .help = "make every step anew"},
    {"pull", 0, OPT_BOOL_STR, OPT(struct build_opts, pull.policy), .bare = "always",
     .help = "when to pull the images of FROM: missing, always, never or newer", .def = "missing",
     .complete = COMPLETE_WORDS, .words = "missing always never newer"},
    {"push", 0, OPT_BOOL, OPT(struct build_opts, push), .help = "push the image to its names, which name registries"},
    {"quiet", 'q', OPT_BOOL, BUILD(quiet), .help = "print the image id only, and what a failing RUN wrote"},
    {"secret", 0, OPT_LIST, BUILD(secrets), .arg = "id=NAME[,src=FILE|,env=VARIABLE]",
     .help = "something that RUN --mount=type=secret,id=NAME may read; it comes into no layer"},
    {"ssh", 0, OPT_LIST, BUILD(ssh), .arg = "default|NAME=SOCKET",
     .help = "an ssh agent's socket for RUN --mount=type=ssh; default is that of SSH_AUTH_SOCK"},
    {"tag", 't', OPT_LIST, BUILD(tags), .arg = "NAME[:TAG]", .help = "name the image", .complete = COMPLETE_IMAGE},
    {"target", 0, OPT_STR, BUILD(target), .arg = "STAGE", .help = "the stage to build, by name or number",
     .def = "the last"},
    OPT_END,
};

static int write_id(const char *path, const char *id)
{
    auto_free char *text = xasprintf("sha256:%s", id);
    int r = file_write(AT_FDCWD, path, text, strlen(text), 0644);
    return r < 0 ? err_wrap(r, "--iidfile") : 0;
}

static int write_metadata(const struct build_options *build, const char *path, const char *id)
{
    auto_free char *digest = xasprintf("sha256:%s", id), *names = strv_join(build->tags, ",");
    auto_json json_t *o = json_object();
    json_object_set_new(o, "containerimage.config.digest", json_string(digest));
    if (build->tags)
        json_object_set_new(o, "image.name", json_from_str(names));
    auto_free char *text = json_text(o, true);
    int r = file_write(AT_FDCWD, path, text, strlen(text), 0644);
    return r < 0 ? err_wrap(r, "--metadata-file") : 0;
}

/* --build-arg wins over what files say. */
static int read_arg_files(char *const *files, char *const *words, char ***ret)
{
    int r = 0;
    strv_foreach (path, files) {
        auto_free char *text = NULL;
        r = file_read(AT_FDCWD, path, ARG_FILE_MAX, &text, NULL);
        if (r < 0)
            return err_set(r, "--build-arg-file %s: %s", path, strerror(-r));
        auto_strv char **lines = strv_split(text, "\r\n");
        strv_foreach (line, lines)
            if (*str_trim(line) && *str_trim(line) != '#')
                strv_add(ret, str_trim(line));
    }
    strv_extend(ret, words);
    return 0;
}

static void defaults(void *opts)
{
    struct build_opts *o = opts;
    registry_flags_defaults(&o->pull.registry);
    o->layers = true;
}

/* --call: prints what one of these says of the Dockerfile. */
static const struct call {
    const char *name;
    int (*list)(struct store *s, const struct build_options *o, char ***ret);
    int status; /* if there is anything */
} calls[] = {{"check", build_check, 1}, {"outline", build_outline, 0}, {"targets", build_targets, 0}};

static int find_call(const struct build_opts *o, const struct call **ret)
{
    const char *name = o->check ? "check" : o->call ? o->call : "build";
    *ret = NULL;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        if (str_eq(name, calls[i].name))
            *ret = &calls[i];
    return *ret || str_eq(name, "build")
               ? 0
               : err_set(-EINVAL, "--call %s is not known; known: build, check, outline, targets", name);
}

static int run_call(const struct call *call, struct store *s, const struct build_options *build)
{
    auto_strv char **lines = NULL;
    int r = call->list(s, build, &lines);
    strv_foreach (line, lines)
        printf("%s\n", line);
    return r < 0 ? r : lines ? call->status : 0;
}

struct need {
    struct store *store;
    struct pull_flags pull;
};

static int need_image(void *arg, const char *name)
{
    const struct need *n = arg;
    return pull_flags_need(n->store, &n->pull, name);
}

/* Known, and not done: what to do instead. */
static const struct undone {
    const char *name, *why;
    size_t offset; /* in struct build_opts, a char ** */
} undone[] = {
#define UNDONE(member) offsetof(struct build_opts, member)
    {"annotation", "give --label, which is in the image itself", UNDONE(annotations)},
    {"cache-from", "steps that this machine made are found anyway; push and pull the images that carry them",
     UNDONE(cache_from)},
    {"cache-to", "push the image, with --push; the cache stays on this machine", UNDONE(cache_to)},
    {"memory", "RUN has no limits of its own; limit the whole build, as with systemd-run --user --scope",
     UNDONE(limits)},
#undef UNDONE
};

static int check_undone(const struct build_opts *o)
{
    for (size_t i = 0; i < ARRAY_LEN(undone); i++) {
        char **given = *(char **const *)((const char *)o + undone[i].offset);
        if (given)
            return err_set(-EOPNOTSUPP, "--%s is not done by this version: %s", undone[i].name, undone[i].why);
    }
    return 0;
}

static int check_isolation(const char *kind)
{
    static const char *const known[] = {"default", "oci", "rootless"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (!kind || str_eq(kind, known[i]))
            return 0;
    return err_set(-EOPNOTSUPP, "--isolation %s is not done by this version; RUN is always a container (oci)", kind);
}

/* Where the build reads and writes. Called before anything is built. */
static int prepare(struct build_opts *o, struct build_options *build, const struct call **ret_call,
                   struct build_dest *ret_dest)
{
    const struct build_dest_options dest = {o->output, o->format, o->push, &o->pull.registry};
    int r = pull_flags_check(&o->pull);
    if (r == 0)
        r = check_undone(o);
    if (r == 0)
        r = check_isolation(o->isolation);
    if (r == 0)
        r = find_call(o, ret_call);
    if (r == 0 && !*ret_call)
        r = build_dest_open(&dest, build, ret_dest);
    return r;
}

static int build_and_tell(struct store *s, struct build_opts *o, const struct build_options *build,
                          struct build_view *view, struct build_after *after)
{
    char id[65];
    int r = build_image(s, build, id);
    build_view_end(view);
    if (r == 0 && o->iidfile)
        r = write_id(o->iidfile, id);
    if (r == 0 && o->metadata_file)
        r = write_metadata(build, o->metadata_file, id);
    if (r == 0)
        r = build_after_run(after, id);
    if (r == 0)
        event_object(s, "image", "build", id, build->tags ? build->tags[0] : id);
    if (r == 0 && !o->to_stdout)
        printf("%s\n", id);
    return r;
}

static int run(void *opts, char **args)
{
    struct build_opts *o = opts;
    struct build_options build = o->build; /* the rest is the option table's to free */
    struct build_view view = {-1, -1};
    struct build_after after;
    auto_with(build_dest_done) struct build_dest dest = {0};
    struct store *s;
    char here[] = ".";
    auto_strv char **build_args = NULL, **tags = strv_copy(o->build.tags);
    const struct call *call = NULL;
    build.context = args[0] ? args[0] : here;
    build.tags = tags;
    build.log_fd = STDERR_FILENO;
    build.squash = o->squash_all ? SQUASH_ALL : o->squash || !o->layers ? SQUASH_NEW : SQUASH_NOT;
    build.need_image = need_image;
    build.run = &o->run;
    build.quiet |= o->progress && str_eq(o->progress, "quiet");
    int r = read_arg_files(o->arg_files, build.build_args, &build_args);
    build.build_args = build_args;
    if (r == 0)
        r = prepare(o, &build, &call, &dest);
    tags = build.tags;
    o->to_stdout = dest.to_stdout;
    if (r == 0)
        r = cmd_store(&s);
    if (r == 0 && call)
        return run_call(call, s, &build);
    if (r == 0)
        r = build_after_start(dest.jobs, dest.n, &after);
    if (r == 0)
        r = build_view_start(o->progress, &build, &view);
    if (r < 0)
        return r;
    struct need need = {.store = s, .pull = o->pull};
    need.pull.quiet = build.quiet;
    build.need_arg = &need;
    return build_and_tell(s, o, &build, &view, &after);
}

const struct cmd cmd_build = {
    .names = "build;image build",
    .args = "[OPTIONS] [CONTEXT]",
    .summary = "make an image from a Dockerfile",
    .description =
        "Makes an image after the Dockerfile in the directory CONTEXT (the current one), and prints its id on "
        "standard output. Steps that were made before, from the same things, are taken from the cache.",
    .examples = "whelk build -t app .\n"
                "whelk build -t app -f app.Dockerfile --build-arg VERSION=2 src\n"
                "id=$(whelk build -q .)",
    .opts = build_table,
    .opts_size = sizeof(struct build_opts),
    .defaults = defaults,
    .max_args = 1,
    .complete = COMPLETE_DIR,
    .run = run,
};
