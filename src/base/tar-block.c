/* The tar header block: checksum, kind, numbers. */
#include "tar-parts.h"

#include <limits.h>

static const int64_t ns_per_second = 1000 * 1000 * 1000;

bool tar_block_is_zero(const void *block)
{
    static const char zeros[TAR_BLOCK_SIZE];
    return memcmp(block, zeros, TAR_BLOCK_SIZE) == 0;
}

/* The sum of all bytes with blanks for the checksum itself. Old writers took bytes as signed. */
static void block_sums(const struct tar_block *b, long *ret_plain, long *ret_signed)
{
    const char *bytes = (const char *)b;
    *ret_plain = *ret_signed = 0;
    for (size_t i = 0; i < sizeof(*b); i++) {
        bool within = i >= offsetof(struct tar_block, checksum) && i < offsetof(struct tar_block, type);
        char c = within ? ' ' : bytes[i];
        *ret_plain += (unsigned char)c;
        *ret_signed += (signed char)c;
    }
}

bool tar_block_checksum_ok(const struct tar_block *b)
{
    long plain, as_signed;
    int64_t said;
    block_sums(b, &plain, &as_signed);
    return tar_number(b->checksum, sizeof(b->checksum), &said) && (said == plain || said == as_signed);
}

bool tar_magic(const void *data, size_t len)
{
    struct tar_block b;
    if (len < sizeof(b))
        return false;
    memcpy(&b, data, sizeof(b));
    return b.name[0] && tar_block_checksum_ok(&b);
}

void tar_block_checksum_set(struct tar_block *b)
{
    long plain, as_signed;
    block_sums(b, &plain, &as_signed);
    tar_number_set(b->checksum, sizeof(b->checksum) - 1, plain);
    b->checksum[sizeof(b->checksum) - 1] = ' ';
}

enum tar_magic tar_block_magic(const struct tar_block *b)
{
    if (memcmp(b->magic, "ustar  ", sizeof(b->magic)) == 0)
        return TAR_GNU;
    return memcmp(b->magic, "ustar", 6) == 0 ? TAR_USTAR : TAR_V7;
}

static bool number_octal(const char *p, const char *end, int64_t *ret)
{
    int64_t n = 0;
    while (p < end && (*p == ' ' || *p == '\0'))
        p++;
    for (; p < end && *p >= '0' && *p <= '7'; p++) {
        if (n > INT64_MAX >> 3)
            return false;
        n = n << 3 | (*p - '0');
    }
    while (p < end && *p == ' ')
        p++;
    *ret = n;
    return p == end || *p == '\0';
}

/* Two's complement, most significant byte first; the highest bit marks the form and is not part of the number. */
static bool number_base256(const unsigned char *p, size_t len, int64_t *ret)
{
    bool negative = p[0] & 0x40;
    uint64_t n = negative ? UINT64_MAX : 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = i ? p[i] : (p[i] & 0x7f) | (negative ? 0x80 : 0);
        /* What leaves at the top must be sign only, and so must the bit below it. */
        if (((int64_t)n >> 55) != (negative ? -1 : 0))
            return false;
        n = n << 8 | c;
    }
    *ret = (int64_t)n;
    return (*ret < 0) == negative;
}

bool tar_number(const char *field, size_t len, int64_t *ret)
{
    if (field[0] & 0x80)
        return number_base256((const unsigned char *)field, len, ret);
    return number_octal(field, field + len, ret);
}

void tar_number_set(char *field, size_t len, int64_t n)
{
    unsigned bits = 3 * (len - 1);
    bool fits = n >= 0 && (bits >= 63 || n >> bits == 0);
    if (fits) {
        field[len - 1] = '\0';
        for (size_t i = len - 1; i-- > 0; n >>= 3)
            field[i] = (char)('0' + (n & 7));
        return;
    }
    for (size_t i = len; i-- > 0; n >>= 8)
        field[i] = (char)n;
    field[0] |= (char)0x80;
}

int64_t tar_time(int64_t seconds, int32_t ns)
{
    int64_t t;
    if (__builtin_mul_overflow(seconds, ns_per_second, &t) || __builtin_add_overflow(t, ns, &t))
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    return t;
}
