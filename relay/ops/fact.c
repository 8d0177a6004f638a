/* relay/ops/fact.c - facts as members of JSON objects. */
#include "relay/ops/fact.h"

#include <stdlib.h>
#include <string.h>

#include "relay/wire/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void fact_json(json_t *object, const char *key, json_t *value)
{
	must(json_object_set_new(object, key, value) == 0);
}

/* Each bad byte becomes three. */
static json_t *repaired(const char *text, size_t len)
{
	char *clean = xcalloc(len, 3);
	size_t out = 0;
	json_t *value;

	for (size_t at = 0; at < len;) {
		size_t n = utf8_char(text + at, len - at);

		memcpy(clean + out, n > 0 ? text + at : REPLACEMENT, n > 0 ? n : 3);
		out += n > 0 ? n : 3;
		at += n > 0 ? n : 1;
	}
	value = json_stringn(clean, out);
	free(clean);
	return value;
}

void fact_text_n(json_t *object, const char *key, const char *text, size_t len)
{
	fact_json(object, key, utf8_is_valid(text, len) ? json_stringn_nocheck(text, len) : repaired(text, len));
}

void fact_text(json_t *object, const char *key, const char *text)
{
	if (text)
		fact_text_n(object, key, text, strlen(text));
	else
		fact_json(object, key, json_null());
}

void fact_number(json_t *object, const char *key, uint64_t number)
{
	fact_json(object, key, json_integer((json_int_t)number));
}

void fact_bool(json_t *object, const char *key, bool value)
{
	fact_json(object, key, json_boolean(value));
}

void fact_time(json_t *object, const char *key, wall_ms when)
{
	char text[CLOCK_TEXT];

	if (when <= 0 || when == WALL_NEVER)
		fact_json(object, key, json_null());
	else
		fact_text(object, key, clock_rfc3339(when, text));
}
