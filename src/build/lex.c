/* Bytes to logical lines (DF-01, DF-02), words, and the diagnostics with a caret. Every logical line remembers where
 * its pieces stood, so that a caret below a continued instruction points into the right physical line. */
#include "lex.h"

#include "whelk/err.h"

#include <ctype.h>
#include <strings.h>

enum { SIZE_LIMIT = 1 << 20, WARNINGS_MAX = 100, SHOWN_MAX = 160 };

static const char utf8_bom[] = "\xef\xbb\xbf";

/* A physical line without its line end. */
struct span {
    const char *start;
    size_t len;
    unsigned number; /* from 1 */
};

/* ---- physical lines ---- */

struct cursor {
    const char *p, *end;
    unsigned number;
};

static bool next_span(struct cursor *c, struct span *ret)
{
    const char *nl;

    if (c->p >= c->end)
        return false;
    nl = memchr(c->p, '\n', (size_t)(c->end - c->p));
    *ret = (struct span){c->p, (size_t)((nl ? nl : c->end) - c->p), ++c->number};
    c->p = nl ? nl + 1 : c->end;
    if (ret->len && ret->start[ret->len - 1] == '\r')
        ret->len--;
    return true;
}

static struct cursor cursor_of(const struct source *s)
{
    struct cursor c = {s->bytes, s->bytes + s->len, 0};
    size_t bom = strlen(utf8_bom);

    if (s->len >= bom && memcmp(s->bytes, utf8_bom, bom) == 0)
        c.p += bom;
    return c;
}

static size_t leading_blanks(const char *s, size_t len)
{
    size_t n = 0;
    while (n < len && lex_is_blank(s[n]))
        n++;
    return n;
}

static size_t trimmed_len(const char *s, size_t len)
{
    while (len && lex_is_blank(s[len - 1]))
        len--;
    return len;
}

static bool is_comment(const struct span *l)
{
    size_t n = leading_blanks(l->start, l->len);
    return n < l->len && l->start[n] == '#';
}

/* ---- diagnostics ---- */

static struct span find_span(const struct source *s, unsigned number)
{
    struct cursor c = cursor_of(s);
    struct span l = {"", 0, 0};

    while (next_span(&c, &l) && l.number != number)
        ;
    return l;
}

/* Printable, tabs as single blanks: what the caret is counted against. */
static char *shown_text(const char *s, size_t len)
{
    auto_free char *copy = xstrndup(s, len);

    for (char *p = copy; *p; p++)
        if (*p == '\t')
            *p = ' ';
    return str_printable(copy);
}

static size_t characters(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* The source line and a caret; of a very long line the part around the column. */
static void add_caret(struct buf *b, struct span l, unsigned column)
{
    size_t end = trimmed_len(l.start, l.len);
    size_t at = MIN((size_t)column - 1, end);
    size_t from = end > SHOWN_MAX && at > SHOWN_MAX / 2 ? at - SHOWN_MAX / 2 : 0;
    auto_free char *before = NULL, *whole = NULL;

    while (from && from < at && ((unsigned char)l.start[from] & 0xc0) == 0x80)
        from++; /* no half characters */
    before = shown_text(l.start + from, at - from);
    whole = shown_text(l.start + from, MIN(end - from, (size_t)SHOWN_MAX));
    buf_addf(b, "  %s\n  %*s^", whole, (int)characters(before), "");
}

static int error_at(const struct source *s, unsigned line, unsigned column, const char *hint, const char *text)
{
    auto_buf struct buf detail = {0};

    add_caret(&detail, find_span(s, line), column);
    if (hint)
        buf_addf(&detail, "\nhint: %s", hint);
    err_set(-EINVAL, "%s:%u: %s", s->file, line, text);
    return err_detail(-EINVAL, detail.data);
}

void lex_where(const struct lex_line *l, size_t offset, unsigned *ret_line, unsigned *ret_column)
{
    const struct lex_piece *p = l->pieces;

    for (size_t i = 1; i < l->n_pieces && l->pieces[i].offset <= offset; i++)
        p = &l->pieces[i];
    *ret_line = p->line;
    *ret_column = p->column + (unsigned)(offset - p->offset);
}

int lex_error(const struct source *s, const struct lex_line *l, size_t offset, const char *hint, const char *fmt, ...)
{
    auto_free char *text = NULL;
    unsigned line, column;
    va_list ap;

    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    lex_where(l, offset, &line, &column);
    return error_at(s, line, column, hint, text);
}

void lex_warn(struct source *s, unsigned line, const char *rule, const char *fmt, ...)
{
    auto_free char *text = NULL;
    va_list ap;

    if (s->n_warnings++ >= WARNINGS_MAX)
        return;
    va_start(ap, fmt);
    text = xvasprintf(fmt, ap);
    va_end(ap);
    strv_addf(&s->warnings, "%s:%u: %s", s->file, line, text);
    strv_add(&s->rules, rule);
}

/* ---- directives ---- */

struct directive {
    const char *name;
    int (*set)(struct source *s, const struct span *l, size_t at, const char *value);
};

static int set_escape(struct source *s, const struct span *l, size_t at, const char *value)
{
    if (!str_eq(value, "\\") && !str_eq(value, "`"))
        return error_at(s, l->number, (unsigned)at + 1, NULL, "the escape character can only be \\ or `");
    s->escape = *value;
    return 0;
}

/* Nothing is ever fetched to read a Dockerfile; a file that asks for a reader of another kind may not mean what we
 * read. */
static int set_syntax(struct source *s, const struct span *l, size_t at, const char *value)
{
    const char *image = str_after(value, "docker.io/");
    auto_free char *shown = str_printable(value);

    if (!str_after(image ? image : value, "docker/dockerfile"))
        lex_warn(s, l->number, "", "the syntax \"%s\" is not known here; the file is read as a plain Dockerfile",
                 shown);
    return 0;
}

static int set_check(struct source *s, const struct span *l, size_t at, const char *value)
{
    s->check = xstrdup(value);
    return 0;
}

static const struct directive directives[] = {{"escape", set_escape}, {"syntax", set_syntax}, {"check", set_check}};

/* Splits "# name = value"; the value's offset in the line. False if the line is something else. */
static bool split_directive(const struct span *l, char **ret_name, char **ret_value, size_t *ret_at)
{
    size_t i = leading_blanks(l->start, l->len), name, end = trimmed_len(l->start, l->len);

    if (i >= end || l->start[i] != '#')
        return false;
    name = ++i;
    name += leading_blanks(l->start + i, end - i);
    for (i = name; i < end && isalnum((unsigned char)l->start[i]);)
        i++;
    *ret_at = i + leading_blanks(l->start + i, end - i);
    if (i == name || !isalpha((unsigned char)l->start[name]) || *ret_at >= end || l->start[*ret_at] != '=')
        return false;
    ++*ret_at;
    *ret_at += leading_blanks(l->start + *ret_at, end - *ret_at);
    if (*ret_at >= end)
        return false;
    *ret_name = xstrndup(l->start + name, i - name);
    *ret_value = xstrndup(l->start + *ret_at, end - *ret_at);
    return true;
}

static const struct directive *find_directive(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(directives); i++)
        if (strcasecmp(name, directives[i].name) == 0)
            return &directives[i];
    return NULL;
}

/* Directives stand before everything else; the first line that is none ends them, be it a comment. */
static int read_directives(struct source *s)
{
    struct cursor c = cursor_of(s);
    bool seen[ARRAY_LEN(directives)] = {0};
    struct span l;

    while (next_span(&c, &l)) {
        auto_free char *name = NULL, *value = NULL;
        const struct directive *d;
        size_t at;
        int r;

        if (!split_directive(&l, &name, &value, &at) || !(d = find_directive(name)))
            return 0;
        if (seen[d - directives])
            return error_at(s, l.number, 1, NULL, "this directive stands in the file twice");
        seen[d - directives] = true;
        if ((r = d->set(s, &l, at, value)) < 0)
            return r;
    }
    return 0;
}

/* ---- logical lines ---- */

/* The length of a line without its continuation: the escape character, not doubled, at the end or before blanks. */
static size_t cut_continuation(const struct source *s, const struct span *l, bool *ret_continues)
{
    size_t n = l->len;

    while (n && (l->start[n - 1] == ' ' || l->start[n - 1] == '\t'))
        n--;
    *ret_continues = n && l->start[n - 1] == s->escape && (n == 1 || l->start[n - 2] != s->escape);
    return *ret_continues ? n - 1 : l->len;
}

/* Growth by doubling: a step's lines and a file's instructions are counted by the file, not by us. */
static void *grown(void *v, size_t n, size_t size)
{
    return n && (n & (n - 1)) ? v : xrealloc(v, (n ? n * 2 : 1) * size);
}

/* Adds a physical line up to len. Blanks at the beginning of an instruction are no part of it. */
static void add_piece(struct lex_line *l, struct buf *text, const struct span *from, size_t len)
{
    size_t skip = text->len ? 0 : leading_blanks(from->start, len);

    if (skip == len)
        return;
    l->pieces = grown(l->pieces, l->n_pieces, sizeof(*l->pieces));
    l->pieces[l->n_pieces++] = (struct lex_piece){text->len, from->number, (unsigned)skip + 1};
    buf_add(text, from->start + skip, len - skip);
}

/* Reads on behind the first line of an instruction while it continues. Comment lines and empty ones within are no part
 * of it; an empty one is odd enough to be told. */
static void join_continuations(struct source *s, struct cursor *c, struct lex_line *l, struct buf *text)
{
    unsigned empty = 0;
    bool more = true;
    struct span next;

    while (more && next_span(c, &next)) {
        size_t len;

        if (is_comment(&next))
            continue;
        if (leading_blanks(next.start, next.len) == next.len) {
            empty = empty ? empty : next.number;
            continue;
        }
        len = cut_continuation(s, &next, &more);
        add_piece(l, text, &next, len);
    }
    if (empty)
        lex_warn(s, empty, "NoEmptyContinuation",
                 "empty line within a continued instruction; docker will refuse it some day");
}

/* The logical line that begins at first; its text is "" if there is nothing in it. */
static void read_line(struct source *s, struct cursor *c, const struct span *first, struct lex_line *ret)
{
    struct lex_line l = {0};
    auto_buf struct buf text = {0};
    bool more;
    size_t len = cut_continuation(s, first, &more);

    add_piece(&l, &text, first, len);
    if (more)
        join_continuations(s, c, &l, &text);
    l.text = buf_take(&text);
    l.text[trimmed_len(l.text, strlen(l.text))] = '\0';
    l.line = l.n_pieces ? l.pieces[0].line : first->number;
    *ret = l;
}

/* ---- heredocs ---- */

void heredocs_free(struct heredoc *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(v[i].name);
        free(v[i].text);
    }
    free(v);
}

bool lex_is_heredoc(const struct lex_word *w)
{
    const char *p = memmem(w->start, w->len, "<<", 2), *end = w->start + w->len;

    if (!p)
        return false;
    for (const char *d = w->start; d < p; d++)
        if (!isdigit((unsigned char)*d))
            return false;
    p += 2;
    if (p < end && *p == '-')
        p++;
    return p < end && !memchr(p, '<', (size_t)(end - p));
}

/* The lines up to one that is the name. */
static int read_body(struct source *s, struct cursor *c, const struct lex_line *l, size_t offset, struct heredoc *h)
{
    const char *start = c->p;
    struct span line;

    while (next_span(c, &line)) {
        size_t tabs = 0;

        while (h->chomp && tabs < line.len && line.start[tabs] == '\t')
            tabs++;
        if (line.len - tabs != strlen(h->name) || memcmp(line.start + tabs, h->name, line.len - tabs) != 0)
            continue;
        h->text = xstrndup(start, (size_t)(line.start - start));
        return 0;
    }
    return lex_error(s, l, offset, NULL, "the heredoc is not ended: no line \"%s\" follows", h->name);
}

char *heredoc_text(const struct heredoc *h)
{
    auto_buf struct buf b = {0};
    const char *p = h->text;

    if (!h->chomp)
        return xstrdup(p);
    while (*p) {
        size_t len;

        p += strspn(p, "\t");
        len = strcspn(p, "\n");
        len += p[len] == '\n';
        buf_add(&b, p, len);
        p += len;
    }
    return buf_take(&b);
}

static int read_heredoc(struct source *s, struct cursor *c, struct lex_line *l, const struct lex_word *w)
{
    const char *name = (const char *)memmem(w->start, w->len, "<<", 2) + 2;
    struct heredoc h = {.chomp = *name == '-'};
    struct lex_word written;
    int r;

    name += h.chomp;
    written = (struct lex_word){name, (size_t)(w->start + w->len - name)};
    h.name = lex_unquote(&written, s->escape);
    h.expands = strlen(h.name) == written.len;
    r = read_body(s, c, l, (size_t)(w->start - l->text), &h);
    l->heredocs = grown(l->heredocs, l->n_heredocs, sizeof(h));
    l->heredocs[l->n_heredocs++] = h;
    return r;
}

/* What follows the lines of an instruction and belongs to it. */
static int read_heredocs(struct source *s, struct cursor *c, struct lex_line *l)
{
    auto_with(lex_words_done) struct lex_words words = {0};
    int r = 0;

    if (!strstr(l->text, "<<") || !s->takes_heredocs || !s->takes_heredocs(l->text))
        return 0;
    lex_words_quoted(l->text, s->escape, &words);
    for (size_t i = 0; i < words.n && r == 0; i++)
        if (lex_is_heredoc(&words.v[i]))
            r = read_heredoc(s, c, l, &words.v[i]);
    return r;
}

static void line_done(struct lex_line *l)
{
    heredocs_free(l->heredocs, l->n_heredocs);
    free(l->text);
    free(l->pieces);
}

void lex_lines_free(struct lex_line *lines, size_t n)
{
    for (size_t i = 0; i < n; i++)
        line_done(&lines[i]);
    free(lines);
}

static int check_bytes(const struct source *s)
{
    const char *nul = s->len ? memchr(s->bytes, '\0', s->len) : NULL;
    unsigned line = 1;

    if (s->len > SIZE_LIMIT)
        return err_set(-EINVAL, "%s: larger than 1 MiB: this is no Dockerfile", s->file);
    if (!nul)
        return 0;
    for (const char *p = s->bytes; p < nul; p++)
        line += *p == '\n';
    return err_set(-EINVAL, "%s:%u: a zero byte: this is no text file", s->file, line);
}

int lex_file(struct source *s, struct lex_line **ret_lines, size_t *ret_n)
{
    struct cursor c = cursor_of(s);
    struct span first;
    int r;

    *ret_lines = NULL;
    *ret_n = 0;
    s->escape = '\\';
    if ((r = check_bytes(s)) < 0 || (r = read_directives(s)) < 0)
        return r;
    while (next_span(&c, &first)) {
        struct lex_line l;

        if (is_comment(&first))
            continue;
        read_line(s, &c, &first, &l);
        if (!*l.text) {
            line_done(&l);
            continue;
        }
        r = read_heredocs(s, &c, &l);
        *ret_lines = grown(*ret_lines, *ret_n, sizeof(l));
        (*ret_lines)[(*ret_n)++] = l;
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- words ---- */

static void add_word(struct lex_words *w, const char *start, const char *end)
{
    if (w->n == w->cap) {
        w->cap = MAX(w->cap * 2, (size_t)8);
        w->v = xrealloc(w->v, w->cap * sizeof(*w->v));
    }
    w->v[w->n++] = (struct lex_word){start, (size_t)(end - start)};
}

void lex_words_plain(const char *text, struct lex_words *ret)
{
    const char *end = text + strlen(text);

    while (*(text += leading_blanks(text, (size_t)(end - text)))) {
        const char *start = text;

        while (*text && !lex_is_blank(*text))
            text++;
        add_word(ret, start, text);
    }
}

/* The end of a word that begins at p, and the quote that is open there. */
static const char *quoted_word_end(const char *p, const char *end, char escape, char *ret_quote)
{
    char quote = '\0';

    for (; p < end && (quote || !lex_is_blank(*p)); p++) {
        if (*p == escape && quote != '\'' && p + 1 < end)
            p++;
        else if (quote)
            quote = *p == quote ? '\0' : quote;
        else if (*p == '\'' || *p == '"')
            quote = *p;
    }
    *ret_quote = quote;
    return p;
}

struct lex_word lex_first_word(const char *text, char escape)
{
    char quote;
    return (struct lex_word){text, (size_t)(quoted_word_end(text, text + strlen(text), escape, &quote) - text)};
}

bool lex_is_open(const struct lex_word *w, char escape)
{
    char quote;
    quoted_word_end(w->start, w->start + w->len, escape, &quote);
    return quote;
}

void lex_words_quoted(const char *text, char escape, struct lex_words *ret)
{
    const char *end = text + strlen(text);

    while (*(text += leading_blanks(text, (size_t)(end - text)))) {
        const char *start = text;
        char quote;

        text = quoted_word_end(text, end, escape, &quote);
        add_word(ret, start, text);
    }
}

char *lex_unquote(const struct lex_word *w, char escape)
{
    auto_buf struct buf b = {0};
    char quote = '\0';

    for (size_t i = 0; i < w->len; i++) {
        char c = w->start[i];

        if (c == escape && quote != '\'') {
            if (++i < w->len)
                buf_addc(&b, w->start[i]);
        } else if (quote ? c == quote : c == '\'' || c == '"') {
            quote = quote ? '\0' : c;
        } else {
            buf_addc(&b, c);
        }
    }
    return buf_take(&b);
}

void lex_words_done(struct lex_words *w)
{
    free(w->v);
    *w = (struct lex_words){0};
}
