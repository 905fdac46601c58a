/* Any bytes as a Dockerfile: parsed, and every argument expanded. */
#include "whelk/dockerfile.h"

#include "whelk/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(void *ctx, const char *name)
{
    return strlen(name) % 2 ? name : NULL;
}

static void expand(const struct dockerfile *d, const struct instruction *i)
{
    strv_foreach (arg, i->args) {
        auto_free char *word = NULL, *name = NULL, *value = NULL;

        if (expand_word(arg, d->escape, lookup, NULL, &word) < 0 && str_empty(err_text(-EINVAL)))
            abort();
        if (expand_pair(arg, d->escape, lookup, NULL, &name, &value) == 0 && !word)
            abort(); /* both halves are good, so the whole is: the = is no special character */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_with(dockerfile_done) struct dockerfile d = {0};

    if (dockerfile_parse("f", (const char *)data, size, &d) < 0)
        return 0;
    if (d.n_stages == 0)
        abort();
    for (size_t i = 0; i < d.n_stages; i++) {
        if (strv_len(d.stages[i].from.args) != 1)
            abort();
        for (size_t k = 0; k < d.stages[i].n_steps; k++)
            expand(&d, &d.stages[i].steps[k]);
    }
    return 0;
}
