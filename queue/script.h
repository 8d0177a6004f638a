/* queue/script.h - transcripts of attempts: the last few of each job, kept as long as their message, or dead letters of it. */
#ifndef QUEUE_SCRIPT_H
#define QUEUE_SCRIPT_H

#include "queue/txn.h"

/* Store settle->trace in the place of the oldest of its job. An LMDB code. */
int script_put(struct txn *txn, const struct queue_settle *settle);

/* All of a message. LMDB codes. */
int script_del_all(struct txn *txn, msg_id id);
/* Those of one job. */
int script_del_job(struct txn *txn, msg_id id, uint32_t job);
int script_each(struct txn *txn, msg_id id, queue_trace_fn fn, void *arg);

#endif
