/* A registry, spoken to by the OCI distribution protocol (FEATURES 2.6). Loads libcurl: not for a supervisor.
 *
 * A struct registry is one repository at the places that registries.conf names for it (mirrors first): what one place
 * does not have or answer is asked of the next. Bytes are held against the digest that was asked for before they are
 * returned (H7). A fork may go on with its parent's registry after registry_forked. */
#ifndef WHELK_REGISTRY_H
#define WHELK_REGISTRY_H

#include "whelk/str.h"

#include <sys/types.h>

struct registry_options {
    char *authfile; /* or NULL */
    char *creds;    /* USER:PASSWORD, or NULL */
    char *cert_dir; /* or NULL */
    int tls_verify; /* 1 yes, 0 no, -1 as configured */
    int64_t retries;
    int64_t retry_delay; /* ns; 0: by backoff */
    int64_t stall;       /* ns; how long a transfer may stay below 1 kB/s; 0: 30 s */
};
enum { REGISTRY_RETRIES = 3 };

struct registry;

/* reference: full ("host/path", a tag or digest in it decides which mirrors count). Nothing is sent yet. */
int registry_open(const char *reference, bool pushing, const struct registry_options *o, struct registry **ret);
/* The registry itself, for login and search. */
int registry_open_host(const char *host, const struct registry_options *o, struct registry **ret);
void registry_free(struct registry *r);
static inline void registry_auto(struct registry **r)
{
    if (*r)
        registry_free(*r);
}
#define auto_registry auto_with(registry_auto)
/* In a fork: connections of the parent are not used. Before the fork: registry_prepare loads what forks will need. */
void registry_forked(struct registry *r);
int registry_prepare(void);
/* Takes this login in place of a stored one. */
void registry_use_login(struct registry *r, const char *user, const char *password);

/* Is it a registry, and does it take the login? -EACCES with text. */
int registry_ping(struct registry *r);

/* A manifest or index by tag or digest. *ret_type: its media type. ret_digest: "sha256:<hex>" of the bytes, 72 bytes.
 * -ENOENT with text. Callers free. */
int registry_manifest(struct registry *r, const char *tag_or_digest, char **ret, size_t *ret_len, char **ret_type,
                      char ret_digest[72]);
/* The digest of the manifest of that name; -ENOENT without text. "" if the registry does not say it. */
int registry_manifest_digest(struct registry *r, const char *tag_or_digest, char ret_digest[72]);
/* A blob from offset on, in pieces through sink, never more than size in all. Goes on by Range where a connection
 * breaks. Not hashed: the bytes before offset are the caller's. */
int registry_blob(struct registry *r, const char *digest, uint64_t size, uint64_t offset,
                  int (*sink)(void *ctx, const char *data, size_t len), void *ctx);
/* Which of n blobs are there, asked side by side. */
int registry_has_blobs(struct registry *r, char *const *digests, size_t n, bool *ret);

/* Begins an upload: *ret_location. With digest and from (a path of the same registry) it first asks to take the blob
 * over from there: 1 if that was done. Caller frees. */
int registry_upload_begin(struct registry *r, const char *digest, const char *from, char **ret_location);
/* A small blob as a whole. */
int registry_upload_bytes(struct registry *r, const char *location, const char *digest, const void *data, size_t len);
/* All that read gives (0: end), in one stream; digest() is asked at the end for what it was. */
struct upload {
    ssize_t (*read)(void *ctx, char *data, size_t len);
    const char *(*digest)(void *ctx); /* "sha256:<hex>", or NULL with text: what came is wrong, nothing is kept */
    void *ctx;
};
/* Where an upload stands. The holder frees location. */
struct upload_place {
    char *location;      /* registry_upload_begin's; NULL after a break: it has to be begun anew */
    uint64_t have;       /* bytes that the registry has; read gives what comes after them */
    unsigned tries;      /* that broke without having moved on */
    uint64_t moved_from; /* as far as it was when these were last forgiven */
};
/* -ERESTART with text: the connection broke or the registry was out of order. It has been waited for; *at says from
 * where the same bytes are wanted again. Other errors are for good. */
int registry_upload_stream(struct registry *r, struct upload_place *at, const struct upload *u);
int registry_put_manifest(struct registry *r, const char *tag_or_digest, const char *media_type, const void *bytes,
                          size_t len);

/* All tags; and all repositories of a registry (at most max). Callers free. */
int registry_tags(struct registry *r, char ***ret);
int registry_catalog(struct registry *r, size_t max, char ***ret);
/* GET of an address of the registry's host, for interfaces of its own (a search). Caller frees. */
int registry_get(struct registry *r, const char *path, char **ret, size_t *ret_len);

#endif
