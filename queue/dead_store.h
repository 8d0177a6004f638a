/* queue/dead_store.h - dead letters inside a write transaction: put, mark, remove. Writer thread only.
 *
 * Three rows: the letter (dead, id|n), its message's record once (dead, id|DEAD_MESSAGE), and its place in the order of time (deadtime). */
#ifndef QUEUE_DEAD_STORE_H
#define QUEUE_DEAD_STORE_H

#include "queue/apply.h"
#include "queue/dead.h"

/* Make a letter of the recipient whose record is `stored`. One that does not decode is passed over with a warning: it must leave the queue
 * all the same. */
MUST_USE enum err dead_store_put(struct apply *apply, const struct queue_settle *settle, const struct queue_settle_item *item,
    const MDB_val *stored, struct err_detail *why);

/* Delete transcripts and body of a message that has left the queue, unless there are letters of it. */
MUST_USE enum err dead_store_release(struct apply *apply, msg_id id, struct err_detail *why);

/* Remove one letter; the last of a message that has left the queue takes transcripts and body along. *found_out: it was there. */
MUST_USE enum err dead_store_remove(struct apply *apply, msg_id id, uint32_t n, bool erase, bool *found_out, struct err_detail *why);

/* As apply_request. */
MUST_USE enum err dead_store_drop(struct apply *apply, struct queue_dead_drop *drop, struct err_detail *why);
MUST_USE enum err dead_store_replay(struct apply *apply, struct queue_replay *replay, struct err_detail *why);

/* The letter that is next in the order of time. MDB_NOTFOUND: there is none; else LMDB's codes. */
int dead_store_oldest(struct txn *txn, wall_ms *died_out, msg_id *id_out, uint32_t *n_out);

#endif
