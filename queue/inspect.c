/* queue/inspect.c - queue_check: compare rows with each other. Slices of one read transaction each; may run beside the writer. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "queue/body.h"
#include "queue/claim.h"
#include "queue/dead_record.h"
#include "queue/dead_sum.h"
#include "queue/message.h"
#include "queue/reader.h"
#include "queue/recipient.h"

#define SLICE_IDS  500
#define DOUBTS_MAX 64 /* bodies of one slice that are looked at again */

struct inspection {
	struct queue *queue;
	queue_check_fn fn;
	void *arg;
	struct queue_check_totals *totals;
	msg_id doubts[DOUBTS_MAX]; /* bodies that seem to be nobody's: the sweep may just have deleted them behind our snapshot */
	size_t doubt_count;
	uint64_t dead_bytes;
};

PRINTF_LIKE(3, 4)
static void tell(struct inspection *in, bool is_finding, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	in->totals->findings += is_finding;
	if (in->fn)
		in->fn(in->arg, text);
}

/* --- what is looked at: one function per table, called once per id ------------------------------------------------------- */

static int inspect_rcpts(struct inspection *in, struct txn *txn, msg_id id, const char *name, size_t *count_out)
{
	char text[CODEC_RECORD_MAX];
	struct txn_row row;
	int rc = txn_seek(txn, TXN_RCPT, id, 0, &row);

	*count_out = 0;
	for (; rc == 0 && row.id == id; rc = txn_next(txn, TXN_RCPT, &row)) {
		struct codec_texts room = { text, text + sizeof(text) };
		struct queue_rcpt rcpt;
		struct err_detail why;

		++*count_out;
		in->totals->rcpts++;
		if (row.value.mv_size > sizeof(text) ||
		    recipient_decode(row.n, row.value.mv_data, row.value.mv_size, &rcpt, &room, &why) != OK)
			tell(in, true, "%s.%" PRIu32 ": recipient does not decode", name, row.n);
		else
			in->totals->rcpts_by_state[rcpt.state]++;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int inspect_body(struct inspection *in, struct txn *txn, const struct queue_message *message, const char *name)
{
	uint64_t bytes;
	uint32_t chunks;
	bool whole;
	int rc = body_measure(txn, message->id, &bytes, &chunks, &whole);

	if (rc == 0 && (!whole || bytes != message->size_bytes || chunks != message->chunks))
		tell(in, true,
		    "%s: body has %" PRIu64 " bytes in %" PRIu32 " chunks instead of %" PRIu64 " in %" PRIu32, name,
		    bytes, chunks, message->size_bytes, message->chunks);
	return rc;
}

static int inspect_message(struct inspection *in, struct txn *txn, const struct txn_row *row, const char *name)
{
	char text[CODEC_RECORD_MAX];
	struct codec_texts room = { text, text + sizeof(text) };
	struct queue_message message;
	size_t rcpts;
	bool decoded = row->value.mv_size <= sizeof(text) &&
	    message_decode(row->id, row->value.mv_data, row->value.mv_size, &message, &room, NULL) == OK;
	int rc = inspect_rcpts(in, txn, row->id, name, &rcpts);

	in->totals->messages++;
	if (rc == 0 && rcpts == 0)
		tell(in, true, "%s: message without recipients", name);
	if (!decoded)
		tell(in, true, "%s: message does not decode", name);
	else if (rc == 0 && rcpts > message.rcpt_count)
		tell(in, true, "%s: %zu recipients, more than the %" PRIu32 " it came with", name, rcpts,
		    message.rcpt_count);
	return rc == 0 && decoded ? inspect_body(in, txn, &message, name) : rc;
}

/* 0 when the message of a row is there, MDB_NOTFOUND when not. */
static int find_message(struct txn *txn, msg_id id)
{
	MDB_val value;

	return txn_get(txn, TXN_MSG, id, 0, &value);
}

/* Bodies and transcripts are also there for dead letters. */
static int find_owner(struct txn *txn, msg_id id)
{
	int rc = find_message(txn, id);

	return rc == MDB_NOTFOUND ? txn_has(txn, TXN_DEAD, id) : rc;
}

static int inspect_rcpt_owner(struct inspection *in, struct txn *txn, const struct txn_row *row, const char *name)
{
	int rc = find_message(txn, row->id);

	if (rc == MDB_NOTFOUND)
		tell(in, true, "%s: recipients without a message", name);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Unfinished bodies are legal (docs/ON_DISK.md): under way in this run, or left by a crash until the next start sweeps them. */
static int inspect_body_owner(struct inspection *in, struct txn *txn, const struct txn_row *row, const char *name)
{
	uint64_t bytes;
	uint32_t chunks;
	bool whole;
	int rc = body_measure(txn, row->id, &bytes, &chunks, &whole);

	in->totals->chunks += chunks;
	if (rc == 0)
		rc = find_owner(txn, row->id);
	if (rc != MDB_NOTFOUND)
		return rc;
	if (in->queue->env.readonly)
		tell(in, false, "%s: unfinished body of %" PRIu32 " chunks, will be swept at the next start", name,
		    chunks);
	else if (!sweep_expects(&in->queue->sweep, row->id) && in->doubt_count < DOUBTS_MAX)
		in->doubts[in->doubt_count++] = row->id;
	return 0;
}

/* A snapshot that began after the sweep was done with a body shows whether it is still there. */
static enum err settle_doubts(struct inspection *in, struct queue_reader *reader, struct err_detail *why)
{
	struct txn txn;
	enum err e;
	int rc = 0;

	if (in->doubt_count == 0)
		return OK;
	e = reader_begin(reader, &txn, why);
	if (e != OK)
		return e;
	for (size_t i = 0; rc == 0 && i < in->doubt_count; i++) {
		char name[MSG_ID_TEXT];
		uint64_t bytes;
		uint32_t chunks;
		bool whole;

		rc = body_measure(&txn, in->doubts[i], &bytes, &chunks, &whole);
		if (rc == 0 && chunks > 0 && find_owner(&txn, in->doubts[i]) == MDB_NOTFOUND)
			tell(in, true, "%s: body of %" PRIu32 " chunks without a message", msg_id_format(in->doubts[i], name), chunks);
	}
	in->doubt_count = 0;
	e = txn_fold(txn.env, rc, "check", why);
	reader_end(reader, &txn);
	return e;
}

static int inspect_claims(struct inspection *in, struct txn *txn, const struct txn_row *first, const char *name)
{
	char text[CODEC_RECORD_MAX];
	msg_id id = first->id;
	struct txn_row row;
	int rc = find_message(txn, id);

	if (rc == MDB_NOTFOUND)
		tell(in, true, "%s: claims without a message", name);
	rc = txn_seek(txn, TXN_CLAIM, id, 0, &row);
	for (; rc == 0 && row.id == id; rc = txn_next(txn, TXN_CLAIM, &row)) {
		struct codec_texts room = { text, text + sizeof(text) };
		struct claim claim;

		in->totals->claims++;
		if (row.value.mv_size > sizeof(text) ||
		    claim_decode(row.value.mv_data, row.value.mv_size, &claim, &room, NULL) != OK)
			tell(in, true, "%s.%" PRIu32 ": claim does not decode", name, row.n);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int inspect_traces(struct inspection *in, struct txn *txn, const struct txn_row *first, const char *name)
{
	int rc = find_owner(txn, first->id);

	if (rc == MDB_NOTFOUND)
		tell(in, true, "%s: transcripts without a message", name);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int inspect_letter(struct inspection *in, struct txn *txn, const struct txn_row *row, const char *name)
{
	char text[CODEC_RECORD_MAX];
	struct codec_texts room = { text, text + sizeof(text) };
	struct queue_letter letter;
	MDB_val place;
	int rc;

	in->totals->letters++;
	if (row->value.mv_size > sizeof(text) ||
	    dead_record_decode(row->n, row->value.mv_data, row->value.mv_size, &letter, &room, NULL) != OK) {
		tell(in, true, "%s.%" PRIu32 ": dead letter does not decode", name, row->n);
		return 0;
	}
	rc = txn_get(txn, TXN_DEADTIME, (uint64_t)letter.died, letter.seq, &place);
	if (rc == MDB_NOTFOUND)
		tell(in, true, "%s.%" PRIu32 ": dead letter without its place in the order of time", name, row->n);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The body of a message that has left the queue is looked at here; of others with the message. */
static int inspect_dead_message(struct inspection *in, struct txn *txn, const struct txn_row *row, const char *name)
{
	char text[CODEC_RECORD_MAX];
	struct codec_texts room = { text, text + sizeof(text) };
	struct queue_message message;
	int rc;

	if (row->value.mv_size > sizeof(text) ||
	    message_decode(row->id, row->value.mv_data, row->value.mv_size, &message, &room, NULL) != OK) {
		tell(in, true, "%s: message of dead letters does not decode", name);
		return 0;
	}
	in->dead_bytes += message.size_bytes;
	rc = find_message(txn, row->id);
	return rc == MDB_NOTFOUND ? inspect_body(in, txn, &message, name) : rc;
}

static int inspect_letters(struct inspection *in, struct txn *txn, const struct txn_row *first, const char *name)
{
	msg_id id = first->id;
	struct txn_row row;
	uint64_t before = in->totals->letters;
	bool whole = false;
	int rc;

	for (uint64_t n = 0; n <= UINT32_MAX; n = (uint64_t)row.n + 1) {
		rc = txn_seek(txn, TXN_DEAD, id, (uint32_t)n, &row);
		if (rc == MDB_NOTFOUND || (rc == 0 && row.id != id))
			break;
		if (rc != 0)
			return rc;
		in->dead_bytes += row.value.mv_size;
		whole = whole || row.n == DEAD_MESSAGE;
		rc = row.n == DEAD_MESSAGE ? inspect_dead_message(in, txn, &row, name) : inspect_letter(in, txn, &row, name);
		if (rc != 0)
			return rc;
	}
	if (!whole)
		tell(in, true, "%s: dead letters without their message", name);
	if (in->totals->letters == before)
		tell(in, true, "%s: message of dead letters without any", name);
	return 0;
}

/* --- the walk -------------------------------------------------------------------------------------------------------- */

static const struct walk {
	enum txn_table table;
	int (*look)(struct inspection *in, struct txn *txn, const struct txn_row *row, const char *name);
} walks[] = {
	{ TXN_MSG, inspect_message },
	{ TXN_RCPT, inspect_rcpt_owner },
	{ TXN_BODY, inspect_body_owner },
	{ TXN_CLAIM, inspect_claims },
	{ TXN_TRACE, inspect_traces },
	{ TXN_DEAD, inspect_letters },
};

/* Some ids of a table from *next on; *end when there are no more. */
static int walk_slice(struct inspection *in, const struct walk *walk, struct txn *txn, msg_id *next, bool *end)
{
	for (int i = 0; i < SLICE_IDS; i++) {
		char name[MSG_ID_TEXT];
		struct txn_row row;
		int rc = txn_seek(txn, walk->table, *next, 0, &row);

		if (rc == MDB_NOTFOUND) {
			*end = true;
			return 0;
		}
		if (rc == 0)
			rc = walk->look(in, txn, &row, msg_id_format(row.id, name));
		if (rc != 0)
			return rc;
		*next = row.id + 1;
	}
	return 0;
}

static enum err read_sum(struct queue_reader *reader, struct dead_sum *out, struct err_detail *why)
{
	struct txn txn;
	enum err e = reader_begin(reader, &txn, why);

	if (e != OK)
		return e;
	e = txn_fold(txn.env, dead_sum_read(&txn, out), "check", why);
	reader_end(reader, &txn);
	return e;
}

/* Only when no letter came or went during the walk. */
static enum err compare_sum(struct inspection *in, struct queue_reader *reader, const struct dead_sum *before, struct err_detail *why)
{
	struct dead_sum sum;
	enum err e = read_sum(reader, &sum, why);

	if (e != OK || sum.added != before->added || sum.removed != before->removed)
		return e;
	if (dead_sum_letters(&sum) != in->totals->letters || sum.bytes != in->dead_bytes)
		tell(in, true, "%" PRIu64 " dead letters of %" PRIu64 " bytes are counted, %" PRIu64 " of %" PRIu64 " are there",
		    dead_sum_letters(&sum), sum.bytes, in->totals->letters, in->dead_bytes);
	return OK;
}

enum err queue_check(
    struct queue_reader *reader, queue_check_fn fn, void *arg, struct queue_check_totals *out, struct err_detail *why)
{
	struct inspection in = { .queue = reader->queue, .fn = fn, .arg = arg, .totals = out };

	struct dead_sum before;
	enum err e = read_sum(reader, &before, why);

	*out = (struct queue_check_totals){ 0 };
	if (e != OK)
		return e;
	for (size_t i = 0; i < ARRAY_LEN(walks); i++) {
		msg_id next = 0;
		bool end = false;

		while (!end) {
			struct txn txn;

			e = reader_begin(reader, &txn, why);
			if (e != OK)
				return e;
			e = txn_fold(txn.env, walk_slice(&in, &walks[i], &txn, &next, &end), "check", why);
			reader_end(reader, &txn);
			if (e == OK)
				e = settle_doubts(&in, reader, why);
			if (e != OK)
				return e;
		}
	}
	return compare_sum(&in, reader, &before, why);
}
