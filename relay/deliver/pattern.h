/* relay/deliver/pattern.h - regular expressions (PCRE2) over the texts of replies, bounded in time whatever the pattern and the text.
 *
 * Case is ignored. A pattern with characters beyond ASCII takes texts as UTF-8, where other bytes match nothing; one in ASCII takes them as
 * bytes. No JIT: pages that are written and executed are refused to the daemon by its unit. */
#ifndef DELIVER_PATTERN_H
#define DELIVER_PATTERN_H

#include "relay/deliver/needle.h"

/* A text to look into, prepared once for many patterns. */
struct pattern_subject {
	const char *text; /* borrowed */
	size_t len;
	struct haystack words;
};
void pattern_subject_init(struct pattern_subject *subject, const char *text, size_t len);

struct pattern;

/* NULL: not a pattern; `why` says what is wrong, and at which byte. */
struct pattern *pattern_create(const char *text, struct err_detail *why) MUST_USE;
void pattern_destroy(struct pattern **pattern);

/* Whether it is found. One that would take too long (a fixed count of steps) is not. One thread at a time for each pattern. */
bool pattern_found(struct pattern *pattern, const struct pattern_subject *subject);

#define PATTERN_GROUPS 8 /* groups of a pattern that pattern_find tells */

/* Where the groups matched: at[i] in the text with len[i] bytes, at[i] NULL when the group took no part; 0 is the whole match. */
struct pattern_match {
	const char *at[PATTERN_GROUPS];
	size_t len[PATTERN_GROUPS];
};

/* The first match. */
bool pattern_find(struct pattern *pattern, const struct pattern_subject *subject, struct pattern_match *match_out);

#endif
