/* Public keys, by mbedtls. */
#include "whelk/pubkey.h"

#include "whelk/err.h"

#include <errno.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <string.h>

int pubkey_verify(const char *pem, const void *data, size_t len, const void *signature, size_t signature_len)
{
    const mbedtls_md_info_t *sha256 = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    unsigned char hash[32];
    mbedtls_pk_context key;
    mbedtls_pk_init(&key);
    int r = mbedtls_pk_parse_public_key(&key, (const unsigned char *)pem, strlen(pem) + 1);
    if (r != 0) {
        mbedtls_pk_free(&key);
        return err_set(-EINVAL, "not a public key in PEM");
    }
    r = mbedtls_md(sha256, data, len, hash);
    if (r == 0)
        r = mbedtls_pk_verify(&key, MBEDTLS_MD_SHA256, hash, sizeof(hash), signature, signature_len);
    mbedtls_pk_free(&key);
    return r == 0;
}
