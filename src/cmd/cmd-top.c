/* whelk top: the processes of a container, out of /proc: the image needs no ps. */
#include "targets.h"

#include "whelk/caps.h"
#include "whelk/columns.h"
#include "whelk/passwd.h"
#include "whelk/processes.h"
#include "whelk/units.h"

#include <sys/sysmacros.h>
#include <time.h>

struct top_opts {
    bool latest;
};

static const struct opt top_table[] = {
    TARGET_LATEST(offsetof(struct top_opts, latest)),
    OPT_END,
};

struct context {
    struct ctr_processes ps;
    char *passwd, *group; /* the container's */
};

/* ---- cells; each caller frees ---- */

static char *number(int64_t n)
{
    return xasprintf("%lld", (long long)n);
}

/* The first field of the line whose third field is id, or the number. */
static char *name_of(const char *text, uint32_t id)
{
    auto_free char *key = number(id);
    auto_strv char **line = passwd_line(text, 2, key);
    return line && line[0] && *line[0] ? xstrdup(line[0]) : take_ptr(&key);
}

static char *cell_pid(const struct context *x, const struct process *p)
{
    return number(ctr_process_pid(&x->ps, p));
}

static char *cell_ppid(const struct context *x, const struct process *p)
{
    return number(ctr_process_parent(&x->ps, p));
}

static char *cell_hpid(const struct context *x, const struct process *p)
{
    return number(p->pid);
}

/* Groups and sessions are told in the host's numbers: what the container calls them is the pid of their leader. */
static char *leader(const struct context *x, pid_t pid)
{
    for (size_t i = 0; i < x->ps.n; i++)
        if (x->ps.items[i].pid == pid)
            return cell_pid(x, &x->ps.items[i]);
    return number(0);
}

static char *cell_pgid(const struct context *x, const struct process *p)
{
    return leader(x, p->group);
}

static char *cell_sid(const struct context *x, const struct process *p)
{
    return leader(x, p->session);
}

static char *cell_user(const struct context *x, const struct process *p)
{
    return name_of(x->passwd, ctr_process_uid(&x->ps, p->uid[1]));
}

static char *cell_ruser(const struct context *x, const struct process *p)
{
    return name_of(x->passwd, ctr_process_uid(&x->ps, p->uid[0]));
}

static char *cell_group(const struct context *x, const struct process *p)
{
    return name_of(x->group, ctr_process_gid(&x->ps, p->gid[1]));
}

static char *cell_rgroup(const struct context *x, const struct process *p)
{
    return name_of(x->group, ctr_process_gid(&x->ps, p->gid[0]));
}

static char *cell_uid(const struct context *x, const struct process *p)
{
    return number(ctr_process_uid(&x->ps, p->uid[1]));
}

static char *cell_gid(const struct context *x, const struct process *p)
{
    return number(ctr_process_gid(&x->ps, p->gid[1]));
}

static char *cell_huser(const struct context *x, const struct process *p)
{
    return number(p->uid[1]);
}

static char *cell_hgroup(const struct context *x, const struct process *p)
{
    return number(p->gid[1]);
}

static char *cell_groups(const struct context *x, const struct process *p)
{
    auto_strv char **ids = strv_split(p->groups ? p->groups : "", " "), **names = NULL;
    strv_foreach (id, ids)
        strv_add_take(&names, name_of(x->group, ctr_process_gid(&x->ps, (uint32_t)strtoul(id, NULL, 10))));
    return strv_join(names, ",");
}

static char *cell_args(const struct context *x, const struct process *p)
{
    return process_args(p);
}

static char *cell_comm(const struct context *x, const struct process *p)
{
    return xstrdup(p->comm);
}

static char *cell_nice(const struct context *x, const struct process *p)
{
    return number(p->nice);
}

static double processor_share(const struct process *p)
{
    int64_t age = process_age(p);
    return age ? 100.0 * (double)process_ticks_ns(p->cpu_ticks) / (double)age : 0;
}

static char *cell_pcpu(const struct context *x, const struct process *p)
{
    return xasprintf("%.3f", processor_share(p));
}

static char *cell_c(const struct context *x, const struct process *p)
{
    return number((int64_t)processor_share(p));
}

static char *cell_pmem(const struct context *x, const struct process *p)
{
    double all = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    return xasprintf("%.1f", all > 0 ? 100.0 * (double)p->resident_bytes / all : 0);
}

static char *cell_vsz(const struct context *x, const struct process *p)
{
    return number((int64_t)(p->virtual_bytes / 1024));
}

static char *cell_rss(const struct context *x, const struct process *p)
{
    return number((int64_t)(p->resident_bytes / 1024));
}

/* "[DD-]HH:MM:SS" */
static char *clock_text(int64_t seconds, bool hours_always)
{
    int64_t days = seconds / 86400, h = seconds / 3600 % 24, m = seconds / 60 % 60, s = seconds % 60;
    if (days)
        return xasprintf("%lld-%02lld:%02lld:%02lld", (long long)days, (long long)h, (long long)m, (long long)s);
    if (h || hours_always)
        return xasprintf("%02lld:%02lld:%02lld", (long long)h, (long long)m, (long long)s);
    return xasprintf("%02lld:%02lld", (long long)m, (long long)s);
}

static char *cell_etime(const struct context *x, const struct process *p)
{
    return clock_text(process_age(p) / 1000000000, false);
}

static char *cell_etimes(const struct context *x, const struct process *p)
{
    return number(process_age(p) / 1000000000);
}

static char *cell_time(const struct context *x, const struct process *p)
{
    return clock_text((int64_t)(process_ticks_ns(p->cpu_ticks) / 1000000000), true);
}

/* The time of day, or of an older one the day. */
static char *cell_stime(const struct context *x, const struct process *p)
{
    time_t now = time(NULL), started = (time_t)((time_now() - process_age(p)) / 1000000000);
    struct tm then, today;
    char text[32];
    localtime_r(&started, &then);
    localtime_r(&now, &today);
    bool same_day = then.tm_yday == today.tm_yday && then.tm_year == today.tm_year;
    strftime(text, sizeof text, same_day ? "%H:%M" : "%b%d", &then);
    return xstrdup(text);
}

/* The container's own terminals have the numbers of its devpts. */
static char *cell_tty(const struct context *x, const struct process *p)
{
    enum { PTS_FIRST = 136, PTS_LAST = 143, TTY = 4 };
    unsigned at = major((dev_t)p->tty), minor_ = minor((dev_t)p->tty);
    if (at >= PTS_FIRST && at <= PTS_LAST)
        return xasprintf("pts/%u", minor_ + (at - PTS_FIRST) * 256);
    return at == TTY ? xasprintf("tty%u", minor_) : xstrdup("?");
}

static char *cell_state(const struct context *x, const struct process *p)
{
    return xasprintf("%c", p->state);
}

static char *cell_threads(const struct context *x, const struct process *p)
{
    return number(p->threads);
}

static char *cell_seccomp(const struct context *x, const struct process *p)
{
    static const char *const names[] = {"disabled", "strict", "filter"};
    return xstrdup(p->seccomp >= 0 && p->seccomp < (int)ARRAY_LEN(names) ? names[p->seccomp] : "?");
}

static char *cell_label(const struct context *x, const struct process *p)
{
    return xstrdup("?"); /* whelk gives processes no label */
}

static char *caps_text(uint64_t caps)
{
    auto_strv char **names = NULL;
    if (caps == caps_all())
        return xstrdup("full");
    for (unsigned i = 0; i < 64; i++)
        if (caps >> i & 1)
            strv_addf(&names, "%s", cap_name(i) ? str_after(cap_name(i), "CAP_") : "?");
    return names ? strv_join(names, ",") : xstrdup("none");
}

static char *cell_capamb(const struct context *x, const struct process *p)
{
    return caps_text(p->cap_ambient);
}

static char *cell_capbnd(const struct context *x, const struct process *p)
{
    return caps_text(p->cap_bounding);
}

static char *cell_capeff(const struct context *x, const struct process *p)
{
    return caps_text(p->cap_effective);
}

static char *cell_capinh(const struct context *x, const struct process *p)
{
    return caps_text(p->cap_inheritable);
}

static char *cell_capprm(const struct context *x, const struct process *p)
{
    return caps_text(p->cap_permitted);
}

/* ---- columns: podman's descriptors and the names of ps -o; the code is that of ps and podman ("%C") ---- */

struct column {
    const char *names; /* blank-separated */
    char code;
    const char *header;
    char *(*cell)(const struct context *x, const struct process *p);
};

static const struct column columns[] = {
    {"user euser uname", 'U', "USER", cell_user},
    {"uid euid", 0, "UID", cell_uid},
    {"ruser", 'u', "RUSER", cell_ruser},
    {"group egroup", 'G', "GROUP", cell_group},
    {"gid egid", 0, "GID", cell_gid},
    {"rgroup", 'g', "RGROUP", cell_rgroup},
    {"groups", 0, "GROUPS", cell_groups},
    {"pid", 'p', "PID", cell_pid},
    {"ppid", 'P', "PPID", cell_ppid},
    {"pgid pgrp", 'r', "PGID", cell_pgid},
    {"sid sess session", 0, "SID", cell_sid},
    {"args cmd command", 'a', "COMMAND", cell_args},
    {"comm ucmd ucomm", 'c', "COMMAND", cell_comm},
    {"nice ni", 'n', "NI", cell_nice},
    {"pcpu %cpu", 'C', "%CPU", cell_pcpu},
    {"c", 0, "C", cell_c},
    {"pmem %mem", 0, "%MEM", cell_pmem},
    {"etime", 't', "ELAPSED", cell_etime},
    {"etimes", 0, "ELAPSED", cell_etimes},
    {"time cputime", 'x', "TIME", cell_time},
    {"stime start start_time bsdstart", 0, "STIME", cell_stime},
    {"tty tt tname", 'y', "TTY", cell_tty},
    {"vsz vsize", 'z', "VSZ", cell_vsz},
    {"rss rssize", 0, "RSS", cell_rss},
    {"state s", 0, "STATE", cell_state},
    {"stat", 0, "STAT", cell_state},
    {"nlwp thcount", 0, "NLWP", cell_threads},
    {"capamb", 0, "AMBIENT CAPS", cell_capamb},
    {"capbnd", 0, "BOUNDING CAPS", cell_capbnd},
    {"capeff", 0, "EFFECTIVE CAPS", cell_capeff},
    {"capinh", 0, "INHERITED CAPS", cell_capinh},
    {"capprm", 0, "PERMITTED CAPS", cell_capprm},
    {"seccomp", 0, "SECCOMP", cell_seccomp},
    {"label", 0, "LABEL", cell_label},
    {"hpid", 0, "HPID", cell_hpid},
    {"huser", 0, "HUSER", cell_huser},
    {"hgroup", 0, "HGROUP", cell_hgroup},
};

/* The letters of ps(1) that choose whole sets, and those that choose processes: all of the container are shown. */
static const struct {
    char letter;
    const char *set; /* NULL: nothing to choose */
} letters[] = {
    {'f', "user=UID pid ppid c stime tty time cmd=CMD"},
    {'F', "user=UID pid ppid c vsz rss stime tty time cmd=CMD"},
    {'l', "state uid pid ppid c nice vsz tty time comm"},
    {'j', "pid pgid sid tty time comm"},
    {'u', "user pid %cpu %mem vsz rss tty stat start time command"},
    {'v', "pid tty stat time rss %mem command"},
    {'e', NULL},
    {'A', NULL},
    {'a', NULL},
    {'x', NULL},
    {'w', NULL},
    {'H', NULL},
};
enum { USUAL = 0 };
static const char bare_set[] = "pid tty time comm"; /* ps -e */

enum { CHOSEN_MAX = 64 };

struct choice {
    const struct column *columns[CHOSEN_MAX];
    char *headers[CHOSEN_MAX];
    size_t n;
};

static void choice_done(struct choice *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->headers[i]);
}

static const struct column *find_column(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        auto_strv char **names = strv_split(columns[i].names, " ");
        if (strv_has(names, word) || (word[0] == '%' && word[1] && word[1] == columns[i].code && !word[2]))
            return &columns[i];
    }
    return NULL;
}

static int unknown(const char *word)
{
    auto_strv char **known = NULL;
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        strv_add_take(&known, xstrndup(columns[i].names, strcspn(columns[i].names, " ")));
    auto_free char *list = strv_join(known, ", ");
    return err_set(-EINVAL, "top: \"%s\" is no descriptor; known: %s", word, list);
}

/* A list "pid,user:8,args=CMD" of descriptors; header: what stands above, "" too. */
static int choose(struct choice *c, const char *list, const char *separators)
{
    auto_strv char **words = strv_split(list, separators);
    strv_foreach (word, words) {
        char *header = strchr(word, '=');
        if (header)
            *header++ = 0;
        word[strcspn(word, ":")] = 0;
        const struct column *column = find_column(word);
        if (!column)
            return unknown(word);
        if (c->n == CHOSEN_MAX)
            return err_set(-EINVAL, "top: more than %d descriptors", CHOSEN_MAX);
        c->headers[c->n] = xstrdup(header ? header : column->header);
        c->columns[c->n++] = column;
    }
    return 0;
}

static const char *set_of(char letter, bool *ret_known)
{
    for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
        *ret_known = letters[i].letter == letter;
        if (*ret_known)
            return letters[i].set;
    }
    return NULL;
}

/* Words of ps(1): "-ef", "aux", "-o pid,args", "-eopid,args". */
static int choose_like_ps(struct choice *c, char **words)
{
    const char *set = bare_set;
    for (; *words; words++) {
        for (const char *at = *words + (**words == '-'); *at; at++) {
            bool known;
            if (*at == 'o' || *at == 'O') {
                const char *list = at[1] ? at + 1 : *++words;
                int r = list ? choose(c, list, ", ") : err_set(-EINVAL, "top: -o needs a list, as -o pid,args");
                if (r < 0)
                    return r;
                set = NULL;
                break;
            }
            const char *chosen = set_of(*at, &known);
            if (!known)
                return err_set(
                    -EINVAL, "top: the option \"%c\" of ps is not known here; known: e f F l j u v a x w, and -o LIST",
                    *at);
            set = chosen && set ? chosen : set;
        }
    }
    return set && !c->n ? choose(c, set, " ") : 0;
}

static int choose_columns(struct choice *c, char **words)
{
    if (!*words)
        return choose(c, letters[USUAL].set, " ");
    auto_strv char **first = strv_split(*words, ", ");
    if (**words == '-' || !first || !find_column(first[0]))
        return strv_len(words) == 1 && **words != '-' && strlen(*words) > 3 ? unknown(*words)
                                                                            : choose_like_ps(c, words);
    auto_free char *all = strv_join(words, " ");
    return choose(c, all, ", ");
}

/* ---- the command ---- */

static void print(const struct context *x, const struct choice *c)
{
    struct columns *table = columns_new((const char *const *)c->headers, c->n);
    for (size_t i = 0; i < x->ps.n; i++) {
        for (size_t j = 0; j < c->n; j++) {
            auto_free char *cell = c->columns[j]->cell(x, &x->ps.items[i]);
            columns_cell(table, cell);
        }
    }
    columns_print(table, true, stdout);
    columns_free(table);
}

static int show(const struct store *s, const struct ctr *c, const struct choice *chosen)
{
    struct context x = {0};
    int r = ctr_processes(s, c, &x.ps);
    if (r < 0)
        return r;
    x.passwd = ctr_processes_file(&x.ps, "etc/passwd");
    x.group = ctr_processes_file(&x.ps, "etc/group");
    print(&x, chosen);
    ctr_processes_done(&x.ps);
    free(x.passwd);
    free(x.group);
    return 0;
}

static int run(void *opts, char **args)
{
    const struct top_opts *o = opts;
    struct store *s;
    struct ctr c = {0};
    auto_with(choice_done) struct choice chosen = {0};
    const char *typed = o->latest || !*args ? NULL : *args++;
    int r = choose_columns(&chosen, args);
    if (r == 0)
        r = cmd_store(&s);
    if (r == 0)
        r = target_load(s, o->latest, typed, &c);
    if (r == 0)
        r = show(s, &c, &chosen);
    ctr_done(&c);
    return r;
}

const struct cmd cmd_top = {
    .names = "top;container top",
    .args = "[OPTIONS] CONTAINER [PS-OPTION|DESCRIPTOR...]",
    .summary = "show the processes of a container",
    .description =
        "Prints a table of the processes of a running container, with the container's own pids and user names. "
        "The columns are chosen like those of ps(1) (-ef, aux, -o pid,args) or by descriptors (pid user "
        "args). Nothing is run in the container.",
    .examples =
        "whelk top web\nwhelk top web -o pid,rss,args\nwhelk top web pid user %C args\nwhelk top web pid capeff "
        "seccomp",
    .opts = top_table,
    .opts_size = sizeof(struct top_opts),
    .stop_at_arg = true,
    .max_args = -1,
    .complete = COMPLETE_RUNNING_CONTAINER,
    .run = run,
};
