/* The live block. One write per drawing: up to the block's first line, every row with the rest of its line erased, then
 * what is left of a longer block before. Rows that do not fit the height are left out from above, so that "up" never
 * has to reach a line that has scrolled away. Runs in: the command's process; writes only to the fd that it was given.
 */
#include "whelk/live.h"

#include "utf8.h"
#include "whelk/fd.h"

#include <sys/ioctl.h>
#include <time.h>

enum { ROWS_MAX = 1000, INTERVAL_MS = 100, DEFAULT_WIDTH = 80, DEFAULT_HEIGHT = 24 };

struct live {
    int fd;
    bool terminal;
    char **rows;
    unsigned drawn; /* lines of the block on the screen, the cursor is below them */
    bool changed;
    int64_t last; /* ms */
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct live *live_new(int fd)
{
    struct live *l = xcalloc(1, sizeof(*l));
    const char *term = getenv("TERM");
    l->fd = fd;
    l->terminal = isatty(fd) && term && !str_eq(term, "dumb");
    return l;
}

bool live_on_terminal(const struct live *l)
{
    return l->terminal;
}

static void screen_size(const struct live *l, unsigned *width, unsigned *height)
{
    struct winsize size = {0};
    ioctl(l->fd, TIOCGWINSZ, &size);
    *width = size.ws_col ?: DEFAULT_WIDTH;
    *height = size.ws_row ?: DEFAULT_HEIGHT;
}

/* The first characters of s, one less than the width: some terminals wrap at the last column. */
static void add_cut(struct buf *out, const char *s, unsigned width)
{
    auto_free char *shown = str_printable(s);
    const char *p = shown;
    for (unsigned n = 1; *p && n < width; n++)
        p += utf8_len(p) ?: 1;
    buf_add(out, shown, p - shown);
}

static void add_home(const struct live *l, struct buf *out)
{
    if (l->drawn)
        buf_addf(out, "\r\033[%uA", l->drawn);
}

/* The block, and behind it nothing. Leaves the cursor below. */
static void add_block(struct live *l, struct buf *out)
{
    unsigned width, height, n = strv_len(l->rows);
    screen_size(l, &width, &height);
    unsigned first = n > height - 1 && height > 1 ? n - (height - 1) : 0;
    for (unsigned i = first; i < n; i++) {
        add_cut(out, l->rows[i], width);
        buf_adds(out, "\033[K\n");
    }
    buf_adds(out, "\033[J");
    l->drawn = n - first;
    l->changed = false;
    l->last = now_ms();
}

static void live_write(const struct live *l, const struct buf *b)
{
    fd_write_all(l->fd, b->data, b->len); /* a terminal that went away is no error of the work */
}

void live_draw(struct live *l, bool force)
{
    if (!l->terminal || !l->changed || (!force && now_ms() - l->last < INTERVAL_MS))
        return;
    auto_buf struct buf b = {0};
    add_home(l, &b);
    add_block(l, &b);
    live_write(l, &b);
}

void live_row(struct live *l, unsigned n, const char *text)
{
    if (!l->terminal || n >= ROWS_MAX)
        return;
    while (strv_len(l->rows) <= n)
        strv_add(&l->rows, "");
    if (!str_eq(l->rows[n], text)) {
        free(l->rows[n]);
        l->rows[n] = xstrdup(text);
        l->changed = true;
    }
    live_draw(l, false);
}

void live_cut(struct live *l, unsigned n)
{
    for (unsigned i = (unsigned)strv_len(l->rows); i-- > n;) {
        strv_remove(l->rows, i);
        l->changed = true;
    }
}

void live_print(struct live *l, const char *text)
{
    auto_buf struct buf b = {0};
    auto_free char *shown = str_printable(text);
    if (l->terminal)
        add_home(l, &b);
    buf_adds(&b, shown);
    buf_adds(&b, l->terminal ? "\033[K\n" : "\n");
    if (l->terminal)
        add_block(l, &b);
    live_write(l, &b);
}

void live_end(struct live *l, bool keep)
{
    if (!l)
        return;
    if (l->terminal && (keep || l->drawn)) {
        auto_buf struct buf b = {0};
        add_home(l, &b);
        if (!keep)
            strv_free(take_ptr(&l->rows));
        add_block(l, &b);
        live_write(l, &b);
    }
    strv_free(l->rows);
    free(l);
}

void live_bar(struct buf *out, uint64_t done, uint64_t total, unsigned width)
{
    unsigned full = total ? (unsigned)((unsigned __int128)MIN(done, total) * width / total) : 0;
    buf_addc(out, '[');
    for (unsigned i = 0; i < width; i++)
        buf_addc(out, i < full ? '=' : i == full && full > 0 ? '>' : ' ');
    buf_addc(out, ']');
}
