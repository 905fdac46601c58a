/* What the secret commands share. */
#ifndef CMD_SECRETS_H
#define CMD_SECRETS_H

#include "cmd.h"

#include "whelk/json.h"
#include "whelk/secret.h"

/* inspect's object, without the data. The caller owns it. */
json_t *secret_json(const struct secret *x);

#endif
