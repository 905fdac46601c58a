/* Any bytes as words of --publish and --network: what is accepted is within its bounds, and is shown and read again. */
#include "whelk/err.h"
#include "whelk/net.h"
#include "whelk/port.h"
#include "whelk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_port(const char *text)
{
    struct ctr_port p, again;
    if (port_parse(text, &p) < 0)
        return;
    if (p.port < 1 || p.port + p.count - 1 > 65535 || p.count < 1 || p.host_port < 0 || p.host_port > 65535)
        abort();
    auto_free char *shown = port_format(&p), *host = port_format_host(&p, 0);
    auto_free char *inside = xasprintf("%lld/%s", (long long)p.port, p.proto);
    if (port_parse_exposed(inside, &again) < 0 || again.port != p.port)
        abort();
    rec_done(&ctr_port_rec, &again);
    rec_done(&ctr_port_rec, &p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = xstrndup((const char *)data, size);
    struct ctr_net net;
    try_port(text);
    if (net_parse(text, &net) == 0)
        rec_done(&ctr_net_rec, &net);
    err_clear();
    return 0;
}
