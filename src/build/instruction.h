/* Private to src/build: one logical line to one typed instruction. */
#ifndef WHELK_BUILD_INSTRUCTION_H
#define WHELK_BUILD_INSTRUCTION_H

#include "lex.h"

/* -EINVAL with text, caret and hint. The caller frees *ret with instruction_done. */
int instruction_parse(struct source *s, const struct lex_line *l, struct instruction *ret);
void instruction_done(struct instruction *i);

#endif
