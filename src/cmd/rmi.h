/* Removing an image, for who is not whelk rmi. */
#ifndef CMD_RMI_H
#define CMD_RMI_H

#include "whelk/store.h"

/* Takes the name reference from image id, and with its last name the image and what nothing else needs; prints nothing.
 * One that a container uses stays. reference may be NULL, or that of another image by now: then the image goes if it
 * has one name at most. */
int rmi_unused(struct store *s, const char *id, const char *reference);

#endif
