/* Secrets: secrets/<name>/{secret.json, data}, both 0600 and only the owner's. Containers name them in their records;
 * the bytes are read when one starts, into memory of its own, and are in no image, record, log or argument list. */
#ifndef WHELK_SECRET_H
#define WHELK_SECRET_H

#include "whelk/record.h"
#include "whelk/store.h"

enum { SECRET_MAX = 512000 }; /* as docker and podman have it */

struct secret {
    struct rec_head head;
    char *id;
    char *name;
    char *driver;             /* "file" */
    char **labels;            /* KEY=VALUE */
    int64_t created, updated; /* ns */
};
extern const struct rec_type secret_rec;
void secret_done(struct secret *x);

int secret_load(const struct store *s, const char *name, struct secret *ret); /* -ENOENT without text */
int secret_list(const struct store *s, char ***ret_names);
/* Name, id or unique prefix of an id to the name; -ENOENT with text "no such secret: X". Caller frees. */
int secret_find(const struct store *s, const char *typed, char **ret_name);
/* Publishes a secret whole; -EEXIST without text. With replace it takes the place of one of the same name. */
int secret_create(const struct store *s, const struct secret *x, const void *data, size_t len, bool replace);
int secret_remove(const struct store *s, const char *name); /* -ENOENT without text */
/* The bytes, read relative to the store's directory; -ENOENT with text that says how to make it. Caller frees. */
int secret_read(int store_fd, const char *name, char **ret, size_t *ret_len);

#endif
