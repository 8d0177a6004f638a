/* relay/relayq/text.h - how facts read for people: clean texts, widths, times, sizes, numbers. */
#ifndef RELAYQ_TEXT_H
#define RELAYQ_TEXT_H

#include "base/clock.h"
#include "base/err.h"

#define TEXT_SHORT 40 /* bytes that the functions with `out` write at most */

/* A copy in which control characters, which could drive a terminal, and what is no text in this locale are '?'; line breaks become spaces.
 * malloc'ed. */
char *text_clean(const char *text) MUST_USE;

/* Columns that a clean text takes on a terminal. */
size_t text_width(const char *text);

/* Bytes of the longest prefix that takes at most `columns`; *width_out is what it takes. */
size_t text_prefix(const char *text, size_t columns, size_t *width_out);

/* "in 4m", "2h ago", "now"; "" for 0. */
char *text_relative(wall_ms when, wall_ms now, char out[TEXT_SHORT]);

/* "45s", "12m", "3h", "5d"; never negative. */
char *text_span(int64_t ms, char out[TEXT_SHORT]);

/* "2026-11-24 21:02 UTC". */
char *text_date(wall_ms when, char out[TEXT_SHORT]);

/* "870", "4.2K", "12M": powers of 1024. */
char *text_size(uint64_t bytes, char out[TEXT_SHORT]);

/* "1,234,567". */
char *text_grouped(uint64_t number, char out[TEXT_SHORT]);

/* "1 message", "2 messages". */
char *text_counted(uint64_t number, const char *noun, char out[TEXT_SHORT + 24]);

/* A time of RFC 3339 in UTC, as clock_rfc3339 writes it, the fraction being optional; 0: something else. */
wall_ms text_parse_time(const char *text);

#endif
