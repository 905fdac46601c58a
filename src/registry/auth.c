/* Challenges and their answers.
 *
 * A token service usually is another host than the registry; that is how the protocol is meant. So the user's password
 * travels to the address that the registry names, under these rules: a registry reached by https names an https
 * address or it is refused; a registry reached by http (allowed by the user) gets the password sent to another host
 * only by https. The token that comes back is for the registry alone.
 * Runs in: whoever talks with a registry. */
#include "auth.h"

#include "exchange.h"
#include "whelk/err.h"
#include "whelk/json.h"

#include <ctype.h>
#include <strings.h>
#include <time.h>

enum { TOKEN_LIFE_S = 60, TOKEN_LIFE_MAX_S = 24 * 3600, TOKEN_MARGIN_S = 5, TOKEN_MAX = 64 << 10 };

static int64_t monotonic_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* ---- challenges ---- */

void challenge_done(struct challenge *c)
{
    free(c->realm);
    free(c->service);
    *c = (struct challenge){0};
}

static bool is_token_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token_len(const char *s)
{
    size_t n = 0;
    while (is_token_char(s[n]))
        n++;
    return n;
}

static const char *skip(const char *s)
{
    return s + strspn(s, " \t,");
}

/* The value behind '=': a token or a quoted string. Returns what follows, NULL if it is neither. */
static const char *read_value(const char *s, struct buf *ret)
{
    if (*s != '"') {
        size_t n = token_len(s);
        buf_add(ret, s, n);
        return n ? s + n : NULL;
    }
    for (s++; *s && *s != '"'; s++) {
        if (*s == '\\' && s[1])
            s++;
        buf_addc(ret, *s);
    }
    return *s ? s + 1 : NULL;
}

/* One NAME=VALUE of a challenge into it; NULL when there is none at s. */
static const char *read_parameter(const char *s, struct challenge *c)
{
    size_t n = token_len(s);
    const char *equals = s + n + strspn(s + n, " \t");
    if (!n || *equals != '=')
        return NULL;
    auto_buf struct buf value = {0};
    const char *rest = read_value(equals + 1 + strspn(equals + 1, " \t"), &value);
    char **slot = n == 5 && strncasecmp(s, "realm", n) == 0     ? &c->realm
                  : n == 7 && strncasecmp(s, "service", n) == 0 ? &c->service
                                                                : NULL;
    if (rest && slot && !*slot)
        *slot = buf_take(&value);
    return rest;
}

void challenge_parse(const char *header, struct challenge *ret)
{
    static const struct {
        const char *name;
        int kind;
    } schemes[] = {{"basic", CHALLENGE_BASIC}, {"bearer", CHALLENGE_BEARER}};
    for (const char *s = skip(header); *s; s = skip(s)) {
        struct challenge c = {0};
        size_t n = token_len(s);
        if (!n)
            return;
        for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
            if (strlen(schemes[i].name) == n && strncasecmp(s, schemes[i].name, n) == 0)
                c.kind = schemes[i].kind;
        s = skip(s + n);
        for (const char *rest; (rest = read_parameter(s, &c));)
            s = skip(rest);
        bool better = c.kind > ret->kind && (c.kind == CHALLENGE_BASIC || c.realm);
        struct challenge drop = better ? *ret : c;
        if (better)
            *ret = c;
        challenge_done(&drop);
    }
}

/* ---- what is known ---- */

static void token_done(struct token *t)
{
    free(t->scope);
    free(t->text);
}

void auth_done(struct auth *a)
{
    challenge_done(&a->challenge);
    credential_done(&a->credential);
    for (size_t i = 0; i < a->n_tokens; i++)
        token_done(&a->tokens[i]);
    free(a->tokens);
    *a = (struct auth){0};
}

static struct token *token_find(const struct auth *a, const char *scope)
{
    for (size_t i = 0; i < a->n_tokens; i++)
        if (str_eq(a->tokens[i].scope, scope))
            return &a->tokens[i];
    return NULL;
}

static void token_keep(struct auth *a, const char *scope, const char *text, int64_t life)
{
    struct token *t = token_find(a, scope);
    if (!t) {
        a->tokens = xrealloc(a->tokens, (a->n_tokens + 1) * sizeof(*t));
        t = &a->tokens[a->n_tokens++];
        *t = (struct token){.scope = xstrdup(scope)};
    }
    free(t->text);
    t->text = xstrdup(text);
    t->expires = monotonic_s() + life - TOKEN_MARGIN_S;
}

char *auth_basic(const char *user, const char *password)
{
    auto_free char *both = xasprintf("%s:%s", user, password);
    auto_free char *code = base64_encode(both, strlen(both));
    return xasprintf("Basic %s", code);
}

char *auth_header(const struct auth *a, const char *scope)
{
    if (a->challenge.kind == CHALLENGE_BASIC && a->credential.user && a->credential.password)
        return auth_basic(a->credential.user, a->credential.password);
    const struct token *t = a->challenge.kind == CHALLENGE_BEARER ? token_find(a, scope ?: "") : NULL;
    return t && monotonic_s() < t->expires ? xasprintf("Bearer %s", t->text) : NULL;
}

/* ---- token services ---- */

/* May the password travel to realm? Fills in the TLS that holds there. */
static int realm_check(const struct endpoint *e, const char *realm, bool *ret_same_host)
{
    auto_free char *own = NULL, *other = NULL;
    int r = http_url_origin(e->base, &own);
    if (r == 0)
        r = http_url_origin(realm, &other);
    if (r < 0)
        return err_wrap(r, "registry %s", e->host);
    const char *own_host = strstr(own, "://") + 3, *other_host = strstr(other, "://") + 3;
    size_t own_len = strrchr(own_host, ':') - own_host, other_len = strrchr(other_host, ':') - other_host;
    *ret_same_host = own_len == other_len && memcmp(own_host, other_host, own_len) == 0;
    if (str_after(other, "https://"))
        return 0;
    if (str_after(own, "https://"))
        return err_set(-EACCES, "registry %s wants the login sent to %s without encryption, which is refused", e->host,
                       other);
    if (!*ret_same_host && !http_host_is_loopback(other_host))
        return err_set(-EACCES,
                       "registry %s wants the login sent to another host without encryption (%s), which is refused",
                       e->host, other);
    return 0;
}

static void add_query(struct buf *b, const char *key, const char *value)
{
    auto_free char *escaped = http_url_escape(value);
    buf_addf(b, "%s%s=%s", b->len ? "&" : "", key, escaped);
}

/* Several scopes are separated by blanks, as in the protocol's text form. */
static char *token_query(const struct auth *a, const char *scope)
{
    auto_buf struct buf b = {0};
    auto_strv char **scopes = strv_split(scope, " ");
    if (a->challenge.service)
        add_query(&b, "service", a->challenge.service);
    if (a->credential.identity_token) {
        add_query(&b, "scope", scope);
        add_query(&b, "client_id", "whelk");
        add_query(&b, "grant_type", "refresh_token");
        add_query(&b, "refresh_token", a->credential.identity_token);
        return buf_take(&b);
    }
    strv_foreach (one, scopes)
        add_query(&b, "scope", one);
    if (a->credential.user)
        add_query(&b, "account", a->credential.user);
    return buf_take(&b);
}

static bool token_ok(const char *t)
{
    for (const char *c = t; *c; c++)
        if (*c <= ' ' || *c >= 0x7f)
            return false;
    return *t && strlen(t) <= TOKEN_MAX;
}

static int token_take(struct endpoint *e, const struct http *h, const char *scope)
{
    auto_json json_t *j = NULL;
    int r = json_parse("the answer of the token service", h->reply.data ?: "", h->reply.len, &j);
    if (r < 0)
        return err_wrap(r, "registry %s", e->host);
    const char *text = json_str(j, "token") ?: json_str(j, "access_token");
    if (!text || !token_ok(text))
        return err_set(-EBADMSG, "registry %s: its token service gave no token", e->host);
    int64_t life = json_int(j, "expires_in", TOKEN_LIFE_S);
    token_keep(&e->auth, scope, text, MAX(MIN(life, TOKEN_LIFE_MAX_S), TOKEN_LIFE_S));
    return 0;
}

static int token_refused(const struct endpoint *e, const struct http *h)
{
    if (h->status != 401 && h->status != 403)
        return err_set(-EIO, "registry %s: its token service answers with status %d", e->host, h->status);
    if (!e->auth.credential.user)
        return err_set(-EACCES, "registry %s gives no access without a login; use: whelk login %s", e->host, e->host);
    return err_set(-EACCES, "registry %s does not take the login of %s; log in again with: whelk login %s", e->host,
                   e->auth.credential.user, e->host);
}

static int token_ask(struct endpoint *e, struct http *h)
{
    for (unsigned n = 1;; n++) {
        struct http *all[] = {h};
        int r = http_run(all, 1);
        if (r < 0)
            return r;
        bool again = h->result < 0 ? h->again : exchange_status_passes(h->status);
        if (!again || n > e->retries)
            break;
        struct exchange x = {.wait = -1};
        r = exchange_pause(e, &x, n);
        if (r < 0)
            return r;
        http_reset(h);
    }
    return h->result < 0 ? err_set(h->result, "cannot reach the token service of %s: %s", e->host, h->error) : 0;
}

static int token_get(struct endpoint *e, const char *scope)
{
    const struct auth *a = &e->auth;
    bool same_host = false;
    int r = realm_check(e, a->challenge.realm, &same_host);
    if (r < 0)
        return r;
    auto_free char *query = token_query(a, scope);
    struct http_tls tls = {.ca_pem = e->tls.ca_pem, .no_verify = same_host && e->tls.no_verify};
    auto_with(http_done) struct http h = {.method = "GET", .tls = &tls, .times = e->times, .max_reply = 1 << 20};
    if (a->credential.identity_token) {
        h.method = "POST";
        h.url = xstrdup(a->challenge.realm);
        h.body = query;
        h.body_len = strlen(query);
        strv_add(&h.headers, "Content-Type: application/x-www-form-urlencoded");
    } else {
        h.url = xasprintf("%s%c%s", a->challenge.realm, strchr(a->challenge.realm, '?') ? '&' : '?', query);
        auto_free char *basic =
            a->credential.user ? auth_basic(a->credential.user, a->credential.password ?: "") : NULL;
        if (basic)
            strv_addf(&h.headers, "Authorization: %s", basic);
    }
    r = token_ask(e, &h);
    if (r < 0)
        return r;
    return h.status == 200 ? token_take(e, &h, scope) : token_refused(e, &h);
}

int auth_answer(struct endpoint *e, const struct http *refused, const char *scope)
{
    struct auth *a = &e->auth;
    auto_with(challenge_done) struct challenge c = {0};
    strv_foreach (header, refused->reply_headers) {
        const char *value = str_after(header, "www-authenticate: ");
        if (value)
            challenge_parse(value, &c);
    }
    if (c.kind == CHALLENGE_NONE)
        return err_set(-EACCES, "registry %s refuses access and does not say how to log in", e->host);
    challenge_done(&a->challenge);
    a->challenge = c;
    c = (struct challenge){0};
    if (a->challenge.kind == CHALLENGE_BEARER)
        return token_get(e, scope ?: "");
    if (!a->credential.user || !a->credential.password)
        return err_set(-EACCES, "registry %s gives no access without a login; use: whelk login %s", e->host, e->host);
    return 0;
}
