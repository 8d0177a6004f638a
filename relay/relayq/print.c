/* relay/relayq/print.c - answers for people: what each verb makes of the JSON objects of its answer. */
#include "relay/relayq/print.h"

#include <stdlib.h>
#include <string.h>

#include "queue/queue.h"
#include "relay/intake/base64.h"
#include "relay/ops/task.h"
#include "relay/relayq/field.h"
#include "relay/relayq/text.h"

static void put_json(struct print *print, const json_t *object)
{
	if (json_dumpf(object, print->out, JSON_COMPACT) != 0 || fputc('\n', print->out) == EOF)
		print->failed = true;
}

/* Text from elsewhere, cleaned, with words around it. */
static void put_line(struct print *print, const char *before, const char *text, const char *after)
{
	char *clean = text_clean(text);

	(void)fprintf(print->out, "%s%s%s\n", before, clean, after);
	free(clean);
}

/* --- list ------------------------------------------------------------------------------------------------------------------- */

/* "from SENDER (TENANT) via SOURCE to DESTINATION: REASON" */
static char *note_of(const json_t *row)
{
	const char *source = field_text(row, "source"), *reason = field_text(row, "reason"), *sender = field_text(row, "sender");

	if (!reason[0])
		reason = field_text(row, "reply");
	return xasprintf("from %s (%s)%s%s to %s%s%s", sender[0] ? sender : "<>", field_text(row, "tenant"), source[0] ? " via " : "",
	    source, field_text(row, "destination"), reason[0] ? ": " : "", reason);
}

static wall_ms arrival_of(const char *id)
{
	const char *dot = strchr(id, '.');
	msg_id value;

	return msg_id_parse(id, dot ? (size_t)(dot - id) : strlen(id), &value) ? msg_id_time(value) : 0;
}

static bool put_error(struct print *print, const json_t *row)
{
	const char *error = field_text(row, "error");

	if (error[0])
		(void)fprintf(print->err, "relayq: %s: %s\n", field_text(row, "id"), error);
	return error[0] != '\0';
}

static void list_row(struct print *print, const json_t *row)
{
	static const struct column COLUMNS[] = {
		{ "ID", false, 0 }, { "STATE", false, 0 }, { "AGE", true, 0 }, { "NEXT", true, 0 }, { "TRIES", true, 0 }, { "SIZE", true, 0 },
		{ "RECIPIENT", false, 12 },
	};
	char age[TEXT_SHORT], next[TEXT_SHORT], tries[TEXT_SHORT], size[TEXT_SHORT];
	const char *id = field_text(row, "id"), *cells[ARRAY_LEN(COLUMNS)];
	char *note;

	if (put_error(print, row))
		return;
	if (!print->columns)
		print->columns = columns_create(print->out, COLUMNS, ARRAY_LEN(COLUMNS), print->width);
	cells[0] = id;
	cells[1] = field_text(row, "state");
	cells[2] = text_span(print->now - arrival_of(id), age);
	cells[3] = text_relative(field_time(row, "next"), print->now, next);
	cells[4] = text_grouped(field_number(row, "attempts"), tries);
	cells[5] = text_size(field_number(row, "size"), size);
	cells[6] = field_text(row, "rcpt");
	note = note_of(row);
	columns_add(print->columns, cells, note);
	free(note);
	print->rows++;
}

static void list_end(struct print *print, const json_t *end)
{
	char rcpts[TEXT_SHORT + 24], messages[TEXT_SHORT + 24];

	columns_finish(&print->columns);
	if (field_text(end, "message")[0])
		return;
	(void)fprintf(print->out, "%s%s in %s%s\n", print->rows > 0 ? "\n" : "", text_counted(print->rows, "recipient", rcpts),
	    text_counted(field_number(end, "messages"), "message", messages), field_bool(end, "limited") ? " (stopped at --limit)" : "");
}

const struct printer print_list = { .row = list_row, .end = list_end };

/* --- retry, hold, release, drop, bounce ------------------------------------------------------------------------------------- */

static void change_end(struct print *print, const json_t *end)
{
	columns_finish(&print->columns);
	if (field_number(end, "exit") == OPS_DONE)
		put_line(print, print->rows > 0 ? "\n" : "", field_text(end, "message"), "");
}

const struct printer print_change = { .tells_end = true, .row = list_row, .end = change_end };

/* --- reload, pause, resume, check ------------------------------------------------------------------------------------------- */

static void outcome_row(struct print *print, const json_t *row)
{
	put_line(print, "", field_text(row, "finding"), "");
}

static void outcome_end(struct print *print, const json_t *end)
{
	if (field_number(end, "exit") == OPS_DONE)
		put_line(print, "", field_text(end, "message"), "");
}

const struct printer print_outcome = { .tells_end = true, .row = outcome_row, .end = outcome_end };
const struct printer print_check = { .tells_end = true, .row = outcome_row, .end = outcome_end };

/* --- cat -------------------------------------------------------------------------------------------------------------------- */

static void cat_row(struct print *print, const json_t *row)
{
	const char *text = field_text(row, "data");
	size_t size = strlen(text), len;
	char *data = xcalloc(1, size + 1);

	if (base64_decode(text, size, data, &len) != OK || fwrite(data, 1, len, print->out) != len)
		print->failed = true;
	free(data);
}

const struct printer print_cat = { .is_raw = true, .row = cat_row };

/* --- why -------------------------------------------------------------------------------------------------------------------- */

static void why_rcpt(struct print *print, const json_t *row)
{
	const char *reason = field_text(row, "reason"), *why = field_text(row, "why");
	wall_ms ask_again = field_time(row, "ask_again");
	char relative[TEXT_SHORT], date[TEXT_SHORT];
	char *head = xasprintf("%s %s to %s is %s", field_text(row, "id"), field_text(row, "rcpt"), field_text(row, "destination"),
	    field_text(row, "state"));

	put_line(print, "", head, "");
	free(head);
	if (why[0])
		put_line(print, "    ", why, "");
	if (reason[0] && strcmp(reason, why) != 0)
		put_line(print, "    because: ", reason, "");
	if (ask_again > 0)
		(void)fprintf(print->out, "    asked again %s (%s)\n", text_relative(ask_again, print->now, relative),
		    text_date(ask_again, date));
	else if (json_array_size(json_object_get(row, "reasons")) > 0)
		(void)fputs("    asked again when that changes\n", print->out);
	if (field_text(row, "priority")[0])
		(void)fprintf(print->out, "    class %s\n", field_text(row, "priority"));
	(void)fprintf(print->out, "    given up %s (%s)\n", text_relative(field_time(row, "deadline"), print->now, relative),
	    text_date(field_time(row, "deadline"), date));
}

static void why_row(struct print *print, const json_t *row)
{
	if (json_object_get(row, "line"))
		put_line(print, "", field_text(row, "line"), "");
	else
		why_rcpt(print, row);
}

const struct printer print_why = { .row = why_row };

/* --- source ----------------------------------------------------------------------------------------------------------------- */

/* "shut to gmail for 12m (lane-blocked: reputation-block); ...", or NULL. Takes nothing. */
static char *shut_lanes(const struct print *print, const json_t *row)
{
	const json_t *lanes = json_object_get(row, "shut"), *lane;
	char *text = NULL, *longer, left[TEXT_SHORT];
	size_t i;

	json_array_foreach(lanes, i, lane) {
		const char *class = field_text(lane, "class");

		longer = xasprintf("%s%sshut to %s until %s (%s%s%s)", text ? text : "", text ? "; " : "", field_text(lane, "destination"),
		    text_relative(field_time(lane, "until"), print->now, left), field_text(lane, "reason"), class[0] ? ": " : "", class);
		free(text);
		text = longer;
	}
	return text;
}

/* "last hour: 1,200 delivered, 3 deferred; last day: ..." without what is nought; "" nothing was tried. */
static char *figures_text(const json_t *row)
{
	static const struct {
		const char *key, *words;
	} periods[] = { { "hour", "last hour" }, { "day", "last day" } };
	static const char *const figures[] = { "delivered", "deferred", "blocked", "refused" };
	char *text = xstrdup("");

	for (size_t p = 0; p < ARRAY_LEN(periods); p++) {
		const json_t *period = json_object_get(row, periods[p].key);
		const char *before = text[0] ? "; " : "", *word = periods[p].words, *colon = ":";

		for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
			char number[TEXT_SHORT], *longer;

			if (field_number(period, figures[i]) == 0)
				continue;
			longer = xasprintf("%s%s%s%s %s %s", text, before, word, colon, text_grouped(field_number(period, figures[i]), number),
			    figures[i]);
			free(text);
			text = longer;
			before = ",";
			word = colon = "";
		}
	}
	return text;
}

/* The line below a source: blocklists that name it, what became of its mail, and where it is shut. NULL: nothing to tell. */
static char *source_note(const struct print *print, const json_t *row)
{
	char *figures = figures_text(row), *shut = shut_lanes(print, row), *listed = field_joined(row, "listed", "; "), *note = NULL;
	bool more = figures[0] || shut;

	if (more || listed[0])
		note = xasprintf("%s%s%s%s%s", listed, listed[0] && more ? "; " : "", figures, figures[0] && shut ? "; " : "", shut ? shut : "");
	free(figures);
	free(shut);
	free(listed);
	return note;
}

static void source_row(struct print *print, const json_t *row)
{
	static const struct column COLUMNS[] = {
		{ "SOURCE", false, 0 }, { "ADDRESS", false, 0 }, { "EHLO", false, 12 }, { "WARM-UP", false, 0 }, { "POOLS", false, 8 },
		{ "CONN", true, 0 }, { "STATE", false, 0 },
	};
	const char *cells[ARRAY_LEN(COLUMNS)], *warmup = field_text(row, "warmup"), *ip = field_text(row, "ip"), *state = field_text(row, "state");
	char *pools = field_joined(row, "pools", ", "), *note = source_note(print, row), connections[TEXT_SHORT];

	if (!print->columns)
		print->columns = columns_create(print->out, COLUMNS, ARRAY_LEN(COLUMNS), print->width);
	cells[0] = field_text(row, "source");
	cells[1] = ip[0] ? ip : "any";
	cells[2] = field_text(row, "ehlo");
	cells[3] = warmup[0] ? warmup : "warm";
	cells[4] = pools;
	cells[5] = text_grouped(field_number(row, "connections"), connections);
	cells[6] = state[0] ? state : "-";
	columns_add(print->columns, cells, note);
	free(pools);
	free(note);
}

static void source_end(struct print *print, const json_t *end)
{
	const char *message = field_text(end, "message");

	columns_finish(&print->columns);
	if (field_number(end, "exit") == OPS_DONE && message[0])
		(void)fprintf(print->out, "%s\n", message);
}

const struct printer print_source = { .row = source_row, .end = source_end };

/* --- the answer ------------------------------------------------------------------------------------------------------------- */

void print_row(struct print *print, const struct printer *printer, const json_t *row)
{
	if (print->json && !printer->is_raw)
		put_json(print, row);
	else
		printer->row(print, row);
}

void print_finish(struct print *print, const json_t *end, const char *none)
{
	const char *message = field_text(end, "message");

	columns_finish(&print->columns);
	if (field_number(end, "exit") != OPS_DONE)
		return;
	if (message[0])
		(void)fprintf(print->out, "%s\n", message);
	else if (print->rows == 0)
		(void)fputs(none, print->out);
}

void print_end(struct print *print, const struct printer *printer, const json_t *end)
{
	const char *message = field_text(end, "message");
	bool refused = field_number(end, "exit") != OPS_DONE;

	if (print->json && !printer->is_raw) {
		if (printer->tells_end)
			put_json(print, end);
	} else if (printer->end) {
		printer->end(print, end);
	}
	if (fflush(print->out) != 0 || ferror(print->out))
		print->failed = true;
	if (refused && message[0])
		(void)fprintf(print->err, "relayq: %s%s", message, message[strlen(message) - 1] == '\n' ? "" : "\n");
	columns_finish(&print->columns);
	for (size_t i = 0; i < print->reason_count; i++)
		free(print->reasons[i].text);
	free(print->reasons);
	json_decref(print->held);
	print->held = NULL;
	print->reasons = NULL;
	print->reason_count = 0;
}
