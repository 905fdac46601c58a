/* Which layers may be used as they are (STORE, garbage and durability 4).
 *
 * After a power loss a layer can be there by name with its files torn. A record that was published after syncfs vouches
 * for the layers that it names. Before there is one, a running operation vouches for what it made itself: its flock
 * proves that it is of this boot, and its list "made" (stage_publish_layer) says what it wrote. Pins do not count: they
 * are wishes. */
#include "store-private.h"

#include "whelk/cache.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/image.h"
#include "whelk/stage.h"

enum { NOTES_MAX = 16 << 20 };

static bool image_names_layer(const struct store *s, const char *id, const char *key)
{
    struct image i = {0};
    bool found = image_load(s, id, &i) == 0 && strv_has(i.layers, key);
    image_done(&i);
    return found;
}

static bool step_names_layer(const struct store *s, const char *step, const char *key)
{
    auto_free char *path = xasprintf("cache/steps/%s", step);
    struct cache_step c = {0};
    bool found = rec_load(&cache_step_rec, s->fd, path, &c) == 0 && c.layer && str_eq(c.layer, key);
    cache_step_done(&c);
    return found;
}

static bool operation_made_layer(const struct store *s, const char *name, const char *key)
{
    auto_free char *path = xasprintf("tmp/%s/made", name);
    auto_free char *wanted = xasprintf("layers/%s", key);
    auto_free char *text = NULL;
    if (!str_after(name, "op-") || file_read(s->fd, path, NOTES_MAX, &text, NULL) < 0)
        return false;
    auto_strv char **lines = strv_split(text, "\n");
    return strv_has(lines, wanted) && !stage_is_stale(s, name);
}

static const struct {
    const char *dir;
    bool (*vouches)(const struct store *s, const char *name, const char *key);
} witnesses[] = {
    {"tmp", operation_made_layer},
    {"images", image_names_layer},
    {"cache/steps", step_names_layer},
};

bool layer_trusted(const struct store *s, const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(witnesses); i++) {
        auto_strv char **names = NULL;
        if (dir_names(s->fd, witnesses[i].dir, &names) < 0)
            continue;
        strv_foreach (name, names) {
            if (witnesses[i].vouches(s, name, key))
                return true;
        }
    }
    return false;
}
