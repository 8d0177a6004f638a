/* relay/wire/unitext.h - addresses beyond ASCII where there is only ASCII: "j\x{FC}rgen@example.net" (RFC 6533 section 3). Pure. */
#ifndef WIRE_UNITEXT_H
#define WIRE_UNITEXT_H

#include <stdbool.h>
#include <stddef.h>

#define UNITEXT_CHAR 11 /* bytes that unitext_char needs at most, the NUL too */

/* The form of the character of `n` bytes at `text` (utf8_char): "\x{FC}". Returns its length. */
size_t unitext_char(const char *text, size_t n, char out[UNITEXT_CHAR]);

/*
 * Is it utf-8-addr-xtext or utf-8-addr-unitext: printable ASCII but "+", "=", "\" and blanks, "\x{" and two to six capital hexadecimal digits "}",
 * characters beyond ASCII as they are? No control character may be meant. The empty text is none. Departure: "+XX" of RFC 3461 is taken too.
 */
bool unitext_is_valid(const char *text, size_t len);

/* What the valid one means, in UTF-8; NUL-terminated, at most size - 1 bytes, no half characters. Returns the length. */
size_t unitext_decode(const char *text, size_t len, char *out, size_t size);

/* The other way round, `text` in UTF-8; `ascii`: utf-8-addr-xtext, else utf-8-addr-unitext. Bytes that are no UTF-8 become "?". NUL-terminated; what
 * does not fit into `size` is left out. Returns the length that all of it has. */
size_t unitext_encode(const char *text, size_t len, bool ascii, char *out, size_t size);

#endif
