/* whelk build: an image from a Dockerfile. */
#include "cmd.h"
#include "registry-flags.h"

#include "whelk/build.h"
#include "whelk/fd.h"

#include <fcntl.h>

struct build_opts {
    struct build_options build;
    struct pull_flags pull;
    char *iidfile;
};

#define BUILD(member) OPT(struct build_opts, build.member)

static const struct opt build_table[] = {
    REGISTRY_TRANSFER_ROWS(struct build_opts, pull.registry),
    {"build-arg", 0, OPT_LIST, BUILD(build_args), .arg = "NAME[=VALUE]",
     .help = "set an ARG of the Dockerfile; without a value, to that of the environment"},
    {"build-context", 0, OPT_LIST, BUILD(contexts), .arg = "NAME=WHERE",
     .help =
         "what FROM NAME and COPY --from=NAME mean: a directory, archive, URL, git repository, docker-image://IMAGE"},
    {"file", 'f', OPT_LIST, BUILD(files), .arg = "FILE", .help = "the Dockerfile; - is standard input; may be repeated",
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
    {"quiet", 'q', OPT_BOOL, BUILD(quiet), .help = "print the image id only, and what a failing RUN wrote"},
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

static void defaults(void *opts)
{
    registry_flags_defaults(&((struct build_opts *)opts)->pull.registry);
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

static int run(void *opts, char **args)
{
    struct build_opts *o = opts;
    struct need need = {.pull = o->pull};
    struct build_options build = o->build; /* the rest is the option table's to free */
    struct store *s;
    char id[65], here[] = ".";
    build.context = args[0] ? args[0] : here;
    build.log_fd = STDERR_FILENO;
    build.need_image = need_image;
    build.need_arg = &need;
    need.pull.quiet = build.quiet;
    int r = pull_flags_check(&need.pull);
    if (r == 0)
        r = cmd_store(&s);
    if (r < 0)
        return r;
    need.store = s;
    r = build_image(s, &build, id);
    if (r == 0 && o->iidfile)
        r = write_id(o->iidfile, id);
    if (r < 0)
        return r;
    printf("%s\n", id);
    return 0;
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
