/* libslirp, loaded at first use: what the container sends to its tap device becomes sockets of this process.
 *
 * One poll over the tap, the SUPERVISOR's socket and what libslirp has open. Frames are taken from the tap some at a
 * time, so that neither direction starves. libslirp parses what the container sends: that is why its process is
 * confined (helper.c).
 *
 * Runs in: the helper of a private network. */
#include "slirp.h"

#include "whelk/err.h"

#if HAVE_LIBSLIRP

#include "whelk/auto.h"
#include "whelk/dl.h"

#include <poll.h>
#include <slirp/libslirp.h>
#include <time.h>

DL_FUNCTION(slirp_new);
DL_FUNCTION(slirp_input);
DL_FUNCTION(slirp_pollfds_fill);
DL_FUNCTION(slirp_pollfds_poll);
DL_FUNCTION(slirp_handle_timer);

static const struct dl_symbol slirp_symbols[] = {
    DL_SYMBOL(slirp_new),          DL_SYMBOL(slirp_input),        DL_SYMBOL(slirp_pollfds_fill),
    DL_SYMBOL(slirp_pollfds_poll), DL_SYMBOL(slirp_handle_timer), DL_END,
};
static struct dl_library library = {"libslirp.so.0", "libslirp0", slirp_symbols};
DL_NOTE(libslirp, "recommended", "private networks with a way out", "libslirp.so.0");

enum { FRAMES_AT_ONCE = 64, FRAME_BYTES = 65536 + 64, P_SOCK = 0, P_TAP = 1 };

struct timer {
    SlirpTimerId id;
    void *opaque;
    int64_t at; /* ms, 0: off */
};

struct stack {
    Slirp *slirp;
    int tap;
    struct pollfd *fds;
    size_t n, room;
    struct timer timers[SLIRP_TIMER_NUM];
};

int slirp_load(void)
{
    return dl_need(&library, "the way out of private networks");
}

/* ---- what libslirp calls ---- */

static int64_t now_ns(void *opaque)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A full tap drops, as a wire would. */
static ssize_t send_packet(const void *data, size_t len, void *opaque)
{
    const struct stack *s = opaque;
    ssize_t n = write(s->tap, data, len);
    return n < 0 && errno == EAGAIN ? (ssize_t)len : n;
}

static void guest_error(const char *text, void *opaque)
{
}

static void *timer_new(SlirpTimerId id, void *timer_opaque, void *opaque)
{
    struct stack *s = opaque;
    struct timer *t = id < SLIRP_TIMER_NUM ? &s->timers[id] : NULL;
    if (t)
        *t = (struct timer){id, timer_opaque, 0};
    return t;
}

static void timer_free(void *timer, void *opaque)
{
    struct timer *t = timer;
    if (t)
        t->at = 0;
}

static void timer_mod(void *timer, int64_t at, void *opaque)
{
    struct timer *t = timer;
    if (t)
        t->at = at;
}

static void register_fd(int fd, void *opaque)
{
}

static void notify(void *opaque)
{
}

static const SlirpCb callbacks = {
    .send_packet = send_packet,
    .guest_error = guest_error,
    .clock_get_ns = now_ns,
    .timer_new_opaque = timer_new,
    .timer_free = timer_free,
    .timer_mod = timer_mod,
    .register_poll_fd = register_fd,
    .unregister_poll_fd = register_fd,
    .notify = notify,
};

/* libslirp's bits and poll's. */
static const struct {
    int slirp;
    short poll;
} bits[] = {
    {SLIRP_POLL_IN, POLLIN},   {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
    {SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};

static int add_poll(int fd, int events, void *opaque)
{
    struct stack *s = opaque;
    struct pollfd p = {.fd = fd};
    for (size_t i = 0; i < ARRAY_LEN(bits); i++)
        if (events & bits[i].slirp)
            p.events |= bits[i].poll;
    if (s->n == s->room) {
        s->room = s->room ? s->room * 2 : 64;
        s->fds = xrealloc(s->fds, s->room * sizeof(*s->fds));
    }
    s->fds[s->n] = p;
    return (int)s->n++;
}

static int get_revents(int at, void *opaque)
{
    const struct stack *s = opaque;
    int events = 0;
    for (size_t i = 0; i < ARRAY_LEN(bits); i++)
        if (s->fds[at].revents & bits[i].poll)
            events |= bits[i].slirp;
    return events;
}

/* ---- the loop ---- */

static bool start(struct stack *s, const struct slirp_setup *setup)
{
    SlirpConfig c = {
        .version = 4,
        .in_enabled = true,
        .vnetwork = ip_nth(&setup->net, 0).v4,
        .vhost = setup->gateway.v4,
        .vnameserver = setup->dns.v4,
        .vdhcp_start = ip_nth(&setup->net, 15).v4,
        .in6_enabled = setup->net6.family == AF_INET6,
        .if_mtu = setup->mtu,
        .if_mru = setup->mtu,
        .disable_host_loopback = !setup->host_loopback,
        .disable_dhcp = true,
    };
    c.vnetmask.s_addr = htonl(UINT32_MAX << (32 - setup->net.prefix));
    if (c.in6_enabled) {
        c.vprefix_addr6 = setup->net6.v6;
        c.vprefix_len = setup->net6.prefix;
        c.vhost6 = setup->gateway6.v6;
        c.vnameserver6 = setup->dns6.v6;
    }
    s->slirp = dl_slirp_new(&c, &callbacks, s);
    return s->slirp != NULL;
}

static void fire_timers(struct stack *s)
{
    int64_t now = now_ns(NULL) / 1000000;
    for (size_t i = 0; i < ARRAY_LEN(s->timers); i++) {
        struct timer *t = &s->timers[i];
        if (!t->at || t->at > now)
            continue;
        t->at = 0;
        dl_slirp_handle_timer(s->slirp, t->id, t->opaque);
    }
}

static int wait_ms(const struct stack *s, uint32_t wanted)
{
    int64_t now = now_ns(NULL) / 1000000, wait = wanted;
    for (size_t i = 0; i < ARRAY_LEN(s->timers); i++)
        if (s->timers[i].at)
            wait = MIN(wait, MAX(s->timers[i].at - now, 0));
    return wait >= INT32_MAX ? -1 : (int)wait;
}

static bool take_frames(struct stack *s)
{
    static unsigned char frame[FRAME_BYTES];
    for (int i = 0; i < FRAMES_AT_ONCE; i++) {
        ssize_t n = read(s->tap, frame, sizeof frame);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        dl_slirp_input(s->slirp, frame, (int)n);
    }
    return true;
}

void slirp_serve(const struct slirp_setup *setup, int tap, int sock)
{
    struct stack s = {.tap = tap};
    if (!start(&s, setup))
        return;
    for (;;) {
        uint32_t timeout = UINT32_MAX;
        s.n = 0;
        add_poll(sock, SLIRP_POLL_IN, &s);
        add_poll(tap, SLIRP_POLL_IN, &s);
        dl_slirp_pollfds_fill(s.slirp, &timeout, add_poll, &s);
        int n = poll(s.fds, s.n, wait_ms(&s, timeout));
        if (n < 0 && errno != EINTR)
            return;
        bool tap_ready = n > 0 && s.fds[P_TAP].revents;
        if (n > 0 && s.fds[P_SOCK].revents)
            return;
        dl_slirp_pollfds_poll(s.slirp, n < 0, get_revents, &s);
        fire_timers(&s);
        if (tap_ready && !take_frames(&s))
            return;
    }
}

#else

int slirp_load(void)
{
    return err_set(-ENOPKG, "this build has no private networks with a way out (libslirp)");
}

void slirp_serve(const struct slirp_setup *setup, int tap, int sock)
{
}

#endif
