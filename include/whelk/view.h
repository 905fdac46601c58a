/* Views: the files of a container or image mounted where the caller of whelk mount sees them, at <kind>/<id>/merged in
 * the store ("containers", "images").
 *
 * The mount itself is all that is recorded. It belongs to a mount namespace: root's, or that of a session of whelk
 * unshare, with which it ends; an empty directory may stay and means nothing. There is one view of an object at a time,
 * because two overlays of one upper directory do not see each other's changes: removing the directory takes away what
 * is mounted on it in every other namespace (rmdir(2) since Linux 3.18), and what is mounted in this one is shared
 * (view_take). */
#ifndef WHELK_VIEW_H
#define WHELK_VIEW_H

#include "whelk/store.h"

/* The absolute path; caller frees. */
char *view_path(const struct store *s, const char *kind, const char *id);
/* Is it mounted in this mount namespace? */
bool view_is_mounted(const struct store *s, const char *kind, const char *id);
/* Attaches a detached mount there. */
int view_attach(const struct store *s, const char *kind, const char *id, int mnt_fd);
/* Takes it away. -ENOENT without text: it is not mounted here; -EBUSY without text: something in it is open; force: all
 * the same, what is open stays usable. */
int view_detach(const struct store *s, const char *kind, const char *id, bool force);
/* Before the object is removed: whatever is mounted, in this namespace or another. */
void view_drop(const struct store *s, const char *kind, const char *id);

/* For who is about to mount the object in directory dir (relative to store_fd, opened in this mount namespace) itself:
 * 1 and a detached copy of the view if there is one in this namespace; 0 if not, and then there is none elsewhere
 * either. */
int view_take(int store_fd, const char *dir, int *ret_fd);
/* Has the object in dir_fd a view, or had one that was not taken away? */
bool view_there(int dir_fd);

#endif
