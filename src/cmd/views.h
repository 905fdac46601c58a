/* What the commands share that mount containers and images for the caller. */
#ifndef CMD_VIEWS_H
#define CMD_VIEWS_H

#include "cmd.h"

#include "whelk/json.h"
#include "whelk/view.h"

/* What is mounted, or was just mounted: an array of {ID, Name, Mountpoint}. */
void view_add_row(json_t *rows, const struct store *s, const char *kind, const char *id, const char *name,
                  bool no_trunc);
/* One path alone if it is the answer to one name; else a line "ID PATH" each, or what format says. */
int view_print(const json_t *rows, const char *format, bool one_name);
/* Takes it away and prints typed; the text of each error names it. */
int view_end(const struct store *s, const char *kind, const char *id, const char *typed, bool force);

#endif
