/* relay/relayq/top_rows.c - the tables of top: what a destination, source, lane, tenant or trouble has in its columns. Pure. */
#include "relay/relayq/top_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/relayq/columns.h"
#include "relay/relayq/field.h"
#include "relay/relayq/text.h"

enum form {
	FORM_TEXT,
	FORM_COUNT,    /* 0: nothing */
	FORM_RATE,     /* "" for 0 */
	FORM_AGE,      /* since then */
	FORM_WHEN,     /* until then */
	FORM_LENGTH,   /* of an array */
	FORM_HOUR,     /* a member of "hour" */
	FORM_QUOTA,    /* what is used of it, the fuller one */
	FORM_NOTE,     /* of a source: why it is parked, what lists it */
};

/* clang-format off */
static const struct {
	struct column column;
	enum form form;
	const char *key;
} TABLES[TOP_PARTS][COLUMNS_MAX] = {
	[TOP_DESTINATION] = {
		{ { "DESTINATION", false, 11 }, FORM_TEXT,  "destination" },
		{ { "WAIT", true, 0 },          FORM_COUNT, "waiting" },
		{ { "ACT", true, 0 },           FORM_COUNT, "active" },
		{ { "DEFER", true, 0 },         FORM_COUNT, "deferred" },
		{ { "BLOCK", true, 0 },         FORM_COUNT, "blocked" },
		{ { "HELD", true, 0 },          FORM_COUNT, "held" },
		{ { "SENT/s", true, 0 },        FORM_RATE,  "delivered_rate" },
		{ { "CONN", true, 0 },          FORM_COUNT, "connections" },
		{ { "OLD", true, 0 },           FORM_AGE,   "oldest" },
		{ { "WHY", false, 8 },          FORM_TEXT,  "why" },
	},
	[TOP_SOURCE] = {
		{ { "SOURCE", false, 8 },       FORM_TEXT,   "source" },
		{ { "STATE", false, 0 },        FORM_TEXT,   "state" },
		{ { "CONN", true, 0 },          FORM_COUNT,  "connections" },
		{ { "SENT/h", true, 0 },        FORM_HOUR,   "delivered" },
		{ { "DEFER/h", true, 0 },       FORM_HOUR,   "deferred" },
		{ { "BLOCK/h", true, 0 },       FORM_HOUR,   "blocked" },
		{ { "REFUSE/h", true, 0 },      FORM_HOUR,   "refused" },
		{ { "SHUT", true, 0 },          FORM_LENGTH, "shut" },
		{ { "NOTE", false, 8 },         FORM_NOTE,   "" },
	},
	[TOP_LANE] = {
		{ { "LANE FROM", false, 9 },    FORM_TEXT,  "source" },
		{ { "TO", false, 8 },           FORM_TEXT,  "destination" },
		{ { "STATE", false, 0 },        FORM_TEXT,  "state" },
		{ { "CONN", true, 0 },          FORM_COUNT, "connections" },
		{ { "TRIED/h", true, 0 },       FORM_COUNT, "tried" },
		{ { "DEFER/h", true, 0 },       FORM_COUNT, "deferred" },
		{ { "BLOCK/h", true, 0 },       FORM_COUNT, "blocked" },
		{ { "UNTIL", true, 0 },         FORM_WHEN,  "until" },
		{ { "WHY", false, 8 },          FORM_TEXT,  "why" },
	},
	[TOP_TENANT] = {
		{ { "TENANT", false, 8 },       FORM_TEXT,  "tenant" },
		{ { "STATE", false, 0 },        FORM_TEXT,  "state" },
		{ { "CLIENTS", true, 0 },       FORM_COUNT, "connections" },
		{ { "WAIT", true, 0 },          FORM_COUNT, "waiting" },
		{ { "ACT", true, 0 },           FORM_COUNT, "active" },
		{ { "DEFER", true, 0 },         FORM_COUNT, "deferred" },
		{ { "BLOCK", true, 0 },         FORM_COUNT, "blocked" },
		{ { "HELD", true, 0 },          FORM_COUNT, "held" },
		{ { "SENT/h", true, 0 },        FORM_HOUR,  "delivered" },
		{ { "REFUSE/h", true, 0 },      FORM_HOUR,  "refused" },
		{ { "QUOTA", true, 0 },         FORM_QUOTA, "" },
	},
	[TOP_ALERT] = {
		{ { "ALERT", false, 0 },        FORM_TEXT,  "kind" },
		{ { "ABOUT", false, 8 },        FORM_TEXT,  "object" },
		{ { "SINCE", true, 0 },         FORM_AGE,   "since" },
		{ { "TEXT", false, 8 },         FORM_TEXT,  "text" },
	},
	[TOP_LATE] = {
		{ { "LATE FOR", false, 11 },    FORM_TEXT,  "destination" },
		{ { "WAIT", true, 0 },          FORM_COUNT, "waiting" },
		{ { "A DAY", true, 0 },         FORM_COUNT, "daily" },
		{ { "GONE", true, 0 },          FORM_WHEN,  "gone_at" },
	},
	[TOP_HOST] = {
		{ { "DOWN", false, 11 },        FORM_TEXT,  "address" },
		{ { "NAME", false, 8 },         FORM_TEXT,  "name" },
		{ { "SINCE", true, 0 },         FORM_AGE,   "since" },
		{ { "FAILED", true, 0 },        FORM_COUNT, "failures" },
		{ { "UNTIL", true, 0 },         FORM_WHEN,  "until" },
		{ { "WHY", false, 8 },          FORM_TEXT,  "why" },
	},
};
/* clang-format on */

/* --- cells ------------------------------------------------------------------------------------------------------------------ */

#define CELL 512

char *top_rows_rate(double rate, char out[TOP_RATE])
{
	if (rate > 0 && rate < 99.95)
		(void)snprintf(out, TOP_RATE, "%.1f", rate < 0.1 ? 0.1 : rate);
	else
		(void)text_grouped((uint64_t)(rate + 0.5), out);
	return out;
}

static void put_count(uint64_t count, char out[CELL])
{
	if (count > 0)
		(void)text_grouped(count, out);
}

/* The fuller one of the two. */
static void put_quota(const json_t *row, char out[CELL])
{
	double hour = (double)field_number(row, "quota_hour"), day = (double)field_number(row, "quota_day");
	double of_hour = hour > 0 ? (double)field_number(row, "quota_hour_used") / hour : -1;
	double of_day = day > 0 ? (double)field_number(row, "quota_day_used") / day : -1;

	if (of_hour < 0 && of_day < 0)
		return;
	(void)snprintf(out, CELL, "%.0f%%/%c", 100 * (of_hour > of_day ? of_hour : of_day), of_hour > of_day ? 'h' : 'd');
}

static void put_note(const json_t *row, char out[CELL])
{
	const json_t *listed = json_object_get(row, "listed");
	const char *parked = field_text(row, "parked"), *first = json_string_value(json_array_get(listed, 0));

	(void)snprintf(out, CELL, "%s%s%s", parked, parked[0] && first ? "; " : "", first ? first : "");
}

static void put_cell(const json_t *row, enum form form, const char *key, wall_ms now, char out[CELL])
{
	char text[TEXT_SHORT];
	wall_ms when;

	out[0] = '\0';
	switch (form) {
	case FORM_TEXT:
		(void)snprintf(out, CELL, "%s", field_text(row, key));
		break;
	case FORM_COUNT:
		put_count(field_number(row, key), out);
		break;
	case FORM_RATE:
		if (json_real_value(json_object_get(row, key)) > 0)
			(void)top_rows_rate(json_real_value(json_object_get(row, key)), out);
		break;
	case FORM_AGE:
		when = field_time(row, key);
		(void)snprintf(out, CELL, "%s", when > 0 ? text_span(now - when, text) : "");
		break;
	case FORM_WHEN:
		when = field_time(row, key);
		(void)snprintf(out, CELL, "%s", when > 0 ? text_span(when - now, text) : "");
		break;
	case FORM_LENGTH:
		put_count(json_array_size(json_object_get(row, key)), out);
		break;
	case FORM_HOUR:
		put_count(field_number(json_object_get(row, "hour"), key), out);
		break;
	case FORM_QUOTA:
		put_quota(row, out);
		break;
	case FORM_NOTE:
		put_note(row, out);
		break;
	}
}

/* --- tables ----------------------------------------------------------------------------------------------------------------- */

static size_t columns_of(enum top_part part, struct column columns[COLUMNS_MAX])
{
	size_t count = 0;

	for (; count < COLUMNS_MAX && TABLES[part][count].column.title; count++)
		columns[count] = TABLES[part][count].column;
	return count;
}

static void add_row(struct columns *table, enum top_part part, size_t count, const json_t *row, wall_ms now)
{
	char text[COLUMNS_MAX][CELL];
	const char *cells[COLUMNS_MAX];

	for (size_t i = 0; i < count; i++) {
		put_cell(row, TABLES[part][i].form, TABLES[part][i].key, now, text[i]);
		cells[i] = text[i];
	}
	columns_add(table, cells, NULL);
}

char *top_rows(const struct top_sample *sample, enum top_part part, size_t width, wall_ms now)
{
	struct column column[COLUMNS_MAX];
	size_t count = columns_of(part, column), size, i;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);
	struct columns *table;
	json_t *row;

	must(out != NULL);
	table = columns_create(out, column, count, width);
	json_array_foreach(sample->parts[part], i, row)
		add_row(table, part, count, row, now);
	columns_finish(&table);
	must(fclose(out) == 0);
	return text;
}
