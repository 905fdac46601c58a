/* JSON values as YAML, for people. */
#ifndef CMD_YAML_H
#define CMD_YAML_H

#include "whelk/json.h"
#include "whelk/str.h"

/* Appends value in block style, two blanks a level; texts that YAML would take for something else are quoted. */
void yaml_print(const json_t *value, struct buf *out);

#endif
