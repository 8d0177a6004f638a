/* queue/settle.c - outcomes of recipients, the bounce they owe, the end of a message. */
#include "queue/settle.h"

#include <string.h>

#include "queue/accept.h"
#include "queue/dead_store.h"
#include "queue/message.h"
#include "queue/recipient.h"
#include "queue/script.h"

static enum err check_item(const struct queue_settle_item *item, struct err_detail *why)
{
	struct queue_rcpt rcpt = item->rcpt;

	if ((unsigned)item->op > SETTLE_RETRY)
		return err_set(why, ERR_INVALID, "unknown settle operation %d", (int)item->op);
	if (recipient_leaves(item->op))
		return OK;
	/* Address and job will be the stored ones. */
	rcpt.address = "x";
	rcpt.job = rcpt.n;
	return recipient_check(&rcpt, why);
}

#define POOL_MAX 255 /* bytes that a message's row has for it */

enum err settle_check(const struct queue_settle *settle, struct err_detail *why)
{
	if (settle->pool && strlen(settle->pool) > POOL_MAX)
		return err_set(why, ERR_LIMIT, "the name of a pool is too long");
	for (size_t i = 0; i < settle->item_count; i++) {
		enum err e = check_item(&settle->items[i], why);

		if (e != OK)
			return e;
	}
	return OK;
}

/* Rewrite a recipient that stays; a row that nothing changes is left alone. */
static enum err change_rcpt(
    struct apply *apply, msg_id id, const struct queue_settle_item *item, MDB_val stored, struct err_detail *why)
{
	char text[CODEC_RECORD_MAX];
	struct codec_texts room = { text, text + sizeof(text) };
	struct queue_rcpt rcpt;
	size_t len;
	enum err e = recipient_decode(item->rcpt.n, stored.mv_data, stored.mv_size, &rcpt, &room, why);

	if (e != OK)
		return e;
	recipient_change(&rcpt, item->op, &item->rcpt);
	len = recipient_encode(&rcpt, apply->record);
	if (len == stored.mv_size && memcmp(apply->record, stored.mv_data, len) == 0)
		return OK;
	apply->dirty = true;
	return txn_fold(apply->txn.env, txn_put(&apply->txn, TXN_RCPT, id, rcpt.n, apply->record, len, false),
	    "put recipient", why);
}

static void count_item(struct queue_counts *counts, enum settle_op op)
{
	counts->delivered += op == SETTLE_DELIVERED;
	counts->bounced += op == SETTLE_BOUNCED;
	counts->dropped += op == SETTLE_DROPPED;
}

static enum err settle_item(struct apply *apply, const struct queue_settle *settle, struct queue_settle_item *item, struct err_detail *why)
{
	msg_id id = settle->id;
	MDB_val stored;
	int rc = txn_get(&apply->txn, TXN_RCPT, id, item->rcpt.n, &stored);

	item->found = rc == 0;
	if (rc == MDB_NOTFOUND)
		return OK;
	if (rc != 0)
		return txn_fold(apply->txn.env, rc, "get recipient", why);
	if (!recipient_leaves(item->op))
		return change_rcpt(apply, id, item, stored, why);
	apply->dirty = true;
	if (item->letter != LETTER_NONE && item->op == SETTLE_BOUNCED) {
		enum err e = dead_store_put(apply, settle, item, &stored, why);

		if (e != OK)
			return e;
	}
	return txn_fold(apply->txn.env, txn_del(&apply->txn, TXN_RCPT, id, item->rcpt.n), "delete recipient", why);
}

/* All items; *left_out: somebody left the queue; *told_out: a recipient that the bounce tells of was there. */
static enum err settle_items(
    struct apply *apply, struct queue_settle *settle, bool *left_out, bool *told_out, struct err_detail *why)
{
	struct queue_counts counts = { .in_doubt = settle->in_doubt };

	*left_out = *told_out = false;
	for (size_t i = 0; i < settle->item_count; i++) {
		struct queue_settle_item *item = &settle->items[i];
		enum err e = settle_item(apply, settle, item, why);

		if (e != OK)
			return e;
		if (!item->found)
			continue;
		*told_out |= item->told || item->op == SETTLE_BOUNCED;
		if (!recipient_leaves(item->op))
			continue;
		count_item(&counts, item->op);
		*left_out = true;
	}
	if (*left_out || counts.in_doubt > 0)
		counts_add(&apply->counts, settle->destination, &counts);
	return OK;
}

static enum err end_claims(struct apply *apply, msg_id id, uint32_t job, bool untried, struct err_detail *why)
{
	uint8_t doubt = 0;
	int rc = untried ? apply_doubt(apply, id, job, &doubt) : 0;

	if (job == UINT32_MAX || doubt != 0)
		return OK;
	if (rc == 0)
		rc = txn_del(&apply->txn, TXN_CLAIM, id, job);
	if (rc == 0)
		apply->dirty = true;
	return rc == MDB_NOTFOUND ? OK : txn_fold(apply->txn.env, rc, "delete claim", why);
}

/* The last recipient has left: message and claims go with it; transcripts and body too, unless dead letters need them. */
static enum err end_message(struct apply *apply, msg_id id, struct err_detail *why)
{
	size_t claims = 0;
	int rc = txn_has(&apply->txn, TXN_RCPT, id);

	if (rc == 0)
		return OK;
	if (rc == MDB_NOTFOUND) {
		apply->dirty = true;
		rc = txn_del(&apply->txn, TXN_MSG, id, 0);
	}
	if (rc == 0)
		rc = txn_del_all(&apply->txn, TXN_CLAIM, id, SIZE_MAX, &claims);
	if (rc != 0)
		return txn_fold(apply->txn.env, rc, "delete message", why);
	return dead_store_release(apply, id, why);
}

/* The row of a message that takes another pool. */
static enum err change_pool(struct apply *apply, const struct queue_settle *settle, MDB_val stored, struct err_detail *why)
{
	char text[CODEC_RECORD_MAX];
	struct codec_texts room = { text, text + sizeof(text) };
	struct queue_message message;
	size_t len;
	enum err e = message_decode(settle->id, stored.mv_data, stored.mv_size, &message, &room, why);

	if (e != OK)
		return e;
	message.pool = settle->pool;
	e = message_check(&message, why);
	if (e != OK)
		return e;
	len = message_encode(&message, apply->record);
	apply->dirty = true;
	return txn_fold(apply->txn.env, txn_put(&apply->txn, TXN_MSG, settle->id, 0, apply->record, len, false),
	    "put message", why);
}

enum err settle_apply(struct apply *apply, struct queue_settle *settle, struct err_detail *why)
{
	MDB_val message;
	bool left, told;
	int rc = txn_get(&apply->txn, TXN_MSG, settle->id, 0, &message);
	enum err e;

	for (size_t i = 0; i < settle->item_count; i++)
		settle->items[i].found = false;
	if (rc == MDB_NOTFOUND)
		return err_set(why, ERR_NOT_FOUND, "message is not in the queue");
	e = txn_fold(apply->txn.env, rc, "get message", why);
	if (e == OK && settle->pool)
		e = change_pool(apply, settle, message, why);
	if (e == OK && settle->bounce)
		e = accept_verify(apply, settle->bounce, why);
	if (e == OK)
		e = settle_items(apply, settle, &left, &told, why);
	if (e == OK && settle->bounce && told)
		e = accept_write(apply, settle->bounce, why);
	else if (e == OK && settle->bounce && settle->bounce->first_blob > 0)
		apply_leave(&apply->left, settle->bounce->message.id);
	if (e == OK)
		e = end_claims(apply, settle->id, settle->job, settle->untried, why);
	if (e == OK && settle->memo) {
		apply->dirty = true;
		memos_add(&apply->memos, settle->memo);
	}
	if (e == OK && settle->trace && settle->trace[0]) {
		apply->dirty = true;
		e = txn_fold(apply->txn.env, script_put(&apply->txn, settle), "put transcript", why);
	}
	return e == OK && left ? end_message(apply, settle->id, why) : e;
}
