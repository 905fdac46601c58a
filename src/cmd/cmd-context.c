/* whelk context: tools ask docker for its contexts before they do anything; here is one, this machine (C-151). */
#include "cmd.h"

#include "whelk/columns.h"

static void list(void)
{
    static const char *const headers[] = {"NAME", "DESCRIPTION"};
    struct columns *c = columns_new(headers, ARRAY_LEN(headers));
    columns_cell(c, "default *");
    columns_cell(c, "whelk on this machine");
    columns_print(c, true, stdout);
    columns_free(c);
}

static void show(void)
{
    puts("default");
}

static const struct {
    const char *names;
    void (*print)(void);
} verbs[] = {
    {"ls -q;ls --quiet;list -q;show", show},
    {"ls;list", list},
};

static int run(void *opts, char **args)
{
    int argc = (int)strv_len(args);
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (cmd_match(verbs[i].names, argc, args)) {
            verbs[i].print();
            return 0;
        }
    char word[] = "context";
    char *const context[] = {word};
    return err_set(-EINVAL, "there is no \"whelk context%s%s\": %s", argc ? " " : "", argc ? args[0] : "",
                   cmd_absent(1, context, NULL));
}

const struct cmd cmd_context = {
    .names = "context",
    .args = "ls|show",
    .summary = "say that there is one context, default",
    .raw = true,
    .hidden = true,
    .run = run,
};
