/* The distribution protocol over exchange.h: a repository at one or several places.
 *
 * Reading tries the places in order and stays with the one that had the manifest; writing has one place only. Every
 * answer's size is bounded by what was asked for. Runs in: the process of a pull, push, login or search, and its forks.
 */
#include "whelk/registry.h"

#include "certs.h"
#include "exchange.h"
#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/json.h"
#include "whelk/log.h"
#include "whelk/ref.h"
#include "whelk/registries.h"

enum { MANIFEST_MAX_BYTES = 4 << 20, PAGES_MAX = 1000, TAGS_MAX = 100000, PROGRESS = 1 << 20 };
static const char hub_host[] = "registry-1.docker.io";

struct repository {
    struct endpoint e;
    char *path; /* NULL: the registry itself */
    char *pull_scope, *push_scope;
};

struct registry {
    struct repository *places;
    size_t n, current;
    char *authfile;
};

/* ---- opening ---- */

void registry_free(struct registry *r)
{
    for (size_t i = 0; i < r->n; i++) {
        endpoint_done(&r->places[i].e);
        free(r->places[i].path);
        free(r->places[i].pull_scope);
        free(r->places[i].push_scope);
    }
    free(r->places);
    free(r);
}

int registry_prepare(void)
{
    return http_prepare();
}

void registry_forked(struct registry *r)
{
    http_forked();
}

static unsigned seconds(int64_t ns)
{
    return ns <= 0 ? 0 : (unsigned)MIN((ns + 999999999) / 1000000000, INT64_C(86400));
}

static int place_open(const struct place *p, const struct registry_options *o, struct repository *ret)
{
    const char *address = str_eq(p->host, "docker.io") ? hub_host : p->host;
    bool local = o->tls_verify < 0 && http_host_is_loopback(p->host);
    bool insecure = o->tls_verify == 0 || (o->tls_verify < 0 && p->insecure);
    *ret = (struct repository){
        .e =
            {
                .host = xstrdup(p->host),
                .base = xasprintf("%s://%s", local ? "http" : "https", address),
                .http_first = local,
                .may_http = insecure,
                .times = {.stall_s = seconds(o->stall)},
                .retries = (unsigned)MIN(MAX(o->retries, INT64_C(0)), INT64_C(100)),
                .retry_delay = o->retry_delay,
            },
        .path = xstrdup(p->path),
        .pull_scope = p->path ? xasprintf("repository:%s:pull", p->path) : NULL,
        .push_scope = p->path ? xasprintf("repository:%s:pull,push", p->path) : NULL,
    };
    int r = certs_load(o->cert_dir, p->host, &ret->e.tls);
    ret->e.tls.no_verify = insecure;
    if (r == 0 && o->creds)
        return credential_parse(o->creds, &ret->e.auth.credential);
    if (r < 0)
        return r;
    auto_free char *name = p->path ? xasprintf("%s/%s", p->host, p->path) : xstrdup(p->host);
    return credentials_find(o->authfile, name, &ret->e.auth.credential);
}

static int places_open(struct place *places, size_t n, const struct registry_options *o, struct registry **ret)
{
    auto_registry struct registry *reg = xcalloc(1, sizeof(*reg));
    int r = 0;
    reg->places = xcalloc(n, sizeof(*reg->places));
    for (; reg->n < n && r == 0; reg->n++)
        r = place_open(&places[reg->n], o, &reg->places[reg->n]);
    places_free(places, n);
    if (r == 0)
        *ret = take_ptr(&reg);
    return r;
}

int registry_open(const char *reference, bool pushing, const struct registry_options *o, struct registry **ret)
{
    auto_with(ref_done) struct ref ref = {0};
    struct place *places;
    size_t n;
    int r = ref_parse(reference, &ref);
    if (r == 0)
        r = registries_places(&ref, !pushing, &places, &n);
    return r < 0 ? r : places_open(places, n, o, ret);
}

int registry_open_host(const char *host, const struct registry_options *o, struct registry **ret)
{
    struct ref ref = {.domain = (char *)(uintptr_t)host, .path = (char *)(uintptr_t) "x"};
    struct place *places;
    size_t n;
    int r = registries_places(&ref, false, &places, &n);
    if (r < 0)
        return r;
    free(places[0].path);
    places[0].path = NULL;
    return places_open(places, n, o, ret);
}

void registry_use_login(struct registry *r, const char *user, const char *password)
{
    for (size_t i = 0; i < r->n; i++) {
        struct auth *a = &r->places[i].e.auth;
        credential_done(&a->credential);
        a->credential = (struct credential){.user = xstrdup(user), .password = xstrdup(password)};
    }
}

/* ---- reading ---- */

static struct repository *at(struct registry *r)
{
    return &r->places[r->current];
}

/* Runs get for the current place and those behind it until one has it. The last error counts. */
static int try_places(struct registry *reg, int (*get)(struct repository *p, void *arg), void *arg)
{
    int r = -ENOENT;
    for (size_t i = reg->current; i < reg->n; i++) {
        r = get(&reg->places[i], arg);
        if (r >= 0) {
            reg->current = i;
            return r;
        }
        if (i + 1 < reg->n && !err_is_clear())
            log_debug("%s; trying the next place", err_text(r));
    }
    return r;
}

static void accept_manifests(struct http *h)
{
    static const char *const types[] = {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        strv_addf(&h->headers, "Accept: %s", types[i]);
}

struct manifest_get {
    const char *name;
    char *bytes;
    size_t len;
    char *type;
    char digest[72];
};

/* The media type alone, without parameters. */
static char *media_type(const struct http *h)
{
    const char *type = http_header(h, "content-type") ?: "";
    auto_free char *alone = xstrndup(type, strcspn(type, ";"));
    return xstrdup(str_trim(alone));
}

static int manifest_check(const struct repository *p, struct manifest_get *g)
{
    const char *hex = digest_hex(g->name);
    memcpy(g->digest, "sha256:", 7);
    digest_bytes(g->bytes, g->len, g->digest + 7);
    if (hex && !str_eq(hex, g->digest + 7))
        return err_set(-EBADMSG, "registry %s: manifest %s: what came has the digest %s", p->e.host, g->name,
                       g->digest);
    return 0;
}

static int manifest_get(struct repository *p, void *arg)
{
    struct manifest_get *g = arg;
    auto_free char *path = xasprintf("/v2/%s/manifests/%s", p->path, g->name);
    auto_free char *what = xasprintf("manifest %s of %s", g->name, p->path);
    auto_with(exchange_done) struct exchange x = {.path = path, .scope = p->pull_scope};
    x.http.method = "GET";
    x.http.max_reply = MANIFEST_MAX_BYTES;
    accept_manifests(&x.http);
    int r = exchange_one(&p->e, &x);
    if (r < 0)
        return err_wrap(r, "%s", what);
    if (x.http.status != 200)
        return exchange_fault(&p->e, &x, what);
    g->len = x.http.reply.len;
    g->bytes = buf_take(&x.http.reply);
    g->type = media_type(&x.http);
    r = manifest_check(p, g);
    if (r < 0) {
        free(g->bytes);
        free(g->type);
    }
    return r;
}

int registry_manifest(struct registry *reg, const char *tag_or_digest, char **ret, size_t *ret_len, char **ret_type,
                      char ret_digest[72])
{
    struct manifest_get g = {.name = tag_or_digest};
    int r = try_places(reg, manifest_get, &g);
    if (r < 0)
        return r;
    *ret = g.bytes;
    *ret_len = g.len;
    *ret_type = g.type;
    memcpy(ret_digest, g.digest, sizeof(g.digest));
    return 0;
}

static int manifest_head(struct repository *p, void *arg)
{
    struct manifest_get *g = arg;
    auto_free char *path = xasprintf("/v2/%s/manifests/%s", p->path, g->name);
    auto_with(exchange_done) struct exchange x = {.path = path, .scope = p->pull_scope};
    x.http.method = "HEAD";
    accept_manifests(&x.http);
    int r = exchange_one(&p->e, &x);
    if (r < 0)
        return r;
    if (x.http.status == 404)
        return -ENOENT;
    if (x.http.status != 200)
        return exchange_fault(&p->e, &x, g->name);
    const char *digest = http_header(&x.http, "docker-content-digest");
    snprintf(g->digest, sizeof(g->digest), "%s", digest && digest_hex(digest) ? digest : "");
    return 0;
}

int registry_manifest_digest(struct registry *reg, const char *tag_or_digest, char ret_digest[72])
{
    struct manifest_get g = {.name = tag_or_digest};
    int r = try_places(reg, manifest_head, &g);
    if (r == 0)
        memcpy(ret_digest, g.digest, sizeof(g.digest));
    return r;
}

/* ---- blobs ---- */

struct blob_get {
    const char *digest;
    uint64_t size, offset; /* offset: what has been handed on */
    uint64_t skip;         /* bytes of this answer that were handed on before */
    int (*sink)(void *ctx, const char *data, size_t len);
    void *ctx;
    struct exchange *x;
    bool begun; /* this answer */
};

/* The first byte of an answer to Range: what it starts at. A server may give all of it. */
static int blob_begin(struct blob_get *g)
{
    const struct http *h = &g->x->http;
    const char *range = http_header(h, "content-range"), *rest = range ? str_after(range, "bytes ") : NULL;
    auto_free char *start = rest ? xstrndup(rest, strspn(rest, "0123456789")) : NULL;
    uint64_t first = 0;
    if (h->status == 206 && (!start || !str_to_u64(start, &first) || first != g->offset))
        return err_set(-EPROTO, "another part than the one that was asked for");
    g->skip = h->status == 206 ? 0 : g->offset;
    g->begun = true;
    return 0;
}

static int blob_take(void *ctx, const char *data, size_t len)
{
    struct blob_get *g = ctx;
    int r = g->begun ? 0 : blob_begin(g);
    if (r < 0)
        return r;
    size_t drop = MIN(g->skip, (uint64_t)len);
    g->skip -= drop;
    data += drop;
    len -= drop;
    if (len > g->size - g->offset)
        return err_set(-EFBIG, "more bytes than the %llu that the manifest says", (unsigned long long)g->size);
    r = len ? g->sink(g->ctx, data, len) : 0;
    if (r == 0)
        g->offset += len;
    return r;
}

static int blob_ask(struct repository *p, struct blob_get *g, struct exchange *x)
{
    g->x = x;
    g->begun = false;
    x->http.method = "GET";
    x->http.sink = blob_take;
    x->http.ctx = g;
    x->http.max_reply = g->size + 1; /* one more, so that blob_take has the words */
    if (g->offset)
        strv_addf(&x->http.headers, "Range: bytes=%llu-", (unsigned long long)g->offset);
    return exchange_one(&p->e, x);
}

/* One answer, to its end or break. *again: more may come by another try. */
static int blob_part(struct repository *p, struct blob_get *g, struct exchange *x, bool *again)
{
    auto_free char *what = xasprintf("blob %s of %s", g->digest, p->path);
    int r = blob_ask(p, g, x);
    *again = x->http.again;
    if (r < 0)
        return r;
    *again = true;
    if (x->http.status == 200 || x->http.status == 206)
        return g->offset == g->size ? 0
                                    : err_set(-EBADMSG, "registry %s: %s ends %llu bytes too early", p->e.host, what,
                                              (unsigned long long)(g->size - g->offset));
    *again = exchange_status_passes(x->http.status) || x->elsewhere; /* an address elsewhere may have expired */
    return exchange_fault(&p->e, x, what);
}

static int blob_get(struct repository *p, void *arg)
{
    struct blob_get *g = arg;
    auto_free char *path = xasprintf("/v2/%s/blobs/%s", p->path, g->digest);
    uint64_t mark = g->offset;
    for (unsigned tries = 0;;) {
        auto_with(exchange_done) struct exchange x = {.path = path, .scope = p->pull_scope, .once = true, .wait = -1};
        bool again = false;
        int r = blob_part(p, g, &x, &again);
        if (r == 0 || !again)
            return r;
        if (g->offset - mark >= PROGRESS) { /* it moves */
            mark = g->offset;
            tries = 0;
        }
        if (++tries > p->e.retries)
            return r;
        log_debug("%s; trying again from byte %llu", err_text(r), (unsigned long long)g->offset);
        r = exchange_pause(&p->e, &x, tries);
        if (r < 0)
            return r;
    }
}

int registry_blob(struct registry *reg, const char *digest, uint64_t size, uint64_t offset,
                  int (*sink)(void *ctx, const char *data, size_t len), void *ctx)
{
    struct blob_get g = {.digest = digest, .size = size, .offset = offset, .sink = sink, .ctx = ctx};
    return offset < size ? try_places(reg, blob_get, &g) : 0;
}

int registry_has_blobs(struct registry *reg, char *const *digests, size_t n, bool *ret)
{
    struct repository *p = at(reg);
    struct exchange *all = xcalloc(n, sizeof(*all)), **list = xcalloc(n, sizeof(struct exchange *));
    auto_strv char **paths = NULL;
    for (size_t i = 0; i < n; i++) {
        strv_addf(&paths, "/v2/%s/blobs/%s", p->path, digests[i]);
        all[i] = (struct exchange){.path = paths[i], .scope = p->push_scope};
        all[i].http.method = "HEAD";
        list[i] = &all[i];
    }
    int r = n ? exchange_run(&p->e, list, n) : 0;
    for (size_t i = 0; i < n; i++) {
        int status = all[i].http.status;
        ret[i] = status == 200;
        if (r == 0 && status != 200 && status != 404)
            r = exchange_fault(&p->e, &all[i], digests[i]);
    }
    for (size_t i = 0; i < n; i++)
        exchange_done(&all[i]);
    free(all);
    free(list);
    return r;
}

/* ---- writing ---- */

/* An upload address that the registry gave, made absolute; never from https to http. */
static int take_location(const struct repository *p, const struct http *h, char **ret)
{
    const char *location = http_header(h, "location");
    if (!location)
        return err_set(-EPROTO, "registry %s begins an upload without saying where", p->e.host);
    int r = http_url_join(h->url, location, ret);
    if (r < 0)
        return err_wrap(r, "registry %s", p->e.host);
    if (str_after(h->url, "https:") && !str_after(*ret, "https:")) {
        free(*ret);
        return err_set(-EACCES, "registry %s wants an upload to go from https to http, which is refused", p->e.host);
    }
    return 0;
}

int registry_upload_begin(struct registry *reg, const char *digest, const char *from, char **ret_location)
{
    struct repository *p = at(reg);
    auto_free char *query = from ? xasprintf("?mount=%s&from=%s", digest, from) : xstrdup("");
    auto_free char *path = xasprintf("/v2/%s/blobs/uploads/%s", p->path, query);
    auto_free char *scope = from ? xasprintf("%s repository:%s:pull", p->push_scope, from) : xstrdup(p->push_scope);
    auto_with(exchange_done) struct exchange x = {.path = path, .scope = scope};
    x.http.method = "POST";
    int r = exchange_one(&p->e, &x);
    if (r < 0)
        return err_wrap(r, "cannot upload to %s", p->path);
    if (x.http.status == 201 && from)
        return 1;
    return x.http.status == 202 ? take_location(p, &x.http, ret_location) : exchange_fault(&p->e, &x, "upload");
}

static char *with_digest(const char *location, const char *digest)
{
    return xasprintf("%s%cdigest=%s", location, strchr(location, '?') ? '&' : '?', digest);
}

static int upload_finish(struct repository *p, const char *location, const char *digest, const void *data, size_t len)
{
    auto_free char *path = with_digest(location, digest);
    auto_with(exchange_done) struct exchange x = {.path = path, .scope = p->push_scope};
    x.http.method = "PUT";
    x.http.body = data;
    x.http.body_len = len;
    strv_add(&x.http.headers, "Content-Type: application/octet-stream");
    int r = exchange_one(&p->e, &x);
    if (r < 0)
        return err_wrap(r, "cannot upload %s", digest);
    auto_free char *what = xasprintf("upload of %s", digest);
    return x.http.status == 201 || x.http.status == 204 ? 0 : exchange_fault(&p->e, &x, what);
}

int registry_upload_bytes(struct registry *reg, const char *location, const char *digest, const void *data, size_t len)
{
    return upload_finish(at(reg), location, digest, data, len);
}

/* What was sent by a PATCH whose end was not right is given up. */
static void upload_cancel(struct repository *p, const char *location)
{
    auto_with(exchange_done) struct exchange x = {.path = location, .scope = p->push_scope, .once = true};
    size_t len;
    auto_free char *error = err_pack(0, &len);
    x.http.method = "DELETE";
    exchange_one(&p->e, &x);
    err_unpack(error, len);
}

/* Asks what the registry has of an upload that broke. What gives no clear answer is to be begun anew; "0-0" is said of
 * nothing too. */
static void upload_ask(struct repository *p, struct upload_place *at)
{
    auto_free char *location = take_ptr(&at->location);
    auto_with(exchange_done) struct exchange x = {.path = location, .scope = p->push_scope, .once = true};
    uint64_t last;
    at->have = 0;
    x.http.method = "GET";
    if (exchange_one(&p->e, &x) < 0 || x.http.status != 204)
        return;
    const char *range = http_header(&x.http, "range"), *dash = range ? strchr(range, '-') : NULL;
    if (dash && str_to_u64(dash + 1, &last) && last > 0 && last < INT64_MAX &&
        take_location(p, &x.http, &at->location) == 0)
        at->have = last + 1;
}

/* r: what broke the try x. -ERESTART once it may go on; r again when there were tries enough. */
static int upload_broke(struct repository *p, struct upload_place *at, const struct exchange *x, int r)
{
    auto_free char *text = xstrdup(err_text(r));
    if (++at->tries > p->e.retries)
        return r;
    r = exchange_pause(&p->e, x, at->tries);
    if (r < 0)
        return r;
    upload_ask(p, at);
    if (at->have >= at->moved_from + PROGRESS) { /* it moves */
        at->moved_from = at->have;
        at->tries = 0;
    }
    log_debug("%s; going on from byte %llu", text, (unsigned long long)at->have);
    return err_set(-ERESTART, "%s", text);
}

/* One PATCH, to its answer. Its body cannot be begun again, so a login that has expired breaks it too. */
static int upload_send(struct repository *p, struct upload_place *at, const struct upload *u, char **ret_next)
{
    auto_with(exchange_done) struct exchange x = {
        .path = at->location, .scope = p->push_scope, .once = true, .wait = -1};
    x.http.method = "PATCH";
    x.http.read = u->read;
    x.http.read_size = -1;
    x.http.ctx = u->ctx;
    strv_add(&x.http.headers, "Content-Type: application/octet-stream");
    int r = exchange_one(&p->e, &x);
    if (r < 0) {
        bool passes = x.http.again;
        r = err_wrap(r, "cannot upload to %s", p->path);
        return passes ? upload_broke(p, at, &x, r) : r;
    }
    if (x.http.status == 202 || x.http.status == 204)
        return take_location(p, &x.http, ret_next);
    bool passes = exchange_status_passes(x.http.status) || (x.http.status == 401 && x.answered_401);
    r = exchange_fault(&p->e, &x, "upload");
    return passes ? upload_broke(p, at, &x, r) : r;
}

int registry_upload_stream(struct registry *reg, struct upload_place *place, const struct upload *u)
{
    struct repository *p = at(reg);
    auto_free char *next = NULL;
    int r = upload_send(p, place, u, &next);
    if (r < 0)
        return r;
    const char *digest = u->digest(u->ctx);
    if (digest)
        return upload_finish(p, next, digest, NULL, 0);
    upload_cancel(p, next);
    return -EBADMSG;
}

int registry_put_manifest(struct registry *reg, const char *tag_or_digest, const char *type, const void *bytes,
                          size_t len)
{
    struct repository *p = at(reg);
    auto_free char *path = xasprintf("/v2/%s/manifests/%s", p->path, tag_or_digest);
    auto_free char *what = xasprintf("manifest %s of %s", tag_or_digest, p->path);
    auto_with(exchange_done) struct exchange x = {.path = path, .scope = p->push_scope};
    x.http.method = "PUT";
    x.http.body = bytes;
    x.http.body_len = len;
    strv_addf(&x.http.headers, "Content-Type: %s", type);
    int r = exchange_one(&p->e, &x);
    if (r < 0)
        return err_wrap(r, "%s", what);
    return x.http.status == 201 || x.http.status == 200 ? 0 : exchange_fault(&p->e, &x, what);
}

/* ---- lists ---- */

int registry_ping(struct registry *reg)
{
    struct repository *p = at(reg);
    auto_with(exchange_done) struct exchange x = {.path = "/v2/"};
    x.http.method = "GET";
    int r = exchange_one(&p->e, &x);
    if (r < 0)
        return r;
    if (x.http.status == 404)
        return err_set(-EPROTO, "%s is no registry: it has no /v2/", p->e.host);
    return x.http.status == 200 ? 0 : exchange_fault(&p->e, &x, "/v2/");
}

/* <URL>; rel="next" -> URL; NULL if there is no next page. Caller frees. */
static char *next_page(const struct http *h)
{
    const char *link = http_header(h, "link");
    if (!link || *link != '<' || !strchr(link, '>') || !strstr(link, "next"))
        return NULL;
    return xstrndup(link + 1, strchr(link, '>') - link - 1);
}

static int page_take(const struct repository *p, const struct http *h, const char *key, char ***ret)
{
    auto_json json_t *j = NULL;
    auto_strv char **names = NULL;
    auto_free char *what = xasprintf("registry %s: a list of %s", p->e.host, key);
    int r = json_parse(what, h->reply.data ?: "", h->reply.len, &j);
    const json_t *list = json_object_get(j, key);
    if (r == 0 && list && !json_is_null(list))
        r = json_to_strv(list, &names);
    if (r == 0)
        strv_extend(ret, names);
    return r;
}

/* All pages of a list; each is on the registry's own origin, or it is not asked. */
static int list_all(struct repository *p, const char *first, const char *scope, const char *key, size_t max,
                    char ***ret)
{
    auto_strv char **names = NULL;
    auto_free char *path = xstrdup(first);
    for (unsigned page = 0; path && page < PAGES_MAX && strv_len(names) < max; page++) {
        auto_with(exchange_done) struct exchange x = {.path = path, .scope = scope};
        x.http.method = "GET";
        int r = exchange_one(&p->e, &x);
        if (r == 0 && x.http.status != 200)
            r = exchange_fault(&p->e, &x, key);
        if (r == 0)
            r = page_take(p, &x.http, key, &names);
        if (r < 0)
            return r;
        auto_free char *next = next_page(&x.http), *full = NULL;
        if (next && http_url_join(x.http.url, next, &full) < 0)
            return err_wrap(-EPROTO, "registry %s: the next page", p->e.host);
        free(path);
        path = take_ptr(&full);
    }
    *ret = take_ptr(&names);
    return 0;
}

int registry_tags(struct registry *reg, char ***ret)
{
    struct repository *p = at(reg);
    auto_free char *path = xasprintf("/v2/%s/tags/list?n=1000", p->path);
    return list_all(p, path, p->pull_scope, "tags", TAGS_MAX, ret);
}

int registry_catalog(struct registry *reg, size_t max, char ***ret)
{
    return list_all(at(reg), "/v2/_catalog?n=1000", "registry:catalog:*", "repositories", max, ret);
}

int registry_get(struct registry *reg, const char *path, char **ret, size_t *ret_len)
{
    struct repository *p = at(reg);
    auto_with(exchange_done) struct exchange x = {.path = path};
    x.http.method = "GET";
    int r = exchange_one(&p->e, &x);
    if (r == 0 && x.http.status != 200)
        r = exchange_fault(&p->e, &x, path);
    if (r < 0)
        return r;
    *ret_len = x.http.reply.len;
    *ret = buf_take(&x.http.reply);
    return 0;
}
