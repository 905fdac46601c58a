/* Build arguments (DF-07, DF-08, DF-09): what --build-arg gave, what a stage has declared, what is known everywhere.
 * Pure but for --build-arg NAME, which takes the value of whelk's own environment. Private to src/build. */
#ifndef BUILD_SCOPE_H
#define BUILD_SCOPE_H

#include "whelk/dockerfile.h"

/* One for a build. */
struct build_args {
    char **given;  /* NAME=value of --build-arg */
    char **used;   /* names that an ARG has asked for */
    char **global; /* NAME=value: the platform's, and ARGs before the first FROM */
};
/* -EINVAL with text for a word without a name. */
int build_args_init(struct build_args *a, char *const *words);
void build_args_done(struct build_args *a);
/* ARG lines before the first FROM. */
int build_args_declare_global(struct build_args *a, const struct dockerfile *d);
/* The names of --build-arg that no ARG has asked for (proxies need none); the caller's. */
char **build_args_unused(const struct build_args *a);
/* For expand_word in FROM: ctx is the struct build_args. */
const char *build_args_lookup_global(void *ctx, const char *name);

/* What a stage has declared so far, as NAME=value. Names without a value are not in it. */
struct scope {
    struct build_args *args;
    char **values;
};
/* ARG name[=fallback] (NULL: none): --build-arg, else the fallback, else the global one of this name. */
void scope_declare(struct scope *s, const char *name, const char *fallback);
/* NULL if unset. Proxy variables that were given need no declaration. */
const char *scope_get(const struct scope *s, const char *name);
/* Proxy variables that were given but not declared: in the environment of RUN, but in no key and no history. The
 * caller's. */
char **scope_proxies(const struct scope *s);

#endif
