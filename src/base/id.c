/* Object ids, random names, and the grammar of names. */
#include "whelk/id.h"

#include "whelk/err.h"
#include "whelk/str.h"

#include <sys/random.h>

static const char *const adjectives[] = {
    "agile",   "amber",  "ample",  "bold",     "brave",  "bright", "brisk",  "calm",    "candid", "careful", "clear",
    "clever",  "cosy",   "crisp",  "daring",   "deft",   "eager",  "early",  "earnest", "fair",   "fancy",   "fleet",
    "frank",   "fresh",  "gentle", "glad",     "golden", "grand",  "happy",  "hardy",   "honest", "humble",  "jolly",
    "keen",    "kind",   "lively", "loyal",    "lucid",  "mellow", "merry",  "modest",  "nimble", "noble",   "patient",
    "playful", "polite", "proud",  "quick",    "quiet",  "rapid",  "serene", "sharp",   "silver", "sincere", "steady",
    "sunny",   "swift",  "tidy",   "tranquil", "upbeat", "vivid",  "warm",   "wise",    "witty",
};

static const char *const surnames[] = {
    "abel",     "ampere",   "anning",   "avogadro",   "babbage",    "bernoulli", "bohr",       "boltzmann",
    "boole",    "brahe",    "cantor",   "carson",     "cauchy",     "celsius",   "copernicus", "coulomb",
    "curie",    "dalton",   "darwin",   "dirac",      "einstein",   "euclid",    "euler",      "faraday",
    "fermi",    "feynman",  "fourier",  "franklin",   "galilei",    "galois",    "gauss",      "germain",
    "goedel",   "halley",   "hamilton", "heisenberg", "hertz",      "hilbert",   "hooke",      "hopper",
    "hubble",   "humboldt", "huygens",  "joule",      "kepler",     "laplace",   "lavoisier",  "leibniz",
    "linnaeus", "lovelace", "maxwell",  "meitner",    "mendel",     "mendeleev", "newton",     "noether",
    "pascal",   "pasteur",  "planck",   "riemann",    "rutherford", "shannon",   "turing",     "volta",
};

/* The kernel's generator gives up to 256 bytes whole once it is seeded, and blocks before. */
static void random_bytes(void *data, size_t len)
{
    ssize_t n;
    while ((n = getrandom(data, len, 0)) < 0 && errno == EINTR)
        ;
    if (n != (ssize_t)len)
        abort();
}

/* An id whose short form is all digits reads as a number where ids become host names, so it is drawn again. */
void id_new(char ret[ID_LEN + 1])
{
    do {
        unsigned char bytes[ID_LEN / 2];
        random_bytes(bytes, sizeof(bytes));
        str_hex(bytes, sizeof(bytes), ret);
    } while (strspn(ret, "0123456789") >= ID_SHORT);
}

char *id_random_name(void)
{
    uint32_t random[2];
    random_bytes(random, sizeof(random));
    return xasprintf("%s_%s", adjectives[random[0] % ARRAY_LEN(adjectives)], surnames[random[1] % ARRAY_LEN(surnames)]);
}

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

int name_check(const char *kind, const char *name)
{
    enum { NAME_MAX_LEN = 128 };
    size_t len = strlen(name);
    bool good = strspn(name, LETTERS_AND_DIGITS "_.-") == len && len <= NAME_MAX_LEN;
    if (good && len && strchr(LETTERS_AND_DIGITS, *name))
        return 0;
    auto_free char *safe = str_printable(name);
    return err_set(
        -EINVAL,
        "invalid %s name '%.160s': it may have letters, digits, _ . and -, begins with a letter or digit, and is "
        "not longer than %d bytes",
        kind, safe, NAME_MAX_LEN);
}

bool id_prefix_like(const char *s)
{
    size_t len = strlen(s);
    return len >= 1 && len <= ID_LEN && str_is_hex(s, len);
}
