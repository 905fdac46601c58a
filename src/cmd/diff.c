/* What a container, or the topmost layer of an image, has changed: as lines or as JSON. */
#include "diff.h"

#include "targets.h"

#include "whelk/image.h"
#include "whelk/json.h"
#include "whelk/rootfs.h"

static void print_line(void *ctx, char kind, const char *path)
{
    if (!kind)
        return;
    auto_free char *shown = str_printable(path);
    printf("%c %s\n", kind, shown);
    fflush(stdout);
}

static void collect_line(void *ctx, char kind, const char *path)
{
    static const char *const lists[] = {['A'] = "added", ['C'] = "changed", ['D'] = "deleted"};
    json_t *o = ctx;
    if (!kind) {
        auto_free char *text = json_text(o, false);
        printf("%s\n", text);
        fflush(stdout);
        return;
    }
    const char *list = lists[(unsigned char)kind];
    if (!json_object_get(o, list))
        json_object_set_new(o, list, json_array());
    json_array_append_new(json_object_get(o, list), json_from_str(path));
}

static int diff_image(const struct store *s, const char *typed, void (*line)(void *, char, const char *), void *ctx)
{
    auto_free char *id = NULL;
    struct image image = {0};
    int r = image_find(s, typed, &id, NULL);
    if (r == 0)
        r = image_load(s, id, &image);
    if (r == 0)
        r = rootfs_image_changes(s, image.layers, line, ctx);
    image_done(&image);
    return r;
}

static int diff(const struct diff_request *q, void (*line)(void *, char, const char *), void *ctx)
{
    struct store *s;
    struct ctr c = {0};
    int r = cmd_store(&s);
    if (r == 0)
        r = q->containers ? target_load(s, q->latest, q->typed, &c) : -ENOENT;
    if (r == 0)
        r = rootfs_changes(s, &c, line, ctx);
    else if (r == -ENOENT && q->images && q->typed) {
        r = diff_image(s, q->typed, line, ctx);
        if (r == -ENOENT && q->containers)
            r = err_set(r, "no such container or image: %s", q->typed);
    }
    ctr_done(&c);
    return r;
}

int diff_print(const struct diff_request *q)
{
    auto_json json_t *found = json_object();
    if (q->format && !str_eq(q->format, "json"))
        return err_set(-EINVAL, "--format %s is not known; known: json", q->format);
    return q->format ? diff(q, collect_line, found) : diff(q, print_line, NULL);
}
