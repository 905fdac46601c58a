/* What can be told of an image without having it: its manifest and configuration, read where they are. The form is
 * skopeo's. */
#include "inspect.h"

#include "listing.h"

#include "whelk/err.h"
#include "whelk/image-config.h"
#include "whelk/transport.h"

struct found {
    struct manifest_blob blob;
    struct manifest m;
    char *config;
    size_t config_len;
};

static void found_done(struct found *f)
{
    manifest_blob_done(&f->blob);
    manifest_done(&f->m);
    free(f->config);
}

static json_t *layers_json(const struct manifest *m)
{
    json_t *a = json_array();
    for (size_t i = 0; i < m->layers.n; i++)
        json_array_append_new(a, json_from_str(manifest_layer(m, i)->digest));
    return a;
}

static json_t *layers_data_json(const struct manifest *m)
{
    json_t *a = json_array();
    for (size_t i = 0; i < m->layers.n; i++) {
        const struct descriptor *d = manifest_layer(m, i);
        json_t *o = json_object();
        json_object_set_new(o, "MIMEType", json_from_str(d->media_type));
        json_object_set_new(o, "Digest", json_from_str(d->digest));
        json_object_set_new(o, "Size", json_integer(d->size));
        json_object_set_new(o, "Annotations", d->annotations ? json_incref(d->annotations) : json_null());
        json_array_append_new(a, o);
    }
    return a;
}

static json_t *value_or_null(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);
    return v ? json_incref(v) : json_null();
}

static json_t *object(const struct source *s, const struct found *f, const struct image_config *c)
{
    const json_t *settings = json_object_get(c->root, "config");
    json_t *o = json_object();
    json_object_set_new(o, "Name", json_from_str(s->repository ? s->repository : ""));
    json_object_set_new(o, "Digest", json_from_str(f->blob.digest));
    json_object_set_new(o, "ManifestType", json_from_str(f->m.media_type));
    json_object_set_new(o, "Created", value_or_null(c->root, "created"));
    json_object_set_new(o, "Labels", value_or_null(settings, "Labels"));
    json_object_set_new(o, "Architecture", json_from_str(image_config_architecture(c)));
    json_object_set_new(o, "Variant", value_or_null(c->root, "variant"));
    json_object_set_new(o, "Os", json_from_str(image_config_os(c)));
    json_object_set_new(o, "Layers", layers_json(&f->m));
    json_object_set_new(o, "LayersData", layers_data_json(&f->m));
    json_object_set_new(o, "Env", value_or_null(settings, "Env"));
    return o;
}

static int print_bytes(const char *bytes, size_t len)
{
    fwrite(bytes, 1, len, stdout);
    return 0;
}

static int print_object(const struct inspect_remote *q, json_t *o)
{
    if (q->format && !str_eq(q->format, "json"))
        return listing_print_object(q->format, o);
    auto_free char *text = json_text(o, true);
    printf("%s\n", text);
    return 0;
}

static int print_config(const struct inspect_remote *q, const struct found *f, const struct image_config *c)
{
    return q->raw ? print_bytes(f->config, f->config_len) : print_object(q, c->root);
}

static int load(struct source *s, const struct inspect_remote *q, struct found *f)
{
    auto_with(platform_done) struct platform platform = {0};
    int r = q->platform ? platform_parse(q->platform, &platform) : 0;
    if (r == 0)
        r = source_image(s, NULL, q->platform ? &platform : NULL, &f->blob, NULL);
    if (r == 0)
        r = manifest_blob_parse(&f->blob, &f->m);
    return r < 0 ? r : source_blob_read(s, &f->m.config, CONFIG_MAX, &f->config, &f->config_len);
}

static int show(struct source *s, const struct inspect_remote *q)
{
    auto_with(found_done) struct found f = {0};
    auto_with(image_config_done) struct image_config config = {0};
    int r = q->raw && !q->config && !q->platform ? source_manifest(s, NULL, &f.blob) : load(s, q, &f);
    if (r == 0 && q->raw && !q->config)
        return print_bytes(f.blob.bytes, f.blob.len);
    if (r == 0)
        r = image_config_parse(f.config, f.config_len, &config);
    if (r < 0)
        return r;
    if (q->config)
        return print_config(q, &f, &config);
    auto_json json_t *o = object(s, &f, &config);
    return print_object(q, o);
}

int inspect_remote(const struct inspect_remote *q, const char *name)
{
    auto_with(source_free_auto) struct source *s = NULL;
    const struct transport_options o = {.registry = q->registry, .std_fd = STDIN_FILENO};
    int r = source_open(name, &o, &s);
    return r < 0 ? r : show(s, q);
}
