/* Which stages a target needs, and what each of them begins with and copies from. Pure. Private to src/build. */
#ifndef BUILD_PLAN_H
#define BUILD_PLAN_H

#include "scope.h"

/* Where a stage begins, or a COPY takes from. */
struct plan_source {
    enum plan_source_kind { FROM_CONTEXT, FROM_SCRATCH, FROM_STAGE, FROM_IMAGE, FROM_NAMED } kind;
    size_t stage; /* FROM_STAGE: its index, always lower than that of the stage that refers to it */
    char *image;  /* FROM_IMAGE: as written, expanded */
    size_t named; /* FROM_NAMED: index in names */
};

/* What --build-context gives: such a name wins over stages and images. */
struct plan_name {
    char *name;
    char *where;
    char *image; /* the image that it is, or NULL: a tree of files */
};
/* NAME=WHERE words. -EINVAL with text. */
int plan_names_parse(char *const *words, struct plan_name **ret, size_t *ret_n);
void plan_names_free(struct plan_name *v, size_t n);

struct plan_stage {
    bool needed;
    struct plan_source base;
    struct plan_source *copies; /* one for each step; FROM_CONTEXT where there is no --from */
    size_t n_copies;
    bool *uses;    /* stages that its RUN --mount takes from, */
    char **images; /* and images */
};

struct build_plan {
    struct plan_name *names;
    size_t n_names;
    struct plan_stage *stages; /* as in the file */
    size_t n_stages, target, n_needed;
};

/* Is it this machine's own platform? -EINVAL with text. */
int build_plan_platform(const char *platform);
/* target: a stage's name or number, NULL for the last one. args: with the global ones declared. contexts: NAME=WHERE
 * words, or NULL. -EINVAL with text. */
int build_plan_make(const struct dockerfile *d, struct build_args *args, const char *target, char *const *contexts,
                    struct build_plan *ret);
/* n steps were put before those of a stage: plans them, with the arguments that the stage begins with. */
int build_plan_insert(struct build_plan *p, const struct dockerfile *d, size_t at, size_t n, const struct scope *scope);
/* What from= or --from names in a stage: a named context, an earlier stage by name or number, or an image. */
int build_plan_find(const struct build_plan *p, const struct dockerfile *d, size_t at, const char *name,
                    struct plan_source *ret);
void build_plan_done(struct build_plan *p);

#endif
