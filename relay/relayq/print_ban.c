/* relay/relayq/print_ban.c - the answer of ban for people. */
#include "relay/relayq/field.h"
#include "relay/relayq/print.h"
#include "relay/relayq/text.h"

static void ban_row(struct print *print, const json_t *row)
{
	static const struct column COLUMNS[] = {
		{ "KIND", false, 0 }, { "NAME", false, 12 }, { "FAILURES", true, 0 }, { "TIMES", true, 0 }, { "ENDS", true, 0 },
	};
	char failures[TEXT_SHORT], times[TEXT_SHORT], until[TEXT_SHORT];
	const char *cells[ARRAY_LEN(COLUMNS)];

	if (!print->columns)
		print->columns = columns_create(print->out, COLUMNS, ARRAY_LEN(COLUMNS), print->width);
	cells[0] = field_text(row, "kind");
	cells[1] = field_text(row, "name");
	cells[2] = text_grouped(field_number(row, "failures"), failures);
	cells[3] = text_grouped(field_number(row, "times"), times);
	cells[4] = text_relative(field_time(row, "until"), print->now, until);
	columns_add(print->columns, cells, NULL);
	print->rows++;
}

static void ban_end(struct print *print, const json_t *end)
{
	print_finish(print, end, "nobody is banned\n");
}

const struct printer print_ban = { .row = ban_row, .end = ban_end };
