/* relay/relayq/print_alerts.c - the answer of alerts for people. */
#include "relay/ops/task.h"
#include "relay/relayq/field.h"
#include "relay/relayq/print.h"
#include "relay/relayq/text.h"

static void alerts_row(struct print *print, const json_t *row)
{
	static const struct column COLUMNS[] = {
		{ "KIND", false, 0 }, { "OBJECT", false, 20 }, { "SINCE", true, 0 }, { "TOLD", true, 0 },
	};
	char since[TEXT_SHORT], told[TEXT_SHORT];
	const char *cells[ARRAY_LEN(COLUMNS)];

	if (!print->columns)
		print->columns = columns_create(print->out, COLUMNS, ARRAY_LEN(COLUMNS), print->width);
	cells[0] = field_text(row, "kind");
	cells[1] = field_text(row, "object");
	cells[2] = text_relative(field_time(row, "since"), print->now, since);
	cells[3] = field_time(row, "told") ? text_relative(field_time(row, "told"), print->now, told) : "not yet";
	columns_add(print->columns, cells, field_text(row, "text"));
	print->rows++;
}

static void alerts_end(struct print *print, const json_t *end)
{
	columns_finish(&print->columns);
	if (field_number(end, "exit") == OPS_DONE && print->rows == 0)
		(void)fputs("nothing to look at\n", print->out);
}

const struct printer print_alerts = { .row = alerts_row, .end = alerts_end };
