/* relay/net/conn.h - one non-blocking connection with a deadline, plain or TLS, on one loop. */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "base/ip.h"
#include "relay/net/loop.h"
#include "relay/net/tls.h"

struct conn;

/* Why a connection is over. */
enum conn_end {
	CONN_CLOSED,      /* the peer closed in good order */
	CONN_LOST,        /* reset or another error while open */
	CONN_REFUSED,     /* connect failed: refused, unreachable */
	CONN_NO_MEANS,    /* out of descriptors or memory: nobody was spoken to */
	CONN_NO_ADDRESS,  /* the local address is not on this host, or has no port left (EADDRNOTAVAIL at bind or connect) */
	CONN_PROXY_FAILED, /* the proxy of conn_connect_via cannot be reached, or will not serve us */
	CONN_TLS_FAILED,  /* the handshake failed */
	CONN_DEADLINE,    /* the deadline of conn_deadline passed; the connection is still open: close it or set another */
};

/* Handlers; all run on the loop, never from inside a conn_* call. After on_end (but for DEADLINE) no other is called. */
struct conn_ops {
	void (*on_open)(void *arg);     /* conn_connect only: connected */
	void (*on_secured)(void *arg);  /* the TLS handshake is done */
	void (*on_data)(void *arg);     /* there is input to look at */
	void (*on_drained)(void *arg);  /* the output fell to the low mark of conn_low_water (default 0) */
	void (*on_end)(void *arg, enum conn_end end, const char *text);
};

/* Server side: take over an accepted, connected, non-blocking socket. */
struct conn *conn_accept(struct loop *loop, int fd, const struct conn_ops *ops, void *arg) MUST_USE;

/* Client side: bind to `local` (family 0: the kernel chooses) and connect to `remote`. Never NULL: failures come through on_end. */
struct conn *conn_connect(struct loop *loop, const struct ip_addr *local, const struct ip_port *remote, const struct conn_ops *ops,
    void *arg) MUST_USE;

/* A SOCKS 5 proxy; the words are borrowed until the connection is open, over or closed, and NULL when it wants none. */
struct conn_via {
	struct ip_port at;
	const char *user, *password;
};

/* The same through a proxy, which is handed the address of `remote` (RFC 1928, 1929): on_open when it has connected there. CONN_REFUSED when it says
 * that the remote cannot be reached, CONN_PROXY_FAILED when the proxy itself is the trouble; both name it. */
struct conn *conn_connect_via(struct loop *loop, const struct conn_via *via, const struct ip_port *remote, const struct conn_ops *ops,
    void *arg) MUST_USE;

/* Whether the proxy has not been asked for the remote yet: a deadline that passes now is the proxy's. */
bool conn_at_proxy(const struct conn *conn);

/* Close. flush: send what is waiting first (for a few seconds at most), without further callbacks. The object is freed after the
 * current callbacks; the pointer becomes NULL. */
void conn_close(struct conn **conn, bool flush);

/* Begin the handshake on an open connection. Plain input still unread: server discards it, client fails with CONN_TLS_FAILED (injection).
 * conn_secure_client: any certificate will do, `name` is the host name for SNI; _want: whatever `want` demands. */
void conn_secure_server(struct conn *conn, struct tls_server *tls);
void conn_secure_client(struct conn *conn, struct tls_client *tls, const char *name);
void conn_secure_client_want(struct conn *conn, struct tls_client *tls, const struct tls_want *want);
bool conn_is_secure(const struct conn *conn);
void conn_tls_info(const struct conn *conn, struct tls_info *out);
enum tls_fault conn_tls_fault(const struct conn *conn); /* of the certificate, after a handshake that failed; NONE: it was something else */

/* Input. conn_read_line: the next whole line, without its line end; false: not there yet. The text is valid until the next conn_* call. A line of
 * more than `max` bytes with its line end is dropped as it comes; at its end there is one empty line with too_long set.
 * strict: only CRLF ends a line; else a lone LF ends it too. */
struct conn_line {
	const char *text;
	size_t len;
	bool too_long;
	bool bare; /* a CR, LF or NUL is inside */
};
bool conn_read_line(struct conn *conn, size_t max, bool strict, struct conn_line *out);

/* Overwrite a line that held a secret, before the next conn_* call. */
void conn_line_wipe(struct conn_line *line);

/* Raw input: a contiguous piece (not all that is there, maybe) and its length; 0: nothing. Then say how much was used. */
size_t conn_peek(struct conn *conn, const char **data_out);
void conn_consume(struct conn *conn, size_t len);
size_t conn_input_len(const struct conn *conn);

/* Stop and go on reading from the socket (back-pressure, or an asynchronous step). While paused there is no on_data, and the end of the
 * stream is not told either; a failed write is. After resume on_data is called when input waits. At the end of the stream on_end follows
 * on_data at once: who cannot use its input yet must pause. */
void conn_pause(struct conn *conn, bool paused);
/* Call on_data again at the next turn if input waits (after an asynchronous step). */
void conn_kick(struct conn *conn);

/* Output. conn_write copies; conn_write_ref sends from `data`, which must stay until release(arg) is called (also on
 * close); release must not call conn_*. */
void conn_write(struct conn *conn, const void *data, size_t len);
void conn_printf(struct conn *conn, const char *format, ...) PRINTF_LIKE(2, 3);
void conn_write_ref(struct conn *conn, const void *data, size_t len, void (*release)(void *arg), void *arg);
size_t conn_output_len(const struct conn *conn);
void conn_low_water(struct conn *conn, size_t bytes);

/* on_end(DEADLINE) after `ms` from now; again: the new time counts; 0: none. Cheap: call it for every step. */
void conn_deadline(struct conn *conn, int64_t ms);

/* The two ends (valid once open). */
struct ip_port conn_local(const struct conn *conn);
struct ip_port conn_remote(const struct conn *conn);

/* SHA-256 of the public key of the certificate that the peer has shown, in hexadecimal. False, and "": none. */
bool conn_tls_fingerprint(const struct conn *conn, char out[TLS_FINGERPRINT_TEXT]);

#endif
