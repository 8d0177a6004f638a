/* queue/lock.h - STATE/lock: held exclusively by the daemon, shared by tools that read the store without one. */
#ifndef QUEUE_LOCK_H
#define QUEUE_LOCK_H

#include "base/err.h"

/* Take the lock for a daemon: creates STATE and the file, writes our pid into it. *fd_out is the caller's to close, which releases
 * the lock. ERR_BUSY: another daemon has it. Waits up to two seconds for tools that are reading. */
MUST_USE enum err lock_take(const char *state, int *fd_out, struct err_detail *why);

/* Keep daemons away while the store is read. Creates nothing: *fd_out is -1 when there is no lock file. ERR_BUSY: a daemon runs. */
MUST_USE enum err lock_share(const char *state, int *fd_out, struct err_detail *why);

#endif
