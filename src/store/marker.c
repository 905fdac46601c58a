/* The store's marker record and the id map in it. Pure but for the record table. */
#include "store-private.h"

#include "whelk/err.h"

static const struct rec_field marker_fields[] = {
    REC_FIELD(struct store_marker, INT, version, "version"),
    REC_FIELD(struct store_marker, STR, uuid, "uuid"),
    REC_FIELD(struct store_marker, INT, uid, "uid"),
    REC_FIELD(struct store_marker, JSON, idmap, "idmap"),
    REC_END,
};
const struct rec_type store_marker_rec = {"store marker", 1, sizeof(struct store_marker), marker_fields};
const char store_marker_name[] = "whelk-store.json";

static json_t *ranges_to_json(const struct id_range *r, unsigned n)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < n; i++)
        json_array_append_new(
            array, json_pack("[I, I, I]", (json_int_t)r[i].inside, (json_int_t)r[i].outside, (json_int_t)r[i].count));
    return array;
}

json_t *idmap_to_json(const struct idmap *m)
{
    if (idmap_none(m))
        return NULL;
    return json_pack("{s:o, s:o}", "uid", ranges_to_json(m->uid, m->n_uid), "gid", ranges_to_json(m->gid, m->n_gid));
}

static bool id_from_json(const json_t *j, int64_t min, uint32_t *ret)
{
    json_int_t v = json_integer_value(j);
    *ret = (uint32_t)v;
    return json_is_integer(j) && v >= min && v <= UINT32_MAX;
}

/* One [inside, outside, count]; the sums must stay ids. */
static bool range_from_json(const json_t *j, struct id_range *ret)
{
    return json_array_size(j) == 3 && id_from_json(json_array_get(j, 0), 0, &ret->inside) &&
           id_from_json(json_array_get(j, 1), 0, &ret->outside) && id_from_json(json_array_get(j, 2), 1, &ret->count) &&
           (uint64_t)ret->inside + ret->count <= UINT32_MAX && (uint64_t)ret->outside + ret->count <= UINT32_MAX;
}

static int ranges_from_json(const json_t *array, struct id_range *ret, unsigned *ret_n)
{
    size_t n = json_array_size(array);
    if (n < 1 || n > IDMAP_MAX)
        return err_set(-EBADMSG, "the id map must have 1 to %d ranges", IDMAP_MAX);
    for (size_t i = 0; i < n; i++) {
        if (!range_from_json(json_array_get(array, i), &ret[i]))
            return err_set(-EBADMSG, "range %zu of the id map is not [inside, outside, count]", i + 1);
    }
    *ret_n = (unsigned)n;
    return 0;
}

int idmap_from_json(const json_t *j, struct idmap *ret)
{
    struct idmap m = {0};
    if (j) {
        int r = ranges_from_json(json_object_get(j, "uid"), m.uid, &m.n_uid);
        if (r == 0)
            r = ranges_from_json(json_object_get(j, "gid"), m.gid, &m.n_gid);
        if (r < 0)
            return r;
    }
    *ret = m;
    return 0;
}
