/* Events: what happened to objects of a store, a JSON object a line in the file `events`, appended with one write each,
 * rotated once to events.1 at 8 MiB. Not durable, and never in the way: an event that cannot be written is lost. */
#ifndef WHELK_EVENT_H
#define WHELK_EVENT_H

#include "whelk/record.h"
#include "whelk/store.h"

struct event {
    struct rec_head head;
    int64_t time; /* ns */
    char *type;   /* "container", "image", "volume", "network" */
    char *action; /* "create", "start", "died", ... (FEATURES 3.4) */
    char *id;
    char *name;
    char *image;       /* of a container */
    char **attributes; /* KEY=VALUE: labels, "exitCode" */
};
extern const struct rec_type event_rec;
void event_done(struct event *e);

/* Fills in the time. Strings stay the caller's. */
void event_write(const struct store *s, const struct event *e);
/* What happened to a container: with its labels and, if there are any, further facts. The second loads the record, before
 * or after; without one the id has to do. */
struct ctr;
void event_container(const struct store *s, const struct ctr *c, const char *action, char *const *facts);
void event_container_id(const struct store *s, const char *id, const char *action, char *const *facts);
/* What happened to an object that has nothing but an id and a name. */
void event_object(const struct store *s, const char *type, const char *action, const char *id, const char *name);
/* Calls fn for each event from since to until (ns; 0: from the beginning, to now), oldest first; with follow it goes on
 * with those to come, until the time `until` or until fn returns non-zero, which is returned. Damaged lines are left
 * out. */
int events_read(const struct store *s, int64_t since, int64_t until, bool follow,
                int (*fn)(const struct event *e, void *ctx), void *ctx);

#endif
