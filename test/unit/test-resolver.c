/* The resolver of a container on named networks, with leases and servers of the test, on the loopback of a network
 * namespace of its own. */
#include "dns.h"

#include "whelk/err.h"
#include "whelk/fd.h"
#include "whelk/link.h"
#include "whelk/lock.h"
#include "whelk/network.h"
#include "whelk/proc.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include <cmocka.h>

#define OWN "127.0.5.1"
#define SERVER_1 "127.0.0.7"
#define SERVER_2 "127.0.0.8"

enum { SERVERS = 2, WAIT_MS = 8000 };

/* What a server of the test does with a question. */
enum habit { ANSWERS, IS_SILENT, FAILS, LIES, CUTS };

static struct dns dns;
static char dir[] = "/tmp/whelk-test-resolver-XXXXXX";
static int server[SERVERS], server_tcp;
static enum habit habits[SERVERS];
static unsigned asked[SERVERS];

/* ---- leases ---- */

enum { LEASES_MAX = 64 };

static const struct lease_of {
    pid_t holder; /* 0: free place */
    const char *network;
    char *text;
} none;
static struct lease_of leases[LEASES_MAX];

static void write_leases(const char *network)
{
    auto_free char *path = xasprintf("%s/networks/%s.leases", dir, network);
    auto_strv char **texts = NULL;
    for (size_t i = 0; i < LEASES_MAX; i++)
        if (leases[i].text && str_eq(leases[i].network, network))
            strv_add(&texts, leases[i].text);
    auto_free char *list = strv_join(texts, ",");
    auto_free char *json = xasprintf("{\"schema\":1,\"leases\":[%s]}", list);
    assert_int_equal(file_publish(AT_FDCWD, path, json, strlen(json), 0600, false), 0);
}

/* A process that holds the lock of a container's `alive`. */
static pid_t hold_lock(const char *id)
{
    int ready[2];
    char byte;
    auto_free char *path = xasprintf("%s/networks/" NETWORK_ALIVE "/%s", dir, id);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0 || record_lock_take(fd) < 0 || write(ready[1], "", 1) != 1)
            _exit(1);
        pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

/* A container with a lease that is as `rest` says. */
static pid_t hold(const char *network, const char *id, const char *rest)
{
    size_t i = 0;
    while (leases[i].holder)
        i++;
    leases[i] = (struct lease_of){hold_lock(id), network, xasprintf("{\"id\":\"%s\",%s}", id, rest)};
    write_leases(network);
    return leases[i].holder;
}

/* Its supervisor is killed; the lease stays where it is until the next one is written. */
static void let_go(pid_t pid)
{
    assert_true(pid > 0);
    kill(pid, SIGKILL);
    proc_reap(pid);
    for (size_t i = 0; i < LEASES_MAX; i++) {
        if (leases[i].holder != pid)
            continue;
        free(leases[i].text);
        leases[i] = none;
    }
}

#define ID(c) c c c c "0123456789012345678901234567890123456789012345678901234567890" c
#define LEASE(name, more) "\"name\":\"" name "\"," more

/* ---- servers of the test ---- */

static int bind_to(const char *address, int type)
{
    struct sockaddr_storage sa = {0};
    struct ip ip;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_int_equal(ip_parse(address, &ip), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, ip_to_sockaddr(&ip, DNS_PORT, &sa)), 0);
    return fd;
}

/* Server i says 192.0.2.<i + 1>. */
static size_t make_answer(size_t i, const uint8_t *msg, size_t len, uint8_t *out)
{
    struct dns_query q;
    struct dns_writer w;
    struct ip ip;
    assert_int_equal(dns_parse_query(msg, len, &q), 0);
    assert_int_equal(ip_parse(i ? "192.0.2.2" : "192.0.2.1", &ip), 0);
    if (habits[i] == LIES)
        q.id++;
    dns_answer_begin(&w, out, DNS_PLAIN_UDP, msg, &q);
    w.truncated = habits[i] == CUTS;
    if (habits[i] == ANSWERS)
        dns_answer_address(&w, &ip);
    return dns_answer_end(&w, habits[i] == FAILS ? DNS_SERVFAIL : DNS_NOERROR, false);
}

static void serve(size_t i)
{
    uint8_t msg[DNS_QUERY_MAX], out[DNS_PLAIN_UDP];
    struct sockaddr_storage from;
    socklen_t from_len = sizeof from;
    ssize_t n = recvfrom(server[i], msg, sizeof msg, 0, (struct sockaddr *)&from, &from_len);
    assert_true(n > 0);
    asked[i]++;
    if (habits[i] == IS_SILENT)
        return;
    size_t len = make_answer(i, msg, (size_t)n, out);
    sendto(server[i], out, len, 0, (struct sockaddr *)&from, from_len);
}

static void serve_tcp(void)
{
    uint8_t msg[DNS_QUERY_MAX], out[DNS_PLAIN_UDP + 2];
    auto_close int fd = accept(server_tcp, NULL, NULL);
    assert_int_equal(fd_read_full(fd, msg, 2), 2);
    size_t len = (size_t)(msg[0] << 8 | msg[1]);
    assert_int_equal(fd_read_full(fd, msg, len), len);
    len = make_answer(0, msg, len, out + 2);
    out[0] = 0;
    out[1] = (uint8_t)len;
    assert_int_equal(fd_write_all(fd, out, len + 2), 0);
}

/* Everything that has to go on until fd can be read. */
static bool serve_until(int fd)
{
    for (;;) {
        struct pollfd p[] = {{fd, POLLIN, 0},
                             {server[0], POLLIN, 0},
                             {server[1], POLLIN, 0},
                             {server_tcp, POLLIN, 0},
                             {dns.helper.sock, POLLIN, 0}};
        if (poll(p, ARRAY_LEN(p), WAIT_MS) <= 0)
            return false;
        if (p[4].revents)
            dns_ready(&dns);
        if (p[3].revents)
            serve_tcp();
        for (size_t i = 0; i < SERVERS; i++)
            if (p[1 + i].revents)
                serve(i);
        if (p[0].revents)
            return true;
    }
}

/* ---- a client ---- */

static size_t make_query(uint8_t *msg, const char *name, enum dns_type type)
{
    size_t n = DNS_HEAD;
    memcpy(msg, "\x12\x34\1\0\0\1\0\0\0\0\0\0", DNS_HEAD);
    for (const char *p = name; *p;) {
        size_t label = strcspn(p, ".");
        msg[n++] = (uint8_t)label;
        memcpy(msg + n, p, label);
        n += label;
        p += label + (p[label] != 0);
    }
    msg[n++] = 0;
    memcpy(msg + n, (uint8_t[]){0, (uint8_t)type, 0, 1}, 4);
    return n + 4;
}

/* The answer as words: its code if it is an error, "cut", "own", and the records' data. */
static char *show(const uint8_t *msg, size_t len, const struct dns_query *q)
{
    auto_strv char **words = NULL;
    int code = dns_check_answer(msg, len, q->id, q);
    if (code != 0)
        strv_addf(&words, "code%d", code);
    if (dns_is_truncated(msg, len))
        strv_add(&words, "cut");
    if (msg[2] & 4)
        strv_add(&words, "own");
    size_t at = q->question_end;
    for (int n = msg[7]; n; n--) {
        struct dns_name name;
        char text[DNS_TEXT_MAX];
        struct ip ip = {0};
        assert_int_equal(dns_read_name(msg, len, &at, &name), 0);
        size_t data = at + 10, size = (size_t)(msg[at + 8] << 8 | msg[at + 9]);
        at = data + size;
        ip.family = size == 4 ? AF_INET : AF_INET6;
        memcpy(size == 4 ? (void *)&ip.v4 : &ip.v6, msg + data, MIN(size, sizeof ip.v6));
        if (q->type == DNS_PTR && dns_read_name(msg, len, &data, &name) == 0 && dns_name_text(&name, text))
            strv_add(&words, text);
        else
            strv_add(&words, ip_format(&ip, text));
    }
    return strv_join(words, " ");
}

static int client(const char *from, int type)
{
    struct sockaddr_storage sa = {0};
    struct ip ip;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    assert_int_equal(ip_parse(from, &ip), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, ip_to_sockaddr(&ip, 0, &sa)), 0);
    assert_int_equal(ip_parse(OWN, &ip), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, ip_to_sockaddr(&ip, DNS_PORT, &sa)), 0);
    return fd;
}

static char *ask_by(int type, const char *name, enum dns_type what)
{
    uint8_t msg[DNS_MESSAGE_MAX];
    struct dns_query q;
    size_t head = type == SOCK_STREAM ? 2 : 0, len = make_query(msg + head, name, what);
    auto_close int fd = client("127.0.0.1", type);
    assert_int_equal(dns_parse_query(msg + head, len, &q), 0);
    if (head)
        memcpy(msg, (uint8_t[]){0, (uint8_t)len}, 2);
    assert_int_equal(write(fd, msg, head + len), head + len);
    if (!serve_until(fd))
        return xstrdup("no answer");
    ssize_t n = read(fd, msg, sizeof msg);
    return n > (ssize_t)head ? show(msg + head, (size_t)n - head, &q) : xstrdup("end");
}

#define assert_answer(expected, name, type)                                                                            \
    do {                                                                                                               \
        auto_free char *udp_ = ask_by(SOCK_DGRAM, name, type), *tcp_ = ask_by(SOCK_STREAM, name, type);                \
        assert_string_equal(udp_, expected);                                                                           \
        assert_string_equal(tcp_, expected);                                                                           \
    } while (0)

/* ---- tests ---- */

static void test_names(void **state)
{
    pid_t web =
        hold("net1", ID("a"), LEASE("Web_1", "\"ip\":\"10.89.0.2/24\",\"ip6\":\"fd00::2/64\",\"aliases\":[\"www\"]"));
    pid_t db = hold("net2", ID("b"), LEASE("db.main", "\"ip\":\"10.89.1.2/24\""));
    pid_t far = hold("net3", ID("c"), LEASE("far", "\"ip\":\"10.89.2.2/24\""));
    assert_answer("own 10.89.0.2", "web_1", DNS_A);
    assert_answer("own 10.89.0.2", "WEB_1", DNS_A);
    assert_answer("own fd00::2", "www", DNS_AAAA);
    assert_answer("own 10.89.0.2", "aaaa01234567", DNS_A);
    assert_answer("own 10.89.1.2", "db.main", DNS_A);
    assert_answer("own", "db.main", DNS_AAAA);
    assert_answer("own web_1", "2.0.89.10.in-addr.arpa", DNS_PTR);
    assert_answer("code3 own", "9.0.89.10.in-addr.arpa", DNS_PTR);
    assert_answer("192.0.2.1", "far", DNS_A); /* on another network: not known here */
    assert_answer("own 127.0.0.1", "host.containers.internal", DNS_A);
    assert_answer("own", "host.docker.internal", DNS_AAAA);
    let_go(far);
    let_go(db);
    let_go(web);
}

/* Who was killed is not found any more, whatever his lease says; and one who comes is found at once. */
static void test_life(void **state)
{
    for (int i = 0; i < 20; i++) {
        pid_t web = hold("net1", ID("a"), LEASE("web", "\"ip\":\"10.89.0.2/24\""));
        auto_free char *there = ask_by(SOCK_DGRAM, "web", DNS_A);
        let_go(web);
        auto_free char *gone = ask_by(SOCK_DGRAM, "web", DNS_A);
        assert_string_equal(there, "own 10.89.0.2");
        assert_string_equal(gone, "192.0.2.1");
    }
}

static void test_shared_alias(void **state)
{
    enum { N = 40 };
    pid_t pids[N];
    unsigned first[N] = {0};
    for (unsigned i = 0; i < N; i++) {
        auto_free char *id = xasprintf("%064x", i + 1);
        auto_free char *text = xasprintf(LEASE("r%u", "\"ip\":\"10.89.0.%u/24\",\"aliases\":[\"all\"]"), i, i + 1);
        pids[i] = hold("net1", id, text);
    }
    for (unsigned i = 0; i < N; i++) {
        auto_free char *all = ask_by(SOCK_STREAM, "all", DNS_A);
        auto_strv char **words = strv_split(all, " ");
        assert_int_equal(strv_len(words), N + 1);
        first[atoi(words[1] + strlen("10.89.0.")) - 1]++;
    }
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(first[i], 1);
    auto_free char *cut = ask_by(SOCK_DGRAM, "all", DNS_A);
    assert_non_null(str_after(cut, "cut own 10.89.0."));
    for (unsigned i = 0; i < N; i++)
        let_go(pids[i]);
}

static void test_forward(void **state)
{
    static const struct {
        enum habit habits[SERVERS];
        const char *answer;
        unsigned asked[SERVERS];
    } cases[] = {
        {{ANSWERS, ANSWERS}, "192.0.2.1", {1, 0}}, {{FAILS, ANSWERS}, "192.0.2.2", {1, 1}},
        {{FAILS, FAILS}, "code2", {1, 1}},         {{IS_SILENT, ANSWERS}, "192.0.2.2", {1, 1}},
        {{LIES, ANSWERS}, "192.0.2.2", {1, 1}},    {{IS_SILENT, IS_SILENT}, "code2", {1, 1}},
        {{CUTS, ANSWERS}, "cut", {1, 0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memcpy(habits, cases[i].habits, sizeof habits);
        memset(asked, 0, sizeof asked);
        auto_free char *answer = ask_by(SOCK_DGRAM, "web.example", DNS_A);
        assert_string_equal(answer, cases[i].answer);
        assert_memory_equal(asked, cases[i].asked, sizeof asked);
    }
    memset(habits, 0, sizeof habits);
}

/* By TCP too the next server is asked, where nobody listens at all. */
static void test_refused(void **state)
{
    auto_free char *path = xasprintf("%s/resolv.conf", dir);
    auto_free char *before = NULL;
    assert_int_equal(file_read(AT_FDCWD, path, 4096, &before, NULL), 0);
    static const char other[] = "nameserver 127.0.0.99\nnameserver " SERVER_1 "\n";
    assert_int_equal(file_write(AT_FDCWD, path, other, strlen(other), 0644), 0);
    dns_ready(&dns); /* nothing: it did not ask */
    usleep(1100 * 1000);
    assert_answer("192.0.2.1", "web.example", DNS_A);
    assert_int_equal(file_write(AT_FDCWD, path, "nameserver 127.0.0.99\n", 22, 0644), 0);
    usleep(1100 * 1000);
    assert_answer("code2", "web.example", DNS_A);
    assert_int_equal(file_write(AT_FDCWD, path, before, strlen(before), 0644), 0);
    usleep(1100 * 1000);
    assert_answer("192.0.2.1", "web.example", DNS_A);
}

/* Nobody but the container is answered. */
static void test_stranger(void **state)
{
    uint8_t msg[DNS_PLAIN_UDP];
    size_t len = make_query(msg, "host.docker.internal", DNS_A);
    auto_close int udp = client("127.0.0.2", SOCK_DGRAM), tcp = client("127.0.0.2", SOCK_STREAM);
    assert_int_equal(write(udp, msg, len), len);
    struct pollfd p[] = {{tcp, POLLIN, 0}, {udp, POLLIN, 0}};
    assert_true(poll(p, 1, WAIT_MS) > 0);
    assert_int_equal(read(tcp, msg, sizeof msg), 0);
    assert_answer("own 127.0.0.1", "host.docker.internal", DNS_A);
    assert_int_equal(poll(&p[1], 1, 0), 0);
}

/* What is no question gets what it deserves, and the next one is answered. */
static void test_nonsense(void **state)
{
    uint8_t msg[DNS_QUERY_MAX + 100] = {0};
    auto_close int udp = client("127.0.0.1", SOCK_DGRAM), tcp = client("127.0.0.1", SOCK_STREAM);
    assert_int_equal(write(udp, "x", 1), 1);
    assert_int_equal(write(udp, msg, sizeof msg), sizeof msg);
    assert_int_equal(write(udp, msg, DNS_HEAD), DNS_HEAD);
    assert_true(serve_until(udp));
    assert_int_equal(read(udp, msg, sizeof msg), DNS_HEAD);
    assert_int_equal(msg[3] & 0xf, DNS_FORMERR);
    assert_int_equal(write(tcp, "\xff\xff", 2), 2);
    assert_true(serve_until(tcp));
    assert_int_equal(read(tcp, msg, sizeof msg), 0);
    assert_answer("own 127.0.0.1", "host.docker.internal", DNS_A);
}

/* Time that a process has used, in hundredths of a second. */
static uint64_t cpu_ticks(pid_t pid)
{
    unsigned long user = 0, system = 0;
    auto_free char *path = xasprintf("/proc/%d/stat", pid), *text = NULL;
    assert_int_equal(file_read(AT_FDCWD, path, 4096, &text, NULL), 0);
    const char *fields = strrchr(text, ')');
    assert_int_equal(sscanf(fields, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
    return user + system;
}

/* More than it has places for: the others are told so, and nothing is left of it. */
static void test_full(void **state)
{
    enum { N = FORWARDS_MAX + 10 };
    uint8_t msg[DNS_PLAIN_UDP], got[DNS_PLAIN_UDP];
    unsigned refused = 0;
    habits[0] = habits[1] = IS_SILENT;
    auto_close int fd = client("127.0.0.1", SOCK_DGRAM);
    size_t len = make_query(msg, "web.example", DNS_A);
    for (int i = 0; i < N; i++) {
        assert_int_equal(write(fd, msg, len), len);
        if (i % 16 == 0)
            usleep(1000);
    }
    while (serve_until(fd) && recv(fd, got, sizeof got, 0) > 0 && (got[3] & 0xf) == DNS_SERVFAIL && ++refused < N)
        ;
    assert_int_equal(refused, N);
    habits[0] = habits[1] = ANSWERS;
    assert_answer("192.0.2.1", "web.example", DNS_A);
}

/* One that leaves before its answer is there costs nothing from then on. */
static void test_leaving(void **state)
{
    uint8_t msg[DNS_PLAIN_UDP];
    const struct linger reset = {1, 0};
    habits[0] = habits[1] = IS_SILENT;
    int fd = client("127.0.0.1", SOCK_STREAM);
    size_t len = make_query(msg + 2, "web.example", DNS_A);
    memcpy(msg, (uint8_t[]){0, (uint8_t)len}, 2);
    assert_int_equal(write(fd, msg, len + 2), len + 2);
    struct pollfd p = {server_tcp, POLLIN, 0};
    assert_true(poll(&p, 1, WAIT_MS) > 0); /* it is being asked */
    auto_close int asked_by = accept(server_tcp, NULL, NULL);
    assert_true(asked_by >= 0);
    uint64_t before = cpu_ticks(dns.helper.pid);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    usleep(500 * 1000);
    assert_in_range(cpu_ticks(dns.helper.pid) - before, 0, 10);
    habits[0] = habits[1] = ANSWERS;
    assert_answer("192.0.2.1", "web.example", DNS_A);
}

static void test_helper_killed(void **state)
{
    pid_t before = dns.helper.pid;
    assert_true(before > 0);
    kill(before, SIGKILL);
    assert_answer("own 127.0.0.1", "host.docker.internal", DNS_A);
    assert_true(dns.helper.pid > 0 && dns.helper.pid != before);
    assert_answer("192.0.2.1", "web.example", DNS_A);
}

/* ---- */

static bool write_map(const char *path, const char *text)
{
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* false: this machine gives users no namespaces */
static bool enter_namespaces(void)
{
    auto_free char *uids = xasprintf("0 %u 1", geteuid()), *gids = xasprintf("0 %u 1", getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) == 0 && write_map("/proc/self/uid_map", uids) &&
           write_map("/proc/self/setgroups", "deny") && write_map("/proc/self/gid_map", gids) &&
           link_loopback_up() == 0;
}

static int set_up(void **state)
{
    char net1[] = "net1", net2[] = "net2", *networks[] = {net1, net2, NULL};
    static const char resolv[] = "# servers\nnameserver " SERVER_1 "\nnameserver " SERVER_2 "\n";
    struct ip own;
    assert_non_null(mkdtemp(dir));
    auto_free char *file = xasprintf("%s/resolv.conf", dir), *networks_dir = xasprintf("%s/networks", dir);
    assert_int_equal(file_write(AT_FDCWD, file, resolv, strlen(resolv), 0644), 0);
    assert_int_equal(mount(file, "/etc/resolv.conf", NULL, MS_BIND, NULL), 0);
    auto_free char *alive = xasprintf("%s/" NETWORK_ALIVE, networks_dir);
    assert_int_equal(dir_make_all(alive, 0700), 0);
    server[0] = bind_to(SERVER_1, SOCK_DGRAM);
    server[1] = bind_to(SERVER_2, SOCK_DGRAM);
    server_tcp = bind_to(SERVER_1, SOCK_STREAM);
    assert_int_equal(listen(server_tcp, 16), 0);
    assert_int_equal(dns_open(&dns, networks, NULL, dir_open(AT_FDCWD, networks_dir)), 0);
    assert_int_equal(ip_parse(OWN, &own), 0);
    assert_int_equal(dns_sockets(&own, dns.sockets), 0);
    dns.setup.n_sockets = 2;
    dns.setup.n_clients = 1;
    assert_int_equal(ip_parse("127.0.0.1", &dns.setup.clients[0]), 0);
    dns.setup.host[0] = dns.setup.clients[0];
    assert_int_equal(dns_attach(&dns), 0);
    int r = net_helper_settle(&dns.helper);
    if (r < 0)
        print_message("%s\n", err_text(r));
    return r;
}

static int tear_down(void **state)
{
    dns_close(&dns);
    return tree_remove(AT_FDCWD, dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),         cmocka_unit_test(test_life),    cmocka_unit_test(test_shared_alias),
        cmocka_unit_test(test_forward),       cmocka_unit_test(test_refused), cmocka_unit_test(test_stranger),
        cmocka_unit_test(test_nonsense),      cmocka_unit_test(test_full),    cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_helper_killed),
    };
    if (!enter_namespaces())
        return 77; /* meson: skipped */
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
