/* What commands that list have in common: order, --format, and times. */
#include "listing.h"

#include "whelk/err.h"

#include <stdio.h>
#include <time.h>

int listing_find_sort(const struct sort_key *keys, const char *word, const struct sort_key **ret)
{
    auto_strv char **words = NULL;
    for (; keys->word; keys++) {
        if (str_eq(keys->word, word)) {
            *ret = keys;
            return 0;
        }
        strv_add(&words, keys->word);
    }
    auto_free char *known = strv_join(words, ", ");
    return err_set(-EINVAL, "--sort %s is not known; known: %s", word, known);
}

static int compare(const json_t *a, const json_t *b)
{
    if (json_is_integer(a) && json_is_integer(b))
        return (json_integer_value(a) > json_integer_value(b)) - (json_integer_value(a) < json_integer_value(b));
    return strcmp(json_is_string(a) ? json_string_value(a) : "", json_is_string(b) ? json_string_value(b) : "");
}

static int compare_rows(const void *a, const void *b, void *ctx)
{
    const struct sort_key *key = ctx;
    int order =
        compare(json_object_get(*(json_t *const *)a, key->field), json_object_get(*(json_t *const *)b, key->field));
    return key->descending ? -order : order;
}

void listing_sort(json_t *rows, const struct sort_key *key)
{
    size_t n = json_array_size(rows);
    auto_free json_t **v = xcalloc(n + 1, sizeof(*v));
    for (size_t i = 0; i < n; i++)
        v[i] = json_incref(json_array_get(rows, i));
    qsort_r(v, n, sizeof(*v), compare_rows, (void *)(uintptr_t)key);
    json_array_clear(rows);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(rows, v[i]);
}

int listing_print(const char *format, const struct template_column *columns, size_t n_columns, const json_t *rows,
                  bool with_header)
{
    auto_buf struct buf out = {0};
    int r = template_list(format, columns, n_columns, rows, with_header, &out);
    if (r == 0 && out.len)
        fwrite(out.data, 1, out.len, stdout);
    return r;
}

bool listing_is_default(const char *format)
{
    return str_empty(format) || str_eq(format, "table");
}

int listing_print_object(const char *format, const json_t *object)
{
    auto_buf struct buf out = {0};
    struct template *t;
    int r = template_parse(str_eq(format, "json") ? "{{json .}}" : format, &t);
    if (r < 0)
        return r;
    r = template_execute(t, object, &out);
    template_free(t);
    if (r < 0)
        return r;
    buf_addc(&out, '\n');
    fwrite(out.data, 1, out.len, stdout);
    return 0;
}

char *listing_time(int64_t ns)
{
    time_t seconds = (time_t)(ns / 1000000000);
    struct tm tm;
    char text[40], zone[16];
    localtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm);
    strftime(zone, sizeof(zone), "%Z", &tm);
    return xasprintf("%s %s", text, zone);
}
