/* Keys of layers out of records and notes, for who collects (gc.c) and who trusts (trust.c). Runs in: any process that
 * has the store. Reads only. */
#include "marks.h"

#include "store-private.h"

#include "whelk/cache.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/image.h"

enum { NOTES_MAX = 16 << 20 };

/* ---- the set ---- */

void mark(struct marks *m, const char *key)
{
    char *copy = xstrdup(key);
    buf_add(&m->keys, &copy, sizeof(copy));
}

static size_t marks_len(const struct marks *m)
{
    return m->keys.len / sizeof(char *);
}

void marks_done(struct marks *m)
{
    for (size_t i = 0; i < marks_len(m); i++)
        free(((char **)(void *)m->keys.data)[i]);
    buf_done(&m->keys);
}

void marks_move(struct marks *to, struct marks *from)
{
    buf_add(&to->keys, from->keys.data, from->keys.len);
    buf_done(&from->keys);
    *from = (struct marks){0};
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void marks_sort(struct marks *m)
{
    if (m->keys.len)
        qsort(m->keys.data, marks_len(m), sizeof(char *), compare_keys);
}

bool is_marked(const struct marks *m, const char *key)
{
    return m->keys.len && bsearch(&key, m->keys.data, marks_len(m), sizeof(char *), compare_keys);
}

/* ---- who names layers ---- */

int mark_image(const struct store *s, const char *id, struct marks *m)
{
    struct image i = {0};
    int r = image_load(s, id, &i);
    if (r == -ENOENT && store_has(s, "images", id)) /* no record where there must be one */
        return err_set(-EBADMSG, "images/%s has no image.json", id);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    strv_foreach (key, i.layers)
        mark(m, key);
    image_done(&i);
    return 0;
}

int mark_step(const struct store *s, const char *name, struct marks *m)
{
    auto_free char *path = xasprintf("cache/steps/%s", name);
    struct cache_step c = {0};
    if (rec_load(&cache_step_rec, s->fd, path, &c) == 0) {
        if (c.layer)
            mark(m, c.layer);
        cache_step_done(&c);
    }
    return 0;
}

int mark_notes(const struct store *s, const char *name, const char *file, struct marks *m)
{
    auto_free char *path = xasprintf("tmp/%s/%s", name, file);
    auto_free char *text = NULL;
    int r = file_read(s->fd, path, NOTES_MAX, &text, NULL);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    auto_strv char **lines = strv_split(text, "\n");
    strv_foreach (line, lines) {
        const char *key = str_after(line, "layers/");
        if (key)
            mark(m, key);
    }
    return 0;
}
