/* relay/wire/xtext.h - text that survives a parameter of SMTP (RFC 3461 section 4, RFC 6533 section 3). Pure. */
#ifndef WIRE_XTEXT_H
#define WIRE_XTEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Is it xtext: printable ASCII but "+", "=" and blanks, and "+XX" with two capital hexadecimal digits? `utf8`: well-formed characters beyond
 * ASCII may stand in it as they are. No control character may be meant by it; the empty text is none. */
bool xtext_is_valid(const char *text, size_t len, bool utf8);

/* What the valid xtext means, NUL-terminated, at most size - 1 bytes; `out` holds `size`, at least 1. Returns the length. */
size_t xtext_decode(const char *text, size_t len, char *out, size_t size);

#endif
