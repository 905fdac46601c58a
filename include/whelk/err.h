/* The one error idiom: functions return 0 (or a count) or a negative errno, and leave one line of text in a
 * process-wide slot. Only main (and commands that go on after a failed object) print it. Absence is a plain
 * -ENOENT without text, where a face says so. Nothing below src/cmd prints or exits. */
#ifndef WHELK_ERR_H
#define WHELK_ERR_H

#include <stdbool.h>
#include <stddef.h>

/* Sets the slot and returns r, which must be negative. An older text, its detail and its status are dropped. */
int err_set(int r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Sets the slot to "text: strerror(errno)" and returns -errno (-EIO if errno is 0). */
int err_sys(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Puts "text: " before what the slot holds and returns r. If the slot is empty, or holds the text of an error other
 * than r (one that somebody got over before), it is "text: strerror(-r)". */
int err_wrap(int r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds further lines below the one error line (a caret diagnostic, the last output of a failed step); returns r. */
int err_detail(int r, const char *text);
/* The exit status that main gives for the error in the slot: 125 unless set. Returns r. */
int err_with_status(int r, int status);

/* The text of the slot, or strerror(-r) if it is empty. Valid until the next err_ call. */
const char *err_text(int r);
const char *err_detail_text(void); /* or NULL */
int err_status(void);
void err_clear(void);
bool err_is_clear(void); /* no text */

/* r and the slot as bytes for a pipe to another process; the caller frees. */
char *err_pack(int r, size_t *ret_len);
/* Fills the slot from such bytes and returns their r; -EPROTO with text if they are none. */
int err_unpack(const char *bytes, size_t len);

#endif
