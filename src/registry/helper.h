/* Credential helpers: programs docker-credential-NAME that keep logins elsewhere (CV-75, C-072). */
#ifndef WHELK_REGISTRY_HELPER_H
#define WHELK_REGISTRY_HELPER_H

#include "whelk/credentials.h"

/* What the helper has for server; ret->user NULL if nothing. -ENOENT with text if it is not installed. */
int helper_get(const char *name, const char *server, struct credential *ret);
int helper_store(const char *name, const char *server, const struct credential *c);
int helper_erase(const char *name, const char *server);

#endif
