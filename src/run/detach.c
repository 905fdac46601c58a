/* Detach keys. */
#include "detach.h"

#include "whelk/err.h"
#include "whelk/str.h"

#include <ctype.h>

static int parse_key(const char *word, unsigned char *ret)
{
    const char *control = str_after(word, "ctrl-");
    if (control && control[0] && !control[1] && (islower((unsigned char)*control) || strchr("@[\\]^_", *control))) {
        *ret = (unsigned char)(toupper((unsigned char)*control) & 0x1f);
        return 0;
    }
    if (!control && word[0] && !word[1] && isalpha((unsigned char)*word)) {
        *ret = (unsigned char)*word;
        return 0;
    }
    return err_set(-EINVAL, "detach key \"%s\" is not a letter, nor ctrl- with one of a-z @ [ \\ ] ^ _", word);
}

int detach_parse(const char *text, struct detach_keys *ret)
{
    struct detach_keys d = {0};
    auto_strv char **words = strv_split(text ? text : "ctrl-p,ctrl-q", ",");
    strv_foreach (word, words) {
        if (d.n == DETACH_MAX)
            return err_set(-EINVAL, "more than %d detach keys", DETACH_MAX);
        int r = parse_key(word, &d.keys[d.n]);
        if (r < 0)
            return r;
        d.n++;
    }
    *ret = d;
    return 0;
}

/* How much of the keys' start is still typed when c follows what was seen: the longest suffix that is a beginning
 * again. */
static size_t fall_back(const struct detach_keys *d, unsigned char c)
{
    unsigned char typed[DETACH_MAX + 1];
    memcpy(typed, d->keys, d->seen);
    typed[d->seen] = c;
    for (size_t n = d->seen; n > 0; n--)
        if (memcmp(typed + d->seen + 1 - n, d->keys, n) == 0)
            return n;
    return 0;
}

bool detach_feed(struct detach_keys *d, const char *in, size_t len, char *out, size_t *ret_len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)in[i];
        if (d->n && c == d->keys[d->seen]) {
            if (++d->seen == d->n) {
                *ret_len = n;
                return true;
            }
            continue;
        }
        size_t kept = d->n ? fall_back(d, c) : 0;
        size_t release = d->seen + (kept ? 1 : 0) - kept; /* of the held ones; c itself is part of what is kept */
        memcpy(out + n, d->keys, release);
        n += release;
        if (!kept)
            out[n++] = in[i];
        d->seen = kept;
    }
    *ret_len = n;
    return false;
}
