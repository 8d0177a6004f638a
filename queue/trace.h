/* queue/trace.h - transcripts of attempts: the last few of each job, kept as long as their message. */
#ifndef QUEUE_TRACE_H
#define QUEUE_TRACE_H

#include "queue/txn.h"

/* Store settle->trace in the place of the oldest of its job. An LMDB code. */
int trace_put(struct txn *txn, const struct queue_settle *settle);

/* All of a message. LMDB codes. */
int trace_del_all(struct txn *txn, msg_id id);
int trace_each(struct txn *txn, msg_id id, queue_trace_fn fn, void *arg);

#endif
