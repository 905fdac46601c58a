/* What the secret commands share: the JSON of a secret, in podman's shape. */
#include "secrets.h"

#include "whelk/units.h"

json_t *secret_json(const struct secret *x)
{
    char created[40], updated[40];
    json_t *labels = json_object();
    strv_foreach (pair, x->labels) {
        auto_free char *key = xstrndup(pair, strcspn(pair, "="));
        const char *eq = strchr(pair, '=');
        json_object_set_new(labels, key, json_from_str(eq ? eq + 1 : ""));
    }
    return json_pack("{s:o, s:s, s:s, s:{s:o, s:{s:s, s:{}}, s:o}}", "ID", json_from_str(x->id), "CreatedAt",
                     time_format(x->created, created), "UpdatedAt", time_format(x->updated, updated), "Spec", "Name",
                     json_from_str(x->name), "Driver", "Name", x->driver ? x->driver : "file", "Options", "Labels",
                     labels);
}
