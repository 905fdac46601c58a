/* Seccomp filters: compiled by libseccomp once, kept as BPF in the cache, installed by one system call.
 *
 * A filter is three programs in a row. The first is a tree over the numbers of the calls (seccomp-tree.c), which
 * settles all whose arguments do not matter. The others are libseccomp's, for the few where they do: where the first of
 * these
 * ("vetoes") would allow, it jumps into the second ("list") instead. libseccomp alone cannot say "all of ioctl but
 * these two" with masks, nor "EPERM for these flags of clone, and the rest". On architectures where one number stands
 * for several calls (socketcall) there is no tree, and libseccomp has them all.
 *
 * Cache file "seccomp-<16 hex>": a magic, the SHA-256 of the program, the program. It is written without a sync: after
 * a power cut a torn one does not match its digest and is made anew. Runs in: any process; the caller's store lock is
 * not needed. */
#include "seccomp-rule.h"
#include "whelk/digest.h"
#include "whelk/err.h"
#include "whelk/fd.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#define CACHE_MAGIC "whelk seccomp 2\n"
enum {
    CACHE_MAGIC_LEN = sizeof(CACHE_MAGIC) - 1,
    CACHE_HEAD = CACHE_MAGIC_LEN + DIGEST_HEX,
    FILTER_MAX = BPF_MAXINSNS * sizeof(struct sock_filter),
    PROFILE_MAX = 1 << 20,
};

/* Numbers above are nobody's, but for x32's. */
enum { NUMBERS = 1024, X32_BIT = 0x40000000 };

#if defined(__x86_64__) || defined(__aarch64__) || (defined(__riscv) && __riscv_xlen == 64)
enum { USE_TREE = true };
#else
enum { USE_TREE = false };
#endif

struct pending {
    struct seccomp_rule rule;
    enum seccomp_part part;
    int nr;
};

struct seccomp_out {
    scmp_filter_ctx part[2]; /* by enum seccomp_part; NULL: not begun */
    uint32_t fallback[2];
    struct buf pending;         /* of struct pending */
    uint32_t verdicts[NUMBERS]; /* of the tree */
};

static void out_done(struct seccomp_out *out)
{
    buf_done(&out->pending);
    for (size_t i = 0; i < ARRAY_LEN(out->part); i++)
        if (out->part[i])
            seccomp_release(out->part[i]);
}

/* Calls of other architectures: as a kernel answers that does not have these. */
#define OTHER_ARCH SCMP_ACT_ERRNO(ENOSYS)

/* Calls that this libseccomp has no name for yet. From 424 on numbers are the same everywhere. */
static const struct {
    const char *name;
    int number;
} new_calls[] = {
    {"cachestat", 451},         {"fchmodat2", 452},         {"map_shadow_stack", 453}, {"futex_wake", 454},
    {"futex_wait", 455},        {"futex_requeue", 456},     {"statmount", 457},        {"listmount", 458},
    {"lsm_get_self_attr", 459}, {"lsm_set_self_attr", 460}, {"lsm_list_modules", 461}, {"mseal", 462},
    {"setxattrat", 463},        {"getxattrat", 464},        {"listxattrat", 465},      {"removexattrat", 466},
    {"open_tree_attr", 467},    {"file_getattr", 468},      {"file_setattr", 469},
#if defined(__x86_64__)
    {"uretprobe", 335},
#elif defined(__riscv)
    {"riscv_hwprobe", 258},
#endif
};

static int call_number(const char *name)
{
    int nr = seccomp_syscall_resolve_name(name);
    for (size_t i = 0; nr == __NR_SCMP_ERROR && i < ARRAY_LEN(new_calls); i++)
        if (str_eq(new_calls[i].name, name))
            return new_calls[i].number;
    return nr;
}

int seccomp_out_default(struct seccomp_out *out, enum seccomp_part part, uint32_t action)
{
    scmp_filter_ctx ctx = out->part[part] = seccomp_init(action);
    out->fallback[part] = action;
    if (!ctx)
        return err_set(-EINVAL, "seccomp: bad default action 0x%x", action);
    /* A tree of comparisons instead of a list. */
    int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, OTHER_ARCH);
    if (r >= 0)
        r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    return r < 0 ? err_set(r, "seccomp: libseccomp 2.5 or newer is needed") : 0;
}

/* enum seccomp_op to libseccomp's. */
static const enum scmp_compare compares[] = {
    [SECCOMP_OP_NE] = SCMP_CMP_NE,
    [SECCOMP_OP_LT] = SCMP_CMP_LT,
    [SECCOMP_OP_LE] = SCMP_CMP_LE,
    [SECCOMP_OP_EQ] = SCMP_CMP_EQ,
    [SECCOMP_OP_GE] = SCMP_CMP_GE,
    [SECCOMP_OP_GT] = SCMP_CMP_GT,
    [SECCOMP_OP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
};

/* Kept until all are known: whether a call's arguments matter may be told by its last rule. */
int seccomp_out_rule(struct seccomp_out *out, enum seccomp_part part, const struct seccomp_rule *rule)
{
    struct pending p = {.rule = *rule, .part = part, .nr = call_number(rule->name)};
    /* A call that this machine does not have, or what is the default anyway. */
    if (p.nr != __NR_SCMP_ERROR && rule->action != out->fallback[part])
        buf_add(&out->pending, &p, sizeof p);
    return 0;
}

static int add_rule(scmp_filter_ctx ctx, const struct pending *p)
{
    struct scmp_arg_cmp args[SECCOMP_RULE_ARGS];
    const struct seccomp_rule *rule = &p->rule;
    for (unsigned i = 0; i < rule->n_tests; i++)
        args[i] = (struct scmp_arg_cmp){rule->tests[i].index, compares[rule->tests[i].op], rule->tests[i].a,
                                        rule->tests[i].b};
    int r = seccomp_rule_add_array(ctx, rule->action, p->nr, rule->n_tests, args);
    if (r < 0 && r != -EEXIST)
        return err_set(r, "seccomp: cannot add a rule for %s: %s", rule->name, strerror(-r));
    return 0;
}

static bool in_tree(const struct pending *p)
{
    return USE_TREE && p->nr >= 0 && p->nr < NUMBERS;
}

/* Each call's rules go to libseccomp if one of them looks at arguments, else the first one into the tree. */
static int sort_rules(struct seccomp_out *out)
{
    const struct pending *all = (const struct pending *)(void *)out->pending.data;
    size_t n = out->pending.len / sizeof *all;
    int r = 0;
    for (size_t i = 0; i < NUMBERS; i++)
        out->verdicts[i] = out->fallback[SECCOMP_LIST];
    for (size_t i = 0; i < n; i++)
        if (in_tree(&all[i]) && (all[i].rule.n_tests || all[i].part == SECCOMP_VETO))
            out->verdicts[all[i].nr] = SECCOMP_LOOK_AT_ARGS;
    for (size_t i = 0; i < n && r == 0; i++) {
        const struct pending *p = &all[i];
        if (!in_tree(p) || out->verdicts[p->nr] == SECCOMP_LOOK_AT_ARGS)
            r = add_rule(out->part[p->part], p);
        else if (out->verdicts[p->nr] == out->fallback[SECCOMP_LIST])
            out->verdicts[p->nr] = p->rule.action;
    }
    return r;
}

static int export_tree(const struct seccomp_out *out, struct buf *b)
{
    struct seccomp_span spans[NUMBERS + 3];
    size_t n = 0;
    for (uint32_t nr = 0; nr < NUMBERS; nr++)
        if (nr == 0 || out->verdicts[nr] != out->verdicts[nr - 1])
            spans[n++] = (struct seccomp_span){nr, out->verdicts[nr]};
    spans[n++] = (struct seccomp_span){NUMBERS, out->fallback[SECCOMP_LIST]};
#if defined(__x86_64__)
    spans[n++] = (struct seccomp_span){X32_BIT, OTHER_ARCH};
    spans[n++] = (struct seccomp_span){UINT32_MAX, out->fallback[SECCOMP_LIST]}; /* what a tracer skips a call with */
#endif
    return seccomp_tree(seccomp_arch_native(), OTHER_ARCH, spans, n, b);
}

/* libseccomp 2.5 writes its program to a descriptor only. */
static int export_part(scmp_filter_ctx ctx, struct buf *b)
{
    auto_close int fd = memfd_create("seccomp", MFD_CLOEXEC);
    if (fd < 0)
        return err_sys("seccomp: cannot create a memfd");
    int r = seccomp_export_bpf(ctx, fd);
    if (r < 0)
        return err_set(r, "seccomp: cannot compile the filter: %s", strerror(-r));
    if (lseek(fd, 0, SEEK_SET) < 0)
        return err_sys("seccomp: cannot rewind");
    r = fd_read_all(fd, FILTER_MAX, b);
    return r < 0 ? err_wrap(r, "seccomp: cannot read the filter back") : 0;
}

/* Makes the "allow" of the program from start on a jump to its end, where the next program begins. */
static void let_fall_through(struct buf *b, size_t start)
{
    struct sock_filter *insns = (struct sock_filter *)(void *)b->data;
    size_t n = b->len / sizeof(*insns);

    for (size_t i = start / sizeof(*insns); i < n; i++)
        if (insns[i].code == (BPF_RET | BPF_K) && insns[i].k == SECCOMP_RET_ALLOW)
            insns[i] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, n - i - 1);
}

static int out_export(struct seccomp_out *out, struct buf *b)
{
    int r = sort_rules(out);
    if (r == 0 && USE_TREE)
        r = export_tree(out, b);
    size_t start = b->len;
    if (r >= 0 && out->part[SECCOMP_VETO]) {
        r = export_part(out->part[SECCOMP_VETO], b);
        let_fall_through(b, start);
    }
    if (r >= 0)
        r = export_part(out->part[SECCOMP_LIST], b);
    if (r >= 0 && b->len > FILTER_MAX)
        return err_set(-E2BIG, "seccomp: the filter has more than %d instructions", BPF_MAXINSNS);
    return r;
}

static int compile(const struct seccomp_spec *spec, const char *profile, size_t len, struct buf *b)
{
    auto_with(out_done) struct seccomp_out out = {0};
    int r = spec->profile ? seccomp_profile_emit(spec->profile, profile, len, spec->caps, &out)
                          : seccomp_table_emit(spec, &out);
    return r < 0 ? r : out_export(&out, b);
}

/* All that the result depends on. */
static void cache_name(const struct seccomp_spec *spec, const char *profile, size_t len, char ret[32])
{
    struct utsname un;
    char hex[DIGEST_BUF];
    auto_buf struct buf key = {0};

    uname(&un);
    buf_addf(&key, "%d.%d.%d %s ", SCMP_VER_MAJOR, SCMP_VER_MINOR, SCMP_VER_MICRO, un.machine);
    if (spec->profile) {
        buf_addf(&key, "profile %s %llx\n", un.release, (unsigned long long)spec->caps);
        buf_add(&key, profile, len);
    } else {
        buf_addf(&key, "table %llx %llx %d", (unsigned long long)seccomp_table_hash(),
                 (unsigned long long)(spec->caps & seccomp_table_caps()), spec->nested);
    }
    digest_bytes(key.data, key.len, hex);
    snprintf(ret, 32, "seccomp-%.16s", hex);
}

/* -ENOENT also for a file that is torn or not ours. */
static int cache_load(int cache_fd, const char *name, void **ret, size_t *ret_len)
{
    auto_free char *data = NULL;
    size_t len;
    char hex[DIGEST_BUF];

    int r = file_read(cache_fd, name, CACHE_HEAD + FILTER_MAX, &data, &len);
    if (r < 0)
        return r;
    if (len <= CACHE_HEAD || (len - CACHE_HEAD) % sizeof(struct sock_filter) != 0 ||
        memcmp(data, CACHE_MAGIC, CACHE_MAGIC_LEN) != 0)
        return -ENOENT;
    len -= CACHE_HEAD;
    digest_bytes(data + CACHE_HEAD, len, hex);
    if (memcmp(data + CACHE_MAGIC_LEN, hex, DIGEST_HEX) != 0)
        return -ENOENT;
    memmove(data, data + CACHE_HEAD, len);
    *ret = xrealloc(take_ptr(&data), len); /* supervisors keep it: without what reading took more */
    *ret_len = len;
    return 0;
}

/* A cache that cannot be written costs time, not the run. */
static void cache_save(int cache_fd, const char *name, const struct buf *filter)
{
    auto_buf struct buf b = {0};
    char hex[DIGEST_BUF];

    digest_bytes(filter->data, filter->len, hex);
    buf_add(&b, CACHE_MAGIC, CACHE_MAGIC_LEN);
    buf_add(&b, hex, DIGEST_HEX);
    buf_add(&b, filter->data, filter->len);
    if (file_publish(cache_fd, name, b.data, b.len, 0600, false) < 0)
        err_clear();
}

int seccomp_filter(const struct seccomp_spec *spec, int cache_fd, void **ret, size_t *ret_len)
{
    auto_free char *profile = NULL;
    auto_buf struct buf b = {0};
    size_t len = 0;
    char name[32];

    if (spec->profile && str_eq(spec->profile, "unconfined")) {
        *ret = NULL;
        *ret_len = 0;
        return 0;
    }
    if (spec->profile) {
        int r = file_read(AT_FDCWD, spec->profile, PROFILE_MAX, &profile, &len);
        if (r < 0)
            return err_wrap(r, "cannot read the seccomp profile %s", spec->profile);
    }

    cache_name(spec, profile, len, name);
    if (cache_fd >= 0 && cache_load(cache_fd, name, ret, ret_len) == 0)
        return 0;

    int r = compile(spec, profile, len, &b);
    if (r < 0)
        return r;
    if (cache_fd >= 0)
        cache_save(cache_fd, name, &b);
    *ret_len = b.len;
    *ret = buf_take(&b);
    return 0;
}

int seccomp_install(const void *filter, size_t len)
{
    if (len == 0)
        return 0;
    struct sock_fprog prog = {.len = (unsigned short)(len / sizeof(struct sock_filter)),
                              .filter = (struct sock_filter *)filter};
    /* SPEC_ALLOW: store bypass mitigation slows everything down and is not what this filter is for. */
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog) < 0)
        return err_sys("cannot install the seccomp filter");
    return 0;
}
