/* queue/dead_store.c - dead letters inside a write transaction: put, mark, remove. */
#include "queue/dead_store.h"

#include <string.h>

#include "base/log.h"
#include "queue/accept.h"
#include "queue/dead_record.h"
#include "queue/recipient.h"
#include "queue/script.h"

static enum err fold(struct apply *apply, int rc, const char *doing, struct err_detail *why)
{
	return txn_fold(apply->txn.env, rc, doing, why);
}

static void subtract(uint64_t *from, uint64_t amount)
{
	*from = *from > amount ? *from - amount : 0;
}

/* --- the order of time ------------------------------------------------------------------------------------------------------- */

#define PLACE_BYTES 12

static int place_put(struct apply *apply, msg_id id, uint32_t n, struct queue_letter *letter)
{
	uint8_t data[PLACE_BYTES];
	struct codec_out out = { .at = data, .end = data + sizeof(data) };
	int rc;

	codec_put_u64(&out, id);
	codec_put_u32(&out, n);
	if (apply->died != letter->died) {
		apply->died = letter->died;
		apply->died_seq = 0;
	}
	/* A clock that was set back meets places of an earlier run. */
	do {
		letter->seq = apply->died_seq++;
		rc = txn_put(&apply->txn, TXN_DEADTIME, (uint64_t)letter->died, letter->seq, data, sizeof(data), true);
	} while (rc == MDB_KEYEXIST);
	return rc;
}

int dead_store_oldest(struct txn *txn, wall_ms *died_out, msg_id *id_out, uint32_t *n_out)
{
	struct txn_row row;
	struct codec_in in;
	int rc = txn_seek(txn, TXN_DEADTIME, 0, 0, &row);

	if (rc != 0)
		return rc;
	in = (struct codec_in){ .at = row.value.mv_data, .end = (const uint8_t *)row.value.mv_data + row.value.mv_size };
	*died_out = (wall_ms)row.id;
	*id_out = codec_get_u64(&in);
	*n_out = codec_get_u32(&in);
	return in.failed ? MDB_CORRUPTED : 0;
}

/* --- put --------------------------------------------------------------------------------------------------------------------- */

/* The size stands at the same place in every version of a message's record. */
static uint64_t body_bytes(const MDB_val *message)
{
	struct codec_in in;

	if (codec_begin(&in, message->mv_data, message->mv_size, UINT8_MAX, "message", NULL) != OK)
		return 0;
	(void)codec_get_time(&in);
	(void)codec_get_time(&in);
	return codec_get_u64(&in);
}

/* The first letter of a message brings the message's record along. */
static int message_put(struct apply *apply, msg_id id)
{
	uint8_t copy[CODEC_RECORD_MAX]; /* what LMDB shows us may move with the next change */
	MDB_val message;
	int rc = txn_get(&apply->txn, TXN_DEAD, id, DEAD_MESSAGE, &message);

	if (rc != MDB_NOTFOUND)
		return rc;
	rc = txn_get(&apply->txn, TXN_MSG, id, 0, &message);
	if (rc == 0 && message.mv_size > sizeof(copy))
		rc = MDB_CORRUPTED;
	if (rc != 0)
		return rc;
	memcpy(copy, message.mv_data, message.mv_size);
	apply->dead.messages++;
	apply->dead.bytes += message.mv_size + body_bytes(&message);
	return txn_put(&apply->txn, TXN_DEAD, id, DEAD_MESSAGE, copy, message.mv_size, false);
}

static void take(const char **field, const char *text)
{
	if (text)
		*field = text;
}

/* What the settle knows of the end, over what the row has. */
static void letter_fill(struct queue_letter *letter, const struct queue_settle *settle, const struct queue_settle_item *item)
{
	const struct queue_rcpt *end = &item->rcpt;

	letter->cause = item->letter;
	letter->died = settle->at;
	letter->destination = settle->destination;
	letter->dsn = item->told && settle->bounce ? settle->bounce->message.id : 0;
	letter->rcpt.attempts = end->attempts;
	letter->rcpt.last_attempt = end->last_attempt;
	take(&letter->rcpt.reason, end->reason);
	take(&letter->rcpt.source, end->source);
	take(&letter->rcpt.relay, end->relay);
	take(&letter->rcpt.reply, end->reply);
	take(&letter->rcpt.class_name, end->class_name);
}

enum err dead_store_put(struct apply *apply, const struct queue_settle *settle, const struct queue_settle_item *item,
    const MDB_val *stored, struct err_detail *why)
{
	char text[CODEC_RECORD_MAX];
	struct codec_texts room = { text, text + sizeof(text) };
	struct queue_letter letter = { .cause = LETTER_NONE };
	uint32_t n = item->rcpt.n;
	size_t len;
	int rc;

	if (recipient_decode(n, stored->mv_data, stored->mv_size, &letter.rcpt, &room, why) != OK) {
		log_text(LOG_WARN, "letter-lost", "a recipient's record does not decode; it leaves the queue without a dead letter");
		return OK;
	}
	letter_fill(&letter, settle, item);
	rc = message_put(apply, settle->id);
	if (rc == 0)
		rc = place_put(apply, settle->id, n, &letter);
	if (rc != 0)
		return fold(apply, rc, "put dead letter", why);
	len = dead_record_encode(&letter, apply->record);
	apply->dead.added++;
	apply->dead.bytes += len;
	apply->dead_changed = true;
	return fold(apply, txn_put(&apply->txn, TXN_DEAD, settle->id, n, apply->record, len, false), "put dead letter", why);
}

/* --- remove ------------------------------------------------------------------------------------------------------------------ */

enum err dead_store_release(struct apply *apply, msg_id id, struct err_detail *why)
{
	int rc = txn_has(&apply->txn, TXN_DEAD, id);

	if (rc == 0)
		return OK;
	if (rc == MDB_NOTFOUND)
		rc = script_del_all(&apply->txn, id);
	if (rc != 0)
		return fold(apply, rc, "delete transcripts", why);
	return apply_drop_body(apply, id, why);
}

/* The last letter of a message is gone: its record too, and all that only the letters needed. */
static enum err end_letters(struct apply *apply, msg_id id, struct err_detail *why)
{
	struct txn_row row;
	MDB_val message;
	int rc = txn_seek(&apply->txn, TXN_DEAD, id, 0, &row);

	if (rc == MDB_NOTFOUND || (rc == 0 && (row.id != id || row.n != DEAD_MESSAGE)))
		return OK;
	if (rc == 0) {
		subtract(&apply->dead.messages, 1);
		subtract(&apply->dead.bytes, row.value.mv_size + body_bytes(&row.value));
		rc = txn_del(&apply->txn, TXN_DEAD, id, DEAD_MESSAGE);
	}
	if (rc == 0)
		rc = txn_get(&apply->txn, TXN_MSG, id, 0, &message);
	if (rc == MDB_NOTFOUND)
		return dead_store_release(apply, id, why);
	return fold(apply, rc, "delete dead letters", why);
}

/* A record that does not decode goes without its place, which then names nothing and is passed over. */
static int letter_del(struct apply *apply, msg_id id, uint32_t n, bool erase)
{
	char text[CODEC_RECORD_MAX];
	struct codec_texts room = { text, text + sizeof(text) };
	struct queue_letter letter;
	MDB_val value;
	bool decoded;
	int rc = txn_get(&apply->txn, TXN_DEAD, id, n, &value);

	if (rc != 0)
		return rc;
	decoded = value.mv_size <= sizeof(text) && dead_record_decode(n, value.mv_data, value.mv_size, &letter, &room, NULL) == OK;
	apply->dirty = true;
	apply->dead_changed = true;
	apply->dead.removed++;
	subtract(&apply->dead.bytes, value.mv_size);
	rc = txn_del(&apply->txn, TXN_DEAD, id, n);
	if (rc == 0 && decoded)
		rc = txn_del(&apply->txn, TXN_DEADTIME, (uint64_t)letter.died, letter.seq);
	if (rc == MDB_NOTFOUND)
		rc = 0; /* the place: queue_check tells */
	if (rc == 0 && decoded && erase)
		rc = script_del_job(&apply->txn, id, letter.rcpt.job);
	return rc;
}

enum err dead_store_remove(struct apply *apply, msg_id id, uint32_t n, bool erase, bool *found_out, struct err_detail *why)
{
	int rc = letter_del(apply, id, n, erase);

	*found_out = rc == 0;
	if (rc != 0)
		return rc == MDB_NOTFOUND ? OK : fold(apply, rc, "delete dead letter", why);
	return end_letters(apply, id, why);
}

enum err dead_store_drop(struct apply *apply, struct queue_dead_drop *drop, struct err_detail *why)
{
	drop->removed = 0;
	for (size_t i = 0; i < drop->count; i++) {
		bool found;
		enum err e = drop->ns[i] == DEAD_MESSAGE ? err_set(why, ERR_INVALID, "no recipient has that number") :
							   dead_store_remove(apply, drop->id, drop->ns[i], drop->erase, &found, why);

		if (e != OK)
			return e;
		drop->removed += found;
	}
	return OK;
}

/* --- replay ------------------------------------------------------------------------------------------------------------------ */

static enum err read_letter(
    struct apply *apply, msg_id id, uint32_t n, struct queue_letter *out, struct codec_texts *room, struct err_detail *why)
{
	MDB_val value;
	int rc = n == DEAD_MESSAGE ? MDB_NOTFOUND : txn_get(&apply->txn, TXN_DEAD, id, n, &value);

	if (rc == MDB_NOTFOUND)
		return err_set(why, ERR_NOT_FOUND, "the dead letter is gone");
	if (rc != 0)
		return fold(apply, rc, "read dead letter", why);
	if (value.mv_size > CODEC_RECORD_MAX)
		return err_set(why, ERR_CORRUPT, "dead letter of %zu bytes", value.mv_size);
	return dead_record_decode(n, value.mv_data, value.mv_size, out, room, why);
}

static enum err check_letters(struct apply *apply, struct queue_replay *replay, struct err_detail *why)
{
	for (size_t i = 0; i < replay->count; i++) {
		char text[CODEC_RECORD_MAX], id[MSG_ID_TEXT];
		struct codec_texts room = { text, text + sizeof(text) };
		struct queue_letter letter;
		enum err e = read_letter(apply, replay->id, replay->ns[i], &letter, &room, why);

		if (e != OK)
			return e;
		if (letter.replayed == 0 || replay->again)
			continue;
		replay->earlier = letter.replayed;
		return err_set(why, ERR_EXISTS, "replayed before, as %s", msg_id_format(letter.replayed, id));
	}
	return OK;
}

static enum err mark_letters(struct apply *apply, const struct queue_replay *replay, struct err_detail *why)
{
	for (size_t i = 0; i < replay->count; i++) {
		char text[CODEC_RECORD_MAX];
		struct codec_texts room = { text, text + sizeof(text) };
		struct queue_letter letter;
		enum err e = read_letter(apply, replay->id, replay->ns[i], &letter, &room, why);
		size_t len;

		if (e != OK)
			return e;
		letter.replayed = replay->accept->message.id;
		letter.replayed_at = replay->at;
		len = dead_record_encode(&letter, apply->record);
		e = fold(apply, txn_put(&apply->txn, TXN_DEAD, replay->id, replay->ns[i], apply->record, len, false), "mark dead letter", why);
		if (e != OK)
			return e;
	}
	return OK;
}

enum err dead_store_replay(struct apply *apply, struct queue_replay *replay, struct err_detail *why)
{
	enum err e;

	replay->earlier = 0;
	e = check_letters(apply, replay, why);
	if (e == OK)
		e = accept_verify(apply, replay->accept, why);
	if (e == OK)
		e = accept_write(apply, replay->accept, why);
	return e == OK ? mark_letters(apply, replay, why) : e;
}
