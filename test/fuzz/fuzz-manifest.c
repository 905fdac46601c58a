/* Any bytes as a manifest: what is accepted is written and read again, and is then the same. */
#include "whelk/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_with(manifest_done) struct manifest first = {0}, second = {0};
    size_t len, again_len;

    if (manifest_parse((const char *)data, size, NULL, &first) < 0)
        return 0;
    auto_free char *bytes = manifest_bytes(&first, &len);
    if (manifest_parse(bytes, len, NULL, &second) < 0)
        return len > MANIFEST_MAX ? 0 : (abort(), 0);
    auto_free char *again = manifest_bytes(&second, &again_len);
    if (!str_eq(bytes, again))
        abort();
    auto_with(platform_done) struct platform want = {0};
    const struct descriptor *got;
    platform_host(&want);
    if (manifest_is_index(&first))
        manifest_pick(&first, &want, &got);
    return 0;
}
