/* The map of a sparse file: its segments, one after the other. */
#include "tar-parts.h"

#include "whelk/err.h"

void tar_sparse_done(struct tar_sparse *s)
{
    free(s->segments);
    *s = (struct tar_sparse){};
}

int tar_sparse_add(struct tar_sparse *s, uint64_t number)
{
    if (s->half) {
        s->segments[s->n - 1].len = number;
        s->half = false;
        return 0;
    }
    if (s->n == TAR_MAX_SEGMENTS)
        return err_set(-E2BIG, "a sparse file of more than %d pieces", TAR_MAX_SEGMENTS);
    if (s->n == s->cap) {
        s->cap = MAX(16, s->cap * 2);
        s->segments = xrealloc(s->segments, s->cap * sizeof(*s->segments));
    }
    s->segments[s->n++] = (struct tar_segment){.offset = number};
    s->half = true;
    return 0;
}

int tar_sparse_check(const struct tar_sparse *s, uint64_t real_size, uint64_t stored)
{
    uint64_t end = 0, sum = 0;
    bool ok = !s->half && real_size <= INT64_MAX;
    for (size_t i = 0; ok && i < s->n; i++) {
        struct tar_segment seg = s->segments[i];
        ok = seg.offset >= end && seg.offset <= real_size && seg.len <= real_size - seg.offset;
        end = seg.offset + seg.len;
        sum += seg.len; /* cannot overflow: the segments do not overlap and end at real_size */
    }
    return ok && sum == stored ? 0 : err_set(-EBADMSG, "the map of a sparse file is wrong");
}
