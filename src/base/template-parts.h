/* What the files of the template engine share: tokens, nodes, values, functions. See template.c for the whole. */
#ifndef WHELK_BASE_TEMPLATE_PARTS_H
#define WHELK_BASE_TEMPLATE_PARTS_H

#include "whelk/template.h"

enum {
    TEMPLATE_MAX_TEXT = 64 * 1024,
    TEMPLATE_MAX_DEPTH = 100,               /* blocks and parentheses within each other */
    TEMPLATE_MAX_OUTPUT = 16 * 1024 * 1024, /* also of one string on the way */
    TEMPLATE_MAX_STEPS = 4 * 1000 * 1000,   /* nodes that are looked at, each time one is */
};

/* ---- tokens (template-lex.c) ---- */

enum token_kind {
    TOKEN_TEXT,
    TOKEN_LEFT,
    TOKEN_RIGHT,
    TOKEN_WORD,  /* a keyword, nil, true, false or a function */
    TOKEN_FIELD, /* .Name */
    TOKEN_DOT,
    TOKEN_VARIABLE, /* $ or $name */
    TOKEN_NUMBER,
    TOKEN_CHAR,
    TOKEN_STRING, /* in double quotes */
    TOKEN_RAW,    /* in backquotes */
    TOKEN_PIPE,
    TOKEN_COMMA,
    TOKEN_DECLARE, /* := */
    TOKEN_ASSIGN,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_END
};

struct token {
    enum token_kind kind;
    size_t pos, len;            /* in the template's text */
    bool spaced;                /* blanks before it */
    bool trim_left, trim_right; /* of TOKEN_TEXT: white space at that end goes */
};

/* The tokens of t->text, a TOKEN_END last. Caller frees. */
int template_lex(const struct template *t, struct token **ret);
/* Appends what the quoted string or character of len bytes at s stands for; false if an escape makes no sense. */
bool template_unquote(const char *s, size_t len, struct buf *out);
/* An int or a real; NULL if it is no number. */
json_t *template_number(const char *s, size_t len);

/* ---- nodes (template-parse.c) ---- */

enum node_kind {
    NODE_LIST, /* kids: what is executed in turn */
    NODE_TEXT,
    NODE_ACTION, /* pipe */
    NODE_IF,
    NODE_WITH,
    NODE_RANGE,
    NODE_BREAK,
    NODE_CONTINUE,
    NODE_PIPE,    /* kids: commands; vars are set to the result */
    NODE_COMMAND, /* kids: operands, the first is what is called */
    NODE_DOT,
    NODE_NIL,
    NODE_CONST,
    NODE_FIELD,    /* fields of dot */
    NODE_VARIABLE, /* fields of a variable */
    NODE_CHAIN,    /* fields of kids[0] */
    NODE_FUNCTION,
};

struct node {
    enum node_kind kind;
    size_t pos, end; /* its place in the template's text */
    char *text;      /* of NODE_TEXT; the name in NODE_VARIABLE */
    char **fields;
    json_t *value; /* of NODE_CONST */
    const struct template_function *function;
    char **vars; /* of NODE_PIPE */
    bool assign; /* = and not := */
    struct node **kids;
    size_t n_kids;
    struct node *pipe, *body, *otherwise; /* of if, with and range; the last may be NULL */
};

struct template
{
    char *text;
    struct node *root;
    struct node **nodes; /* all of them: freed together */
    size_t n_nodes;
};

/* -EINVAL with "template:LINE:COLUMN: ..." and the line with a caret as detail. */
int template_error(const struct template *t, size_t pos, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- text ---- */

/* Characters, as continuation bytes of UTF-8 take no place. */
size_t text_width(const char *s);
/* The bytes of a character; an invalid one is U+FFFD. */
size_t rune_encode(uint64_t rune, char s[4]);

/* ---- values ---- */

/* A value is a reference to a JSON value. No value at all (a member that is not there) is j == NULL, which most places
 * treat as JSON's null. */
struct value {
    json_t *j;
    bool strict; /* an object whose members are all known: to ask for another one is an error */
};

static inline void value_done(struct value *v)
{
    json_decref(v->j);
    *v = (struct value){0};
}
#define auto_value auto_with(value_done)

static inline struct value value_ref(const struct value *v)
{
    return (struct value){json_incref(v->j), v->strict};
}

bool value_truth(const json_t *j);
const char *value_type(const json_t *j); /* as Go calls it: "string", "int" ... */
/* The keys of an object in the order of their bytes; the array is the caller's, the strings are the object's. */
const char **value_sorted_keys(const json_t *object);

/* ---- printing values (template-print.c) ---- */

void print_value(struct buf *out, const json_t *j); /* as %v: "<nil>", "[a b]", "map[k:v]" */
void print_json(struct buf *out, const json_t *j);  /* as Go's encoder without HTML escapes; keys stay in their order */
/* "%d" and so on as Go has it; wrong arguments leave their marks in the text, as in Go. false if that is too long. */
bool print_format(struct buf *out, const char *format, size_t len, const struct value *args, size_t n);

/* ---- functions (template-func.c) ---- */

/* One call: its arguments, and what an error needs. */
struct call {
    const struct template *t;
    const struct node *node;
    const struct template_function *function;
    const struct value *args;
    size_t n;
};

struct template_function {
    const char *name;
    size_t min, max;
    int (*call)(const struct call *c, struct value *ret);
    int lazy; /* and, or: the truth value that ends the evaluation of arguments; -1 for all others */
};

const struct template_function *template_function(const char *name);

#endif
