/* Keys of build steps (DF-51). */
#include "cache-key.h"

#include "told.h"

/* Counts up with every change of what a contribution holds or means: old records are then never found. */
static const char version[] = "whelk build step 2";

/* Before each contribution, so that an empty vector is not an absent text. */
enum contribution { TEXT = 1, VECTOR, NUMBER };

/* A context of many files is many short pieces: they are hashed together. */
static void add_bytes(struct cache_key *k, const void *bytes, size_t len)
{
    if (len > sizeof(k->data) - k->len) {
        digest_add(k->digest, k->data, k->len);
        k->len = 0;
    }
    if (len > sizeof(k->data)) {
        digest_add(k->digest, bytes, len);
        return;
    }
    memcpy(k->data + k->len, bytes, len);
    k->len += len;
}

/* Seven bits a byte, the lowest first; the last byte has the top bit clear. */
static void add_number(struct cache_key *k, uint64_t n)
{
    unsigned char bytes[10];
    size_t len = 0;
    for (; n >= 0x80; n >>= 7)
        bytes[len++] = (unsigned char)(n | 0x80);
    bytes[len++] = (unsigned char)n;
    add_bytes(k, bytes, len);
}

/* The length is one more than it is, so that 0 can stand for NULL. */
static void add_text(struct cache_key *k, const char *s)
{
    size_t len = s ? strlen(s) : 0;
    add_number(k, s ? len + 1 : 0);
    if (len)
        add_bytes(k, s, len);
}

static void begin(struct cache_key *k, enum contribution what, const char *label)
{
    add_number(k, what);
    add_text(k, label);
}

void cache_key_begin(struct cache_key *k, const char *parent, const char *kind)
{
    k->digest = digest_new(false);
    k->len = 0;
    k->told = NULL;
    add_text(k, version);
    add_text(k, parent);
    add_text(k, kind);
}

void cache_key_add(struct cache_key *k, const char *label, const char *value)
{
    begin(k, TEXT, label);
    add_text(k, value);
    if (k->told)
        told_add(k->told, label, value);
}

void cache_key_add_strv(struct cache_key *k, const char *label, char *const *values)
{
    begin(k, VECTOR, label);
    add_number(k, strv_len(values));
    strv_foreach (v, values)
        add_text(k, v);
    if (k->told)
        told_add_strv(k->told, label, values);
}

void cache_key_add_number(struct cache_key *k, const char *label, uint64_t value)
{
    begin(k, NUMBER, label);
    add_number(k, value);
    if (k->told)
        told_add_number(k->told, label, value);
}

void cache_key_end(struct cache_key *k, char ret[CACHE_KEY])
{
    digest_add(k->digest, k->data, k->len);
    digest_finish(k->digest, ret);
    cache_key_drop(k);
}

void cache_key_drop(struct cache_key *k)
{
    digest_free(k->digest);
    k->digest = NULL;
}
