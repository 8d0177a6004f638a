/* queue/queue.c - the face of the queue: open, close, ids, hand requests in, figures. */
#include "queue/queue.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "queue/apply.h"
#include "queue/claim.h"
#include "queue/handle.h"
#include "queue/lock.h"
#include "queue/writer.h"

#define CLAIMS_A_TIME 1000

static struct queue *queue_create(const char *state)
{
	struct queue *queue = xcalloc(1, sizeof(*queue));
	pthread_rwlockattr_t attr;

	queue->state = xstrdup(state);
	queue->lock_fd = -1;
	/* A reopening must not starve behind readers that keep coming. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	must(pthread_rwlock_init(&queue->env_lock, &attr) == 0);
	pthread_rwlockattr_destroy(&attr);
	must(pthread_mutex_init(&queue->readers_lock, NULL) == 0);
	sweep_init(&queue->sweep, 0);
	return queue;
}

void queue_close(struct queue **queue)
{
	struct queue *q = *queue;

	if (!q)
		return;
	if (q->writer)
		writer_stop(&q->writer);
	must(!q->readers);
	txn_env_close(&q->env);
	if (q->lock_fd >= 0)
		close(q->lock_fd);
	sweep_fini(&q->sweep);
	pthread_mutex_destroy(&q->readers_lock);
	pthread_rwlock_destroy(&q->env_lock);
	free(q->state);
	free(q);
	*queue = NULL;
}

/* --- opening ----------------------------------------------------------------------------------------------------------- */

/* The highest id that was ever stored: of the rows that are there, and of those that have left. */
static int read_last_id(struct txn *txn, msg_id *out)
{
	static const enum txn_table tables[] = { TXN_MSG, TXN_BODY, TXN_RCPT };
	int rc = apply_last_id(txn, out);

	for (size_t i = 0; i < ARRAY_LEN(tables) && rc == 0; i++) {
		msg_id id;

		rc = txn_last(txn, tables[i], &id);
		if (id > *out)
			*out = id;
	}
	return rc;
}

/* Mark and count one claim that an earlier run left; one that does not decode is left to queue_check. */
static int doubt_claim(struct apply *apply, const struct txn_row *row)
{
	char text[CODEC_RECORD_MAX];
	struct codec_texts room = { text, text + sizeof(text) };
	struct claim claim;
	size_t len;

	if (row->value.mv_size > sizeof(text) ||
	    claim_decode(row->value.mv_data, row->value.mv_size, &claim, &room, NULL) != OK ||
	    claim.flags & CLAIM_COUNTED)
		return 0;
	claim.flags |= CLAIM_DOUBT | CLAIM_COUNTED;
	counts_add(&apply->counts, claim.destination, &(struct queue_counts){ .in_doubt = claim.rcpts });
	len = claim_encode(&claim, apply->record);
	return txn_put(&apply->txn, TXN_CLAIM, row->id, row->n, apply->record, len, false);
}

/* One transaction over claims from `at` on; *end when there are no more. */
static int doubt_some(struct apply *apply, const struct txn_env *env, struct txn_row *at, bool *end)
{
	int rc = apply_begin(apply, env);

	if (rc != 0)
		return rc;
	for (int i = 0; i < CLAIMS_A_TIME && rc == 0; i++) {
		rc = txn_seek(&apply->txn, TXN_CLAIM, at->id, at->n, at);
		if (rc == 0)
			rc = doubt_claim(apply, at);
		at->n++; /* jobs are numbered like recipients: far below 2^32 */
	}
	*end = rc == MDB_NOTFOUND;
	if (*end || rc == 0)
		rc = apply_finish(apply);
	if (rc == 0)
		return txn_commit(&apply->txn);
	txn_abort(&apply->txn);
	return rc;
}

/* Claims without a settle: a crash fell into their attempts. On a full disk they are counted at a later start. */
static enum err count_doubts(struct queue *queue, struct err_detail *why)
{
	struct apply *apply = xcalloc(1, sizeof(*apply));
	struct txn_row at = { 0 };
	enum err e = OK;
	bool end = false;

	while (!end && e == OK)
		e = txn_fold(&queue->env, doubt_some(apply, &queue->env, &at, &end), "count claims in doubt", why);
	counts_fini(&apply->counts);
	free(apply);
	return e == ERR_FULL ? OK : e;
}

/* What is needed of the store before the writer starts. */
static enum err prepare(struct queue *queue, struct err_detail *why)
{
	struct dead_sum dead_letters;
	struct txn txn;
	msg_id last;
	int dead, rc;

	(void)mdb_reader_check(queue->env.env, &dead);
	rc = txn_begin(&txn, &queue->env, false);
	if (rc != 0)
		return txn_fold(&queue->env, rc, "read store", why);
	rc = read_last_id(&txn, &last);
	if (rc == 0)
		rc = dead_sum_read(&txn, &dead_letters);
	if (rc == 0)
		dead_sum_publish(queue, &dead_letters);
	if (rc == 0)
		room_update(&queue->room, txn_used_bytes(&txn), txn_env_file_bytes(&queue->env), clock_mono());
	txn_abort(&txn);
	if (rc != 0)
		return txn_fold(&queue->env, rc, "read store", why);
	atomic_store(&queue->last_id, last);
	queue->first_id = queue_new_id(queue);
	queue->sweep.end = queue->first_id;
	return count_doubts(queue, why);
}

static void dead_limits(struct queue *queue, const struct queue_options *options)
{
	atomic_store_explicit(&queue->dead_keep_ms, options->dead_keep_ms, memory_order_relaxed);
	atomic_store_explicit(&queue->dead_limit, options->dead_bytes, memory_order_relaxed);
}

struct queue *queue_open(const char *state, const struct queue_options *options, struct err_detail *why)
{
	struct queue *queue = queue_create(state);

	queue->on_fatal = options->on_fatal;
	queue->arg = options->arg;
	if (lock_take(state, &queue->lock_fd, why) != OK || txn_env_open(&queue->env, state, false, why) != OK)
		goto fail;
	room_init(&queue->room, queue->env.path, options->quota_bytes, options->reserve_bytes);
	dead_limits(queue, options);
	if (prepare(queue, why) != OK)
		goto fail;
	queue->writer = writer_start(queue);
	return queue;
fail:
	queue_close(&queue);
	return NULL;
}

struct queue *queue_open_readonly(const char *state, struct err_detail *why)
{
	struct queue *queue = queue_create(state);

	if (lock_share(state, &queue->lock_fd, why) != OK || txn_env_open(&queue->env, state, true, why) != OK)
		queue_close(&queue);
	return queue;
}

void queue_reconfigure(struct queue *queue, const struct queue_options *options)
{
	room_limit(&queue->room, options->quota_bytes, options->reserve_bytes);
	dead_limits(queue, options);
}

/* --- any thread ---------------------------------------------------------------------------------------------------------- */

msg_id queue_new_id(struct queue *queue)
{
	msg_id now = (msg_id)clock_wall() << 20;
	msg_id last = atomic_load_explicit(&queue->last_id, memory_order_relaxed), id;

	/* A clock that stands still or steps back: count on from the last. */
	do {
		id = now > last ? now : last + 1;
	} while (!atomic_compare_exchange_weak_explicit(
	    &queue->last_id, &last, id, memory_order_relaxed, memory_order_relaxed));
	return id;
}

enum err queue_has_room(struct queue *queue, uint64_t bytes, struct err_detail *why)
{
	return room_ask(&queue->room, bytes, why);
}

void queue_submit(struct queue *queue, struct queue_req *req)
{
	must(queue->writer);
	if (apply_tier(req) == APPLY_GROWS)
		room_enter(&queue->room, apply_cost(req).bytes);
	atomic_fetch_add_explicit(&queue->pending, 1, memory_order_relaxed);
	writer_post(queue->writer, req);
}

void queue_figures(struct queue *queue, struct queue_figures *out)
{
	const struct room *room = &queue->room;

	*out = (struct queue_figures){
		.commits = atomic_load_explicit(&queue->commits, memory_order_relaxed),
		.rows = atomic_load_explicit(&queue->rows, memory_order_relaxed),
		.chunk_bytes = atomic_load_explicit(&queue->chunk_bytes, memory_order_relaxed),
		.used_bytes = atomic_load_explicit(&room->used, memory_order_relaxed),
		.quota_bytes = atomic_load_explicit(&room->quota, memory_order_relaxed),
		.free_bytes = atomic_load_explicit(&room->disk_free, memory_order_relaxed),
		.pending = atomic_load_explicit(&queue->pending, memory_order_relaxed),
		.dead_letters = atomic_load_explicit(&queue->dead_letters, memory_order_relaxed),
		.dead_bytes = atomic_load_explicit(&queue->dead_bytes, memory_order_relaxed),
	};
}
