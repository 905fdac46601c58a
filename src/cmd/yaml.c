/* JSON values as YAML. A JSON string is a YAML string as well: what needs quotes gets them from jansson. */
#include "yaml.h"

#include <ctype.h>

/* Letters, digits and what paths, versions and lists have, and not a number or a word with a meaning. */
static bool is_plain(const char *s)
{
    static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "~"};
    if (!isalpha((unsigned char)*s) && *s != '/')
        return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasecmp(s, words[i]) == 0)
            return false;
    return !s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+, ")] && !str_ends(s, " ");
}

static void print_scalar(const json_t *value, struct buf *out)
{
    if (json_is_string(value) && is_plain(json_string_value(value))) {
        buf_adds(out, json_string_value(value));
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    buf_adds(out, text ? text : "null");
    free(text);
}

static bool is_block(const json_t *value)
{
    return (json_is_object(value) && json_object_size(value)) || (json_is_array(value) && json_array_size(value));
}

static void print_at(const json_t *value, int indent, bool in_line, struct buf *out);

/* Behind "key:" or "- ". */
static void print_member(const json_t *value, int indent, struct buf *out)
{
    if (is_block(value)) {
        buf_addc(out, '\n');
        print_at(value, indent + 2, false, out);
        return;
    }
    buf_addc(out, ' ');
    print_scalar(value, out);
    buf_addc(out, '\n');
}

/* in_line: the first line is begun already, by the dash of a list. */
static void print_at(const json_t *value, int indent, bool in_line, struct buf *out)
{
    const char *key;
    json_t *member;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        buf_addf(out, "%*s%s:", in_line ? 0 : indent, "", key);
        print_member(member, indent, out);
        in_line = false;
    }
    json_array_foreach(value, i, member)
    {
        buf_addf(out, "%*s-", indent, "");
        if (!json_is_object(member) || !is_block(member)) {
            print_member(member, indent, out);
            continue;
        }
        buf_addc(out, ' ');
        print_at(member, indent + 2, true, out);
    }
}

void yaml_print(const json_t *value, struct buf *out)
{
    if (is_block(value)) {
        print_at(value, 0, false, out);
        return;
    }
    print_scalar(value, out);
    buf_addc(out, '\n');
}
