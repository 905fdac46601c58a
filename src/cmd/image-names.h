/* What the commands that move images share. */
#ifndef CMD_IMAGE_NAMES_H
#define CMD_IMAGE_NAMES_H

#include "whelk/image.h"
#include "whelk/transport.h"

/* image_find, and where platform (text, or NULL) is given the image for it: that one itself, or another one of the
 * name's index that is in the store. -ENOENT with text if there is none. Callers free; *ret_reference may be NULL. */
int image_find_platform(const struct store *s, const char *typed, const char *platform, char **ret_id,
                        char **ret_reference);
/* For the blob callbacks: a line on stderr if that is a terminal. arg: the verb ("Saving"). */
void image_say_blob(void *arg, const struct descriptor *d, bool there);

#endif
