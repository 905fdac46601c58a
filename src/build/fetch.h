/* What is not here yet: git repositories and URLs, for ADD and for contexts. Private to src/build. */
#ifndef BUILD_FETCH_H
#define BUILD_FETCH_H

#include "whelk/str.h"

enum fetch_kind { FETCH_NONE, FETCH_URL, FETCH_GIT };
/* By its beginning, and for http and https by ".git" at the end of its path. */
enum fetch_kind fetch_kind(const char *source);

/* URL[#[REF][:SUBDIR]] */
struct git_ref {
    char *url, *ref, *subdir; /* ref and subdir: NULL if not given */
};
/* -EINVAL with text. */
int git_ref_parse(const char *source, struct git_ref *ret);
void git_ref_done(struct git_ref *g);

enum { GIT_COMMIT = 65 };
/* The commit that the reference is now. A whole hash is itself, and nobody is asked. */
int git_resolve(const struct git_ref *g, char ret[GIT_COMMIT]);
/* Fills the empty directory dir with the files of a commit, 0644 and 0755, with the time of the commit. Submodules are
 * fetched too. Without keep_git_dir there is no .git in it. The program git does it, as a child. */
int git_fetch(const struct git_ref *g, const char *commit, bool keep_git_dir, int dir);

#endif
