/* The options of all commands that talk with a registry. */
#ifndef WHELK_CMD_REGISTRY_FLAGS_H
#define WHELK_CMD_REGISTRY_FLAGS_H

#include "whelk/opt.h"
#include "whelk/registry.h"
#include "whelk/store.h"

struct registry_flags {
    char *authfile, *creds, *cert_dir, *tls_verify;
    int64_t retry, retry_delay, stall;
};

/* Rows for a command whose options struct has a member of the type above. AUTH: for all; TRANSFER: for those that move
 * images. */
#define REGISTRY_AUTH_ROWS(type, member)                                                                               \
    {"authfile",                                                                                                       \
     0,                                                                                                                \
     OPT_STR,                                                                                                          \
     OPT(type, member.authfile),                                                                                       \
     .arg = "FILE",                                                                                                    \
     .help = "where logins are stored",                                                                                \
     .complete = COMPLETE_FILE},                                                                                       \
        {"cert-dir",                                                                                                   \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, member.cert_dir),                                                                                   \
         .arg = "DIR",                                                                                                 \
         .help = "certificates for the registry: *.crt, *.cert with *.key",                                            \
         .complete = COMPLETE_DIR},                                                                                    \
    {                                                                                                                  \
        "tls-verify", 0, OPT_BOOL_STR, OPT(type, member.tls_verify),                                                   \
            .bare = "true", .help = "want a valid certificate; false: any, or plain http",                             \
            .def = "true, not for loopback"                                                                            \
    }
#define REGISTRY_TRANSFER_ROWS(type, member)                                                                           \
    REGISTRY_AUTH_ROWS(type, member), {"creds",                                                                        \
                                       0,                                                                              \
                                       OPT_STR,                                                                        \
                                       OPT(type, member.creds),                                                        \
                                       .arg = "USER:PASSWORD",                                                         \
                                       .help = "use this login, not the stored one"},                                  \
        {"retry",   0, OPT_INT, OPT(type, member.retry), .arg = "N", .help = "tries after a failure that may pass",    \
         .def = "3"},                                                                                                  \
        {"retry-delay",                                                                                                \
         0,                                                                                                            \
         OPT_DURATION,                                                                                                 \
         OPT(type, member.retry_delay),                                                                                \
         .arg = "DURATION",                                                                                            \
         .help = "wait between tries",                                                                                 \
         .def = "1s, longer each time"},                                                                               \
    {                                                                                                                  \
        "stall-timeout", 0, OPT_DURATION, OPT(type, member.stall),                                                     \
            .arg = "DURATION", .help = "give a transfer up that stays below 1 kB/s for so long", .def = "30s"          \
    }

/* Which of a multi-platform image: --platform, or its parts. */
struct platform_flags {
    char *platform, *arch, *os, *variant;
};
#define PLATFORM_ROWS(type, member)                                                                                    \
    {"arch", 0, OPT_STR, OPT(type, member.arch), .arg = "ARCH", .help = "architecture of the image, as arm64"},        \
        {"os", 0, OPT_STR, OPT(type, member.os), .arg = "OS", .help = "operating system of the image"},                \
        {"platform",                                                                                                   \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, member.platform),                                                                                   \
         .arg = "OS/ARCH[/VARIANT]",                                                                                   \
         .help = "which of an image for several platforms",                                                            \
         .def = "this machine's"},                                                                                     \
    {                                                                                                                  \
        "variant", 0, OPT_STR, OPT(type, member.variant), .arg = "VARIANT", .help = "variant of the architecture"      \
    }
/* The platform in one word, NULL if nothing was given; caller frees. -EINVAL with text. */
int platform_flags_text(const struct platform_flags *f, char **ret);

/* What run and create want to know for images that are not there. */
struct pull_flags {
    struct registry_flags registry;
    struct platform_flags platform;
    char *policy;
    bool quiet, content_trust;
};
#define PULL_ROWS(type, member)                                                                                        \
    REGISTRY_TRANSFER_ROWS(type, member.registry), PLATFORM_ROWS(type, member.platform),                               \
        {"disable-content-trust", 0, OPT_BOOL, OPT(type, member.content_trust)},                                       \
        {"pull",                                                                                                       \
         0,                                                                                                            \
         OPT_STR,                                                                                                      \
         OPT(type, member.policy),                                                                                     \
         .arg = "POLICY",                                                                                              \
         .help = "when to pull the image: missing, always, never or newer",                                            \
         .def = "missing",                                                                                             \
         .complete = COMPLETE_WORDS,                                                                                   \
         .words = "missing always never newer"},                                                                       \
    {                                                                                                                  \
        "quiet", 'q', OPT_BOOL, OPT(type, member.quiet), .help = "do not show how a pull goes on"                      \
    }
/* -EINVAL with text if they make no sense. */
int pull_flags_check(const struct pull_flags *f);
/* Sees that the image is in the store, as the flags say. */
int pull_flags_need(struct store *s, const struct pull_flags *f, const char *image);

/* Fills in what holds when nothing is given. */
void registry_flags_defaults(struct registry_flags *f);
/* -EINVAL with text. The strings stay the flags'. */
int registry_flags_options(const struct registry_flags *f, struct registry_options *ret);

#endif
