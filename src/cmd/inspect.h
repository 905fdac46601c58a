/* The JSON of inspect, in docker's shape (CV-F10, CV-F11). */
#ifndef CMD_INSPECT_H
#define CMD_INSPECT_H

#include "whelk/json.h"
#include "whelk/store.h"

/* The object for a container or image id; the caller owns *ret. */
int inspect_container(const struct store *s, const char *id, json_t **ret);
int inspect_image(const struct store *s, const char *id, json_t **ret);

/* Prints the array of what args name among containers and images; the error of each that is missing. Returns the exit status. */
int inspect_print(bool containers, bool images, char **args);

#endif
