/* Giving memory back while a process waits for a long time.
 *
 * What a supervisor touched when it started, it mostly never touches again. Three kinds of pages can go without loss:
 * those that the allocator has free; those of segments that are mapped from files and never written (code, constants:
 * the page cache has them, and the next use maps them again); and the stack below this function. Segments with
 * relocations are not among them, their pages exist only here. */
#include "whelk/proc.h"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>

static uintptr_t page_down(uintptr_t at)
{
    return at & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

static uintptr_t page_up(uintptr_t at)
{
    return page_down(at + (uintptr_t)sysconf(_SC_PAGESIZE) - 1);
}

struct range {
    void *start;
    size_t len;
};
struct ranges {
    struct range at[32];
    size_t n;
};

static void add_range(struct ranges *r, uintptr_t start, uintptr_t end)
{
    if (r->n < ARRAY_LEN(r->at))
        r->at[r->n++] = (struct range){(void *)start, end - start};
}

static int add_segments(struct dl_phdr_info *info, size_t size, void *arg)
{
    bool vdso = strstr(info->dlpi_name, "vdso") != NULL; /* not from a file */
    for (size_t i = 0; !vdso && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type == PT_LOAD && !(h->p_flags & PF_W))
            add_range(arg, info->dlpi_addr + h->p_vaddr - h->p_vaddr % h->p_align,
                      page_up(info->dlpi_addr + h->p_vaddr + h->p_memsz));
    }
    return 0;
}

/* What lies below the stack pointer is nobody's, but for a red zone. Below the stack nothing is mapped for a long way.
 */
static void add_stack(struct ranges *r)
{
    enum { OWN_FRAMES = 2048, REACH = 256 * 1024 };
    uintptr_t end = page_down((uintptr_t)__builtin_frame_address(0) - OWN_FRAMES);
    add_range(r, end - REACH, end);
}

/* A fault in a file's mapping brings its neighbours along, as far as the mapping goes. So the few pages of code that
 * the waiting needs become a mapping of their own, by a flag that changes nothing else for code: it is in no core dump
 * anyway. */
static void part_from_rest(const struct range *code)
{
    uintptr_t page = page_up(1), start = (uintptr_t)code->start, end = start + code->len;
    uintptr_t here = page_down((uintptr_t)proc_trim_memory);
    if (here < start || here >= end)
        return;
    uintptr_t first = here - start > page ? here - page : start, last = MIN(here + 2 * page, end);
    madvise(code->start, first - start, MADV_DONTDUMP);
    madvise((void *)last, end - last, MADV_DONTDUMP);
}

/* Cold, like its caller: the few pages of code that this and the waiting need lie together then. Nothing but system
 * calls after the first range has gone, since each look at other code or constants brings its neighbours back. */
__attribute__((cold)) void proc_trim_memory(void)
{
    struct ranges r = {0};
    malloc_trim(0);
    dl_iterate_phdr(add_segments, &r);
    for (size_t i = 0; i < r.n; i++)
        part_from_rest(&r.at[i]);
    add_stack(&r);
    for (size_t i = 0; i < r.n; i++)
        madvise(r.at[i].start, r.at[i].len, MADV_DONTNEED);
}
