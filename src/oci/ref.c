/* Image references. A reference is cut from its end: digest, tag, domain; then each part is held against its rule, so
 * that a message can name the rule (CV-84). */
#include "whelk/ref.h"

#include "whelk/err.h"
#include "whelk/str.h"

#include <ctype.h>

enum { NAME_MAX_LEN = 255, TAG_MAX_LEN = 128, SHA256_HEX = 64 };

static const char docker_domain[] = "docker.io";

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The length of a separator within a path component: one of . _ __ or any number of -; 0 if there is none. */
static size_t separator_len(const char *s)
{
    if (*s == '-')
        return strspn(s, "-");
    if (s[0] == '_' && s[1] == '_')
        return 2;
    return *s == '.' || *s == '_';
}

/* What is wrong with a path, or NULL. */
static const char *path_fault(const char *path)
{
    bool after_alnum = false;

    if (!*path)
        return "the name is empty";
    while (*path) {
        size_t sep;

        if (is_lower_or_digit(*path)) {
            after_alnum = true;
            path++;
            continue;
        }
        if (isupper((unsigned char)*path))
            return "the name must be lower case";
        if (*path == '/')
            sep = 1;
        else if (!(sep = separator_len(path)))
            return "a name has only a-z, 0-9 and . _ - / in it";
        if (!after_alnum || !is_lower_or_digit(path[sep]))
            return isupper((unsigned char)path[sep])
                       ? "the name must be lower case"
                       : "between . _ __ - and / in a name there must be letters or digits";
        after_alnum = false;
        path += sep;
    }
    return NULL;
}

static const char *port_fault(const char *port)
{
    uint64_t n;
    return str_to_u64(port, &n) && n > 0 && n < 65536 ? NULL : "the port of the registry is not a number up to 65535";
}

/* [2001:db8::1] or [2001:db8::1]:5000 */
static const char *ipv6_domain_fault(const char *domain)
{
    size_t n = strspn(domain + 1, "0123456789abcdefABCDEF:");
    const char *end = domain + 1 + n;

    if (n == 0 || *end != ']')
        return "the registry is not an IPv6 address in []";
    if (!end[1])
        return NULL;
    return end[1] == ':' ? port_fault(end + 2) : "after the registry's ] only a port may follow";
}

static const char *domain_fault(const char *domain)
{
    if (*domain == '[')
        return ipv6_domain_fault(domain);
    for (char prev = '.';; prev = *domain++) {
        bool end = !*domain || *domain == ':' || *domain == '.';

        if ((end && !isalnum((unsigned char)prev)) || (*domain == '-' && prev == '.'))
            return "each part of the registry's name begins and ends with a letter or digit";
        if (*domain == ':')
            return port_fault(domain + 1);
        if (!*domain)
            return NULL;
        if (!end && !isalnum((unsigned char)*domain) && *domain != '-')
            return "a registry's name has only letters, digits, . and - in it";
    }
}

static const char *tag_fault(const char *tag)
{
    if (!*tag)
        return "the tag is empty";
    if (strlen(tag) > TAG_MAX_LEN)
        return "a tag has at most 128 characters";
    if (!is_word(*tag))
        return "a tag begins with a letter, digit or _";
    for (const char *p = tag; *p; p++)
        if (!is_word(*p) && *p != '.' && *p != '-')
            return "a tag has only letters, digits and _ . - in it";
    return NULL;
}

static const char *digest_fault(const char *digest)
{
    const char *hex = str_after(digest, "sha256:");

    if (!hex)
        return "a digest is sha256: and 64 hexadecimal digits";
    return strlen(hex) == SHA256_HEX && str_is_hex(hex, SHA256_HEX) ? NULL
                                                                    : "sha256: must be followed by 64 lower-case "
                                                                      "hexadecimal digits";
}

/* Is the first component, of this length, a domain and not the beginning of the path? */
static bool is_domain(const char *s, size_t len)
{
    return memchr(s, '.', len) || memchr(s, ':', len) || (len == strlen("localhost") && !memcmp(s, "localhost", len));
}

/* Cuts s into the parts of r, unchecked; s keeps its own bytes. */
static void split(const char *s, struct ref *r)
{
    const char *end = s + strlen(s);
    const char *at = strchr(s, '@'), *slash, *colon;

    if (at) {
        r->digest = xstrdup(at + 1);
        end = at;
    }
    slash = memchr(s, '/', (size_t)(end - s));
    if (slash && is_domain(s, (size_t)(slash - s))) {
        r->domain = xstrndup(s, (size_t)(slash - s));
        s = slash + 1;
    }
    colon = memrchr(s, ':', (size_t)(end - s));
    if (colon && !memchr(colon, '/', (size_t)(end - colon))) {
        r->tag = xstrndup(colon + 1, (size_t)(end - colon - 1));
        end = colon;
    }
    r->path = xstrndup(s, (size_t)(end - s));
}

static const char *fault(const struct ref *r)
{
    const char *text = NULL;

    if (r->digest)
        text = digest_fault(r->digest);
    if (!text && r->domain)
        text = domain_fault(r->domain);
    if (!text)
        text = path_fault(r->path);
    if (!text && r->tag)
        text = tag_fault(r->tag);
    if (!text && strlen(r->path) + (r->domain ? strlen(r->domain) + 1 : 0) > NAME_MAX_LEN)
        text = "registry and name together have at most 255 characters";
    if (!text && !r->domain && strlen(r->path) == SHA256_HEX && str_is_hex(r->path, SHA256_HEX))
        text = "64 hexadecimal digits are an image id and not a name";
    return text;
}

int ref_parse(const char *s, struct ref *ret)
{
    auto_with(ref_done) struct ref r = {0};
    auto_free char *shown = NULL;
    const char *text;

    split(s, &r);
    text = fault(&r);
    if (text) {
        shown = str_printable(s);
        return err_set(-EINVAL, "invalid image name \"%.300s\": %s", shown, text);
    }
    *ret = r;
    r = (struct ref){0};
    return 0;
}

void ref_done(struct ref *r)
{
    free(r->domain);
    free(r->path);
    free(r->tag);
    free(r->digest);
    *r = (struct ref){0};
}

char *ref_full(const struct ref *r, const char *domain)
{
    const char *host = r->domain;
    const char *tag = r->tag ? r->tag : r->digest ? NULL : "latest";
    auto_buf struct buf b = {0};

    if (!host)
        host = domain;
    if (str_eq(host, "index.docker.io")) /* the name that old clients wrote */
        host = docker_domain;
    buf_adds(&b, host);
    buf_addc(&b, '/');
    if (str_eq(host, docker_domain) && !strchr(r->path, '/'))
        buf_adds(&b, "library/");
    buf_adds(&b, r->path);
    if (tag)
        buf_addf(&b, ":%s", tag);
    if (r->digest)
        buf_addf(&b, "@%s", r->digest);
    return buf_take(&b);
}

int ref_normalize_local(const char *s, char **ret)
{
    auto_with(ref_done) struct ref ref = {0};
    int r = ref_parse(s, &ref);

    if (r < 0)
        return r;
    if (ref.digest)
        return err_set(-EINVAL, "invalid image name \"%s\": a new name has no digest", s);
    *ret = ref_full(&ref, "localhost");
    return 0;
}

void ref_split_display(const char *full, char **ret_repository, char **ret_tag)
{
    const char *end = strchrnul(full, '@');
    const char *colon = memrchr(full, ':', (size_t)(end - full));

    if (colon && memchr(colon, '/', (size_t)(end - colon)))
        colon = NULL; /* of a port */
    *ret_repository = xstrndup(full, (size_t)((colon ? colon : end) - full));
    *ret_tag = colon ? xstrndup(colon + 1, (size_t)(end - colon - 1)) : xstrdup("<none>");
}
