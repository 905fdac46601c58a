/* Keys of build steps (DF-51). */
#include "cache-key.h"

#include "whelk/str.h"

/* Counts up with every change of what a contribution holds or means: old records are then never found. */
static const char version[] = "whelk build step 1";

/* Before each contribution, so that an empty vector is not an absent text. */
enum contribution { TEXT = 1, VECTOR, NUMBER };

static void add_number(struct cache_key *k, uint64_t n)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(n >> (8 * i));
    digest_add(k->digest, bytes, sizeof(bytes));
}

/* The length is one more than it is, so that 0 can stand for NULL. */
static void add_text(struct cache_key *k, const char *s)
{
    size_t len = s ? strlen(s) : 0;
    add_number(k, s ? len + 1 : 0);
    if (len)
        digest_add(k->digest, s, len);
}

static void begin(struct cache_key *k, enum contribution what, const char *label)
{
    add_number(k, what);
    add_text(k, label);
}

void cache_key_begin(struct cache_key *k, const char *parent, const char *kind)
{
    k->digest = digest_new(false);
    add_text(k, version);
    add_text(k, parent);
    add_text(k, kind);
}

void cache_key_add(struct cache_key *k, const char *label, const char *value)
{
    begin(k, TEXT, label);
    add_text(k, value);
}

void cache_key_add_strv(struct cache_key *k, const char *label, char *const *values)
{
    begin(k, VECTOR, label);
    add_number(k, strv_len(values));
    strv_foreach (v, values)
        add_text(k, v);
}

void cache_key_add_number(struct cache_key *k, const char *label, uint64_t value)
{
    begin(k, NUMBER, label);
    add_number(k, value);
}

void cache_key_end(struct cache_key *k, char ret[CACHE_KEY])
{
    digest_finish(k->digest, ret);
    cache_key_drop(k);
}

void cache_key_drop(struct cache_key *k)
{
    digest_free(k->digest);
    k->digest = NULL;
}
