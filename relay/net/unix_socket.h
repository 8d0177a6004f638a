/* relay/net/unix_socket.h - a listening unix socket and line-wise connections on it, on the main loop. */
#ifndef NET_UNIX_SOCKET_H
#define NET_UNIX_SOCKET_H

#include <sys/types.h>

#include "base/err.h"
#include "relay/net/loop.h"

struct unix_listener;
struct unix_conn;

/*
 * Bind and listen at `path` with file mode `mode`; `fn` takes each accepted, non-blocking socket.
 *
 * A socket file that is there already is replaced only when nobody answers on it. ERR_BUSY: somebody does; ERR_EXISTS: the file is
 * no socket; ERR_INVALID: the path is too long for a socket; ERR_IO. NULL then, with the cause in `why`.
 */
struct unix_listener *unix_listener_open(struct loop *loop, const char *path, mode_t mode, void (*fn)(void *arg, int fd), void *arg,
    struct err_detail *why) MUST_USE;

/* Stop listening and remove the socket file, if it is still ours. Sets the pointer to NULL; NULL inside is accepted. */
void unix_listener_close(struct unix_listener **listener);

struct unix_conn_ops {
	size_t line_max;      /* bytes without the line feed; a longer line ends the connection's input */
	int64_t idle_ms;      /* peer neither sends nor reads for so long while we want it to: gone */
	/* A whole line, NUL-terminated, without LF or CRLF; borrowed. line NULL: it was longer than line_max; nothing more is read. */
	void (*on_line)(void *arg, const char *line, size_t len);
	void (*on_drained)(void *arg); /* all that was sent has been taken by the peer's side of the socket */
	void (*on_end)(void *arg);     /* the peer is gone or idle: destroy it. Not called after unix_conn_destroy */
};

/* Take the connected socket `fd`. Lines are only told while the connection is resumed, which it is not at first. `ops` is borrowed
 * for its life. Never NULL. */
struct unix_conn *unix_conn_create(struct loop *loop, int fd, const struct unix_conn_ops *ops, void *arg) MUST_USE;

/* Tell lines again, one for each call: the owner resumes when it is done with the last one. Never calls back from inside. */
void unix_conn_resume(struct unix_conn *conn);

/* Queue bytes (copied). Never calls back from inside. */
void unix_conn_send(struct unix_conn *conn, const void *data, size_t len);
size_t unix_conn_pending(const struct unix_conn *conn); /* bytes that the peer has not taken yet */

/* Close at once. May be called from any of the callbacks. Sets the pointer to NULL; NULL inside is accepted. */
void unix_conn_destroy(struct unix_conn **conn);

#endif
