/* Private to src/build: one logical line to one typed instruction. */
#ifndef WHELK_BUILD_INSTRUCTION_H
#define WHELK_BUILD_INSTRUCTION_H

#include "lex.h"

/* -EINVAL with text, caret and hint. Takes the line's heredocs. The caller frees *ret with instruction_done. */
int instruction_parse(struct source *s, struct lex_line *l, struct instruction *ret);
/* For the lexer: is this the line of an instruction that has heredocs? */
bool instruction_takes_heredocs(const char *line);
void instruction_done(struct instruction *i);

#endif
