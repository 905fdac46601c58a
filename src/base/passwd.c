/* Lines of passwd(5) and group(5). */
#include "whelk/passwd.h"

#include "whelk/str.h"

enum { FIELDS_MAX = 8 };

char **passwd_line(const char *text, unsigned index, const char *key)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        auto_free char *line = xstrndup(text, len);
        auto_strv char **fields = NULL;
        char *rest = line;
        for (char *f; strv_len(fields) < FIELDS_MAX && (f = strsep(&rest, ":"));)
            strv_add(&fields, f);
        if (strv_len(fields) > index && str_eq(fields[index], key))
            return take_ptr(&fields);
        text += len + (text[len] == '\n');
    }
    return NULL;
}

bool passwd_id(const char *s, uint32_t *ret)
{
    uint64_t v;
    if (!str_to_u64(s, &v) || v >= UINT32_MAX)
        return false;
    *ret = (uint32_t)v;
    return true;
}
