/* Certificates for a registry: certs.d (CV-77). */
#ifndef WHELK_REGISTRY_CERTS_H
#define WHELK_REGISTRY_CERTS_H

#include "http.h"

/* From cert_dir, or (NULL) from the first that exists of certs.d/HOST in $XDG_CONFIG_HOME/containers, /etc/containers,
 * /etc/docker: *.crt are authorities, NAME.cert with NAME.key is the client's. */
int certs_load(const char *cert_dir, const char *host, struct http_tls *ret);

#endif
