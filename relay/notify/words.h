/* relay/notify/words.h - text of a report in lines: words wrapped, fields folded, strangers' bytes cleaned. Pure.
 *
 * What others said comes out without control bytes and malformed UTF-8, in lines that are not too long. */
#ifndef NOTIFY_WORDS_H
#define NOTIFY_WORDS_H

#include "base/buf.h"
#include "base/clock.h"

#define WORDS_LONGEST 400 /* bytes; a longer word is broken */

/* The text that is being written. */
struct words {
	struct buf *out;
	enum err err; /* the first one; nothing is appended after it */
	size_t column;
	bool utf8;    /* words may hold non-ASCII; else its characters stand as "\x{FC}" (RFC 6533 section 3) */
};

/* As it is. */
void words_put(struct words *words, const char *text);
void words_put_bytes(struct words *words, const char *data, size_t len);
void words_format(struct words *words, const char *format, ...) PRINTF_LIKE(2, 3); /* 1023 bytes at most */

/* A word that may hold blanks, behind a blank, or behind `indent` on the next line when this one is full. Cut when it is longer than a line can be. */
void words_word(struct words *words, const char *word, size_t len, const char *indent);

/* All words of `text`, the first one behind a blank or, when the line is full, behind `indent` on the next. The line so far ends at words->column. */
void words_add(struct words *words, const char *text, const char *indent);

/* "Name: value", folded. */
void words_field(struct words *words, const char *name, const char *value);

/* "Name: type; value" of RFC 3464 section 2.1.2. words_type: without the value, which follows, and the end of the line. */
void words_typed_field(struct words *words, const char *name, const char *type, const char *value);
void words_type(struct words *words, const char *name, const char *type);

/* "Name: date" (RFC 5322). */
void words_date_field(struct words *words, const char *name, wall_ms when);

/* A paragraph, or with an indent a quotation, of the part for people. */
void words_paragraph(struct words *words, const char *text, const char *indent);

#endif
