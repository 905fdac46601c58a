/* Views of containers and images: printing them, taking them away. */
#include "views.h"

#include "listing.h"

#include "whelk/event.h"
#include "whelk/id.h"

static const struct template_column columns[] = {
    {"ID", "ID", true},
    {"Mountpoint", "MOUNTPOINT", true},
    {"Name", "NAME", false},
};

void view_add_row(json_t *rows, const struct store *s, const char *kind, const char *id, const char *name,
                  bool no_trunc)
{
    auto_free char *path = view_path(s, kind, id);
    auto_free char *shown = xstrndup(id, no_trunc ? ID_LEN : ID_SHORT);
    json_array_append_new(rows, json_pack("{s:o, s:o, s:o}", "ID", json_from_str(shown), "Mountpoint",
                                          json_from_str(path), "Name", json_from_str(name ? name : "")));
}

int view_print(const json_t *rows, const char *format, bool one_name)
{
    if (!one_name || format || json_array_size(rows) != 1)
        return listing_print(format, columns, ARRAY_LEN(columns), rows, false);
    printf("%s\n", json_str(json_array_get(rows, 0), "Mountpoint"));
    return 0;
}

int view_end(const struct store *s, const char *kind, const char *id, const char *typed, bool force)
{
    const char *type = str_eq(kind, "images") ? "image" : "container";
    int r = view_detach(s, kind, id, force);
    if (r == -ENOENT)
        return err_set(r, "%s %s is not mounted here", type, typed);
    if (r == -EBUSY)
        return err_set(r,
                       "%s %s cannot be unmounted: something in it is open, or somebody's working directory; give "
                       "--force to take it away all the same",
                       type, typed);
    if (r < 0)
        return r;
    event_object(s, type, "unmount", id, typed);
    printf("%s\n", typed);
    return 0;
}
