/* relay/relayq/field.c - members of the objects of an answer; what is absent or of another type is empty. */
#include "relay/relayq/field.h"

#include <stdlib.h>
#include <string.h>

#include "relay/relayq/text.h"

const char *field_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

uint64_t field_number(const json_t *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(object, key));

	return number > 0 ? (uint64_t)number : 0;
}

wall_ms field_time(const json_t *object, const char *key)
{
	return text_parse_time(json_string_value(json_object_get(object, key)));
}

bool field_bool(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

char *field_joined(const json_t *object, const char *key, const char *between)
{
	json_t *array = json_object_get(object, key), *value;
	char *joined = xstrdup("");
	size_t i;

	json_array_foreach(array, i, value) {
		const char *text = json_string_value(value);
		char *longer = xasprintf("%s%s%s", joined, i > 0 ? between : "", text ? text : "");

		free(joined);
		joined = longer;
	}
	return joined;
}
