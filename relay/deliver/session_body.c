/* relay/deliver/session_body.c - streams the stored body to the connection, chunk by chunk, dots stuffed unless it goes by BDAT.
 *
 * A chunk is read from the store into memory of its own and sent from there: the conn gets references to the pieces between stuffed dots, and
 * the memory goes when the last of them has been sent. */
#include "relay/deliver/session_int.h"

#include <stdlib.h>
#include <string.h>

#define LOW_WATER QUEUE_CHUNK /* the next chunk is read when so little waits to be sent */

/* Freed when the conn holds no reference any more. One thread: conn and session. */
struct piece {
	size_t refs;
	size_t len;
	char data[];
};

static void piece_release(void *arg)
{
	struct piece *piece = arg;

	if (--piece->refs == 0)
		free(piece);
}

static void write_stuffed(struct session *s, struct piece *piece)
{
	size_t at = 0;

	while (at < piece->len) {
		size_t len = dot_write(&s->tx.dot, piece->data + at, piece->len - at);

		if (len > 0) {
			piece->refs++;
			conn_write_ref(s->conn, piece->data + at, len, piece_release, piece);
		}
		at += len;
		if (at < piece->len)
			conn_write(s->conn, ".", 1);
	}
}

static void fail(struct session *s, const char *why)
{
	struct outcome outcome;

	outcome_make(&outcome, OUTCOME_DEFERRED, SCOPE_NONE, STAGE_BODY, "4.3.0", s->relay, "the message cannot be read from the store: %s",
	    why);
	tx_settle_open(s, &outcome);
}

/* What goes beyond the length that BDAT told would be taken for commands. */
static bool write_piece(struct session *s, struct piece *piece)
{
	if (!s->tx.bdat) {
		write_stuffed(s, piece);
		return true;
	}
	if (s->tx.sent_bytes > s->delivery->job->message.size_bytes) {
		fail(s, "its length is not what was accepted");
		return false;
	}
	if (piece->len == 0)
		return true;
	piece->refs++;
	conn_write_ref(s->conn, piece->data, piece->len, piece_release, piece);
	return true;
}

/* NULL: failed. */
static struct piece *read_chunk(struct session *s)
{
	const struct queue_message *message = &s->delivery->job->message;
	struct piece *piece = xrealloc(NULL, sizeof(*piece) + QUEUE_CHUNK); /* not zeroed: most messages fill little of it */
	struct err_detail why = {.text = ""};

	piece->refs = 1;
	if (queue_body_read(s->env->reader, message->id, s->tx.chunk, piece->data, &piece->len, &why) == OK)
		return piece;
	fail(s, why.text);
	free(piece);
	return NULL;
}

/* Only a whole message may be ended: what was read must be what was accepted. */
static bool write_end(struct session *s)
{
	const char *end = dot_writer_end(&s->tx.dot);

	if (s->tx.sent_bytes != s->delivery->job->message.size_bytes) {
		fail(s, "its length is not what was accepted");
		return false;
	}
	conn_low_water(s->conn, 0); /* on_drained: the end has left us */
	if (!s->tx.bdat)
		conn_write(s->conn, end, strlen(end));
	s->tx.all_written = true;
	return true;
}

bool body_pump(struct session *s)
{
	if (s->tx.all_written)
		return true;
	conn_low_water(s->conn, LOW_WATER);
	while (conn_output_len(s->conn) <= LOW_WATER) {
		struct piece *piece;

		if (s->tx.chunk == s->delivery->job->message.chunks)
			return write_end(s);
		piece = read_chunk(s);
		if (!piece)
			return false;
		s->tx.chunk++;
		s->tx.sent_bytes += piece->len;
		if (!write_piece(s, piece)) {
			piece_release(piece);
			return false;
		}
		piece_release(piece);
	}
	return true;
}
