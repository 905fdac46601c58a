/* How a registry wants to be convinced: WWW-Authenticate challenges, tokens from token services, basic credentials. */
#ifndef WHELK_REGISTRY_AUTH_H
#define WHELK_REGISTRY_AUTH_H

#include "http.h"
#include "whelk/credentials.h"

struct challenge {
    enum { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER } kind;
    char *realm, *service;
};
/* Reads one header; the strongest challenge of it that is known here. Never fails: what is malformed is none. */
void challenge_parse(const char *header, struct challenge *ret);
void challenge_done(struct challenge *c);

/* What is known about one origin. */
struct auth {
    struct challenge challenge;
    struct credential credential; /* user NULL: none */
    struct token {
        char *scope, *text;
        int64_t expires; /* ns, monotonic */
    } * tokens;
    size_t n_tokens;
};
void auth_done(struct auth *a);

struct endpoint;
/* The value of the Authorization header for scope that is known now ("Bearer ..."), or NULL. Caller frees. */
char *auth_header(const struct auth *a, const char *scope);
/* After a 401: takes in its challenge and gets what it asks for. -EACCES with text if there is nothing to answer. */
int auth_answer(struct endpoint *e, const struct http *refused, const char *scope);
/* "Basic dXNlcjpwYXNz"; caller frees. */
char *auth_basic(const char *user, const char *password);

#endif
