/* queue/warm.h - the states of cold lanes: bytes of somebody else's, kept under a name. Stored in the meta table. */
#ifndef QUEUE_WARM_H
#define QUEUE_WARM_H

#include "queue/txn.h"

/* ERR_LIMIT: name or bytes too long. Pure. */
MUST_USE enum err warm_check(const struct queue_warm *warm, struct err_detail *why);

/* Nothing when warm->key is NULL. An LMDB code. */
int warm_store(struct txn *txn, const struct queue_warm *warm);

/* See queue_warm_read. An LMDB code. */
int warm_each(struct txn *txn, queue_warm_fn fn, void *arg);

#endif
