/* JSON in, with bounds and without duplicate keys; JSON out. jansson's own types carry the values. */
#ifndef WHELK_JSON_H
#define WHELK_JSON_H

#include "whelk/auto.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

static inline void json_auto_decref(json_t **j)
{
    json_decref(*j);
}
#define auto_json auto_with(json_auto_decref)

/* Parses all of data; duplicate keys, trailing bytes and more than 4 MiB are refused. what names the source in the
 * error text ("manifest sha256:..."). The caller owns *ret. */
int json_parse(const char *what, const char *data, size_t len, json_t **ret);
/* Text with 4 blanks of indent (pretty) or none, keys in insertion order. Caller frees. */
char *json_text(const json_t *j, bool pretty);

/* Looked up in an object: NULL or fallback where the key is missing or of another type. */
const char *json_str(const json_t *obj, const char *key);
int64_t json_int(const json_t *obj, const char *key, int64_t fallback);
bool json_bool(const json_t *obj, const char *key, bool fallback);
/* A new string; bytes that are not UTF-8, which jansson refuses, become U+FFFD. */
json_t *json_from_str(const char *s);
/* A new array of the vector's strings; and its inverse (elements that are not strings are an -EINVAL). */
json_t *json_from_strv(char *const *v);
int json_to_strv(const json_t *array, char ***ret);
/* An object of strings out of KEY=VALUE words. */
json_t *json_from_map(char *const *v);

#endif
