/* Pulling by name. A name that a user types becomes references to try in order; each is a source, and image_receive
 * does the work. Runs in: the process of whelk pull; for run, create and build a forked child, since libcurl must not
 * be in a process that goes on. */
#include "whelk/pull.h"

#include "whelk/err.h"
#include "whelk/event.h"
#include "whelk/image.h"
#include "whelk/log.h"
#include "whelk/policy.h"
#include "whelk/receive.h"
#include "whelk/ref.h"
#include "whelk/registries.h"
#include "whelk/transport-docker.h"

int pull_policy_parse(const char *word, enum pull_policy *ret)
{
    static const struct {
        const char *word;
        enum pull_policy policy;
    } words[] = {
        {"missing", PULL_MISSING},   {"always", PULL_ALWAYS},        {"never", PULL_NEVER},
        {"newer", PULL_NEWER},       {"true", PULL_ALWAYS},          {"false", PULL_MISSING},
        {"ifmissing", PULL_MISSING}, {"ifnotpresent", PULL_MISSING}, {"ifnewer", PULL_NEWER},
    };
    *ret = PULL_MISSING;
    if (!word)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(word, words[i].word)) {
            *ret = words[i].policy;
            return 0;
        }
    return err_set(-EINVAL, "\"%s\" is not a policy for pulling: missing, always, never, newer", word);
}

/* ---- one source ---- */

struct pull {
    struct store *store;
    const struct pull_options *o;
    struct docker_options docker;
    struct platform platform;
    bool any_platform; /* none was asked for: it is this machine's */
    char **ids;
    struct source *source;
};

static void pull_done(struct pull *p)
{
    platform_done(&p->platform);
    strv_free(p->ids);
}

static int pull_begin(struct pull *p)
{
    const char *env = getenv("DOCKER_DEFAULT_PLATFORM");
    const char *word = p->o->platform ?: !str_empty(env) ? env : NULL;
    p->docker = (struct docker_options){.registry = p->o->registry, .store = p->store};
    p->any_platform = !word;
    platform_host(&p->platform);
    if (!word)
        return 0;
    platform_done(&p->platform);
    return platform_parse(word, &p->platform);
}

/* An image that is no index may be for anything. */
static void check_platform(const struct pull *p, const char *id)
{
    auto_with(image_config_done) struct image_config config = {0};
    if (image_load_config(p->store, id, &config) < 0) {
        err_clear();
        return;
    }
    const struct platform have = {.os = (char *)(uintptr_t)image_config_os(&config),
                                  .architecture = (char *)(uintptr_t)image_config_architecture(&config)};
    if (platform_score(&p->platform, &have) > 0)
        return;
    auto_free char *text = platform_text(&have), *wanted = platform_text(&p->platform);
    log_warn("the image is for %s, not for %s", text, wanted);
}

static void tell_layer(void *arg, const struct descriptor *d, bool there)
{
    struct pull *p = arg;
    if (there)
        progress_close(p->docker.progress,
                       progress_add(p->docker.progress, d->digest, (uint64_t)MAX(d->size, INT64_C(0))),
                       "already there");
}

static int receive(struct pull *p, const char *digest, char *const *names)
{
    char id[65];
    const struct receive_options o = {.platform = &p->platform, .names = names, .layer = tell_layer, .arg = p};
    int r = image_receive(p->store, p->source, digest, &o, id);
    if (r < 0)
        return r;
    check_platform(p, id);
    strv_add(&p->ids, id);
    return 0;
}

static int receive_each(const char *digest, char *const *names, void *arg)
{
    return receive(arg, digest, names);
}

/* From a source by its full name. reference: what it is called afterwards; NULL: what the source says. */
static int pull_source(struct pull *p, const char *name, const char *reference)
{
    auto_progress struct progress *progress = NULL;
    const struct transport_options t = {.registry = &p->docker};
    char *names[] = {(char *)(uintptr_t)reference, NULL};
    if (!p->o->quiet) {
        fprintf(stderr, "Pulling %s\n", reference ?: name);
        int r = progress_start(&progress);
        if (r < 0)
            return r;
    }
    p->docker.progress = progress;
    auto_free char *kind = xstrndup(name, strcspn(name, ":"));
    int r = reference ? 0 : policy_check_other(kind);
    if (r == 0)
        r = source_open(name, &t, &p->source);
    if (r < 0)
        return r;
    if (reference) { /* texts call it so */
        free(p->source->name);
        p->source->name = xstrdup(reference);
    }
    r = reference ? receive(p, NULL, names) : source_each(p->source, receive_each, p);
    source_free(p->source);
    p->source = NULL;
    return r;
}

/* A digest says more than a tag: it alone becomes the name. */
static char *name_of(const char *reference)
{
    auto_with(ref_done) struct ref ref = {0};
    if (ref_parse(reference, &ref) < 0 || !ref.digest)
        return xstrdup(reference);
    free(ref.tag);
    ref.tag = NULL;
    return ref_full(&ref, ref.domain);
}

static int pull_reference(struct pull *p, const char *reference)
{
    auto_free char *name = xasprintf("docker://%s", reference), *called = name_of(reference);
    return pull_source(p, name, called);
}

static int pull_all_tags(struct pull *p, const char *reference)
{
    auto_with(ref_done) struct ref ref = {0};
    auto_registry struct registry *registry = NULL;
    auto_strv char **tags = NULL;
    int r = ref_parse(reference, &ref);
    if (r == 0)
        r = registry_open(reference, false, &p->o->registry, &registry);
    if (r == 0)
        r = registry_tags(registry, &tags);
    if (r == 0 && !tags)
        r = err_set(-ENOENT, "%s/%s has no tags", ref.domain, ref.path);
    for (size_t i = 0; r == 0 && tags[i]; i++) {
        auto_with(ref_done) struct ref one = {0};
        auto_free char *full = xasprintf("%s/%s:%s", ref.domain, ref.path, tags[i]);
        r = ref_parse(full, &one);
        if (r == 0)
            r = pull_reference(p, full);
    }
    return r;
}

/* ---- names ---- */

/* Tries the registries that a short name may be in. */
static int pull_typed(struct pull *p, const char *typed)
{
    auto_with(ref_done) struct ref ref = {0};
    auto_strv char **candidates = NULL;
    auto_buf struct buf reasons = {0};
    int r = ref_parse(typed, &ref);
    if (r == 0 && p->o->all_tags && (ref.tag || ref.digest))
        r = err_set(-EINVAL, "--all-tags wants a name without a tag or digest");
    if (r == 0)
        r = registries_candidates(&ref, &candidates);
    if (r < 0)
        return r;
    strv_foreach (candidate, candidates) {
        r = p->o->all_tags ? pull_all_tags(p, candidate) : pull_reference(p, candidate);
        if (r == 0)
            return 0;
        buf_addf(&reasons, "%s%s", reasons.len ? "; " : "", err_text(r));
    }
    return strv_len(candidates) > 1 ? err_set(r, "no registry gives %s: %s", typed, reasons.data) : r;
}

/* The events of a pull: one for each image, or why it failed. */
static void tell(const struct pull *p, const char *typed, int r)
{
    char type[] = "image", action[] = "pull-error", *name = (char *)(uintptr_t)typed;
    auto_strv char **facts = NULL;
    strv_foreach (id, r == 0 ? p->ids : NULL)
        event_object(p->store, type, "pull", id, typed);
    if (r == 0)
        return;
    strv_addf(&facts, "error=%s", err_text(r));
    event_write(p->store, &(struct event){.type = type, .action = action, .name = name, .attributes = facts});
}

int image_pull(struct store *s, const char *name, const struct pull_options *o, char ***ret_ids)
{
    auto_with(pull_done) struct pull p = {.store = s, .o = o};
    const char *typed = str_after(name, "docker://") ?: name;
    int r = pull_begin(&p);
    if (r == 0 && transport_rest(typed) && o->all_tags)
        r = err_set(-EINVAL, "--all-tags is for registries");
    if (r == 0)
        r = transport_rest(typed) ? pull_source(&p, typed, NULL) : pull_typed(&p, typed);
    tell(&p, typed, r);
    if (r == 0)
        strv_extend(ret_ids, p.ids);
    return r;
}

/* ---- what others need ---- */

struct need {
    struct store *store;
    const char *name;
    const struct pull_options *o;
    const char *have; /* digests of the one that is there: of its manifest and of the index that it is from, or NULL */
    const char *have_index;
};

static int pull_child(void *arg)
{
    const struct need *n = arg;
    auto_strv char **ids = NULL;
    return image_pull(n->store, n->name, n->o, &ids);
}

/* 1 if the registry has another image under the name; 0 if not, or if it cannot be asked. */
static int newer_child(void *arg)
{
    const struct need *n = arg;
    auto_with(ref_done) struct ref ref = {0};
    auto_strv char **candidates = NULL;
    char digest[72] = "";
    int r = ref_parse(n->name, &ref);
    if (r == 0)
        r = registries_candidates(&ref, &candidates);
    if (r < 0)
        return r;
    strv_foreach (candidate, candidates) {
        auto_registry struct registry *registry = NULL;
        auto_with(ref_done) struct ref full = {0};
        r = ref_parse(candidate, &full);
        if (r == 0)
            r = registry_open(candidate, false, &n->o->registry, &registry);
        if (r == 0)
            r = registry_manifest_digest(registry, full.digest ?: full.tag, digest);
        if (r == 0)
            break;
    }
    if (r < 0 && r != -ENOENT)
        log_debug("%s", err_text(r));
    bool same = (n->have && str_eq(digest, n->have)) || (n->have_index && str_eq(digest, n->have_index));
    return r == 0 && *digest && !same;
}

static int in_child(int (*fn)(void *arg), struct need *n)
{
    struct worker w;
    int r = worker_start(fn, n, &w);
    return r < 0 ? r : worker_wait(&w);
}

/* 1: there, and for the platform that is asked for. */
static int is_there(struct store *s, const char *name, const struct pull_options *o, char **ret_reference)
{
    auto_free char *id = NULL;
    auto_with(image_config_done) struct image_config config = {0};
    auto_with(platform_done) struct platform want = {0};
    int r = image_find(s, name, &id, ret_reference);
    if (r < 0) {
        if (r == -ENOENT)
            err_clear();
        return r == -ENOENT ? 0 : r;
    }
    if (!o->platform)
        return 1;
    r = platform_parse(o->platform, &want);
    if (r == 0)
        r = image_load_config(s, id, &config);
    if (r < 0)
        return r;
    const struct platform have = {.os = (char *)(uintptr_t)image_config_os(&config),
                                  .architecture = (char *)(uintptr_t)image_config_architecture(&config)};
    return platform_score(&want, &have) > 0;
}

/* An id is never pulled, and what was made here is nowhere else. */
static bool can_be_pulled(const char *name, bool there, const char *reference)
{
    auto_with(ref_done) struct ref ref = {0};
    if (str_after(name, "sha256:") || (there && (!reference || str_after(reference, "localhost/"))))
        return false;
    bool ok = ref_parse(str_after(name, "docker://") ?: name, &ref) == 0;
    err_clear();
    return ok;
}

static int need_newer(struct need *n, const char *reference)
{
    struct image_name known = {0};
    int r = reference ? name_get_all(n->store, reference, &known) : -ENOENT;
    n->have = known.manifest;
    n->have_index = known.index;
    if (r == 0)
        r = in_child(newer_child, n);
    image_name_done(&known);
    if (r <= 0) {
        err_clear(); /* what is there will do */
        return 0;
    }
    return in_child(pull_child, n);
}

int image_need(struct store *s, const char *name, enum pull_policy policy, const struct pull_options *o)
{
    auto_free char *reference = NULL;
    struct need n = {.store = s, .name = name, .o = o};
    if (policy == PULL_NEVER)
        return 0;
    int there = is_there(s, name, o, &reference);
    if (there < 0 || (there && policy == PULL_MISSING))
        return MIN(there, 0);
    if (!can_be_pulled(name, there, reference))
        return 0;
    if (there && policy == PULL_NEWER)
        return need_newer(&n, reference);
    int r = in_child(pull_child, &n);
    return r < 0 && !there ? err_wrap(r, "no such image: %s, and it cannot be pulled", name) : r;
}
