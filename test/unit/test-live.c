/* The live block: what reaches a terminal and what reaches anything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "whelk/fd.h"
#include "whelk/live.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

struct screen {
    int master, slave;
};

static struct screen screen_open(unsigned short columns, unsigned short rows)
{
    struct screen s = {posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), -1};
    struct winsize size = {.ws_col = columns, .ws_row = rows};
    struct termios t;
    assert_true(s.master >= 0 && grantpt(s.master) == 0 && unlockpt(s.master) == 0);
    s.slave = open(ptsname(s.master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(s.slave >= 0);
    assert_int_equal(ioctl(s.slave, TIOCSWINSZ, &size), 0);
    assert_int_equal(tcgetattr(s.slave, &t), 0);
    cfmakeraw(&t); /* bytes as they were written */
    assert_int_equal(tcsetattr(s.slave, TCSANOW, &t), 0);
    fd_set_nonblock(s.master, true);
    setenv("TERM", "xterm", 1);
    return s;
}

static void screen_has(const struct screen *s, const char *expected)
{
    char got[4096] = "";
    size_t len = 0;
    for (ssize_t n; (n = read(s->master, got + len, sizeof(got) - 1 - len)) > 0;)
        len += n;
    assert_string_equal(got, expected);
}

static void screen_skip(const struct screen *s)
{
    char got[4096];
    while (read(s->master, got, sizeof(got)) > 0)
        ;
}

static void screen_close(struct screen *s)
{
    close(s->slave);
    close(s->master);
}

static void draws_in_place(void **state)
{
    struct screen s = screen_open(20, 10);
    struct live *l = live_new(s.slave);
    assert_true(live_on_terminal(l));
    live_row(l, 1, "two"); /* the first drawing does not wait */
    screen_has(&s, "\033[K\ntwo\033[K\n\033[J");
    live_row(l, 0, "one");
    live_draw(l, true);
    screen_has(&s, "\r\033[2Aone\033[K\ntwo\033[K\n\033[J");
    live_row(l, 0, "one");
    live_draw(l, true);
    screen_has(&s, ""); /* nothing new */
    live_print(l, "a line");
    screen_has(&s, "\r\033[2Aa line\033[K\none\033[K\ntwo\033[K\n\033[J");
    live_end(l, false);
    screen_has(&s, "\r\033[2A\033[J");
    screen_close(&s);
}

static void keeps_the_last_state(void **state)
{
    struct screen s = screen_open(20, 10);
    struct live *l = live_new(s.slave);
    live_row(l, 0, "1 of 2");
    screen_has(&s, "1 of 2\033[K\n\033[J");
    live_row(l, 0, "2 of 2");
    live_end(l, true);
    screen_has(&s, "\r\033[1A2 of 2\033[K\n\033[J");
    screen_close(&s);
}

static void fits_the_screen(void **state)
{
    struct screen s = screen_open(6, 3);
    struct live *l = live_new(s.slave);
    live_row(l, 0, "zero");
    live_row(l, 1, "123456789");
    live_row(l, 2, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc\033[H");
    live_draw(l, true);
    screen_skip(&s); /* how many drawings these were depends on the time */
    live_print(l, "");
    screen_has(&s, "\r\033[2A\033[K\n12345\033[K\n\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\033[K\n\033[J");
    live_end(l, false);
    screen_close(&s);
}

static void prints_lines_elsewhere(void **state)
{
    int ends[2];
    char got[100] = "";
    assert_int_equal(pipe(ends), 0);
    struct live *l = live_new(ends[1]);
    assert_false(live_on_terminal(l));
    live_row(l, 0, "a row");
    live_print(l, "a \033 line");
    live_end(l, true);
    assert_true(read(ends[0], got, sizeof(got) - 1) > 0);
    assert_string_equal(got, "a \\x1b line\n");
    close(ends[0]);
    close(ends[1]);

    struct screen s = screen_open(80, 24);
    setenv("TERM", "dumb", 1);
    l = live_new(s.slave);
    assert_false(live_on_terminal(l));
    live_end(l, false);
    screen_close(&s);
}

static void bars(void **state)
{
    static const struct {
        uint64_t done, total;
        const char *bar;
    } cases[] = {
        {0, 0, "[    ]"},
        {0, 10, "[    ]"},
        {1, 10, "[    ]"},
        {5, 10, "[==> ]"},
        {10, 10, "[====]"},
        {11, 10, "[====]"},
        {UINT64_MAX / 2 + 1, UINT64_MAX, "[==> ]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf b = {0};
        live_bar(&b, cases[i].done, cases[i].total, 4);
        assert_string_equal(b.data, cases[i].bar);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_in_place),
        cmocka_unit_test(keeps_the_last_state),
        cmocka_unit_test(fits_the_screen),
        cmocka_unit_test(prints_lines_elsewhere),
        cmocka_unit_test(bars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
