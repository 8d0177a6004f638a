/* relay/relayq/providers_verb.c - the verb providers: destinations known by name, their limits, and where each figure comes from. */
#include "relay/relayq/providers_verb.h"

#include <stdlib.h>
#include <string.h>

#include "conf/origin.h"
#include "conf/schema.h"
#include "relay/ops/fact.h"
#include "relay/relayq/field.h"
#include "relay/relayq/settings.h"

#define PLACE_MAX 300

/* Members of the answer that are figures, by their keys in the configuration. */
static const char *const FIGURES[] = { "connections", "messages", "rate", "total_connections", "total_rate", "tls", "retry.first", "retry.max" };

/* "shipped", "FILE:LINE", or "default". */
static const char *place_of(const struct conf *conf, const void *field, char out[PLACE_MAX])
{
	const struct place *at = origin_find(conf, field, false);

	if (!at)
		(void)snprintf(out, PLACE_MAX, "default");
	else if (at->file == origin_shipped)
		(void)snprintf(out, PLACE_MAX, "shipped");
	else
		(void)snprintf(out, PLACE_MAX, "%s:%u", at->file, at->line);
	return out;
}

/* What counts where the provider says nothing stands elsewhere: lanes, retry, delivery. */
static void add_figure(json_t *object, const struct conf *conf, struct conf_provider *provider, const char *key)
{
	const struct schema_row *row = schema_find(SECTION_PROVIDER, key);
	char text[VALUE_TEXT_MAX], place[PLACE_MAX];
	struct value value;
	json_t *figure;
	const char *words;

	must(row != NULL);
	if (!origin_find(conf, schema_field(row, provider), false) ||
	    !value_load(row->type, schema_field(row, provider), schema_extra(row, provider), &value))
		return;
	words = value_format(row->type, &value, text);
	figure = json_object();
	fact_text(figure, "value", words);
	fact_text(figure, "from", place_of(conf, schema_field(row, provider), place));
	fact_json(object, key, figure);
}

static json_t *names(char *const *list, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		must(json_array_append_new(array, json_string(list[i])) == 0);
	return array;
}

static json_t *provider_json(const struct conf *conf, struct conf_provider *provider)
{
	json_t *o = json_object();
	char place[PLACE_MAX];

	fact_text(o, "provider", provider->name);
	fact_json(o, "domains", names(provider->domains, provider->domain_count));
	fact_json(o, "mx", names(provider->mx, provider->mx_count));
	for (size_t i = 0; i < ARRAY_LEN(FIGURES); i++)
		add_figure(o, conf, provider, FIGURES[i]);
	fact_text(o, "from", place_of(conf, &provider->name, place));
	fact_text(o, "basis", provider->basis);
	fact_text(o, "closed", provider->closed);
	return o;
}

/* --- for people ------------------------------------------------------------------------------------------------------------- */

static void put_row(FILE *out, const json_t *o)
{
	(void)fprintf(out, "%-20s", field_text(o, "provider"));
	for (size_t i = 0; i < 3; i++) {
		const char *value = field_text(json_object_get(o, FIGURES[i]), "value");

		(void)fprintf(out, " %11s", value[0] ? value : "-");
	}
	(void)fprintf(out, " %7zu %5zu  %s\n", json_array_size(json_object_get(o, "domains")), json_array_size(json_object_get(o, "mx")),
	    field_text(o, "closed")[0] ? "closed" : field_text(o, "from"));
}

static void put_list(FILE *out, const json_t *o, const char *key)
{
	char *joined = field_joined(o, key, ", ");

	(void)fprintf(out, "  %-18s %s\n", key, joined[0] ? joined : "-");
	free(joined);
}

static void put_all(FILE *out, const json_t *o)
{
	(void)fprintf(out, "%s\n", field_text(o, "provider"));
	put_list(out, o, "domains");
	put_list(out, o, "mx");
	for (size_t i = 0; i < ARRAY_LEN(FIGURES); i++) {
		const json_t *figure = json_object_get(o, FIGURES[i]);

		if (figure)
			(void)fprintf(out, "  %-18s %-12s %s\n", FIGURES[i], field_text(figure, "value"), field_text(figure, "from"));
	}
	if (field_text(o, "basis")[0])
		(void)fprintf(out, "  %-18s %s\n", "basis", field_text(o, "basis"));
	if (field_text(o, "closed")[0])
		(void)fprintf(out, "  %-18s %s\n", "closed", field_text(o, "closed"));
}

static void put(FILE *out, const struct verb_call *call, const struct conf *conf, struct conf_provider *provider, bool whole)
{
	json_t *o = provider_json(conf, provider);

	if (call->json) {
		(void)json_dumpf(o, out, JSON_COMPACT);
		(void)fputc('\n', out);
	} else if (whole) {
		put_all(out, o);
	} else {
		put_row(out, o);
	}
	json_decref(o);
}

static enum ops_exit put_named(const struct verb_call *call, struct conf *conf, const json_t *words, FILE *out, FILE *err)
{
	enum ops_exit status = OPS_DONE;

	for (size_t i = 0; i < json_array_size(words); i++) {
		const char *name = json_string_value(json_array_get(words, i));
		const struct conf_provider *found = conf_provider_find(conf, name);

		if (found) {
			put(out, call, conf, &conf->providers[found - conf->providers], true);
			continue;
		}
		(void)fprintf(err, "relayq: no provider \"%s\"; relayq providers lists them\n", name);
		status = OPS_REFUSED;
	}
	return status;
}

enum ops_exit providers_verb_run(const struct verb_call *call, FILE *out, FILE *err)
{
	const json_t *words = json_object_get(call->args, "words");
	struct conf *conf = settings_load(call->file, err);
	enum ops_exit status = OPS_DONE;

	if (!conf)
		return OPS_USAGE;
	if (json_array_size(words) > 0) {
		status = put_named(call, conf, words, out, err);
	} else {
		if (!call->json)
			(void)fprintf(out, "%-20s %11s %11s %11s %7s %5s  %s\n", "PROVIDER", "CONNECTIONS", "MESSAGES", "RATE", "DOMAINS", "MX", "FROM");
		for (size_t i = 0; i < conf->provider_count; i++)
			put(out, call, conf, &conf->providers[i], false);
	}
	conf_unref(&conf);
	return status;
}
