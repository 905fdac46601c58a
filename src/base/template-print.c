/* Templates: how values look, as Go's fmt, strconv and encoding/json have it. */
#include "template-parts.h"

#include "utf8.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>

/* ---- floating point ---- */

/* The fewest digits that give the same number again, as "%.*e" has them. */
static int shortest_digits(double d, char buf[32])
{
    int precision = 0;
    do
        snprintf(buf, 32, "%.*e", precision, d);
    while (strtod(buf, NULL) != d && precision++ < 17);
    return precision;
}

/* With an exponent below low and from limit on, without one between. */
static void print_real(struct buf *out, double d, int low, int limit)
{
    char digits[32];
    int precision = shortest_digits(d, digits);
    int exponent = atoi(strchr(digits, 'e') + 1);
    if (exponent < low || exponent >= limit)
        buf_adds(out, digits);
    else
        buf_addf(out, "%.*f", MAX(precision - exponent, 0), d);
}

/* ---- JSON ---- */

static void print_json_string(struct buf *out, const char *s, size_t len)
{
    static const char letters[] = "\"\\\n\r\t", names[] = "\"\\nrt";
    buf_addc(out, '"');
    for (size_t i = 0; i < len;) {
        size_t n = utf8_len(s + i);
        const char *at = s[i] ? strchr(letters, s[i]) : NULL;
        if (at)
            buf_addf(out, "\\%c", names[at - letters]);
        else if (n == 0)
            buf_adds(out, "\\ufffd");
        else if ((unsigned char)s[i] < 0x20)
            buf_addf(out, "\\u%04x", s[i]);
        else if (n == 3 && (memcmp(s + i, "\xe2\x80\xa8", 3) == 0 || memcmp(s + i, "\xe2\x80\xa9", 3) == 0))
            buf_addf(out, "\\u202%x", s[i + 2] & 0xf); /* line ends to JavaScript */
        else
            buf_add(out, s + i, n);
        i += MAX(n, (size_t)1);
    }
    buf_addc(out, '"');
}

/* An exponent of one digit has no 0 before it here: 1e-7. */
static void print_json_real(struct buf *out, double d)
{
    print_real(out, d, -6, 21);
    char *end = out->data + out->len;
    if (out->len >= 4 && end[-4] == 'e' && end[-2] == '0') {
        end[-2] = end[-1];
        end[-1] = '\0';
        out->len--;
    }
}

static void print_json_members(struct buf *out, const json_t *j)
{
    const char *key, *comma = "";
    json_t *member;
    buf_addc(out, '{');
    json_object_foreach((json_t *)j, key, member)
    {
        buf_adds(out, comma);
        print_json_string(out, key, strlen(key));
        buf_addc(out, ':');
        print_json(out, member);
        comma = ",";
    }
    buf_addc(out, '}');
}

void print_json(struct buf *out, const json_t *j)
{
    switch (j ? json_typeof(j) : JSON_NULL) {
    case JSON_OBJECT:
        print_json_members(out, j);
        break;
    case JSON_ARRAY:
        buf_addc(out, '[');
        for (size_t i = 0; i < json_array_size(j); i++) {
            buf_adds(out, i ? "," : "");
            print_json(out, json_array_get(j, i));
        }
        buf_addc(out, ']');
        break;
    case JSON_STRING:
        print_json_string(out, json_string_value(j), json_string_length(j));
        break;
    case JSON_INTEGER:
        buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
        break;
    case JSON_REAL:
        print_json_real(out, json_real_value(j));
        break;
    default:
        buf_adds(out, json_is_true(j) ? "true" : json_is_false(j) ? "false" : "null");
    }
}

/* ---- verbs ---- */

/* "%-5.2d" taken apart. */
struct spec {
    bool minus, plus, sharp, space, zero;
    int width, precision; /* -1: none */
    char verb[5];         /* one character of UTF-8 */
};

static void print_spec(struct buf *out, const struct spec *spec, const json_t *j);

static size_t count_runes(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; n++) {
        size_t step = utf8_len(s + i);
        i += MAX(step, (size_t)1);
    }
    return n;
}

static void add_blanks(struct buf *out, int n, char blank)
{
    for (; n > 0; n--)
        buf_addc(out, blank);
}

/* Zeros go behind a sign, if there is one. */
static void add_padded(struct buf *out, const struct spec *spec, const char *s, size_t len, bool number)
{
    int missing = spec->width - (int)count_runes(s, len);
    bool zeros = spec->zero && !spec->minus;
    size_t sign = zeros && number && len && (*s == '-' || *s == '+' || *s == ' ') ? 1 : 0;
    buf_add(out, s, sign);
    if (!spec->minus)
        add_blanks(out, missing, zeros ? '0' : ' ');
    buf_add(out, s + sign, len - sign);
    if (spec->minus)
        add_blanks(out, missing, ' ');
}

/* "%!d(string=abc)": what Go prints for a verb that does not fit. */
static void print_bad_verb(struct buf *out, const struct spec *spec, const json_t *j)
{
    static const struct spec plain = {.width = -1, .precision = -1, .verb = "v"};
    buf_addf(out, "%%!%s(", spec->verb);
    if (!j || json_is_null(j)) {
        buf_adds(out, "<nil>)");
        return;
    }
    buf_addf(out, "%s=", value_type(j));
    print_spec(out, &plain, j);
    buf_addc(out, ')');
}

static void add_quoted(struct buf *out, const char *s, size_t len, char quote)
{
    static const char letters[] = "\a\b\f\n\r\t\v\\", names[] = "abfnrtv\\";
    buf_addc(out, quote);
    for (size_t i = 0; i < len;) {
        size_t n = utf8_len(s + i);
        unsigned char c = (unsigned char)s[i];
        const char *at = c ? strchr(letters, c) : NULL;
        if (c == (unsigned char)quote || at)
            buf_addf(out, "\\%c", at ? names[at - letters] : quote);
        else if (n == 0 || c < 0x20 || c == 0x7f)
            buf_addf(out, "\\x%02x", c);
        else if (c == 0xc2 && (unsigned char)s[i + 1] < 0xa0) /* further control characters */
            buf_addf(out, "\\u%04x", (unsigned char)s[i + 1]);
        else
            buf_add(out, s + i, n);
        i += MAX(n, (size_t)1);
    }
    buf_addc(out, quote);
}

/* "6162", with a space between bytes and 0x before them if the flags say so. */
static void add_hex(struct buf *out, const struct spec *spec, const char *s, size_t len)
{
    const char *prefix = !spec->sharp ? "" : spec->verb[0] == 'x' ? "0x" : "0X";
    for (size_t i = 0; i < len; i++) {
        buf_adds(out, i && spec->space ? " " : "");
        buf_adds(out, i == 0 || spec->space ? prefix : "");
        buf_addf(out, spec->verb[0] == 'x' ? "%02x" : "%02X", (unsigned char)s[i]);
    }
}

/* The bytes of the first n characters. */
static size_t rune_prefix(const char *s, size_t len, int n)
{
    size_t at = 0;
    for (; n > 0 && at < len; n--) {
        size_t step = utf8_len(s + at);
        at += MAX(step, (size_t)1);
    }
    return at;
}

static void print_string(struct buf *out, const struct spec *spec, const json_t *j)
{
    auto_buf struct buf b = {0};
    const char *s = json_string_value(j);
    size_t len = json_string_length(j);
    bool hex = strchr("xX", spec->verb[0]);
    if (spec->precision >= 0)
        len = hex ? MIN(len, (size_t)spec->precision) : rune_prefix(s, len, spec->precision);
    buf_reserve(&b, len);
    if (hex)
        add_hex(&b, spec, s, len);
    else if (spec->verb[0] == 'q' || (spec->verb[0] == 'v' && spec->sharp))
        add_quoted(&b, s, len, '"');
    else if (strchr("sv", spec->verb[0]))
        buf_add(&b, s, len);
    else
        return print_bad_verb(out, spec, j);
    add_padded(out, spec, b.data, b.len, false);
}

static const struct base {
    char verb;
    unsigned base;
    const char *digits, *prefix;
} bases[] = {
    {'v', 10, "0123456789", ""}, {'d', 10, "0123456789", ""},         {'b', 2, "01", "0b"},
    {'o', 8, "01234567", "0"},   {'x', 16, "0123456789abcdef", "0x"}, {'X', 16, "0123456789ABCDEF", "0X"},
    {'O', 8, "01234567", ""},
};

static void print_integer_base(struct buf *out, const struct spec *given, const struct base *base, json_int_t n)
{
    struct spec spec = *given;
    char digits[64 + 1], *at = digits + sizeof(digits);
    uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    auto_buf struct buf b = {0};
    for (; rest; rest /= base->base)
        *--at = base->digits[rest % base->base];
    int len = (int)(digits + sizeof(digits) - at), wanted = spec.precision < 0 ? 1 : spec.precision;
    buf_adds(&b, n < 0 ? "-" : spec.plus ? "+" : spec.space ? " " : "");
    buf_adds(&b, base->verb == 'O' ? "0o" : spec.sharp ? base->prefix : "");
    add_blanks(&b, wanted - len, '0');
    buf_add(&b, at, (size_t)len);
    if (spec.precision >= 0)
        spec.zero = false;
    add_padded(out, &spec, b.data, b.len, true);
}

static void print_integer(struct buf *out, const struct spec *spec, const json_t *j)
{
    json_int_t n = json_integer_value(j);
    char rune[5] = "";
    size_t len = rune_encode(n < 0 ? UINT64_MAX : (uint64_t)n, rune);
    for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
        if (spec->verb[0] == bases[i].verb)
            return print_integer_base(out, spec, &bases[i], n);
    }
    auto_buf struct buf b = {0};
    if (spec->verb[0] == 'c')
        buf_add(&b, rune, len);
    else if (spec->verb[0] == 'q')
        add_quoted(&b, rune, len, '\'');
    else if (spec->verb[0] == 'U')
        buf_addf(&b, "U+%04" PRIX64, (uint64_t)n);
    else
        return print_bad_verb(out, spec, j);
    add_padded(out, spec, b.data, b.len, false);
}

static void print_float(struct buf *out, const struct spec *spec, const json_t *j)
{
    double d = json_real_value(j);
    auto_buf struct buf b = {0};
    char format[] = "%.*f";
    if (!signbit(d) && (spec->plus || spec->space))
        buf_addc(&b, spec->plus ? '+' : ' ');
    format[3] = spec->verb[0] == 'v' ? 'g' : spec->verb[0] == 'F' ? 'f' : spec->verb[0];
    if (!strchr("efgEG", format[3]))
        return print_bad_verb(out, spec, j);
    if (strchr("gG", format[3]) && spec->precision < 0) {
        print_real(&b, d, -4, 6);
        if (format[3] == 'G')
            for (char *e = strchr(b.data, 'e'); e; e = NULL)
                *e = 'E';
    } else {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        buf_addf(&b, format, spec->precision < 0 ? 6 : spec->precision, d); /* the letter is one of those above */
#pragma GCC diagnostic pop
    }
    add_padded(out, spec, b.data, b.len, true);
}

/* With the same verb, but nothing has no form but this one here. */
static void print_element(struct buf *out, const struct spec *spec, const json_t *j)
{
    if (json_is_null(j))
        buf_adds(out, "<nil>");
    else
        print_spec(out, spec, j);
}

static void print_array(struct buf *out, const struct spec *spec, const json_t *j)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < json_array_size(j); i++) {
        buf_adds(out, i ? " " : "");
        print_element(out, spec, json_array_get(j, i));
    }
    buf_addc(out, ']');
}

static void print_object(struct buf *out, const struct spec *spec, const json_t *j)
{
    auto_free const char **keys = value_sorted_keys(j);
    buf_adds(out, "map[");
    for (size_t i = 0; keys[i]; i++) {
        auto_json json_t *key = json_string_nocheck(keys[i]);
        buf_adds(out, i ? " " : "");
        print_spec(out, spec, key);
        buf_addc(out, ':');
        print_element(out, spec, json_object_get(j, keys[i]));
    }
    buf_addc(out, ']');
}

static void print_other(struct buf *out, const struct spec *spec, const json_t *j)
{
    bool truth = json_is_boolean(j);
    if (!strchr(truth ? "tv" : "v", spec->verb[0]))
        return print_bad_verb(out, spec, j);
    const char *s = !truth ? "<nil>" : json_is_true(j) ? "true" : "false";
    add_padded(out, spec, s, strlen(s), false);
}

static void print_spec(struct buf *out, const struct spec *spec, const json_t *j)
{
    if (out->len > TEMPLATE_MAX_OUTPUT)
        return; /* the caller finds out */
    if (json_is_string(j))
        print_string(out, spec, j);
    else if (json_is_integer(j))
        print_integer(out, spec, j);
    else if (json_is_real(j))
        print_float(out, spec, j);
    else if (json_is_array(j))
        print_array(out, spec, j);
    else if (json_is_object(j))
        print_object(out, spec, j);
    else
        print_other(out, spec, j);
}

void print_value(struct buf *out, const json_t *j)
{
    static const struct spec plain = {.width = -1, .precision = -1, .verb = "v"};
    print_spec(out, &plain, j);
}

/* ---- printf ---- */

/* A walk over format and arguments. */
struct format {
    const char *at, *end;
    const struct value *args;
    size_t n, next;
    bool reordered; /* an [n] was used: no complaint about the rest */
    bool bad_index;
};

enum { MAX_WIDTH = 1000000 }; /* as in Go */

static void read_flags(struct format *f, struct spec *spec)
{
    for (; f->at < f->end; f->at++) {
        bool *flag = *f->at == '-'   ? &spec->minus
                     : *f->at == '+' ? &spec->plus
                     : *f->at == '#' ? &spec->sharp
                     : *f->at == ' ' ? &spec->space
                     : *f->at == '0' ? &spec->zero
                                     : NULL;
        if (!flag)
            return;
        *flag = true;
    }
}

static int read_decimal(struct format *f)
{
    int n = -1;
    for (; f->at < f->end && isdigit((unsigned char)*f->at); f->at++)
        n = MIN(MAX(n, 0) * 10 + (*f->at - '0'), MAX_WIDTH + 1);
    return n;
}

/* "[2]": which argument is next. */
static void read_index(struct format *f)
{
    if (f->at >= f->end || *f->at != '[')
        return;
    const char *start = f->at++;
    int n = read_decimal(f);
    f->reordered = true;
    f->bad_index = n < 1 || (size_t)n > f->n || f->at >= f->end || *f->at != ']';
    if (!f->bad_index)
        f->next = (size_t)n - 1;
    f->at = start;
    const char *close = memchr(start, ']', (size_t)(f->end - start));
    f->at = close ? close + 1 : start + 1;
}

/* A number or *; false if it is a * whose argument is no usable number. */
static bool read_width(struct format *f, int *ret)
{
    read_index(f);
    if (f->at >= f->end || *f->at != '*') {
        int n = read_decimal(f);
        *ret = n > MAX_WIDTH ? -1 : n;
        return n <= MAX_WIDTH;
    }
    f->at++;
    const json_t *j = f->next < f->n ? f->args[f->next++].j : NULL;
    json_int_t n = json_integer_value(j);
    if (!json_is_integer(j) || n > MAX_WIDTH || n < -MAX_WIDTH)
        return false;
    *ret = (int)n;
    return true;
}

static void read_spec(struct format *f, struct spec *spec, struct buf *out)
{
    read_flags(f, spec);
    if (!read_width(f, &spec->width))
        buf_adds(out, "%!(BADWIDTH)");
    if (spec->width < -1) {
        spec->minus = true;
        spec->width = -spec->width;
    }
    if (f->at < f->end && *f->at == '.') {
        f->at++;
        if (!read_width(f, &spec->precision))
            buf_adds(out, "%!(BADPREC)");
        spec->precision = MAX(spec->precision, 0);
    }
    read_index(f);
}

static void print_verb(struct format *f, struct buf *out)
{
    struct spec spec = {.width = -1, .precision = -1};
    read_spec(f, &spec, out);
    if (f->at >= f->end) {
        buf_adds(out, "%!(NOVERB)");
        return;
    }
    size_t len = MAX(utf8_len(f->at), (size_t)1);
    memcpy(spec.verb, *f->at ? f->at : "?", MIN(len, (size_t)(f->end - f->at)));
    f->at += len;
    if (spec.verb[0] == '%') {
        buf_addc(out, '%');
    } else if (f->bad_index) {
        buf_addf(out, "%%!%s(BADINDEX)", spec.verb);
        f->bad_index = false;
    } else if (f->next >= f->n) {
        buf_addf(out, "%%!%s(MISSING)", spec.verb);
    } else if (spec.verb[0] == 'T') {
        const char *type = value_type(f->args[f->next++].j);
        add_padded(out, &spec, type, strlen(type), false);
    } else {
        print_spec(out, &spec, f->args[f->next++].j);
    }
}

static void print_extra(const struct format *f, struct buf *out)
{
    buf_adds(out, "%!(EXTRA ");
    for (size_t i = f->next; i < f->n; i++) {
        const json_t *j = f->args[i].j;
        buf_adds(out, i > f->next ? ", " : "");
        if (j && !json_is_null(j))
            buf_addf(out, "%s=", value_type(j));
        print_value(out, j);
    }
    buf_addc(out, ')');
}

bool print_format(struct buf *out, const char *format, size_t len, const struct value *args, size_t n)
{
    struct format f = {.at = format, .end = format + len, .args = args, .n = n};
    while (f.at < f.end && out->len <= TEMPLATE_MAX_OUTPUT) {
        if (*f.at != '%') {
            buf_addc(out, *f.at++);
            continue;
        }
        f.at++;
        print_verb(&f, out);
    }
    if (!f.reordered && f.next < f.n)
        print_extra(&f, out);
    return out->len <= TEMPLATE_MAX_OUTPUT;
}
