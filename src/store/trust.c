/* Which layers may be used as they are (STORE, garbage and durability 4).
 *
 * After a power loss a layer can be there by name with its files torn. A record that was published after syncfs vouches
 * for the layers that it names. Before there is one, a running operation vouches for what it made itself: its flock
 * proves that it is of this boot, and its list "made" (stage_publish_layer) says what it wrote. Pins do not count: they
 * are wishes. */
#include "marks.h"
#include "store-private.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/stage.h"

static int mark_made(const struct store *s, const char *name, struct marks *m)
{
    auto_with(marks_done) struct marks made = {0};
    if (!str_after(name, "op-"))
        return 0;
    int r = mark_notes(s, name, "made", &made);
    if (r == 0 && !stage_is_stale(s, name))
        marks_move(m, &made);
    return r;
}

/* Operations first: one that ends while we look has published its record by then. */
static const struct {
    const char *dir;
    int (*mark)(const struct store *s, const char *name, struct marks *m);
} witnesses[] = {
    {"tmp", mark_made},
    {"images", mark_image},
    {"cache/steps", mark_step},
};

/* What cannot be read vouches for nothing. */
static void ask(const struct store *s, size_t witness, struct marks *m)
{
    auto_strv char **names = NULL;
    if (dir_names(s->fd, witnesses[witness].dir, &names) < 0)
        return;
    strv_foreach (name, names)
        if (witnesses[witness].mark(s, name, m) < 0)
            err_clear();
}

bool layer_trusted(const struct store *s, const char *key)
{
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(witnesses) && !found; i++) {
        auto_with(marks_done) struct marks m = {0};
        ask(s, i, &m);
        marks_sort(&m);
        found = is_marked(&m, key);
    }
    return found;
}

struct trusted_layers {
    struct marks marks;
};

struct trusted_layers *trusted_layers_read(const struct store *s)
{
    struct trusted_layers *t = xcalloc(1, sizeof(*t));
    for (size_t i = 0; i < ARRAY_LEN(witnesses); i++)
        ask(s, i, &t->marks);
    marks_sort(&t->marks);
    return t;
}

bool trusted_layers_has(const struct trusted_layers *t, const char *key)
{
    return is_marked(&t->marks, key);
}

void trusted_layers_free(struct trusted_layers *t)
{
    if (t)
        marks_done(&t->marks);
    free(t);
}
