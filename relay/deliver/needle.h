/* relay/deliver/needle.h - what a text must contain for a regular expression to be found in it: asked before the expression, which takes a
 * hundred times as long. */
#ifndef DELIVER_NEEDLE_H
#define DELIVER_NEEDLE_H

#include "base/err.h"

/* A text to look into, prepared once for many needles. */
struct haystack {
	uint64_t seen[64]; /* which groups of three bytes occur, by hash, in lower case */
};
void haystack_init(struct haystack *haystack, const char *text, size_t len);

/* Sets of words, of each of which every match contains one. */
struct needle;

/* From an expression that compiles without regard to case; `wide`: of characters in UTF-8, not of bytes. One that is not understood has no
 * sets: it may be found everywhere. */
struct needle *needle_create(const char *pattern, bool wide) MUST_USE;
void needle_destroy(struct needle **needle);

/* False: the expression is certainly not found. */
bool needle_may_be_in(const struct needle *needle, const struct haystack *haystack);

#endif
