/* How images get into lists of manifests. */
#include "manifests.h"

#include "whelk/err.h"
#include "whelk/receive.h"

struct adding {
    struct store *store;
    struct list *list;
    struct source *src;
    void (*fn)(struct descriptor *d, void *arg);
    void *arg;
};

static int add_found(const struct adding *a, const char *id, const char *manifest)
{
    struct descriptor *d;
    int r = list_add_image(a->store, a->list, id, manifest, &d);
    if (r == 0 && a->fn)
        a->fn(d, a->arg);
    return r;
}

/* ---- from elsewhere ---- */

/* One image comes into the store, and goes into the list by the manifest that it came by. */
static int add_received(const struct adding *a, const char *digest, const struct platform *platform)
{
    char id[65];
    auto_with(manifest_blob_done) struct manifest_blob blob = {0};
    const struct receive_options o = {.platform = platform};
    int r = image_receive(a->store, a->src, digest, &o, id);
    if (r == 0)
        r = source_image(a->src, digest, platform, &blob, NULL);
    return r < 0 ? r : add_found(a, id, blob.digest);
}

static int add_all(const struct adding *a)
{
    auto_with(manifest_blob_done) struct manifest_blob blob = {0};
    auto_with(manifest_done) struct manifest m = {0};
    int r = source_manifest(a->src, NULL, &blob);
    if (r == 0)
        r = manifest_blob_parse(&blob, &m);
    if (r < 0 || !manifest_is_index(&m))
        return r < 0 ? r : add_received(a, NULL, NULL);
    for (size_t i = 0; r == 0 && i < m.manifests.n; i++)
        r = add_received(a, manifest_entry(&m, i)->digest, &manifest_entry(&m, i)->platform);
    return r;
}

static int add_remote(struct adding *a, const char *name, const struct list_adding *how)
{
    const struct transport_options o = {.registry = how->registry, .std_fd = STDIN_FILENO};
    int r = source_open(name, &o, &a->src);
    if (r == 0)
        r = how->all ? add_all(a) : add_received(a, NULL, NULL);
    source_free(a->src);
    return r;
}

/* ---- from the store ---- */

static int add_local(const struct adding *a, const char *typed)
{
    auto_free char *id = NULL, *reference = NULL;
    auto_with(image_name_done) struct image_name name = {0};
    int r = image_find(a->store, typed, &id, &reference);
    if (r < 0)
        return r;
    if (reference && name_get_all(a->store, reference, &name) < 0)
        name = (struct image_name){0};
    return add_found(a, id, name.manifest);
}

int list_add(struct store *s, struct list *l, const char *typed, const struct list_adding *how,
             void (*fn)(struct descriptor *d, void *arg), void *arg)
{
    struct adding a = {.store = s, .list = l, .fn = fn, .arg = arg};
    int r = transport_rest(typed) ? add_remote(&a, typed, how) : add_local(&a, typed);
    return r < 0 ? err_wrap(r, "cannot add %s to the list", typed) : 0;
}

/* ---- marks ---- */

int entry_marks_check(const struct entry_marks *m)
{
    strv_foreach (word, m->annotations) {
        auto_free char *shown = str_printable(word);
        if (!strchr(word, '=') || *word == '=')
            return err_set(-EINVAL, "--annotation %s: KEY=VALUE is wanted", shown);
    }
    return 0;
}

static void replace(char **slot, const char *value)
{
    if (!value)
        return;
    free(*slot);
    *slot = xstrdup(value);
}

void entry_mark(struct descriptor *d, void *marks)
{
    const struct entry_marks *m = marks;
    replace(&d->platform.architecture, m->arch);
    replace(&d->platform.os, m->os);
    replace(&d->platform.variant, m->variant);
    replace(&d->platform.os_version, m->os_version);
    if (m->os_features) {
        strv_free(d->platform.os_features);
        d->platform.os_features = strv_copy(m->os_features);
    }
    strv_foreach (word, m->annotations) {
        const char *value = strchr(word, '=') + 1;
        auto_free char *key = xstrndup(word, (size_t)(value - 1 - word));
        descriptor_annotate(d, key, value);
    }
}
