/* relay/intake/receive.c - DATA and BDAT: the content of a message from the connection to its chunks. */
#include <inttypes.h>
#include <string.h>

#include "relay/intake/dialog.h"
#include "relay/intake/sessions.h"

static const char NO_RCPTS[] = "554 5.5.1 no valid recipients";

static bool has_memory(const struct dialog *d)
{
	return !chunk_pool_is_full(&d->intake->pool, d->tx->conf->limits.memory_bytes);
}

/* All content is here. */
static void finish(struct dialog *d)
{
	const char *fault;

	content_close(d->tx);
	fault = d->tx->content.fault;
	if (fault == NULL) {
		dialog_enter(d, DIALOG_FINISHING);
		dialog_wait(d);
		transaction_commit(d->tx);
		return;
	}
	dialog_log_refusal(d, d->tx->strings.data + d->tx->sender, NULL, fault);
	dialog_reset(d);
	dialog_refuse(d, fault);
}

/* --- DATA ---------------------------------------------------------------------------------------------------------------- */

bool receive_data_check(struct dialog *d, const struct command *c)
{
	if (d->state == DIALOG_BDAT)
		dialog_refuse(d, "503 5.5.1 DATA is not possible after BDAT");
	else if (d->state == DIALOG_MAIL)
		dialog_refuse(d, NO_RCPTS);
	else if (d->state == DIALOG_READY)
		dialog_refuse(d, "503 5.5.1 MAIL and RCPT first");
	else if (d->tx->flags & MSG_BINARY) /* RFC 3030 section 3 */
		dialog_refuse(d, "503 5.5.1 BODY=BINARYMIME needs BDAT");
	else if (!has_memory(d))
		dialog_reply(d, CONTENT_NO_MEMORY);
	else
		return true;
	return false;
}

void receive_data(struct dialog *d, const struct command *c)
{
	transaction_begin_content(d->tx);
	dialog_enter(d, DIALOG_DATA);
	dialog_reply(d, "354 end data with <CR><LF>.<CR><LF>");
}

bool receive_read_data(struct dialog *d)
{
	struct transaction *tx = d->tx;
	struct dot_reader *reader = &tx->content.reader;
	const char *in;
	size_t len, used, out_len, room;

	while (!reader->done && (len = conn_peek(d->conn, &in)) > 0) {
		char *out = content_room(tx, &room);

		if (out == NULL) {
			dialog_wait(d);
			return false;
		}
		dot_read(reader, in, len < room ? len : room, out, &used, &out_len);
		content_added(tx, out_len);
		content_note_fault(tx);
		conn_consume(d->conn, used);
	}
	if (!reader->done)
		return false;
	finish(d);
	return true;
}

/* --- BDAT (RFC 3030) ----------------------------------------------------------------------------------------------------- */

/* Why this chunk cannot be part of a message; its bytes are consumed all the same. NULL: it can. */
static const char *chunk_refusal(const struct dialog *d)
{
	if (d->state == DIALOG_BDAT)
		return NULL;
	if (d->state == DIALOG_MAIL)
		return NO_RCPTS;
	if (d->state != DIALOG_RCPT)
		return "503 5.5.1 MAIL and RCPT first";
	return has_memory(d) ? NULL : CONTENT_NO_MEMORY;
}

/* RFC 3030 section 3: lines of binary content need not be lines; it goes on by BDAT alone, where nothing can be smuggled by line ends. */
static bool is_binary(const struct transaction *tx)
{
	return tx->flags & MSG_BINARY;
}

static void chunk_done(struct dialog *d)
{
	struct dot_reader *reader = &d->tx->content.reader;

	if (d->chunk_last && !is_binary(d->tx)) {
		dot_check_end(reader);
		content_note_fault(d->tx);
	}
	/* RFC 3030 section 2: after a failed chunk the transaction is over; further chunks get 503. */
	if (d->chunk_last || d->tx->content.fault != NULL) {
		finish(d);
		return;
	}
	dialog_enter(d, DIALOG_BDAT);
	conn_printf(d->conn, "250 2.0.0 %" PRIu64 " bytes received\r\n", d->chunk_size);
}

void receive_bdat(struct dialog *d, const struct command *c)
{
	d->chunk_refusal = chunk_refusal(d);
	d->chunk_left = d->chunk_size = c->chunk_size;
	d->chunk_last = c->chunk_last;
	if (d->chunk_refusal == NULL && d->state == DIALOG_RCPT)
		transaction_begin_content(d->tx);
	dialog_enter(d, DIALOG_CHUNK);
}

/* The rest of a chunk that is not wanted. */
static bool skip_chunk(struct dialog *d)
{
	const char *in;
	size_t len;

	while (d->chunk_left > 0 && (len = conn_peek(d->conn, &in)) > 0) {
		if (len > d->chunk_left)
			len = (size_t)d->chunk_left;
		conn_consume(d->conn, len);
		d->chunk_left -= len;
	}
	if (d->chunk_left > 0)
		return false;
	/* A transaction cannot go on with a part of its content missing. */
	if (d->helo != NULL)
		dialog_reset(d);
	else
		dialog_enter(d, DIALOG_START);
	dialog_refuse(d, d->chunk_refusal);
	return true;
}

bool receive_read_chunk(struct dialog *d)
{
	struct transaction *tx = d->tx;
	const char *in;
	size_t len, room;

	if (d->chunk_refusal != NULL)
		return skip_chunk(d);
	while (d->chunk_left > 0 && (len = conn_peek(d->conn, &in)) > 0) {
		char *out = content_room(tx, &room);

		if (out == NULL) {
			dialog_wait(d);
			return false;
		}
		if (len > room)
			len = room;
		if (len > d->chunk_left)
			len = (size_t)d->chunk_left;
		memcpy(out, in, len);
		if (!is_binary(tx))
			dot_check(&tx->content.reader, in, len);
		content_added(tx, len);
		content_note_fault(tx);
		conn_consume(d->conn, len);
		d->chunk_left -= len;
	}
	if (d->chunk_left > 0)
		return false;
	chunk_done(d);
	return true;
}
