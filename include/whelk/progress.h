/* How far several transfers are: told by any process through shared memory, shown as bars on a terminal by a process of
 * their own, or as a line for each that has ended. */
#ifndef WHELK_PROGRESS_H
#define WHELK_PROGRESS_H

#include <stdint.h>

struct progress;

/* Shows on stderr: bars if it is a terminal, else lines. Call it before the processes that tell are forked. */
int progress_start(struct progress **ret);
/* Takes the bars away and waits for the process that drew them; NULL is fine. */
void progress_end(struct progress *p);
static inline void progress_auto(struct progress **p)
{
    progress_end(*p);
}
#define auto_progress auto_with(progress_auto)

/* All of these take a NULL p and do nothing. A transfer of total bytes called name (a digest: 12 digits of it are
 * shown); the number is for the others. Bytes move; it ends with a word ("done", "already there"); or without one: it
 * failed. */
unsigned progress_add(struct progress *p, const char *name, uint64_t total);
void progress_move(struct progress *p, unsigned slot, uint64_t bytes);
void progress_close(struct progress *p, unsigned slot, const char *word);

#endif
