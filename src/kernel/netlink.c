/* Netlink (netlink(7), rtnetlink(7)): messages are queued and sent in one go; the kernel answers each with an
 * acknowledgement or an error. Runs in: CHILD, SUPERVISOR and the helpers, each in its network namespace. */
#include "whelk/netlink.h"

#include "whelk/auto.h"
#include "whelk/err.h"

#include <linux/netlink.h>
#include <sys/socket.h>

static int open_protocol(struct netlink *n, int protocol, const char *matter)
{
    *n = (struct netlink){.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)};
    return n->fd < 0 ? err_sys("cannot talk to the kernel about %s", matter) : 0;
}

int netlink_open(struct netlink *n)
{
    return open_protocol(n, NETLINK_ROUTE, "networks");
}

int netlink_open_filter(struct netlink *n)
{
    return open_protocol(n, NETLINK_NETFILTER, "packet filters");
}

void netlink_close(struct netlink *n)
{
    fd_close(take_fd(&n->fd));
    buf_done(&n->out);
}

static void pad(struct netlink *n)
{
    buf_add(&n->out, "\0\0\0", NLMSG_ALIGN(n->out.len) - n->out.len);
}

/* The length of the last message is kept right with every piece. */
static void set_length(struct netlink *n)
{
    struct nlmsghdr *h = (struct nlmsghdr *)(n->out.data + n->head);
    h->nlmsg_len = (unsigned)(n->out.len - n->head);
}

static void begin(struct netlink *n, const struct nlmsghdr *h, const void *head, size_t len)
{
    n->head = n->out.len;
    buf_add(&n->out, h, sizeof *h);
    buf_add(&n->out, head, len);
    pad(n);
    set_length(n);
}

void netlink_begin(struct netlink *n, unsigned type, unsigned flags, const void *head, size_t len)
{
    struct nlmsghdr h = {.nlmsg_type = (unsigned short)type,
                         .nlmsg_flags = (unsigned short)(flags | NLM_F_REQUEST | NLM_F_ACK),
                         .nlmsg_seq = ++n->queued};
    begin(n, &h, head, len);
}

void netlink_border(struct netlink *n, unsigned type, const void *head, size_t len)
{
    struct nlmsghdr h = {.nlmsg_type = (unsigned short)type, .nlmsg_flags = NLM_F_REQUEST};
    begin(n, &h, head, len);
}

void netlink_attr(struct netlink *n, unsigned type, const void *data, size_t len)
{
    struct nlattr a = {.nla_type = (unsigned short)type, .nla_len = (unsigned short)(sizeof a + len)};
    buf_add(&n->out, &a, sizeof a);
    buf_add(&n->out, data, len);
    pad(n);
    set_length(n);
}

size_t netlink_nest(struct netlink *n, unsigned type)
{
    size_t at = n->out.len;
    netlink_attr(n, type | NLA_F_NESTED, NULL, 0);
    return at;
}

void netlink_nest_end(struct netlink *n, size_t nest)
{
    struct nlattr *a = (struct nlattr *)(n->out.data + nest);
    a->nla_len = (unsigned short)(n->out.len - nest);
}

/* The error numbers in what was received; *left counts the answers down. Number 0 is a border: the refusal of a whole
 * batch, after which nothing else comes. */
static int read_answers(const char *data, size_t len, unsigned *left)
{
    int first = 0;
    for (const struct nlmsghdr *h = (const struct nlmsghdr *)data; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
        struct nlmsgerr e;
        if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_len < NLMSG_LENGTH(sizeof e))
            continue;
        memcpy(&e, NLMSG_DATA(h), sizeof e);
        first = first ? first : e.error;
        *left = h->nlmsg_seq ? *left - (*left > 0) : 0;
    }
    return first;
}

int netlink_commit(struct netlink *n, const char *what)
{
    unsigned left = n->queued;
    int first = 0;
    bool sent = send(n->fd, n->out.data, n->out.len, 0) >= 0;
    n->queued = 0;
    n->out.len = 0;
    if (!sent)
        return err_sys("cannot %s", what);
    while (left) {
        _Alignas(struct nlmsghdr) char answers[8192];
        ssize_t got = recv(n->fd, answers, sizeof answers, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return err_sys("cannot %s", what);
        int r = read_answers(answers, (size_t)got, &left);
        first = first ? first : r;
    }
    return first ? err_set(first, "cannot %s: %s", what, strerror(-first)) : 0;
}
