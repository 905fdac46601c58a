/* Progress in shared memory. Slots are taken by an atomic counter and never given back; each has one process that moves
 * it. The drawer only reads, ten times a second and once more at the end.
 * Runs in: the process of a pull or push, its workers, and the DRAWER. */
#include "whelk/progress.h"

#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/live.h"
#include "whelk/proc.h"
#include "whelk/units.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

enum { SLOTS = 500, NAME_LEN = 12, WORD_LEN = 20, BAR = 30, DRAW_MS = 100 };

struct slot {
    char name[NAME_LEN + 1], word[WORD_LEN];
    uint64_t total, done;
    int state; /* 0 being filled in, 1 moves, 2 ended */
};
struct shared {
    unsigned n;
    struct slot slots[SLOTS];
};
struct progress {
    struct shared *shared;
    bool bars;
    int end_fd;
    struct worker drawer;
};

/* ---- drawing ---- */

static void slot_row(const struct slot *s, struct buf *row)
{
    char done[16], total[16];
    uint64_t moved = __atomic_load_n(&s->done, __ATOMIC_RELAXED);
    buf_addf(row, "%s ", s->name);
    if (__atomic_load_n(&s->state, __ATOMIC_ACQUIRE) == 2) {
        buf_addf(row, "%s", s->word);
        return;
    }
    if (s->total)
        live_bar(row, moved, s->total, BAR);
    buf_addf(row, " %s", size_format(moved, done));
    if (s->total)
        buf_addf(row, " / %s", size_format(s->total, total));
}

static void draw(const struct shared *s, struct live *l, bool last)
{
    unsigned n = MIN(__atomic_load_n(&s->n, __ATOMIC_ACQUIRE), (unsigned)SLOTS);
    for (unsigned i = 0; i < n; i++) {
        auto_buf struct buf row = {0};
        if (__atomic_load_n(&s->slots[i].state, __ATOMIC_ACQUIRE) == 0)
            continue;
        slot_row(&s->slots[i], &row);
        live_row(l, i, row.data);
    }
    live_draw(l, last);
}

static int draw_until_end(void *arg)
{
    const struct progress *p = arg;
    struct live *l = live_new(STDERR_FILENO);
    struct pollfd end = {.fd = p->end_fd, .events = POLLIN};
    while (poll(&end, 1, DRAW_MS) <= 0)
        draw(p->shared, l, false);
    draw(p->shared, l, true);
    live_end(l, true);
    return 0;
}

/* ---- telling ---- */

int progress_start(struct progress **ret)
{
    struct progress *p = xcalloc(1, sizeof(*p));
    struct live *l = live_new(STDERR_FILENO);
    p->bars = live_on_terminal(l);
    live_end(l, false);
    p->end_fd = eventfd(0, EFD_CLOEXEC);
    p->shared = mmap(NULL, sizeof(*p->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int r = p->end_fd < 0 || p->shared == MAP_FAILED ? err_sys("cannot show progress") : 0;
    if (r == 0 && p->bars)
        r = worker_start(draw_until_end, p, &p->drawer);
    if (r < 0) {
        fd_close(p->end_fd);
        if (p->shared != MAP_FAILED)
            munmap(p->shared, sizeof(*p->shared));
        free(p);
        return r;
    }
    *ret = p;
    return 0;
}

/* Keeps the error in the slot: it is called on the way out too. */
void progress_end(struct progress *p)
{
    if (!p)
        return;
    size_t len;
    auto_free char *error = err_pack(0, &len);
    if (p->drawer.pid > 0 && eventfd_write(p->end_fd, 1) == 0)
        worker_wait(&p->drawer);
    munmap(p->shared, sizeof(*p->shared));
    fd_close(p->end_fd);
    free(p);
    err_unpack(error, len);
}

static struct slot *slot_at(struct progress *p, unsigned slot)
{
    return p && slot < SLOTS ? &p->shared->slots[slot] : NULL;
}

unsigned progress_add(struct progress *p, const char *name, uint64_t total)
{
    unsigned number = p ? __atomic_fetch_add(&p->shared->n, 1, __ATOMIC_ACQ_REL) : SLOTS;
    struct slot *s = slot_at(p, number);
    if (!s)
        return SLOTS;
    snprintf(s->name, sizeof(s->name), "%s", digest_hex(name) ?: name);
    s->total = total;
    __atomic_store_n(&s->state, 1, __ATOMIC_RELEASE);
    return number;
}

void progress_move(struct progress *p, unsigned slot, uint64_t bytes)
{
    struct slot *s = slot_at(p, slot);
    if (s)
        __atomic_fetch_add(&s->done, bytes, __ATOMIC_RELAXED);
}

void progress_close(struct progress *p, unsigned slot, const char *word)
{
    struct slot *s = slot_at(p, slot);
    char size[16];
    if (!s)
        return;
    snprintf(s->word, sizeof(s->word), "%s", word ?: "failed");
    __atomic_store_n(&s->state, 2, __ATOMIC_RELEASE);
    if (!p->bars && word) /* by one write, since others may write too */
        dprintf(STDERR_FILENO, "%s %s, %s\n", s->name, word, size_format(s->total ?: s->done, size));
}
