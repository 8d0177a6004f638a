/* queue/accept.c - new mail inside a write transaction: chunks that stream in, and the rows that make a message of them. */
#include "queue/accept.h"

#include <string.h>

#include "queue/body.h"
#include "queue/keys.h"
#include "queue/message.h"
#include "queue/recipient.h"

#define AS(type, req) CONTAINER_OF((req), struct type, req)

static enum err fold(struct apply *apply, int rc, const char *doing, struct err_detail *why)
{
	return txn_fold(apply->txn.env, rc, doing, why);
}

static void note_id(struct apply *apply, msg_id id)
{
	if (id > apply->last_id)
		apply->last_id = id;
}

/* --- chunks ---------------------------------------------------------------------------------------------------------- */

struct apply_cost chunk_cost(const struct queue_req *req)
{
	return (struct apply_cost){ 1, ((const struct queue_chunk *)req)->blob.len };
}

enum err chunk_check(const struct queue_req *req, struct err_detail *why)
{
	const struct queue_chunk *chunk = (const struct queue_chunk *)req;

	if (chunk->id == 0 || chunk->blob.len == 0 || chunk->blob.len > QUEUE_CHUNK)
		return err_set(why, ERR_INVALID, "chunk without id or of %zu bytes", chunk->blob.len);
	return OK;
}

enum err accept_must_be_unfinished(struct apply *apply, msg_id id, struct err_detail *why)
{
	MDB_val value;
	int rc = txn_get(&apply->txn, TXN_MSG, id, 0, &value);

	if (rc == 0)
		return err_set(why, ERR_EXISTS, "message is accepted already");
	return rc == MDB_NOTFOUND ? OK : fold(apply, rc, "get message", why);
}

static enum err put_chunk(
    struct apply *apply, msg_id id, uint32_t n, const struct queue_blob *blob, struct err_detail *why)
{
	apply->chunk_bytes += blob->len;
	return fold(apply, body_put(&apply->txn, id, n, blob), "put chunk", why);
}

enum err chunk_apply(struct apply *apply, struct queue_req *req, struct err_detail *why)
{
	const struct queue_chunk *chunk = AS(queue_chunk, req);
	enum err e = accept_must_be_unfinished(apply, chunk->id, why);

	if (e != OK)
		return e;
	note_id(apply, chunk->id);
	/* One write: when the chunk is there already (ERR_EXISTS) nothing has been changed. */
	return put_chunk(apply, chunk->id, chunk->n, &chunk->blob, why);
}

/* --- acceptance ------------------------------------------------------------------------------------------------------ */

static uint64_t accept_bytes(const struct queue_accept *accept)
{
	uint64_t bytes = accept->head.len;

	for (size_t i = 0; i < accept->blob_count; i++)
		bytes += accept->blobs[i].len;
	return bytes;
}

struct apply_cost accept_cost(const struct queue_req *req)
{
	const struct queue_accept *accept = (const struct queue_accept *)req;

	return (struct apply_cost){ 1 + accept->rcpt_count + accept->blob_count + (accept->head.len > 0), accept_bytes(accept) };
}

/* Recipients of one domain stand side by side and name the first of them as their job. */
static enum err check_rcpts(const struct queue_accept *accept, struct err_detail *why)
{
	for (size_t i = 0; i < accept->rcpt_count; i++) {
		const struct queue_rcpt *rcpt = &accept->rcpts[i];
		enum err e = recipient_check(rcpt, why);

		if (e != OK)
			return e;
		if (rcpt->n != i || (rcpt->job != i && (i == 0 || rcpt->job != accept->rcpts[i - 1].job)))
			return err_set(
			    why, ERR_INVALID, "recipient %zu has number %u and job %u", i, rcpt->n, rcpt->job);
	}
	return OK;
}

enum err accept_check(const struct queue_req *req, struct err_detail *why)
{
	const struct queue_accept *accept = (const struct queue_accept *)req;
	const struct queue_message *message = &accept->message;
	enum err e = message_check(message, why);

	if (e != OK)
		return e;
	if (accept->rcpt_count != message->rcpt_count || accept->first_blob + accept->blob_count != message->chunks ||
	    !body_fits(accept))
		return err_set(why, ERR_INVALID, "message with recipients or a body other than it says");
	if (keys_has(accept) && strlen(accept->key) > QUEUE_KEY_MAX)
		return err_set(why, ERR_LIMIT, "the key of a message is too long");
	return check_rcpts(accept, why);
}

enum err accept_verify(struct apply *apply, const struct queue_accept *accept, struct err_detail *why)
{
	enum err e = accept_must_be_unfinished(apply, accept->message.id, why);
	int rc;

	if (e != OK)
		return e;
	/* A 250 promises the whole body: what was streamed before must be there, chunk by chunk. */
	rc = body_stored(&apply->txn, accept);
	if (rc == MDB_NOTFOUND)
		return err_set(why, ERR_INVALID, "the first %u chunks of the body are not stored", accept->first_blob);
	return fold(apply, rc, "read body", why);
}

enum err accept_write(struct apply *apply, const struct queue_accept *accept, struct err_detail *why)
{
	const struct queue_message *message = &accept->message;
	size_t len = message_encode(message, apply->record);
	enum err e;

	apply->dirty = true;
	note_id(apply, message->id);
	e = fold(apply, txn_put(&apply->txn, TXN_MSG, message->id, 0, apply->record, len, true), "put message", why);
	if (accept->head.len > 0 && e == OK)
		e = put_chunk(apply, message->id, 0, &accept->head, why);
	for (size_t i = 0; i < accept->blob_count && e == OK; i++)
		e = put_chunk(apply, message->id, accept->first_blob + (uint32_t)i, &accept->blobs[i], why);
	for (size_t i = 0; i < accept->rcpt_count && e == OK; i++) {
		len = recipient_encode(&accept->rcpts[i], apply->record);
		e = fold(apply, txn_put(&apply->txn, TXN_RCPT, message->id, (uint32_t)i, apply->record, len, true),
		    "put recipient", why);
	}
	if (e == OK)
		counts_add(&apply->counts, NULL, &(struct queue_counts){ .accepted = accept->rcpt_count });
	if (e == OK && accept->memo)
		memos_add(&apply->memos, accept->memo);
	return e;
}

enum apply_tier accept_tier(const struct queue_req *req)
{
	return (((const struct queue_accept *)req)->message.flags & MSG_BOUNCE) != 0 ? APPLY_STAYS : APPLY_GROWS;
}

enum err accept_apply(struct apply *apply, struct queue_req *req, struct err_detail *why)
{
	struct queue_accept *accept = AS(queue_accept, req);
	enum err e = accept_verify(apply, accept, why);

	if (e == OK && keys_has(accept))
		e = keys_check(&apply->txn, accept, why);
	if (e == OK)
		e = accept_write(apply, accept, why);
	if (e == OK && keys_has(accept))
		e = fold(apply, keys_put(&apply->txn, accept), "put key", why);
	return e;
}
