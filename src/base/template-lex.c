/* Templates, step one: text to tokens, and what numbers and quoted strings stand for. */
#include "template-parts.h"

#include "whelk/err.h"

#include <ctype.h>
#include <math.h>

struct lexer {
    const struct template *t;
    const char *text;
    size_t at;
    size_t parens;
    bool trim_next; /* the last action ended with -}} */
    struct token *tokens;
    size_t n;
};

static void add_token(struct lexer *l, enum token_kind kind, size_t len, bool spaced)
{
    if ((l->n & (l->n - 1)) == 0) /* full at each power of two */
        l->tokens = xrealloc(l->tokens, MAX(l->n * 2, (size_t)1) * sizeof(l->tokens[0]));
    l->tokens[l->n++] = (struct token){.kind = kind, .pos = l->at, .len = len, .spaced = spaced};
    l->at += len;
}

static bool is_space(char c)
{
    return c && strchr(" \t\r\n", c);
}

/* Bytes above 0x7f are letters: names are compared, not judged. */
static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* May a name or a field end here? */
static bool is_terminator(const char *s)
{
    return !*s || is_space(*s) || strchr(".,|:()", *s) || str_after(s, "}}");
}

/* The length of "}}" or " -}}" at s, or 0. */
static size_t right_delimiter(const char *s)
{
    return str_after(s, "}}") ? 2 : is_space(*s) && str_after(s + 1, "-}}") ? 4 : 0;
}

/* ---- text ---- */

/* A comment has an action of its own and leaves no token. */
static int lex_comment(struct lexer *l, size_t start)
{
    const char *end = strstr(l->text + start, "*/");
    if (!end)
        return template_error(l->t, l->at, "the comment is not closed");
    size_t delimiter = right_delimiter(end + 2);
    if (!delimiter)
        return template_error(l->t, (size_t)(end + 2 - l->text), "a comment must end with */}}");
    l->trim_next = delimiter == 4;
    l->at = (size_t)(end + 2 - l->text) + delimiter;
    return 0;
}

/* Text up to the next action, and that action's left delimiter. */
static int lex_text(struct lexer *l)
{
    const char *start = l->text + l->at, *left = strstr(start, "{{");
    size_t len = left ? (size_t)(left - start) : strlen(start);
    bool trim = left && left[2] == '-' && is_space(left[3]);
    if (len) {
        add_token(l, TOKEN_TEXT, len, false);
        l->tokens[l->n - 1].trim_left = l->trim_next;
        l->tokens[l->n - 1].trim_right = trim;
    }
    l->trim_next = false;
    if (!left)
        return 0;
    size_t marker = trim ? 4 : 2;
    if (str_after(left + marker, "/*"))
        return lex_comment(l, l->at + marker + 2);
    add_token(l, TOKEN_LEFT, trim ? 3 : 2, false);
    return 0;
}

/* ---- actions ---- */

/* .Name and $name; without a name . and $. */
static int lex_name(struct lexer *l, enum token_kind kind, enum token_kind bare, bool spaced)
{
    const char *s = l->text + l->at;
    size_t len = 1;
    while (is_word(s[len]))
        len++;
    if (!is_terminator(s + len))
        return template_error(l->t, l->at + len, "unexpected character '%c' in a name", s[len]);
    add_token(l, len == 1 ? bare : kind, len, spaced);
    return 0;
}

static int lex_word(struct lexer *l, bool spaced)
{
    const char *s = l->text + l->at;
    size_t len = 0;
    while (is_word(s[len]))
        len++;
    if (!is_terminator(s + len))
        return template_error(l->t, l->at + len, "unexpected character '%c' in a name", s[len]);
    add_token(l, TOKEN_WORD, len, spaced);
    return 0;
}

static int lex_number(struct lexer *l, bool spaced)
{
    const char *s = l->text + l->at;
    size_t len = *s == '+' || *s == '-' ? 1 : 0;
    bool hex = s[len] == '0' && tolower((unsigned char)s[len + 1]) == 'x';
    while (is_word(s[len]) || s[len] == '.' ||
           (len && (s[len] == '+' || s[len] == '-') && !hex && tolower((unsigned char)s[len - 1]) == 'e'))
        len++;
    auto_json json_t *number = template_number(s, len);
    if (!number)
        return template_error(l->t, l->at, "\"%.*s\" is not a number", (int)MAX(len, (size_t)1), s);
    add_token(l, TOKEN_NUMBER, len, spaced);
    return 0;
}

static int lex_quoted(struct lexer *l, enum token_kind kind, bool spaced)
{
    const char *s = l->text + l->at;
    size_t len = 1;
    while (s[len] && s[len] != *s && (kind == TOKEN_RAW || s[len] != '\n'))
        len += s[len] == '\\' && kind != TOKEN_RAW && s[len + 1] && s[len + 1] != '\n' ? 2 : 1;
    if (s[len] != *s)
        return template_error(l->t, l->at, "the quotation is not closed");
    add_token(l, kind, len + 1, spaced);
    return 0;
}

static int lex_paren(struct lexer *l, bool open, bool spaced)
{
    if (!open && l->parens == 0)
        return template_error(l->t, l->at, "unexpected )");
    l->parens += open ? 1 : (size_t)-1;
    add_token(l, open ? TOKEN_OPEN : TOKEN_CLOSE, 1, spaced);
    return 0;
}

static int lex_inside(struct lexer *l, bool spaced)
{
    const char *s = l->text + l->at;
    switch (*s) {
    case '"':
        return lex_quoted(l, TOKEN_STRING, spaced);
    case '`':
        return lex_quoted(l, TOKEN_RAW, spaced);
    case '\'':
        return lex_quoted(l, TOKEN_CHAR, spaced);
    case '|':
        return add_token(l, TOKEN_PIPE, 1, spaced), 0;
    case ',':
        return add_token(l, TOKEN_COMMA, 1, spaced), 0;
    case '=':
        return add_token(l, TOKEN_ASSIGN, 1, spaced), 0;
    case ':':
        if (s[1] != '=')
            return template_error(l->t, l->at, "expected :=");
        return add_token(l, TOKEN_DECLARE, 2, spaced), 0;
    case '$':
        return lex_name(l, TOKEN_VARIABLE, TOKEN_VARIABLE, spaced);
    case '(':
    case ')':
        return lex_paren(l, *s == '(', spaced);
    case '.':
        if (!isdigit((unsigned char)s[1]))
            return lex_name(l, TOKEN_FIELD, TOKEN_DOT, spaced);
        return lex_number(l, spaced);
    default:
        if (*s == '+' || *s == '-' || isdigit((unsigned char)*s))
            return lex_number(l, spaced);
        if (is_word(*s))
            return lex_word(l, spaced);
        return template_error(l->t, l->at, "unexpected character '%c'", *s);
    }
}

/* What follows a left delimiter, up to the right one. */
static int lex_action(struct lexer *l)
{
    for (int r = 0; r == 0;) {
        size_t blanks = 0;
        while (is_space(l->text[l->at + blanks]))
            blanks++;
        /* The last blank belongs to the trim marker. */
        size_t delimiter = right_delimiter(l->text + l->at + blanks - (blanks ? 1 : 0));
        l->at += blanks;
        if (!delimiter && str_after(l->text + l->at, "}}"))
            delimiter = 2;
        if (delimiter && l->parens)
            return template_error(l->t, l->at, "a ( is not closed");
        if (delimiter) {
            l->trim_next = delimiter == 4;
            add_token(l, TOKEN_RIGHT, delimiter == 4 ? 3 : 2, blanks > 0);
            return 0;
        }
        if (!l->text[l->at])
            return template_error(l->t, l->at, "an action is not closed with }}");
        r = lex_inside(l, blanks > 0);
        if (r < 0)
            return r;
    }
    return 0;
}

int template_lex(const struct template *t, struct token **ret)
{
    struct lexer l = {.t = t, .text = t->text};
    int r = 0;
    while (r == 0 && l.text[l.at]) {
        r = lex_text(&l);
        if (r == 0 && l.n && l.tokens[l.n - 1].kind == TOKEN_LEFT)
            r = lex_action(&l);
    }
    if (r < 0) {
        free(l.tokens);
        return r;
    }
    add_token(&l, TOKEN_END, 0, false);
    *ret = l.tokens;
    return 0;
}

/* ---- constants ---- */

/* Exactly digits digits of that base. */
static bool read_digits(const char *s, size_t len, size_t digits, int base, unsigned long *ret)
{
    char copy[9] = "", *end;
    if (digits > len)
        return false;
    memcpy(copy, s, digits);
    if (!isxdigit((unsigned char)copy[0]))
        return false;
    *ret = strtoul(copy, &end, base);
    return *end == '\0';
}

/* One escape behind its backslash; the number of bytes it takes, 0 if it is none. */
static size_t unescape(const char *s, size_t len, char quote, struct buf *out)
{
    static const char letters[] = "abfnrtv\\", meanings[] = "\a\b\f\n\r\t\v\\";
    static const struct {
        char letter;
        size_t digits;
        bool bytes;
    } numbers[] = {{'x', 2, true}, {'u', 4, false}, {'U', 8, false}};
    unsigned long n;
    char rune[4];
    const char *at = strchr(letters, s[0]);
    if (s[0] == quote || at) {
        buf_addc(out, at ? meanings[at - letters] : quote);
        return 1;
    }
    if (read_digits(s, len, 3, 8, &n) && n < 256) {
        buf_addc(out, (char)n);
        return 3;
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        if (s[0] != numbers[i].letter || !read_digits(s + 1, len - 1, numbers[i].digits, 16, &n))
            continue;
        if (numbers[i].bytes)
            buf_addc(out, (char)n);
        else if (n > 0x10ffff || (n >= 0xd800 && n < 0xe000))
            return 0;
        else
            buf_add(out, rune, rune_encode(n, rune));
        return numbers[i].digits + 1;
    }
    return 0;
}

bool template_unquote(const char *s, size_t len, struct buf *out)
{
    char quote = s[0];
    const char *end = s + len - 1;
    for (s++; s < end;) {
        if (*s != '\\') {
            buf_addc(out, *s++);
            continue;
        }
        size_t n = s + 1 < end ? unescape(s + 1, (size_t)(end - s - 1), quote, out) : 0;
        if (!n)
            return false;
        s += n + 1;
    }
    return true;
}

/* Go's literals: 0x, 0o, 0b, a leading 0 for octal, _ between digits. */
static bool read_integer(const char *s, json_int_t *ret)
{
    bool negative = *s == '-';
    s += *s == '+' || *s == '-';
    int base = 0;
    char prefix = *s == '0' ? (char)tolower((unsigned char)s[1]) : '\0';
    if (prefix == 'o' || prefix == 'b') {
        base = prefix == 'o' ? 8 : 2;
        s += 2;
    }
    char *end;
    errno = 0;
    if (!isalnum((unsigned char)*s))
        return false;
    unsigned long long n = strtoull(s, &end, base);
    if (errno || *end || n > (unsigned long long)INT64_MAX + negative)
        return false;
    *ret = negative ? (json_int_t)(0 - n) : (json_int_t)n;
    return true;
}

json_t *template_number(const char *s, size_t len)
{
    auto_buf struct buf digits = {0};
    for (size_t i = 0; i < len; i++) {
        if (s[i] != '_')
            buf_addc(&digits, s[i]);
        else if (i == 0 || i + 1 == len || !isxdigit((unsigned char)s[i + 1]))
            return NULL;
    }
    json_int_t n;
    if (!digits.len)
        return NULL;
    if (read_integer(digits.data, &n))
        return json_integer(n);
    if (digits.data[strspn(digits.data, "+-0123456789.eE")] || !strpbrk(digits.data, ".eE"))
        return NULL; /* also what strtod would take: inf, nan, hex */
    char *end;
    double real = strtod(digits.data, &end);
    return *end == '\0' && isfinite(real) ? json_real(real) : NULL;
}
