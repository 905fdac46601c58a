/* The parts of spec_make, a file for each group of flags. All are pure: the record c is filled in, nothing is made. */
#ifndef RUN_SPEC_H
#define RUN_SPEC_H

#include "whelk/run.h"
#include "whelk/str.h"

/* Namespaces but for the network's; the id map. */
int spec_make_namespaces(const struct store *s, const struct run_options *o, struct ctr *c);
/* --userns and its kin, for a container that uses nobody else's. */
int spec_make_userns(const struct store *s, const struct run_options *o, struct ctr *c);
int spec_make_env(const struct run_options *o, const struct image_config *config, struct ctr *c);
/* Networks, name servers, hosts and published ports; the image's ports are there already. */
int spec_make_network(const struct store *s, const struct run_options *o, struct ctr *c);
/* Of these, name servers and hosts alone. */
int spec_make_names(const struct run_options *o, struct ctr *c);
int spec_make_mounts(const struct store *s, const struct run_options *o, const struct image_config *config,
                     struct ctr *c);
int spec_make_security(const struct run_options *o, struct ctr *c);
/* --cgroups; after the limits. */
int spec_make_cgroups(const struct run_options *o, struct ctr *c);
/* Restart policy and health check; the image's HEALTHCHECK counts where the options say nothing. */
int spec_make_life(const struct run_options *o, const struct image_config *config, struct ctr *c);

/* update: what the options give replaces what c has. */
int spec_change_life(const struct run_options *o, struct ctr *c);
int spec_change_limits(const struct limit_words *words, struct limits *l);
int spec_change_ulimits(char *const *words, struct ctr *c);

/* --secret: the secrets must be there. */
int spec_make_secrets(const struct store *s, const struct run_options *o, struct ctr *c);

/* The names of proxy variables, NULL at the end. */
extern const char *const env_proxies[];
/* A line of a file for each word, comments and empty ones left out; -errno with text that names the file. what: "label"
 * ... */
int spec_read_lines(const char *what, const char *file, char ***words);
/* Refuses what refused-options.def lists. */
int spec_check_refused(const struct run_options *o);

/* Time-out, files with process ids, other containers. */
int spec_make_start(const struct store *s, const struct run_options *o, struct ctr *c);

/* What one flag says about a mount, before it is one. */
struct mount_ask {
    const char *flag, *spec; /* "-v" and its value as typed, for error texts */
    char *type, *source, *target, *subpath;
    char **options;
};
#define MOUNT_TYPES "known: bind volume tmpfs image glob devpts ramfs"
void mount_ask_done(struct mount_ask *a);
/* The value of --mount; flag and spec are set. */
int spec_parse_mount(struct mount_ask *a);
/* What a step of a build may have of the next: ulimits, /dev/shm, devices. */
int spec_make_step_process(const struct run_options *o, struct ctr *c);
/* Checked and added; takes options and subpath out of a. */
int spec_add_mount(const struct store *s, struct mount_ask *a, struct ctr *c);
/* --device VENDOR/CLASS=NAME, --gpus. */
bool spec_is_cdi(const char *word);
int spec_add_cdi(const struct store *s, const struct run_options *o, struct ctr *c);
/* Limits, groups, kernel parameters, devices, time zone; after network and environment. */
int spec_make_process(const struct run_options *o, struct ctr *c);
/* "//usr//x/" is "/usr/x". Caller frees. */
char *spec_clean_path(const char *path);

#endif
