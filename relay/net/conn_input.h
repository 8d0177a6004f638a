/* relay/net/conn_input.h - the unread input of one connection: lines, raw pieces, and where the bytes live. No I/O.
 *
 * Sockets are read into the loop's scratch memory; only what a callback leaves unread is copied to memory of the connection's own. An idle
 * connection therefore owns none. */
#ifndef NET_CONN_INPUT_H
#define NET_CONN_INPUT_H

#include "relay/net/conn.h"

#define CONN_INPUT_MAX LOOP_SCRATCH /* bytes unread; then the socket is left alone */

struct conn_input {
	char *data; /* unread bytes: in `own` or in the loop's scratch */
	size_t len;
	char *own;
	size_t own_size;
	bool skipping; /* the rest of a line that was too long is being dropped */
};

void conn_input_fini(struct conn_input *input);

/* Where to read to: unread bytes are moved to the start of `scratch`, and *room_out bytes behind them are free. */
char *conn_input_begin(struct conn_input *input, char *scratch, size_t *room_out);
/* `len` bytes were read to that place. */
static inline void conn_input_added(struct conn_input *input, size_t len) { input->len += len; }

/* Bring what is still unread to memory of its own, or give that back. After each callback. */
void conn_input_settle(struct conn_input *input);

/* The first `len` unread bytes are read; all of them are forgotten, with a line that was being dropped. */
void conn_input_consume(struct conn_input *input, size_t len);
void conn_input_discard(struct conn_input *input);

/* As conn_read_line. */
bool conn_input_line(struct conn_input *input, size_t max, bool strict, struct conn_line *out);

#endif
