/* The platform whelk runs on, in OCI words (image-spec, image-index platform). */
#ifndef WHELK_PLATFORM_H
#define WHELK_PLATFORM_H

const char *platform_os(void);           /* "linux" */
const char *platform_architecture(void); /* "amd64", "arm64", ... of this machine */
const char *platform_variant(void);      /* "v8", "v7", or NULL */

#endif
