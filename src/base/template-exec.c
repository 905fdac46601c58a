/* Templates, step four: the walk over the tree. A walk gives 0, a negative errno, or what break and continue ask of the
 * range around them. */
#include "template-parts.h"

#include "whelk/err.h"

#include <strings.h>

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct variable {
    const char *name;
    struct value value;
};

struct exec {
    const struct template *t;
    struct buf *out;
    size_t start; /* of our part of out */
    struct variable *vars;
    size_t n_vars;
    unsigned steps;
};

/* The node as it is written, for messages. */
#define NODE_FMT "<%.*s>"
#define NODE_ARG(x, n) (int)MIN((n)->end - (n)->pos, (size_t)60), (x)->t->text + (n)->pos

static int check_bounds(struct exec *x, const struct node *n)
{
    if (++x->steps > TEMPLATE_MAX_STEPS)
        return template_error(x->t, n->pos, "this takes too long");
    if (x->out->len - x->start > TEMPLATE_MAX_OUTPUT)
        return template_error(x->t, n->pos, "the output is longer than %d MiB", TEMPLATE_MAX_OUTPUT >> 20);
    return 0;
}

/* ---- variables ---- */

static void push_var(struct exec *x, const char *name, const struct value *v)
{
    if ((x->n_vars & (x->n_vars - 1)) == 0)
        x->vars = xrealloc(x->vars, MAX(x->n_vars * 2, (size_t)1) * sizeof(x->vars[0]));
    x->vars[x->n_vars++] = (struct variable){name, value_ref(v)};
}

static void pop_vars(struct exec *x, size_t n)
{
    while (x->n_vars > n)
        value_done(&x->vars[--x->n_vars].value);
}

/* The innermost one; the parser saw that there is one. */
static struct value *find_var(struct exec *x, const char *name)
{
    size_t i = x->n_vars;
    while (i-- > 1 && !str_eq(x->vars[i].name, name))
        ;
    return &x->vars[i].value;
}

static void set_var(struct value *var, const struct value *v)
{
    struct value old = *var;
    *var = value_ref(v);
    value_done(&old);
}

/* ---- fields ---- */

/* docker says ID where podman says Id, also at the end of longer names. */
static json_t *get_member(const json_t *object, const char *name)
{
    json_t *j = json_object_get(object, name);
    size_t len = strlen(name);
    if (j || len < 2 || name[len - 2] != 'I' || strcasecmp(name + len - 2, "ID") != 0)
        return j;
    auto_free char *other = xstrdup(name);
    other[len - 1] ^= 'd' ^ 'D';
    return json_object_get(object, other);
}

static const char *same_but_for_case(const char **keys, const char *name)
{
    for (; *keys; keys++) {
        if (strcasecmp(*keys, name) == 0)
            return *keys;
    }
    return NULL;
}

static int no_field(struct exec *x, const struct node *n, const json_t *object, const char *name)
{
    auto_free const char **keys = value_sorted_keys(object);
    const char *near = same_but_for_case(keys, name);
    if (!near)
        near = str_nearest(name, keys);
    auto_free char *list = strv_join((char **)keys, ", ");
    auto_free char *hint = near ? xasprintf("did you mean .%s? There are", near) : xstrdup("there are");
    return template_error(x->t, n->pos, NODE_FMT ": there is no field \"%s\"; %s: %s", NODE_ARG(x, n), name, hint,
                          list);
}

static int missing_field(struct exec *x, const struct node *n, const struct value *object, const char *name,
                         struct value *ret)
{
    if (object->strict)
        return no_field(x, n, object->j, name);
    auto_free const char **keys = value_sorted_keys(object->j);
    const char *near = same_but_for_case(keys, name);
    if (near)
        return template_error(x->t, n->pos, NODE_FMT ": there is no \"%s\"; did you mean .%s?", NODE_ARG(x, n), name,
                              near);
    *ret = (struct value){0};
    return 0;
}

static int get_field(struct exec *x, const struct node *n, const struct value *from, const char *name,
                     struct value *ret)
{
    if (!from->j) { /* as Go does with a map's missing key: nothing has nothing */
        *ret = (struct value){0};
        return 0;
    }
    if (json_is_null(from->j))
        return template_error(x->t, n->pos, NODE_FMT ": nil pointer evaluating .%s: what is before it is null",
                              NODE_ARG(x, n), name);
    if (!json_is_object(from->j))
        return template_error(x->t, n->pos, NODE_FMT ": can't evaluate field %s in type %s", NODE_ARG(x, n), name,
                              value_type(from->j));
    json_t *member = get_member(from->j, name);
    if (!member)
        return missing_field(x, n, from, name, ret);
    *ret = (struct value){json_incref(member), false};
    return 0;
}

/* The value of key in "a=1,b=2", "" without it. */
static json_t *list_lookup(const char *list, const char *key)
{
    auto_strv char **pairs = strv_split(list, ",");
    const char *value = strv_env_get(pairs, key);
    return json_string(value ? value : "");
}

/* .Label "k": the member k of .Labels. */
static int get_method(struct exec *x, const struct node *n, const struct value *from, const char *name,
                      const struct value *args, size_t n_args, struct value *ret)
{
    auto_free char *plural = xasprintf("%ss", name);
    const json_t *list = json_object_get(from->j, plural), *arg = n_args ? args[0].j : NULL, *found;
    if (!json_is_object(list) && !json_is_string(list) && !(str_eq(name, "Label") && json_is_null(list)))
        return template_error(x->t, n->pos, NODE_FMT ": %s is not a method but has arguments", NODE_ARG(x, n), name);
    if (n_args != 1 || !json_is_string(arg))
        return template_error(x->t, n->pos, NODE_FMT ": %s takes one string", NODE_ARG(x, n), name);
    found = json_object_get(list, json_string_value(arg));
    if (found)
        *ret = (struct value){json_incref((json_t *)found), false};
    else
        *ret = (struct value){list_lookup(json_is_string(list) ? json_string_value(list) : "", json_string_value(arg)),
                              false};
    return 0;
}

/* All fields of n from from on; arguments are for the last one. */
static int get_fields(struct exec *x, const struct node *n, const struct value *from, const struct value *args,
                      size_t n_args, struct value *ret)
{
    auto_value struct value v = value_ref(from);
    if (n_args && !n->fields)
        return template_error(x->t, n->pos, "can't give argument to non-function " NODE_FMT, NODE_ARG(x, n));
    for (char **field = n->fields; field && *field; field++) {
        auto_value struct value next = {0};
        int r = n_args && !field[1] ? get_method(x, n, &v, *field, args, n_args, &next)
                                    : get_field(x, n, &v, *field, &next);
        if (r < 0)
            return r;
        set_var(&v, &next);
    }
    *ret = (struct value){take_ptr(&v.j), v.strict};
    return 0;
}

/* ---- pipelines ---- */

static int eval_pipe(struct exec *x, const struct value *dot, const struct node *pipe, struct value *ret);
static int eval_function(struct exec *x, const struct value *dot, const struct node *command, const struct node *n,
                         const struct value *final, struct value *ret);

static int eval_operand(struct exec *x, const struct value *dot, const struct node *n, struct value *ret)
{
    auto_value struct value inner = {0};
    int r = check_bounds(x, n);
    if (r < 0)
        return r;
    switch (n->kind) {
    case NODE_DOT:
        *ret = value_ref(dot);
        return 0;
    case NODE_CONST:
        *ret = (struct value){json_incref(n->value), false};
        return 0;
    case NODE_FIELD:
        return get_fields(x, n, dot, NULL, 0, ret);
    case NODE_VARIABLE:
        return get_fields(x, n, find_var(x, n->text), NULL, 0, ret);
    case NODE_CHAIN:
        r = eval_operand(x, dot, n->kids[0], &inner);
        return r < 0 ? r : get_fields(x, n, &inner, NULL, 0, ret);
    case NODE_PIPE:
        return eval_pipe(x, dot, n, ret);
    case NODE_FUNCTION:
        return eval_function(x, dot, NULL, n, NULL, ret);
    default: /* nil */
        *ret = (struct value){0};
        return 0;
    }
}

/* Arguments of a call: the operands behind the first, and what came through the pipe. */
struct arguments {
    struct value *values;
    size_t n;
};

static void arguments_done(struct arguments *a)
{
    for (size_t i = 0; i < a->n; i++)
        value_done(&a->values[i]);
    free(a->values);
}

static size_t count_arguments(const struct node *command, const struct value *final)
{
    return (command ? command->n_kids - 1 : 0) + (final ? 1 : 0);
}

/* Stops behind the first value whose truth is that, if it is 0 or 1. */
static int eval_arguments(struct exec *x, const struct value *dot, const struct node *command,
                          const struct value *final, int truth, struct arguments *a)
{
    size_t n = count_arguments(command, final);
    a->values = xcalloc(n + 1, sizeof(a->values[0]));
    while (a->n < n) {
        struct value *v = &a->values[a->n];
        int r = 0;
        if (final && a->n + 1 == n)
            *v = value_ref(final);
        else
            r = eval_operand(x, dot, command->kids[a->n + 1], v);
        if (r < 0)
            return r;
        a->n++;
        if (truth >= 0 && value_truth(v->j) == truth)
            break;
    }
    return 0;
}

/* n is the function, command has its arguments (NULL: none). */
static int eval_function(struct exec *x, const struct value *dot, const struct node *command, const struct node *n,
                         const struct value *final, struct value *ret)
{
    auto_with(arguments_done) struct arguments a = {0};
    const struct template_function *f = n->function;
    size_t given = count_arguments(command, final);
    if (given < f->min)
        return template_error(x->t, n->pos, "%s needs at least %zu argument%s, not %zu", f->name, f->min,
                              f->min == 1 ? "" : "s", given);
    if (given > f->max)
        return template_error(x->t, n->pos, "%s takes at most %zu argument%s, not %zu", f->name, f->max,
                              f->max == 1 ? "" : "s", given);
    int r = eval_arguments(x, dot, command, final, f->lazy, &a);
    if (r < 0)
        return r;
    struct call call = {x->t, n, f, a.values, a.n};
    return f->call(&call, ret);
}

static int eval_command(struct exec *x, const struct value *dot, const struct node *command, const struct value *final,
                        struct value *ret)
{
    const struct node *first = command->kids[0];
    auto_with(arguments_done) struct arguments a = {0};
    auto_value struct value inner = {0};
    int r = check_bounds(x, command);
    if (r < 0)
        return r;
    if (first->kind == NODE_FUNCTION)
        return eval_function(x, dot, command, first, final, ret);
    if (first->kind == NODE_NIL)
        return template_error(x->t, first->pos, "nil is not a command");
    if (count_arguments(command, final) == 0)
        return eval_operand(x, dot, first, ret);
    if (first->kind == NODE_CHAIN)
        r = eval_operand(x, dot, first->kids[0], &inner);
    else if (first->kind == NODE_VARIABLE)
        inner = value_ref(find_var(x, first->text));
    else if (first->kind == NODE_FIELD)
        inner = value_ref(dot);
    if (r == 0)
        r = eval_arguments(x, dot, command, final, -1, &a);
    return r < 0 ? r : get_fields(x, first, &inner, a.values, a.n, ret);
}

static int eval_pipe(struct exec *x, const struct value *dot, const struct node *pipe, struct value *ret)
{
    auto_value struct value v = {0};
    for (size_t i = 0; i < pipe->n_kids; i++) {
        auto_value struct value next = {0};
        int r = eval_command(x, dot, pipe->kids[i], i ? &v : NULL, &next);
        if (r < 0)
            return r;
        set_var(&v, &next);
    }
    strv_foreach (name, pipe->vars) {
        if (pipe->assign)
            set_var(find_var(x, name), &v);
        else
            push_var(x, name, &v);
    }
    *ret = (struct value){take_ptr(&v.j), v.strict};
    return 0;
}

/* ---- actions ---- */

static int walk(struct exec *x, const struct value *dot, const struct node *n);

static int walk_action(struct exec *x, const struct value *dot, const struct node *n)
{
    auto_value struct value v = {0};
    int r = eval_pipe(x, dot, n->pipe, &v);
    if (r < 0 || n->pipe->vars)
        return r;
    if (!v.j || json_is_null(v.j))
        buf_adds(x->out, "<no value>");
    else
        print_value(x->out, v.j);
    return check_bounds(x, n);
}

static int walk_condition(struct exec *x, const struct value *dot, const struct node *n)
{
    auto_value struct value v = {0};
    size_t mark = x->n_vars;
    int r = eval_pipe(x, dot, n->pipe, &v);
    if (r == 0 && value_truth(v.j))
        r = walk(x, n->kind == NODE_WITH ? &v : dot, n->body);
    else if (r == 0 && n->otherwise)
        r = walk(x, dot, n->otherwise);
    pop_vars(x, mark);
    return r;
}

/* One round of a range. The innermost variable is the element, one before it the key. */
static int walk_round(struct exec *x, const struct node *n, const struct value *key, const struct value *element)
{
    const struct node *pipe = n->pipe;
    size_t mark = x->n_vars, n_names = strv_len(pipe->vars);
    const struct value *values[] = {n_names == 1 ? element : key, element};
    for (size_t i = 0; i < n_names; i++)
        set_var(pipe->assign ? find_var(x, pipe->vars[i]) : &x->vars[mark - n_names + i].value, values[i]);
    int r = walk(x, element, n->body);
    pop_vars(x, mark);
    return r == FLOW_CONTINUE ? 0 : r;
}

static int walk_object(struct exec *x, const struct node *n, const json_t *object)
{
    auto_free const char **keys = value_sorted_keys(object);
    int r = 0;
    for (size_t i = 0; keys[i] && r == 0; i++) {
        auto_value struct value key = {json_string_nocheck(keys[i]), false};
        r = walk_round(x, n, &key, &(struct value){json_object_get(object, keys[i]), false});
    }
    return r;
}

static int walk_array(struct exec *x, const struct node *n, const struct value *array)
{
    int r = 0;
    for (size_t i = 0; i < json_array_size(array->j) && r == 0; i++) {
        auto_value struct value key = {json_integer((json_int_t)i), false};
        r = walk_round(x, n, &key, &(struct value){json_array_get(array->j, i), array->strict});
    }
    return r;
}

static int walk_count(struct exec *x, const struct node *n, json_int_t count)
{
    int r = 0;
    for (json_int_t i = 0; i < count && r == 0; i++) {
        auto_value struct value key = {json_integer(i), false};
        r = check_bounds(x, n);
        if (r == 0)
            r = walk_round(x, n, &key, &key);
    }
    return r;
}

static int walk_range(struct exec *x, const struct value *dot, const struct node *n)
{
    auto_value struct value v = {0};
    size_t mark = x->n_vars;
    int r = eval_pipe(x, dot, n->pipe, &v);
    bool number = json_is_integer(v.j);
    if (r == 0 && (json_is_string(v.j) || json_is_real(v.j) || json_is_boolean(v.j)))
        r = template_error(x->t, n->pipe->pos, "range can't iterate over " NODE_FMT ", which is of type %s",
                           NODE_ARG(x, n->pipe), value_type(v.j));
    else if (r == 0 && number && strv_len(n->pipe->vars) > 1)
        r = template_error(x->t, n->pipe->pos, "a range over a number has one variable only");
    else if (r == 0 && (number ? json_integer_value(v.j) > 0 : value_truth(v.j)))
        r = number               ? walk_count(x, n, json_integer_value(v.j))
            : json_is_array(v.j) ? walk_array(x, n, &v)
                                 : walk_object(x, n, v.j);
    else if (r == 0 && n->otherwise)
        /* Whose break and continue are for the range around. */
        return r = walk(x, dot, n->otherwise), pop_vars(x, mark), r;
    pop_vars(x, mark);
    return r == FLOW_BREAK ? 0 : r;
}

static int walk(struct exec *x, const struct value *dot, const struct node *n)
{
    int r = check_bounds(x, n);
    if (r < 0)
        return r;
    switch (n->kind) {
    case NODE_LIST:
        for (size_t i = 0; i < n->n_kids && r == 0; i++)
            r = walk(x, dot, n->kids[i]);
        return r;
    case NODE_TEXT:
        buf_adds(x->out, n->text);
        return 0;
    case NODE_ACTION:
        return walk_action(x, dot, n);
    case NODE_RANGE:
        return walk_range(x, dot, n);
    case NODE_BREAK:
        return FLOW_BREAK;
    case NODE_CONTINUE:
        return FLOW_CONTINUE;
    default:
        return walk_condition(x, dot, n);
    }
}

int template_execute(const struct template *t, const json_t *data, struct buf *out)
{
    struct exec x = {.t = t, .out = out, .start = out->len};
    struct value dot = {(json_t *)data, true};
    push_var(&x, "$", &dot);
    buf_reserve(out, 0);
    int r = walk(&x, &dot, t->root);
    if (r < 0) { /* no half results */
        out->len = x.start;
        out->data[x.start] = '\0';
    }
    pop_vars(&x, 0);
    free(x.vars);
    return r;
}
