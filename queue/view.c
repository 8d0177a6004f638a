/* queue/view.c - read messages with their recipients, and bodies: one job, one chunk, or a walk over all. */
#include <stdlib.h>
#include <string.h>

#include "queue/claim.h"
#include "queue/counts.h"
#include "queue/memo.h"
#include "queue/message.h"
#include "queue/note.h"
#include "queue/reader.h"
#include "queue/warm.h"
#include "queue/recipient.h"
#include "queue/script.h"

#define ALL_JOBS UINT32_MAX

/* Recipients of one job stand side by side; of all jobs: all of the message. */
static bool is_part(const struct txn_row *row, msg_id id, uint32_t job, bool *corrupt)
{
	struct codec_in in;
	enum err e;

	*corrupt = false;
	if (row->id != id)
		return false;
	if (job == ALL_JOBS)
		return true;
	/* The job follows the version in every version of the record. */
	e = codec_begin(&in, row->value.mv_data, row->value.mv_size, UINT8_MAX, "recipient", NULL);
	*corrupt = e != OK || row->value.mv_size < 5;
	return !*corrupt && codec_get_u32(&in) == job;
}

static uint32_t first_n(uint32_t job)
{
	return job == ALL_JOBS ? 0 : job;
}

/* How many recipients there are and how many bytes their records have. */
static int measure(struct txn *txn, msg_id id, uint32_t job, size_t *count_out, size_t *bytes_out)
{
	struct txn_row row;
	bool corrupt = false;
	int rc = txn_seek(txn, TXN_RCPT, id, first_n(job), &row);

	*count_out = *bytes_out = 0;
	for (; rc == 0 && is_part(&row, id, job, &corrupt); rc = txn_next(txn, TXN_RCPT, &row)) {
		++*count_out;
		*bytes_out += row.value.mv_size;
	}
	if (corrupt)
		return MDB_CORRUPTED;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static void reserve(struct reader_block *block, size_t size)
{
	if (block->job && block->size >= size)
		return;
	block->job = xrealloc(block->job, size);
	block->size = size;
}

static enum err decode_rcpts(
    struct txn *txn, uint32_t job, struct queue_job *out, struct codec_texts *room, struct err_detail *why)
{
	struct txn_row row;
	int rc = txn_seek(txn, TXN_RCPT, out->message.id, first_n(job), &row);

	for (size_t i = 0; i < out->rcpt_count; i++) {
		enum err e = txn_fold(txn->env, rc, "read recipient", why);

		if (e == OK)
			e = recipient_decode(row.n, row.value.mv_data, row.value.mv_size, &out->rcpts[i], room, why);
		if (e != OK)
			return e;
		rc = txn_next(txn, TXN_RCPT, &row);
	}
	return OK;
}

/* Is there a claim of the job (any job) that a crash fell into? One that does not decode counts as such. */
static int read_doubt(struct txn *txn, msg_id run, msg_id id, uint32_t job, bool *doubt_out)
{
	struct txn_row row;
	int rc = txn_seek(txn, TXN_CLAIM, id, first_n(job), &row);

	*doubt_out = false;
	for (; rc == 0 && row.id == id && (job == ALL_JOBS || row.n == job); rc = txn_next(txn, TXN_CLAIM, &row)) {
		char text[CODEC_RECORD_MAX];
		struct codec_texts room = { text, text + sizeof(text) };
		struct claim claim;

		if (claim_decode(row.value.mv_data, row.value.mv_size, &claim, &room, NULL) != OK ||
		    claim_is_doubtful(&claim, run))
			*doubt_out = true;
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Decode into `block`, which is grown as needed. ERR_NOT_FOUND: no such recipients. */
static enum err job_build(struct queue_reader *reader, struct txn *txn, msg_id id, uint32_t job, const MDB_val *record,
    struct reader_block *block, struct err_detail *why)
{
	struct codec_texts room;
	size_t count, bytes, head;
	int rc = measure(txn, id, job, &count, &bytes);
	enum err e = txn_fold(txn->env, rc, "read recipients", why);

	if (e != OK)
		return e;
	if (count == 0)
		return err_set(why, ERR_NOT_FOUND, "no recipient is left");
	head = sizeof(struct queue_job) + count * sizeof(struct queue_rcpt);
	reserve(block, head + record->mv_size + bytes);
	room = (struct codec_texts){ (char *)block->job + head, (char *)block->job + block->size };
	block->job->rcpt_count = count;
	e = message_decode(id, record->mv_data, record->mv_size, &block->job->message, &room, why);
	if (e == OK)
		e = decode_rcpts(txn, job, block->job, &room, why);
	if (e != OK)
		return e;
	rc = read_doubt(txn, reader->queue->first_id, id, job, &block->job->in_doubt);
	return txn_fold(txn->env, rc, "read claims", why);
}

enum err queue_job_load(
    struct queue_reader *reader, msg_id id, uint32_t job, struct queue_job **out, struct err_detail *why)
{
	struct reader_block block = { 0 };
	struct txn txn;
	MDB_val record;
	enum err e = reader_begin(reader, &txn, why);

	*out = NULL;
	if (e != OK)
		return e;
	e = txn_fold(txn.env, txn_get(&txn, TXN_MSG, id, 0, &record), "read message", why);
	if (e == OK)
		e = job_build(reader, &txn, id, job, &record, &block, why);
	reader_end(reader, &txn);
	if (e == OK)
		*out = block.job;
	else
		free(block.job);
	return e;
}

enum err queue_body_read(
    struct queue_reader *reader, msg_id id, uint32_t n, void *data, size_t *len_out, struct err_detail *why)
{
	struct txn txn;
	MDB_val chunk;
	enum err e = reader_begin(reader, &txn, why);

	if (e != OK)
		return e;
	e = txn_fold(txn.env, txn_get(&txn, TXN_BODY, id, n, &chunk), "read body", why);
	if (e == OK && chunk.mv_size > QUEUE_CHUNK)
		e = err_set(why, ERR_CORRUPT, "chunk of %zu bytes", chunk.mv_size);
	if (e == OK) {
		memcpy(data, chunk.mv_data, chunk.mv_size);
		*len_out = chunk.mv_size;
	}
	reader_end(reader, &txn);
	return e;
}

enum err queue_traces_read(struct queue_reader *reader, msg_id id, queue_trace_fn fn, void *arg, struct err_detail *why)
{
	struct txn txn;
	enum err e = reader_begin(reader, &txn, why);

	if (e != OK)
		return e;
	e = txn_fold(txn.env, script_each(&txn, id, fn, arg), "read transcripts", why);
	reader_end(reader, &txn);
	return e;
}

/* One message of a walk. A record that does not decode is passed over here and found by queue_check: one bad row must not hide
 * all others. *more: the walk goes on. */
static enum err scan_row(
    struct queue_reader *reader, struct txn *txn, const struct txn_row *row, queue_scan_fn fn, void *arg, bool *more)
{
	struct err_detail why;
	enum err e = job_build(reader, txn, row->id, ALL_JOBS, &row->value, &reader->block, &why);

	if (e == OK)
		*more = fn(arg, reader->block.job);
	if (e == ERR_NOT_FOUND || e == ERR_CORRUPT)
		e = OK;
	return e;
}

enum err queue_scan(struct queue_reader *reader, struct queue_cursor *cursor, size_t max, queue_scan_fn fn, void *arg,
    struct err_detail *why)
{
	struct txn txn;
	struct txn_row row;
	bool more = true;
	int rc;
	enum err e = reader_begin(reader, &txn, why);

	if (e != OK)
		return e;
	rc = txn_seek(&txn, TXN_MSG, cursor->id, 0, &row);
	for (size_t i = 0; i < max && rc == 0 && e == OK && more; i++) {
		e = scan_row(reader, &txn, &row, fn, arg, &more);
		cursor->id = row.id + 1;
		rc = txn_next(&txn, TXN_MSG, &row);
	}
	cursor->end = rc == MDB_NOTFOUND;
	if (e == OK && rc != MDB_NOTFOUND)
		e = txn_fold(txn.env, rc, "walk over messages", why);
	reader_end(reader, &txn);
	return e;
}

enum err queue_memos_read(
    struct queue_reader *reader, const char *prefix, queue_memo_fn fn, void *arg, struct err_detail *why)
{
	struct txn txn;
	int rc;
	enum err e = reader_begin(reader, &txn, why);

	if (e != OK)
		return e;
	rc = memos_each(&txn, prefix, fn, arg);
	e = txn_fold(txn.env, rc, "read memos", why);
	reader_end(reader, &txn);
	return e;
}

enum err queue_counts_read(struct queue_reader *reader, queue_counts_fn fn, void *arg, struct err_detail *why)
{
	struct txn txn;
	int rc;
	enum err e = reader_begin(reader, &txn, why);

	if (e != OK)
		return e;
	rc = counts_each(&txn, fn, arg);
	e = txn_fold(txn.env, rc, "read counters", why);
	reader_end(reader, &txn);
	return e;
}

enum err queue_warm_read(struct queue_reader *reader, queue_warm_fn fn, void *arg, struct err_detail *why)
{
	struct txn txn;
	int rc;
	enum err e = reader_begin(reader, &txn, why);

	if (e != OK)
		return e;
	rc = warm_each(&txn, fn, arg);
	e = txn_fold(txn.env, rc, "read lanes", why);
	reader_end(reader, &txn);
	return e;
}

enum err queue_notes_read(
    struct queue_reader *reader, const char *prefix, queue_note_fn fn, void *arg, struct err_detail *why)
{
	struct txn txn;
	int rc;
	enum err e = reader_begin(reader, &txn, why);

	if (e != OK)
		return e;
	rc = note_each(&txn, prefix, fn, arg);
	e = txn_fold(txn.env, rc, "read notes", why);
	reader_end(reader, &txn);
	return e;
}
