/* The layers that records and operations name: keys, sorted once all are known. Private to src/store.
 *
 *     auto_with(marks_done) struct marks m = {0};  mark_image(...);  marks_sort(&m);  is_marked(&m, key) */
#ifndef WHELK_STORE_MARKS_H
#define WHELK_STORE_MARKS_H

#include "whelk/store.h"
#include "whelk/str.h"

struct marks {
    struct buf keys; /* of char * */
};

void mark(struct marks *m, const char *key);
void marks_move(struct marks *to, struct marks *from); /* from is empty then */
void marks_sort(struct marks *m);
bool is_marked(const struct marks *m, const char *key);
void marks_done(struct marks *m);

/* What images/<id> names; one that is removed meanwhile names nothing, one without its record is an error. */
int mark_image(const struct store *s, const char *id, struct marks *m);
/* What cache/steps/<name> names; what is damaged there counts as absent, since it can be made again. */
int mark_step(const struct store *s, const char *name, struct marks *m);
/* What tmp/<name>/<file> names: "pins" or "made" of an operation. Absent: nothing. */
int mark_notes(const struct store *s, const char *name, const char *file, struct marks *m);

#endif
