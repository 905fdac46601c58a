/* policy.json (CV-76): which images may come in. $XDG_CONFIG_HOME/containers/policy.json, else
 * /etc/containers/policy.json; without a file everything. Known: insecureAcceptAnything, reject, sigstoreSigned with
 * public keys. What is not known is refused, never ignored. */
#ifndef WHELK_POLICY_H
#define WHELK_POLICY_H

#include "whelk/registry.h"

/* An image of a registry: reference is full, digest that of the manifest which its name stands for; signatures are
 * looked up in reg. -EACCES with text. */
int policy_check(struct registry *reg, const char *reference, const char *digest);
/* An image of another transport ("oci", "dir", ...). */
int policy_check_other(const char *transport);

#endif
