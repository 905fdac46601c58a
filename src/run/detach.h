/* The keys that leave a container's terminal without ending it (CV-80). */
#ifndef RUN_DETACH_H
#define RUN_DETACH_H

#include <stdbool.h>
#include <stddef.h>

enum { DETACH_MAX = 16 };

struct detach_keys {
    unsigned char keys[DETACH_MAX];
    size_t n;    /* 0: there are none */
    size_t seen; /* how many of them have been typed; they are held back */
};

/* "ctrl-p,ctrl-q" (NULL gives these), "": none. Single letters, or ctrl- and one of a-z @ [ \ ] ^ _. -EINVAL with text.
 */
int detach_parse(const char *text, struct detach_keys *ret);
/* Takes typed bytes; what is to be passed on goes to out (of at least len + DETACH_MAX bytes), *ret_len. True when the
 * keys are complete. */
bool detach_feed(struct detach_keys *d, const char *in, size_t len, char *out, size_t *ret_len);

#endif
