/* registries.conf, version 2 (CV-72, CV-73): which registry a name means, and where it is really asked.
 *
 * Read from CONTAINERS_REGISTRIES_CONF alone if that is set; else $XDG_CONFIG_HOME/containers/registries.conf or
 * /etc/containers/registries.conf, then the files *.conf of registries.conf.d in both places, in the order of their
 * names; later ones win. Without any: docker.io, https. */
#ifndef WHELK_REGISTRIES_H
#define WHELK_REGISTRIES_H

#include "whelk/ref.h"
#include "whelk/str.h"

/* The full references that a short one as typed ("busybox:1") may mean, in the order of trying: the one of an alias, or
 * one for each search registry. A reference with a domain gives itself. Caller frees. */
int registries_candidates(const struct ref *typed, char ***ret);

/* One place to ask for a repository. */
struct place {
    char *host; /* "registry.example:5000" */
    char *path; /* "library/busybox" */
    bool insecure;
    bool mirror;
};
/* Where ref (with a domain) is asked: its mirrors first when pulling, then the registry. -EACCES with text if it is
 * blocked. *ret: *ret_n places, places_free. */
int registries_places(const struct ref *ref, bool pulling, struct place **ret, size_t *ret_n);
void places_free(struct place *p, size_t n);

/* credential-helpers, in order; NULL if not said. Caller frees. */
int registries_helpers(char ***ret);

#endif
