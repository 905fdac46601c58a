/* Building an image from a Dockerfile (DESIGN 6).
 *
 * dockerfile.h gives stages of typed instructions; plan.c picks the stages that the target needs; build.c walks them:
 * each instruction *prepares* a new config and cache key, and only a miss *executes* (step-run.c, step-copy.c). */
#ifndef WHELK_BUILD_H
#define WHELK_BUILD_H

#include "whelk/image-config.h"
#include "whelk/run.h"
#include "whelk/store.h"

/* With build_options.marks: before lines that the build itself says, and around "2/3" before lines of a stage that is
 * built beside others. */
#define BUILD_MARK_SAID "\x1e"
#define BUILD_MARK_STAGE "\x1f"

struct build_options {
    char *context;     /* directory, archive, URL, git repository, or "-": one of the last but one, or a Dockerfile, on
                          standard input */
    char **files;      /* Dockerfiles, read one after the other, "-" for standard input; NULL: Containerfile, then
                          Dockerfile in the context */
    char *ignore_file; /* instead of those that are looked for, or NULL */
    char **contexts;   /* NAME=WHERE: further ones, for FROM and COPY --from */
    char **tags;       /* as typed; checked before anything is built */
    char **build_args; /* NAME=value or NAME */
    char **labels;     /* KEY=VALUE */
    char *target;      /* stage name or number */
    char **secrets;    /* for RUN --mount=type=secret: "id=NAME,src=FILE" */
    char **ssh;        /* for RUN --mount=type=ssh: "default" or "NAME=SOCKET" */
    char *network;     /* of RUN steps: "private", "none", "host" */
    const struct run_options *run; /* of RUN steps, those of run_step_check; NULL: none */
    char **env;                    /* NAME=VALUE or NAME: set in the image */
    char *from;                    /* in the place of the image of the first FROM, or NULL */
    char **no_cache_stages;        /* names or numbers of stages that are made anew */
    char *platform;                /* must be this machine's, or NULL */
    char *timestamp;               /* seconds: all times, of the image and of files in new layers */
    char *epoch;  /* seconds (--source-date-epoch): times of the image; NULL: as SOURCE_DATE_EPOCH says, if it does */
    bool rewrite; /* files in new layers are not younger than the epoch */
    int out_dir;  /* the files of the image go there too, as the caller's own; -1: nowhere */
    int out_tar;  /* and as a tar archive, with their owners, to here; -1 */
    bool no_cache, quiet;
    char *jobs; /* how many stages side by side; 0: all, NULL: as many as there are processors, but four */
    enum build_squash { SQUASH_NOT, SQUASH_NEW, SQUASH_ALL } squash; /* new layers, or all, become one */
    bool explain;                                                    /* for each step: why it is cached or not */
    bool marks;                                                      /* the log is for a program that draws */
    int log_fd;                                                      /* step lines and the output of RUN */
    /* Asked for each image that the build begins with or copies from, before its first step: sees that it is in the
     * store. May be NULL. */
    int (*need_image)(void *arg, const char *name);
    void *need_arg;
};

/* Builds and names the image; its id in ret_id (65 bytes). A failing RUN: -ECHILD with the command's own status as
 * err_status (DF-52); finished steps stay cached, nothing is tagged. The calling process becomes the builder inside the
 * store's user namespace at the first step that is not cached (userns_become): what the caller prints afterwards is
 * printed there. */
int build_image(struct store *s, const struct build_options *o, char ret_id[65]);

/* What is odd in the Dockerfile, by BuildKit's rules (DF-11): lines "FILE:LINE: RULE: text" in the file's order, NULL
 * if there is nothing. Nothing is built. The caller frees. */
int build_check(struct store *s, const struct build_options *o, char ***ret_findings);
/* Its stages, each "NAME (from BASE)"; and its arguments, each "NAME=DEFAULT" as written. The caller frees. */
int build_targets(struct store *s, const struct build_options *o, char ***ret);
int build_outline(struct store *s, const struct build_options *o, char ***ret);

/* Changes a config by instructions as they stand in a Dockerfile ("CMD [\"sh\"]", "ENV A=b"), one after the other;
 * those that make layers are refused. Nothing is changed on failure. */
int build_change(struct image_config *config, char *const *changes);

#endif
