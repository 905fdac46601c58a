/* docker-credential-NAME get|store|erase: the question on standard input, the answer on standard output. The secret
 * never is in an argument or the environment. Runs in: whoever needs a login; forks the helper and waits for it. */
#include "helper.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/json.h"
#include "whelk/proc.h"

#include <fcntl.h>

enum { ANSWER_MAX = 64 << 10 };
static const char token_user[] = "<token>";

struct call {
    char *argv[3];
    int in, out; /* the helper's ends */
};

static void exec_child(const struct call *c)
{
    signals_reset();
    if (dup2(c->in, STDIN_FILENO) >= 0 && dup2(c->out, STDOUT_FILENO) >= 0)
        execvp(c->argv[0], c->argv);
    _exit(errno == ENOENT ? 127 : 126);
}

/* What the helper says goes into out; returns its exit status or -errno. */
static int call_run(struct call *c, const char *question, struct buf *out)
{
    int to[2], from[2];
    if (pipe2(to, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    auto_close int to_read = to[0], to_write = to[1];
    if (pipe2(from, O_CLOEXEC) < 0)
        return err_sys("cannot make a pipe");
    auto_close int from_read = from[0], from_write = from[1];
    c->in = to_read;
    c->out = from_write;
    pid_t pid = fork();
    if (pid < 0)
        return err_sys("cannot fork");
    if (pid == 0)
        exec_child(c);
    fd_close(take_fd(&to_read));
    fd_close(take_fd(&from_write));
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGPIPE, &ignore, &before);
    fd_write_all(to_write, question, strlen(question)); /* one that does not read says why by its answer */
    sigaction(SIGPIPE, &before, NULL);
    fd_close(take_fd(&to_write));
    int r = fd_read_all(from_read, ANSWER_MAX, out);
    fd_close(take_fd(&from_read)); /* before the wait: one that says too much ends by it */
    int status = proc_reap(pid);
    if (r < 0)
        return err_set(r, "%s: cannot read its answer: %s", c->argv[0], strerror(-r));
    return status < 0 ? status : proc_exit_code(status);
}

static bool helper_name_ok(const char *name)
{
    return *name && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(name);
}

static int helper_call(const char *name, const char *verb, const char *question, struct buf *out)
{
    if (!helper_name_ok(name))
        return err_set(-EINVAL, "\"%.100s\" is not the name of a credential helper", name);
    auto_free char *program = xasprintf("docker-credential-%s", name);
    struct call c = {.argv = {program, (char *)(uintptr_t)verb}};
    int status = call_run(&c, question, out);
    if (status <= 0)
        return status;
    if (status == 127)
        return err_set(-ENOENT, "the credential helper %s is not installed", program);
    auto_free char *said = str_printable(str_trim(out->data ?: (char[]){""}));
    return err_set(-EIO, "%s %s: %.300s", program, verb, *said ? said : "failed");
}

int helper_get(const char *name, const char *server, struct credential *ret)
{
    auto_buf struct buf out = {0};
    auto_json json_t *j = NULL;
    int r = helper_call(name, "get", server, &out);
    if (r == -EIO && strstr(err_text(r), "credentials not found")) { /* the protocol's words for it */
        err_clear();
        return 0;
    }
    if (r == 0)
        r = json_parse("the answer of the credential helper", out.data ?: "", out.len, &j);
    if (r < 0)
        return r;
    const char *user = json_str(j, "Username"), *secret = json_str(j, "Secret");
    if (!user || !secret)
        return err_set(-EBADMSG, "the credential helper %s gives no Username and Secret", name);
    bool token = str_eq(user, token_user);
    *ret = (struct credential){.user = xstrdup(user)};
    *(token ? &ret->identity_token : &ret->password) = xstrdup(secret);
    return 0;
}

int helper_store(const char *name, const char *server, const struct credential *c)
{
    auto_buf struct buf out = {0};
    auto_json json_t *j = json_object();
    json_object_set_new(j, "ServerURL", json_from_str(server));
    json_object_set_new(j, "Username", json_from_str(c->identity_token ? token_user : c->user));
    json_object_set_new(j, "Secret", json_from_str(c->identity_token ?: c->password));
    auto_free char *question = json_text(j, false);
    return helper_call(name, "store", question, &out);
}

int helper_erase(const char *name, const char *server)
{
    auto_buf struct buf out = {0};
    return helper_call(name, "erase", server, &out);
}
