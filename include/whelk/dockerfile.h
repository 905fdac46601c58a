/* Dockerfiles as data: bytes -> lines -> typed instructions -> stages. Pure: no file is read, nothing is executed.
 *
 * lex.c        bytes to logical lines: directives, comments, continuations, heredocs, CRLF, BOM (DF-01, DF-02, DF-06)
 * instruction.c the table of instructions: name, argument form, flags, expands? (DF-03, DF-05, DF-20..DF-44)
 * expand.c     $variables (DF-04), pattern.c their # % / forms
 * dockerfile.c lines to stages */
#ifndef WHELK_DOCKERFILE_H
#define WHELK_DOCKERFILE_H

#include "whelk/str.h"

enum instruction_kind {
    INSTR_ADD,
    INSTR_ARG,
    INSTR_CMD,
    INSTR_COPY,
    INSTR_ENTRYPOINT,
    INSTR_ENV,
    INSTR_EXPOSE,
    INSTR_FROM,
    INSTR_HEALTHCHECK,
    INSTR_LABEL,
    INSTR_MAINTAINER,
    INSTR_ONBUILD,
    INSTR_RUN,
    INSTR_SHELL,
    INSTR_STOPSIGNAL,
    INSTR_USER,
    INSTR_VOLUME,
    INSTR_WORKDIR,
    INSTR_KINDS
};

/* <<NAME and the lines that follow it, up to one that is NAME. */
struct heredoc {
    char *name;   /* without quotes */
    char *text;   /* the lines, as written */
    bool expands; /* no part of the name was quoted: COPY and ADD expand variables in the text */
    bool chomp;   /* <<-: tabs at the beginnings of lines are dropped */
};
/* The text with chomp applied; the caller frees. */
char *heredoc_text(const struct heredoc *h);

struct instruction {
    enum instruction_kind kind;
    unsigned line;   /* first line, from 1 */
    unsigned column; /* of the first argument behind the flags, in its own line, from 1 */
    char *written;   /* the name as it stands there */
    char *text;      /* "RUN apk add x": name in upper case, arguments as written with continuations joined; heredocs
                      * follow on lines of their own */
    char **flags;    /* "name=value" of --name=value, in order ("name=true" for a bare switch) */
    char **args; /* by form, unexpanded and with their quotes: words, JSON strings, NAME=VALUE pairs (ENV and LABEL also
                  * where written in the old form NAME VALUE; ARG may be a bare NAME); for RUN, CMD, ENTRYPOINT in shell
                  * form, MAINTAINER, WORKDIR and ONBUILD: one element, the text. FROM: the image only. HEALTHCHECK:
                  * as the config has it, "NONE", "CMD-SHELL" text, or "CMD" words */
    bool json;   /* exec form */
    char *stage_name;         /* FROM ... AS name as written, else NULL */
    struct heredoc *heredocs; /* in order; of RUN, COPY and ADD */
    size_t n_heredocs;
};

struct dockerfile_stage {
    char *name; /* lower-cased AS name, or NULL */
    struct instruction from;
    struct instruction *steps;
    size_t n_steps;
};

struct dockerfile {
    char *file;                      /* name for messages */
    struct instruction *global_args; /* ARGs before the first FROM */
    size_t n_global_args;
    struct dockerfile_stage *stages;
    size_t n_stages;
    char **warnings; /* "Dockerfile:3: MAINTAINER is deprecated, use LABEL" */
    char **rules;    /* of each warning: BuildKit's rule that it breaks, or "" */
    char escape;     /* '\\' or '`' */
    char *check;     /* value of the directive # check=, or NULL */
};

/* file: the name shown in messages. On a broken file -EINVAL: the slot holds "FILE:LINE: what is wrong" and its detail
 * the line with a caret below the place. */
int dockerfile_parse(const char *file, const char *bytes, size_t len, struct dockerfile *ret);
void dockerfile_done(struct dockerfile *d);
const char *instruction_name(enum instruction_kind kind);
/* The value of a flag of an instruction (the first, where it may be given again), or NULL. Unexpanded. */
const char *instruction_flag(const struct instruction *i, const char *name);
/* Is a switch (--link) on? */
bool instruction_switch(const struct instruction *i, const char *name);
/* Are variables in the arguments of this kind expanded by the build (DF-04)? Never in RUN, CMD, ENTRYPOINT. Flags
 * always are. */
bool instruction_expands(enum instruction_kind kind);
/* Puts "FILE:LINE: " before the error in the slot and the instruction's text below it; returns r. */
int instruction_wrap(const char *file, const struct instruction *i, int r);

/* Expands $v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?w} ${v?w} ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/w} ${v//p/w} in
 * word; lookup returns NULL for unset. Quotes are removed as docker removes them (single quotes stop expansion), escape
 * char + $ is a literal $. -EINVAL with text for bad syntax and for :? . The result is bounded (1 MiB). Caller frees
 * *ret. */
int expand_word(const char *word, char escape, const char *(*lookup)(void *ctx, const char *name), void *ctx,
                char **ret);
/* The same in the text of a heredoc, where quotes are ordinary characters. */
int expand_text(const char *text, char escape, const char *(*lookup)(void *ctx, const char *name), void *ctx,
                char **ret);
/* The two halves of an ENV, LABEL or ARG argument, each expanded. *ret_value is NULL for a bare NAME. Caller frees
 * both. */
int expand_pair(const char *pair, char escape, const char *(*lookup)(void *ctx, const char *name), void *ctx,
                char **ret_name, char **ret_value);

#endif
