/* Writes tar archives that no honest program writes:  hostile-tar [OPTION | TYPE NAME DATA]... >archive
 *
 * TYPE is a type flag of the format: 0 file (DATA is its content), 1 hard link and 2 symbolic link (DATA is the
 * target), 3 and 4 devices (DATA is MAJOR,MINOR), 5 directory, 6 FIFO, x and L (DATA is the extended header or the long
 * name). NAME is taken as it is, cut to 100 bytes.
 *
 *   --size N     the next entry says that it has N bytes, whatever follows
 *   --mode OCT   the mode of all that follows, --owner N its user and group
 *   --bad-sum    the next entry's check sum is wrong
 *   --no-end     no end marker */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512 };

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[8], user[32],
        group[32];
    char major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

struct options {
    const char *size;
    unsigned mode, owner;
    bool bad_sum, no_end;
};

/* Digits, and the NUL or blank behind them. Numbers that do not fit are kept as base 256. */
static void put_number(char *field, size_t len, unsigned long long n)
{
    char text[32];
    int digits = snprintf(text, sizeof(text), "%0*llo", (int)len - 1, n);
    if (digits < (int)len) {
        memcpy(field, text, len);
        return;
    }
    for (size_t i = len; i-- > 0; n >>= 8)
        field[i] = (char)n;
    field[0] |= (char)0x80;
}

static void put_sum(struct header *h, bool bad)
{
    unsigned sum = bad;
    memset(h->sum, ' ', sizeof(h->sum));
    for (size_t i = 0; i < BLOCK; i++)
        sum += ((unsigned char *)h)[i];
    put_number(h->sum, sizeof(h->sum), sum);
}

static void put_text(char *field, size_t len, const char *text)
{
    memcpy(field, text, strnlen(text, len));
}

static void put_entry(const struct options *o, char type, const char *name, const char *data)
{
    static const char zeros[BLOCK];
    bool has_content = strchr("0xgLK", type);
    size_t content = has_content ? strlen(data) : 0;
    unsigned major = 0, minor = 0;
    struct header h = {.type = type, .magic = "ustar"};
    memcpy(h.magic + 6, "00", 2);
    put_text(h.name, sizeof(h.name), name);
    put_number(h.mode, sizeof(h.mode), o->mode);
    put_number(h.uid, sizeof(h.uid), o->owner);
    put_number(h.gid, sizeof(h.gid), o->owner);
    put_number(h.size, sizeof(h.size), o->size ? strtoull(o->size, NULL, 10) : content);
    put_number(h.mtime, sizeof(h.mtime), 1);
    if (type == '1' || type == '2')
        put_text(h.link, sizeof(h.link), data);
    if ((type == '3' || type == '4') && sscanf(data, "%u,%u", &major, &minor) == 2) {
        put_number(h.major, sizeof(h.major), major);
        put_number(h.minor, sizeof(h.minor), minor);
    }
    put_sum(&h, o->bad_sum);
    fwrite(&h, BLOCK, 1, stdout);
    fwrite(data, 1, content, stdout);
    fwrite(zeros, 1, (BLOCK - content % BLOCK) % BLOCK, stdout);
}

/* Returns how many arguments it took, 0 if argv[0] is no option. */
static int take_option(struct options *o, char *argv[])
{
    if (strcmp(argv[0], "--bad-sum") == 0)
        return o->bad_sum = true;
    if (strcmp(argv[0], "--no-end") == 0)
        return o->no_end = true;
    if (!argv[1])
        return 0;
    if (strcmp(argv[0], "--size") == 0)
        o->size = argv[1];
    else if (strcmp(argv[0], "--mode") == 0)
        o->mode = (unsigned)strtoul(argv[1], NULL, 8);
    else if (strcmp(argv[0], "--owner") == 0)
        o->owner = (unsigned)strtoul(argv[1], NULL, 10);
    else
        return 0;
    return 2;
}

int main(int argc, char *argv[])
{
    static const char end[2 * BLOCK];
    struct options o = {.mode = 0755};
    for (int i = 1; i < argc;) {
        int taken = take_option(&o, argv + i);
        i += taken;
        if (taken)
            continue;
        if (i + 2 >= argc || strlen(argv[i]) != 1) {
            fprintf(stderr, "hostile-tar: not an entry: %s\n", argv[i]);
            return 2;
        }
        put_entry(&o, argv[i][0], argv[i + 1], argv[i + 2]);
        o.size = NULL;
        o.bad_sum = false;
        i += 3;
    }
    if (!o.no_end)
        fwrite(end, sizeof(end), 1, stdout);
    return fflush(stdout) != 0;
}
