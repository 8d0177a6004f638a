/* relay/wire/reply.h - SMTP replies (RFC 5321 section 4.2) and enhanced status codes (RFC 3463, 2034). Pure: no I/O. */
#ifndef WIRE_REPLY_H
#define WIRE_REPLY_H

#include "base/buf.h"
#include "base/err.h"

#define REPLY_LINE_MAX  2048  /* bytes of one line that are kept; RFC says 512, servers send more. The rest of a line is dropped */
#define REPLY_TEXT_MAX  8192  /* bytes of all lines together that are kept */

struct reply {
	int code;            /* 200..599; 0: none */
	char enhanced[16];   /* "5.1.1"; "" without one. Its class must agree with the code, else it is text */
	struct buf text;     /* lines joined by "\n", codes stripped; control bytes replaced by "?", kept to REPLY_TEXT_MAX */
	unsigned lines;
};

/* Start empty; free what was kept; forget it before the next reply. */
void reply_init(struct reply *reply);
void reply_fini(struct reply *reply);
void reply_reset(struct reply *reply);

/* Parser of one reply that arrives line by line. */
enum reply_status { REPLY_MORE, REPLY_DONE, REPLY_BROKEN };

/*
 * Feed one line without its line end (CRLF; a lone LF is tolerated by the caller). `max_lines` bounds a reply.
 * MORE: the reply goes on. DONE: `reply` is whole. BROKEN: not SMTP (no code, code changes between lines, too many lines), the session
 * cannot go on; `why` says what came.
 */
enum reply_status reply_feed(struct reply *reply, const char *line, size_t len, unsigned max_lines, struct err_detail *why);

/* The first digit of the code; 0: none. */
static inline int reply_class(const struct reply *reply) { return reply->code / 100; }

/* One line for records and logs: "550 5.1.1 words / more words", at most `size` bytes. Returns `out`. */
char *reply_line(const struct reply *reply, char *out, size_t size);

#endif
