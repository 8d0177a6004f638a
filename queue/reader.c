/* queue/reader.c - one thread's view of the store: an LMDB read transaction that lives only inside a call. */
#include "queue/reader.h"

#include <stdlib.h>

struct queue_reader *queue_reader_open(struct queue *queue)
{
	struct queue_reader *reader = xcalloc(1, sizeof(*reader));

	reader->queue = queue;
	pthread_mutex_lock(&queue->readers_lock);
	reader->next = queue->readers;
	reader->at = &queue->readers;
	if (reader->next)
		reader->next->at = &reader->next;
	queue->readers = reader;
	pthread_mutex_unlock(&queue->readers_lock);
	return reader;
}

void queue_reader_close(struct queue_reader **reader)
{
	struct queue_reader *r = *reader;

	if (!r)
		return;
	pthread_rwlock_rdlock(&r->queue->env_lock);
	pthread_mutex_lock(&r->queue->readers_lock);
	*r->at = r->next;
	if (r->next)
		r->next->at = r->at;
	if (r->mdb)
		mdb_txn_abort(r->mdb);
	pthread_mutex_unlock(&r->queue->readers_lock);
	pthread_rwlock_unlock(&r->queue->env_lock);
	free(r->block.job);
	free(r);
	*reader = NULL;
}

enum err reader_begin(struct queue_reader *reader, struct txn *txn, struct err_detail *why)
{
	struct queue *queue = reader->queue;
	enum err e;
	int rc;

	pthread_rwlock_rdlock(&queue->env_lock);
	if (!queue->env.env) {
		pthread_rwlock_unlock(&queue->env_lock);
		return err_set(why, ERR_IO, "the store has failed");
	}
	if (reader->mdb)
		rc = mdb_txn_renew(reader->mdb);
	else
		rc = mdb_txn_begin(queue->env.env, NULL, MDB_RDONLY, &reader->mdb);
	*txn = (struct txn){ .env = &queue->env, .mdb = reader->mdb };
	e = txn_fold(&queue->env, rc, "read", why);
	if (e != OK)
		pthread_rwlock_unlock(&queue->env_lock);
	return e;
}

void reader_end(struct queue_reader *reader, struct txn *txn)
{
	txn_close_cursors(txn);
	mdb_txn_reset(reader->mdb);
	pthread_rwlock_unlock(&reader->queue->env_lock);
}

void reader_drop_all(struct queue *queue)
{
	pthread_mutex_lock(&queue->readers_lock);
	for (struct queue_reader *r = queue->readers; r; r = r->next) {
		if (r->mdb)
			mdb_txn_abort(r->mdb);
		r->mdb = NULL;
	}
	pthread_mutex_unlock(&queue->readers_lock);
}
