/* A block of lines at the bottom of a terminal that is redrawn in place: bars of a pull, steps of a build, statistics.
 *
 * On anything else than a terminal (or with TERM=dumb) there is no block: live_row does nothing and live_print prints
 * its line, so the caller gives plain lines beside the rows that it sets. One process draws. Nothing is changed about
 * the terminal (no raw mode, no hidden cursor): whoever is killed in the middle leaves the last block and no more. */
#ifndef WHELK_LIVE_H
#define WHELK_LIVE_H

#include "whelk/str.h"

struct live;

/* fd stays the caller's. Never NULL. */
struct live *live_new(int fd);
bool live_on_terminal(const struct live *l);
/* Sets row n (0 is the uppermost; missing ones before it become empty); drawn at most ten times a second. Shown
 * printable and cut at the terminal's width. */
void live_row(struct live *l, unsigned n, const char *text);
/* Forgets the rows from n on. */
void live_cut(struct live *l, unsigned n);
/* One line above the block, which stays; without a terminal just the line. */
void live_print(struct live *l, const char *text);
/* Draws what has been set since, if its time has come or with force. */
void live_draw(struct live *l, bool force);
/* Takes the block off the screen (or leaves its last state there with keep) and frees l. NULL is fine. */
void live_end(struct live *l, bool keep);
static inline void live_auto(struct live **l)
{
    live_end(*l, false);
}
#define auto_live auto_with(live_auto)

/* "[=====>    ]" of width characters; total 0 gives an empty one. */
void live_bar(struct buf *out, uint64_t done, uint64_t total, unsigned width);

#endif
