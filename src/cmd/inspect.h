/* The JSON of inspect, in docker's shape (CV-F10, CV-F11). */
#ifndef CMD_INSPECT_H
#define CMD_INSPECT_H

#include "whelk/ctr.h"
#include "whelk/json.h"
#include "whelk/store.h"

/* The object for a container or image id; the caller owns *ret. size: SizeRw and SizeRootFs are in it. */
int inspect_container(const struct store *s, const char *id, bool size, json_t **ret);
int inspect_image(const struct store *s, const char *id, json_t **ret);

/* NetworkSettings, HostConfig.PortBindings (inspect-network.c), and HostConfig (inspect-host.c). */
json_t *inspect_network(const struct ctr *c, const struct ctr_live *live);
json_t *inspect_port_bindings(const struct ctr *c);
json_t *inspect_host_config(const struct ctr *c);
/* Adds what only podman shows (inspect-podman.c). */
void inspect_add_podman(const struct ctr *c, const struct ctr_live *live, json_t *o);

struct inspect_request {
    bool containers, images, volumes, networks; /* where names are looked for, in this order */
    bool size;
    const char *format;   /* NULL or "json": the array */
    const char *platform; /* of images, or NULL */
};
/* Prints what args name; the error of each that is missing. Returns the exit status. */
int inspect_print(const struct inspect_request *q, char **args);

/* Images where they are, by the names of transports. */
struct inspect_remote {
    bool raw, config; /* the bytes of the manifest, or of the configuration */
    const char *format, *platform;
    const void *registry; /* the registry's options */
};
int inspect_remote(const struct inspect_remote *q, const char *name);

#endif
