/* SHA-256. Backend: libcrypto through dlopen for bulk where found (5-6x as fast), else mbedtls; same result. */
#ifndef WHELK_DIGEST_H
#define WHELK_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_HEX = 64, DIGEST_BUF = 65 };

struct digest; /* a running hash */

/* bulk: megabytes are coming, so loading the fast backend pays. */
struct digest *digest_new(bool bulk);
void digest_add(struct digest *d, const void *data, size_t len);
/* Lower-case hex without "sha256:"; the object stays valid only for digest_free. */
void digest_finish(struct digest *d, char ret[DIGEST_BUF]);
void digest_free(struct digest *d);
/* One shot for small data. */
void digest_bytes(const void *data, size_t len, char ret[DIGEST_BUF]);

/* "sha256:<64 hex>" to its hex part, or NULL: no other algorithm is known (STORE, layers 7). */
const char *digest_hex(const char *digest);

#endif
