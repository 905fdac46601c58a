/* What the volume commands share. */
#ifndef CMD_VOLUMES_H
#define CMD_VOLUMES_H

#include "cmd.h"

#include "whelk/filter.h"
#include "whelk/json.h"
#include "whelk/volume.h"

/* Volumes as listed, with how many containers have each. */
struct volume_row {
    struct volume v;
    size_t links;
};
struct volume_rows {
    struct volume_row *items;
    size_t n;
};
/* All that pass the filters, by name. */
int volume_rows_load(const struct store *s, char *const *filters, struct volume_rows *ret);
void volume_rows_done(struct volume_rows *rows);
extern const struct filter_key volume_filters[];

/* inspect's object. The caller owns it. */
json_t *volume_json(const struct store *s, const struct volume *v, size_t links);

/* The names that args stand for, or with all every volume; -EINVAL with text if there is neither. */
int volume_targets(const struct store *s, bool all, char *const *args, char ***ret);

#endif
