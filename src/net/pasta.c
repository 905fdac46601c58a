/* The kind "pasta": the way out is passt's program, where it is installed; it copies the host's addresses and routes.
 *
 * Runs in: SUPERVISOR. pasta enters the container's network namespace and goes to the background in the SUPERVISOR's
 * pid namespace, which ends it. */
#include "kinds.h"

#include "whelk/err.h"
#include "whelk/proc.h"

/* What decides whom and how pasta serves is whelk's to say. */
static const char *const reserved[] = {"-f", "--foreground", "--netns", "--userns", "--netns-only",
                                       "-P", "--pid",        "--runas", NULL};

int pasta_parse(const char *text, struct ctr_net *ret)
{
    ret->options = strv_split(text ? text : "", ",");
    strv_foreach (word, ret->options)
        for (size_t i = 0; reserved[i]; i++)
            if (str_eq(word, reserved[i]))
                return err_set(-EINVAL, "the option %s of pasta is set by whelk", word);
    return 0;
}

/* The container gets the host's own addresses; the gateway's stands for the host. */
static int find_addresses(struct member *m)
{
    if (net_host_address(AF_INET, &m->ip) < 0 && net_host_address(AF_INET6, &m->ip6) < 0)
        return err_set(-ENETUNREACH, "--network pasta: this machine has no way out that pasta could copy");
    net_host_address(AF_INET6, &m->ip6);
    return net_host_gateway(&m->gateway);
}

int pasta_open(struct member *m)
{
    if (net_host_root(m->net))
        return err_set(-EOPNOTSUPP, "--network pasta: pasta refuses to work for root; the network private does");
    const char *path = getenv("PATH");
    auto_strv char **dirs = strv_split(path ? path : "/usr/bin:/bin", ":");
    strv_foreach (dir, dirs) {
        auto_free char *program = xasprintf("%s/pasta", dir);
        if (access(program, X_OK) == 0)
            return find_addresses(m);
    }
    return err_set(-ENOENT, "--network pasta: the program pasta is not installed: install the package passt, or leave "
                            "the option out");
}

/* Ports are whelk's: -t, -u, -T and -U none, unless options of the user say otherwise. */
int pasta_attach(struct member *m, int netns, int fd)
{
    static const char *const usual[] = {"pasta", "--quiet", "--config-net", "--netns-only", "-t",   "none", "-u",
                                        "none",  "-T",      "none",         "-U",           "none", NULL};
    auto_strv char **argv = NULL;
    for (size_t i = 0; usual[i]; i++)
        strv_add(&argv, usual[i]);
    if (!m->host_is_gateway)
        strv_add(&argv, "--no-map-gw");
    strv_extend(&argv, m->spec->options);
    /* The namespace comes as descriptor 0: pasta gives up the right to look at the CHILD before it would open it. */
    strv_add(&argv, "--netns");
    strv_add(&argv, "/proc/self/fd/0");
    int r = helper_run_on(argv, netns);
    return r < 0 ? err_wrap(r, "--network pasta") : 0;
}
