/* relay/wire/utf8.h - is it well-formed UTF-8 (RFC 3629)? Pure. */
#ifndef WIRE_UTF8_H
#define WIRE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed character at the start of `text`, 1..4; 0 when there is none (overlong forms, surrogates, above U+10FFFF, cut short,
 * len 0). NUL and other ASCII controls are well-formed. */
size_t utf8_char(const char *text, size_t len);

/* Is the whole text well-formed? */
bool utf8_is_valid(const char *text, size_t len);

/* No byte above 127? */
bool utf8_is_ascii(const char *text, size_t len);

/* The longest prefix of at most `max` bytes that does not cut a character in two. */
size_t utf8_cut(const char *text, size_t len, size_t max);

#endif
