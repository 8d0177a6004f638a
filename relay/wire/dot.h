/* relay/wire/dot.h - message content on the wire: line discipline and transparency (RFC 5321 sections 2.3.8, 4.1.1.4, 4.5.2). Pure. */
#ifndef WIRE_DOT_H
#define WIRE_DOT_H

#include "base/err.h"

/* --- receiving DATA: strict. Only CRLF.CRLF ends it; a bare CR or LF makes the message refusable (nothing can be smuggled). ------------ */

enum dot_fault { DOT_CLEAN, DOT_BARE_LF, DOT_BARE_CR, DOT_LONG_LINE, DOT_NUL };
/* Words for a 5xx reply, such as "bare LF in message content". */
const char *dot_fault_text(enum dot_fault fault);

struct dot_reader {
	uint8_t state;        /* dot.c only */
	bool done;            /* CRLF.CRLF was seen */
	bool eight_bit;       /* a byte above 127 was seen */
	bool reject_nul;      /* in: a NUL byte is a fault (DATA); false lets it through */
	enum dot_fault fault; /* the first one; the rest of the message is still consumed */
	uint32_t line_max;    /* in: bytes of a line with its CRLF; 0: unlimited */
	uint32_t line_len;
};

void dot_reader_init(struct dot_reader *reader, uint32_t line_max, bool reject_nul);

/*
 * Take message bytes from `in`, un-stuff them into `out` (which holds at least in_len bytes).
 * `out` may be `in` itself. *used_out: bytes of `in` consumed: all, or up to and with the final CRLF.CRLF.
 * *out_len: bytes written (CRLF before the final dot included).
 * After a fault nothing more needs to be kept, but the end is still looked for, by the same strict rule.
 */
void dot_read(struct dot_reader *reader, const char *in, size_t in_len, char *out, size_t *used_out, size_t *out_len);

/* The same line discipline for BDAT content, which is not stuffed: sets fault and eight_bit, copies nothing. Call dot_check_end after
 * the last chunk: a CR left at the end is a bare CR. The content need not end in CRLF (RFC 3030). */
void dot_check(struct dot_reader *reader, const char *in, size_t len);
void dot_check_end(struct dot_reader *reader);

/* --- sending DATA ------------------------------------------------------------------------------------------------------------- */

struct dot_writer {
	uint8_t state; /* dot.c only: at line start, after CR, else */
};

void dot_writer_init(struct dot_writer *writer);

/* Where must a dot be put in? Returns the number of bytes from `in` that can be sent as they are; when it is less than len, the caller sends
 * one extra "." and goes on behind that point. Lets whole bodies be sent from their own memory without a copy. */
size_t dot_write(struct dot_writer *writer, const char *in, size_t len);

/* What ends the content: "\r\n.\r\n", or ".\r\n" when it ended in CRLF (or was empty: "\r\n.\r\n" is never needed then). */
const char *dot_writer_end(const struct dot_writer *writer);

#endif
