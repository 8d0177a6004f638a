/* relay/relayq/top_sample.c - what the daemon says at one moment, and how fast it went since the one before. Pure. */
#include "relay/relayq/top_sample.h"

#include <stdlib.h>
#include <string.h>

#include "relay/ops/fact.h"
#include "relay/relayq/field.h"

const char *top_part_name(enum top_part part)
{
	static const char *const NAMES[TOP_PARTS] = {
		[TOP_TOTAL] = "total", [TOP_DESTINATION] = "destination", [TOP_SOURCE] = "source", [TOP_LANE] = "lane",
		[TOP_TENANT] = "tenant", [TOP_ALERT] = "alert", [TOP_LATE] = "late",
		[TOP_HOST] = "host",
	};

	return NAMES[part];
}

/* --- rows ------------------------------------------------------------------------------------------------------------------- */

/* TOP_PARTS: none that is known. */
static enum top_part part_of(const char *verb, const json_t *row)
{
	static const struct {
		const char *verb;
		enum top_part part;
	} WHOLE[] = { { "source", TOP_SOURCE }, { "alerts", TOP_ALERT }, { "hosts", TOP_HOST } };
	const char *told = field_text(row, "part");

	if (strcmp(verb, "stats") == 0)
		return field_bool(row, "total") ? TOP_TOTAL : TOP_DESTINATION;
	for (size_t i = 0; i < ARRAY_LEN(WHOLE); i++)
		if (strcmp(verb, WHOLE[i].verb) == 0)
			return WHOLE[i].part;
	for (enum top_part part = TOP_TOTAL; part < TOP_PARTS; part++)
		if (strcmp(told, top_part_name(part)) == 0)
			return part;
	return TOP_PARTS;
}

void top_sample_add(struct top_sample *sample, const char *verb, const json_t *row)
{
	enum top_part part = part_of(verb, row);
	json_t *copy = json_object();

	if (part == TOP_PARTS) {
		json_decref(copy);
		return;
	}
	fact_text(copy, "part", top_part_name(part));
	must(json_object_update_missing(copy, (json_t *)row) == 0);
	if (!sample->parts[part])
		sample->parts[part] = json_array();
	must(json_array_append_new(sample->parts[part], copy) == 0);
	if (part != TOP_DESTINATION)
		return;
	if (!sample->by_name)
		sample->by_name = json_object();
	must(json_object_set(sample->by_name, field_text(row, "destination"), copy) == 0);
}

const json_t *top_sample_total(const struct top_sample *sample)
{
	return json_array_get(sample->parts[TOP_TOTAL], 0);
}

void top_sample_fini(struct top_sample *sample)
{
	for (enum top_part part = TOP_TOTAL; part < TOP_PARTS; part++)
		json_decref(sample->parts[part]);
	json_decref(sample->by_name);
	*sample = (struct top_sample){ .at = 0 };
}

/* --- rates ------------------------------------------------------------------------------------------------------------------ */

static double rate_of(const json_t *now, const json_t *before, const char *key, int64_t ms)
{
	uint64_t new = field_number(now, key), old = field_number(before, key);

	return ms > 0 && new > old ? (double)(new - old) * 1000 / (double)ms : 0;
}

static void put_rate(json_t *now, const json_t *before, const char *counter, const char *key, int64_t ms)
{
	fact_json(now, key, json_real(rate_of(now, before, counter, ms)));
}

static uint64_t queued(const json_t *row)
{
	return field_number(row, "waiting") + field_number(row, "active") + field_number(row, "deferred") + field_number(row, "held") +
	    field_number(row, "blocked");
}

static double speed(const json_t *row)
{
	return json_real_value(json_object_get(row, "delivered_rate")) + json_real_value(json_object_get(row, "bounced_rate"));
}

static int by_weight(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;

	if (queued(x) != queued(y))
		return queued(x) < queued(y) ? 1 : -1;
	if (speed(x) < speed(y) || speed(x) > speed(y))
		return speed(x) < speed(y) ? 1 : -1;
	return strcmp(field_text(x, "destination"), field_text(y, "destination"));
}

static bool does_something(const json_t *row)
{
	return queued(row) > 0 || speed(row) > 0 || field_number(row, "connections") > 0;
}

/* Those in trouble first, then the busiest. */
static int by_trouble(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	bool open_x = strcmp(field_text(x, "state"), "open") == 0, open_y = strcmp(field_text(y, "state"), "open") == 0;
	int order;

	if (open_x != open_y)
		return open_x ? 1 : -1;
	if (field_number(x, "tried") != field_number(y, "tried"))
		return field_number(x, "tried") < field_number(y, "tried") ? 1 : -1;
	order = strcmp(field_text(x, "destination"), field_text(y, "destination"));
	return order != 0 ? order : strcmp(field_text(x, "source"), field_text(y, "source"));
}

static bool is_any(const json_t *row)
{
	return true;
}

/* Puts those that `keep` wants in their order. */
static void sort_part(json_t **rows, bool (*keep)(const json_t *row), int (*order)(const void *a, const void *b))
{
	size_t count = json_array_size(*rows), kept = 0;
	json_t **list = xcalloc(count + 1, sizeof(*list)), *out = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *row = json_array_get(*rows, i);

		if (keep(row))
			list[kept++] = row;
	}
	qsort(list, kept, sizeof(*list), order);
	for (size_t i = 0; i < kept; i++)
		must(json_array_append(out, list[i]) == 0);
	free(list);
	json_decref(*rows);
	*rows = out;
}

void top_sample_compare(struct top_sample *sample, const struct top_sample *before)
{
	json_t *total = json_array_get(sample->parts[TOP_TOTAL], 0), *row;
	const json_t *old_total = json_array_get(before->parts[TOP_TOTAL], 0);
	int64_t ms = old_total ? sample->at - before->at : 0;
	size_t i;

	json_array_foreach(sample->parts[TOP_DESTINATION], i, row) {
		const json_t *old = json_object_get(before->by_name, field_text(row, "destination"));

		put_rate(row, old, "delivered", "delivered_rate", ms);
		put_rate(row, old, "bounced", "bounced_rate", ms);
	}
	if (total) {
		put_rate(total, old_total, "accepted", "accepted_rate", ms);
		put_rate(total, old_total, "delivered", "delivered_rate", ms);
		put_rate(total, old_total, "bounced", "bounced_rate", ms);
	}
	sort_part(&sample->parts[TOP_DESTINATION], does_something, by_weight);
	sort_part(&sample->parts[TOP_LANE], is_any, by_trouble);
}
