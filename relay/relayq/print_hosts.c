/* relay/relayq/print_hosts.c - the answer of hosts for people. */
#include "relay/ops/task.h"
#include "relay/relayq/field.h"
#include "relay/relayq/print.h"
#include "relay/relayq/text.h"

static void hosts_row(struct print *print, const json_t *row)
{
	static const struct column COLUMNS[] = {
		{ "ADDRESS", false, 0 }, { "HOST", false, 24 }, { "DOWN", true, 0 }, { "FAILED", true, 0 }, { "TRIED", true, 0 },
	};
	char since[TEXT_SHORT], until[TEXT_SHORT], failures[TEXT_SHORT];
	const char *cells[ARRAY_LEN(COLUMNS)];

	if (!print->columns)
		print->columns = columns_create(print->out, COLUMNS, ARRAY_LEN(COLUMNS), print->width);
	(void)snprintf(failures, sizeof(failures), "%llu", (unsigned long long)field_number(row, "failures"));
	cells[0] = field_text(row, "address");
	cells[1] = field_text(row, "name");
	cells[2] = text_relative(field_time(row, "since"), print->now, since);
	cells[3] = failures;
	cells[4] = json_is_true(json_object_get(row, "probing")) ? "now"
	    : field_time(row, "until") <= print->now ? "next" : text_relative(field_time(row, "until"), print->now, until);
	columns_add(print->columns, cells, field_text(row, "why"));
	print->rows++;
}

static void hosts_end(struct print *print, const json_t *end)
{
	columns_finish(&print->columns);
	if (field_number(end, "exit") == OPS_DONE && print->rows == 0)
		(void)fputs("no host is known as down\n", print->out);
}

const struct printer print_hosts = { .row = hosts_row, .end = hosts_end };
