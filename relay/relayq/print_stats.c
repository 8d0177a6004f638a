/* relay/relayq/print_stats.c - stats as a table: destinations by what waits, the total, the store, and the reasons. */
#include <stdlib.h>
#include <string.h>

#include "relay/relayq/field.h"
#include "relay/relayq/print.h"
#include "relay/relayq/text.h"

#define DESTINATIONS 20 /* shown without --all */

static const char *const NUMBERS[] = { "waiting", "deferred", "active", "held", "blocked", "delivered", "bounced", "connections" };

static const struct column COLUMNS[] = {
	{ "DESTINATION", false, 16 }, { "WAITING", true, 0 }, { "DEFERRED", true, 0 }, { "ACTIVE", true, 0 }, { "HELD", true, 0 },
	{ "BLOCKED", true, 0 }, { "DELIVERED", true, 0 }, { "BOUNCED", true, 0 }, { "CONN", true, 0 }, { "OLDEST", true, 0 },
};

static void put_table_row(struct print *print, const char *name, const json_t *row)
{
	char numbers[ARRAY_LEN(NUMBERS)][TEXT_SHORT], oldest[TEXT_SHORT];
	const char *cells[ARRAY_LEN(COLUMNS)];
	wall_ms since = field_time(row, "oldest");

	if (!print->columns)
		print->columns = columns_create(print->out, COLUMNS, ARRAY_LEN(COLUMNS), print->width);
	cells[0] = name;
	for (size_t i = 0; i < ARRAY_LEN(NUMBERS); i++) {
		uint64_t number = field_number(row, NUMBERS[i]);

		cells[i + 1] = number > 0 ? text_grouped(number, numbers[i]) : "-";
	}
	cells[ARRAY_LEN(NUMBERS) + 1] = since > 0 ? text_span(print->now - since, oldest) : "-";
	columns_add(print->columns, cells, NULL);
}

static uint64_t still_to_go(const json_t *row)
{
	return field_number(row, "waiting") + field_number(row, "deferred");
}

/* Destinations that wait for the same reasons count together. */
static void note_reason(struct print *print, const json_t *row)
{
	const char *why = field_text(row, "why");
	uint64_t rcpts = still_to_go(row);

	if (rcpts == 0 || !why[0])
		return;
	for (size_t i = 0; i < print->reason_count; i++) {
		if (strcmp(print->reasons[i].text, why) == 0) {
			print->reasons[i].rcpts += rcpts;
			return;
		}
	}
	print->reasons = xrealloc(print->reasons, (print->reason_count + 1) * sizeof(print->reasons[0]));
	print->reasons[print->reason_count++] = (struct print_reason){ xstrdup(why), rcpts };
}

static int by_rcpts(const void *a, const void *b)
{
	const struct print_reason *x = a, *y = b;

	return x->rcpts != y->rcpts ? (x->rcpts < y->rcpts ? 1 : -1) : strcmp(x->text, y->text);
}

static void put_reasons(struct print *print)
{
	char rcpts[TEXT_SHORT];

	if (print->reason_count == 0)
		return;
	qsort(print->reasons, print->reason_count, sizeof(print->reasons[0]), by_rcpts);
	(void)fputs("\nWhy mail waits\n", print->out);
	for (size_t i = 0; i < print->reason_count && i < PRINT_REASONS; i++)
		(void)fprintf(print->out, "  %10s  %s\n", text_grouped(print->reasons[i].rcpts, rcpts), print->reasons[i].text);
}

static void put_outcomes(struct print *print, const json_t *total)
{
	static const struct {
		const char *key, *text;
	} COUNTS[] = { { "accepted", "accepted" }, { "delivered", "delivered" }, { "bounced", "bounced" }, { "dropped", "dropped" },
		{ "in_doubt", "in doubt" } };
	const char *before = "\nSince the store was made: ";
	char number[TEXT_SHORT];

	for (size_t i = 0; i < ARRAY_LEN(COUNTS); i++) {
		uint64_t count = field_number(total, COUNTS[i].key);

		if (count == 0 && i > 1)
			continue;
		(void)fprintf(print->out, "%s%s %s", before, text_grouped(count, number), COUNTS[i].text);
		before = ", ";
	}
	(void)fputs(" (recipients)\n", print->out);
}

static void put_store(struct print *print, const json_t *total)
{
	uint64_t quota = field_number(total, "quota_bytes");
	char used[TEXT_SHORT], limit[TEXT_SHORT], rest[TEXT_SHORT], up[TEXT_SHORT];

	(void)fprintf(print->out, "Store %s", text_size(field_number(total, "used_bytes"), used));
	if (quota > 0)
		(void)fprintf(print->out, " of %s", text_size(quota, limit));
	(void)fprintf(print->out, " used, %s free on the disk; running for %s\n", text_size(field_number(total, "free_bytes"), rest),
	    text_span(print->now - field_time(total, "started"), up));
}

static void put_total(struct print *print, const json_t *total)
{
	if (print->rows != 1)
		put_table_row(print, "total", total);
	columns_finish(&print->columns);
	if (print->hidden > 0)
		(void)fprintf(print->out, "(%llu more destinations: --all)\n", (unsigned long long)print->hidden);
	put_reasons(print);
	put_outcomes(print, total);
	if (field_bool(total, "daemon"))
		put_store(print, total);
	else
		(void)fputs("No daemon is running: nothing is being sent.\n", print->out);
	if (!field_bool(total, "complete"))
		(void)fputs("Entries are still being read back: these counts are not complete yet.\n", print->out);
}

static void stats_row(struct print *print, const json_t *row)
{
	if (field_bool(row, "total")) {
		put_total(print, row);
		return;
	}
	print->rows++;
	note_reason(print, row);
	if (print->rows > DESTINATIONS && !print->all)
		print->hidden++;
	else
		put_table_row(print, field_text(row, "destination"), row);
}

const struct printer print_stats = { .row = stats_row };
