/* queue/reap.c - removes dead letters that are too old, too many, or in the way of new mail: the oldest first, in bounded slices. */
#include "queue/reap.h"

#include "queue/dead_store.h"

#define MARGIN        (8u << 20)
#define SLICE_LETTERS 100
#define SLICE_ROWS    300 /* a slice that has come so far ends; the last letter may add 64 chunks and its transcripts */

/* What binds: letters of this age go whatever room there is. */
static bool is_too_old(struct queue *queue, wall_ms died, wall_ms now)
{
	return now - died >= atomic_load_explicit(&queue->dead_keep_ms, memory_order_relaxed);
}

static bool is_too_much(struct queue *queue, const struct dead_sum *sum)
{
	return sum->bytes > atomic_load_explicit(&queue->dead_limit, memory_order_relaxed);
}

/* A small store keeps a small part free. */
uint64_t reap_margin(const struct queue *queue)
{
	uint64_t part = atomic_load_explicit(&queue->room.quota, memory_order_relaxed) / 32;

	return part > 0 && part < MARGIN ? part : MARGIN;
}

bool reap_is_due(struct queue *queue, struct txn *txn, wall_ms now)
{
	struct dead_sum sum;
	wall_ms died;
	msg_id id;
	uint32_t n;

	if (dead_store_oldest(txn, &died, &id, &n) != 0 || dead_sum_read(txn, &sum) != 0)
		return false;
	return is_too_old(queue, died, now) || is_too_much(queue, &sum) || room_lack(&queue->room, reap_margin(queue)) > 0;
}

/* A place that names no letter goes alone. */
static enum err remove_oldest(struct apply *apply, wall_ms died, msg_id id, uint32_t n, struct err_detail *why)
{
	struct txn_row row;
	bool found;
	int rc;
	enum err e = dead_store_remove(apply, id, n, false, &found, why);

	if (e != OK)
		return e;
	rc = txn_seek(&apply->txn, TXN_DEADTIME, 0, 0, &row);
	if (rc == 0 && (wall_ms)row.id == died && !found)
		rc = txn_del(&apply->txn, TXN_DEADTIME, row.id, row.n);
	return rc == MDB_NOTFOUND ? OK : txn_fold(apply->txn.env, rc, "delete dead letter", why);
}

/* What a transaction frees shows in the room only after it. */
static bool is_in_the_way(struct apply *apply, uint64_t used, uint64_t lack)
{
	uint64_t now = txn_used_bytes(&apply->txn);

	return lack > 0 && (now > used || used - now < lack);
}

static enum err remove_some(
    struct queue *queue, struct apply *apply, uint64_t want, wall_ms now, bool *more_out, struct err_detail *why)
{
	uint64_t lack = room_lack(&queue->room, want), used = txn_used_bytes(&apply->txn);

	*more_out = false;
	for (int i = 0; i < SLICE_LETTERS && apply->txn.rows < SLICE_ROWS; i++) {
		wall_ms died;
		msg_id id;
		uint32_t n;
		int rc = dead_store_oldest(&apply->txn, &died, &id, &n);
		enum err e;

		if (rc == MDB_NOTFOUND)
			return OK;
		if (rc != 0)
			return txn_fold(apply->txn.env, rc, "read dead letters", why);
		if (!is_too_old(queue, died, now) && !is_too_much(queue, &apply->dead) && !is_in_the_way(apply, used, lack))
			return OK;
		e = remove_oldest(apply, died, id, n, why);
		if (e != OK)
			return e;
	}
	*more_out = true;
	return OK;
}

enum err reap_slice(struct queue *queue, struct apply *apply, uint64_t want, wall_ms now, bool *more_out, struct err_detail *why)
{
	uint64_t used;
	enum err e = txn_fold(&queue->env, apply_begin(apply, &queue->env), "begin", why);

	if (e != OK)
		return e;
	e = remove_some(queue, apply, want, now, more_out, why);
	if (e == OK)
		e = txn_fold(&queue->env, apply_finish(apply), "write counters", why);
	if (e != OK || apply->txn.rows == 0) {
		txn_abort(&apply->txn);
		return e;
	}
	used = txn_used_bytes(&apply->txn);
	e = txn_fold(&queue->env, txn_commit(&apply->txn), "commit", why);
	if (e == OK) {
		sweep_add(&queue->sweep, &apply->left);
		dead_sum_publish(queue, &apply->dead);
		room_update(&queue->room, used, txn_env_file_bytes(&queue->env), clock_mono());
	}
	return e;
}
