/* Times that make equal images of equal input: --timestamp, --source-date-epoch, --rewrite-timestamp. */
#include "builder.h"

#include "whelk/err.h"

static int read_seconds(const char *what, const char *text, int64_t *ret)
{
    if (str_to_i64(text, ret) && *ret >= 0 && *ret < INT64_C(1) << 33)
        return 0;
    return err_set(-EINVAL, "%s %s: give seconds since 1970", what, text);
}

int build_times_read(const struct build_options *o, const struct build_args *args, struct build_times *ret)
{
    const struct {
        const char *what, *text;
    } sources[] = {
        {"--timestamp", o->timestamp},
        {"--source-date-epoch", o->epoch},
        {"--build-arg SOURCE_DATE_EPOCH", strv_env_get(args->given, "SOURCE_DATE_EPOCH")},
        {"SOURCE_DATE_EPOCH", getenv("SOURCE_DATE_EPOCH")},
    };
    *ret = (struct build_times){.epoch = -1, .same = o->timestamp != NULL, .clamp = o->timestamp || o->rewrite};
    if (o->timestamp && o->epoch)
        return err_set(-EINVAL, "--timestamp and --source-date-epoch exclude each other");
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        if (!str_empty(sources[i].text))
            return read_seconds(sources[i].what, sources[i].text, &ret->epoch);
    return o->rewrite ? err_set(-EINVAL, "--rewrite-timestamp needs --source-date-epoch") : 0;
}

int64_t build_time(const struct builder *b, int64_t ns)
{
    return b->times.epoch < 0 ? ns : b->times.epoch * INT64_C(1000000000);
}
