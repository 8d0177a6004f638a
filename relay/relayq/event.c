/* relay/relayq/event.c - one line of the event log: does the operator mean it, and how it reads. Pure. */
#include "relay/relayq/event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/ops/choice.h"
#include "relay/relayq/field.h"
#include "relay/relayq/text.h"

/* --- which ------------------------------------------------------------------------------------------------------------------- */

static const char *domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at ? at + 1 : address;
}

/* Does the event's field match one pattern? */
static bool field_matches(const json_t *event, const char *key, const char *pattern)
{
	const char *text = json_string_value(json_object_get(event, key));

	if (strcmp(key, "destination") == 0) {
		const char *domain = json_string_value(json_object_get(event, "domain"));

		if (domain && choice_text_matches(pattern, domain, false))
			return true;
		if (field_text(event, "rcpt")[0] && choice_text_matches(pattern, domain_of(field_text(event, "rcpt")), false))
			return true;
	}
	if (text && !text[0] && strcmp(key, "sender") == 0)
		text = "<>";
	return text && choice_text_matches(pattern, text, strcmp(key, "reply") == 0);
}

static bool filter_passes(const json_t *event, const char *key, const json_t *patterns)
{
	if (!patterns)
		return true;
	if (!json_is_array(patterns))
		return field_matches(event, key, json_string_value(patterns));
	for (size_t i = 0; i < json_array_size(patterns); i++)
		if (field_matches(event, key, json_string_value(json_array_get(patterns, i))))
			return true;
	return false;
}

/* "ID" stands for all recipients "ID.n" of it. */
static bool id_matches(const char *wanted, const char *id)
{
	size_t len = strlen(wanted);

	if (choice_text_matches(wanted, id, false))
		return true;
	return !strchr(wanted, '.') && strncasecmp(wanted, id, len) == 0 && id[len] == '.';
}

static bool ids_pass(const json_t *event, const json_t *ids)
{
	for (size_t i = 0; i < json_array_size(ids); i++)
		if (id_matches(json_string_value(json_array_get(ids, i)), field_text(event, "id")))
			return true;
	return !ids;
}

static bool level_passes(const json_t *event, const char *least)
{
	enum log_level want, is;

	if (!least || !log_level_parse(least, &want))
		return true;
	return log_level_parse(field_text(event, "level"), &is) && is >= want;
}

bool event_passes(const json_t *event, const json_t *args)
{
	static const char *const KEYS[] = { "event", "destination", "tenant", "sender", "rcpt", "reply", "source", "class" };

	for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
		if (!filter_passes(event, KEYS[i], json_object_get(args, KEYS[i])))
			return false;
	return ids_pass(event, json_object_get(args, "ids")) && level_passes(event, json_string_value(json_object_get(args, "level")));
}

bool event_has_level(const char *level)
{
	enum log_level found;

	return log_level_parse(level, &found) && found > LOG_DEBUG;
}

/* --- how it reads ------------------------------------------------------------------------------------------------------------ */

static bool needs_quotes(const char *text)
{
	return !text[0] || strpbrk(text, " =\"\\") != NULL;
}

static void put_value(FILE *out, const char *text)
{
	bool quoted = needs_quotes(text);

	if (quoted)
		(void)fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			(void)fputc('\\', out);
		(void)fputc(*text, out);
	}
	if (quoted)
		(void)fputc('"', out);
}

static void put_field(FILE *out, const char *key, const json_t *value)
{
	(void)fprintf(out, " %s=", key);
	if (json_is_string(value)) {
		put_value(out, json_string_value(value));
	} else {
		char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

		(void)fputs(text ? text : "", out);
		free(text);
	}
}

char *event_line(const json_t *event)
{
	static const char *const FIRST[] = { "time", "event", "level" };
	const char *level = field_text(event, "level"), *key;
	char *raw = NULL, *clean;
	size_t size;
	FILE *out = open_memstream(&raw, &size);
	json_t *value;

	must(out != NULL);
	(void)fprintf(out, "%s %s", field_text(event, "time"), field_text(event, "event"));
	json_object_foreach((json_t *)event, key, value) {
		bool told = false;

		for (size_t i = 0; i < ARRAY_LEN(FIRST); i++)
			told = told || strcmp(key, FIRST[i]) == 0;
		if (!told)
			put_field(out, key, value);
	}
	if (strcmp(level, "info") != 0 && level[0])
		put_field(out, "level", json_object_get(event, "level"));
	must(fclose(out) == 0);
	clean = text_clean(raw);
	free(raw);
	return clean;
}
