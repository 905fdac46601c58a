/* Restart policies: pure decisions; the SUPERVISOR acts on them. */
#include "restart.h"

#include "whelk/err.h"
#include "whelk/str.h"

enum { FIRST_DELAY = 100, LONGEST_DELAY = 60000, SETTLED = 10000 };

static bool always(const struct ctr *c, const struct restarts *r, int code)
{
    return true;
}

static bool on_failure(const struct ctr *c, const struct restarts *r, int code)
{
    return code != 0 && (c->restart_max == 0 || r->count < c->restart_max);
}

static bool never(const struct ctr *c, const struct restarts *r, int code)
{
    return false;
}

static const struct policy {
    const char *name;
    bool (*again)(const struct ctr *c, const struct restarts *r, int code);
} policies[] = {
    {"no", never}, {"never", never}, {"always", always}, {"unless-stopped", always}, {"on-failure", on_failure}};

static const struct policy *find_policy(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        if (name && str_eq(name, policies[i].name))
            return &policies[i];
    return NULL;
}

int restart_parse(const char *text, char **ret_policy, int64_t *ret_max)
{
    auto_free char *name = xstrndup(text, strcspn(text, ":"));
    const char *number = strchr(text, ':');
    int64_t max = 0;
    bool counted = str_eq(name, "on-failure");
    if (!find_policy(name) || (number && (!counted || !str_to_i64(number + 1, &max) || max < 0)))
        return err_set(-EINVAL,
                       "--restart %s is not known; known: no, always, unless-stopped, on-failure, on-failure:TIMES",
                       text);
    *ret_policy = take_ptr(&name);
    *ret_max = max;
    return 0;
}

bool restart_wanted(const struct ctr *c, struct restarts *r, int code, int64_t ran_ms)
{
    const struct policy *p = find_policy(c->restart);
    if (!p || !p->again(c, r, code))
        return false;
    bool fresh = r->delay_ms == 0 || ran_ms >= SETTLED;
    r->delay_ms = fresh ? FIRST_DELAY : MIN(r->delay_ms * 2, LONGEST_DELAY);
    r->count++;
    return true;
}
