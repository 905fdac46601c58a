/* What the prune commands share: system prune does what each of them does. */
#ifndef CMD_PRUNE_H
#define CMD_PRUNE_H

#include "cmd.h"

/* Prints what was removed, a line each, below a headline when there is one and something to print. */
struct prune_out {
    const char *headline; /* or NULL */
    bool begun;
    uint64_t bytes; /* given back so far */
};
void prune_line(struct prune_out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "Total reclaimed space: ..." */
void prune_total(uint64_t bytes);

/* Each removes and prints; the filters are those of its command, checked. */
int prune_containers(const struct store *s, char *const *filters, struct prune_out *out);
/* all: also images with a name; the layers of what went, and others that nobody names. */
int prune_images(struct store *s, bool all, char *const *filters, struct prune_out *out);
/* The exit status of what could not be removed (and was told), or negative. */
int prune_volumes(const struct store *s, bool all, bool dry_run, char *const *filters, struct prune_out *out);
int prune_networks(const struct store *s, char *const *filters, struct prune_out *out);
/* Cached build steps: those whose layer no image has, or all, with the directories of RUN --mount=type=cache. Layers go with the next prune_images or gc_run. */
int prune_steps(const struct store *s, bool all, struct prune_out *out);
/* What broken pulls left. */
void prune_partial_blobs(const struct store *s, struct prune_out *out);

#endif
