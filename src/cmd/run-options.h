/* The options that run and create share, and what both do first. */
#ifndef CMD_RUN_OPTIONS_H
#define CMD_RUN_OPTIONS_H

#include "cmd.h"
#include "registry-flags.h"

#include "whelk/run.h"

#define LIMIT_OPT_SIZE OPT_STR
#define LIMIT_OPT_CPUS OPT_STR
#define LIMIT_OPT_COUNT OPT_STR
#define LIMIT_OPT_TEXT OPT_STR
#define LIMIT_OPT_DEVICES OPT_LIST
#define LIMIT_OPT_CONF OPT_LIST
#define LIMIT_ARG_SIZE "SIZE"
#define LIMIT_ARG_CPUS "NUMBER"
#define LIMIT_ARG_COUNT "NUMBER"
#define LIMIT_ARG_TEXT "LIST"
#define LIMIT_ARG_DEVICES "DEVICE:VALUE"
#define LIMIT_ARG_CONF "FILE=VALUE"

struct make_options {
    struct run_options run;
    struct pull_flags pull;
};

/* The options of both, for structs that begin with struct make_options; and what they are when they are not given. */
extern const struct opt make_option_rows[];
void make_option_defaults(void *opts);
void run_option_defaults(struct run_options *o);
/* Finds the image (pulls it, as the flags say), makes and publishes the container's record, writes the cid file. args:
 * IMAGE [COMMAND...]. On success *ret is the caller's (ctr_done), and so is *claim (run_create), which may be NULL. */
int make_container(struct store *s, struct make_options *m, char **args, struct ctr *ret, int *claim);

#endif
