/* Any bytes as a reference: what is accepted is still accepted, and the same, once it is written out in full. */
#include "whelk/ref.h"

#include "whelk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = xstrndup((const char *)data, size), *full = NULL, *again = NULL;
    auto_with(ref_done) struct ref r = {0}, second = {0};

    if (ref_parse(text, &r) < 0)
        return 0;
    full = ref_full(&r, "docker.io");
    if (ref_parse(full, &second) < 0)
        return strlen(full) > 255 ? 0 : (abort(), 0); /* only the added domain may make it too long */
    again = ref_full(&second, "quay.io");
    if (!str_eq(full, again))
        abort();
    return 0;
}
