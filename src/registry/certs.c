/* certs.d: authorities are read and handed over as text, the client's pair by name. Runs in: who opens a registry. */
#include "certs.h"

#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>

enum { CERT_MAX = 1 << 20 };

static int add_authority(const char *path, struct buf *pem)
{
    auto_free char *text = NULL;
    size_t len;
    int r = file_read(AT_FDCWD, path, CERT_MAX, &text, &len);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    buf_add(pem, text, len);
    buf_addc(pem, '\n');
    return 0;
}

static int add_client(const char *dir, const char *name, struct http_tls *tls)
{
    auto_free char *key = xasprintf("%s/%.*s.key", dir, (int)(strlen(name) - strlen(".cert")), name);
    if (access(key, R_OK) < 0)
        return err_set(-EACCES, "%s/%s needs its key, and %s cannot be read", dir, name, key);
    if (tls->cert_file)
        return 0;
    tls->cert_file = xasprintf("%s/%s", dir, name);
    tls->key_file = take_ptr(&key);
    return 0;
}

/* -ENOENT without text if there is no such directory. */
static int certs_from(const char *dir, struct http_tls *tls)
{
    auto_strv char **names = NULL;
    auto_buf struct buf pem = {0};
    int r = dir_names(AT_FDCWD, dir, &names);
    if (r == -ENOTDIR)
        return -ENOENT;
    strv_foreach (name, names) {
        auto_free char *path = xasprintf("%s/%s", dir, name);
        if (r == 0 && str_ends(name, ".crt"))
            r = add_authority(path, &pem);
        else if (r == 0 && str_ends(name, ".cert"))
            r = add_client(dir, name, tls);
    }
    if (r == 0 && pem.len)
        tls->ca_pem = buf_take(&pem);
    return r;
}

int certs_load(const char *cert_dir, const char *host, struct http_tls *ret)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME") ?: "";
    auto_free char *config = !str_empty(xdg) ? xstrdup(xdg) : xasprintf("%s/.config", home);
    auto_free char *own = xasprintf("%s/containers/certs.d/%s", config, host);
    auto_free char *system = xasprintf("/etc/containers/certs.d/%s", host);
    auto_free char *docker = xasprintf("/etc/docker/certs.d/%s", host);
    const char *const places[] = {own, system, docker};
    auto_with(http_tls_done) struct http_tls tls = {0};
    int r = -ENOENT;
    if (cert_dir) {
        r = certs_from(cert_dir, &tls);
        if (r == -ENOENT)
            r = err_set(r, "there is no directory %s (--cert-dir)", cert_dir);
    } else {
        for (size_t i = 0; i < ARRAY_LEN(places) && r == -ENOENT; i++)
            r = certs_from(places[i], &tls);
        r = r == -ENOENT ? 0 : r;
    }
    if (r == 0) {
        *ret = tls;
        tls = (struct http_tls){0};
    }
    return r;
}
