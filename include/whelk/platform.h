/* Platforms in OCI words (image-spec, image-index platform): the one that whelk runs on, and those of images. */
#ifndef WHELK_PLATFORM_H
#define WHELK_PLATFORM_H

#include "whelk/str.h"

const char *platform_os(void);           /* "linux" */
const char *platform_architecture(void); /* "amd64", "arm64", ... of this machine */
const char *platform_variant(void);      /* "v8", "v7", or NULL */

struct platform {
    char *os, *architecture, *variant; /* NULL: not said */
    char *os_version;
    char **os_features;
};
void platform_done(struct platform *p);

/* OS[/ARCHITECTURE[/VARIANT]], or an architecture alone; with the usual other names (x86_64, aarch64, armhf, ...). What
 * is missing is this machine's (not the variant of another architecture). -EINVAL with text. */
int platform_parse(const char *s, struct platform *ret);
void platform_host(struct platform *ret);
/* "linux/arm/v7"; caller frees. */
char *platform_text(const struct platform *p);
/* How well an image for have serves where want is asked for: 0 not at all, else the larger the better. An older variant
 * of arm or amd64 serves a newer one. */
unsigned platform_score(const struct platform *want, const struct platform *have);

#endif
