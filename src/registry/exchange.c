/* Rounds of exchanges with one registry: each round sends all that have no final answer yet, side by side, then judges
 * what came. The first one goes alone while it is not known how the registry is spoken to (scheme, login), so that the
 * others need not find out again. Runs in: whoever talks with a registry. */
#include "exchange.h"

#include "whelk/err.h"
#include "whelk/json.h"

#include <time.h>

enum { REDIRECTS_MAX = 10, WAIT_MAX_S = 120, DELAY_MAX_S = 30, MESSAGE_MAX = 300 };

void endpoint_done(struct endpoint *e)
{
    free(e->host);
    free(e->base);
    http_tls_done(&e->tls);
    auth_done(&e->auth);
    *e = (struct endpoint){0};
}

void exchange_done(struct exchange *x)
{
    http_done(&x->http);
}

bool exchange_status_passes(int status)
{
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* ---- sending ---- */

static bool same_origin(const char *a, const char *b)
{
    auto_free char *first = NULL, *second = NULL;
    return http_url_origin(a, &first) == 0 && http_url_origin(b, &second) == 0 && str_eq(first, second);
}

static void drop_authorization(struct http *h)
{
    for (size_t i = 0; h->headers && h->headers[i];)
        if (str_after(h->headers[i], "Authorization: "))
            strv_remove(h->headers, i);
        else
            i++;
}

/* Never a header of credentials to an address that is not the registry's own. */
static int dress(struct endpoint *e, struct exchange *x)
{
    struct http *h = &x->http;
    int r = 0;
    if (!h->url)
        r = http_url_join(e->base, x->path, &h->url);
    if (r < 0)
        return r;
    h->times = e->times;
    drop_authorization(h);
    x->elsewhere = !same_origin(h->url, e->base);
    static const struct http_tls strict;
    h->tls = x->elsewhere ? &strict : &e->tls;
    auto_free char *value = x->elsewhere ? NULL : auth_header(&e->auth, x->scope);
    if (value)
        strv_addf(&h->headers, "Authorization: %s", value);
    return 0;
}

/* ---- judging: 0 done or to be sent again, negative: the exchange has failed ---- */

static int fail(struct exchange *x, int r)
{
    x->done = true;
    if (x->http.result == 0) {
        x->http.result = r;
        free(x->http.error);
        x->http.error = xstrdup(err_text(r));
    }
    return r;
}

/* The other scheme, where nobody knows yet and both are allowed; false if not. */
static bool try_other_scheme(struct endpoint *e, struct exchange *x)
{
    struct http *h = &x->http;
    const char *plain = str_after(e->base, "http://"), *secure = str_after(e->base, "https://");
    bool silent = h->result < 0 && h->result != -ETIMEDOUT && h->status == 0;
    bool no_http = plain && e->http_first && (silent || h->status == 400);
    bool no_tls = secure && e->may_http && h->result < 0 && h->no_tls;
    if (e->settled || x->elsewhere || !(no_http || no_tls))
        return false;
    char *base = plain ? xasprintf("https://%s", plain) : xasprintf("http://%s", secure);
    free(e->base);
    e->base = base;
    e->http_first = false;
    e->settled = !plain;
    e->may_http = false;
    free(h->url);
    h->url = NULL;
    http_reset(h);
    return true;
}

static int judge_failure(struct endpoint *e, struct exchange *x, bool *again)
{
    struct http *h = &x->http;
    if (h->again && !x->once && x->tries < e->retries) {
        *again = true;
        return 0;
    }
    x->done = true;
    return h->again || h->result == -EIO ? err_set(h->result, "cannot reach registry %s: %s", e->host, h->error)
                                         : err_set(h->result, "registry %s: %s", e->host, h->error);
}

static int judge_redirect(struct endpoint *e, struct exchange *x)
{
    struct http *h = &x->http;
    const char *location = http_header(h, "location");
    auto_free char *next = NULL;
    bool reading = str_eq(h->method, "GET") || str_eq(h->method, "HEAD");
    if (!location)
        return err_set(-EPROTO, "registry %s redirects to nowhere", e->host);
    if (++x->redirects > REDIRECTS_MAX)
        return err_set(-ELOOP, "registry %s redirects more than %d times", e->host, REDIRECTS_MAX);
    int r = http_url_join(h->url, location, &next);
    if (r < 0)
        return err_wrap(r, "registry %s redirects", e->host);
    if (str_after(h->url, "https:") && !str_after(next, "https:"))
        return err_set(-EACCES, "registry %s redirects from https to http, which is refused", e->host);
    if (!reading && (h->read || !same_origin(h->url, next)))
        return err_set(-EPROTO, "registry %s redirects an upload to another place, which is refused", e->host);
    free(h->url);
    h->url = take_ptr(&next);
    http_reset(h);
    return 0;
}

static int judge_401(struct endpoint *e, struct exchange *x)
{
    struct http *h = &x->http;
    if (x->answered_401 || x->elsewhere) {
        x->done = true; /* an answer: the caller's exchange_fault has the words */
        return 0;
    }
    x->answered_401 = true;
    int r = auth_answer(e, h, x->scope);
    if (r == 0 && x->once && h->read)
        x->done = true; /* the body is partly gone: the next one has the credentials */
    else if (r == 0)
        http_reset(h);
    return r;
}

static void note_wait(struct exchange *x)
{
    const char *after = http_header(&x->http, "retry-after");
    uint64_t seconds;
    x->wait = after && str_to_u64(after, &seconds) ? (int)MIN(seconds, (uint64_t)INT32_MAX) : -1;
}

static int judge(struct endpoint *e, struct exchange *x, bool *again)
{
    struct http *h = &x->http;
    if (try_other_scheme(e, x))
        return 0;
    if (h->result < 0)
        return judge_failure(e, x, again);
    if (!x->elsewhere)
        e->settled = true;
    if (is_redirect(h->status))
        return judge_redirect(e, x);
    if (h->status == 401)
        return judge_401(e, x);
    note_wait(x);
    if (exchange_status_passes(h->status) && !x->once && x->tries < e->retries)
        *again = true;
    else
        x->done = true;
    return 0;
}

int exchange_pause(const struct endpoint *e, const struct exchange *x, unsigned n)
{
    int64_t ns = (e->retry_delay ?: 1000000000) << MIN(n - 1, 5u);
    if (x->wait > WAIT_MAX_S)
        return err_set(-EBUSY, "registry %s asks to come back in %d seconds", e->host, x->wait);
    if (!e->retry_delay)
        ns = MIN(ns, DELAY_MAX_S * INT64_C(1000000000));
    if (x->wait >= 0)
        ns = x->wait * INT64_C(1000000000);
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
    return 0;
}

/* One round over those that are not done, at most max of them. */
static int run_round(struct endpoint *e, struct exchange *const *all, size_t n, size_t max)
{
    auto_free struct http **batch = xcalloc(n, sizeof(struct http *));
    size_t sent = 0;
    int first = 0, r = 0;
    for (size_t i = 0; i < n && sent < max && r == 0; i++) {
        if (all[i]->done)
            continue;
        r = dress(e, all[i]);
        batch[sent++] = &all[i]->http;
    }
    if (r == 0)
        r = http_run(batch, sent);
    if (r < 0)
        return r;
    struct exchange *slow = NULL;
    for (size_t i = 0, seen = 0; i < n && seen < sent; i++) {
        struct exchange *x = all[i];
        bool again = false;
        if (x->done || &x->http != batch[seen])
            continue;
        seen++;
        int judged = judge(e, x, &again);
        if (judged < 0)
            first = first ?: fail(x, judged);
        if (!again)
            continue;
        x->tries++;
        if (!slow || x->wait > slow->wait)
            slow = x;
    }
    if (slow && first == 0)
        first = exchange_pause(e, slow, slow->tries);
    for (size_t i = 0; i < n; i++)
        if (!all[i]->done && all[i]->tries)
            http_reset(&all[i]->http);
    return first;
}

int exchange_run(struct endpoint *e, struct exchange *const *all, size_t n)
{
    for (size_t left = n; left;) {
        bool known = e->settled && (e->auth.challenge.kind == CHALLENGE_NONE || !all[0]->scope ||
                                    e->auth.challenge.kind == CHALLENGE_BASIC || e->auth.n_tokens);
        int r = run_round(e, all, n, known ? n : 1);
        if (r < 0)
            return r;
        left = 0;
        for (size_t i = 0; i < n; i++)
            left += !all[i]->done;
    }
    return 0;
}

int exchange_one(struct endpoint *e, struct exchange *x)
{
    return exchange_run(e, &x, 1);
}

/* ---- words ---- */

/* {"errors": [{"code": "...", "message": "..."}]}, or NULL. Caller frees. */
static char *registry_message(const struct http *h)
{
    auto_json json_t *j = NULL;
    if (h->reply.len && json_parse("", h->reply.data, h->reply.len, &j) == 0) {
        const json_t *first = json_array_get(json_object_get(j, "errors"), 0);
        const char *message = json_str(first, "message") ?: json_str(first, "code");
        if (!str_empty(message)) {
            auto_free char *cut = xstrndup(message, MESSAGE_MAX);
            return str_printable(cut);
        }
    }
    err_clear();
    return NULL;
}

int exchange_fault(const struct endpoint *e, const struct exchange *x, const char *what)
{
    auto_free char *message = registry_message(&x->http);
    int status = x->http.status;
    const char *user = e->auth.credential.user;
    if (status == 401 || status == 403)
        return user ? err_set(-EACCES, "registry %s: %s: access denied for the login of %s%s%s", e->host, what, user,
                              message ? ": " : "", message ?: "")
                    : err_set(-EACCES, "registry %s: %s: access denied%s%s; log in with: whelk login %s", e->host, what,
                              message ? ": " : "", message ?: "", e->host);
    if (message)
        return err_set(status == 404 ? -ENOENT : -EIO, "registry %s: %s: %s", e->host, what, message);
    if (status == 404)
        return err_set(-ENOENT, "registry %s: %s: not found", e->host, what);
    return err_set(-EIO, "registry %s: %s: the answer has status %d", e->host, what, status);
}
