/* What the built-in table and a JSON profile both turn into: rules, handed one by one to seccomp.c, which alone knows
 * libseccomp. Actions are the kernel's own values (SECCOMP_RET_*). */
#ifndef WHELK_SECCOMP_RULE_H
#define WHELK_SECCOMP_RULE_H

#include "whelk/seccomp.h"
#include "whelk/str.h"

#include <linux/seccomp.h>

enum { SECCOMP_RULE_ARGS = 6 };

enum seccomp_op {
    SECCOMP_OP_NE,
    SECCOMP_OP_LT,
    SECCOMP_OP_LE,
    SECCOMP_OP_EQ,
    SECCOMP_OP_GE,
    SECCOMP_OP_GT,
    SECCOMP_OP_MASKED_EQ, /* (argument & a) == b */
};

struct seccomp_test {
    unsigned index;
    enum seccomp_op op;
    uint64_t a, b;
};

/* All tests must hold. Without tests the action is that of every call of the name. */
struct seccomp_rule {
    char name[64];
    uint32_t action;
    unsigned n_tests;
    struct seccomp_test tests[SECCOMP_RULE_ARGS];
};

static inline uint32_t seccomp_errno(int err)
{
    return SECCOMP_RET_ERRNO | ((uint32_t)err & SECCOMP_RET_DATA);
}

/* Where rules go (seccomp.c). A filter is two programs in a row: the vetoes (what they do not name passes on) and the
 * list (what it does not name gets its default action). */
struct seccomp_out;
enum seccomp_part { SECCOMP_VETO, SECCOMP_LIST };
int seccomp_out_default(struct seccomp_out *out, enum seccomp_part part,
                        uint32_t action); /* before the first rule of a part */
int seccomp_out_rule(struct seccomp_out *out, enum seccomp_part part, const struct seccomp_rule *rule);

/* seccomp-tree.c: calls from number `from` up to the next span's. */
struct seccomp_span {
    uint32_t from, verdict;
};
#define SECCOMP_LOOK_AT_ARGS UINT32_MAX /* as a verdict: goes on behind the tree */
/* Adds the program; the first span begins at 0. other_arch: the verdict for calls of other architectures. */
int seccomp_tree(uint32_t arch, uint32_t other_arch, const struct seccomp_span *spans, size_t n, struct buf *b);

/* seccomp-table.c: the built-in profile. */
int seccomp_table_emit(const struct seccomp_spec *spec, struct seccomp_out *out);
uint64_t seccomp_table_hash(void); /* changes with every change of the table */
uint64_t seccomp_table_caps(void); /* the capabilities that the table asks for */

/* seccomp-profile.c: docker's JSON. what names the file in error texts. */
int seccomp_profile_emit(const char *what, const char *text, size_t len, uint64_t caps, struct seccomp_out *out);

#endif
