/* tests/fuzz/fuzz_pattern.c - any bytes as a pattern (first line) and a text: what is asked before the pattern never hides a match. */
#include <stdlib.h>
#include <string.h>

#include "relay/deliver/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PATTERN_BYTES_MAX 200 /* longer ones only take longer */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\n', size);
	size_t len = end ? (size_t)(end - data) : size;
	struct pattern_subject subject;
	struct err_detail why;
	struct pattern *pattern, *plain;
	char *text, *wrapped;

	if (!end || len > PATTERN_BYTES_MAX)
		return 0;
	text = xcalloc(len + 1, 1);
	memcpy(text, data, len);
	/* The same in a form that no words are concluded from. */
	wrapped = xasprintf("(?#any)(?:%s)", text);
	pattern = pattern_create(text, &why);
	plain = pattern_create(wrapped, &why);
	pattern_subject_init(&subject, (const char *)end + 1, size - len - 1);
	if (pattern && plain)
		must(pattern_found(pattern, &subject) || !pattern_found(plain, &subject));
	pattern_destroy(&pattern);
	pattern_destroy(&plain);
	free(wrapped);
	free(text);
	return 0;
}
