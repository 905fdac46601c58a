/* Object ids and names. */
#ifndef WHELK_ID_H
#define WHELK_ID_H

#include <stdbool.h>

enum { ID_LEN = 64, ID_SHORT = 12 };

/* 64 lower-case hex digits from the kernel's generator. */
void id_new(char ret[ID_LEN + 1]);
/* A readable adjective_surname out of 16 random bits and more; the caller tries again when it is taken. Caller frees.
 */
char *id_random_name(void);
/* [a-zA-Z0-9][a-zA-Z0-9_.-]* of at most 128 bytes: containers, volumes, networks (CV-84). 0 or -EINVAL with text that
 * names the kind ("container"). */
int name_check(const char *kind, const char *name);
/* 1 to 64 lower-case hex digits: may be an id or the start of one. */
bool id_prefix_like(const char *s);

#endif
