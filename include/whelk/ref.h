/* Image references: [host[:port]/]path[:tag][@sha256:...], after the grammar of distribution's reference package.
 * Pure: no file is read. */
#ifndef WHELK_REF_H
#define WHELK_REF_H

#include <stdbool.h>

struct ref {
    char *domain; /* "docker.io", "localhost", "host:5000"; NULL in a short name as typed */
    char *path;   /* "library/busybox" */
    char *tag;    /* "latest", or NULL */
    char *digest; /* "sha256:...", or NULL */
};

/* Parses what a user typed, adding nothing: "busybox" has no domain and no tag. A domain is a first component that
 * holds a dot or colon or is "localhost". -EINVAL with text that says which rule is broken (CV-84). */
int ref_parse(const char *s, struct ref *ret);
void ref_done(struct ref *r);

/* The full canonical text "docker.io/library/busybox:latest": missing domain becomes `domain` ("library/" is added for
 * docker.io paths of one component), missing tag (without digest) "latest". Caller frees. */
char *ref_full(const struct ref *r, const char *domain);
/* Parses and completes what the user wants to give to a new local image: short names get "localhost/". Caller frees. */
int ref_normalize_local(const char *s, char **ret);
/* How tables show a full reference: repository ("localhost/app", "docker.io/library/busybox") and tag ("<none>" if
 * none). Callers free. */
void ref_split_display(const char *full, char **ret_repository, char **ret_tag);

#endif
