/* whelk port: which ports of this machine lead to which of a container. */
#include "containers.h"

#include "whelk/port.h"

struct port_opts {
    bool all, latest;
};

static const struct opt port_table[] = {
    {"all", 'a', OPT_BOOL, OPT(struct port_opts, all), .help = "of all running containers, with their ids"},
    {"latest", 'l', OPT_BOOL, OPT(struct port_opts, latest), .help = "of the container that was made last"},
    OPT_END,
};

/* A running container has what it got; others have what they asked for, as far as that is said. */
static int load_ports(const struct store *s, const char *id, struct rec_list *ret)
{
    struct ctr_state st;
    struct ctr_live live = {0};
    struct ctr c = {0};
    int r = ctr_state(s, id, &st);
    if (r == 0 && ctr_is_up(&st) && ctr_live_load(s, id, &live) == 0) {
        *ret = live.ports;
        live.ports = (struct rec_list){0};
        ctr_live_done(&live);
        return 0;
    }
    if (r == 0)
        r = ctr_load(s, id, &c);
    if (r == 0) {
        *ret = c.ports;
        c.ports = (struct rec_list){0};
    }
    ctr_done(&c);
    return r;
}

/* Takes the list. Of the one that is asked for, or all: how many were shown. */
static size_t print_ports(struct rec_list *ports, const struct ctr_port *asked, const char *id)
{
    struct ctr_port *p = ports->items;
    size_t shown = 0;
    for (size_t i = 0; i < ports->n; i++)
        for (unsigned j = 0; p[i].host_port && j < p[i].count; j++) {
            int64_t port = p[i].port + j;
            auto_free char *host = port_format_host(&p[i], j);
            if (asked && (port != asked->port || !str_eq(p[i].proto, asked->proto)))
                continue;
            if (asked)
                printf("%s\n", host);
            else
                printf("%s%s%lld/%s -> %s\n", id, *id ? "\t" : "", (long long)port, p[i].proto, host);
            shown++;
        }
    for (size_t i = 0; i < ports->n; i++)
        rec_done(&ctr_port_rec, &p[i]);
    free(p);
    return shown;
}

static int show_one(const struct store *s, const char *name, const char *id, const char *word)
{
    struct rec_list ports = {0};
    struct ctr_port asked = {0};
    int r = word ? port_parse_exposed(word, &asked) : 0;
    if (r == 0)
        r = load_ports(s, id, &ports);
    if (r == 0 && print_ports(&ports, word ? &asked : NULL, "") == 0 && word)
        r = err_with_status(
            err_set(-ENOENT, "container %s publishes no port %lld/%s", name, (long long)asked.port, asked.proto), 1);
    rec_done(&ctr_port_rec, &asked);
    return r;
}

static int show_all(const struct store *s)
{
    struct ctr_rows rows = {0};
    int r = ctr_rows_load(s, false, NULL, &rows);
    for (size_t i = 0; i < rows.n && r == 0; i++) {
        struct rec_list ports = {0};
        auto_free char *id = xstrndup(rows.items[i].c.id, ID_SHORT);
        r = load_ports(s, rows.items[i].c.id, &ports);
        if (r == 0)
            print_ports(&ports, NULL, id);
    }
    ctr_rows_done(&rows);
    return r;
}

static int show_latest(const struct store *s, const char *word)
{
    struct ctr_rows rows = {0};
    int r = ctr_rows_load(s, true, NULL, &rows);
    if (r == 0 && !rows.n)
        r = err_set(-ENOENT, "there is no container");
    if (r == 0)
        r = show_one(s, rows.items[0].c.name, rows.items[0].c.id, word);
    ctr_rows_done(&rows);
    return r;
}

static int run(void *opts, char **args)
{
    const struct port_opts *o = opts;
    struct store *s;
    auto_free char *id = NULL;
    size_t n = strv_len(args);
    if (o->all && (o->latest || n))
        return err_set(-EINVAL, "--all goes without %s", n ? "names" : "--latest");
    if (!o->all && (o->latest ? n > 1 : n < 1))
        return err_set(-EINVAL, o->latest ? "--latest goes without a container's name"
                                          : "name a container, or say --all or --latest");
    int r = cmd_store(&s);
    if (r < 0)
        return r;
    if (o->all)
        return show_all(s);
    if (o->latest)
        return show_latest(s, args[0]);
    r = ctr_find(s, args[0], &id);
    return r < 0 ? r : show_one(s, args[0], id, args[1]);
}

const struct cmd cmd_port = {
    .names = "port;container port",
    .args = "[OPTIONS] CONTAINER [PORT[/PROTOCOL]]",
    .summary = "show the published ports of a container",
    .description =
        "Shows which ports of this machine lead to which of the container. With PORT only the addresses that "
        "lead to that one.",
    .examples = "whelk port web\nwhelk port web 80\nwhelk port web 53/udp\nwhelk port --all",
    .opts = port_table,
    .opts_size = sizeof(struct port_opts),
    .max_args = 2,
    .complete = COMPLETE_CONTAINER,
    .run = run,
};
