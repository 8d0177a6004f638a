/* relay/relayq/print_warmup.c - the cold lanes for people: a row each, with a bar of today's budget. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/ops/task.h"
#include "relay/relayq/field.h"
#include "relay/relayq/outlook_svg.h"
#include "relay/relayq/past_svg.h"
#include "relay/relayq/print.h"
#include "relay/relayq/text.h"

#define BAR_WIDTH 10

static const char *bar(uint64_t used, uint64_t budget, char out[BAR_WIDTH + 1])
{
	uint64_t full = budget == 0 ? BAR_WIDTH : used * BAR_WIDTH / budget;

	for (unsigned i = 0; i < BAR_WIDTH; i++)
		out[i] = i < full ? '#' : '.';
	out[BAR_WIDTH] = '\0';
	return out;
}

static void share(const json_t *row, const char *key, char out[16])
{
	uint64_t tried = field_number(row, "delivered") + field_number(row, "deferred") + field_number(row, "unknown") +
	    field_number(row, "blocked");

	if (tried == 0)
		(void)snprintf(out, 16, "-");
	else
		(void)snprintf(out, 16, "%.1f%%", 100.0 * (double)field_number(row, key) / (double)tried);
}

static void day_row(struct print *print, const json_t *row)
{
	static const struct column COLUMNS[] = {
		{ "DAY", false, 0 }, { "SOURCE", false, 0 }, { "DESTINATION", false, 12 }, { "PLANNED", true, 0 }, { "BUDGET", true, 0 },
		{ "", false, 0 }, { "USED", true, 0 }, { "DELIVERED", true, 0 }, { "DEFERRED", true, 0 }, { "BLOCKED", true, 0 }, { "UNKNOWN", true, 0 },
	};
	char day[TEXT_SHORT], today[BAR_WIDTH + 1], numbers[7][TEXT_SHORT];
	bool warm = json_object_get(row, "budget") == NULL;

	if (!print->columns)
		print->columns = columns_create(print->out, COLUMNS, ARRAY_LEN(COLUMNS), print->width);
	(void)snprintf(day, sizeof(day), "%.10s", field_text(row, "day"));
	columns_add(print->columns, (const char *[]){ day, field_text(row, "source"), field_text(row, "destination"),
	    text_grouped(field_number(row, "planned"), numbers[0]),
	    warm ? "none" : text_grouped(field_number(row, "budget"), numbers[1]),
	    warm ? "" : bar(field_number(row, "used"), field_number(row, "budget"), today),
	    text_grouped(field_number(row, "used"), numbers[2]), text_grouped(field_number(row, "delivered"), numbers[3]),
	    text_grouped(field_number(row, "deferred"), numbers[4]), text_grouped(field_number(row, "blocked"), numbers[5]),
	    text_grouped(field_number(row, "unknown"), numbers[6]) }, NULL);
}

static const char *full_text(const json_t *row, const char *key, char out[TEXT_SHORT])
{
	const char *text = field_text(row, key);

	if (text[0] == '\0')
		return "in over 90 days";
	(void)snprintf(out, TEXT_SHORT, "%.10s", text);
	return out;
}

static void ahead_row(struct print *print, const json_t *row)
{
	static const struct column COLUMNS[] = {
		{ "SOURCE", false, 0 }, { "DESTINATION", false, 12 }, { "SHARE", true, 0 }, { "FULL AT BEST", false, 0 }, { "AT WORST", false, 0 },
		{ "OVER AT BEST", true, 0 }, { "AT WORST", true, 0 },
	};
	char share_text[TEXT_SHORT], early[TEXT_SHORT], late[TEXT_SHORT], over[2][TEXT_SHORT];
	bool warm = field_bool(row, "warm");
	const char *note = NULL;

	if (!print->columns)
		print->columns = columns_create(print->out, COLUMNS, ARRAY_LEN(COLUMNS), print->width);
	if (!warm)
		note = field_bool(row, "warm_beside") ? "what is over goes to the warm sources of its pool" : "what is over waits";
	columns_add(print->columns, (const char *[]){ field_text(row, "source"), field_text(row, "destination"),
	    text_grouped(field_number(row, "share"), share_text), warm ? "warm" : full_text(row, "full_early", early),
	    warm ? "" : full_text(row, "full_late", late), warm ? "" : text_grouped(field_number(row, "over_early"), over[0]),
	    warm ? "" : text_grouped(field_number(row, "over_late"), over[1]) }, note);
}

/* So many columns of a terminal show all of a lane. */
#define WIDE 120

/* Of a lane; a narrow terminal has those alone that tell how far it has come today. */
static const struct lane_column {
	struct column column;
	bool narrow;
} LANE_COLUMNS[] = {
	{ { "SOURCE", false, 0 }, true }, { { "DESTINATION", false, 12 }, true }, { { "PLAN", false, 0 }, false }, { { "PHASE", false, 0 }, true },
	{ { "STEP", true, 0 }, true }, { { "TODAY", false, 0 }, true }, { { "USED", true, 0 }, true }, { { "BUDGET", true, 0 }, true },
	{ { "YESTERDAY", true, 0 }, false }, { { "DEFERRED", true, 0 }, false }, { { "UNKNOWN", true, 0 }, false }, { { "NEXT STEP", false, 0 }, true },
};

static bool is_shown(const struct print *print, size_t column)
{
	return print->width == 0 || print->width >= WIDE || LANE_COLUMNS[column].narrow;
}

static void lane_add(struct print *print, const char *const cells[ARRAY_LEN(LANE_COLUMNS)], const char *note)
{
	static struct column columns[ARRAY_LEN(LANE_COLUMNS)]; /* borrowed by print->columns to its end */
	const char *shown[ARRAY_LEN(LANE_COLUMNS)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(LANE_COLUMNS); i++) {
		if (!is_shown(print, i))
			continue;
		columns[count] = LANE_COLUMNS[i].column;
		shown[count++] = cells[i];
	}
	if (!print->columns)
		print->columns = columns_create(print->out, columns, count, print->width);
	columns_add(print->columns, shown, note);
}

static void lane_row(struct print *print, const json_t *row)
{
	char today[BAR_WIDTH + 1], used[TEXT_SHORT], budget[TEXT_SHORT], yesterday[TEXT_SHORT], deferred[16], unknown[16], step[16];
	char next[TEXT_SHORT];
	const char *obstacle = field_text(row, "obstacle");
	bool warm = json_object_get(row, "budget") == NULL;

	share(row, "deferred", deferred);
	share(row, "unknown", unknown);
	(void)snprintf(step, sizeof(step), "%llu", (unsigned long long)field_number(row, "step"));
	lane_add(print, (const char *[]){ field_text(row, "source"), field_text(row, "destination"), field_text(row, "plan"),
	    field_text(row, "phase"), step, warm ? "" : bar(field_number(row, "used"), field_number(row, "budget"), today),
	    text_grouped(field_number(row, "used"), used), warm ? "none" : text_grouped(field_number(row, "budget"), budget),
	    text_grouped(field_number(row, "yesterday"), yesterday), deferred, unknown,
	    text_relative(text_parse_time(field_text(row, "next_step")), print->now, next) }, obstacle[0] ? obstacle : NULL);
}

/* For the picture at the end. */
static void hold(struct print *print, const json_t *row)
{
	if (!print->picture || (!json_object_get(row, "day") && !json_object_get(row, "share")))
		return;
	if (!print->held)
		print->held = json_array();
	must(json_array_append_new(print->held, json_deep_copy(row)) == 0);
}

/* The three listings of the verb have a member each that the others do not have. */
static void warmup_row(struct print *print, const json_t *row)
{
	print->rows++;
	hold(print, row);
	if (json_object_get(row, "day"))
		day_row(print, row);
	else if (json_object_get(row, "share"))
		ahead_row(print, row);
	else
		lane_row(print, row);
}

static bool draw(const struct print *print)
{
	bool past = json_object_get(json_array_get(print->held, 0), "day") != NULL;

	return past ? past_svg_write(print->picture, print->held) : outlook_svg_write(print->picture, print->held);
}

static void warmup_end(struct print *print, const json_t *end)
{
	const char *message = field_text(end, "message");

	columns_finish(&print->columns);
	if (print->picture && print->held && !draw(print)) {
		(void)fprintf(print->err, "relayq: %s: %s\n", print->picture, strerror(errno));
		print->failed = true;
	}
	if (field_number(end, "exit") == OPS_DONE && message[0])
		(void)fprintf(print->out, "%s\n", message);
	else if (field_number(end, "exit") == OPS_DONE && print->rows == 0)
		(void)fputs("nothing is known of cold addresses: a source with `warmup:` is one, once it has sent\n", print->out);
}

const struct printer print_warmup = { .row = warmup_row, .end = warmup_end };
