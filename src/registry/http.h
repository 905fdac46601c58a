/* HTTP as this folder needs it: single exchanges, several side by side, no redirects, no retries, no credentials of its
 * own (exchange.h has these). Loads libcurl at the first call. */
#ifndef WHELK_REGISTRY_HTTP_H
#define WHELK_REGISTRY_HTTP_H

#include "whelk/str.h"

/* How a server has to prove itself, and how we do. */
struct http_tls {
    bool no_verify;
    char *ca_pem;    /* certificates that are trusted besides the system's, or NULL */
    char *cert_file; /* PEM of the client, or NULL */
    char *key_file;
};
void http_tls_done(struct http_tls *t);

struct http_times {
    unsigned connect_s, stall_s; /* stall: that long below 1 kB/s */
};

/* One request and what came of it. Zero-initialised; url and headers are the holder's, and freed by http_done. */
struct http {
    const char *method;
    char *url;
    char **headers; /* "Name: value" */
    const struct http_tls *tls;
    struct http_times times;

    const void *body; /* sent with the request if len > 0 or method is POST, PUT, PATCH */
    size_t body_len;
    ssize_t (*read)(void *ctx, char *data, size_t len); /* or the body in pieces: 0 is its end, negative an error */
    int64_t read_size;                                  /* of that body, -1 unknown */
    /* Takes the body of an answer with status 200 or 206; else, and for all others, it goes into reply. */
    int (*sink)(void *ctx, const char *data, size_t len);
    void *ctx;
    uint64_t max_reply; /* bytes of body that are taken; 0: 4 MiB */

    int result;  /* 0: an answer came in full. Else negative, and error says why */
    bool again;  /* the failure may pass: time-out, reset, short answer */
    bool no_tls; /* the server does not speak TLS */
    char *error;
    int status;
    char **reply_headers; /* "name: value", names lower case */
    struct buf reply;
};

/* Runs n exchanges in one loop; each has its result afterwards. -ENOPKG with text if there is no libcurl. */
int http_run(struct http *const *all, size_t n);
/* Frees everything of it. */
void http_done(struct http *h);
/* Drops the outcome for another try. */
void http_reset(struct http *h);
/* Value of a header of the answer (the first one), or NULL. */
const char *http_header(const struct http *h, const char *name);
/* Makes this process forget the connections of the parent that it was forked from. */
void http_forked(void);
/* Loads libcurl now, for a process whose forks will need it. */
int http_prepare(void);

/* What reference (absolute or not) means on a page of base. Only http and https, no user in it: -EINVAL with text. */
int http_url_join(const char *base, const char *reference, char **ret);
/* "https://host:443": lower case, with the port; what credentials are bound to. -EINVAL with text. */
int http_url_origin(const char *url, char **ret);
/* Is "name", "name:port", "127.0.0.1:5000" or "[::1]:5000" this machine itself? By its text, nothing is resolved. */
bool http_host_is_loopback(const char *host);
/* s with everything but letters, digits and -._~ as %XX. Caller frees. */
char *http_url_escape(const char *s);

#endif
