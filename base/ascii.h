/* base/ascii.h - case and digits without the locale. */
#ifndef BASE_ASCII_H
#define BASE_ASCII_H

#include <stdbool.h>
#include <stddef.h>

/* One byte; those above 127 have no case and are neither digit nor letter. Pure. */
static inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
static inline bool ascii_is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool ascii_is_alpha(char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; }

/* Lower-case `text` in place. */
void ascii_lower_str(char *text);

/* Compare without regard to the case of A-Z; `a_len` bytes of a text that need not end there. Pure. */
bool ascii_equal(const char *a, const char *b);
bool ascii_equal_n(const char *a, size_t a_len, const char *b);

#endif
