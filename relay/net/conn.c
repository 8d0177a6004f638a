/* relay/net/conn.c - one non-blocking connection with a deadline, plain or TLS, on one loop.
 *
 * Plain events and our own reading and writing instead of libevent's bufferevents: half their cost for each line (no second copy, no
 * deferred callbacks), one code path for plain and TLS, and STARTTLS is only a change of phase.
 *
 * Handlers are called from the loop's events and from conn_turn (loop_later) alone, never from inside a call of the owner, so an owner can
 * call anything from anywhere. conn_close takes the handlers away at once; the memory goes in a later turn, hence code here may
 * look at `conn` after a handler has closed it. Output of a whole turn leaves together at its end. */
#include "relay/net/conn.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/net/conn_input.h"
#include "relay/net/tls_stream.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define CLOSE_FLUSH_MS SECONDS(5) /* for output that is left at conn_close */
#define CLOSE_DRAIN_MS SECONDS(2) /* for input that still comes in afterwards */
#define TLS_WRITE      16384      /* one record */

enum phase {
	PHASE_CONNECTING, /* conn_connect; ends when the socket becomes writable */
	PHASE_OPEN,       /* plain text, or TLS when conn->tls is set */
	PHASE_SECURING,   /* conn_secure_*: plain output goes out before the handshake */
	PHASE_HANDSHAKE,
	PHASE_DRAINING,   /* closed by the owner, all is sent: unread input is thrown away, or the kernel would reset and our last words be lost */
	PHASE_OVER,       /* on_end is due or done */
};

/* What conn_turn is to do. */
enum due { DUE_INPUT = 1 << 0, DUE_FLUSH = 1 << 1, DUE_END = 1 << 2, DUE_FREE = 1 << 3 };

struct conn {
	struct loop *loop;
	const struct conn_ops *ops; /* NULL: closed by the owner */
	void *arg;
	int fd;
	enum phase phase;
	unsigned due;
	bool turn_queued, paused, reading, writing, eof;
	bool read_wants_write; /* TLS */
	bool above_low;        /* the output is above the low mark: on_drained is owed */
	enum conn_end end;     /* for DUE_END and eof */
	const char *end_text;
	struct conn_input in;
	struct evbuffer *out;
	size_t low_water;
	struct tls_stream *tls;
	struct tls_server *tls_server; /* from conn_secure_* to the handshake */
	struct tls_client *tls_client;
	char *tls_name;
	char tls_error[160];
	mono_ms deadline, timer_at; /* 0: none. The timer may be set for an earlier time than the deadline, never for a later one */
	struct event read_event, write_event, timer_event;
	struct loop_orphan orphan; /* from conn_close on, while output or input is left */
};

static void conn_turn(void *arg);
static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);

/* --- life ---------------------------------------------------------------------------------------------------------------- */

static void schedule(struct conn *conn, unsigned due)
{
	conn->due |= due;
	if (conn->turn_queued)
		return;
	conn->turn_queued = true;
	loop_later(conn->loop, conn_turn, conn);
}

static struct conn *conn_create(struct loop *loop, const struct conn_ops *ops, void *arg)
{
	struct conn *conn = xcalloc(1, sizeof(*conn));

	conn->loop = loop;
	conn->ops = ops;
	conn->arg = arg;
	conn->fd = -1;
	conn->out = evbuffer_new();
	must(conn->out != NULL);
	must(event_assign(&conn->timer_event, loop_base(loop), -1, 0, on_timer, conn) == 0);
	return conn;
}

static void take_socket(struct conn *conn, int fd)
{
	conn->fd = fd;
	must(event_assign(&conn->read_event, loop_base(conn->loop), fd, EV_READ | EV_PERSIST, on_readable, conn) == 0);
	must(event_assign(&conn->write_event, loop_base(conn->loop), fd, EV_WRITE | EV_PERSIST, on_writable, conn) == 0);
}

static void want_read(struct conn *conn, bool want)
{
	if (conn->reading == want)
		return;
	conn->reading = want;
	must((want ? event_add(&conn->read_event, NULL) : event_del(&conn->read_event)) == 0);
}

static void want_write(struct conn *conn, bool want)
{
	if (conn->writing == want)
		return;
	conn->writing = want;
	must((want ? event_add(&conn->write_event, NULL) : event_del(&conn->write_event)) == 0);
}

static void stop_events(struct conn *conn)
{
	want_read(conn, false);
	want_write(conn, false);
	event_del(&conn->timer_event);
	conn->deadline = conn->timer_at = 0;
}

static void conn_free(struct conn *conn)
{
	stop_events(conn);
	loop_orphan_remove(&conn->orphan);
	tls_stream_destroy(&conn->tls);
	tls_server_unref(&conn->tls_server);
	tls_client_unref(&conn->tls_client);
	if (conn->fd >= 0)
		close(conn->fd);
	evbuffer_free(conn->out);
	conn_input_fini(&conn->in);
	free(conn->tls_name);
	free(conn);
}

/* The connection is over: tell the owner, or go when there is none any more. Loop callbacks only. */
static void finish(struct conn *conn, enum conn_end end, const char *text)
{
	if (conn->phase == PHASE_OVER)
		return;
	conn->phase = PHASE_OVER;
	stop_events(conn);
	if (conn->ops == NULL)
		schedule(conn, DUE_FREE);
	else
		conn->ops->on_end(conn->arg, end, text);
}

struct conn *conn_accept(struct loop *loop, int fd, const struct conn_ops *ops, void *arg)
{
	struct conn *conn = conn_create(loop, ops, arg);

	take_socket(conn, fd);
	conn->phase = PHASE_OPEN;
	want_read(conn, true);
	return conn;
}

/* Remember a failure of conn_connect for the next turn. */
static void fail_later(struct conn *conn, enum conn_end end, int cause)
{
	conn->end = end;
	conn->end_text = strerror(cause);
	schedule(conn, DUE_END);
}

static bool bind_local(int fd, const struct ip_addr *local)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_to_sockaddr(local, 0, &sa);
	int on = 1;

	/* The port is chosen at connect, for the pair of addresses: many more connections from one source are possible. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&sa, len) == 0;
}

struct conn *conn_connect(struct loop *loop, const struct ip_addr *local, const struct ip_port *remote, const struct conn_ops *ops,
    void *arg)
{
	struct conn *conn = conn_create(loop, ops, arg);
	struct sockaddr_storage sa;
	socklen_t len = ip_to_sockaddr(&remote->addr, remote->port, &sa);
	int on = 1, fd = socket(remote->addr.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	conn->phase = PHASE_CONNECTING;
	if (fd < 0) {
		fail_later(conn, CONN_REFUSED, errno);
		return conn;
	}
	take_socket(conn, fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (local->family != 0 && !bind_local(fd, local))
		fail_later(conn, CONN_NO_ADDRESS, errno);
	else if (connect(fd, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS)
		fail_later(conn, CONN_REFUSED, errno);
	else
		want_write(conn, true);
	return conn;
}

static void end_orphan(struct loop_orphan *orphan)
{
	conn_free(CONTAINER_OF(orphan, struct conn, orphan));
}

void conn_close(struct conn **conn, bool flush)
{
	struct conn *c = *conn;

	*conn = NULL;
	if (c == NULL)
		return;
	c->ops = NULL;
	c->paused = false;
	if (c->phase == PHASE_SECURING)
		c->phase = PHASE_OPEN;
	if (flush && c->phase == PHASE_OPEN) {
		want_read(c, false);
		conn_deadline(c, CLOSE_FLUSH_MS);
		loop_orphan_add(c->loop, &c->orphan, end_orphan);
		schedule(c, DUE_FLUSH);
		return;
	}
	stop_events(c);
	c->phase = PHASE_OVER;
	schedule(c, DUE_FREE);
}

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
		want_write(conn, true);
	if (step == TLS_STEP_EOF)
		note_eof(conn, CONN_CLOSED, "connection closed");
	else if (step == TLS_STEP_FAILED)
		note_eof(conn, CONN_LOST, tls_stream_error(conn->tls));
	return total;
}

static bool can_read(const struct conn *conn)
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
static void deliver_input(struct conn *conn)
{
	if (conn->in.len > 0 && conn->ops != NULL && !conn->paused)
		conn->ops->on_data(conn->arg);
	conn_input_settle(&conn->in);
	if (conn->ops == NULL || conn->phase != PHASE_OPEN || conn->paused)
		return;
	if (conn->eof) {
		finish(conn, conn->end, conn->end_text);
		return;
	}
	if (conn->in.len < CONN_INPUT_MAX)
		want_read(conn, true);
	/* What OpenSSL holds already will not show at the socket. */
	if (conn->tls != NULL && can_read(conn) && !conn->read_wants_write && tls_stream_has_pending(conn->tls))
		schedule(conn, DUE_INPUT);
}

static void read_more(struct conn *conn)
{
	fill(conn);
	deliver_input(conn);
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
		schedule(conn, DUE_INPUT);
	conn->paused = paused;
}

void conn_kick(struct conn *conn)
{
	schedule(conn, DUE_INPUT);
}

/* --- the handshake ------------------------------------------------------------------------------------------------------- */

static void secure_begin(struct conn *conn)
{
	/* What came in the clear must not count as said under TLS (RFC 3207 section 6). */
	conn_input_discard(&conn->in);
	conn_input_settle(&conn->in);
	conn->phase = PHASE_SECURING;
	schedule(conn, DUE_FLUSH);
}

void conn_secure_server(struct conn *conn, struct tls_server *tls)
{
	conn->tls_server = tls_server_ref(tls);
	secure_begin(conn);
}

void conn_secure_client(struct conn *conn, struct tls_client *tls, const char *name)
{
	if (conn->in.len > 0) {
		conn->end = CONN_TLS_FAILED;
		conn->end_text = "the server sent plain text behind its answer to STARTTLS";
		schedule(conn, DUE_END);
		return;
	}
	conn->tls_client = tls_client_ref(tls);
	conn->tls_name = name != NULL ? xstrdup(name) : NULL;
	secure_begin(conn);
}

static void handshake_step(struct conn *conn)
{
	enum tls_step step = tls_stream_handshake(conn->tls);

	if (step == TLS_STEP_EOF || step == TLS_STEP_FAILED) {
		snprintf(conn->tls_error, sizeof(conn->tls_error), "%s",
		    step == TLS_STEP_EOF ? "connection closed" : tls_stream_error(conn->tls));
		finish(conn, CONN_TLS_FAILED, conn->tls_error);
		return;
	}
	want_read(conn, step != TLS_STEP_WANT_WRITE);
	want_write(conn, step == TLS_STEP_WANT_WRITE);
	if (step != TLS_STEP_DONE)
		return;
	conn->phase = PHASE_OPEN;
	schedule(conn, DUE_INPUT | DUE_FLUSH);
	conn->ops->on_secured(conn->arg);
}

/* All plain output is sent. */
static void handshake_begin(struct conn *conn)
{
	if (conn->tls_server != NULL)
		conn->tls = tls_stream_server(conn->tls_server, conn->fd);
	else
		conn->tls = tls_stream_client(conn->tls_client, conn->fd, conn->tls_name);
	tls_server_unref(&conn->tls_server);
	tls_client_unref(&conn->tls_client);
	if (conn->tls == NULL) {
		finish(conn, CONN_TLS_FAILED, "cannot begin a TLS session");
		return;
	}
	conn->phase = PHASE_HANDSHAKE;
	handshake_step(conn);
}

bool conn_is_secure(const struct conn *conn)
{
	return conn->tls != NULL && conn->phase != PHASE_HANDSHAKE;
}

void conn_tls_info(const struct conn *conn, struct tls_info *out)
{
	tls_stream_info(conn->tls, out);
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

static void drain_step(struct conn *conn)
{
	char *scratch = loop_scratch(conn->loop);
	ssize_t n = read(conn->fd, scratch, LOOP_SCRATCH);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		finish(conn, CONN_CLOSED, "");
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
		finish(conn, CONN_CLOSED, "");
		return;
	}
	shutdown(conn->fd, SHUT_WR);
	conn_input_discard(&conn->in);
	conn_input_settle(&conn->in);
	conn->phase = PHASE_DRAINING;
	conn_deadline(conn, CLOSE_DRAIN_MS);
	want_read(conn, true);
}

static void after_flush(struct conn *conn)
{
	size_t left = evbuffer_get_length(conn->out);

	want_write(conn, left > 0 || conn->read_wants_write);
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

static void flush(struct conn *conn)
{
	bool ok;

	if (conn->phase != PHASE_OPEN && conn->phase != PHASE_SECURING)
		return;
	ok = conn->tls != NULL ? write_tls(conn) : write_plain(conn);
	if (ok)
		after_flush(conn);
	else
		finish(conn, CONN_LOST, conn->tls != NULL ? tls_stream_error(conn->tls) : strerror(errno));
}

static void output_grew(struct conn *conn)
{
	if (evbuffer_get_length(conn->out) > conn->low_water)
		conn->above_low = true;
	schedule(conn, DUE_FLUSH);
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

/* --- deadline ------------------------------------------------------------------------------------------------------------ */

static void timer_set(struct conn *conn, mono_ms at)
{
	int64_t ms = at - loop_now(conn->loop);
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv = (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	conn->timer_at = at;
	must(event_add(&conn->timer_event, &tv) == 0);
}

void conn_deadline(struct conn *conn, int64_t ms)
{
	conn->deadline = ms > 0 ? loop_now(conn->loop) + ms : 0;
	if (conn->deadline != 0 && (conn->timer_at == 0 || conn->deadline < conn->timer_at))
		timer_set(conn, conn->deadline);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	conn->timer_at = 0;
	if (conn->deadline == 0)
		return;
	if (conn->deadline > loop_now(conn->loop)) {
		timer_set(conn, conn->deadline);
		return;
	}
	conn->deadline = 0;
	if (conn->ops != NULL)
		conn->ops->on_end(conn->arg, CONN_DEADLINE, "timeout");
	else
		finish(conn, CONN_DEADLINE, "");
}

/* --- the loop's events --------------------------------------------------------------------------------------------------- */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	if (conn->phase == PHASE_HANDSHAKE)
		handshake_step(conn);
	else if (conn->phase == PHASE_DRAINING)
		drain_step(conn);
	else if (can_read(conn))
		read_more(conn);
	else
		want_read(conn, false);
}

static void connected(struct conn *conn)
{
	int cause = 0;
	socklen_t len = sizeof(cause);

	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &cause, &len) != 0)
		cause = errno;
	if (cause != 0) {
		finish(conn, CONN_REFUSED, strerror(cause));
		return;
	}
	conn->phase = PHASE_OPEN;
	want_write(conn, false);
	want_read(conn, true);
	schedule(conn, DUE_FLUSH);
	conn->ops->on_open(conn->arg);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	if (conn->phase == PHASE_CONNECTING) {
		connected(conn);
	} else if (conn->phase == PHASE_HANDSHAKE) {
		handshake_step(conn);
	} else {
		if (conn->read_wants_write && can_read(conn))
			read_more(conn);
		flush(conn);
	}
}

/* At the end of the loop's turn. */
static void conn_turn(void *arg)
{
	struct conn *conn = arg;
	unsigned due = conn->due;

	conn->due = 0;
	conn->turn_queued = false;
	if (due & DUE_FREE) {
		conn_free(conn);
		return;
	}
	if (due & DUE_END)
		finish(conn, conn->end, conn->end_text);
	if ((due & DUE_INPUT) && conn->ops != NULL && conn->phase == PHASE_OPEN) {
		if (conn->tls != NULL && can_read(conn) && tls_stream_has_pending(conn->tls))
			fill(conn);
		deliver_input(conn);
	}
	if ((due | conn->due) & DUE_FLUSH) {
		conn->due &= ~(unsigned)DUE_FLUSH;
		flush(conn);
	}
}

/* --- the ends ------------------------------------------------------------------------------------------------------------ */

typedef int (*name_fn)(int fd, struct sockaddr *sa, socklen_t *len);

static struct ip_port end_address(const struct conn *conn, name_fn name)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct ip_port at = { .port = 0 };

	if (conn->fd >= 0 && name(conn->fd, (struct sockaddr *)&sa, &len) == 0)
		ip_from_sockaddr((struct sockaddr *)&sa, &at);
	return at;
}

struct ip_port conn_local(const struct conn *conn)
{
	return end_address(conn, getsockname);
}

struct ip_port conn_remote(const struct conn *conn)
{
	return end_address(conn, getpeername);
}
