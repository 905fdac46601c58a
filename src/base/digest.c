/* SHA-256 with two backends that give the same result: mbedtls, always there and cheap to start; and libcrypto, loaded
 * at first use for bulk data, which uses the processor's instructions. */
#include "whelk/digest.h"

#include "whelk/auto.h"
#include "whelk/dl.h"
#include "whelk/str.h"

#include <mbedtls/sha256.h>

enum { DIGEST_RAW = 32 };

#if HAVE_LIBCRYPTO

#include <openssl/crypto.h>
#include <openssl/evp.h>

DL_FUNCTION(OPENSSL_init_crypto);
DL_FUNCTION(EVP_MD_CTX_new);
DL_FUNCTION(EVP_MD_CTX_free);
DL_FUNCTION(EVP_sha256);
DL_FUNCTION(EVP_DigestInit_ex);
DL_FUNCTION(EVP_DigestUpdate);
DL_FUNCTION(EVP_DigestFinal_ex);

static const struct dl_symbol crypto_symbols[] = {
    DL_SYMBOL(OPENSSL_init_crypto), DL_SYMBOL(EVP_MD_CTX_new),   DL_SYMBOL(EVP_MD_CTX_free),    DL_SYMBOL(EVP_sha256),
    DL_SYMBOL(EVP_DigestInit_ex),   DL_SYMBOL(EVP_DigestUpdate), DL_SYMBOL(EVP_DigestFinal_ex), DL_END,
};
static struct dl_library crypto = {"libcrypto.so.3", "libssl3", crypto_symbols};
DL_NOTE(libcrypto, "recommended", "fast SHA-256", "libcrypto.so.3");

/* A started context, or NULL if there is no libcrypto that can. Its configuration file, which the environment can name,
 * is left alone: a hash needs none of it. */
static void *crypto_start(void)
{
    if (!dl_ready(&crypto) || !dl_OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL))
        return NULL;
    EVP_MD_CTX *ctx = dl_EVP_MD_CTX_new();
    if (ctx && dl_EVP_DigestInit_ex(ctx, dl_EVP_sha256(), NULL) == 1)
        return ctx;
    dl_EVP_MD_CTX_free(ctx);
    return NULL;
}

static bool crypto_add(void *ctx, const void *data, size_t len)
{
    return dl_EVP_DigestUpdate(ctx, data, len) == 1;
}

static bool crypto_finish(void *ctx, unsigned char ret[DIGEST_RAW])
{
    return dl_EVP_DigestFinal_ex(ctx, ret, NULL) == 1;
}

static void crypto_free(void *ctx)
{
    dl_EVP_MD_CTX_free(ctx);
}

#else

static void *crypto_start(void)
{
    return NULL;
}

static bool crypto_add(void *ctx, const void *data, size_t len)
{
    return false;
}

static bool crypto_finish(void *ctx, unsigned char ret[DIGEST_RAW])
{
    return false;
}

static void crypto_free(void *ctx)
{
}

#endif

struct digest {
    void *crypto; /* libcrypto's context, or NULL: plain is in use */
    mbedtls_sha256_context plain;
};

/* A hash that cannot go on (no memory is the only reason) must not end in a wrong name for the data. */
static void must(bool ok)
{
    if (!ok)
        abort();
}

struct digest *digest_new(bool bulk)
{
    struct digest *d = xcalloc(1, sizeof(*d));
    d->crypto = bulk ? crypto_start() : NULL;
    if (!d->crypto) {
        mbedtls_sha256_init(&d->plain);
        must(mbedtls_sha256_starts_ret(&d->plain, 0) == 0);
    }
    return d;
}

void digest_add(struct digest *d, const void *data, size_t len)
{
    if (len == 0)
        return;
    must(d->crypto ? crypto_add(d->crypto, data, len) : mbedtls_sha256_update_ret(&d->plain, data, len) == 0);
}

void digest_finish(struct digest *d, char ret[DIGEST_BUF])
{
    unsigned char raw[DIGEST_RAW];
    must(d->crypto ? crypto_finish(d->crypto, raw) : mbedtls_sha256_finish_ret(&d->plain, raw) == 0);
    str_hex(raw, DIGEST_RAW, ret);
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    if (d->crypto)
        crypto_free(d->crypto);
    else
        mbedtls_sha256_free(&d->plain);
    free(d);
}

void digest_bytes(const void *data, size_t len, char ret[DIGEST_BUF])
{
    struct digest *d = digest_new(false);
    digest_add(d, data, len);
    digest_finish(d, ret);
    digest_free(d);
}

const char *digest_hex(const char *digest)
{
    const char *hex = str_after(digest, "sha256:");
    return hex && str_is_hex(hex, DIGEST_HEX) ? hex : NULL;
}
