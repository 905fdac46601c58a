/* Any bytes as a container's message to systemd: what goes on is whole lines of printable text, and goes on again. */
#include "notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_buf struct buf out = {0};
    notify_filter((const char *)data, size, &out);
    for (size_t i = 0; i < out.len; i++)
        if ((unsigned char)out.data[i] < ' ' && out.data[i] != '\n')
            abort();
    if (out.len && (out.data[out.len - 1] != '\n' || str_after(out.data, "MAINPID=") || strstr(out.data, "\nMAINPID=")))
        abort();
    return 0;
}
