/* Times commands side by side:  timeit ROUNDS <LIST
 *
 * LIST has one command a line: LABEL<tab>COMMAND. The words of a command are separated by blanks (no quoting) and
 * executed without a shell; %n becomes the number of the round. In each round all commands run once, in the order of
 * the list, so that what disturbs the machine disturbs all alike. A line that starts with '-' in place of a label is
 * executed but not timed. Prints LABEL<tab>median<tab>fastest<tab>90th percentile in milliseconds. A command that fails
 * ends it all. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_COMMANDS 64
#define MAX_WORDS 64

extern char **environ;

struct command {
    char *label, *line;
    double *ms;
};

static struct command commands[MAX_COMMANDS];
static int n_commands;

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void read_commands(int rounds)
{
    char line[4096];
    while (fgets(line, sizeof(line), stdin) && n_commands < MAX_COMMANDS) {
        line[strcspn(line, "\n")] = '\0';
        char *tab = strchr(line, '\t');
        if (!tab)
            continue;
        *tab = '\0';
        commands[n_commands++] = (struct command){
            .label = strdup(line), .line = strdup(tab + 1), .ms = calloc((size_t)rounds, sizeof(double))};
    }
}

/* Splits a copy of line into words, %n replaced; the words stay allocated: a few kilobytes. */
static void split(const char *line, int round, char *argv[MAX_WORDS])
{
    char *copy = strdup(line), *save = NULL, *at;
    int n = 0;
    for (char *w = strtok_r(copy, " ", &save); w && n < MAX_WORDS - 1; w = strtok_r(NULL, " ", &save)) {
        char word[4096];
        if ((at = strstr(w, "%n")))
            snprintf(word, sizeof(word), "%.*s%d%s", (int)(at - w), w, round, at + 2);
        else
            snprintf(word, sizeof(word), "%s", w);
        argv[n++] = strdup(word);
    }
    argv[n] = NULL;
    free(copy);
}

static double run_timed(const struct command *c, int round, posix_spawn_file_actions_t *files)
{
    char *argv[MAX_WORDS];
    pid_t pid;
    int status;
    split(c->line, round, argv);
    double begin = now_ms();
    errno = posix_spawnp(&pid, argv[0], files, NULL, argv, environ);
    if (errno) {
        perror(argv[0]);
        exit(1);
    }
    waitpid(pid, &status, 0);
    double took = now_ms() - begin;
    if (status != 0) {
        fprintf(stderr, "timeit: failed with %d: %s\n", WEXITSTATUS(status), c->line);
        exit(1);
    }
    for (int i = 0; argv[i]; i++)
        free(argv[i]);
    return took;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char *argv[])
{
    int rounds = argc > 1 ? atoi(argv[1]) : 0;
    if (rounds <= 0) {
        fprintf(stderr, "usage: timeit ROUNDS <LIST\n");
        return 2;
    }
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    read_commands(rounds);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < n_commands; i++)
            commands[i].ms[round] = run_timed(&commands[i], round, &files);
    for (int i = 0; i < n_commands; i++) {
        struct command *c = &commands[i];
        if (strcmp(c->label, "-") == 0)
            continue;
        qsort(c->ms, (size_t)rounds, sizeof(double), by_size);
        printf("%s\t%.2f\t%.2f\t%.2f\n", c->label, c->ms[rounds / 2], c->ms[0], c->ms[rounds * 9 / 10]);
    }
    return 0;
}
