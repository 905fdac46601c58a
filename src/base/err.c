/* The error slot of the process. It knows the number that its text belongs to, so that err_wrap does not put a text
 * that somebody got over long ago behind a plain -errno of today. */
#include "whelk/err.h"

#include "whelk/str.h"

enum { STATUS_DEFAULT = 125 };

static struct {
    int code; /* the r of text; 0 if there is none */
    char *text;
    char *detail;
    int status; /* 0: the default */
} slot;

/* The new text may have been made out of the old one, so it comes ready. */
static void slot_text_take(int r, char *text)
{
    free(slot.text);
    slot.text = text;
    slot.code = r;
}

void err_clear(void)
{
    slot_text_take(0, NULL);
    free(take_ptr(&slot.detail));
    slot.status = 0;
}

int err_set(int r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *text = xvasprintf(fmt, ap);
    va_end(ap);
    err_clear();
    slot_text_take(r, text);
    return r;
}

int err_sys(const char *fmt, ...)
{
    int r = errno > 0 ? -errno : -EIO;
    va_list ap;
    va_start(ap, fmt);
    auto_free char *text = xvasprintf(fmt, ap);
    va_end(ap);
    return err_set(r, "%s: %s", text, strerror(-r));
}

int err_wrap(int r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    auto_free char *text = xvasprintf(fmt, ap);
    va_end(ap);
    if (!slot.text || slot.code != r)
        return err_set(r, "%s: %s", text, strerror(-r));
    slot_text_take(r, xasprintf("%s: %s", text, slot.text));
    return r;
}

int err_detail(int r, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    while (len && text[len - 1] == '\n')
        len--;
    if (!len)
        return r;
    char *all = slot.detail ? xasprintf("%s\n%.*s", slot.detail, (int)len, text) : xstrndup(text, len);
    free(slot.detail);
    slot.detail = all;
    return r;
}

int err_with_status(int r, int status)
{
    slot.status = status;
    return r;
}

const char *err_text(int r)
{
    return slot.text ? slot.text : strerror(r < 0 ? -r : r);
}

bool err_is_clear(void)
{
    return !slot.text;
}

const char *err_detail_text(void)
{
    return slot.detail;
}

int err_status(void)
{
    return slot.status ? slot.status : STATUS_DEFAULT;
}

/* Four strings, each with its NUL: "r", "code status", text, detail. An absent string is an empty one. */
char *err_pack(int r, size_t *ret_len)
{
    auto_buf struct buf b = {0};
    buf_addf(&b, "%d%c%d %d%c", r, 0, slot.code, slot.status, 0);
    const char *strings[] = {slot.text, slot.detail};
    for (size_t i = 0; i < ARRAY_LEN(strings); i++)
        buf_add(&b, strings[i] ? strings[i] : "", strings[i] ? strlen(strings[i]) + 1 : 1);
    *ret_len = b.len;
    return buf_take(&b);
}

int err_unpack(const char *bytes, size_t len)
{
    const char *parts[4] = {0};
    const char *end = bytes + len;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const char *nul = bytes < end ? memchr(bytes, 0, (size_t)(end - bytes)) : NULL;
        if (!nul)
            return err_set(-EPROTO, "another process sent a broken error message");
        parts[i] = bytes;
        bytes = nul + 1;
    }
    int r = 0, code = 0, status = 0;
    if (sscanf(parts[0], "%d", &r) != 1 || sscanf(parts[1], "%d %d", &code, &status) != 2)
        return err_set(-EPROTO, "another process sent a broken error message");
    err_clear();
    if (*parts[2])
        slot_text_take(code, xstrdup(parts[2]));
    err_detail(r, parts[3]);
    return err_with_status(r, status);
}
