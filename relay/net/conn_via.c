/* relay/net/conn_via.c - a connection through a SOCKS 5 proxy, until it is the remote's.
 *
 * Its answers are short: they are read into a few bytes of their own, and what follows the last of them becomes the connection's input. */
#include "relay/net/conn_state.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void fail(struct conn *conn, enum conn_end end, const char *why)
{
	struct conn_proxy *proxy = conn->proxy;
	char at[IP_PORT_TEXT];

	(void)snprintf(proxy->text, sizeof(proxy->text), "proxy %s: %s", ip_port_format(&proxy->at, at), why);
	conn_finish(conn, end, proxy->text);
}

void conn_via_failed(struct conn *conn, const char *why)
{
	fail(conn, CONN_PROXY_FAILED, why);
}

/* A few bytes into a buffer that is empty: they fit, or nothing does. */
static void send_words(struct conn *conn)
{
	struct socks *socks = &conn->proxy->socks;
	size_t len = socks->say_len;

	socks->say_len = 0;
	if (len > 0 && send(conn->fd, socks->say, len, MSG_NOSIGNAL) != (ssize_t)len)
		fail(conn, CONN_PROXY_FAILED, strerror(errno));
	explicit_bzero(socks->say, len);
}

void conn_via_begin(struct conn *conn)
{
	conn->phase = PHASE_PROXY;
	conn_want_write(conn, false);
	conn_want_read(conn, true);
	send_words(conn);
}

/* The remote's first words may have come behind the proxy's last. */
static void open_remote(struct conn *conn, const uint8_t *rest, size_t len)
{
	size_t room;
	char *to = conn_input_begin(&conn->in, loop_scratch(conn->loop), &room);

	must(len <= room);
	memcpy(to, rest, len);
	conn_input_added(&conn->in, len);
	conn_input_settle(&conn->in);
	conn_schedule(conn, DUE_INPUT);
	conn_opened(conn);
}

static void take(struct conn *conn)
{
	struct conn_proxy *proxy = conn->proxy;
	size_t used;

	switch (socks_take(&proxy->socks, proxy->in, proxy->in_len, &used)) {
	case SOCKS_MORE:
		proxy->in_len -= used;
		memmove(proxy->in, proxy->in + used, proxy->in_len);
		send_words(conn);
		return;
	case SOCKS_OPEN:
		open_remote(conn, proxy->in + used, proxy->in_len - used);
		return;
	case SOCKS_REMOTE_FAILS:
		fail(conn, CONN_REFUSED, proxy->socks.why);
		return;
	case SOCKS_PROXY_FAILS:
		fail(conn, CONN_PROXY_FAILED, proxy->socks.why);
		return;
	}
}

void conn_via_step(struct conn *conn)
{
	struct conn_proxy *proxy = conn->proxy;
	ssize_t len = recv(conn->fd, proxy->in + proxy->in_len, sizeof(proxy->in) - proxy->in_len, 0);

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		fail(conn, CONN_PROXY_FAILED, len == 0 ? "it closed the connection" : strerror(errno));
		return;
	}
	proxy->in_len += (size_t)len;
	take(conn);
}

bool conn_at_proxy(const struct conn *conn)
{
	return conn->proxy && (conn->phase == PHASE_CONNECTING || (conn->phase == PHASE_PROXY && conn->proxy->socks.state < SOCKS_REQUEST));
}
