/* RUN --mount: what a step sees beside its layers. Private to src/build. */
#ifndef BUILD_STEP_MOUNT_H
#define BUILD_STEP_MOUNT_H

#include "builder.h"

#include "whelk/run.h"

/* Reads the flags of RUN into s->work and adds them to the key. */
int mounts_prepare(struct step *s);
/* As in struct step_row, where something is bound out of layers. */
int mounts_key_source(struct step *s, struct cache_key *k);
int mounts_key_content(struct step *s, struct cache_key *k);
/* Makes the mounts, in spec->mounts, spec->secrets and env. Copies stay, and caches are locked, until mounts_done. Runs
 * in: the BUILDER. */
int mounts_make(struct step *s, struct step_spec *spec, char ***env);
/* Frees what mounts_make put into spec. */
void mounts_spec_done(struct step_spec *spec);
void mounts_done(struct step *s);

#endif
