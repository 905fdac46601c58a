/* Texts of /proc: the names in them are the processes' own. */
#include "whelk/process.h"
#include "whelk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_free char *text = xstrndup((const char *)data, size);
    struct process p = {0};
    uint64_t in, out;
    process_parse_stat(text, &p);
    process_parse_status(text, &p);
    process_parse_network(text, &in, &out);
    process_done(&p);
    return 0;
}
