/* relay/net/preamble.h - reads what stands before a connection's own protocol, and not a byte more. */
#ifndef NET_PREAMBLE_H
#define NET_PREAMBLE_H

#include "relay/net/loop.h"

struct preamble;

struct preamble_ops {
	/* Look at what has come. Returns how many bytes were used; *done_out: nothing more is wanted. */
	size_t (*take)(void *arg, const char *data, size_t len, bool *done_out);
	/* The end, once, after which the preamble is gone and the socket its owner's again. `trouble`: NULL when `take` was done, else why it will not
	 * be: "timeout", "connection closed" or the system's words. */
	void (*on_end)(void *arg, const char *trouble);
};

/* Read from the connected, non-blocking `fd`, which stays the caller's, for `ms` at most. Nothing is called from inside. */
struct preamble *preamble_start(struct loop *loop, int fd, int64_t ms, const struct preamble_ops *ops, void *arg) MUST_USE;

/* Stop without on_end. Sets the pointer to NULL. */
void preamble_cancel(struct preamble **preamble);

#endif
