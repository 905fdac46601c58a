/* --output: DIR, - or keys (type=local, tar, oci, docker, image), and --push. */
#include "build-dest.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/ref.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- files ---- */

static int open_directory(const char *path, int *ret)
{
    int r = dir_make_all(path, 0755);
    *ret = r < 0 ? r : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return r < 0      ? err_set(r, "--output: cannot make %s: %s", path, strerror(-r))
           : *ret < 0 ? err_sys("--output: cannot open %s", path)
                      : 0;
}

static int open_tar(const char *path, int *ret)
{
    *ret = str_eq(path, "-") ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
                             : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    return *ret < 0 ? err_sys("--output: cannot write %s", path) : 0;
}

/* ---- command lines ---- */

static char ***new_job(struct build_dest *d)
{
    d->jobs = xrealloc(d->jobs, (d->n + 1) * sizeof(*d->jobs));
    d->jobs[d->n] = (struct build_after_job){NULL};
    return &d->jobs[d->n++].words;
}

static int add_save(struct build_dest *d, const char *format, const char *dest, bool quiet, char *const *tags)
{
    char ***words = new_job(d);
    strv_add(words, "save");
    strv_addf(words, "--format=%s", format);
    if (!str_eq(dest, "-"))
        strv_addf(words, "--output=%s", dest);
    if (quiet)
        strv_add(words, "--quiet");
    if (tags)
        strv_extend(words, tags);
    else
        strv_add(words, BUILD_AFTER_ID);
    return 0;
}

static void add_registry(char ***words, const struct registry_flags *f)
{
    const struct {
        const char *name, *value;
    } rows[] = {
        {"authfile", f->authfile}, {"creds", f->creds}, {"cert-dir", f->cert_dir}, {"tls-verify", f->tls_verify}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].value)
            strv_addf(words, "--%s=%s", rows[i].name, rows[i].value);
    strv_addf(words, "--retry=%lld", (long long)f->retry);
}

static int add_push(struct build_dest *d, const struct build_dest_options *o, bool quiet, const char *tag)
{
    auto_with(ref_done) struct ref ref = {0};
    int r = ref_parse(tag, &ref);
    if (r < 0)
        return err_wrap(r, "--push");
    if (!ref.domain || str_eq(ref.domain, "localhost"))
        return err_set(-EINVAL, "--push: %s names no registry; give --tag registry.example.org/%s", tag, ref.path);
    char ***words = new_job(d);
    strv_add(words, "push");
    add_registry(words, o->registry);
    if (o->format)
        strv_addf(words, "--format=%s", o->format);
    if (quiet)
        strv_add(words, "--quiet");
    strv_add(words, BUILD_AFTER_ID);
    strv_add(words, tag);
    return 0;
}

static int add_pushes(struct build_dest *d, const struct build_dest_options *o, const struct build_options *build)
{
    int r = build->tags ? 0 : err_set(-EINVAL, "--push: no name says where to; give --tag registry.example.org/NAME");
    strv_foreach (tag, build->tags)
        r = r < 0 ? r : add_push(d, o, build->quiet, tag);
    return r;
}

/* ---- kinds ---- */

struct want {
    const struct build_dest_options *o;
    char **keys;
    const char *dest; /* or NULL */
};

static int want_local(const struct want *w, struct build_options *build, struct build_dest *d)
{
    (void)d;
    return w->dest ? open_directory(w->dest, &build->out_dir)
                   : err_set(-EINVAL, "--output type=local: where to? Give dest=DIR");
}

static int want_tar(const struct want *w, struct build_options *build, struct build_dest *d)
{
    const char *dest = w->dest ? w->dest : "-";
    d->to_stdout = str_eq(dest, "-");
    return open_tar(dest, &build->out_tar);
}

static int want_archive(const struct want *w, struct build_options *build, struct build_dest *d, bool oci)
{
    const char *tar = strv_env_get(w->keys, "tar");
    bool directory = tar && str_eq(tar, "false");
    const char *dest = w->dest ? w->dest : "-";
    d->to_stdout = str_eq(dest, "-");
    if (directory && (d->to_stdout || !oci))
        return err_set(-EINVAL, "--output tar=false: give type=oci and dest=DIR");
    return add_save(d,
                    !oci        ? "docker-archive"
                    : directory ? "oci-dir"
                                : "oci-archive",
                    dest, build->quiet, build->tags);
}

static int want_oci(const struct want *w, struct build_options *build, struct build_dest *d)
{
    return want_archive(w, build, d, true);
}

/* Without a file: into the store, as docker means it, where it is anyway. */
static int want_docker(const struct want *w, struct build_options *build, struct build_dest *d)
{
    return w->dest ? want_archive(w, build, d, false) : 0;
}

static int want_image(const struct want *w, struct build_options *build, struct build_dest *d)
{
    const char *name = strv_env_get(w->keys, "name"), *push = strv_env_get(w->keys, "push");
    if (w->dest)
        return err_set(-EINVAL, "--output type=image goes into the store; for files give type=oci,dest=FILE");
    if (name)
        strv_add(&build->tags, name);
    return push && str_eq(push, "true") && !w->o->push ? add_pushes(d, w->o, build) : 0;
}

static const struct kind {
    const char *type, *keys; /* that it takes beside dest */
    int (*want)(const struct want *w, struct build_options *build, struct build_dest *d);
} kinds[] = {
    {"local", "", want_local},          {"tar", "", want_tar}, {"oci", "tar", want_oci}, {"docker", "", want_docker},
    {"image", "name push", want_image},
};

static int check_keys(const struct kind *kind, char *const *keys)
{
    auto_free char *known = xasprintf("type dest %s", kind->keys);
    auto_strv char **names = strv_split(known, " ");
    strv_foreach (key, keys) {
        auto_free char *name = xstrndup(key, strcspn(key, "="));
        if (!strchr(key, '=') || !strv_has(names, name))
            return err_set(-EINVAL, "--output type=%s: \"%s\" is not known; known: %s", kind->type, key, known);
    }
    return 0;
}

static int open_keys(const struct build_dest_options *o, struct build_options *build, struct build_dest *d)
{
    auto_strv char **keys = strv_split(o->output, ",");
    const char *type = strv_env_get(keys, "type");
    struct want w = {o, keys, strv_env_get(keys, "dest")};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!type || !str_eq(type, kinds[i].type))
            continue;
        int r = check_keys(&kinds[i], keys);
        return r < 0 ? r : kinds[i].want(&w, build, d);
    }
    return err_set(-EINVAL, "--output %s: give DIR, -, or type=local, tar, oci, docker or image with dest=PATH",
                   o->output);
}

int build_dest_open(const struct build_dest_options *o, struct build_options *build, struct build_dest *ret)
{
    int r = 0;
    *ret = (struct build_dest){0};
    build->out_dir = build->out_tar = -1;
    if (o->format && !str_eq(o->format, "oci") && !str_eq(o->format, "docker"))
        return err_set(-EINVAL, "--format is oci or docker, not \"%s\"", o->format);
    if (o->output && strchr(o->output, '='))
        r = open_keys(o, build, ret);
    else if (o->output && str_eq(o->output, "-"))
        r = want_tar(&(struct want){o, NULL, "-"}, build, ret);
    else if (o->output)
        r = open_directory(o->output, &build->out_dir);
    return r == 0 && o->push ? add_pushes(ret, o, build) : r;
}

void build_dest_done(struct build_dest *d)
{
    for (size_t i = 0; i < d->n; i++)
        strv_free(d->jobs[i].words);
    free(d->jobs);
    *d = (struct build_dest){0};
}
