/* queue/batch.c - the requests that ride in one transaction: run them, shed what does not fit, answer. */
#include "queue/batch.h"

#include <stdlib.h>
#include <string.h>

#define NOBODY SIZE_MAX

void batch_init(struct batch *batch)
{
	batch->count = 0;
	batch->rows = batch->bytes = batch->txn_id = 0;
}

bool batch_add(struct batch *batch, struct queue_req *req)
{
	struct apply_cost cost = apply_cost(req);

	if (batch->count == BATCH_ROWS ||
	    (batch->count > 0 && (batch->rows + cost.rows > BATCH_ROWS || batch->bytes + cost.bytes > BATCH_BYTES)))
		return false;
	batch->rows += cost.rows;
	batch->bytes += cost.bytes;
	batch->decided[batch->count] = false;
	batch->reqs[batch->count++] = req;
	return true;
}

static void set_result(struct queue_req *req, enum err e, const char *text)
{
	size_t len = strnlen(text, sizeof(req->why) - 1);

	req->result = e;
	memcpy(req->why, text, len);
	req->why[len] = '\0';
}

static void decide(struct batch *batch, size_t i, enum err e, const char *text)
{
	batch->decided[i] = true;
	set_result(batch->reqs[i], e, text);
}

static void check_all(struct batch *batch)
{
	struct err_detail why;

	for (size_t i = 0; i < batch->count; i++) {
		enum err e = apply_check(batch->reqs[i], &why);

		if (e != OK)
			decide(batch, i, e, why.text);
	}
}

/* New mail passes the quota and the watermark; everything else only makes room in the end. */
static enum err admit(struct queue *queue, struct apply *apply, struct queue_req *req, struct err_detail *why)
{
	if (apply_tier(req) != APPLY_GROWS)
		return OK;
	return room_admit(&queue->room, apply->chunk_bytes, apply_cost(req).bytes, why);
}

/* Carry out all undecided requests. *guilty_out: the one at which the transaction broke, or NOBODY. */
static enum err apply_all(
    struct batch *batch, struct queue *queue, struct apply *apply, size_t *guilty_out, struct err_detail *why)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct queue_req *req = batch->reqs[i];
		enum err e;

		if (batch->decided[i])
			continue;
		e = admit(queue, apply, req, why);
		if (e == OK) {
			*guilty_out = i;
			e = apply_request(apply, req, why);
			if (e != OK && !apply_is_refusal(apply, e))
				return e;
		}
		set_result(req, e, e == OK ? "" : why->text);
	}
	*guilty_out = NOBODY;
	return txn_fold(apply->txn.env, apply_finish(apply), "write counters", why);
}

static void note_commit(struct queue *queue, struct apply *apply, uint64_t used)
{
	atomic_fetch_add_explicit(&queue->commits, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&queue->rows, apply->txn.rows, memory_order_relaxed);
	atomic_fetch_add_explicit(&queue->chunk_bytes, apply->chunk_bytes, memory_order_relaxed);
	sweep_add(&queue->sweep, &apply->left);
	dead_sum_publish(queue, &apply->dead);
	room_update(&queue->room, used, txn_env_file_bytes(&queue->env), clock_mono());
}

static enum err attempt(
    struct batch *batch, struct queue *queue, struct apply *apply, size_t *guilty_out, struct err_detail *why)
{
	uint64_t used;
	enum err e;

	*guilty_out = NOBODY;
	batch->txn_id = 0;
	e = txn_fold(&queue->env, apply_begin(apply, &queue->env), "begin", why);
	if (e != OK)
		return e;
	e = apply_all(batch, queue, apply, guilty_out, why);
	if (e != OK) {
		txn_abort(&apply->txn);
		return e;
	}
	used = txn_used_bytes(&apply->txn);
	batch->txn_id = mdb_txn_id(apply->txn.mdb);
	e = txn_fold(&queue->env, txn_commit(&apply->txn), "commit", why);
	if (e == OK)
		note_commit(queue, apply, used);
	return e;
}

/* Leave out the requests that take most space; false when all that is left frees space. */
static bool shed(struct batch *batch, const char *text)
{
	for (enum apply_tier tier = APPLY_GROWS; tier < APPLY_FREES; tier++) {
		bool any = false;

		for (size_t i = 0; i < batch->count; i++) {
			if (batch->decided[i] || apply_tier(batch->reqs[i]) != tier)
				continue;
			decide(batch, i, ERR_FULL, text);
			any = true;
		}
		if (any)
			return true;
	}
	return false;
}

static bool is_all_decided(const struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++)
		if (!batch->decided[i])
			return false;
	return true;
}

/* After a failed attempt: is there something to leave out, so that the others can be tried again? */
static bool can_go_on(struct batch *batch, struct queue *queue, enum err e, size_t guilty, const char *text)
{
	if (e == ERR_FULL) {
		room_shut(&queue->room, clock_mono());
		if (!shed(batch, text))
			batch_fail(batch, e, text);
		return true;
	}
	if (e == ERR_IO || guilty == NOBODY)
		return false;
	decide(batch, guilty, e, text);
	return true;
}

enum err batch_run(struct batch *batch, struct queue *queue, struct apply *apply, struct err_detail *why)
{
	enum err e = OK;
	size_t guilty;

	check_all(batch);
	while (!is_all_decided(batch)) {
		e = attempt(batch, queue, apply, &guilty, why);
		if (e == OK || !can_go_on(batch, queue, e, guilty, why->text))
			break;
		e = OK;
	}
	memos_reset(&apply->memos); /* their owners may free them once they have their answers */
	return e;
}

void batch_fail(struct batch *batch, enum err e, const char *text)
{
	for (size_t i = 0; i < batch->count; i++)
		if (!batch->decided[i])
			decide(batch, i, e, text);
}

/* --- answers --------------------------------------------------------------------------------------------------------- */

static void run_answers(struct mail_item *item)
{
	struct queue_req *req = CONTAINER_OF(item, struct queue_req, item);

	while (req) {
		struct queue_req *next = req->also;

		req->done(req);
		req = next;
	}
}

/* Chain all answers for the mailbox of request `first` and post them as one item. */
static void post_chain(struct batch *batch, size_t first)
{
	struct queue_req *head = batch->reqs[first], *tail = head;
	struct mailbox *box = head->reply_to;

	head->also = NULL;
	for (size_t i = first + 1; i < batch->count; i++) {
		struct queue_req *req = batch->reqs[i];

		if (!req || req->reply_to != box)
			continue;
		batch->reqs[i] = NULL;
		req->also = NULL;
		tail->also = req;
		tail = req;
	}
	head->item.run = run_answers;
	mailbox_post(box, &head->item);
}

void batch_answer(struct batch *batch, struct queue *queue)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct queue_req *req = batch->reqs[i];

		if (apply_tier(req) == APPLY_GROWS)
			room_leave(&queue->room, apply_cost(req).bytes);
		if (!req->reply_to) {
			free(req);
			batch->reqs[i] = NULL;
		}
	}
	atomic_fetch_sub_explicit(&queue->pending, batch->count, memory_order_relaxed);
	for (size_t i = 0; i < batch->count; i++)
		if (batch->reqs[i])
			post_chain(batch, i);
}
