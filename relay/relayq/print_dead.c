/* relay/relayq/print_dead.c - the answers of the verbs dead list, dead replay and dead drop for people. */
#include <stdlib.h>

#include "relay/ops/task.h"
#include "relay/relayq/field.h"
#include "relay/relayq/print.h"
#include "relay/relayq/text.h"

/* "from SENDER (TENANT) via SOURCE to DESTINATION: REPLY; told; replayed as ID" */
static char *note_of(const json_t *row)
{
	const char *source = field_text(row, "source"), *sender = field_text(row, "sender"), *reply = field_text(row, "reply");
	const char *dsn = field_text(row, "dsn"), *replayed = field_text(row, "replayed");

	if (!reply[0])
		reply = field_text(row, "reason");
	return xasprintf("from %s (%s)%s%s to %s%s%s%s%s%s%s", sender[0] ? sender : "<>", field_text(row, "tenant"), source[0] ? " via " : "",
	    source, field_text(row, "destination"), reply[0] ? ": " : "", reply, dsn[0] ? "; the sender was told by " : "", dsn,
	    replayed[0] ? "; replayed as " : "", replayed);
}

static void dead_row(struct print *print, const json_t *row)
{
	static const struct column COLUMNS[] = {
		{ "ID", false, 0 }, { "CAUSE", false, 0 }, { "DIED", true, 0 }, { "TRIES", true, 0 }, { "SIZE", true, 0 }, { "CLASS", false, 0 },
		{ "RECIPIENT", false, 12 },
	};
	char died[TEXT_SHORT], tries[TEXT_SHORT], size[TEXT_SHORT];
	const char *cells[ARRAY_LEN(COLUMNS)], *error = field_text(row, "error");
	char *note;

	if (error[0]) {
		(void)fprintf(print->err, "relayq: %s: %s\n", field_text(row, "id"), error);
		return;
	}
	if (!print->columns)
		print->columns = columns_create(print->out, COLUMNS, ARRAY_LEN(COLUMNS), print->width);
	cells[0] = field_text(row, "id");
	cells[1] = field_text(row, "cause");
	cells[2] = text_relative(field_time(row, "died"), print->now, died);
	cells[3] = text_grouped(field_number(row, "attempts"), tries);
	cells[4] = text_size(field_number(row, "size"), size);
	cells[5] = field_text(row, "class");
	cells[6] = field_text(row, "rcpt");
	note = note_of(row);
	columns_add(print->columns, cells, note);
	free(note);
	print->rows++;
}

static void dead_end(struct print *print, const json_t *end)
{
	char letters[TEXT_SHORT + 24], messages[TEXT_SHORT + 24];

	columns_finish(&print->columns);
	if (!field_text(end, "message")[0])
		(void)fprintf(print->out, "%s%s in %s%s\n", print->rows > 0 ? "\n" : "", text_counted(print->rows, "dead letter", letters),
		    text_counted(field_number(end, "messages"), "message", messages), field_bool(end, "limited") ? " (stopped at --limit)" : "");
}

const struct printer print_dead = { .row = dead_row, .end = dead_end };

static void change_end(struct print *print, const json_t *end)
{
	char *clean = text_clean(field_text(end, "message"));

	columns_finish(&print->columns);
	if (field_number(end, "exit") == OPS_DONE)
		(void)fprintf(print->out, "%s%s\n", print->rows > 0 ? "\n" : "", clean);
	free(clean);
}

const struct printer print_dead_change = { .tells_end = true, .row = dead_row, .end = change_end };
