/* Logins: auth.json and docker's config.json, with credential helpers (CV-75).
 *
 * Read in this order: the given file (--authfile, REGISTRY_AUTH_FILE) and no other, else
 * $XDG_RUNTIME_DIR/containers/auth.json, $XDG_CONFIG_HOME/containers/auth.json, $DOCKER_CONFIG/config.json
 * (~/.docker/config.json), ~/.dockercfg. Within a file the most specific key counts: host/namespace/image ... host.
 * Written to $XDG_CONFIG_HOME/containers/auth.json (0600, by rename), where it outlives the session. */
#ifndef WHELK_CREDENTIALS_H
#define WHELK_CREDENTIALS_H

#include "whelk/str.h"

struct credential {
    char *user; /* NULL: there is none */
    char *password;
    char *identity_token; /* in place of the password, or NULL */
};
void credential_done(struct credential *c);
/* "user:password"; -EINVAL with text. */
int credential_parse(const char *s, struct credential *ret);

/* What is stored for a repository ("host[:port]/path") or a host. authfile may be NULL. 0 also when there is nothing:
 * then ret->user is NULL. A damaged file or a helper that fails is an error with text. */
int credentials_find(const char *authfile, const char *repository, struct credential *ret);
/* Stores under key ("host" or "host/path"), through the helper that the file names for it if there is one. */
int credentials_store(const char *authfile, const char *key, const struct credential *c);
/* Forgets key, everywhere it is read from; -ENOENT with text if it was nowhere. key NULL: all. *ret_removed: the keys.
 */
int credentials_erase(const char *authfile, const char *key, char ***ret_removed);

/* base64 (RFC 4648). Callers free; decode gives NULL for what is none, and ends with a NUL that does not count. */
char *base64_encode(const void *data, size_t len);
char *base64_decode(const char *s, size_t *ret_len);

#endif
