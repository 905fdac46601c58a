/* Published ports: from words to values and back. Pure. */
#include "whelk/port.h"

#include "whelk/err.h"
#include "whelk/ip.h"
#include "whelk/str.h"

enum { PORT_MAX = 65535 };

struct range {
    int64_t first, last;
};

/* "80" or "80-90". */
static bool parse_range(const char *s, struct range *ret)
{
    const char *dash = strchr(s, '-');
    auto_free char *first = xstrndup(s, dash ? (size_t)(dash - s) : strlen(s));
    uint64_t a, b;
    if (!str_to_u64(first, &a) || a < 1 || a > PORT_MAX)
        return false;
    b = a;
    if (dash && (!str_to_u64(dash + 1, &b) || b < a || b > PORT_MAX))
        return false;
    *ret = (struct range){(int64_t)a, (int64_t)b};
    return true;
}

static int parse_source(const char *word, const char *option, bool *ret_hide)
{
    const char *source = str_after(option, "source=");
    bool gateway = source && str_eq(source, "gateway");
    if (!gateway && !(source && str_eq(source, "client")))
        return err_set(-EINVAL, "%s: %s is not known; known: source=client, source=gateway", word, option);
    *ret_hide = gateway;
    return 0;
}

static int parse_protocol(const char *word, const char *proto, char **ret)
{
    if (str_eq(proto, "sctp"))
        return err_set(-EINVAL, "%s: sctp cannot be published, only tcp and udp", word);
    if (!str_eq(proto, "tcp") && !str_eq(proto, "udp"))
        return err_set(-EINVAL, "%s: %s is not a protocol; say tcp or udp", word, proto);
    *ret = xstrdup(proto);
    return 0;
}

/* Cuts "/PROTOCOL" and ",OPTION" off. */
static int cut_tail(const char *word, char *text, struct ctr_port *p)
{
    char *comma = strchr(text, ','), *slash;
    int r = 0;
    if (comma) {
        *comma = 0;
        r = parse_source(word, comma + 1, &p->hide);
    }
    slash = strchr(text, '/');
    if (slash)
        *slash = 0;
    return r < 0 ? r : parse_protocol(word, slash ? slash + 1 : "tcp", &p->proto);
}

static int parse_address(const char *word, const char *text, char **ret)
{
    struct ip ip;
    char shown[IP_TEXT];
    if (!*text || ip_parse(text, &ip) < 0 || (ip.family == AF_INET6 && *text != '['))
        return err_set(-EINVAL, "%s: %s is not an address (IPv6 in brackets)", word, *text ? text : "\"\"");
    /* 0.0.0.0 is what everybody writes for all */
    *ret = ip.family == AF_INET && ip.v4.s_addr == 0 ? NULL : xstrdup(ip_format(&ip, shown));
    return 0;
}

/* The host's side: as many ports as the container's, or several for one, of which a free one is taken. */
static int parse_host(const char *word, const char *text, struct ctr_port *p)
{
    struct range host;
    if (!*text)
        return 0;
    if (!parse_range(text, &host))
        return err_set(-EINVAL, "%s: %s is not a port, from 1 to 65535, or a range of them", word, text);
    int64_t n = host.last - host.first + 1;
    p->host_port = host.first;
    if (n == p->count)
        return 0;
    if (p->count > 1)
        return err_set(-EINVAL, "%s: the ranges have different lengths, %lld and %lld", word, (long long)n,
                       (long long)p->count);
    p->host_end = host.last;
    return 0;
}

/* What is left of the last colon that is not within brackets. */
static char *last_colon(char *text)
{
    char *bracket = strrchr(text, ']');
    return strrchr(bracket ? bracket : text, ':');
}

static int parse_parts(const char *word, char *text, struct ctr_port *p)
{
    struct range inside;
    int r = cut_tail(word, text, p);
    if (r < 0)
        return r;
    char *colon = last_colon(text), *host = colon ? text : NULL;
    const char *inner = colon ? colon + 1 : text;
    if (!parse_range(inner, &inside))
        return err_set(-EINVAL, "%s: %s is not a port, from 1 to 65535, or a range of them", word,
                       *inner ? inner : "\"\"");
    p->port = inside.first;
    p->count = inside.last - inside.first + 1;
    if (!host)
        return 0;
    *colon = 0;
    char *address_end = last_colon(host);
    if (!address_end && *host == '[')
        return err_set(-EINVAL, "%s: write [ADDRESS]:PORT:PORT or [ADDRESS]::PORT", word);
    if (!address_end)
        return parse_host(word, host, p);
    *address_end = 0;
    r = parse_address(word, host, &p->host_ip);
    return r < 0 ? r : parse_host(word, address_end + 1, p);
}

int port_parse(const char *word, struct ctr_port *ret)
{
    struct ctr_port p = {0};
    auto_free char *text = xstrdup(word);
    int r = parse_parts(word, text, &p);
    if (r < 0)
        rec_done(&ctr_port_rec, &p);
    else
        *ret = p;
    return r;
}

int port_parse_exposed(const char *word, struct ctr_port *ret)
{
    if (word[strcspn(word, ":,")])
        return err_set(-EINVAL, "%s: write PORT[-PORT][/PROTOCOL]", word);
    return port_parse(word, ret);
}

static void add_range(struct buf *b, int64_t first, int64_t count)
{
    buf_addf(b, "%lld", (long long)first);
    if (count > 1)
        buf_addf(b, "-%lld", (long long)(first + count - 1));
}

static void add_address(struct buf *b, const struct ctr_port *p)
{
    bool v6 = p->host_ip && strchr(p->host_ip, ':');
    buf_addf(b, v6 ? "[%s]:" : "%s:", p->host_ip ? p->host_ip : "0.0.0.0");
}

char *port_format(const struct ctr_port *p)
{
    struct buf b = {0};
    if (p->host_port) {
        add_address(&b, p);
        add_range(&b, p->host_port, p->count);
        buf_adds(&b, "->");
    }
    add_range(&b, p->port, p->count);
    buf_addf(&b, "/%s", p->proto ? p->proto : "tcp");
    return buf_take(&b);
}

char *port_format_host(const struct ctr_port *p, unsigned i)
{
    struct buf b = {0};
    add_address(&b, p);
    buf_addf(&b, "%lld", (long long)p->host_port + i);
    return buf_take(&b);
}

static bool is_published(const struct rec_list *ports, const char *exposed)
{
    const struct ctr_port *p = ports->items;
    struct ctr_port e = {0};
    bool found = false;
    if (port_parse_exposed(exposed, &e) < 0) {
        err_clear();
        return false;
    }
    for (size_t i = 0; i < ports->n; i++)
        found = found || (p[i].port <= e.port && e.port < p[i].port + p[i].count && str_eq(p[i].proto, e.proto));
    rec_done(&ctr_port_rec, &e);
    return found;
}

char *port_format_all(const struct rec_list *ports, char *const *exposed)
{
    const struct ctr_port *p = ports->items;
    auto_strv char **parts = NULL;
    for (size_t i = 0; i < ports->n; i++)
        strv_add_take(&parts, port_format(&p[i]));
    strv_foreach (word, exposed)
        if (!is_published(ports, word))
            strv_add(&parts, word);
    return strv_join(parts, ", ");
}
