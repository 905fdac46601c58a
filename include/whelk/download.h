/* A file from a web server, for builds: no credentials are sent, and none can stand in the address. */
#ifndef WHELK_DOWNLOAD_H
#define WHELK_DOWNLOAD_H

#include <stdint.h>

struct download_facts {
    char etag[200], modified[100]; /* as the server says them; "" if it does not */
    int64_t mtime;                 /* seconds, of modified; 0 if there is none */
};

/* Writes what is at url (http or https) to fd, at most max bytes; fd -1: only asks for the facts (HEAD). Follows
 * redirects, but never from https to http. Runs in a worker, since libcurl stays in the process that loads it.
 * ret_facts may be NULL. Errors have text; -ENOENT for 404 and 410. */
int download(const char *url, int fd, uint64_t max, struct download_facts *ret_facts);

#endif
