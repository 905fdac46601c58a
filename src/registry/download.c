/* Single files by http, followed over redirects.
 * Runs in: a worker for each; what it finds out comes back through shared memory. */
#include "whelk/download.h"

#include "http.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/proc.h"

#include <sys/mman.h>
#include <time.h>

enum { REDIRECTS_MAX = 10, CONNECT_S = 30, STALL_S = 60 };

struct job {
    const char *url;
    int fd;
    uint64_t max;
    struct download_facts *facts; /* shared */
};

static int sink(void *ctx, const char *data, size_t len)
{
    const struct job *j = ctx;
    int r = j->fd >= 0 ? fd_write_all(j->fd, data, len) : 0;
    return r < 0 ? err_set(r, "cannot keep what comes from %s: %s", j->url, strerror(-r)) : 0;
}

static void copy_header(char *to, size_t size, const struct http *h, const char *name)
{
    const char *value = http_header(h, name);
    snprintf(to, size, "%s", value && strlen(value) < size ? value : "");
}

static void take_facts(struct job *j, const struct http *h)
{
    struct tm tm = {0};
    copy_header(j->facts->etag, sizeof(j->facts->etag), h, "etag");
    copy_header(j->facts->modified, sizeof(j->facts->modified), h, "last-modified");
    const char *end = strptime(j->facts->modified, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    j->facts->mtime = end && !*end ? timegm(&tm) : 0;
}

/* Where a redirect leads; takes the place of *url. */
static int redirect(const struct http *h, char **url)
{
    const char *location = http_header(h, "location");
    auto_free char *next = NULL;
    if (!location)
        return err_set(-EPROTO, "%s: the server redirects to nowhere", *url);
    int r = http_url_join(*url, location, &next);
    if (r < 0)
        return err_wrap(r, "%s: the server redirects", *url);
    if (str_after(*url, "https:") && !str_after(next, "https:"))
        return err_set(-EACCES, "%s redirects from https to http, which is refused", *url);
    free(*url);
    *url = take_ptr(&next);
    return 0;
}

static int fault(const char *url, int status)
{
    int r = status == 404 || status == 410 ? -ENOENT : status == 401 || status == 403 ? -EACCES : -EIO;
    return err_set(r, "%s: the server answers with status %d", url, status);
}

/* One exchange: 1 if it was redirected. */
static int ask(struct job *j, char **url)
{
    auto_with(http_done) struct http h = {
        .method = j->fd < 0 ? "HEAD" : "GET",
        .times = {CONNECT_S, STALL_S},
        .sink = sink,
        .ctx = j,
        .max_reply = j->max,
    };
    struct http *all[] = {&h};
    h.url = xstrdup(*url);
    strv_add(&h.headers, "User-Agent: whelk");
    int r = http_run(all, 1);
    if (r == 0 && h.result < 0)
        r = err_set(h.result, "%s: %s", *url, h.error ? h.error : strerror(-h.result));
    if (r < 0)
        return r;
    if (h.status == 301 || h.status == 302 || h.status == 303 || h.status == 307 || h.status == 308) {
        r = redirect(&h, url);
        return r < 0 ? r : 1;
    }
    if (h.status != 200)
        return fault(*url, h.status);
    take_facts(j, &h);
    return 0;
}

static int worker(void *arg)
{
    struct job *j = arg;
    auto_free char *url = NULL;
    http_forked();
    int r = http_url_join(j->url, j->url, &url); /* looks at it */
    for (int i = 0; r >= 0 && i <= REDIRECTS_MAX; i++) {
        r = ask(j, &url);
        if (r <= 0)
            return r;
    }
    return r < 0 ? r : err_set(-ELOOP, "%s redirects more than %d times", j->url, REDIRECTS_MAX);
}

int download(const char *url, int fd, uint64_t max, struct download_facts *ret_facts)
{
    struct job j = {.url = url, .fd = fd, .max = max};
    struct worker w;
    j.facts = mmap(NULL, sizeof(*j.facts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (j.facts == MAP_FAILED)
        return err_sys("cannot share memory with a worker");
    int r = worker_start(worker, &j, &w);
    if (r == 0)
        r = worker_wait(&w);
    if (r == 0 && ret_facts)
        *ret_facts = *j.facts;
    munmap(j.facts, sizeof(*j.facts));
    return r;
}
