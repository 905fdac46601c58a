/* Signatures by a public key (ECDSA or RSA, over SHA-256). */
#ifndef WHELK_PUBKEY_H
#define WHELK_PUBKEY_H

#include <stddef.h>

/* 1: signature is that of data by the key (PEM); 0: it is not. -EINVAL with text if the key cannot be read. */
int pubkey_verify(const char *pem, const void *data, size_t len, const void *signature, size_t signature_len);

#endif
