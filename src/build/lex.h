/* Private to src/build: the file under parse with its diagnostics, and its logical lines. */
#ifndef WHELK_BUILD_LEX_H
#define WHELK_BUILD_LEX_H

#include "whelk/dockerfile.h"

/* The bytes under parse, and what is found out about them on the way. */
struct source {
    const char *file; /* for messages */
    const char *bytes;
    size_t len;
    char escape;
    char *check;                              /* the directive's value, or NULL */
    bool (*takes_heredocs)(const char *line); /* may this instruction have heredocs? NULL: none */
    char **warnings, **rules;                 /* of each warning: the rule that it breaks, or "" */
    size_t n_warnings;
};

/* Where a stretch of a logical line's text stands in the file. */
struct lex_piece {
    size_t offset; /* in the text */
    unsigned line, column;
};

/* One instruction: its physical lines joined, without comment lines, continuations and the blanks at both ends. */
struct lex_line {
    char *text;
    unsigned line;
    struct lex_piece *pieces;
    size_t n_pieces;
    struct heredoc *heredocs;
    size_t n_heredocs;
};

/* A part of a text: a word, with its quotes as written. */
struct lex_word {
    const char *start;
    size_t len;
};

struct lex_words {
    struct lex_word *v;
    size_t n, cap;
};

/* Reads the directives into s and cuts the rest into logical lines. *ret_lines is the caller's, also on failure. */
int lex_file(struct source *s, struct lex_line **ret_lines, size_t *ret_n);
void lex_lines_free(struct lex_line *lines, size_t n);

/* Words at blanks. With quotes: a quoted blank or one behind the escape character does not end a word; the quotes stay.
 */
void lex_words_plain(const char *text, struct lex_words *ret);
void lex_words_quoted(const char *text, char escape, struct lex_words *ret);
void lex_words_done(struct lex_words *w);
/* A word without its quotes and escapes, as docker reads flags. The caller frees. */
char *lex_unquote(const struct lex_word *w, char escape);
/* Is the word <<NAME, <<-NAME or 3<<NAME? Not <<<, not a lone <<. */
bool lex_is_heredoc(const struct lex_word *w);
void heredocs_free(struct heredoc *v, size_t n);
/* The quoted word at the beginning of text; and whether a word ends within a quote. */
struct lex_word lex_first_word(const char *text, char escape);
bool lex_is_open(const struct lex_word *w, char escape);

/* "FILE:LINE: text" with the source line and a caret below the place of this offset in the line's text as detail; a
 * hint (may be NULL) goes below. Returns -EINVAL. */
int lex_error(const struct source *s, const struct lex_line *l, size_t offset, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* Keeps "FILE:LINE: text"; after the first hundred warnings a file has had its warning. rule: BuildKit's name of what
 * is broken, or "". */
void lex_warn(struct source *s, unsigned line, const char *rule, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The place of an offset. */
void lex_where(const struct lex_line *l, size_t offset, unsigned *ret_line, unsigned *ret_column);

static inline bool lex_is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

#endif
