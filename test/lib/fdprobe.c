/* Run inside a container: what can be done with a descriptor that came from outside?  fdprobe FD
 * Prints one line for each thing that worked: "wrote", "truncated", "walked to NAME..."; "type ..." always. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *type_name(mode_t mode)
{
    static const struct {
        mode_t type;
        const char *name;
    } types[] = {
        {S_IFREG, "file"}, {S_IFDIR, "directory"}, {S_IFCHR, "device"},
        {S_IFIFO, "pipe"}, {S_IFSOCK, "socket"},   {S_IFBLK, "block"},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (types[i].type == (mode & S_IFMT))
            return types[i].name;
    return "unknown";
}

/* Opening /proc/self/fd/N again asks the file's permissions anew: a read-only descriptor becomes a writable one. */
static void try_reopen(int fd, const char *link)
{
    int again = open(link, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (again < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return;
    if (write(again, "pwned\n", 6) == 6)
        puts("wrote");
    if (ftruncate(again, 0) == 0)
        puts("truncated");
}

static void list(int dir)
{
    DIR *d = fdopendir(dir);
    if (!d)
        return;
    printf("walked to");
    for (struct dirent *e; (e = readdir(d));)
        printf(" %s", e->d_name);
    puts("");
    closedir(d);
}

static void try_walk(int fd)
{
    int dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int up = 0; dir >= 0 && up < 32; up++) {
        int parent = openat(dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0)
            break;
        close(dir);
        dir = parent;
    }
    if (dir >= 0)
        list(dir);
}

int main(int argc, char *argv[])
{
    int fd = argc > 1 ? atoi(argv[1]) : 0;
    char link[64];
    struct stat st;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    printf("type %s\n", fstat(fd, &st) < 0 ? "none" : type_name(st.st_mode));
    try_reopen(fd, link);
    try_walk(fd);
    return 0;
}
