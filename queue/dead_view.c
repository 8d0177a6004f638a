/* queue/dead_view.c - read dead letters: those of a message, or a walk over all. */
#include <stdlib.h>

#include "queue/dead_record.h"
#include "queue/dead_sum.h"
#include "queue/message.h"
#include "queue/reader.h"

/* How many letters there are of a message, and bytes in their records and its own. MDB_NOTFOUND: none. */
static int measure(struct txn *txn, msg_id id, size_t *count_out, size_t *bytes_out)
{
	struct txn_row row;
	int rc = txn_seek(txn, TXN_DEAD, id, 0, &row);

	*count_out = *bytes_out = 0;
	for (; rc == 0 && row.id == id; rc = txn_next(txn, TXN_DEAD, &row)) {
		*count_out += row.n != DEAD_MESSAGE;
		*bytes_out += row.value.mv_size;
	}
	if (rc == 0 || rc == MDB_NOTFOUND)
		rc = *count_out > 0 ? 0 : MDB_NOTFOUND;
	return rc;
}

static enum err decode_all(struct txn *txn, msg_id id, struct queue_letters *out, struct codec_texts *room, struct err_detail *why)
{
	struct txn_row row;
	MDB_val record;
	size_t at = 0;
	enum err e = txn_fold(txn->env, txn_get(txn, TXN_DEAD, id, DEAD_MESSAGE, &record), "read message", why);
	int rc;

	if (e == ERR_NOT_FOUND)
		return err_set(why, ERR_CORRUPT, "dead letters without their message");
	if (e == OK)
		e = message_decode(id, record.mv_data, record.mv_size, &out->message, room, why);
	if (e != OK)
		return e;
	rc = txn_seek(txn, TXN_DEAD, id, 0, &row);
	for (; rc == 0 && e == OK && at < out->count; rc = txn_next(txn, TXN_DEAD, &row))
		e = dead_record_decode(row.n, row.value.mv_data, row.value.mv_size, &out->letters[at++], room, why);
	return e;
}

/* A message with its letters; malloc'ed. */
static enum err build(struct txn *txn, msg_id id, struct queue_letters **out, struct err_detail *why)
{
	struct queue_letters *letters;
	struct codec_texts room;
	size_t count, bytes, head;
	enum err e = txn_fold(txn->env, measure(txn, id, &count, &bytes), "read dead letters", why);

	*out = NULL;
	if (e != OK)
		return e;
	head = sizeof(*letters) + count * sizeof(letters->letters[0]);
	letters = xcalloc(1, head + bytes);
	letters->count = count;
	room = (struct codec_texts){ (char *)letters + head, (char *)letters + head + bytes };
	e = decode_all(txn, id, letters, &room, why);
	if (e == OK)
		*out = letters;
	else
		free(letters);
	return e;
}

enum err queue_letters_load(struct queue_reader *reader, msg_id id, struct queue_letters **out, struct err_detail *why)
{
	struct txn txn;
	enum err e = reader_begin(reader, &txn, why);

	*out = NULL;
	if (e != OK)
		return e;
	e = build(&txn, id, out, why);
	if (e == ERR_NOT_FOUND)
		e = err_set(why, e, "there is no dead letter of it");
	reader_end(reader, &txn);
	return e;
}

/* One message of a walk; one bad row must not hide all others. */
static enum err scan_one(struct txn *txn, msg_id id, queue_letters_fn fn, void *arg, bool *more)
{
	struct queue_letters *letters;
	enum err e = build(txn, id, &letters, NULL);

	if (e == OK)
		*more = fn(arg, letters);
	free(letters);
	return e == ERR_NOT_FOUND || e == ERR_CORRUPT || e == ERR_VERSION ? OK : e;
}

enum err queue_letters_scan(struct queue_reader *reader, struct queue_cursor *cursor, size_t max, queue_letters_fn fn, void *arg,
    struct err_detail *why)
{
	struct txn txn;
	bool more = true;
	int rc = 0;
	enum err e = reader_begin(reader, &txn, why);

	if (e != OK)
		return e;
	for (size_t i = 0; i < max && e == OK && more && !cursor->end; i++) {
		struct txn_row row;

		rc = txn_seek(&txn, TXN_DEAD, cursor->id, 0, &row);
		cursor->end = rc == MDB_NOTFOUND;
		if (rc != 0)
			break;
		e = scan_one(&txn, row.id, fn, arg, &more);
		cursor->id = row.id + 1;
	}
	if (e == OK && rc != 0 && rc != MDB_NOTFOUND)
		e = txn_fold(txn.env, rc, "walk over dead letters", why);
	reader_end(reader, &txn);
	return e;
}

enum err queue_dead_read(struct queue_reader *reader, struct queue_dead *out, struct err_detail *why)
{
	struct dead_sum sum;
	struct txn txn;
	enum err e = reader_begin(reader, &txn, why);

	*out = (struct queue_dead){ 0 };
	if (e != OK)
		return e;
	e = txn_fold(txn.env, dead_sum_read(&txn, &sum), "read dead letters", why);
	reader_end(reader, &txn);
	if (e == OK)
		*out = (struct queue_dead){ dead_sum_letters(&sum), sum.messages, sum.bytes };
	return e;
}
