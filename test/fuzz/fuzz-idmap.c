/* Any bytes as words of --uidmap, one a line: a map that is made has no id twice, and leads back from where it leads.
 */
#include "whelk/userns.h"

#include "whelk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct id_set pool = {.r = {{0, 0, 1}, {1, 1, 65536}}, .n = 2};
    auto_free char *text = xstrndup((const char *)data, size);
    auto_strv char **words = strv_split(text, "\n");
    struct id_set s = {0};
    struct id_word w;
    strv_foreach (word, words)
        if (id_word_parse(word, &w) < 0 || ids_add_word(&pool, &w, &s) < 0)
            return 0;
    if (ids_check(&s) < 0)
        return 0;
    for (unsigned i = 0; i < s.n; i++)
        if (id_inside(s.r, s.n, id_outside(s.r, s.n, s.r[i].inside)) != s.r[i].inside)
            abort();
    return 0;
}
