/* queue/reap.h - removes dead letters that are too old, too many, or in the way of new mail: the oldest first, in bounded slices. Writer thread. */
#ifndef QUEUE_REAP_H
#define QUEUE_REAP_H

#include "queue/apply.h"
#include "queue/handle.h"

/* Bytes that are kept free for new mail, as long as dead letters can make way for them. */
uint64_t reap_margin(const struct queue *queue);

/* Is there a letter that has to go? */
bool reap_is_due(struct queue *queue, struct txn *txn, wall_ms now);

/* Remove some in a transaction of its own: the old, those beyond the size, and until there is room for `want` bytes. *more_out: others have to go, too. Errors as of a commit; nothing has been changed then. */
MUST_USE enum err reap_slice(struct queue *queue, struct apply *apply, uint64_t want, wall_ms now, bool *more_out, struct err_detail *why);

#endif
