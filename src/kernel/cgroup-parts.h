/* Control groups, between their files: cgroup.c (the face), cgroup-values.c (limits to files and back, pure),
 * cgroup-v1.c, cgroup-v2.c (making, freezing, killing), cgroup-systemd.c (scopes). */
#ifndef WHELK_CGROUP_PARTS_H
#define WHELK_CGROUP_PARTS_H

#include "whelk/cgroup.h"
#include "whelk/str.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

/* v2 has one directory, of the controller "". v1 has one for each controller that it needs. */
struct cgroup_dir {
    char *controller, *path; /* path: below the controller's root, with a leading slash */
    int fd;
};
struct cgroup {
    enum cgroup_mode mode;
    struct cgroup_dir *dirs;
    size_t n;
};

/* One line for one file. */
struct cgroup_setting {
    const char *option; /* NULL: follows from another, may fail */
    const char *controller, *file;
    char *value;
    char *name; /* what file points to where that is no constant, or NULL */
};
struct cgroup_settings {
    struct cgroup_setting *list;
    size_t n;
};
/* What has to be written for l, in an order that a fresh group takes. Pure. */
void settings_make(const struct limits *l, enum cgroup_mode mode, struct cgroup_settings *ret);
void settings_done(struct cgroup_settings *s);
#define auto_settings auto_with(settings_done)
/* The first setting that needs the controller, or NULL. */
const struct cgroup_setting *settings_of(const struct cgroup_settings *s, const char *controller);
/* The table's rows by number, to read them back in their order: limit_read puts what the content of the row's file says
 * into l. Pure. */
size_t limit_count(void);
const char *limit_controller(size_t row, enum cgroup_mode mode);
const char *limit_file(size_t row, enum cgroup_mode mode);
void limit_read(size_t row, enum cgroup_mode mode, const char *content, struct limits *l);

/* Adds a directory to g and opens it; -errno without text. */
int cgroup_add_dir(struct cgroup *g, const char *controller, const char *path);
/* Writes settings; strict: an error is one. */
int cgroup_apply(const struct cgroup *g, const struct cgroup_settings *s, bool strict);
/* The group of pid (0: the caller) for the controller ("": v2), as /proc/PID/cgroup has it. -ENOENT without text. */
int cgroup_path_of(pid_t pid, const char *controller, char **ret);
/* <CGROUP_ROOT>/<controller><path>; caller frees. */
/* Makes a group and those above it. -errno. */
int cgroup_make_path(const char *controller, const char *path);
char *cgroup_full_path(const char *controller, const char *path);
/* One write(2) of text to dirfd/file, -errno without text; and all of it back, trimmed (caller frees), or NULL. */
int cgroup_write(int dirfd, const char *file, const char *text);
char *cgroup_read(int dirfd, const char *file);
/* The number after "key " in text of lines "key number", or 0. */
uint64_t cgroup_key(const char *text, const char *key);
void cgroup_pause_ms(unsigned ms);

int cgroup_v1_make(const struct cgroup_request *q, struct cgroup **ret);
int cgroup_v1_freeze(const struct cgroup *g, bool frozen);
int cgroup_v1_kill(const struct cgroup *g);
int cgroup_v2_make(const struct cgroup_request *q, struct cgroup **ret);
int cgroup_v2_freeze(const struct cgroup *g, bool frozen);
int cgroup_v2_kill(const struct cgroup *g);

/* Asks systemd for a scope with Delegate=yes that holds pid. -errno with text that says why not. */
int systemd_make_scope(const char *name, pid_t pid);
/* Asks the caller's manager whether the unit has Delegate=. False also if it cannot be asked. */
bool systemd_delegates(const char *unit);
/* Asks the caller's manager to move pid into the group at path, directly below that of a unit with Delegate=. */
int systemd_attach(const char *path, pid_t pid);
bool systemd_runs(void);

#endif
