/* relay/net/conn_state.h - a connection from inside: what conn.c (its life) and conn_stream.c (its bytes) share. */
#ifndef NET_CONN_STATE_H
#define NET_CONN_STATE_H

#include <event2/buffer.h>
#include <event2/event_struct.h>

#include "relay/net/conn.h"
#include "relay/net/conn_input.h"
#include "relay/net/tls_stream.h"
#include "relay/wire/socks.h"

enum phase {
	PHASE_CONNECTING, /* conn_connect; ends when the socket becomes writable */
	PHASE_PROXY,      /* connected to the proxy of conn_connect_via */
	PHASE_OPEN,       /* plain text, or TLS when conn->tls is set */
	PHASE_SECURING,   /* conn_secure_*: plain output goes out before the handshake */
	PHASE_HANDSHAKE,
	PHASE_DRAINING,   /* closed by the owner, all is sent: unread input is thrown away, or the kernel would reset and our last words be lost */
	PHASE_OVER,       /* on_end is due or done */
};

/* What conn_turn is to do. */
enum due { DUE_INPUT = 1 << 0, DUE_FLUSH = 1 << 1, DUE_END = 1 << 2, DUE_FREE = 1 << 3 };

/* A way through a proxy; longer than the longest of its answers (262 bytes). */
struct conn_proxy {
	struct ip_port at;
	struct socks socks;
	uint8_t in[512];
	size_t in_len;
	char text[200]; /* of a failure */
};

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
	struct conn_proxy *proxy; /* NULL: none */
	struct evbuffer *out;
	size_t low_water;
	struct tls_stream *tls;
	struct tls_stream *tls_next; /* from conn_secure_* to the handshake */
	char tls_error[200];
	mono_ms deadline, timer_at; /* 0: none. The timer may be set for an earlier time than the deadline, never for a later one */
	struct event read_event, write_event, timer_event;
	struct loop_orphan orphan; /* from conn_close on, while output or input is left */
};

/* Have conn_turn do `due` at the end of this turn of the loop. */
void conn_schedule(struct conn *conn, unsigned due);

/* Watch the socket, or no longer. */
void conn_want_read(struct conn *conn, bool want);
void conn_want_write(struct conn *conn, bool want);

/* The connection is over: tell the owner, or go when there is none any more. Only where handlers may be called. */
void conn_finish(struct conn *conn, enum conn_end end, const char *text);

/* The connection stands: tell the owner. */
void conn_opened(struct conn *conn);

/* --- conn_via.c; only where handlers may be called ---------------------------------------------------------------------- */

/* Connected to the proxy; it has sent something; it is not to be reached. */
void conn_via_begin(struct conn *conn);
void conn_via_step(struct conn *conn);
void conn_via_failed(struct conn *conn, const char *why);

/* --- conn_stream.c; only where handlers may be called -------------------------------------------------------------------- */

bool conn_can_read(const struct conn *conn);
/* Read what the socket has and let the owner see it; `deliver` alone: what was read before. */
void conn_read_more(struct conn *conn);
void conn_deliver(struct conn *conn);
/* Decrypt what OpenSSL holds already. */
void conn_read_pending(struct conn *conn);
void conn_handshake_step(struct conn *conn);
void conn_flush(struct conn *conn);
/* After the owner has closed: throw away what still comes in. */
void conn_drain_step(struct conn *conn);

#endif
