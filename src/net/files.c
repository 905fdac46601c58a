/* hosts and resolv.conf of a container. They are written by its SUPERVISOR each time that it starts: addresses and the
 * host's resolv.conf may have changed. Runs in: SUPERVISOR; STARTER when it makes a container. */
#include "kinds.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>

enum { FILE_BYTES_MAX = 1 << 20, SERVERS_MAX = 3 /* that resolvers look at */ };

/* ---- resolv.conf ---- */

/* What the host's file says. */
struct resolv {
    char **servers, **others; /* "search ..." and "options ..." lines as they are */
};

static void resolv_read(struct resolv *ret)
{
    auto_free char *text = NULL;
    if (file_read(AT_FDCWD, "/etc/resolv.conf", FILE_BYTES_MAX, &text, NULL) < 0)
        return;
    auto_strv char **lines = strv_split(text, "\n");
    strv_foreach (line, lines) {
        auto_strv char **words = strv_split(line, " \t\r");
        if (strv_len(words) < 2)
            continue;
        if (str_eq(words[0], "nameserver"))
            strv_add(&ret->servers, words[1]);
        else if (str_eq(words[0], "search") || str_eq(words[0], "domain") || str_eq(words[0], "options"))
            strv_add(&ret->others, line);
    }
}

static void add_server(struct buf *b, unsigned *n, const char *address)
{
    if ((*n)++ < SERVERS_MAX)
        buf_addf(b, "nameserver %s\n", address);
}

/* Those that the container cannot reach by itself, on the host's loopback, are behind the address that forwards to the
 * first of them. */
static void add_servers(struct buf *b, const struct resolv *host, const struct member *m)
{
    char text[IP_TEXT];
    unsigned n = 0;
    bool forwarded[2] = {false, false}, any4 = !host->servers;
    strv_foreach (server, host->servers) {
        struct ip a;
        any4 = any4 || (ip_parse(server, &a) == 0 && a.family == AF_INET);
    }
    if (m->dns.family && any4)
        add_server(b, &n, ip_format(&m->dns, text));
    strv_foreach (server, host->servers) {
        struct ip a;
        if (ip_parse(server, &a) < 0)
            continue;
        bool v6 = a.family == AF_INET6, first = !forwarded[v6];
        forwarded[v6] = true;
        if (v6 && first && m->dns6.family)
            add_server(b, &n, ip_format(&m->dns6, text));
        else if (!(first && !v6 && m->dns.family) && !ip_is_loopback(&a) && (!v6 || m->ip6.family))
            add_server(b, &n, server);
    }
}

static void add_asked(struct buf *b, const struct ctr *c, const struct resolv *host)
{
    auto_free char *search = strv_join(c->dns_search, " "), *options = strv_join(c->dns_options, " ");
    strv_foreach (line, host->others) {
        bool replaced = str_after(line, "options") ? c->dns_options != NULL : c->dns_search != NULL;
        if (!replaced)
            buf_addf(b, "%s\n", line);
    }
    if (c->dns_search && !strv_has(c->dns_search, "."))
        buf_addf(b, "search %s\n", search);
    if (c->dns_options)
        buf_addf(b, "options %s\n", options);
}

/* On named networks: only the container's own resolver, which asks those of --dns and of the host. It shall be asked
 * for names as they are before any domain is appended: those of containers have none. */
static void add_resolver(struct buf *b, const struct ctr *c, const struct resolv *host, const struct member *m)
{
    char text[IP_TEXT];
    bool chosen = false;
    strv_foreach (option, c->dns_options)
        chosen = chosen || str_after(option, "ndots:");
    buf_addf(b, "nameserver %s\n", ip_format(&m->dns, text));
    add_asked(b, c, host);
    if (!chosen)
        buf_adds(b, "options ndots:0\n");
}

static int copy_host(int dirfd)
{
    auto_free char *text = NULL;
    size_t len = 0;
    if (file_read(AT_FDCWD, "/etc/resolv.conf", FILE_BYTES_MAX, &text, &len) < 0)
        len = 0;
    return file_write(dirfd, "resolv.conf", text ? text : "", len, 0644);
}

/* m NULL: it has no network of its own, or one without a name server. */
static void add_direct(struct buf *b, const struct ctr *c, const struct resolv *host, const struct member *m)
{
    strv_foreach (server, c->dns)
        buf_addf(b, "nameserver %s\n", server);
    if (!c->dns && m)
        add_servers(b, host, m);
    strv_foreach (server, c->dns || m ? NULL : host->servers)
        buf_addf(b, "nameserver %s\n", server);
    add_asked(b, c, host);
}

static int write_resolv(int dirfd, const struct ctr *c, const struct member *m)
{
    bool own = m && m->dns.family + m->dns6.family && !m->failed;
    struct resolv host = {0};
    auto_buf struct buf b = {0};
    if (!own && !c->dns && !c->dns_search && !c->dns_options)
        return copy_host(dirfd);
    resolv_read(&host);
    if (own && m->network)
        add_resolver(&b, c, &host, m);
    else
        add_direct(&b, c, &host, own ? m : NULL);
    strv_free(host.servers);
    strv_free(host.others);
    return file_write(dirfd, "resolv.conf", b.data ? b.data : "", b.len, 0644);
}

/* ---- hosts ---- */

/* How the container reaches the host: what --add-host calls host-gateway. */
void net_host_seen(const struct member *m, struct ip *ret)
{
    struct ip host = {0};
    if (m && m->host_is_gateway)
        host = m->gateway;
    else if (net_host_address(AF_INET, &host) < 0 && m)
        host = m->gateway;
    if (!host.family)
        (void)ip_parse("127.0.0.1", &host);
    *ret = host;
}

static int add_base(struct buf *b, const struct ctr *c)
{
    static const char usual[] = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
    auto_free char *text = NULL;
    const char *file = c->hosts_file;
    if (!file || *file != '/') {
        buf_adds(b, usual);
        return 0;
    }
    int r = file_read(AT_FDCWD, file, FILE_BYTES_MAX, &text, NULL);
    if (r < 0)
        return err_wrap(r, "--hosts-file %s", file);
    buf_adds(b, text);
    if (b->len && b->data[b->len - 1] != '\n')
        buf_addc(b, '\n');
    return 0;
}

static void add_own(struct buf *b, const struct ctr *c, const struct member *m)
{
    char ip[IP_TEXT] = "127.0.1.1", ip6[IP_TEXT] = "";
    const char *name = c->name ? c->name : "";
    bool attached = m && m->ip.family;
    if (attached)
        ip_format(&m->ip, ip);
    if (attached && !m->failed)
        ip_format(&m->ip6, ip6);
    buf_addf(b, "%s\t%s%s%s\n", ip, c->hostname, *name ? " " : "", name);
    if (*ip6)
        buf_addf(b, "%s\t%s%s%s\n", ip6, c->hostname, *name ? " " : "", name);
}

/* "NAME[;NAME...]=ADDRESS" */
static void add_asked_hosts(struct buf *b, const struct ctr *c, const char *host)
{
    strv_foreach (entry, c->add_hosts) {
        const char *eq = strchr(entry, '=');
        auto_free char *names = xstrndup(entry, eq ? (size_t)(eq - entry) : 0);
        for (char *p = names; *p; p++)
            *p = *p == ';' ? ' ' : *p;
        if (eq)
            buf_addf(b, "%s\t%s\n", str_eq(eq + 1, "host-gateway") ? host : eq + 1, names);
    }
}

static int write_hosts(int dirfd, const struct ctr *c, const struct member *m)
{
    char host[IP_TEXT];
    struct ip seen;
    auto_buf struct buf b = {0};
    net_host_seen(m, &seen);
    ip_format(&seen, host);
    int r = add_base(&b, c);
    if (r < 0)
        return r;
    add_own(&b, c, m);
    add_asked_hosts(&b, c, host);
    buf_addf(&b, "%s\thost.containers.internal host.docker.internal\n", host);
    return file_write(dirfd, "hosts", b.data, b.len, 0644);
}

/* Who shares another container's network is found under its names; containers' directories lie side by side. */
static int share_files(int dirfd, const char *id)
{
    static const char *const files[] = {"hosts", "resolv.conf"};
    int r = 0;
    for (size_t i = 0; i < ARRAY_LEN(files) && r == 0; i++) {
        auto_free char *path = xasprintf("../%s/%s", id, files[i]), *text = NULL;
        size_t len = 0;
        r = file_read(dirfd, path, FILE_BYTES_MAX, &text, &len);
        if (r == 0)
            r = file_write(dirfd, files[i], text, len, 0644);
    }
    return r == -ENOENT ? err_set(r, "container %.12s was removed", id) : r;
}

int net_write_files(int dirfd, const struct ctr *c, const struct net *n)
{
    const char *other = c->network ? str_after(c->network, "container:") : NULL;
    if (other && n)
        return share_files(dirfd, other);
    const struct member *m = n ? net_member(n) : NULL;
    int r = write_hosts(dirfd, c, m);
    return r < 0 ? r : write_resolv(dirfd, c, n ? net_names_member(n) : NULL);
}

int net_rename_host(int dirfd, const char *hostname, const char *from, const char *to)
{
    auto_free char *text = NULL, *own = xasprintf("\t%s %s", hostname, from);
    auto_buf struct buf b = {0};
    int r = file_read(dirfd, "hosts", FILE_BYTES_MAX, &text, NULL);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    for (const char *line = text; *line;) {
        size_t len = strcspn(line, "\n"), kept = len - MIN(len, strlen(own));
        if (len > strlen(own) && strncmp(line + kept, own, strlen(own)) == 0)
            buf_addf(&b, "%.*s\t%s %s\n", (int)kept, line, hostname, to);
        else
            buf_addf(&b, "%.*s\n", (int)len, line);
        line += len + (line[len] == '\n');
    }
    return file_write(dirfd, "hosts", b.data ? b.data : "", b.len, 0644);
}
