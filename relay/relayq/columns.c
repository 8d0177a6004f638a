/* relay/relayq/columns.c - aligned columns for rows that stream in: the first rows decide on the widths. */
#include "relay/relayq/columns.h"

#include <stdlib.h>
#include <string.h>

#include "relay/relayq/text.h"

#define GAP         2 /* between two columns */
#define NOTE_INDENT 4
#define NOTE_TITLE  "DETAIL" /* where it is a column */

struct row {
	char *cells[COLUMNS_MAX];
	char *note; /* or NULL */
};

struct columns {
	FILE *out;
	const struct column *column;
	size_t count, width;
	size_t widths[COLUMNS_MAX];
	struct row *held; /* until the widths are decided */
	size_t held_count;
	bool decided;
};

struct columns *columns_create(FILE *out, const struct column *column, size_t count, size_t width)
{
	struct columns *columns = xcalloc(1, sizeof(*columns));

	must(count <= COLUMNS_MAX);
	*columns = (struct columns){ .out = out, .column = column, .count = count, .width = width };
	columns->held = xcalloc(COLUMNS_SAMPLE, sizeof(columns->held[0]));
	return columns;
}

/* --- printing --------------------------------------------------------------------------------------------------------------- */

static void put_spaces(const struct columns *columns, size_t count)
{
	(void)fprintf(columns->out, "%*s", (int)count, "");
}

/* At most `room` columns of the text (SIZE_MAX: all), with an ellipsis in the last one when it is cut; returns what it took. */
static size_t put_cut(const struct columns *columns, const char *text, size_t room)
{
	size_t width, bytes = text_prefix(text, room, &width);

	if (text[bytes] && room > 0) {
		bytes = text_prefix(text, room - 1, &width);
		(void)fprintf(columns->out, "%.*s…", (int)bytes, text);
		return width + 1;
	}
	(void)fputs(text, columns->out);
	return width;
}

static void put_cell(const struct columns *columns, size_t i, const char *text, bool is_last)
{
	size_t room = columns->widths[i], width;

	if (columns->column[i].right) {
		width = text_width(text);
		if (width < room)
			put_spaces(columns, room - width);
		(void)fputs(text, columns->out);
		width = width < room ? room : width;
	} else {
		width = put_cut(columns, text, columns->width && columns->column[i].least ? room : SIZE_MAX);
	}
	if (is_last)
		return;
	put_spaces(columns, (width < room ? room - width : 0) + GAP);
}

/* Bytes of the first line of a text that needs more than one: up to a space, if there is one. */
static size_t line_break(const char *text, size_t room)
{
	size_t width, bytes = text_prefix(text, room, &width), space = bytes;

	while (text[bytes] && space > 0 && text[space] != ' ')
		space--;
	return text[bytes] && space > 0 ? space : bytes;
}

/* Below the row on a terminal, in up to two lines; elsewhere a last column. */
static void put_note(const struct columns *columns, const char *note)
{
	size_t room = columns->width > NOTE_INDENT ? columns->width - NOTE_INDENT : 0, first;

	if (room == 0) {
		(void)fputs(note, columns->out);
		return;
	}
	first = line_break(note, room);
	(void)fprintf(columns->out, "\n%*s%.*s", NOTE_INDENT, "", (int)first, note);
	for (note += first; *note == ' ';)
		note++;
	if (!*note)
		return;
	(void)fprintf(columns->out, "\n%*s", NOTE_INDENT, "");
	(void)put_cut(columns, note, room);
}

static void put_row(const struct columns *columns, const char *const *cells, const char *note)
{
	bool note_beside = note && columns->width == 0;

	for (size_t i = 0; i < columns->count; i++)
		put_cell(columns, i, cells[i], i + 1 == columns->count && !note_beside);
	if (note)
		put_note(columns, note);
	(void)fputc('\n', columns->out);
}

/* --- widths ----------------------------------------------------------------------------------------------------------------- */

static void measure(struct columns *columns)
{
	for (size_t i = 0; i < columns->count; i++) {
		columns->widths[i] = text_width(columns->column[i].title);
		for (size_t r = 0; r < columns->held_count; r++) {
			size_t width = text_width(columns->held[r].cells[i]);

			if (width > columns->widths[i])
				columns->widths[i] = width;
		}
	}
}

/* The widest column that may give way, or COLUMNS_MAX. */
static size_t widest(const struct columns *columns)
{
	size_t best = COLUMNS_MAX;

	for (size_t i = 0; i < columns->count; i++)
		if (columns->column[i].least > 0 && columns->widths[i] > columns->column[i].least &&
		    (best == COLUMNS_MAX || columns->widths[i] > columns->widths[best]))
			best = i;
	return best;
}

/* Take from the widest until the row fits; when nothing can give way the terminal wraps it. */
static void fit(struct columns *columns)
{
	size_t total = GAP * (columns->count - 1), victim;

	for (size_t i = 0; i < columns->count; i++)
		total += columns->widths[i];
	for (; columns->width > 0 && total > columns->width; total--) {
		victim = widest(columns);
		if (victim == COLUMNS_MAX)
			return;
		columns->widths[victim]--;
	}
}

static void row_free(struct row *row)
{
	for (size_t i = 0; i < COLUMNS_MAX; i++)
		free(row->cells[i]);
	free(row->note);
	*row = (struct row){ .note = NULL };
}

static void decide(struct columns *columns)
{
	const char *titles[COLUMNS_MAX];

	if (columns->decided)
		return;
	columns->decided = true;
	measure(columns);
	fit(columns);
	for (size_t i = 0; i < columns->count; i++)
		titles[i] = columns->column[i].title;
	if (columns->held_count > 0)
		put_row(columns, titles, columns->width == 0 && columns->held[0].note ? NOTE_TITLE : NULL);
	for (size_t r = 0; r < columns->held_count; r++) {
		put_row(columns, (const char *const *)columns->held[r].cells, columns->held[r].note);
		row_free(&columns->held[r]);
	}
	columns->held_count = 0;
}

void columns_add(struct columns *columns, const char *const *cells, const char *note)
{
	struct row row = { .note = note && note[0] ? text_clean(note) : NULL };

	for (size_t i = 0; i < columns->count; i++)
		row.cells[i] = text_clean(cells[i] ? cells[i] : "");
	if (columns->decided) {
		put_row(columns, (const char *const *)row.cells, row.note);
		row_free(&row);
		return;
	}
	columns->held[columns->held_count++] = row;
	if (columns->held_count == COLUMNS_SAMPLE)
		decide(columns);
}

void columns_finish(struct columns **columns)
{
	struct columns *c = *columns;

	*columns = NULL;
	if (!c)
		return;
	decide(c);
	free(c->held);
	free(c);
}
