/* Records: JSON files through one field table per struct. The table drives load, save, free and the round-trip test.
 *
 *     struct thing { struct rec_head head; char *name; char **labels; int64_t created; };
 *     static const struct rec_field thing_fields[] = {
 *         REC_FIELD(struct thing, STR, name, "name"),
 *         REC_FIELD(struct thing, STRV, labels, "labels"),
 *         REC_FIELD(struct thing, TIME, created, "created"),
 *         REC_END,
 *     };
 *     const struct rec_type thing_rec = { "thing", 1, sizeof(struct thing), thing_fields };
 *
 * Every record starts with struct rec_head. A record of a newer schema is refused with its number; keys that this
 * version does not know survive a load and save. Fields with their zero value are not written. */
#ifndef WHELK_RECORD_H
#define WHELK_RECORD_H

#include "whelk/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum rec_kind {
    REC_STR,  /* char * */
    REC_STRV, /* char **: array of strings */
    REC_MAP,  /* char ** of KEY=VALUE: an object of strings */
    REC_INT,  /* int64_t */
    REC_BOOL, /* bool */
    REC_TIME, /* int64_t nanoseconds: RFC 3339 text */
    REC_JSON, /* json_t *: kept as it is */
    REC_SUB,  /* an embedded struct with a table of its own (no rec_head) */
    REC_LIST, /* struct rec_list of embedded structs with a table */
    REC_STOP_ /* end of table */
};

struct rec_type;

struct rec_field {
    const char *key;
    enum rec_kind kind : 8;
    unsigned offset : 24;
    const struct rec_type *sub; /* SUB, LIST */
};

struct rec_type {
    const char *name; /* for error texts */
    int schema;       /* 0: embedded, no rec_head and no schema key */
    size_t size;
    const struct rec_field *fields;
};

struct rec_head {
    json_t *unknown; /* keys that this version does not know */
};

/* n elements of the sub type, one after the other. */
struct rec_list {
    void *items;
    size_t n;
};

#define REC_FIELD(type, k, member, keyname)                                                                            \
    {                                                                                                                  \
        .key = keyname, .kind = REC_##k, .offset = offsetof(type, member)                                              \
    }
#define REC_NESTED(type, k, member, keyname, subtype)                                                                  \
    {                                                                                                                  \
        .key = keyname, .kind = REC_##k, .offset = offsetof(type, member), .sub = subtype                              \
    }
#define REC_END                                                                                                        \
    {                                                                                                                  \
        .key = NULL, .kind = REC_STOP_                                                                                 \
    }

/* ret: zeroed memory of t->size. On failure nothing is left to free. */
int rec_from_json(const struct rec_type *t, const json_t *j, void *ret);
json_t *rec_to_json(const struct rec_type *t, const void *rec); /* never NULL; caller owns */
void rec_done(const struct rec_type *t, void *rec);             /* frees the members and zeroes */
/* Grows a list by one zeroed element and returns it. */
void *rec_list_add(const struct rec_type *t, struct rec_list *list);

/* -ENOENT without text if there is no such file; a damaged file is -EBADMSG with text that names it. */
int rec_load(const struct rec_type *t, int dirfd, const char *path, void *ret);
/* Written to a temp name and renamed; mode 0600; durable also syncs file and directory. */
int rec_save(const struct rec_type *t, int dirfd, const char *path, const void *rec, bool durable);
/* Written in place, for a directory that is not yet published. */
int rec_write(const struct rec_type *t, int dirfd, const char *path, const void *rec);

#endif
