/* queue/batch.h - the requests that ride in one transaction: run them, shed what does not fit, answer. Writer thread only. */
#ifndef QUEUE_BATCH_H
#define QUEUE_BATCH_H

#include "queue/apply.h"
#include "queue/handle.h"

#define BATCH_ROWS  1000 /* rows and bytes of one transaction, about: a single request may be bigger */
#define BATCH_BYTES (4u << 20)

struct batch {
	size_t count;
	uint64_t rows, bytes;
	uint64_t txn_id; /* of the last attempt, to be looked for when its commit failed */
	struct queue_req *reqs[BATCH_ROWS];
	bool decided[BATCH_ROWS]; /* its result stands: it takes no part in further attempts */
};

void batch_init(struct batch *batch);

/* Put a request into the batch; false when it must wait for the next. */
bool batch_add(struct batch *batch, struct queue_req *req);

/*
 * Carry out all requests in one commit. On a full disk new mail is shed first, then what does not free space; a request that fails by
 * itself is left out of a second attempt.
 *
 * Returns OK when every request has its result; any other error: the store failed, the results are those of a transaction that did
 * not commit (so far as is known), see batch_fail.
 */
MUST_USE enum err batch_run(struct batch *batch, struct queue *queue, struct apply *apply, struct err_detail *why);

/* Give all that were part of the last attempt this result. */
void batch_fail(struct batch *batch, enum err e, const char *text);

/* Send all answers, in order; a mailbox is woken once. */
void batch_answer(struct batch *batch, struct queue *queue);

#endif
