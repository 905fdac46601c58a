/* Asking before much is removed. */
#ifndef CMD_CONFIRM_H
#define CMD_CONFIRM_H

/* Prints the warning and asks on the terminal: 1 yes, 0 no. Where nobody can be asked: -ECANCELED with text that names
 * --force. */
int cmd_confirm(const char *warning);

#endif
