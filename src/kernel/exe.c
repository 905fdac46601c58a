/* Forgetting the own executable, so that a container cannot reach the host's whelk through /proc/<pid>/exe
 * (CVE-2019-5736).
 *
 * Theory: the kernel lets a process name another executable (PR_SET_MM_MAP, exe_fd) once nothing of the old one is
 * mapped. So every mapping of it is replaced, in one step each, so that the running code is whole at any moment and
 * never writable:
 *   - code and constants, which nobody has changed, by the same part of the same file, opened through a read-only mount
 * of its own. The kernel compares mount and file, so that is another file to it; nobody can write through that mount,
 * nor change its rights, since it belongs to no namespace any more (it was never attached, and its last name is
 * closed).
 *   - data, and everything where no such mount can be made (exec is in the host's mount namespace here, and the path
 * may lead to a newer file), by an anonymous copy that gets its final rights and is moved over the old one (mremap).
 * Data that changes between the copy and the move would be lost: in between, nothing here writes to a static variable.
 * Cheaper than executing a sealed copy of the binary, and there is no moment at which the container can meet the real
 * one.
 *
 * Runs in: the CHILD of run and exec, single-threaded, root in its user namespace. Reads /proc/self/maps and stat. */
#include "whelk/exe.h"
#include "whelk/auto.h"
#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/mnt.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <linux/prctl.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

enum { MAPS_MAX = 4 << 20, STAT_MAX = 8 << 10, OWN_MAX = 64 };

struct mapping {
    uintptr_t start, end;
    int prot;
    off_t offset;
    unsigned long major, minor, inode;
};

/* One line of maps, "start-end rwxp offset major:minor inode path"; returns what follows it, or NULL at the end or at a
 * line that cannot be read. By hand: sscanf measures all of what follows, for each line. */
static const char *parse_line(const char *p, struct mapping *ret)
{
    char *s;

    ret->start = strtoul(p, &s, 16);
    if (s == p || *s != '-')
        return NULL;
    ret->end = strtoul(s + 1, &s, 16);
    if (strnlen(s, 6) < 6)
        return NULL;
    ret->prot = (s[1] == 'r' ? PROT_READ : 0) | (s[2] == 'w' ? PROT_WRITE : 0) | (s[3] == 'x' ? PROT_EXEC : 0);
    ret->offset = (off_t)strtoul(s + 5, &s, 16);
    ret->major = strtoul(s, &s, 16);
    if (*s != ':')
        return NULL;
    ret->minor = strtoul(s + 1, &s, 16);
    ret->inode = strtoul(s, &s, 10);
    s = strchr(s, '\n');
    return s ? s + 1 : NULL;
}

static bool same_file(const struct mapping *a, const struct mapping *b)
{
    return a->inode == b->inode && a->major == b->major && a->minor == b->minor;
}

/* The mappings of the file that this code is in: found by this function's own address, since device numbers of stat(2)
 * and maps differ on btrfs and overlayfs. */
static int own_mappings(const char *maps, struct mapping ret[OWN_MAX], unsigned *ret_n)
{
    struct mapping self = {0}, m;
    unsigned n = 0;

    for (const char *p = maps; (p = parse_line(p, &m));)
        if (m.start <= (uintptr_t)exe_forget && (uintptr_t)exe_forget < m.end)
            self = m;
    if (self.inode == 0)
        return err_set(-ENOENT, "cannot find the own executable in /proc/self/maps");
    for (const char *p = maps; (p = parse_line(p, &m));) {
        if (!same_file(&m, &self))
            continue;
        if (n == OWN_MAX)
            return err_set(-E2BIG, "too many mappings of the own executable");
        ret[n++] = m;
    }
    *ret_n = n;
    return 0;
}

/* As memcpy for whole pages, but never a call that a sanitizer watches: the red zones between variables are copied too.
 */
__attribute__((no_sanitize("address", "undefined"))) static void copy_pages(uintptr_t to, uintptr_t from, size_t len)
{
    typedef uint64_t block __attribute__((vector_size(16), may_alias));
    volatile block *out = (volatile block *)to;
    const volatile block *in = (const volatile block *)from;
    for (size_t i = 0; i < len / sizeof(block); i++)
        out[i] = in[i];
}

static int move_to_memory(const struct mapping *m)
{
    size_t len = m->end - m->start;
    bool readable = m->prot & PROT_READ;
    /* Filled at once where there is something to copy: a page fault costs more than its copy. */
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (readable ? MAP_POPULATE : 0);
    void *copy = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, -1, 0);

    if (copy == MAP_FAILED)
        return err_sys("cannot map memory for the own code");
    if (readable)
        copy_pages((uintptr_t)copy, m->start, len);
    if ((m->prot != (PROT_READ | PROT_WRITE) && mprotect(copy, len, m->prot) < 0) ||
        mremap(copy, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)m->start) == MAP_FAILED) {
        int r = err_sys("cannot replace the own code");
        munmap(copy, len);
        return r;
    }
    return 0;
}

/* Is it in a segment that nobody could write to, also not the dynamic linker before it took the right away? */
static bool is_unchanged(const struct mapping *m)
{
    const ElfW(Phdr) *ph = (const void *)getauxval(AT_PHDR);
    size_t n = getauxval(AT_PHNUM);
    uintptr_t base = 0;
    for (size_t i = 0; i < n; i++)
        if (ph[i].p_type == PT_PHDR)
            base = (uintptr_t)ph - ph[i].p_vaddr;
    for (size_t i = 0; base && i < n; i++)
        if (ph[i].p_type == PT_LOAD && m->start >= base + (ph[i].p_vaddr & ~(ph[i].p_align - 1)) &&
            m->start < base + ph[i].p_vaddr + ph[i].p_filesz)
            return !(ph[i].p_flags & PF_W);
    return false;
}

static int replace(const struct mapping *m, int file)
{
    int flags = MAP_PRIVATE | MAP_FIXED;
    if (file >= 0 && is_unchanged(m) &&
        mmap((void *)m->start, m->end - m->start, m->prot, flags, file, m->offset) != MAP_FAILED)
        return 0;
    return move_to_memory(m);
}

/* The own executable through a read-only mount; -1 where that cannot be had. */
static int open_read_only(void)
{
    char path[PATH_MAX], mounted[64];
    struct stat own, again;
    auto_close int mnt = -1;
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[MAX(len, 0)] = '\0';
    auto_close int place = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    if (place < 0 || fstat(place, &again) < 0 || stat("/proc/self/exe", &own) < 0 || own.st_dev != again.st_dev ||
        own.st_ino != again.st_ino)
        return -1; /* there is another file at the path by now */
    if (mnt_clone(place, "", false, &mnt) < 0 || mnt_attrs(mnt, MOUNT_ATTR_RDONLY, 0, false) < 0 ||
        mnt_attach(mnt, place) < 0) {
        err_clear();
        return -1;
    }
    snprintf(mounted, sizeof(mounted), "/proc/self/fd/%d", mnt);
    return open(mounted, O_RDONLY | O_CLOEXEC);
}

/* The bounds of code, data, stack and arguments as they are now: the kernel takes only all at once. */
static int read_bounds(struct prctl_mm_map *ret)
{
    auto_free char *stat = NULL;
    unsigned long long start_code, end_code, start_stack, start_data, end_data, start_brk, args[4];

    int r = file_read(AT_FDCWD, "/proc/self/stat", STAT_MAX, &stat, NULL);
    if (r < 0)
        return err_wrap(r, "cannot read /proc/self/stat");
    const char *p = strrchr(stat, ')'); /* field 2 is a name and may hold anything */
    /* From field 3 on: 26-28, then 45-51 (proc_pid_stat(5)). */
    if (!p || sscanf(p + 1,
                     " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                     " %llu %llu %llu %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                     " %llu %llu %llu %llu %llu %llu %llu",
                     &start_code, &end_code, &start_stack, &start_data, &end_data, &start_brk, &args[0], &args[1],
                     &args[2], &args[3]) != 10)
        return err_set(-EPROTO, "cannot read the fields of /proc/self/stat");
    *ret = (struct prctl_mm_map){
        .start_code = start_code,
        .end_code = end_code,
        .start_data = start_data,
        .end_data = end_data,
        .start_brk = start_brk,
        .brk = (uintptr_t)sbrk(0),
        .start_stack = start_stack,
        .arg_start = args[0],
        .arg_end = args[1],
        .env_start = args[2],
        .env_end = args[3],
    };
    return 0;
}

/* An empty file that may be executed, open read-only: the kernel refuses one that somebody could write. */
static int open_empty(int *ret_fd)
{
    char path[64];
    auto_close int fd = memfd_create("whelk", MFD_CLOEXEC | MFD_EXEC);

    if (fd < 0 && errno == EINVAL) /* before 6.3 every memfd is executable */
        fd = memfd_create("whelk", MFD_CLOEXEC);
    if (fd < 0)
        return err_sys("cannot create an executable memfd");
    if (fchmod(fd, 0555) < 0)
        return err_sys("cannot set the mode of a memfd");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int again = open(path, O_RDONLY | O_CLOEXEC);
    if (again < 0)
        return err_sys("cannot open a memfd again");
    *ret_fd = again;
    return 0;
}

static int supported(void)
{
    unsigned size = 0;
    if (prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) < 0 || size != sizeof(struct prctl_mm_map))
        return err_set(-EOPNOTSUPP, "this kernel cannot replace /proc/self/exe: it has no CONFIG_CHECKPOINT_RESTORE");
    return 0;
}

static int move_all(bool own_mounts)
{
    auto_close int file = own_mounts ? open_read_only() : -1;
    auto_free char *maps = NULL;
    struct mapping own[OWN_MAX];
    unsigned n = 0;

    int r = file_read(AT_FDCWD, "/proc/self/maps", MAPS_MAX, &maps, NULL);
    if (r < 0)
        return err_wrap(r, "cannot read /proc/self/maps");
    r = own_mappings(maps, own, &n);
    for (unsigned i = 0; r >= 0 && i < n; i++)
        r = replace(&own[i], file);
    return r;
}

int exe_forget(bool own_mounts)
{
    struct prctl_mm_map map;
    auto_close int fd = -1;

    /* First of all: who shares the container's pid namespace cannot open our /proc files from here on. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return err_sys("cannot become non-dumpable");
    int r = supported();
    if (r >= 0)
        r = open_empty(&fd);
    if (r >= 0)
        r = read_bounds(&map);
    if (r >= 0)
        r = move_all(own_mounts);
    if (r < 0)
        return r;
    map.exe_fd = (uint32_t)fd;
    if (prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) < 0)
        return err_sys("cannot replace /proc/self/exe");
    return 0;
}
