/* Secrets in a container: files on a tmpfs of its own, which is sealed read-only, and variables. Nothing of them
 * touches the writable layer but the empty mount points.
 *
 * Runs in: CHILD (mounts, variables); the invocation and the SUPERVISOR (variables for exec and health checks). */
#include "child.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"
#include "whelk/run.h"
#include "whelk/secret.h"

#include <fcntl.h>
#include <sys/mount.h>

static const char secrets_dir[] = "/run/secrets";

int secrets_env(int store_fd, const struct ctr *c, char ***env)
{
    enum { VARIABLE_MAX = 128 << 10 }; /* what the kernel takes as one string */
    const struct ctr_secret *secrets = c->secrets.items;
    for (size_t i = 0; i < c->secrets.n; i++) {
        auto_free char *data = NULL;
        size_t len = 0;
        if (!secrets[i].variable)
            continue;
        int r = secret_read(store_fd, secrets[i].name, &data, &len);
        if (r == 0 && (memchr(data, 0, len) || len + strlen(secrets[i].variable) + 2 > VARIABLE_MAX))
            r = err_set(-E2BIG, "it has a zero byte, or more than 128 KiB; use type=mount");
        if (r < 0)
            return err_wrap(r, "cannot set %s from secret %s", secrets[i].variable, secrets[i].name);
        strv_env_set(env, secrets[i].variable, data);
    }
    return 0;
}

int child_secret_env(struct child *k)
{
    return secrets_env(k->store_fd, k->plan->c, &k->env);
}

/* The file's name in the tmpfs: below /run/secrets its own path, else a number for the moment until it is bound where
 * it belongs. */
static char *name_in_tmpfs(const struct ctr_secret *x, size_t i)
{
    const char *below = str_after(x->target, "/run/secrets/");
    return below ? xstrdup(below) : xasprintf(".%zu", i);
}

static int read_value(const struct child *k, const char *name, char **ret, size_t *ret_len)
{
    for (size_t i = 0; i < k->plan->n_values; i++) {
        const struct secret_value *v = &k->plan->values[i];
        if (!str_eq(v->name, name))
            continue;
        *ret = xmalloc(v->len + 1);
        memcpy(*ret, v->data, v->len);
        *ret_len = v->len;
        return 0;
    }
    return secret_read(k->store_fd, name, ret, ret_len);
}

static int make_file(struct child *k, int tmpfs, const struct ctr_secret *x, const char *name)
{
    auto_free char *data = NULL;
    size_t len = 0;
    int r = read_value(k, x->name, &data, &len);
    if (r < 0)
        return r;
    auto_close int place = -1;
    r = open_target(tmpfs, name, false, &place);
    auto_close int fd = r < 0 ? -1 : open_in_root(tmpfs, name, O_WRONLY | O_NOFOLLOW, 0);
    if (fd < 0)
        return err_set(r < 0 ? r : fd, "two secrets have the same target");
    r = fd_write_all(fd, data, len);
    if (r == 0 && (fchown(fd, seen_uid(k, (uint32_t)x->uid), seen_gid(k, (uint32_t)x->gid)) < 0 ||
                   fchmod(fd, (mode_t)x->mode) < 0))
        r = err_sys("cannot give it to %lld:%lld", (long long)x->uid, (long long)x->gid);
    return r;
}

/* What goes elsewhere is bound there, and then has no name here any more. */
static int bind_file(struct child *k, const char *name, const char *target)
{
    auto_free char *path = xasprintf("%s/%s", secrets_dir + 1, name);
    auto_close int file = open_in_root(k->root_fd, path, O_PATH | O_NOFOLLOW, 0), mnt = -1;
    int r = file < 0 ? file : mnt_clone(file, "", false, &mnt);
    if (r == 0)
        r = mnt_attrs(mnt, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, false);
    return r < 0 ? r : child_attach(k, mnt, target, false);
}

static int fill_tmpfs(struct child *k, int tmpfs)
{
    const struct ctr_secret *secrets = k->plan->c->secrets.items;
    for (size_t i = 0; i < k->plan->c->secrets.n; i++) {
        if (secrets[i].variable)
            continue;
        auto_free char *name = name_in_tmpfs(&secrets[i], i);
        int r = make_file(k, tmpfs, &secrets[i], name);
        if (r == 0 && *name == '.') {
            r = bind_file(k, name, secrets[i].target);
            unlinkat(tmpfs, name, 0);
        }
        if (r < 0)
            return err_wrap(r, "cannot mount secret %s at %s", secrets[i].name, secrets[i].target);
    }
    return 0;
}

static bool has_files(const struct ctr *c)
{
    const struct ctr_secret *secrets = c->secrets.items;
    for (size_t i = 0; i < c->secrets.n; i++)
        if (!secrets[i].variable)
            return true;
    return false;
}

int child_mount_secrets(struct child *k)
{
    auto_close int tmpfs = -1;
    if (!has_files(k->plan->c))
        return 0;
    int r = mnt_new("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
                    (const char *const[]){"mode", "755", NULL}, &tmpfs);
    if (r == 0)
        r = child_attach(k, tmpfs, secrets_dir, true);
    if (r < 0)
        return err_wrap(r, "cannot mount %s", secrets_dir);
    r = fill_tmpfs(k, tmpfs);
    return r < 0 ? r : mnt_attrs(tmpfs, MOUNT_ATTR_RDONLY, 0, false);
}
