/* Dockerfiles as data: bytes -> lines -> typed instructions -> stages. Pure: no file is read, nothing is executed.
 *
 * lex.c        bytes to logical lines: directives, comments, continuations, CRLF, BOM (DF-01, DF-02)
 * instruction.c the table of instructions: name, argument form, flags, expands? (DF-03, DF-05, DF-20..DF-44)
 * expand.c     $variables (DF-04)
 * dockerfile.c lines to stages */
#ifndef WHELK_DOCKERFILE_H
#define WHELK_DOCKERFILE_H

#include "whelk/str.h"

enum instruction_kind {
    INSTR_ARG,
    INSTR_CMD,
    INSTR_COPY,
    INSTR_ENTRYPOINT,
    INSTR_ENV,
    INSTR_EXPOSE,
    INSTR_FROM,
    INSTR_LABEL,
    INSTR_MAINTAINER,
    INSTR_RUN,
    INSTR_USER,
    INSTR_WORKDIR,
    INSTR_KINDS
};

struct instruction {
    enum instruction_kind kind;
    unsigned line;   /* first line, from 1 */
    unsigned column; /* of the first argument behind the flags, in its own line, from 1 */
    char *text;      /* "RUN apk add x": name in upper case, arguments as written with continuations joined */
    char **flags;    /* "name=value" of --name=value, in order (value "" for a bare flag) */
    char **args; /* by form, unexpanded and with their quotes: words, JSON strings, NAME=VALUE pairs (ENV and LABEL also
                  * where written in the old form NAME VALUE; ARG may be a bare NAME); for RUN, CMD, ENTRYPOINT in shell
                  * form, MAINTAINER and WORKDIR: one element, the text. FROM: the image only */
    bool json;   /* exec form */
    char *stage_name; /* FROM ... AS name as written, else NULL */
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
    char escape;     /* '\\' or '`' */
};

/* file: the name shown in messages. On a broken file -EINVAL: the slot holds "FILE:LINE: what is wrong" and its detail
 * the line with a caret below the place. Instructions that exist in docker but not yet here say so. */
int dockerfile_parse(const char *file, const char *bytes, size_t len, struct dockerfile *ret);
void dockerfile_done(struct dockerfile *d);
const char *instruction_name(enum instruction_kind kind);
/* The value of a flag of an instruction, or NULL. Unexpanded. */
const char *instruction_flag(const struct instruction *i, const char *name);
/* Are variables in the arguments of this kind expanded by the build (DF-04)? Never in RUN, CMD, ENTRYPOINT. Flags
 * always are. */
bool instruction_expands(enum instruction_kind kind);
/* Puts "FILE:LINE: " before the error in the slot and the instruction's text below it; returns r. */
int instruction_wrap(const char *file, const struct instruction *i, int r);

/* Expands $v ${v} ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?w} ${v?w} in word; lookup returns NULL for unset. Quotes are
 * removed as docker removes them (single quotes stop expansion), escape char + $ is a literal $. -EINVAL with text for
 * bad syntax and for :? . The result is bounded (1 MiB). Caller frees *ret. */
int expand_word(const char *word, char escape, const char *(*lookup)(void *ctx, const char *name), void *ctx,
                char **ret);
/* The two halves of an ENV, LABEL or ARG argument, each expanded. *ret_value is NULL for a bare NAME. Caller frees
 * both. */
int expand_pair(const char *pair, char escape, const char *(*lookup)(void *ctx, const char *name), void *ctx,
                char **ret_name, char **ret_value);

#endif
