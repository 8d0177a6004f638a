/* relay/ops/ops.h - the control socket on the main loop: answers relayq from scheduler, store and dispatcher.
 *
 * One JSON object a line in both directions; the request {"verb": ..., "args": ...}, the answer zero or more result lines and a last one
 * {"end": true, "exit": N, "message": ...}. Long answers go in slices, so that the loop never stalls, and wait for a slow reader. */
#ifndef OPS_OPS_H
#define OPS_OPS_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "relay/deliver/dispatch.h"
#include "relay/intake/guard.h"
#include "relay/net/loop.h"
#include "sched/sched.h"

struct ops;

struct ops_env {
	struct loop *loop;
	struct queue *queue;
	struct queue_reader *reader; /* of the main thread */
	struct sched *sched;
	struct dispatch *dispatch;
	struct conf *(*conf)(void *arg); /* the current snapshot, borrowed */
	/* Check the file again and swap; the text says what happened or what is wrong (malloc'ed). ERR_INVALID: nothing was changed. */
	enum err (*reload)(void *arg, char **text_out);
	wall_ms started;
	struct guard *guard; /* bans and locks; NULL: nobody counts failed logins */
	void *arg;
};

/* Bind the control socket (mode 0660, owner: who runs the daemon; an old socket file is replaced only if nobody answers there). */
struct ops *ops_create(const struct ops_env *env, const char *path, struct err_detail *why) MUST_USE;
void ops_destroy(struct ops **ops); /* closes, removes the socket file */

#endif
