/* Templates, step two: tokens to nodes. */
#include "template-parts.h"

#include "utf8.h"
#include "whelk/err.h"

struct parser {
    struct template *t;
    const struct token *tokens;
    size_t at;
    char **vars;    /* names in scope */
    unsigned loops; /* ranges around this place */
    unsigned depth;
};

/* ---- tokens ---- */

static const struct token *peek(const struct parser *p)
{
    return &p->tokens[p->at];
}

static const struct token *take(struct parser *p)
{
    const struct token *token = &p->tokens[p->at];
    if (token->kind != TOKEN_END)
        p->at++;
    return token;
}

static char *token_text(const struct parser *p, const struct token *token)
{
    return xstrndup(p->t->text + token->pos, token->len);
}

static bool token_is(const struct parser *p, const struct token *token, const char *word)
{
    return token->kind == TOKEN_WORD && strlen(word) == token->len &&
           memcmp(p->t->text + token->pos, word, token->len) == 0;
}

static int unexpected(const struct parser *p, const struct token *token, const char *where)
{
    if (token->kind == TOKEN_END)
        return template_error(p->t, token->pos, "unexpected end of the template in %s", where);
    if (token->kind == TOKEN_RIGHT)
        return template_error(p->t, token->pos, "unexpected }} in %s", where);
    return template_error(p->t, token->pos, "unexpected \"%.*s\" in %s", (int)MIN(token->len, (size_t)40),
                          p->t->text + token->pos, where);
}

static int expect(struct parser *p, enum token_kind kind, const char *where)
{
    const struct token *token = take(p);
    return token->kind == kind ? 0 : unexpected(p, token, where);
}

static int enter(struct parser *p, size_t pos)
{
    if (++p->depth > TEMPLATE_MAX_DEPTH)
        return template_error(p->t, pos, "nested too deeply");
    return 0;
}

/* ---- nodes ---- */

/* The template owns every node from here on. */
static struct node *node_new(struct parser *p, enum node_kind kind, size_t pos)
{
    struct template *t = p->t;
    struct node *n = xcalloc(1, sizeof(*n));
    n->kind = kind;
    n->pos = pos;
    if ((t->n_nodes & (t->n_nodes - 1)) == 0)
        t->nodes = xrealloc(t->nodes, MAX(t->n_nodes * 2, (size_t)1) * sizeof(t->nodes[0]));
    t->nodes[t->n_nodes++] = n;
    return n;
}

static void node_add(struct node *n, struct node *kid)
{
    if ((n->n_kids & (n->n_kids - 1)) == 0)
        n->kids = xrealloc(n->kids, MAX(n->n_kids * 2, (size_t)1) * sizeof(n->kids[0]));
    n->kids[n->n_kids++] = kid;
}

/* A node ends where the last token that was taken ends. */
static struct node *node_end(const struct parser *p, struct node *n)
{
    const struct token *last = &p->tokens[p->at - 1];
    n->end = last->pos + last->len;
    return n;
}

/* ---- operands ---- */

static int parse_pipe(struct parser *p, const char *where, enum token_kind end, bool two_vars, struct node **ret);

static int parse_quoted(struct parser *p, const struct token *token, struct node **ret)
{
    const char *s = p->t->text + token->pos;
    auto_buf struct buf b = {0};
    buf_reserve(&b, token->len);
    if (token->kind == TOKEN_RAW)
        buf_add(&b, s + 1, token->len - 2);
    else if (!template_unquote(s, token->len, &b))
        return template_error(p->t, token->pos, "a wrong escape in %.*s", (int)token->len, s);
    struct node *n = node_new(p, NODE_CONST, token->pos);
    n->value = json_stringn_nocheck(b.data, b.len);
    *ret = n;
    return 0;
}

static json_int_t rune_value(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    json_int_t rune = len == 1 ? p[0] : p[0] & (0x7f >> len);
    for (size_t i = 1; i < len; i++)
        rune = rune << 6 | (p[i] & 0x3f);
    return rune;
}

static int parse_char(struct parser *p, const struct token *token, struct node **ret)
{
    const char *s = p->t->text + token->pos;
    auto_buf struct buf b = {0};
    buf_reserve(&b, token->len);
    bool good = template_unquote(s, token->len, &b) && b.len > 0;
    bool byte = good && b.len == 1; /* '\xff' is the number 255 and no UTF-8 */
    if (!good || (!byte && utf8_len(b.data) != b.len))
        return template_error(p->t, token->pos, "%.*s is not one character", (int)token->len, s);
    struct node *n = node_new(p, NODE_CONST, token->pos);
    n->value = json_integer(rune_value(b.data, b.len));
    *ret = n;
    return 0;
}

static int parse_word(struct parser *p, const struct token *token, struct node **ret)
{
    auto_free char *word = token_text(p, token);
    struct node *n = node_new(p, NODE_FUNCTION, token->pos);
    if (str_eq(word, "nil")) {
        n->kind = NODE_NIL;
    } else if (str_eq(word, "true") || str_eq(word, "false")) {
        n->kind = NODE_CONST;
        n->value = json_boolean(word[0] == 't');
    } else {
        n->function = template_function(word);
        if (!n->function)
            return template_error(p->t, token->pos, "there is no function \"%s\"", word);
    }
    *ret = n;
    return 0;
}

static int parse_variable(struct parser *p, const struct token *token, struct node **ret)
{
    struct node *n = node_new(p, NODE_VARIABLE, token->pos);
    n->text = token_text(p, token);
    if (!strv_has(p->vars, n->text))
        return template_error(p->t, token->pos, "there is no variable %s", n->text);
    *ret = n;
    return 0;
}

static int parse_term(struct parser *p, struct node **ret)
{
    const struct token *token = take(p);
    switch (token->kind) {
    case TOKEN_FIELD:
        *ret = node_new(p, NODE_FIELD, token->pos);
        strv_add_take(&(*ret)->fields, xstrndup(p->t->text + token->pos + 1, token->len - 1));
        return 0;
    case TOKEN_DOT:
        *ret = node_new(p, NODE_DOT, token->pos);
        return 0;
    case TOKEN_WORD:
        return parse_word(p, token, ret);
    case TOKEN_VARIABLE:
        return parse_variable(p, token, ret);
    case TOKEN_STRING:
    case TOKEN_RAW:
        return parse_quoted(p, token, ret);
    case TOKEN_CHAR:
        return parse_char(p, token, ret);
    case TOKEN_NUMBER:
        *ret = node_new(p, NODE_CONST, token->pos);
        (*ret)->value = template_number(p->t->text + token->pos, token->len);
        return 0;
    case TOKEN_OPEN: {
        int r = enter(p, token->pos);
        if (r == 0)
            r = parse_pipe(p, "parentheses", TOKEN_CLOSE, false, ret);
        if (r == 0)
            (*ret)->pos = token->pos;
        p->depth--;
        return r;
    }
    default:
        return unexpected(p, token, "a command");
    }
}

/* A term and the .Field.Field that hang on it without a blank. */
static int parse_operand(struct parser *p, struct node **ret)
{
    struct node *n;
    int r = parse_term(p, &n);
    if (r < 0)
        return r;
    const struct token *token = peek(p);
    if (token->kind == TOKEN_FIELD && !token->spaced) {
        if (n->kind == NODE_DOT || n->kind == NODE_NIL || n->kind == NODE_CONST)
            return unexpected(p, token, "a command, where a blank is missing");
        if (n->kind != NODE_FIELD && n->kind != NODE_VARIABLE) {
            struct node *inner = node_end(p, n);
            n = node_new(p, NODE_CHAIN, inner->pos);
            node_add(n, inner);
        }
    }
    while (peek(p)->kind == TOKEN_FIELD && !peek(p)->spaced) {
        token = take(p);
        strv_add_take(&n->fields, xstrndup(p->t->text + token->pos + 1, token->len - 1));
    }
    *ret = node_end(p, n);
    return 0;
}

/* ---- pipelines ---- */

static int parse_command(struct parser *p, enum token_kind end, struct node **ret)
{
    struct node *command = node_new(p, NODE_COMMAND, peek(p)->pos);
    do {
        struct node *operand = NULL;
        if (command->n_kids && !peek(p)->spaced)
            return unexpected(p, peek(p), "a command, where a blank is missing");
        int r = parse_operand(p, &operand);
        if (r < 0)
            return r;
        node_add(command, operand);
    } while (peek(p)->kind != TOKEN_PIPE && peek(p)->kind != end);
    *ret = node_end(p, command);
    return 0;
}

/* "$x :=", "$x =" and for range "$i, $e :=". Nothing is taken if the variable is an operand. */
static int parse_vars(struct parser *p, bool two_vars, struct node *pipe)
{
    const struct token *tokens = peek(p);
    size_t n = 1;
    if (tokens[0].kind != TOKEN_VARIABLE)
        return 0;
    if (tokens[1].kind == TOKEN_COMMA) {
        if (!two_vars || tokens[2].kind != TOKEN_VARIABLE)
            return unexpected(p, &tokens[1], "a command");
        n = 3;
    }
    if (tokens[n].kind != TOKEN_DECLARE && tokens[n].kind != TOKEN_ASSIGN)
        return n == 1 ? 0 : unexpected(p, &tokens[n], "range");
    pipe->assign = tokens[n].kind == TOKEN_ASSIGN;
    for (size_t i = 0; i < n; i += 2) {
        strv_add_take(&pipe->vars, token_text(p, &tokens[i]));
        if (pipe->assign && !strv_has(p->vars, pipe->vars[i / 2]))
            return template_error(p->t, tokens[i].pos, "there is no variable %s", pipe->vars[i / 2]);
    }
    p->at += n + 1;
    return 0;
}

/* A constant takes no argument from a pipe. */
static int check_stage(const struct parser *p, const struct node *command)
{
    const struct node *first = command->kids[0];
    if (first->kind == NODE_CONST || first->kind == NODE_DOT || first->kind == NODE_NIL)
        return template_error(p->t, first->pos, "what follows a | must be a function");
    return 0;
}

/* Takes the end token, too. */
static int parse_pipe(struct parser *p, const char *where, enum token_kind end, bool two_vars, struct node **ret)
{
    struct node *pipe = node_new(p, NODE_PIPE, peek(p)->pos), *command = NULL;
    int r = parse_vars(p, two_vars, pipe);
    if (r < 0)
        return r;
    if (peek(p)->kind == end)
        return template_error(p->t, peek(p)->pos, "a value is missing in %s", where);
    for (;;) {
        r = parse_command(p, end, &command);
        if (r == 0 && pipe->n_kids)
            r = check_stage(p, command);
        if (r < 0)
            return r;
        node_add(pipe, command);
        if (take(p)->kind == end)
            break;
    }
    if (!pipe->assign)
        strv_extend(&p->vars, pipe->vars);
    pipe->end = command->end;
    *ret = pipe;
    return 0;
}

/* ---- actions ---- */

static int parse_list(struct parser *p, struct node **ret);

static void forget_vars(struct parser *p, size_t n)
{
    for (size_t i = strv_len(p->vars); i > n; i--)
        strv_remove(p->vars, i - 1);
}

struct control {
    const char *word;
    enum node_kind kind;
};

static const struct control controls[] = {
    {"if", NODE_IF},
    {"range", NODE_RANGE},
    {"with", NODE_WITH},
};

static int parse_control(struct parser *p, const struct control *control, struct node **ret);

/* Behind "else": either "if X" (in an if; "with X" in a with), which shares the end, or a list of its own. */
static int parse_else(struct parser *p, const struct control *control, struct node *n)
{
    if (control->kind != NODE_RANGE && token_is(p, peek(p), control->word)) {
        struct node *inner;
        take(p);
        n->otherwise = node_new(p, NODE_LIST, peek(p)->pos);
        int r = parse_control(p, control, &inner);
        if (r == 0)
            node_add(n->otherwise, inner);
        return r;
    }
    int r = expect(p, TOKEN_RIGHT, "else");
    if (r == 0)
        r = parse_list(p, &n->otherwise);
    if (r == 0 && !token_is(p, peek(p), "end"))
        return template_error(p->t, n->pos, "this %s has no {{end}}", control->word);
    if (r == 0) {
        take(p);
        r = expect(p, TOKEN_RIGHT, "end");
    }
    return r;
}

/* The body of a control and what may follow: its end, or else. */
static int parse_body(struct parser *p, const struct control *control, struct node *n)
{
    p->loops += n->kind == NODE_RANGE;
    int r = parse_list(p, &n->body);
    p->loops -= n->kind == NODE_RANGE;
    if (r < 0)
        return r;
    if (token_is(p, peek(p), "else")) {
        take(p);
        return parse_else(p, control, n);
    }
    if (!token_is(p, peek(p), "end"))
        return template_error(p->t, n->pos, "this %s has no {{end}}", control->word);
    take(p);
    return expect(p, TOKEN_RIGHT, "end");
}

/* From behind the keyword to behind the end's right delimiter. */
static int parse_control(struct parser *p, const struct control *control, struct node **ret)
{
    size_t n_vars = strv_len(p->vars);
    struct node *n = node_new(p, control->kind, p->tokens[p->at - 1].pos);
    int r = enter(p, n->pos);
    if (r == 0)
        r = parse_pipe(p, control->word, TOKEN_RIGHT, control->kind == NODE_RANGE, &n->pipe);
    if (r == 0)
        r = parse_body(p, control, n);
    if (r < 0)
        return r;
    p->depth--;
    forget_vars(p, n_vars);
    *ret = node_end(p, n);
    return 0;
}

static int parse_jump(struct parser *p, enum node_kind kind, struct node **ret)
{
    const struct token *token = take(p);
    if (!p->loops)
        return template_error(p->t, token->pos, "%.*s is only possible in a range", (int)token->len,
                              p->t->text + token->pos);
    *ret = node_new(p, kind, token->pos);
    return expect(p, TOKEN_RIGHT, kind == NODE_BREAK ? "break" : "continue");
}

/* From behind the left delimiter. */
static int parse_action(struct parser *p, struct node **ret)
{
    static const char *const unsupported[] = {"define", "template", "block"};
    const struct token *token = peek(p);
    for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
        if (token_is(p, token, controls[i].word))
            return take(p), parse_control(p, &controls[i], ret);
    }
    for (size_t i = 0; i < ARRAY_LEN(unsupported); i++) {
        if (token_is(p, token, unsupported[i]))
            return template_error(p->t, token->pos, "%s is not supported", unsupported[i]);
    }
    if (token_is(p, token, "break") || token_is(p, token, "continue"))
        return parse_jump(p, p->t->text[token->pos] == 'b' ? NODE_BREAK : NODE_CONTINUE, ret);
    struct node *n = node_new(p, NODE_ACTION, token->pos);
    int r = parse_pipe(p, "{{ }}", TOKEN_RIGHT, false, &n->pipe);
    if (r == 0)
        *ret = node_end(p, n);
    return r;
}

/* A literal \t or \n becomes its character first, so that trim markers take it away too. */
static void parse_text(struct parser *p, const struct token *token, struct node *list)
{
    const char *s = p->t->text + token->pos, *end = s + token->len;
    auto_buf struct buf b = {0};
    buf_reserve(&b, token->len);
    while (s < end) {
        bool escape = *s == '\\' && s + 1 < end && (s[1] == 't' || s[1] == 'n');
        buf_addc(&b, !escape ? *s : s[1] == 't' ? '\t' : '\n');
        s += escape ? 2 : 1;
    }
    const char *start = b.data + (token->trim_left ? strspn(b.data, " \t\r\n") : 0);
    size_t len = strlen(start);
    while (token->trim_right && len && strchr(" \t\r\n", start[len - 1]))
        len--;
    struct node *n = node_new(p, NODE_TEXT, token->pos);
    n->text = xstrndup(start, len);
    n->end = token->pos + token->len;
    node_add(list, n);
}

/* Stops at the end of the text, or behind the left delimiter of an end or else. */
static int parse_list(struct parser *p, struct node **ret)
{
    struct node *list = node_new(p, NODE_LIST, peek(p)->pos), *n;
    for (;;) {
        const struct token *token = take(p);
        if (token->kind == TOKEN_END)
            break;
        if (token->kind == TOKEN_TEXT) {
            parse_text(p, token, list);
            continue;
        }
        if (token_is(p, peek(p), "end") || token_is(p, peek(p), "else"))
            break;
        int r = parse_action(p, &n);
        if (r < 0)
            return r;
        node_add(list, n);
    }
    *ret = list;
    return 0;
}

static int parse_all(struct template *t, const struct token *tokens)
{
    struct parser p = {.t = t, .tokens = tokens};
    strv_add(&p.vars, "$");
    int r = parse_list(&p, &t->root);
    if (r == 0 && peek(&p)->kind != TOKEN_END)
        r = unexpected(&p, peek(&p), "the template: nothing is open");
    strv_free(p.vars);
    return r;
}

DEFINE_AUTO(struct template *, template_free)

int template_parse(const char *text, struct template **ret)
{
    if (strlen(text) > TEMPLATE_MAX_TEXT)
        return err_set(-EINVAL, "the template is too long: %zu bytes, at most %d", strlen(text), TEMPLATE_MAX_TEXT);
    auto_with(template_free_auto) struct template *t = xcalloc(1, sizeof(*t));
    t->text = xstrdup(text);
    auto_free struct token *tokens = NULL;
    int r = template_lex(t, &tokens);
    if (r == 0)
        r = parse_all(t, tokens);
    if (r == 0)
        *ret = take_ptr(&t);
    return r;
}
