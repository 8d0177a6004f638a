/* relay/relayq/print_stats.c - stats as a table: destinations by what waits, the total, the store, and the reasons. */
#include <stdlib.h>
#include <string.h>

#include "relay/relayq/field.h"
#include "relay/relayq/print.h"
#include "relay/relayq/text.h"

#define DESTINATIONS 20 /* shown without --all */

/* The columns between name and age; one that is zero in the total is left out unless it is `always` of interest. */
static const struct number {
	const char *key;
	struct column column;
	bool always;
} numbers[] = {
	{ "waiting", { "WAITING", true, 0 }, true }, { "deferred", { "DEFERRED", true, 0 }, true }, { "active", { "ACTIVE", true, 0 }, true },
	{ "held", { "HELD", true, 0 }, true }, { "blocked", { "BLOCKED", true, 0 }, false }, { "delivered", { "DELIVERED", true, 0 }, true },
	{ "bounced", { "BOUNCED", true, 0 }, true }, { "connections", { "CONN", true, 0 }, false },
};

static bool is_shown(const struct number *number, const json_t *total)
{
	return number->always || field_number(total, number->key) > 0;
}

static void begin_table(struct print *print, struct column columns[COLUMNS_MAX], const json_t *total)
{
	size_t count = 0;

	columns[count++] = (struct column){ "DESTINATION", false, 10 };
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (is_shown(&numbers[i], total))
			columns[count++] = numbers[i].column;
	columns[count++] = (struct column){ "OLDEST", true, 0 };
	print->columns = columns_create(print->out, columns, count, print->width);
}

static void put_table_row(struct print *print, const char *name, const json_t *row, const json_t *total)
{
	char texts[ARRAY_LEN(numbers)][TEXT_SHORT], oldest[TEXT_SHORT];
	const char *cells[ARRAY_LEN(numbers) + 2];
	wall_ms since = field_time(row, "oldest");
	size_t count = 0;

	cells[count++] = name;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uint64_t number = field_number(row, numbers[i].key);

		if (is_shown(&numbers[i], total))
			cells[count++] = number > 0 ? text_grouped(number, texts[i]) : "-";
	}
	cells[count++] = since > 0 ? text_span(print->now - since, oldest) : "-";
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

struct count {
	const char *key, *text;
};

/* Zeroes behind the first `always` are left out. */
static void put_counts(struct print *print, const json_t *total, const char *before, const struct count *counts, size_t count, size_t always)
{
	char number[TEXT_SHORT];

	for (size_t i = 0; i < count; i++) {
		uint64_t value = field_number(total, counts[i].key);

		if (value == 0 && i >= always)
			continue;
		(void)fprintf(print->out, "%s%s %s", before, text_grouped(value, number), counts[i].text);
		before = ", ";
	}
	(void)fputs(" (recipients)\n", print->out);
}

static void put_outcomes(struct print *print, const json_t *total)
{
	static const struct count outcomes[] = { { "accepted", "accepted" }, { "delivered", "delivered" }, { "bounced", "bounced" },
		{ "dropped", "dropped" }, { "in_doubt", "in doubt" } };
	static const struct count hops[] = { { "plaintext", "in the clear" }, { "tls", "in TLS" }, { "dane", "of those authenticated by DANE" },
		{ "verified", "by a certificate authority" } };

	put_counts(print, total, "\nSince the store was made: ", outcomes, ARRAY_LEN(outcomes), 2);
	if (field_number(total, "plaintext") + field_number(total, "tls") > 0)
		put_counts(print, total, "The last hop: ", hops, ARRAY_LEN(hops), 2);
}

static void put_store(struct print *print, const json_t *total)
{
	uint64_t quota = field_number(total, "quota_bytes"), down = field_number(total, "hosts_down");
	char used[TEXT_SHORT], limit[TEXT_SHORT], rest[TEXT_SHORT], up[TEXT_SHORT], letters[TEXT_SHORT + 24];

	if (down > 0)
		(void)fprintf(print->out, "%s %s down (relayq hosts)\n", text_counted(down, "receiving server", letters), down == 1 ? "is" : "are");
	if (field_number(total, "dead") > 0)
		(void)fprintf(print->out, "%s, %s (relayq dead)\n", text_counted(field_number(total, "dead"), "dead letter", letters),
		    text_size(field_number(total, "dead_bytes"), used));
	(void)fprintf(print->out, "Store %s", text_size(field_number(total, "used_bytes"), used));
	if (quota > 0)
		(void)fprintf(print->out, " of %s", text_size(quota, limit));
	(void)fprintf(print->out, " used, %s free on the disk; running for %s\n", text_size(field_number(total, "free_bytes"), rest),
	    text_span(print->now - field_time(total, "started"), up));
}

static void put_table(struct print *print, const json_t *total)
{
	struct column columns[COLUMNS_MAX];
	json_t *row;
	size_t i;

	begin_table(print, columns, total);
	json_array_foreach(print->held, i, row)
		put_table_row(print, field_text(row, "destination"), row, total);
	if (print->rows != 1)
		put_table_row(print, "total", total, total);
	columns_finish(&print->columns);
	if (print->hidden > 0)
		(void)fprintf(print->out, "(%llu more destinations: --all)\n", (unsigned long long)print->hidden);
}

static void put_dnssec(struct print *print, const json_t *total)
{
	if (field_text(total, "dnssec_trouble")[0])
		(void)fprintf(print->out, "DNSSEC IS NOT IN FORCE: %s\n", field_text(total, "dnssec_trouble"));
}

static void put_total(struct print *print, const json_t *total)
{
	put_table(print, total);
	put_reasons(print);
	put_outcomes(print, total);
	put_dnssec(print, total);
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
	if (print->rows > DESTINATIONS && !print->all) {
		print->hidden++;
		return;
	}
	if (!print->held)
		print->held = json_array();
	must(json_array_append_new(print->held, json_deep_copy(row)) == 0);
}

const struct printer print_stats = { .row = stats_row };
