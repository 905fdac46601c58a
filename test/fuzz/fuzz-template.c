/* Any bytes as a template, over data with a value of each kind: parsed, executed, and used for rows. */
#include "whelk/template.h"

#include "whelk/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char value[] =
    "{\"ID\":\"a1\",\"Names\":\"web\",\"N\":-3,\"R\":1.5,\"T\":true,\"Z\":null,\"Labels\":{\"a.b\":\"c\",\"d\":\"\"},"
    "\"L\":[\"x\",\"y\",2,[],{}],\"P\":{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"}],\"81/tcp\":null}}";

static const struct template_column columns[] = {
    {"ID", "CONTAINER ID", true}, {"Names", "NAMES", true}, {"N", "N", false}};

/* An error has a text and leaves nothing behind. */
static void check(int r, const struct buf *out)
{
    if (r < 0 && (out->len || err_is_clear()))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static json_t *row, *rows;
    auto_free char *text = xstrndup((const char *)data, size);
    auto_buf struct buf out = {0}, list = {0};
    struct template *t;

    if (!row) {
        json_parse("value", value, strlen(value), &row);
        rows = json_pack("[O,O]", row, row);
    }
    err_clear();
    if (template_parse(text, &t) == 0) {
        check(template_execute(t, row, &out), &out);
        template_free(t);
    } else if (err_is_clear()) {
        abort();
    }
    check(template_list(text, columns, ARRAY_LEN(columns), rows, true, &list), &list);
    return 0;
}
