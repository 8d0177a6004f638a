/* queue/sweep.h - removes what no message names: bodies that earlier runs left unfinished, and the rest of big deleted ones.
 *
 * Works in bounded slices on the writer thread. Ids of this run are touched only when they were handed over. */
#ifndef QUEUE_SWEEP_H
#define QUEUE_SWEEP_H

#include <pthread.h>

#include "queue/apply.h"

struct sweep {
	pthread_mutex_t lock; /* all below: the writer changes, checks look */
	msg_id next;          /* bodies of earlier runs are seen up to here */
	msg_id end;           /* first id of this run; next == end: done */
	struct apply_left left;
};

void sweep_init(struct sweep *sweep, msg_id first_id);
void sweep_fini(struct sweep *sweep);

/* Take over what a committed transaction has left. */
void sweep_add(struct sweep *sweep, const struct apply_left *left);

bool sweep_is_done(struct sweep *sweep);
/* May chunks of `id` be there without a message, because they are unfinished or still to be swept? Any thread. */
bool sweep_expects(struct sweep *sweep, msg_id id);

/* One slice: delete at most some hundred rows in an open transaction. *moved_out is where to go on once it has committed. */
struct sweep_mark {
	msg_id next;
	bool left_done; /* the newest handed-over id is gone */
};
MUST_USE int sweep_slice(struct sweep *sweep, struct txn *txn, struct sweep_mark *mark_out);
void sweep_advance(struct sweep *sweep, const struct sweep_mark *mark);

#endif
