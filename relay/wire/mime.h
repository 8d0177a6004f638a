/* relay/wire/mime.h - how MIME writes bytes as lines of ASCII: quoted-printable, base64, encoded words, parameters. Pure. */
#ifndef WIRE_MIME_H
#define WIRE_MIME_H

#include "base/buf.h"

/* All of these append to `out` and return ERR_LIMIT, maybe with a part appended, when its cap would be exceeded. */

/* The transfer encoding that suits a text: which of them keeps it readable, and short. */
enum mime_encoding { MIME_7BIT, MIME_QUOTED, MIME_BASE64 };

/* Of a text for people: 7bit when it is ASCII in lines of at most 78 bytes, base64 when much of it is not ASCII, else quoted-printable. */
enum mime_encoding mime_encoding_of(const char *text, size_t len);

/* "7bit", "quoted-printable", "base64" (RFC 2045 section 6). */
const char *mime_encoding_name(enum mime_encoding encoding);

/* A text in that encoding, ending in CRLF; any line end inside (LF, CR, CRLF) is one of the text's. */
MUST_USE enum err mime_text(const char *text, size_t len, enum mime_encoding encoding, struct buf *out);

/* Bytes as base64 in lines of 76 characters, each with CRLF (RFC 2045 section 6.8). Nothing for no bytes. */
MUST_USE enum err mime_base64(const void *data, size_t len, struct buf *out);

/* The same in one line without an end. */
MUST_USE enum err mime_base64_flat(const void *data, size_t len, struct buf *out);

/* Strictly decode base64 (RFC 4648 section 4) that may be cut into lines: blanks, CR and LF are passed over. ERR_INVALID: a foreign character,
 * wrong padding or length. */
MUST_USE enum err mime_base64_decode(const char *text, size_t len, struct buf *out);

/* A header field, folded at about 76 columns (RFC 5322 section 2.2.3), under construction. Its texts must not hold CR, LF or NUL. */
struct mime_field {
	struct buf *out;
	size_t column;
	size_t words;
	enum err err; /* the first one; nothing is appended after it */
};

/* "Name:"; then what it says; then its end, which tells whether all went well. */
void mime_field_begin(struct mime_field *field, struct buf *out, const char *name);
MUST_USE enum err mime_field_end(struct mime_field *field);

/* A word behind a blank, as it is, on a new line when this one is full. */
void mime_field_word(struct mime_field *field, const char *word);
/* The same without the blank: belongs to the word before. */
void mime_field_more(struct mime_field *field, const char *text);

/* Unstructured text in UTF-8: as it is where that is possible, else in encoded words (RFC 2047). */
void mime_field_text(struct mime_field *field, const char *text);

/* A phrase before an address (RFC 5322 section 3.2.5): as it is, quoted, or in encoded words. */
void mime_field_phrase(struct mime_field *field, const char *text);

/* "; name=value": a token, quoted, or by RFC 2231 with charset and, when long, in numbered pieces. */
void mime_field_parameter(struct mime_field *field, const char *name, const char *value);

/* Is it a token of RFC 2045 section 5.1, not empty? */
bool mime_is_token(const char *text, size_t len);

#endif
