/* TOML 1.0 in, as a JSON tree: tables are objects, times are strings. Bounded: 1 MiB, 32 levels, 4,000 tables. Pure. */
#ifndef WHELK_TOML_H
#define WHELK_TOML_H

#include "whelk/json.h"

/* what names the source in error texts ("/etc/x.conf"). -EBADMSG with "WHAT: line N: ...". The caller owns *ret. */
int toml_parse(const char *what, const char *data, size_t len, json_t **ret);

#endif
