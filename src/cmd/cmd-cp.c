/* whelk cp */
#include "cmd.h"

#include "whelk/event.h"
#include "whelk/rootfs.h"

struct cp_opts {
    bool archive, follow_link, overwrite, quiet;
};

static const struct opt cp_table[] = {
    {"archive", 'a', OPT_BOOL, OPT(struct cp_opts, archive), .help = "keep owners, by number"},
    {"follow-link", 'L', OPT_BOOL, OPT(struct cp_opts, follow_link),
     .help = "copy what a symbolic link SOURCE leads to"},
    {"overwrite", 0, OPT_BOOL, OPT(struct cp_opts, overwrite),
     .help = "let directories replace other things, and other things directories"},
    {"quiet", 'q', OPT_BOOL, OPT(struct cp_opts, quiet), .help = "print nothing; it never does"},
    OPT_END,
};

/* A side as typed: CONTAINER:PATH, PATH or "-". What begins with / or . is a path, whatever else is in it. */
struct side {
    char *container; /* or NULL */
    const char *path;
    struct ctr c;
};

static void side_parse(const char *text, struct side *ret)
{
    const char *colon = *text == '/' || *text == '.' ? NULL : strchr(text, ':');
    *ret = (struct side){.path = colon ? colon + 1 : text};
    if (colon)
        ret->container = xstrndup(text, (size_t)(colon - text));
}

static void side_done(struct side *side)
{
    free(side->container);
    ctr_done(&side->c);
}

static int side_open(const struct store *s, struct side *side, int stream, struct copy_end *ret)
{
    auto_free char *id = NULL;
    bool archive = !side->container && str_eq(side->path, "-");
    *ret =
        (struct copy_end){.c = side->container ? &side->c : NULL, .path = side->path, .archive = archive ? stream : -1};
    if (archive && isatty(stream))
        return err_set(-EINVAL,
                       stream == STDIN_FILENO
                           ? "standard input is a terminal; give a tar archive: whelk cp - CONTAINER:DIR < files.tar"
                           : "standard output is a terminal; redirect it: whelk cp CONTAINER:PATH - > files.tar");
    if (!side->container)
        return 0;
    int r = ctr_find(s, side->container, &id);
    return r < 0 ? r : ctr_load(s, id, &side->c);
}

static void tell(const struct store *s, const struct ctr *c)
{
    if (c)
        event_write(s, &(struct event){.type = (char *)(uintptr_t) "container",
                                       .action = (char *)(uintptr_t) "copy",
                                       .id = c->id,
                                       .name = c->name,
                                       .image = c->image_ref});
}

static int copy(struct side *from, struct side *to, const struct cp_opts *o)
{
    struct store *s;
    struct copy_end a, b;
    if (!from->container && !to->container)
        return err_set(-EINVAL, "neither side is in a container; name one as CONTAINER:PATH");
    int r = cmd_store(&s);
    if (r == 0)
        r = side_open(s, from, STDIN_FILENO, &a);
    if (r == 0)
        r = side_open(s, to, STDOUT_FILENO, &b);
    if (r == 0)
        r = rootfs_copy(
            s, &a, &b,
            &(struct copy_options){.owners = o->archive, .follow_link = o->follow_link, .overwrite = o->overwrite});
    if (r < 0)
        return r;
    tell(s, a.c);
    tell(s, b.c);
    return 0;
}

static int run(void *opts, char **args)
{
    auto_with(side_done) struct side from = {0}, to = {0};
    side_parse(args[0], &from);
    side_parse(args[1], &to);
    return copy(&from, &to, opts);
}

const struct cmd cmd_cp = {
    .names = "cp;container cp",
    .args = "[OPTIONS] [CONTAINER:]SOURCE|- [CONTAINER:]DESTINATION|-",
    .summary = "copy files from and to containers",
    .description = "Copies a file or directory between a container and the host, or between two containers, running or "
                   "not. Where DESTINATION is a directory, SOURCE "
                   "comes into it under its name, or with \"/.\" at its end only what is in it. \"-\" is a tar archive "
                   "on standard input or output.",
    .examples = "whelk cp web:/etc/hosts .\nwhelk cp site/. web:/srv/www\nwhelk cp web:/var/log - | tar -t\ntar -c "
                "site | whelk cp - web:/srv",
    .opts = cp_table,
    .opts_size = sizeof(struct cp_opts),
    .min_args = 2,
    .max_args = 2,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
