/* relay/relayq/print_suppress.c - the answer of suppress for people. */
#include "relay/relayq/field.h"
#include "relay/relayq/print.h"
#include "relay/relayq/text.h"

static void suppress_row(struct print *print, const json_t *row)
{
	static const struct column COLUMNS[] = {
		{ "ADDRESS", false, 20 }, { "TENANT", false, 0 }, { "SINCE", true, 0 }, { "ENDS", true, 0 }, { "BY", false, 0 }, { "REASON", false, 20 },
	};
	char since[TEXT_SHORT], until[TEXT_SHORT];
	const char *cells[ARRAY_LEN(COLUMNS)];

	if (!print->columns)
		print->columns = columns_create(print->out, COLUMNS, ARRAY_LEN(COLUMNS), print->width);
	cells[0] = field_text(row, "address");
	cells[1] = field_text(row, "tenant")[0] ? field_text(row, "tenant") : "(all)";
	cells[2] = text_relative(field_time(row, "since"), print->now, since);
	cells[3] = field_time(row, "until") ? text_relative(field_time(row, "until"), print->now, until) : "never";
	cells[4] = field_text(row, "origin");
	cells[5] = field_text(row, "reason");
	columns_add(print->columns, cells, NULL);
	print->rows++;
}

static void suppress_end(struct print *print, const json_t *end)
{
	print_finish(print, end, "no address is suppressed\n");
}

const struct printer print_suppress = { .row = suppress_row, .end = suppress_end };
