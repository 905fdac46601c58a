/* Manifests and indexes through field tables. What comes from outside is first looked at as a tree (depth, nulls, what
 * it claims to be), then loaded, then checked member by member. */
#include "whelk/manifest.h"

#include "whelk/digest.h"
#include "whelk/err.h"

enum { DEPTH_MAX = 64, ENTRIES_MAX = 10000, SCHEMA = 2 };

/* ---- tables ---- */

static const struct rec_field platform_fields[] = {
    REC_FIELD(struct platform, STR, architecture, "architecture"),
    REC_FIELD(struct platform, STR, os, "os"),
    REC_FIELD(struct platform, STR, os_version, "os.version"),
    REC_FIELD(struct platform, STRV, os_features, "os.features"),
    REC_FIELD(struct platform, STR, variant, "variant"),
    REC_END,
};
static const struct rec_type platform_rec = {"platform", 0, sizeof(struct platform), platform_fields};

static const struct rec_field descriptor_fields[] = {
    REC_FIELD(struct descriptor, STR, media_type, "mediaType"),
    REC_FIELD(struct descriptor, STR, digest, "digest"),
    REC_FIELD(struct descriptor, INT, size, "size"),
    REC_FIELD(struct descriptor, STRV, urls, "urls"),
    REC_FIELD(struct descriptor, JSON, annotations, "annotations"),
    REC_FIELD(struct descriptor, STR, artifact_type, "artifactType"),
    REC_NESTED(struct descriptor, SUB, platform, "platform", &platform_rec),
    REC_END,
};
const struct rec_type descriptor_rec = {"descriptor", 0, sizeof(struct descriptor), descriptor_fields};

static const struct rec_field manifest_fields[] = {
    REC_FIELD(struct manifest, INT, schema_version, "schemaVersion"),
    REC_FIELD(struct manifest, STR, media_type, "mediaType"),
    REC_FIELD(struct manifest, STR, artifact_type, "artifactType"),
    REC_NESTED(struct manifest, SUB, config, "config", &descriptor_rec),
    REC_NESTED(struct manifest, LIST, layers, "layers", &descriptor_rec),
    REC_NESTED(struct manifest, LIST, manifests, "manifests", &descriptor_rec),
    REC_FIELD(struct manifest, JSON, subject, "subject"),
    REC_FIELD(struct manifest, JSON, annotations, "annotations"),
    REC_END,
};
static const struct rec_type manifest_rec = {"manifest", 0, sizeof(struct manifest), manifest_fields};

static const struct {
    const char *media_type;
    bool index, docker;
} kinds[] = {
    {MEDIA_OCI_MANIFEST, false, false},
    {MEDIA_OCI_INDEX, true, false},
    {MEDIA_DOCKER_MANIFEST, false, true},
    {MEDIA_DOCKER_LIST, true, true},
};

static const struct {
    const char *media_type;
    enum codec codec;
    bool docker, written; /* whelk writes this one */
} layer_types[] = {
    {MEDIA_OCI_LAYER, CODEC_NONE, false, true},           {MEDIA_OCI_LAYER "+gzip", CODEC_GZIP, false, true},
    {MEDIA_OCI_LAYER "+zstd", CODEC_ZSTD, false, true},   {MEDIA_DOCKER_LAYER, CODEC_NONE, true, true},
    {MEDIA_DOCKER_LAYER ".gzip", CODEC_GZIP, true, true}, {MEDIA_DOCKER_LAYER ".zstd", CODEC_ZSTD, true, false},
};

/* ---- media types ---- */

static int kind_of(const char *media_type)
{
    for (size_t i = 0; media_type && i < ARRAY_LEN(kinds); i++)
        if (str_eq(media_type, kinds[i].media_type))
            return (int)i;
    return -1;
}

bool media_is_manifest(const char *media_type)
{
    return kind_of(media_type) >= 0;
}

bool media_is_index(const char *media_type)
{
    int kind = kind_of(media_type);
    return kind >= 0 && kinds[kind].index;
}

bool media_is_config(const char *media_type)
{
    return str_eq(media_type, MEDIA_OCI_CONFIG) || str_eq(media_type, MEDIA_DOCKER_CONFIG);
}

int media_layer_codec(const char *media_type, enum codec *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(layer_types); i++)
        if (str_eq(media_type, layer_types[i].media_type)) {
            *ret = layer_types[i].codec;
            return 0;
        }
    auto_free char *shown = str_printable(media_type);
    return err_set(-EINVAL, "%s is not the type of a layer of an image", shown);
}

const char *media_layer_type(bool docker, enum codec codec)
{
    for (size_t i = 0; i < ARRAY_LEN(layer_types); i++)
        if (layer_types[i].written && layer_types[i].docker == docker && layer_types[i].codec == codec)
            return layer_types[i].media_type;
    return NULL;
}

/* ---- reading ---- */

/* null stands for absence in what Go programs write. Also bounds the depth for all that walks the tree later. */
static int tree_clean(json_t *j, unsigned depth)
{
    const char *key;
    json_t *value;
    void *next;
    size_t i;
    if (depth > DEPTH_MAX)
        return err_set(-EBADMSG, "it is nested more than %d deep", DEPTH_MAX);
    int r = 0;
    json_object_foreach_safe(j, next, key, value)
    {
        if (json_is_null(value))
            json_object_del(j, key);
        else if (r == 0)
            r = tree_clean(value, depth + 1);
    }
    json_array_foreach(j, i, value)
    {
        if (r == 0)
            r = tree_clean(value, depth + 1);
    }
    return r;
}

static int type_mismatch(const char *media_type, const char *said)
{
    auto_free char *a = str_printable(media_type), *b = str_printable(said);
    return err_set(-EBADMSG, "it says to be %s, but it is given as %s", a, b);
}

/* What the document is: by its own words, the transport's, or its members. All that speak must agree: one document must
 * not be an image to one reader and an index to another. */
static int find_type(const json_t *root, const char *given, const char **ret)
{
    const char *said = json_str(root, "mediaType");
    bool entries = json_object_get(root, "manifests"), image = json_object_get(root, "config");
    if (json_int(root, "schemaVersion", SCHEMA) == 1)
        return err_set(-EPROTONOSUPPORT, "it is of docker's old schema 1; push the image again with a newer tool");
    if (entries && (image || json_object_get(root, "layers")))
        return err_set(-EBADMSG, "it is a manifest and an index at once");
    if (said && given && media_is_manifest(given) && !str_eq(said, given))
        return type_mismatch(said, given);
    const char *type = said ? said : media_is_manifest(given) ? given : NULL;
    if (!type)
        type = entries ? MEDIA_OCI_INDEX : MEDIA_OCI_MANIFEST;
    if (!media_is_manifest(type)) {
        auto_free char *shown = str_printable(type);
        return err_set(-EPROTONOSUPPORT, "it is of the type %s, which is neither a manifest nor an index", shown);
    }
    if (media_is_index(type) ? image || !entries : entries || !image)
        return err_set(-EBADMSG, "it is not the %s that it says to be", media_is_index(type) ? "index" : "manifest");
    *ret = type;
    return 0;
}

static bool is_string_map(const json_t *j)
{
    const char *key;
    json_t *value;
    if (j && !json_is_object(j))
        return false;
    json_object_foreach((json_t *)j, key, value)
    {
        if (!json_is_string(value))
            return false;
    }
    return true;
}

static int check_descriptor(const struct descriptor *d, const char *what)
{
    auto_free char *shown = str_printable(d->digest ? d->digest : "");
    if (str_empty(d->digest) || str_empty(d->media_type))
        return err_set(-EBADMSG, "its %s has no digest or no media type", what);
    if (!digest_hex(d->digest))
        return err_set(-EPROTONOSUPPORT, "its %s has the digest \"%s\": only sha256:<64 hex digits> are known", what,
                       shown);
    if (d->size < 0)
        return err_set(-EBADMSG, "its %s %s has a size below 0", what, shown);
    if (!is_string_map(d->annotations))
        return err_set(-EBADMSG, "the annotations of its %s %s are not strings", what, shown);
    return 0;
}

/* A foreign layer would have us fetch from an address that the image chooses. */
static int check_layer(const struct descriptor *d)
{
    int r = check_descriptor(d, "layer");
    if (r == 0 && (d->urls || strstr(d->media_type, ".foreign.") || strstr(d->media_type, ".nondistributable.")))
        r = err_set(-EPROTONOSUPPORT, "its layer %s is a foreign one, to be fetched from elsewhere: whelk does not",
                    d->digest);
    return r;
}

static int check_list(const struct rec_list *list, bool index)
{
    const struct descriptor *d = list->items;
    int r = 0;
    if (list->n > ENTRIES_MAX)
        return err_set(-E2BIG, "it has %zu entries, more than %d", list->n, ENTRIES_MAX);
    for (size_t i = 0; r == 0 && i < list->n; i++)
        r = index ? check_descriptor(&d[i], "entry") : check_layer(&d[i]);
    return r;
}

static int check_manifest(const struct manifest *m)
{
    if (m->schema_version != SCHEMA)
        return err_set(-EPROTONOSUPPORT, "its schema version is %lld: only %d is known", (long long)m->schema_version,
                       SCHEMA);
    if (!is_string_map(m->annotations))
        return err_set(-EBADMSG, "its annotations are not strings");
    if (manifest_is_index(m))
        return check_list(&m->manifests, true);
    int r = check_descriptor(&m->config, "config");
    return r < 0 ? r : check_list(&m->layers, false);
}

static int load(json_t *root, const char *media_type, struct manifest *ret)
{
    const char *type = NULL;
    struct manifest m = {0};
    int r = json_is_object(root) ? tree_clean(root, 0) : err_set(-EBADMSG, "it is not a JSON object");
    if (r == 0)
        r = find_type(root, media_type, &type);
    if (r == 0)
        r = rec_from_json(&manifest_rec, root, &m);
    if (r < 0)
        return r;
    if (!m.media_type)
        m.media_type = xstrdup(type);
    r = check_manifest(&m);
    if (r < 0)
        manifest_done(&m);
    else
        *ret = m;
    return r;
}

int manifest_parse(const char *bytes, size_t len, const char *media_type, struct manifest *ret)
{
    auto_json json_t *root = NULL;
    if (len > MANIFEST_MAX)
        return err_set(-EFBIG, "the manifest has %zu bytes, more than %d", len, MANIFEST_MAX);
    int r = json_parse("the manifest", bytes, len, &root);
    if (r < 0)
        return r;
    r = load(root, media_type, ret);
    return r < 0 ? err_wrap(r, "the manifest cannot be used") : 0;
}

/* ---- values ---- */

void descriptor_done(struct descriptor *d)
{
    rec_done(&descriptor_rec, d);
}

void descriptor_copy(const struct descriptor *from, struct descriptor *ret)
{
    auto_json json_t *j = rec_to_json(&descriptor_rec, from);
    memset(ret, 0, sizeof(*ret));
    rec_from_json(&descriptor_rec, j, ret);
}

const char *descriptor_annotation(const struct descriptor *d, const char *key)
{
    return json_str(d->annotations, key);
}

void descriptor_annotate(struct descriptor *d, const char *key, const char *value)
{
    if (!d->annotations)
        d->annotations = json_object();
    json_object_set_new(d->annotations, key, json_from_str(value));
}

void manifest_new(const char *media_type, struct manifest *ret)
{
    *ret = (struct manifest){.schema_version = SCHEMA, .media_type = xstrdup(media_type)};
}

void manifest_done(struct manifest *m)
{
    rec_done(&manifest_rec, m);
}

bool manifest_is_index(const struct manifest *m)
{
    return media_is_index(m->media_type);
}

bool manifest_is_docker(const struct manifest *m)
{
    int kind = kind_of(m->media_type);
    return kind >= 0 && kinds[kind].docker;
}

/* Zero values and empty lists are not written by records, but readers want them here. */
static void complete(json_t *list)
{
    json_t *d;
    size_t i;
    json_array_foreach(list, i, d)
    {
        if (!json_object_get(d, "size"))
            json_object_set_new(d, "size", json_integer(0));
    }
}

char *manifest_bytes(const struct manifest *m, size_t *ret_len)
{
    auto_json json_t *j = rec_to_json(&manifest_rec, m);
    const char *list = manifest_is_index(m) ? "manifests" : "layers";
    if (!json_object_get(j, list))
        json_object_set_new(j, list, json_array());
    complete(json_object_get(j, list));
    char *text = json_text(j, false);
    *ret_len = strlen(text);
    return text;
}

const struct descriptor *manifest_layer(const struct manifest *m, size_t i)
{
    return (const struct descriptor *)m->layers.items + i;
}

const struct descriptor *manifest_entry(const struct manifest *m, size_t i)
{
    return (const struct descriptor *)m->manifests.items + i;
}

static struct descriptor *list_add(struct rec_list *list, const char *media_type, const char *digest, int64_t size)
{
    struct descriptor *d = rec_list_add(&descriptor_rec, list);
    d->media_type = xstrdup(media_type);
    d->digest = xstrdup(digest);
    d->size = size;
    return d;
}

struct descriptor *manifest_add_layer(struct manifest *m, const char *media_type, const char *digest, int64_t size)
{
    return list_add(&m->layers, media_type, digest, size);
}

struct descriptor *manifest_add_entry(struct manifest *m, const char *media_type, const char *digest, int64_t size)
{
    return list_add(&m->manifests, media_type, digest, size);
}

/* ---- platforms ---- */

static int none_serves(const struct manifest *index, const struct platform *want)
{
    auto_strv char **there = NULL;
    auto_free char *wanted = platform_text(want);
    for (size_t i = 0; i < index->manifests.n && i < 32; i++)
        strv_add_take(&there, platform_text(&manifest_entry(index, i)->platform));
    auto_free char *list = strv_join(there, ", "), *shown = str_printable(list);
    return err_set(-ENOENT, "the image is not there for %s; it is for: %s (--platform chooses)", wanted, shown);
}

int manifest_pick(const struct manifest *index, const struct platform *want, const struct descriptor **ret)
{
    const struct descriptor *best = NULL;
    unsigned best_score = 0;
    for (size_t i = 0; i < index->manifests.n; i++) {
        const struct descriptor *d = manifest_entry(index, i);
        unsigned score = platform_score(want, &d->platform);
        if (score > best_score) {
            best = d;
            best_score = score;
        }
    }
    /* A list of one that says nothing of platforms is what some tools write. */
    if (!best && index->manifests.n == 1 && !manifest_entry(index, 0)->platform.architecture)
        best = manifest_entry(index, 0);
    if (!best)
        return none_serves(index, want);
    *ret = best;
    return 0;
}
