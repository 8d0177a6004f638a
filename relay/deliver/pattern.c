/* relay/deliver/pattern.c - regular expressions (PCRE2) over the texts of replies, bounded in time whatever the pattern and the text.
 *
 * Hundreds of patterns are asked about each reply and few fit: each is run only when the reply contains the words that it needs. */
#include "relay/deliver/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#define MATCH_LIMIT 20000 /* backtracking steps: some 30 us */
#define DEPTH_LIMIT 1000
#define HEAP_LIMIT  256   /* KiB */

struct pattern {
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
	struct needle *needle;
};

void pattern_subject_init(struct pattern_subject *subject, const char *text, size_t len)
{
	subject->text = text;
	subject->len = len;
	haystack_init(&subject->words, text, len);
}

static pcre2_match_context *limits_create(void)
{
	pcre2_match_context *limits = pcre2_match_context_create(NULL);

	must(limits);
	(void)pcre2_set_match_limit(limits, MATCH_LIMIT);
	(void)pcre2_set_depth_limit(limits, DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(limits, HEAP_LIMIT);
	return limits;
}

/* A pattern in ASCII says nothing of other characters: bytes will do for it, in half the time. */
static bool is_wide(const char *text)
{
	bool wide = strstr(text, "\\x{") || strstr(text, "\\p") || strstr(text, "\\P") || strstr(text, "\\X");

	for (const char *p = text; *p && !wide; p++)
		wide = (uint8_t)*p >= 0x80;
	return wide;
}

struct pattern *pattern_create(const char *text, struct err_detail *why)
{
	const bool wide = is_wide(text);
	const uint32_t options = PCRE2_CASELESS | PCRE2_NEVER_BACKSLASH_C | (wide ? PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF : 0);
	struct pattern *pattern;
	PCRE2_SIZE offset;
	pcre2_code *code;
	int number;

	code = pcre2_compile((PCRE2_SPTR)text, strlen(text), options, &number, &offset, NULL);
	if (!code) {
		char message[128];

		(void)pcre2_get_error_message(number, (PCRE2_UCHAR *)message, sizeof(message));
		(void)err_set(why, ERR_INVALID, "%s at byte %zu", message, (size_t)offset + 1);
		return NULL;
	}
	pattern = xcalloc(1, sizeof(*pattern));
	pattern->code = code;
	pattern->data = pcre2_match_data_create(PATTERN_GROUPS, NULL);
	must(pattern->data);
	pattern->limits = limits_create();
	pattern->needle = needle_create(text, wide);
	return pattern;
}

void pattern_destroy(struct pattern **pattern)
{
	if (!*pattern)
		return;
	pcre2_match_context_free((*pattern)->limits);
	pcre2_match_data_free((*pattern)->data);
	pcre2_code_free((*pattern)->code);
	needle_destroy(&(*pattern)->needle);
	free(*pattern);
	*pattern = NULL;
}

/* How many groups are told (0: more than there is room for); negative: no match, or a limit was reached. */
static int run(struct pattern *pattern, const struct pattern_subject *subject)
{
	if (!needle_may_be_in(pattern->needle, &subject->words))
		return PCRE2_ERROR_NOMATCH;
	return pcre2_match(pattern->code, (PCRE2_SPTR)subject->text, subject->len, 0, 0, pattern->data, pattern->limits);
}

bool pattern_found(struct pattern *pattern, const struct pattern_subject *subject)
{
	return run(pattern, subject) >= 0;
}

bool pattern_find(struct pattern *pattern, const struct pattern_subject *subject, struct pattern_match *match_out)
{
	int groups = run(pattern, subject);
	const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(pattern->data);

	*match_out = (struct pattern_match){ 0 };
	for (int i = 0; i < (groups == 0 ? PATTERN_GROUPS : groups); i++) {
		if (ends[2 * i] == PCRE2_UNSET)
			continue;
		match_out->at[i] = subject->text + ends[2 * i];
		match_out->len[i] = ends[2 * i + 1] - ends[2 * i];
	}
	return groups >= 0;
}
