/* Policies. A signature (cosign's form) is the layer of a manifest under the tag sha256-<hex>.sig in the image's
 * repository: a text that names digest and reference, signed by a key that the policy names. Nothing of that text
 * counts before its signature is right. Runs in: the process of a pull. Reads policy.json and the keys that it names.
 */
#include "whelk/policy.h"

#include "whelk/credentials.h"
#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/json.h"
#include "whelk/manifest.h"
#include "whelk/pubkey.h"
#include "whelk/ref.h"

#include <fcntl.h>

enum { POLICY_MAX = 1 << 20, KEY_MAX = 64 << 10, PAYLOAD_MAX = 64 << 10, SIGNATURES_MAX = 100 };
static const char signature_annotation[] = "dev.cosignproject.cosign/signature";

struct question {
    struct registry *reg; /* NULL: not a registry's */
    const char *reference, *digest;
    const char *file; /* policy.json, for texts */
};

/* ---- the file ---- */

/* -ENOENT without text if there is none. *ret_file: which it is. */
static int policy_load(json_t **ret, char **ret_file)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME") ?: "";
    auto_free char *own = !str_empty(xdg) ? xasprintf("%s/containers/policy.json", xdg)
                                          : xasprintf("%s/.config/containers/policy.json", home);
    const char *const places[] = {own, "/etc/containers/policy.json"};
    int r = -ENOENT;
    for (size_t i = 0; i < ARRAY_LEN(places) && (r == -ENOENT || r == -ENOTDIR); i++) {
        auto_free char *text = NULL;
        size_t len;
        r = file_read(AT_FDCWD, places[i], POLICY_MAX, &text, &len);
        if (r == 0)
            r = json_parse(places[i], text, len, ret);
        if (r == 0)
            *ret_file = xstrdup(places[i]);
    }
    return r == -ENOTDIR ? -ENOENT : r;
}

/* The entry of the most specific scope: with tag or digest, the repository, what it lies in, the host, its domains, "".
 */
static const json_t *find_scope(const json_t *scopes, const char *reference)
{
    auto_free char *scope = xstrdup(reference);
    const json_t *found = json_object_get(scopes, scope);
    char *last = strrchr(scope, '/');
    if (!found && last) {
        last[strcspn(last, "@:")] = '\0';
        found = json_object_get(scopes, scope);
    }
    for (char *slash; !found && (slash = strrchr(scope, '/'));) {
        *slash = '\0';
        found = json_object_get(scopes, scope);
    }
    for (const char *dot = scope; !found && (dot = strchr(dot, '.')); dot++) {
        auto_free char *wild = xasprintf("*%s", dot);
        found = json_object_get(scopes, wild);
    }
    return found ?: json_object_get(scopes, "");
}

/* ---- signatures ---- */

/* The references that a signature may name, by the policy's rule. */
static int identity_matches(const struct question *q, const json_t *rule, const char *signed_as)
{
    const char *type = json_str(rule, "type") ?: "matchRepoDigestOrExact";
    auto_with(ref_done) struct ref own = {0}, other = {0};
    if (ref_parse(q->reference, &own) < 0 || ref_parse(signed_as, &other) < 0 || !other.domain) {
        err_clear();
        return 0;
    }
    bool same_repository = str_eq(own.domain, other.domain) && str_eq(own.path, other.path);
    bool same_tag = own.tag && other.tag && str_eq(own.tag, other.tag);
    if (str_eq(type, "matchRepository"))
        return same_repository;
    if (str_eq(type, "matchExact"))
        return same_repository && same_tag;
    if (str_eq(type, "matchRepoDigestOrExact"))
        return same_repository && (own.digest || same_tag);
    if (str_eq(type, "exactReference"))
        return str_eq(signed_as, json_str(rule, "dockerReference") ?: "");
    if (str_eq(type, "exactRepository")) {
        auto_free char *repository = xasprintf("%s/%s", other.domain, other.path);
        return str_eq(repository, json_str(rule, "dockerRepository") ?: "");
    }
    return err_set(-EACCES, "%s: signedIdentity %s is not known here, so nothing that it is for is taken", q->file,
                   type);
}

/* 1: a text that is signed speaks of this image. */
static int payload_matches(const struct question *q, const json_t *requirement, const char *payload, size_t len)
{
    auto_json json_t *j = NULL;
    if (json_parse("a signature", payload, len, &j) < 0) {
        err_clear();
        return 0;
    }
    const json_t *critical = json_object_get(j, "critical");
    const char *digest = json_str(json_object_get(critical, "image"), "docker-manifest-digest");
    const char *reference = json_str(json_object_get(critical, "identity"), "docker-reference");
    const char *type = json_str(critical, "type");
    if (!digest || !reference || !type || !str_eq(type, "cosign container image signature") ||
        !str_eq(digest, q->digest))
        return 0;
    return identity_matches(q, json_object_get(requirement, "signedIdentity"), reference);
}

static int signed_by(const struct question *q, char *const *keys, const char *payload, size_t len,
                     const char *signature)
{
    size_t signature_len;
    auto_free char *raw = base64_decode(signature, &signature_len);
    int r = 0;
    for (; raw && *keys && r == 0; keys++)
        r = pubkey_verify(*keys, payload, len, raw, signature_len);
    return r < 0 ? err_wrap(r, "%s: a key", q->file) : r;
}

static int take_payload(void *ctx, const char *data, size_t len)
{
    buf_add(ctx, data, len);
    return 0;
}

/* 1: this one is good. */
static int signature_check(const struct question *q, const json_t *requirement, char *const *keys,
                           const struct descriptor *d)
{
    const char *signature = descriptor_annotation(d, signature_annotation);
    auto_buf struct buf payload = {0};
    char hex[DIGEST_BUF];
    if (!signature || d->size < 0 || d->size > PAYLOAD_MAX)
        return 0;
    int r = registry_blob(q->reg, d->digest, (uint64_t)d->size, 0, take_payload, &payload);
    if (r < 0)
        return r;
    digest_bytes(payload.data ?: "", payload.len, hex);
    if (!str_eq(hex, digest_hex(d->digest) ?: ""))
        return 0;
    r = signed_by(q, keys, payload.data ?: "", payload.len, signature);
    return r > 0 ? payload_matches(q, requirement, payload.data, payload.len) : r;
}

static int signatures_load(const struct question *q, struct manifest *ret)
{
    auto_free char *tag = xasprintf("sha256-%s.sig", digest_hex(q->digest)), *bytes = NULL, *type = NULL;
    char digest[72];
    size_t len;
    int r = registry_manifest(q->reg, tag, &bytes, &len, &type, digest);
    if (r == -ENOENT)
        return err_set(-EACCES, "%s has no signature, which %s wants", q->reference, q->file);
    return r < 0 ? r : manifest_parse(bytes, len, str_empty(type) ? NULL : type, ret);
}

/* ---- keys ---- */

static int add_key_file(const char *path, char ***keys)
{
    auto_free char *text = NULL;
    int r = file_read(AT_FDCWD, path, KEY_MAX, &text, NULL);
    if (r < 0)
        return r == -ENOENT ? err_set(-EACCES, "there is no key %s, which policy.json names", path) : r;
    strv_add_take(keys, take_ptr(&text));
    return 0;
}

static int add_key_data(const char *data, char ***keys)
{
    char *text = base64_decode(data, NULL);
    if (!text)
        return err_set(-EACCES, "policy.json: a keyData that is not base64");
    strv_add_take(keys, text);
    return 0;
}

static int keys_load(const json_t *requirement, char ***ret)
{
    static const struct {
        const char *one, *many;
        int (*add)(const char *value, char ***keys);
    } kinds[] = {{"keyPath", "keyPaths", add_key_file}, {"keyData", "keyDatas", add_key_data}};
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds) && r == 0; i++) {
        const char *one = json_str(requirement, kinds[i].one);
        const json_t *value;
        size_t k;
        if (one)
            r = kinds[i].add(one, ret);
        json_array_foreach(json_object_get(requirement, kinds[i].many), k, value)
        {
            if (r == 0 && json_is_string(value))
                r = kinds[i].add(json_string_value(value), ret);
        }
    }
    return r == 0 && !*ret ? err_set(-EACCES, "policy.json: a sigstoreSigned without a key") : r;
}

/* ---- requirements: 0 fulfilled, negative with text ---- */

static int want_anything(const struct question *q, const json_t *requirement)
{
    return 0;
}

static int want_nothing(const struct question *q, const json_t *requirement)
{
    return err_set(-EACCES, "%s is refused by %s", q->reference, q->file);
}

static int want_signature(const struct question *q, const json_t *requirement)
{
    static const char *const unknown[] = {
        "fulcio", "pki", "rekorPublicKeyPath", "rekorPublicKeyData", "rekorPublicKeyPaths", "rekorPublicKeyDatas"};
    auto_strv char **keys = NULL;
    auto_with(manifest_done) struct manifest m = {0};
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
        if (json_object_get(requirement, unknown[i]))
            return err_set(-EACCES, "%s: sigstoreSigned with %s is not known here, so nothing that it is for is taken",
                           q->file, unknown[i]);
    if (!q->reg)
        return err_set(-EACCES, "%s wants a signature, which only images of registries have", q->file);
    int r = keys_load(requirement, &keys);
    if (r == 0)
        r = signatures_load(q, &m);
    for (size_t i = 0; r == 0 && i < MIN(m.layers.n, (size_t)SIGNATURES_MAX); i++)
        r = signature_check(q, requirement, keys, manifest_layer(&m, i));
    return r > 0 ? 0 : r < 0 ? r : err_set(-EACCES, "%s has no signature that %s takes", q->reference, q->file);
}

static const struct {
    const char *type;
    int (*want)(const struct question *q, const json_t *requirement);
} requirements[] = {
    {"insecureAcceptAnything", want_anything},
    {"reject", want_nothing},
    {"sigstoreSigned", want_signature},
};

static int require_one(const struct question *q, const json_t *requirement)
{
    const char *type = json_str(requirement, "type") ?: "";
    for (size_t i = 0; i < ARRAY_LEN(requirements); i++)
        if (str_eq(type, requirements[i].type))
            return requirements[i].want(q, requirement);
    return err_set(-EACCES, "%s: the requirement \"%.40s\" is not known here, so nothing that it is for is taken",
                   q->file, type);
}

static int require_all(const struct question *q, const json_t *list)
{
    size_t i;
    const json_t *requirement;
    if (!json_array_size(list))
        return err_set(-EACCES, "%s says nothing of %s, not even a default: it is not taken", q->file, q->reference);
    json_array_foreach(list, i, requirement)
    {
        int r = require_one(q, requirement);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check(struct question *q, const char *transport)
{
    auto_json json_t *policy = NULL;
    auto_free char *file = NULL;
    int r = policy_load(&policy, &file);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    q->file = file;
    const json_t *scopes = json_object_get(json_object_get(policy, "transports"), transport);
    const json_t *list = q->reg ? find_scope(scopes, q->reference) : json_object_get(scopes, "");
    return require_all(q, list ?: json_object_get(policy, "default"));
}

int policy_check(struct registry *reg, const char *reference, const char *digest)
{
    return check(&(struct question){.reg = reg, .reference = reference, .digest = digest}, "docker");
}

int policy_check_other(const char *transport)
{
    return check(&(struct question){.reference = transport}, transport);
}
