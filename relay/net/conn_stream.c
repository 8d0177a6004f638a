/* relay/net/conn_stream.c - the bytes of a connection: reading, the handshake, writing; plain and TLS. */
#include "relay/net/conn_state.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLOSE_DRAIN_MS SECONDS(2) /* for input that still comes in after conn_close */
#define TLS_WRITE      16384      /* one record */

/* --- input --------------------------------------------------------------------------------------------------------------- */

static void note_eof(struct conn *conn, enum conn_end end, const char *text)
{
	conn->eof = true;
	conn->end = end;
	conn->end_text = text;
}

static size_t read_plain(struct conn *conn, char *to, size_t room)
{
	ssize_t n;

	do {
		n = read(conn->fd, to, room);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return (size_t)n;
	if (n == 0)
		note_eof(conn, CONN_CLOSED, "connection closed");
	else if (errno != EAGAIN)
		note_eof(conn, CONN_LOST, strerror(errno));
	return 0;
}

static size_t read_tls(struct conn *conn, char *to, size_t room)
{
	enum tls_step step = TLS_STEP_DONE;
	size_t total = 0, n;

	while (total < room) {
		step = tls_stream_read(conn->tls, to + total, room - total, &n);
		if (step != TLS_STEP_DONE)
			break;
		total += n;
	}
	conn->read_wants_write = step == TLS_STEP_WANT_WRITE;
	if (conn->read_wants_write)
		conn_want_write(conn, true);
	if (step == TLS_STEP_EOF)
		note_eof(conn, CONN_CLOSED, "connection closed");
	else if (step == TLS_STEP_FAILED)
		note_eof(conn, CONN_LOST, tls_stream_error(conn->tls));
	return total;
}

bool conn_can_read(const struct conn *conn)
{
	return conn->phase == PHASE_OPEN && conn->ops != NULL && !conn->paused && !conn->eof && conn->in.len < CONN_INPUT_MAX;
}

static void fill(struct conn *conn)
{
	size_t room;
	char *to = conn_input_begin(&conn->in, loop_scratch(conn->loop), &room);

	conn_input_added(&conn->in, conn->tls != NULL ? read_tls(conn, to, room) : read_plain(conn, to, room));
}

/* Let the owner see its input; at the end of the stream tell that, once the owner has had its look. */
void conn_deliver(struct conn *conn)
{
	if (conn->in.len > 0 && conn->ops != NULL && !conn->paused)
		conn->ops->on_data(conn->arg);
	conn_input_settle(&conn->in);
	if (conn->ops == NULL || conn->phase != PHASE_OPEN || conn->paused)
		return;
	if (conn->eof) {
		conn_finish(conn, conn->end, conn->end_text);
		return;
	}
	if (conn->in.len < CONN_INPUT_MAX)
		conn_want_read(conn, true);
	/* What OpenSSL holds already will not show at the socket. */
	if (conn->tls != NULL && conn_can_read(conn) && !conn->read_wants_write && tls_stream_has_pending(conn->tls))
		conn_schedule(conn, DUE_INPUT);
}

void conn_read_more(struct conn *conn)
{
	fill(conn);
	conn_deliver(conn);
}

size_t conn_peek(struct conn *conn, const char **data_out)
{
	*data_out = conn->in.data;
	return conn->in.len;
}

void conn_consume(struct conn *conn, size_t len)
{
	conn_input_consume(&conn->in, len);
}

size_t conn_input_len(const struct conn *conn)
{
	return conn->in.len;
}

bool conn_read_line(struct conn *conn, size_t max, bool strict, struct conn_line *out)
{
	return conn_input_line(&conn->in, max, strict, out);
}

void conn_pause(struct conn *conn, bool paused)
{
	/* The read event is taken away when it fires, so that a short pause costs no system call. */
	if (conn->paused && !paused)
		conn_schedule(conn, DUE_INPUT);
	conn->paused = paused;
}

void conn_kick(struct conn *conn)
{
	conn_schedule(conn, DUE_INPUT);
}

/* --- the handshake ------------------------------------------------------------------------------------------------------- */

void conn_read_pending(struct conn *conn)
{
	if (conn->tls != NULL && conn_can_read(conn) && tls_stream_has_pending(conn->tls))
		fill(conn);
}

static void secure_fail(struct conn *conn, const char *text)
{
	conn->end = CONN_TLS_FAILED;
	conn->end_text = text;
	conn_schedule(conn, DUE_END);
}

/* Takes `stream`. */
static void secure_begin(struct conn *conn, struct tls_stream *stream)
{
	if (stream == NULL) {
		secure_fail(conn, "cannot begin a TLS session");
		return;
	}
	/* What came in the clear must not count as said under TLS (RFC 3207 section 6). */
	conn_input_discard(&conn->in);
	conn_input_settle(&conn->in);
	conn->tls_next = stream;
	conn->phase = PHASE_SECURING;
	conn_schedule(conn, DUE_FLUSH);
}

void conn_secure_server(struct conn *conn, struct tls_server *tls)
{
	secure_begin(conn, tls_stream_server(tls, conn->fd));
}

void conn_secure_client_want(struct conn *conn, struct tls_client *tls, const struct tls_want *want)
{
	if (conn->in.len > 0)
		secure_fail(conn, "the server sent plain text behind its answer to STARTTLS");
	else
		secure_begin(conn, tls_stream_client(tls, conn->fd, want));
}

void conn_secure_client(struct conn *conn, struct tls_client *tls, const char *name)
{
	conn_secure_client_want(conn, tls, &(struct tls_want){ .name = name });
}

void conn_handshake_step(struct conn *conn)
{
	enum tls_step step = tls_stream_handshake(conn->tls);

	if (step == TLS_STEP_EOF || step == TLS_STEP_FAILED) {
		snprintf(conn->tls_error, sizeof(conn->tls_error), "%s",
		    step == TLS_STEP_EOF ? "connection closed" : tls_stream_error(conn->tls));
		conn_finish(conn, CONN_TLS_FAILED, conn->tls_error);
		return;
	}
	conn_want_read(conn, step != TLS_STEP_WANT_WRITE);
	conn_want_write(conn, step == TLS_STEP_WANT_WRITE);
	if (step != TLS_STEP_DONE)
		return;
	conn->phase = PHASE_OPEN;
	conn_schedule(conn, DUE_INPUT | DUE_FLUSH);
	conn->ops->on_secured(conn->arg);
}

/* All plain output is sent. */
static void handshake_begin(struct conn *conn)
{
	conn->tls = conn->tls_next;
	conn->tls_next = NULL;
	conn->phase = PHASE_HANDSHAKE;
	conn_handshake_step(conn);
}

bool conn_is_secure(const struct conn *conn)
{
	return conn->tls != NULL && conn->phase != PHASE_HANDSHAKE;
}

void conn_tls_info(const struct conn *conn, struct tls_info *out)
{
	tls_stream_info(conn->tls, out);
}

enum tls_fault conn_tls_fault(const struct conn *conn)
{
	return conn->tls != NULL ? tls_stream_fault(conn->tls) : TLS_FAULT_NONE;
}

/* --- output -------------------------------------------------------------------------------------------------------------- */

/* Send what the socket takes. False: the connection is broken, errno or tls_stream_error says how. */
static bool write_plain(struct conn *conn)
{
	while (evbuffer_get_length(conn->out) > 0) {
		if (evbuffer_write(conn->out, conn->fd) < 0 && errno != EINTR)
			return errno == EAGAIN;
	}
	return true;
}

static bool write_tls(struct conn *conn)
{
	size_t len, n;

	while ((len = evbuffer_get_length(conn->out)) > 0) {
		size_t piece = evbuffer_get_contiguous_space(conn->out);
		enum tls_step step;

		/* Small pieces share a record. */
		if (piece < len && piece < TLS_WRITE) {
			piece = len < TLS_WRITE ? len : TLS_WRITE;
			must(evbuffer_pullup(conn->out, (ev_ssize_t)piece) != NULL);
		}
		step = tls_stream_write(conn->tls, (char *)evbuffer_pullup(conn->out, (ev_ssize_t)piece), piece, &n);
		if (step == TLS_STEP_DONE)
			evbuffer_drain(conn->out, n);
		else
			return step == TLS_STEP_WANT_WRITE || step == TLS_STEP_WANT_READ;
	}
	return true;
}

void conn_drain_step(struct conn *conn)
{
	char *scratch = loop_scratch(conn->loop);
	ssize_t n = read(conn->fd, scratch, LOOP_SCRATCH);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		conn_finish(conn, CONN_CLOSED, "");
}

/* Closed by the owner, and all is sent. */
static void close_flushed(struct conn *conn)
{
	bool unread = conn->in.len > 0;
	char byte;

	if (conn->tls != NULL)
		tls_stream_shutdown(conn->tls);
	unread = unread || recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
	if (!unread || conn->eof) {
		conn_finish(conn, CONN_CLOSED, "");
		return;
	}
	shutdown(conn->fd, SHUT_WR);
	conn_input_discard(&conn->in);
	conn_input_settle(&conn->in);
	conn->phase = PHASE_DRAINING;
	conn_deadline(conn, CLOSE_DRAIN_MS);
	conn_want_read(conn, true);
}

static void after_flush(struct conn *conn)
{
	size_t left = evbuffer_get_length(conn->out);

	conn_want_write(conn, left > 0 || conn->read_wants_write);
	if (left == 0 && conn->ops == NULL) {
		close_flushed(conn);
		return;
	}
	if (left == 0 && conn->phase == PHASE_SECURING) {
		handshake_begin(conn);
		return;
	}
	if (conn->above_low && left <= conn->low_water) {
		conn->above_low = false;
		if (conn->ops != NULL && conn->ops->on_drained != NULL)
			conn->ops->on_drained(conn->arg);
	}
}

/* A peer that refuses in the middle of our words and hangs up has said why before: that is still in the socket, and comes first. */
static void hear_last_words(struct conn *conn)
{
	for (size_t before = SIZE_MAX; conn_can_read(conn) && conn->in.len != before;) {
		before = conn->in.len;
		fill(conn);
	}
	if (conn->in.len > 0 && conn->ops != NULL && !conn->paused)
		conn->ops->on_data(conn->arg);
	conn_input_settle(&conn->in);
}

static void write_failed(struct conn *conn, int cause)
{
	char text[sizeof(conn->tls_error)];

	(void)snprintf(text, sizeof(text), "%s", conn->tls != NULL ? tls_stream_error(conn->tls) : strerror(cause));
	hear_last_words(conn);
	memcpy(conn->tls_error, text, sizeof(text));
	if (conn->phase == PHASE_OPEN || conn->phase == PHASE_SECURING)
		conn_finish(conn, CONN_LOST, conn->tls_error);
}

void conn_flush(struct conn *conn)
{
	bool ok;

	if (conn->phase != PHASE_OPEN && conn->phase != PHASE_SECURING)
		return;
	ok = conn->tls != NULL ? write_tls(conn) : write_plain(conn);
	if (ok)
		after_flush(conn);
	else
		write_failed(conn, errno);
}

static void output_grew(struct conn *conn)
{
	if (evbuffer_get_length(conn->out) > conn->low_water)
		conn->above_low = true;
	conn_schedule(conn, DUE_FLUSH);
}

void conn_write(struct conn *conn, const void *data, size_t len)
{
	must(evbuffer_add(conn->out, data, len) == 0);
	output_grew(conn);
}

void conn_printf(struct conn *conn, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	must(evbuffer_add_vprintf(conn->out, format, args) >= 0);
	va_end(args);
	output_grew(conn);
}

struct release {
	void (*fn)(void *arg);
	void *arg;
};

static void on_released(const void *data, size_t len, void *arg)
{
	struct release *release = arg;

	release->fn(release->arg);
	free(release);
}

void conn_write_ref(struct conn *conn, const void *data, size_t len, void (*release)(void *arg), void *arg)
{
	struct release *note = xcalloc(1, sizeof(*note));

	*note = (struct release){ release, arg };
	must(evbuffer_add_reference(conn->out, data, len, on_released, note) == 0);
	output_grew(conn);
}

size_t conn_output_len(const struct conn *conn)
{
	return evbuffer_get_length(conn->out);
}

void conn_low_water(struct conn *conn, size_t bytes)
{
	conn->low_water = bytes;
}
