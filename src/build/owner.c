/* Owners and modes as COPY's flags give them (DF-39). */
#include "owner.h"

#include "whelk/err.h"
#include "whelk/passwd.h"
#include "whelk/str.h"

#include <sys/stat.h>

/* ---- modes ---- */

enum { WHO_U = 04700, WHO_G = 02070, WHO_O = 00007, WHO_A = 07777 };

static bool octal_parse(const char *text, mode_t *ret)
{
    size_t len = strlen(text);
    if (len == 0 || len > 5 || strspn(text, "01234567") != len)
        return false;
    *ret = (mode_t)strtoul(text, NULL, 8);
    return *ret <= 07777;
}

static mode_t who_mask(const char **p)
{
    mode_t mask = 0;
    for (;; ++*p) {
        switch (**p) {
        case 'u':
            mask |= WHO_U;
            break;
        case 'g':
            mask |= WHO_G;
            break;
        case 'o':
            mask |= WHO_O;
            break;
        case 'a':
            mask |= WHO_A;
            break;
        default:
            return mask ? mask : WHO_A;
        }
    }
}

/* The bits of one letter for all of u, g and o; false if it is none. */
static bool letter_bits(char c, mode_t mode, mode_t *bits)
{
    switch (c) {
    case 'r':
        *bits |= 0444;
        return true;
    case 'w':
        *bits |= 0222;
        return true;
    case 'x':
        *bits |= 0111;
        return true;
    case 'X':
        *bits |= S_ISDIR(mode) || (mode & 0111) ? 0111 : 0;
        return true;
    case 's':
        *bits |= 06000;
        return true;
    case 't':
        *bits |= 01000;
        return true;
    default:
        return false;
    }
}

/* One clause, up to its comma or end: [ugoa]*([-+=][rwxXst]*)+. False if it is broken. */
static bool clause_apply(const char **p, mode_t *mode)
{
    mode_t who = who_mask(p);
    if (!**p || !strchr("+-=", **p))
        return false;
    while (**p && strchr("+-=", **p)) {
        char op = *(*p)++;
        mode_t bits = 0;
        while (letter_bits(**p, *mode, &bits))
            ++*p;
        bits &= who;
        if (op == '=')
            *mode &= ~who;
        *mode = op == '-' ? *mode & ~bits : *mode | bits;
    }
    return !**p || **p == ',';
}

static bool symbolic_apply(const char *p, mode_t *mode)
{
    for (;; p++) {
        if (!clause_apply(&p, mode))
            return false;
        if (!*p)
            return true;
    }
}

int mode_parse(const char *text, struct mode_change *ret)
{
    mode_t probe = S_IFREG;
    *ret = (struct mode_change){.symbolic = text};
    ret->absolute = octal_parse(text, &ret->mode);
    if (ret->absolute || symbolic_apply(text, &probe))
        return 0;
    auto_free char *shown = str_printable(text);
    return err_set(-EINVAL, "--chmod=%s is no mode; give octal digits (755) or letters (u=rwX,go-w)", shown);
}

mode_t mode_apply(const struct mode_change *change, mode_t mode)
{
    if (change->absolute)
        return change->mode;
    symbolic_apply(change->symbolic, &mode);
    return mode & 07777;
}

/* ---- owners ---- */

/* passwd(5): name, password, uid, gid. */
static int find_user(const char *passwd, const char *user, uid_t *ret_uid, gid_t *ret_gid)
{
    bool number = passwd_id(user, ret_uid);
    if (number) {
        *ret_gid = *ret_uid;
        return 0;
    }
    auto_strv char **line = passwd_line(passwd, 0, user);
    if (strv_len(line) >= 4 && passwd_id(line[2], ret_uid) && passwd_id(line[3], ret_gid))
        return 0;
    auto_free char *shown = str_printable(user);
    return err_set(-ENOENT, "--chown: /etc/passwd of the image that is built has no user \"%s\"; give a number", shown);
}

static int find_group(const char *group, const char *name, gid_t *ret)
{
    if (passwd_id(name, ret))
        return 0;
    auto_strv char **line = passwd_line(group, 0, name);
    if (strv_len(line) >= 3 && passwd_id(line[2], ret))
        return 0;
    auto_free char *shown = str_printable(name);
    return err_set(-ENOENT, "--chown: /etc/group of the image that is built has no group \"%s\"; give a number", shown);
}

int owner_parse(const char *text, const char *passwd, const char *group, uid_t *ret_uid, gid_t *ret_gid)
{
    const char *colon = strchr(text, ':');
    auto_free char *user = xstrndup(text, strcspn(text, ":"));
    uid_t uid = 0;
    gid_t gid = 0;
    if (!*user || (colon && (!colon[1] || strchr(colon + 1, ':'))))
        return err_set(-EINVAL, "--chown=%s: give USER or USER:GROUP, names or numbers", text);
    int r = find_user(passwd, user, &uid, &gid);
    if (r == 0 && colon)
        r = find_group(group, colon + 1, &gid);
    if (r < 0)
        return r;
    *ret_uid = uid;
    *ret_gid = gid;
    return 0;
}
