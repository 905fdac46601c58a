/* Terminals. Raw mode is undone on every way out: tty_raw arms an atexit handler and handlers for fatal signals. */
#ifndef WHELK_TTY_H
#define WHELK_TTY_H

#include <sys/ioctl.h>

/* A new pty from the devpts instance whose ptmx is opened at dirfd/ptmx_path ("/dev/ptmx" for the own one); O_CLOEXEC,
 * master non-blocking. */
int tty_open_pty(int dirfd, const char *ptmx_path, int *ret_master);
/* Opens the slave of a master (TIOCGPTPEER: no path, no other devpts). */
int tty_open_peer(int master, int *ret_slave);
/* Puts the terminal fd into raw mode, remembering how it was; and back (also done at exit and on fatal signals). */
int tty_raw(int fd);
/* Shows nothing of what is typed, for a password; undone likewise. */
int tty_hide(int fd);
void tty_restore(void);
int tty_get_size(int fd, struct winsize *ret);
int tty_set_size(int fd, const struct winsize *size);
/* A session leader takes fd as its controlling terminal. */
int tty_make_controlling(int fd);

#endif
