/* HTTP by libcurl, loaded at first use: the only file that knows it.
 *
 * One multi handle for the life of the process keeps connections. Everything that a server sends is bounded here: the
 * head, the body, the time, and the rate below which a transfer counts as stuck. Redirects, retries and credentials are
 * the caller's matter, so that no address is used that was not looked at.
 * Runs in: the process of a pull, push or login, and its forks (http_forked first). Never in a supervisor. */
#include "http.h"

#include "whelk/err.h"

#include <arpa/inet.h>

#if HAVE_CURL

#include "whelk/dl.h"
#include "whelk/fd.h"

#include <ctype.h>
#include <curl/curl.h>
#include <fcntl.h>

DL_FUNCTION(curl_global_init);
DL_FUNCTION(curl_easy_init);
DL_FUNCTION(curl_easy_cleanup);
DL_FUNCTION(curl_easy_setopt);
DL_FUNCTION(curl_easy_getinfo);
DL_FUNCTION(curl_easy_strerror);
DL_FUNCTION(curl_multi_init);
DL_FUNCTION(curl_multi_add_handle);
DL_FUNCTION(curl_multi_remove_handle);
DL_FUNCTION(curl_multi_perform);
DL_FUNCTION(curl_multi_poll);
DL_FUNCTION(curl_multi_info_read);
DL_FUNCTION(curl_multi_strerror);
DL_FUNCTION(curl_slist_append);
DL_FUNCTION(curl_slist_free_all);
DL_FUNCTION(curl_url);
DL_FUNCTION(curl_url_cleanup);
DL_FUNCTION(curl_url_set);
DL_FUNCTION(curl_url_get);
DL_FUNCTION(curl_free);

static const struct dl_symbol symbols[] = {
    DL_SYMBOL(curl_global_init),
    DL_SYMBOL(curl_easy_init),
    DL_SYMBOL(curl_easy_cleanup),
    DL_SYMBOL(curl_easy_setopt),
    DL_SYMBOL(curl_easy_getinfo),
    DL_SYMBOL(curl_easy_strerror),
    DL_SYMBOL(curl_multi_init),
    DL_SYMBOL(curl_multi_add_handle),
    DL_SYMBOL(curl_multi_remove_handle),
    DL_SYMBOL(curl_multi_perform),
    DL_SYMBOL(curl_multi_poll),
    DL_SYMBOL(curl_multi_info_read),
    DL_SYMBOL(curl_multi_strerror),
    DL_SYMBOL(curl_slist_append),
    DL_SYMBOL(curl_slist_free_all),
    DL_SYMBOL(curl_url),
    DL_SYMBOL(curl_url_cleanup),
    DL_SYMBOL(curl_url_set),
    DL_SYMBOL(curl_url_get),
    DL_SYMBOL(curl_free),
    DL_END,
};
static struct dl_library library = {"libcurl.so.4", "libcurl4", symbols};
DL_NOTE(libcurl, "required", "registries", "libcurl.so.4");

enum {
    REPLY_MAX = 4 << 20,
    HEAD_MAX = 64 << 10,
    BUFFER_SIZE = 256 << 10,
    STALL_BYTES_PER_S = 1000,
    POLL_MS = 1000,
    URL_MAX = 16 << 10,
};

static CURLM *multi;

/* A transfer while it runs; belongs to one struct http. */
struct transfer {
    struct http *http;
    CURL *easy;
    struct curl_slist *headers;
    size_t head_bytes;
    uint64_t body_bytes;
    char error[CURL_ERROR_SIZE];
};

int http_prepare(void)
{
    static bool started;
    int r = dl_need(&library, "registries");
    if (r == 0 && !started && dl_curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        r = err_set(-EIO, "cannot start libcurl");
    started = r == 0;
    return r;
}

void http_forked(void)
{
    multi = NULL; /* its memory stays: ending it would end the parent's connections */
}

/* ---- what comes ---- */

static int transfer_fail(struct transfer *t, int r, const char *text)
{
    if (!t->http->error) {
        t->http->result = r;
        t->http->error = xstrdup(text);
    }
    return 0;
}

static size_t take_header(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * n;
    t->head_bytes += len;
    if (t->head_bytes > HEAD_MAX)
        return transfer_fail(t, -EFBIG, "the head of the answer is too large");
    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0) { /* of a proxy, or an interim one, before */
        strv_free(t->http->reply_headers);
        t->http->reply_headers = NULL;
    }
    auto_free char *line = xstrndup(data, len);
    char *colon = strchr(line, ':');
    if (!colon)
        return len;
    *colon = '\0';
    for (char *c = line; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    strv_addf(&t->http->reply_headers, "%s: %s", line, str_trim(colon + 1));
    return len;
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    struct http *h = t->http;
    size_t len = size * n;
    long status = 0;
    dl_curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    h->status = (int)status;
    bool sink = h->sink && (status == 200 || status == 206);
    uint64_t max = sink || !h->sink ? h->max_reply ?: REPLY_MAX : REPLY_MAX;
    if (len > max - t->body_bytes)
        return transfer_fail(t, -EFBIG, "the answer is larger than it may be");
    t->body_bytes += len;
    if (!sink) {
        buf_add(&h->reply, data, len);
        return len;
    }
    int r = h->sink(h->ctx, data, len);
    return r < 0 ? transfer_fail(t, r, err_text(r)) : (int)len;
}

static size_t give_body(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    ssize_t got = t->http->read(t->http->ctx, data, size * n);
    if (got >= 0)
        return got;
    transfer_fail(t, got, err_text(got));
    return CURL_READFUNC_ABORT;
}

/* ---- one transfer ---- */

/* The system's bundle, in the places of the distributions; NULL leaves it to libcurl. */
static const char *ca_bundle(void)
{
    static const char *const places[] = {
        "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Arch, Alpine */
        "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora */
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL */
        "/etc/ssl/ca-bundle.pem",                            /* SUSE */
        "/etc/ssl/cert.pem",
    };
    const char *own = getenv("SSL_CERT_FILE");
    if (!str_empty(own))
        return own;
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (access(places[i], R_OK) == 0)
            return places[i];
    return NULL;
}

/* libcurl takes one file or one block of memory: further certificates go behind the system's. */
static int set_trust(CURL *easy, const struct http_tls *tls)
{
    const char *bundle = ca_bundle(), *dir = getenv("SSL_CERT_DIR");
    if (!str_empty(dir))
        dl_curl_easy_setopt(easy, CURLOPT_CAPATH, dir);
    if (!tls || !tls->ca_pem) {
        if (bundle)
            dl_curl_easy_setopt(easy, CURLOPT_CAINFO, bundle);
        return 0;
    }
    auto_buf struct buf all = {0};
    auto_free char *system = NULL;
    size_t len = 0;
    int r = bundle ? file_read(AT_FDCWD, bundle, 16 << 20, &system, &len) : 0;
    if (r < 0 && r != -ENOENT)
        return r;
    buf_add(&all, system, len);
    buf_addc(&all, '\n');
    buf_adds(&all, tls->ca_pem);
    struct curl_blob blob = {all.data, all.len, CURL_BLOB_COPY};
    dl_curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    return 0;
}

static int set_tls(CURL *easy, const struct http_tls *tls)
{
    if (tls && tls->no_verify) {
        dl_curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        dl_curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (tls && tls->cert_file) {
        dl_curl_easy_setopt(easy, CURLOPT_SSLCERT, tls->cert_file);
        dl_curl_easy_setopt(easy, CURLOPT_SSLKEY, tls->key_file);
    }
    dl_curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    return tls && tls->no_verify ? 0 : set_trust(easy, tls);
}

static void set_body(struct transfer *t)
{
    const struct http *h = t->http;
    if (h->read) {
        dl_curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
        dl_curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, give_body);
        dl_curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
        dl_curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)h->read_size);
        dl_curl_easy_setopt(t->easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER_SIZE);
    } else if (str_eq(h->method, "HEAD")) {
        dl_curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
        return;
    } else if (!str_eq(h->method, "GET")) {
        dl_curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
        dl_curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)h->body_len);
        dl_curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, h->body ?: "");
    }
    dl_curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, h->method);
}

/* No proxy is asked for this machine itself. */
static bool url_is_loopback(const char *url)
{
    const char *host = strstr(url, "://");
    if (!host)
        return false;
    host += strlen("://");
    auto_free char *alone = xstrndup(host, strcspn(host, "/?#"));
    return http_host_is_loopback(alone);
}

static void set_headers(struct transfer *t)
{
    strv_foreach (header, t->http->headers)
        t->headers = dl_curl_slist_append(t->headers, header);
    t->headers = dl_curl_slist_append(t->headers, "Expect:");
    if (!t->http->read && !str_eq(t->http->method, "GET"))
        t->headers = dl_curl_slist_append(t->headers, "Content-Type;"); /* unless the caller's own comes first */
    dl_curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static int transfer_start(struct transfer *t, struct http *h)
{
    struct http_times times = h->times;
    t->http = h;
    t->easy = dl_curl_easy_init();
    if (!t->easy)
        return err_set(-ENOMEM, "cannot start a transfer");
    CURL *e = t->easy;
    dl_curl_easy_setopt(e, CURLOPT_URL, h->url);
    dl_curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    dl_curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    dl_curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    dl_curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    dl_curl_easy_setopt(e, CURLOPT_USERAGENT, "whelk/" WHELK_VERSION);
    dl_curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
    dl_curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)(times.connect_s ?: 30));
    dl_curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_S);
    dl_curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)(times.stall_s ?: 30));
    dl_curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)BUFFER_SIZE);
    dl_curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
    dl_curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    dl_curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
    dl_curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    dl_curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    if (h->sink || h->read) /* one stream has the connection to itself: multiplexing costs and gives nothing */
        dl_curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    if (url_is_loopback(h->url))
        dl_curl_easy_setopt(e, CURLOPT_PROXY, "");
    set_body(t);
    set_headers(t);
    return set_tls(e, h->tls);
}

static void transfer_done(struct transfer *t)
{
    if (t->easy && multi)
        dl_curl_multi_remove_handle(multi, t->easy);
    if (t->easy)
        dl_curl_easy_cleanup(t->easy);
    dl_curl_slist_free_all(t->headers);
}

static bool may_pass(CURLcode code)
{
    static const CURLcode passing[] = {
        CURLE_OPERATION_TIMEDOUT, CURLE_GOT_NOTHING, CURLE_SEND_ERROR,   CURLE_RECV_ERROR,
        CURLE_PARTIAL_FILE,       CURLE_HTTP2,       CURLE_HTTP2_STREAM, CURLE_SEND_FAIL_REWIND,
    };
    for (size_t i = 0; i < ARRAY_LEN(passing); i++)
        if (code == passing[i])
            return true;
    return false;
}

static void transfer_finish(struct transfer *t, CURLcode code)
{
    struct http *h = t->http;
    long status = 0;
    dl_curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    h->status = (int)status;
    if (h->error || code == CURLE_OK) /* what a callback says counts more */
        return;
    h->again = may_pass(code);
    h->no_tls = code == CURLE_SSL_CONNECT_ERROR && status == 0;
    h->result = code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO;
    auto_free char *text = str_printable(*t->error ? t->error : dl_curl_easy_strerror(code));
    h->error = take_ptr(&text);
}

/* ---- all of them ---- */

static int run_loop(void)
{
    for (int running = 1, left; running;) {
        CURLMcode code = dl_curl_multi_perform(multi, &running);
        if (code == CURLM_OK && running)
            code = dl_curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
        if (code != CURLM_OK)
            return err_set(-EIO, "libcurl: %s", dl_curl_multi_strerror(code));
        for (CURLMsg *m; (m = dl_curl_multi_info_read(multi, &left));) {
            struct transfer *t = NULL;
            dl_curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
            transfer_finish(t, m->data.result);
        }
    }
    return 0;
}

int http_run(struct http *const *all, size_t n)
{
    int r = http_prepare();
    if (r < 0)
        return r;
    if (!multi && !(multi = dl_curl_multi_init()))
        return err_set(-ENOMEM, "cannot start libcurl");
    struct transfer *transfers = xcalloc(n, sizeof(*transfers));
    for (size_t i = 0; i < n && r == 0; i++) {
        r = transfer_start(&transfers[i], all[i]);
        if (r == 0 && dl_curl_multi_add_handle(multi, transfers[i].easy) != CURLM_OK)
            r = err_set(-EIO, "cannot start a transfer");
    }
    if (r == 0)
        r = run_loop();
    for (size_t i = 0; i < n; i++)
        transfer_done(&transfers[i]);
    free(transfers);
    return r;
}

/* ---- addresses ---- */

DEFINE_AUTO(CURLU *, dl_curl_url_cleanup)
#define auto_url auto_with(dl_curl_url_cleanup_auto)

static int url_refuse(const char *url, const char *why)
{
    auto_free char *shown = str_printable(url);
    return err_set(-EINVAL, "the address \"%.200s\" is not taken: %s", shown, why);
}

static int url_part(CURLU *u, CURLUPart part, unsigned flags, char **ret)
{
    char *text = NULL;
    if (dl_curl_url_get(u, part, &text, flags) != CURLUE_OK)
        return -EINVAL;
    *ret = xstrdup(text);
    dl_curl_free(text);
    return 0;
}

static int url_parse(CURLU *u, const char *url)
{
    auto_free char *scheme = NULL;
    if (strlen(url) > URL_MAX)
        return url_refuse(url, "it is too long");
    for (const char *c = url; *c; c++)
        if (iscntrl((unsigned char)*c) || *c == ' ')
            return url_refuse(url, "it has blanks or control characters in it");
    CURLUcode code = dl_curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER);
    if (code == CURLUE_USER_NOT_ALLOWED)
        return url_refuse(url, "it has a user in it");
    if (code != CURLUE_OK || url_part(u, CURLUPART_SCHEME, 0, &scheme) < 0)
        return url_refuse(url, "it is malformed");
    if (!str_eq(scheme, "https") && !str_eq(scheme, "http"))
        return url_refuse(url, "only http and https are known");
    return 0;
}

int http_url_join(const char *base, const char *reference, char **ret)
{
    int r = http_prepare();
    if (r < 0)
        return r;
    auto_url CURLU *u = dl_curl_url();
    r = url_parse(u, base);
    if (r == 0)
        r = url_parse(u, reference);
    if (r == 0 && url_part(u, CURLUPART_URL, 0, ret) < 0)
        r = url_refuse(reference, "it is malformed");
    return r;
}

int http_url_origin(const char *url, char **ret)
{
    int r = http_prepare();
    if (r < 0)
        return r;
    auto_url CURLU *u = dl_curl_url();
    auto_free char *scheme = NULL, *host = NULL, *port = NULL;
    r = url_parse(u, url);
    if (r < 0)
        return r;
    if (url_part(u, CURLUPART_SCHEME, 0, &scheme) < 0 || url_part(u, CURLUPART_HOST, 0, &host) < 0 ||
        url_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port) < 0)
        return url_refuse(url, "it is malformed");
    for (char *c = host; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *ret = xasprintf("%s://%s:%s", scheme, host, port);
    return 0;
}

#else

int http_prepare(void)
{
    return err_set(-ENOPKG, "this build has no registries: build it with libcurl (package libcurl4-openssl-dev)");
}

int http_run(struct http *const *all, size_t n)
{
    return http_prepare();
}

void http_forked(void)
{
}

int http_url_join(const char *base, const char *reference, char **ret)
{
    return http_prepare();
}

int http_url_origin(const char *url, char **ret)
{
    return http_prepare();
}

#endif

void http_tls_done(struct http_tls *t)
{
    free(t->ca_pem);
    free(t->cert_file);
    free(t->key_file);
    *t = (struct http_tls){0};
}

void http_reset(struct http *h)
{
    free(h->error);
    h->error = NULL;
    h->result = h->status = 0;
    h->again = h->no_tls = false;
    strv_free(h->reply_headers);
    h->reply_headers = NULL;
    buf_done(&h->reply);
}

void http_done(struct http *h)
{
    http_reset(h);
    free(h->url);
    strv_free(h->headers);
    *h = (struct http){0};
}

const char *http_header(const struct http *h, const char *name)
{
    size_t n = strlen(name);
    strv_foreach (header, h->reply_headers)
        if (strncmp(header, name, n) == 0 && header[n] == ':')
            return header + n + 2;
    return NULL;
}

bool http_host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    bool bracket = *host == '[';
    auto_free char *name = bracket ? xstrndup(host + 1, strcspn(host + 1, "]")) : xstrndup(host, strcspn(host, ":"));
    if (bracket)
        return inet_pton(AF_INET6, name, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    return str_eq(name, "localhost") || (inet_pton(AF_INET, name, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

char *http_url_escape(const char *s)
{
    auto_buf struct buf b = {0};
    for (; *s; s++) {
        bool plain =
            (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || strchr("-._~", *s);
        if (plain)
            buf_addc(&b, *s);
        else
            buf_addf(&b, "%%%02X", (unsigned char)*s);
    }
    return buf_take(&b);
}
