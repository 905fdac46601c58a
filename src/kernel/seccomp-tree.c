/* The part of a seccomp filter that looks at nothing but the number of the call: a binary tree over ranges of numbers
 * with one verdict each. libseccomp makes a comparison for every number; in ranges it is half the instructions, and
 * each call passes fewer of them.
 *
 * A node is "number >= k?" with the smaller numbers right behind it; a leaf returns, or jumps to the end, where the
 * programs that look at arguments stand. */
#include "seccomp-rule.h"
#include "whelk/err.h"

#include <linux/filter.h>

enum { JUMP_MAX = 255 };

static void add(struct buf *b, struct sock_filter insn)
{
    buf_add(b, &insn, sizeof insn);
}

static size_t count(const struct buf *b)
{
    return b->len / sizeof(struct sock_filter);
}

static struct sock_filter *insn_at(const struct buf *b, size_t i)
{
    return (struct sock_filter *)(void *)b->data + i;
}

/* The length of a jump to the end is known only there: 0 until then. */
static void add_leaf(struct buf *b, uint32_t verdict)
{
    if (verdict == SECCOMP_LOOK_AT_ARGS)
        add(b, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
    else
        add(b, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict));
}

static int add_tree(struct buf *b, const struct seccomp_span *spans, size_t n)
{
    if (n == 1) {
        add_leaf(b, spans->verdict);
        return 0;
    }
    size_t half = n / 2, node = count(b);
    add(b, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, spans[half].from, 0, 0));
    int r = add_tree(b, spans, half);
    if (r < 0)
        return r;
    size_t over = count(b) - node - 1;
    if (over > JUMP_MAX)
        return err_set(-E2BIG, "seccomp: the filter has too many ranges of calls");
    insn_at(b, node)->jt = (unsigned char)over;
    return add_tree(b, spans + half, n - half);
}

int seccomp_tree(uint32_t arch, uint32_t other_arch, const struct seccomp_span *spans, size_t n, struct buf *b)
{
    add(b, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
    add(b, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, arch, 1, 0));
    add_leaf(b, other_arch);
    add(b, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
    int r = add_tree(b, spans, n);
    for (size_t i = 0; i < count(b); i++)
        if (insn_at(b, i)->code == (BPF_JMP | BPF_JA))
            insn_at(b, i)->k = (uint32_t)(count(b) - i - 1);
    return r;
}
