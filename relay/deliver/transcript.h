/* relay/deliver/transcript.h - what was said in one attempt, line by line with times: bounded, without the body. */
#ifndef DELIVER_TRANSCRIPT_H
#define DELIVER_TRANSCRIPT_H

#include "base/buf.h"
#include "base/clock.h"

/* The beginning and the end are kept; what does not fit between them is counted. One owner. */
struct transcript {
	struct buf head, tail; /* whole lines */
	size_t left_out;       /* lines */
	mono_ms start;
};

/* `max` bytes of text at most, at least 1000. */
void transcript_init(struct transcript *t, size_t max);
void transcript_fini(struct transcript *t);

/* A new attempt: forget the one before. */
void transcript_begin(struct transcript *t, mono_ms now);

enum transcript_mark { TRANSCRIPT_NOTE = '*', TRANSCRIPT_SENT = '>', TRANSCRIPT_HEARD = '<' };

/* Add a line, "SECONDS MARK text"; what cannot be printed becomes ?, and what is long is cut, and ends with " ...". */
void transcript_line(struct transcript *t, mono_ms now, enum transcript_mark mark, const char *text, size_t len);
void transcript_note(struct transcript *t, mono_ms now, const char *format, ...) PRINTF_LIKE(3, 4);

/* Each of the lines in `text`, which end with CRLF. */
void transcript_sent(struct transcript *t, mono_ms now, const char *text, size_t len);

/* The whole, malloc'ed. */
char *transcript_text(const struct transcript *t) MUST_USE;

#endif
