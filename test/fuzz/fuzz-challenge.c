/* WWW-Authenticate headers. */
#include "auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    auto_free char *text = xstrndup((const char *)data, len);
    auto_with(challenge_done) struct challenge c = {0};
    challenge_parse(text, &c);
    if (c.kind == CHALLENGE_BEARER && !c.realm)
        abort();
    return 0;
}
