/* relay/daemon/privileges.h - from root to the configured user, once, after binding. */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include "base/err.h"

/* Make folder `path` (and missing parents) and, when we are root, give it to `user`. Mode 0750. Existing folders are left as they are, but
 * for an empty-handed check that `user` can write there. */
MUST_USE enum err privileges_make_dir(const char *path, const char *user, struct err_detail *why);

/* Raise the soft limit of open files to the hard one; returns it. */
uint64_t privileges_raise_files(void);

/*
 * Become `user` for good: groups, ids, no new privileges; CAP_NET_BIND_SERVICE is kept, so that a reload can bind low ports.
 * When `user` is root, or we are not root: nothing is dropped and *warning_out says so in one line (malloc'ed), else NULL.
 */
MUST_USE enum err privileges_drop(const char *user, char **warning_out, struct err_detail *why);

#endif
