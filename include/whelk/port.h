/* Published ports as words: [[ADDRESS:][HOST[-HOST]]:]PORT[-PORT][/PROTOCOL][,source=gateway|client]. Pure. */
#ifndef WHELK_PORT_H
#define WHELK_PORT_H

#include "whelk/ctr.h"

/* A word of --publish. -EINVAL with text that begins with the word. */
int port_parse(const char *word, struct ctr_port *ret);
/* "80", "80/tcp", "8000-8010/udp": ports of a container alone, as --expose and images have them. -EINVAL with text. */
int port_parse_exposed(const char *word, struct ctr_port *ret);
/* "0.0.0.0:8080->80/tcp"; ranges as "0.0.0.0:8000-8010->9000-9010/tcp". Caller frees. */
char *port_format(const struct ctr_port *p);
/* "0.0.0.0:8080" of the i-th port of it, as whelk port shows. Caller frees. */
char *port_format_host(const struct ctr_port *p, unsigned i);
/* All that a running or other container publishes and exposes, as ps shows it. Caller frees. */
char *port_format_all(const struct rec_list *ports, char *const *exposed);

#endif
