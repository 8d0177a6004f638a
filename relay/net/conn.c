/* relay/net/conn.c - one non-blocking connection with a deadline, plain or TLS, on one loop.
 *
 * Plain events and our own reading and writing instead of libevent's bufferevents: half their cost for each line (no second copy, no
 * deferred callbacks), one code path for plain and TLS, and STARTTLS is only a change of phase.
 *
 * Handlers are called from the loop's events and from conn_turn (loop_later) alone, never from inside a call of the owner, so an owner can
 * call anything from anywhere. conn_close takes the handlers away at once; the memory goes in a later turn, hence code here may
 * look at `conn` after a handler has closed it. Output of a whole turn leaves together at its end. */
#include "relay/net/conn_state.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define CLOSE_FLUSH_MS SECONDS(5) /* for output that is left at conn_close */

static void conn_turn(void *arg);
static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static void on_timer(evutil_socket_t fd, short what, void *arg);

/* --- life ---------------------------------------------------------------------------------------------------------------- */

void conn_schedule(struct conn *conn, unsigned due)
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

void conn_want_read(struct conn *conn, bool want)
{
	if (conn->reading == want)
		return;
	conn->reading = want;
	must((want ? event_add(&conn->read_event, NULL) : event_del(&conn->read_event)) == 0);
}

void conn_want_write(struct conn *conn, bool want)
{
	if (conn->writing == want)
		return;
	conn->writing = want;
	must((want ? event_add(&conn->write_event, NULL) : event_del(&conn->write_event)) == 0);
}

static void stop_events(struct conn *conn)
{
	conn_want_read(conn, false);
	conn_want_write(conn, false);
	event_del(&conn->timer_event);
	conn->deadline = conn->timer_at = 0;
}

static void conn_free(struct conn *conn)
{
	stop_events(conn);
	loop_orphan_remove(&conn->orphan);
	tls_stream_destroy(&conn->tls);
	tls_stream_destroy(&conn->tls_next);
	if (conn->fd >= 0)
		close(conn->fd);
	evbuffer_free(conn->out);
	conn_input_fini(&conn->in);
	free(conn->proxy);
	free(conn);
}

/* The connection is over: tell the owner, or go when there is none any more. Loop callbacks only. */
void conn_finish(struct conn *conn, enum conn_end end, const char *text)
{
	if (conn->phase == PHASE_OVER)
		return;
	conn->phase = PHASE_OVER;
	stop_events(conn);
	if (conn->ops == NULL)
		conn_schedule(conn, DUE_FREE);
	else
		conn->ops->on_end(conn->arg, end, text);
}

struct conn *conn_accept(struct loop *loop, int fd, const struct conn_ops *ops, void *arg)
{
	struct conn *conn = conn_create(loop, ops, arg);

	take_socket(conn, fd);
	conn->phase = PHASE_OPEN;
	conn_want_read(conn, true);
	return conn;
}

/* Remember a failure of conn_connect for the next turn. */
static void fail_later(struct conn *conn, enum conn_end end, int cause)
{
	conn->end = end;
	conn->end_text = strerror(cause);
	conn_schedule(conn, DUE_END);
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

/* Why socket() or connect() fails at once. Without a port left the address is of no use either. */
static enum conn_end end_of_connect(int cause)
{
	if (cause == EMFILE || cause == ENFILE || cause == ENOMEM || cause == ENOBUFS)
		return CONN_NO_MEANS;
	return cause == EADDRNOTAVAIL ? CONN_NO_ADDRESS : CONN_REFUSED;
}

static void start(struct conn *conn, const struct ip_addr *local, const struct ip_port *remote)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_to_sockaddr(&remote->addr, remote->port, &sa);
	int on = 1, fd = socket(remote->addr.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	conn->phase = PHASE_CONNECTING;
	if (fd < 0) {
		fail_later(conn, end_of_connect(errno), errno);
		return;
	}
	take_socket(conn, fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (local->family != 0 && !bind_local(fd, local))
		fail_later(conn, CONN_NO_ADDRESS, errno);
	else if (connect(fd, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS)
		fail_later(conn, end_of_connect(errno), errno);
	else
		conn_want_write(conn, true);
}

struct conn *conn_connect(struct loop *loop, const struct ip_addr *local, const struct ip_port *remote, const struct conn_ops *ops,
    void *arg)
{
	struct conn *conn = conn_create(loop, ops, arg);

	start(conn, local, remote);
	return conn;
}

struct conn *conn_connect_via(struct loop *loop, const struct conn_via *via, const struct ip_port *remote, const struct conn_ops *ops,
    void *arg)
{
	struct conn *conn = conn_create(loop, ops, arg);

	conn->proxy = xcalloc(1, sizeof(*conn->proxy));
	conn->proxy->at = via->at;
	socks_begin(&conn->proxy->socks, remote, via->user, via->password);
	start(conn, &(struct ip_addr){ .family = 0 }, &via->at);
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
		conn_want_read(c, false);
		conn_deadline(c, CLOSE_FLUSH_MS);
		loop_orphan_add(c->loop, &c->orphan, end_orphan);
		conn_schedule(c, DUE_FLUSH);
		return;
	}
	stop_events(c);
	c->phase = PHASE_OVER;
	conn_schedule(c, DUE_FREE);
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
		conn_finish(conn, CONN_DEADLINE, "");
}

/* --- the loop's events --------------------------------------------------------------------------------------------------- */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	if (conn->phase == PHASE_HANDSHAKE)
		conn_handshake_step(conn);
	else if (conn->phase == PHASE_PROXY)
		conn_via_step(conn);
	else if (conn->phase == PHASE_DRAINING)
		conn_drain_step(conn);
	else if (conn_can_read(conn))
		conn_read_more(conn);
	else
		conn_want_read(conn, false);
}

void conn_opened(struct conn *conn)
{
	conn->phase = PHASE_OPEN;
	conn_want_write(conn, false);
	conn_want_read(conn, true);
	conn_schedule(conn, DUE_FLUSH);
	conn->ops->on_open(conn->arg);
}

/* A proxy that cannot be reached is no news of the remote; what we lack ourselves is news of neither. */
static void connect_failed(struct conn *conn, enum conn_end end, const char *text)
{
	if (conn->proxy && end != CONN_NO_MEANS)
		conn_via_failed(conn, text);
	else
		conn_finish(conn, end, text);
}

static void connected(struct conn *conn)
{
	int cause = 0;
	socklen_t len = sizeof(cause);

	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &cause, &len) != 0)
		cause = errno;
	if (cause != 0)
		connect_failed(conn, CONN_REFUSED, strerror(cause));
	else if (conn->proxy)
		conn_via_begin(conn);
	else
		conn_opened(conn);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	if (conn->phase == PHASE_CONNECTING) {
		connected(conn);
	} else if (conn->phase == PHASE_HANDSHAKE) {
		conn_handshake_step(conn);
	} else {
		if (conn->read_wants_write && conn_can_read(conn))
			conn_read_more(conn);
		conn_flush(conn);
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
	if ((due & DUE_END) && conn->phase == PHASE_CONNECTING)
		connect_failed(conn, conn->end, conn->end_text);
	else if (due & DUE_END)
		conn_finish(conn, conn->end, conn->end_text);
	if ((due & DUE_INPUT) && conn->ops != NULL && conn->phase == PHASE_OPEN) {
		conn_read_pending(conn);
		conn_deliver(conn);
	}
	if ((due | conn->due) & DUE_FLUSH) {
		conn->due &= ~(unsigned)DUE_FLUSH;
		conn_flush(conn);
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

bool conn_tls_fingerprint(const struct conn *conn, char out[TLS_FINGERPRINT_TEXT])
{
	out[0] = '\0';
	return conn->tls != NULL && tls_stream_fingerprint(conn->tls, out);
}
