/* Limits as values: the table of limits.def, checks, and the forms in which a limit is written to a file of either
 * hierarchy and read back. Nothing here touches the kernel. */
#include "cgroup-parts.h"

#include "whelk/err.h"

#include <inttypes.h>

enum { PERIOD_US = 100000 };

/* A form writes the value v of a number and reads it back. infix: for DEVICES, what stands between "MAJ:MIN" and the
 * number, which `map` may change. No reader: the file's content says it in another limit's words. */
struct limit_form {
    void (*write)(const struct limits *l, int64_t v, struct buf *out);
    int64_t (*read)(const char *text, const struct limits *l);
    const char *infix;
    int64_t (*map)(int64_t v);
    bool unlimited; /* -1 is a value */
};

/* --- numbers */

static void write_plain(const struct limits *l, int64_t v, struct buf *out)
{
    buf_addf(out, "%" PRId64, v);
}

static void write_max_word(const struct limits *l, int64_t v, struct buf *out)
{
    if (v < 0)
        buf_adds(out, "max");
    else
        write_plain(l, v, out);
}

/* "max" is no limit, and so is what version 1 shows for it: all that a page counter holds. */
static int64_t read_plain(const char *text, const struct limits *l)
{
    if (str_after(text, "max"))
        return -1;
    int64_t v = strtoll(text, NULL, 10);
    return v >= INT64_MAX / 4096 * 4096 ? -1 : v;
}

static const struct limit_form form_plain = {.write = write_plain, .read = read_plain};
static const struct limit_form form_minus = {.write = write_plain, .read = read_plain, .unlimited = true};
static const struct limit_form form_max_word = {.write = write_max_word, .read = read_plain, .unlimited = true};

/* --- memory and swap: version 2 counts swap alone */

static void write_swap(const struct limits *l, int64_t v, struct buf *out)
{
    write_max_word(l, v < 0 ? -1 : v - l->memory, out);
}

static int64_t read_swap(const char *text, const struct limits *l)
{
    int64_t v = read_plain(text, l);
    return v < 0 || l->memory <= 0 ? -1 : v + l->memory;
}

static const struct limit_form form_swap = {.write = write_swap, .read = read_swap, .unlimited = true};

/* --- processors: three options make one line of version 2 */

static int64_t period_of(const struct limits *l)
{
    return l->cpu_period > 0 ? l->cpu_period : PERIOD_US;
}

static int64_t quota_of(const struct limits *l)
{
    if (l->nano_cpus > 0)
        return (int64_t)((double)l->nano_cpus * (double)period_of(l) / 1e9 + 0.5);
    return l->cpu_quota ? l->cpu_quota : -1;
}

static void write_cpu_max(const struct limits *l, int64_t v, struct buf *out)
{
    write_max_word(l, quota_of(l), out);
    buf_addf(out, " %" PRId64, period_of(l));
}

static int64_t read_cpu_max_period(const char *text, const struct limits *l)
{
    const char *blank = strchr(text, ' ');
    return blank ? strtoll(blank, NULL, 10) : 0;
}

static void write_quota_of_cpus(const struct limits *l, int64_t v, struct buf *out)
{
    write_plain(l, quota_of(l), out);
}

static const struct limit_form form_cpu_max = {.write = write_cpu_max};
static const struct limit_form form_cpu_max_period = {.write = write_cpu_max, .read = read_cpu_max_period};
static const struct limit_form form_cpu_max_quota = {.write = write_cpu_max, .read = read_plain, .unlimited = true};
static const struct limit_form form_quota_of_cpus = {.write = write_quota_of_cpus};

/* --- weights: 2..262144 and 10..1000 of version 1 to 1..10000, as all container tools do it */

static int64_t weight_of_shares(int64_t shares)
{
    return 1 + (shares - 2) * 9999 / 262142;
}

static void write_weight(const struct limits *l, int64_t v, struct buf *out)
{
    write_plain(l, weight_of_shares(v), out);
}

/* The smallest number of shares that gives this weight. */
static int64_t read_weight(const char *text, const struct limits *l)
{
    int64_t weight = strtoll(text, NULL, 10);
    return 2 + ((weight - 1) * 262142 + 9998) / 9999;
}

static int64_t io_weight_of(int64_t weight)
{
    return 1 + (weight - 10) * 9999 / 990;
}

static void write_io_weight(const struct limits *l, int64_t v, struct buf *out)
{
    write_plain(l, io_weight_of(v), out);
}

static int64_t read_io_weight(const char *text, const struct limits *l)
{
    const char *number = str_after(text, "default ");
    int64_t weight = strtoll(number ? number : text, NULL, 10);
    return 10 + ((weight - 1) * 990 + 9998) / 9999;
}

static const struct limit_form form_weight = {.write = write_weight, .read = read_weight};
static const struct limit_form form_io_weight = {.write = write_io_weight, .read = read_io_weight};

/* --- a number for each device */

static const struct limit_form form_pair = {.infix = " "};
static const struct limit_form form_io_weight_pair = {.infix = " ", .map = io_weight_of};
static const struct limit_form form_rbps = {.infix = " rbps="};
static const struct limit_form form_wbps = {.infix = " wbps="};
static const struct limit_form form_riops = {.infix = " riops="};
static const struct limit_form form_wiops = {.infix = " wiops="};

/* --- the table */

enum limit_kind { KIND_SIZE, KIND_CPUS, KIND_COUNT, KIND_TEXT, KIND_DEVICES, KIND_CONF };

struct limit_place {
    const char *controller, *file;
    const struct limit_form *form;
};

static const struct limit_row {
    const char *option;
    size_t offset;
    enum limit_kind kind;
    int64_t least, most;
    struct limit_place v2, v1;
} rows[] = {
#define RANGE(least, most) least, most
#define V2(controller, file, form)                                                                                     \
    {                                                                                                                  \
        controller, file, &form_##form                                                                                 \
    }
#define V1 V2
#define LIMIT(field, kind, option, letter, help, ...)                                                                  \
    {option, offsetof(struct limits, field), KIND_##kind, __VA_ARGS__},
#include "whelk/limits.def"
#undef LIMIT
};

static const struct limit_place *place(const struct limit_row *row, enum cgroup_mode mode)
{
    return mode == CGROUP_V1 ? &row->v1 : &row->v2;
}

static bool is_number(const struct limit_row *row)
{
    return row->kind <= KIND_COUNT;
}

static int64_t number(const struct limit_row *row, const struct limits *l)
{
    return *(const int64_t *)((const char *)l + row->offset);
}

static void *member(const struct limit_row *row, struct limits *l)
{
    return (char *)l + row->offset;
}

static const char *text(const struct limit_row *row, const struct limits *l)
{
    return *(char *const *)((const char *)l + row->offset);
}

static char *const *words(const struct limit_row *row, const struct limits *l)
{
    return *(char **const *)((const char *)l + row->offset);
}

/* --- the face's part */

bool limits_any(const struct limits *l)
{
    for (const struct limit_row *row = rows; l && row < rows + ARRAY_LEN(rows); row++)
        if (is_number(row) ? number(row, l) != 0 : text(row, l) != NULL)
            return true;
    return false;
}

void limits_done(struct limits *l)
{
    for (const struct limit_row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
        if (row->kind == KIND_TEXT)
            free(*(char **)member(row, l));
        else if (row->kind >= KIND_DEVICES)
            strv_free(*(char ***)member(row, l));
    }
    *l = (struct limits){0};
}

static int check_number(const struct limit_row *row, int64_t v)
{
    if (v == 0 || (v == -1 && row->v2.form->unlimited) || (v >= row->least && v <= row->most))
        return 0;
    if (row->kind == KIND_CPUS)
        return err_set(-EINVAL, "--%s must be at least %g", row->option, (double)row->least / 1e9);
    if (row->most >= INT32_MAX)
        return err_set(-EINVAL, "--%s must be at least %" PRId64 "%s", row->option, row->least,
                       row->v2.form->unlimited ? ", or -1" : "");
    return err_set(-EINVAL, "--%s must be from %" PRId64 " to %" PRId64, row->option, row->least, row->most);
}

static int check_list(const struct limit_row *row, const char *list)
{
    if (!list || (*list && strspn(list, "0123456789,-") == strlen(list)))
        return 0;
    return err_set(-EINVAL, "--%s: not a list as 0-2,4: %s", row->option, list);
}

static int check_device(const struct limit_row *row, const char *word)
{
    const char *equals = strchr(word, '=');
    int64_t v = 0;
    if (!equals || strspn(word, "0123456789:") != (size_t)(equals - word) || !str_to_i64(equals + 1, &v) || v == 0)
        return err_set(-EINVAL, "--%s: not a device and a number: %s", row->option, word);
    return check_number(row, v);
}

/* --- files by name */

/* The controller of a file, out of its name; NULL if it belongs to none: those of the group itself are whelk's. */
static const char *conf_controller(const char *word)
{
    static const char *const controllers[] = {"blkio", "cpu",    "cpuacct", "cpuset", "hugetlb",
                                              "io",    "memory", "misc",    "pids",   "rdma"};
    for (size_t i = 0; i < ARRAY_LEN(controllers); i++) {
        const char *rest = str_after(word, controllers[i]);
        if (rest && *rest == '.')
            return controllers[i];
    }
    return NULL;
}

static int check_conf(const char *option, const char *word)
{
    size_t name = strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_.");
    const char *value = word + name + 1;
    if (word[name] != '=' || !*value || strpbrk(value, "\n") || strlen(word) > 1000)
        return err_set(-EINVAL, "--%s %s: write FILE=VALUE, as memory.high=1073741824", option, word);
    if (!conf_controller(word))
        return err_set(-EINVAL, "--%s %s: the file has to be one of a controller, as memory.high or cpu.max", option,
                       word);
    return 0;
}

static int check_row(const struct limit_row *row, const struct limits *l)
{
    if (is_number(row))
        return check_number(row, number(row, l));
    if (row->kind == KIND_TEXT)
        return check_list(row, text(row, l));
    int r = 0;
    strv_foreach (word, words(row, l))
        r = r < 0 ? r : row->kind == KIND_CONF ? check_conf(row->option, word) : check_device(row, word);
    return r;
}

static int check_together(const struct limits *l)
{
    if (l->memory_swap && !l->memory)
        return err_set(-EINVAL, "--memory-swap is memory and swap together: it needs --memory");
    if (l->memory_swap > 0 && l->memory_swap < l->memory)
        return err_set(-EINVAL, "--memory-swap is memory and swap together: it cannot be less than --memory");
    if (l->memory > 0 && l->memory_reservation > l->memory)
        return err_set(-EINVAL, "--memory-reservation cannot be more than --memory");
    if (l->nano_cpus && l->cpu_quota)
        return err_set(-EINVAL, "--cpus and --cpu-quota exclude each other");
    if (l->nano_cpus && l->cpu_period)
        return err_set(-EINVAL, "--cpus and --cpu-period exclude each other");
    return 0;
}

int limits_check(const struct limits *l)
{
    for (const struct limit_row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
        int r = check_row(row, l);
        if (r < 0)
            return r;
    }
    return check_together(l);
}

/* --- settings */

static void add_setting(struct cgroup_settings *s, const struct limit_place *p, const char *option, char *value)
{
    struct cgroup_setting *last = s->n ? &s->list[s->n - 1] : NULL;
    if (last && str_eq(last->file, p->file) && str_eq(last->value, value)) { /* the three options of cpu.max */
        free(value);
        return;
    }
    s->list = xrealloc(s->list, (s->n + 1) * sizeof *s->list);
    s->list[s->n++] = (struct cgroup_setting){option, p->controller, p->file, value, NULL};
}

static void add_conf(struct cgroup_settings *s, const char *option, const char *word)
{
    size_t len = strcspn(word, "=");
    char *name = xstrndup(word, len);
    s->list = xrealloc(s->list, (s->n + 1) * sizeof *s->list);
    s->list[s->n++] = (struct cgroup_setting){option, conf_controller(word), name, xstrdup(word + len + 1), name};
}

static char *device_line(const struct limit_form *form, const char *word)
{
    const char *equals = strchr(word, '=');
    int64_t v = strtoll(equals + 1, NULL, 10);
    return xasprintf("%.*s%s%" PRId64, (int)(equals - word), word, form->infix, form->map ? form->map(v) : v);
}

static void add_number(struct cgroup_settings *s, const struct limit_row *row, const struct limit_place *p,
                       const struct limits *l, bool implied)
{
    struct buf value = {0};
    p->form->write(l, number(row, l), &value);
    add_setting(s, p, implied ? NULL : row->option, buf_take(&value));
}

void settings_make(const struct limits *l, enum cgroup_mode mode, struct cgroup_settings *ret)
{
    *ret = (struct cgroup_settings){0};
    /* As docker has it: with a memory limit alone, as much swap again. */
    struct limits all = *l;
    bool implied_swap = l->memory > 0 && !l->memory_swap;
    if (implied_swap)
        all.memory_swap = 2 * l->memory;
    for (const struct limit_row *row = rows; row < rows + ARRAY_LEN(rows); row++) {
        const struct limit_place *p = place(row, mode);
        if (is_number(row) && number(row, &all))
            add_number(ret, row, p, &all, implied_swap && row->offset == offsetof(struct limits, memory_swap));
        else if (row->kind == KIND_TEXT && text(row, l))
            add_setting(ret, p, row->option, xstrdup(text(row, l)));
        else if (row->kind == KIND_DEVICES)
            strv_foreach (word, words(row, l))
                add_setting(ret, p, row->option, device_line(p->form, word));
        else if (row->kind == KIND_CONF)
            strv_foreach (word, words(row, l))
                add_conf(ret, row->option, word);
    }
}

void settings_done(struct cgroup_settings *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->list[i].value);
        free(s->list[i].name);
    }
    free(s->list);
    *s = (struct cgroup_settings){0};
}

const struct cgroup_setting *settings_of(const struct cgroup_settings *s, const char *controller)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_eq(s->list[i].controller, controller))
            return &s->list[i];
    return NULL;
}

/* --- reading back */

size_t limit_count(void)
{
    return ARRAY_LEN(rows);
}

const char *limit_controller(size_t row, enum cgroup_mode mode)
{
    return place(&rows[row], mode)->controller;
}

const char *limit_file(size_t row, enum cgroup_mode mode)
{
    return place(&rows[row], mode)->file;
}

/* Of "8:0 rbps=1048576 wbps=max" or "8:0 1048576" the number, if there is one. */
static bool number_of_line(const char *line, const char *infix, int64_t *ret)
{
    const char *found = strstr(line, infix);
    char *end = NULL;
    if (!found)
        return false;
    int64_t v = strtoll(found + strlen(infix), &end, 10);
    if (end == found + strlen(infix))
        return false;
    *ret = v;
    return true;
}

static void read_devices(const struct limit_form *form, const char *content, char ***words)
{
    if (form->map)
        return; /* weights of devices are not read back */
    auto_strv char **lines = strv_split(content, "\n");
    strv_foreach (line, lines) {
        int64_t v = 0;
        size_t device = strspn(line, "0123456789:");
        if (device && number_of_line(line + device, form->infix, &v))
            strv_addf(words, "%.*s=%" PRId64, (int)device, line, v);
    }
}

void limit_read(size_t row, enum cgroup_mode mode, const char *content, struct limits *l)
{
    const struct limit_row *r = &rows[row];
    const struct limit_form *form = place(r, mode)->form;
    if (is_number(r) && form->read)
        *(int64_t *)member(r, l) = form->read(content, l);
    else if (r->kind == KIND_TEXT && *content)
        *(char **)member(r, l) = xstrdup(content);
    else if (r->kind == KIND_DEVICES)
        read_devices(form, content, member(r, l));
}
