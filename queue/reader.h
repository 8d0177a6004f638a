/* queue/reader.h - one thread's view of the store: an LMDB read transaction that lives only inside a call. */
#ifndef QUEUE_READER_H
#define QUEUE_READER_H

#include "queue/handle.h"

/* Memory for decoded jobs, grown as needed. */
struct reader_block {
	struct queue_job *job; /* malloc'ed */
	size_t size;
};

struct queue_reader {
	struct queue *queue;
	struct queue_reader *next, **at; /* list of the queue's readers */
	MDB_txn *mdb;                    /* reset between calls; NULL: begun anew when needed */
	struct reader_block block;       /* of scans */
};

/* Between the two the environment stays open and `txn` shows one state of the store. ERR_IO: the store is being given up. After
 * an error reader_end must not be called. */
MUST_USE enum err reader_begin(struct queue_reader *reader, struct txn *txn, struct err_detail *why);
void reader_end(struct queue_reader *reader, struct txn *txn);

/* End the LMDB transactions of all readers; the caller holds env_lock alone. */
void reader_drop_all(struct queue *queue);

#endif
