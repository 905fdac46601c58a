/* Questions that others have to answer: the host's servers, one after the other.
 *
 * Each question has a socket of its own while it waits, so that both its port and its number are not to be guessed, and
 * an answer is believed only if it comes from the server that was asked, with that number and that question. What was
 * asked by TCP is asked by TCP: an answer that was cut is passed on, and its asker comes again. A server that is
 * silent, or says that it could not, is followed by the next one; after the last the asker is told SERVFAIL, before it
 * gives up itself. The table is bounded: with all places taken the answer is SERVFAIL at once.
 *
 * Runs in: the resolver of named networks. */
#include "dns.h"

#include "whelk/str.h"

#include <poll.h>
#include <sys/random.h>

enum { TRY_MS = 1500, TRIES_MIN = 2 };

struct forward {
    bool used;
    bool tcp;
    struct stream stream; /* by UDP only its descriptor */
    uint16_t id;
    struct question question; /* its bytes are this entry's own */
    unsigned tries;
    int64_t until; /* when the next server is asked */
};

struct forwards {
    struct resolver *r;
    size_t n;
    struct forward list[FORWARDS_MAX];
};

struct forwards *forwards_new(struct resolver *r)
{
    struct forwards *f = xcalloc(1, sizeof(*f));
    f->r = r;
    return f;
}

static void end(struct forwards *f, struct forward *w)
{
    stream_end(&w->stream);
    free((uint8_t *)(uintptr_t)w->question.msg);
    *w = (struct forward){.stream.fd = -1};
    f->n--;
}

/* Connected, so that nobody else's datagram arrives. The kernel chooses the port. */
static bool send_to(struct forward *w, const struct ip *server)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = ip_to_sockaddr(server, DNS_PORT, &sa);
    auto_free uint8_t *msg = xmalloc(w->question.len);
    memcpy(msg, w->question.msg, w->question.len);
    if (getrandom(&w->id, sizeof w->id, 0) != sizeof w->id)
        return false;
    dns_set_id(msg, w->id);
    int fd = socket(server->family, (w->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    stream_begin(&w->stream, fd);
    if (fd < 0 || (connect(fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS))
        return false;
    if (w->tcp)
        return stream_put(&w->stream, msg, w->question.len);
    return send(fd, msg, w->question.len, 0) == (ssize_t)w->question.len;
}

static bool is_last(const struct forward *w, const struct dns_servers *servers)
{
    return w->tries >= MAX(servers->n, (size_t)TRIES_MIN) || !servers->n;
}

/* The next server that can be asked at all. */
static void try_next(struct forwards *f, struct forward *w, const struct dns_servers *servers)
{
    while (!is_last(w, servers)) {
        stream_end(&w->stream);
        const struct ip *server = &servers->list[w->tries++ % servers->n];
        w->until = net_now() + TRY_MS;
        if (send_to(w, server))
            return;
    }
    dns_reply_code(f->r, &w->question, DNS_SERVFAIL);
    end(f, w);
}

void forwards_ask(struct forwards *f, const struct dns_servers *servers, const struct question *q)
{
    size_t i = 0;
    while (i < FORWARDS_MAX && f->list[i].used)
        i++;
    if (i == FORWARDS_MAX || !servers->n)
        return dns_reply_code(f->r, q, DNS_SERVFAIL);
    uint8_t *msg = xmalloc(q->len);
    memcpy(msg, q->msg, q->len);
    f->list[i] = (struct forward){.used = true, .tcp = q->asker.connection != NULL, .stream.fd = -1, .question = *q};
    f->list[i].question.msg = msg;
    f->n++;
    try_next(f, &f->list[i], servers);
}

/* ---- answers ---- */

static void pass_on(struct forwards *f, struct forward *w, uint8_t *msg, size_t len)
{
    uint8_t cut[DNS_PLAIN_UDP];
    struct dns_writer writer;
    const struct question *q = &w->question;
    dns_set_id(msg, q->query.id);
    if (len > dns_reply_max(q)) { /* more than was asked for */
        dns_answer_begin(&writer, cut, sizeof cut, q->msg, &q->query);
        writer.truncated = true;
        len = dns_answer_end(&writer, DNS_NOERROR, false);
        msg = cut;
    }
    dns_reply(f->r, &q->asker, msg, len);
    end(f, w);
}

/* What is no answer to this question is as if it had not come. */
static void take(struct forwards *f, struct forward *w, const struct dns_servers *servers, uint8_t *msg, size_t len)
{
    int code = dns_check_answer(msg, len, w->id, &w->question.query);
    if (code < 0 && w->tcp)
        try_next(f, w, servers);
    else if ((code == DNS_SERVFAIL || code == DNS_REFUSED) && !is_last(w, servers))
        try_next(f, w, servers);
    else if (code >= 0)
        pass_on(f, w, msg, len);
}

static void receive(struct forwards *f, struct forward *w, const struct dns_servers *servers)
{
    static uint8_t msg[DNS_MESSAGE_MAX];
    ssize_t n = recv(w->stream.fd, msg, sizeof msg, MSG_DONTWAIT);
    if (n >= 0)
        take(f, w, servers, msg, (size_t)n);
    else if (errno != EAGAIN && errno != EINTR) /* nobody is there */
        try_next(f, w, servers);
}

static void receive_stream(struct forwards *f, struct forward *w, const struct dns_servers *servers)
{
    int n = stream_write(&w->stream) ? stream_read(&w->stream, DNS_MESSAGE_MAX) : -1;
    if (n < 0)
        try_next(f, w, servers);
    else if (n > 0)
        take(f, w, servers, w->stream.in, w->stream.in_len);
}

/* ---- the loop ---- */

size_t forwards_poll(const struct forwards *f, struct pollfd *fds, int *timeout)
{
    size_t n = 0;
    if (!f->n)
        return 0;
    int64_t now = net_now();
    for (size_t i = 0; i < FORWARDS_MAX; i++) {
        const struct forward *w = &f->list[i];
        if (!w->used)
            continue;
        int left = (int)MAX(w->until - now, 0);
        *timeout = *timeout < 0 ? left : MIN(*timeout, left);
        fds[n++] = (struct pollfd){.fd = w->stream.fd, .events = (short)(POLLIN | (w->stream.out ? POLLOUT : 0))};
    }
    return n;
}

/* The entries are those that forwards_poll saw, in its order: new ones were not added since. */
void forwards_handle(struct forwards *f, const struct dns_servers *servers, const struct pollfd *fds, size_t n)
{
    int64_t now = n ? net_now() : 0;
    for (size_t i = 0, at = 0; i < FORWARDS_MAX && at < n; i++) {
        struct forward *w = &f->list[i];
        if (!w->used)
            continue;
        bool ready = fds[at++].revents != 0;
        if (ready && w->tcp)
            receive_stream(f, w, servers);
        else if (ready)
            receive(f, w, servers);
        else if (now >= w->until)
            try_next(f, w, servers);
    }
}
