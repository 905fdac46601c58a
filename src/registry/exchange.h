/* Talking with one registry: what is sent to it goes through here, so that addresses, credentials and retries have one
 * set of rules.
 *
 *   - Credentials and tokens are bound to the registry's origin (scheme, host, port). A redirect elsewhere loses them
 *     (H8). https never becomes http.
 *   - Plain http only where it was allowed: on loopback, and elsewhere after the server did not speak TLS. Credentials
 *     follow the first answer, so none go by http to a server that speaks TLS.
 *   - One answer to a 401 with fresh credentials, then it is an error; ten redirects; a bounded number of retries. */
#ifndef WHELK_REGISTRY_EXCHANGE_H
#define WHELK_REGISTRY_EXCHANGE_H

#include "auth.h"
#include "http.h"

struct endpoint {
    char *host; /* as in image names: "host:5000" */
    char *base; /* "https://host:5000" */
    bool may_http;
    bool http_first; /* on this machine: most have no TLS there, and trying it costs more than all the rest */
    bool settled;    /* base is known to be right */
    struct http_tls tls;
    struct http_times times;
    unsigned retries;
    int64_t retry_delay; /* ns; 0: 1 s, doubled each time */
    struct auth auth;
};
void endpoint_done(struct endpoint *e);

struct exchange {
    struct http http;  /* method, body, sink and so on; url is filled in */
    const char *path;  /* "/v2/...", or an absolute address that the registry gave */
    const char *scope; /* what a token has to allow, or NULL */
    bool once;         /* its body or sink cannot be begun again: failures that may pass are the caller's matter */
    bool elsewhere;    /* it was redirected to another origin */
    int wait;          /* seconds that a 429 or 503 asked for, -1: no word of it */

    unsigned redirects, tries;
    bool answered_401, done;
};

/* Runs all of them to an answer. 0, or the first failure, with text (each one's is in its http.result and error). An
 * answer with an error status is an answer: exchange_fault is for it. */
int exchange_run(struct endpoint *e, struct exchange *const *all, size_t n);
int exchange_one(struct endpoint *e, struct exchange *x);
void exchange_done(struct exchange *x);
/* Sets the error for an unwanted status of x: what ("manifest v1"), the registry's own message, the way out. */
int exchange_fault(const struct endpoint *e, const struct exchange *x, const char *what);
/* Waits before try number n (from 1) the time that x was asked to wait, or by backoff. -EBUSY with text if too long. */
int exchange_pause(const struct endpoint *e, const struct exchange *x, unsigned n);
/* May a request that ended with this status work later? */
bool exchange_status_passes(int status);

#endif
