/* Signal names and numbers. */
#include "whelk/err.h"
#include "whelk/proc.h"

#include <strings.h>

/* Where a number has two names, the first is the one that is shown. */
#define S(name)                                                                                                        \
    {                                                                                                                  \
#name, SIG##name                                                                                               \
    }
static const struct {
    const char *name;
    int number;
} signals[] = {
    S(HUP),   S(INT),  S(QUIT), S(ILL),  S(TRAP),          S(ABRT),          S(BUS),          S(FPE),    S(KILL),
    S(USR1),  S(SEGV), S(USR2), S(PIPE), S(ALRM),          S(TERM),          S(STKFLT),       S(CHLD),   S(CONT),
    S(STOP),  S(TSTP), S(TTIN), S(TTOU), S(URG),           S(XCPU),          S(XFSZ),         S(VTALRM), S(PROF),
    S(WINCH), S(IO),   S(PWR),  S(SYS),  {"IOT", SIGABRT}, {"CLD", SIGCHLD}, {"POLL", SIGIO},
};
#undef S

static int signal_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        if (strcasecmp(signals[i].name, name) == 0)
            return signals[i].number;
    return 0;
}

/* "RTMIN", "RTMIN+3", "RTMAX-2"; 0 if it is none. */
static int signal_find_realtime(const char *name)
{
    bool from_max = strncasecmp(name, "RTMAX", 5) == 0;
    uint64_t n = 0;
    if (!from_max && strncasecmp(name, "RTMIN", 5) != 0)
        return 0;
    const char *rest = name + 5;
    if (*rest && (*rest != (from_max ? '-' : '+') || !str_to_u64(rest + 1, &n)))
        return 0;
    if (n > (uint64_t)(SIGRTMAX - SIGRTMIN))
        return 0;
    return from_max ? SIGRTMAX - (int)n : SIGRTMIN + (int)n;
}

int signal_parse(const char *name, int *ret)
{
    uint64_t number = 0;
    const char *plain = strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name;
    int sig = signal_find(plain);
    if (!sig)
        sig = signal_find_realtime(plain);
    if (!sig && str_to_u64(name, &number) && number <= (uint64_t)SIGRTMAX)
        sig = (int)number;
    if (!sig)
        return err_set(-EINVAL, "invalid signal: %s", name);
    *ret = sig;
    return 0;
}

const char *signal_name(int sig)
{
    static char other[24];
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        if (signals[i].number == sig)
            return signals[i].name;
    if (sig >= SIGRTMIN && sig <= SIGRTMAX)
        snprintf(other, sizeof(other), sig == SIGRTMIN ? "RTMIN" : "RTMIN+%d", sig - SIGRTMIN);
    else
        snprintf(other, sizeof(other), "%d", sig);
    return other;
}

void signals_reset(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int sig = 1; sig < _NSIG; sig++)
        sigaction(sig, &action, NULL); /* fails for KILL, STOP and the C library's own: those are as they are */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}
