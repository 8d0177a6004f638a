/* relay/ops/reissue.h - a message out of dead letters: the same content under a new id, signed anew, and back into the queue. Main thread. */
#ifndef OPS_REISSUE_H
#define OPS_REISSUE_H

#include "queue/dead.h"
#include "relay/ops/ops.h"

struct reissue_wish {
	wall_ms due;        /* not before */
	const char *pool;   /* NULL: as it was */
	const char *source; /* that is preferred; NULL: none */
	bool again;         /* letters that were replayed before, too */
};

struct reissue_result {
	enum err result;  /* OK; ERR_EXISTS: a letter was replayed before; ERR_NOT_FOUND: letters or body are gone; ERR_FULL, ERR_IO */
	msg_id id;        /* the new message; of ERR_EXISTS the earlier one */
	size_t count;     /* recipients asked for */
	const char *why;  /* text for a failed one; borrowed */
};
typedef void (*reissue_fn)(void *arg, const struct reissue_result *result);

/*
 * Copy the message chunk by chunk, without the signatures that we put above it if there are keys to sign it with, else with them; then accept
 * the copy for letters[which[]] and mark those, in one transaction. All that is below our signatures stays as it is, byte for byte.
 *
 * `fn` is called once, after the commit, never from inside. `wish` is borrowed for the call.
 */
void reissue_start(const struct ops_env *env, const struct queue_letters *letters, const size_t *which, size_t count,
    const struct reissue_wish *wish, reissue_fn fn, void *arg);

#endif
