/* Becomes another user and executes a command, as gosu and su-exec do in entrypoints:  chuser UID COMMAND... */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    if (argc < 3) {
        fprintf(stderr, "usage: chuser UID COMMAND...\n");
        return 2;
    }
    gid_t id = (gid_t)atoi(argv[1]);
    if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0) {
        perror("chuser");
        return 1;
    }
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
