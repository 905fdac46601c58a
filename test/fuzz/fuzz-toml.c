/* TOML. */
#include "whelk/err.h"
#include "whelk/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    auto_json json_t *j = NULL;
    if (toml_parse("fuzz", (const char *)data, len, &j) == 0) {
        auto_free char *text = json_text(j, false);
        if (!text)
            abort();
    }
    err_clear();
    return 0;
}
