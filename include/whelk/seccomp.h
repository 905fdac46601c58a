/* The seccomp filter of a container: compiled once by libseccomp from a profile and kept as BPF bytes. Installing kept
 * bytes needs no libseccomp call. Posture: SECURITY 2.2. */
#ifndef WHELK_SECCOMP_H
#define WHELK_SECCOMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seccomp_spec {
    const char *profile; /* NULL: built in; "unconfined"; else the path of a JSON profile (docker's format) */
    uint64_t caps;       /* of the container: some calls follow capabilities */
    bool nested;         /* --security-opt nested: mount, unshare, setns... allowed */
};

/* The compiled filter, from cache_fd (a directory, or -1: no cache) under the hash of the profile, or made and kept
 * there. *ret is the array of struct sock_filter as bytes; the caller frees. Unconfined gives length 0. */
int seccomp_filter(const struct seccomp_spec *spec, int cache_fd, void **ret, size_t *ret_len);
/* Installs it on this process. Needs CAP_SYS_ADMIN here or no_new_privs. One system call. */
int seccomp_install(const void *filter, size_t len);

#endif
