/* relay/relayq/top_page.c - the screen of top as lines of text: what goes first, what gives way when there is no room. Pure. */
#include "relay/relayq/top_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/relayq/field.h"
#include "relay/relayq/text.h"
#include "relay/relayq/top_rows.h"

/* In the order of the screen: what is wrong, then what goes on. */
static const enum top_part ORDER[] = { TOP_ALERT, TOP_LATE, TOP_HOST, TOP_DESTINATION, TOP_SOURCE, TOP_LANE, TOP_TENANT };

struct page {
	const struct top_view *view;
	struct top_line *lines;
	size_t count, room; /* room for */
};

struct section {
	enum top_part part;
	char *text;    /* its table; owned */
	size_t rows;   /* without the titles */
	size_t given;  /* lines that it may have, with its titles */
};

/* --- lines ------------------------------------------------------------------------------------------------------------------ */

static bool is_full(const struct page *page)
{
	return page->view->height > 0 && page->count >= page->view->height;
}

/* Takes the text; cut to the width. */
static void add_line(struct page *page, enum top_style style, char *text)
{
	size_t width;

	if (is_full(page)) {
		free(text);
		return;
	}
	if (page->view->width > 0)
		text[text_prefix(text, page->view->width, &width)] = '\0';
	if (page->count == page->room) {
		page->room = page->room ? 2 * page->room : 64;
		page->lines = xrealloc(page->lines, page->room * sizeof(page->lines[0]));
	}
	page->lines[page->count++] = (struct top_line){ .text = text, .style = style };
}

static char *cleaned(char *text)
{
	char *clean = text_clean(text);

	free(text);
	return clean;
}

/* --- the head --------------------------------------------------------------------------------------------------------------- */

static void add_first(struct page *page, const json_t *total)
{
	const struct top_view *view = page->view;
	wall_ms started = field_time(total, "started");
	char date[TEXT_SHORT], up[TEXT_SHORT];

	add_line(page, TOP_HEAD, cleaned(xasprintf("warmrelay %s%s%s%s%s  %s", field_text(total, "version"), total ? " on " : "on ", view->host,
	    started > 0 ? "  up " : "", started > 0 ? text_span(view->now - started, up) : "", text_date(view->now, date))));
}

static void add_queue(struct page *page, const json_t *total)
{
	static const char *const STATES[] = { "waiting", "active", "deferred", "held", "blocked" };
	wall_ms oldest = field_time(total, "oldest");
	char number[TEXT_SHORT], *line = xstrdup("Queue  ");

	for (size_t i = 0; i < ARRAY_LEN(STATES); i++) {
		char *longer = xasprintf("%s%s%s %s", line, i > 0 ? ", " : "", text_grouped(field_number(total, STATES[i]), number), STATES[i]);

		free(line);
		line = longer;
	}
	if (oldest > 0) {
		char *longer = xasprintf("%s; the oldest %s", line, text_span(page->view->now - oldest, number));

		free(line);
		line = longer;
	}
	add_line(page, TOP_PLAIN, line);
}

static double rate(const json_t *total, const char *key)
{
	return json_real_value(json_object_get(total, key));
}

static void add_rates(struct page *page, const json_t *total)
{
	char in[TOP_RATE], out[TOP_RATE], bad[TOP_RATE], connections[TEXT_SHORT + 24];

	add_line(page, TOP_PLAIN, xasprintf("Flow   %s/s in, %s/s delivered, %s/s bounced; %s out", top_rows_rate(rate(total, "accepted_rate"), in),
	    top_rows_rate(rate(total, "delivered_rate"), out), top_rows_rate(rate(total, "bounced_rate"), bad),
	    text_counted(field_number(total, "connections"), "connection", connections)));
}

static void add_store(struct page *page, const json_t *total)
{
	uint64_t quota = field_number(total, "quota_bytes");
	char used[TEXT_SHORT], limit[TEXT_SHORT], rest[TEXT_SHORT], dead[TEXT_SHORT + 24];

	add_line(page, TOP_PLAIN, xasprintf("Store  %s%s%s used, %s free on the disk; %s", text_size(field_number(total, "used_bytes"), used),
	    quota > 0 ? " of " : "", quota > 0 ? text_size(quota, limit) : "", text_size(field_number(total, "free_bytes"), rest),
	    text_counted(field_number(total, "dead"), "dead letter", dead)));
	if (!field_bool(total, "complete"))
		add_line(page, TOP_ALARM, xstrdup("Entries are still being read back: these counts are not complete yet."));
}

static void add_head(struct page *page, const struct top_sample *sample)
{
	const json_t *total = top_sample_total(sample);

	add_first(page, total);
	if (page->view->trouble)
		add_line(page, TOP_ALARM, text_clean(page->view->trouble));
	if (!total)
		return;
	add_queue(page, total);
	add_rates(page, total);
	add_store(page, total);
}

/* --- sections --------------------------------------------------------------------------------------------------------------- */

size_t top_page_rows(const struct top_sample *sample, enum top_part part)
{
	return json_array_size(sample->parts[part]);
}

/* A line for each in turn until all is given: nobody starves, and what a short one leaves goes to the others. An empty line goes before each. */
static void share_room(struct section *sections, size_t count, size_t room)
{
	bool more = true;

	while (more && room > 0) {
		more = false;
		for (size_t i = 0; i < count && room > 0; i++) {
			size_t least = sections[i].given == 0 ? 3 : 1; /* the empty line, titles and a row */

			if (sections[i].given > sections[i].rows || room < least)
				continue;
			sections[i].given += sections[i].given == 0 ? 2 : 1;
			room -= least;
			more = true;
		}
	}
}

static char *line_at(char **rest)
{
	char *line = strsep(rest, "\n");

	return line && (line[0] || *rest) ? line : NULL;
}

/* Titles and rows from `offset` on; the last line tells what is left out. */
static void add_section(struct page *page, const struct section *section, size_t offset)
{
	enum top_style style = section->part == TOP_ALERT || section->part == TOP_LATE || section->part == TOP_HOST ? TOP_ALARM : TOP_PLAIN;
	size_t shown = section->given - 1, hidden = section->rows - offset > shown ? section->rows - offset - shown + 1 : 0;
	char *rest = section->text, *line = line_at(&rest);

	if (hidden > 0)
		shown--;
	add_line(page, TOP_PLAIN, xstrdup(""));
	add_line(page, TOP_TITLE, xstrdup(line ? line : ""));
	for (size_t i = 0; i < offset + shown && (line = line_at(&rest)); i++)
		if (i >= offset)
			add_line(page, style, xstrdup(line));
	if (hidden > 0)
		add_line(page, TOP_PLAIN, xasprintf("(%zu more)", hidden));
}

static void add_sections(struct page *page, const struct top_sample *sample)
{
	const struct top_view *view = page->view;
	struct section sections[ARRAY_LEN(ORDER)];
	size_t count = 0, room = view->height > page->count ? view->height - page->count : 0;

	for (size_t i = 0; i < ARRAY_LEN(ORDER); i++) {
		size_t rows = top_page_rows(sample, ORDER[i]);

		if (rows == 0 || (view->only != TOP_TOTAL && view->only != ORDER[i]))
			continue;
		sections[count++] = (struct section){ .part = ORDER[i], .rows = rows, .text = top_rows(sample, ORDER[i], view->width, view->now) };
	}
	share_room(sections, count, view->height > 0 ? room : SIZE_MAX);
	for (size_t i = 0; i < count; i++) {
		if (sections[i].given > 0)
			add_section(page, &sections[i], view->only == TOP_TOTAL || view->offset >= sections[i].rows ? 0 : view->offset);
		free(sections[i].text);
	}
	if (count == 0 && view->only != TOP_TOTAL)
		add_line(page, TOP_PLAIN, xasprintf("(no %s)", top_part_name(view->only)));
}

size_t top_page(const struct top_sample *sample, const struct top_view *view, struct top_line **lines_out)
{
	struct top_view above = *view;
	struct page page = { .view = &above };
	bool hinted = view->hint && view->height > 2;

	above.height -= hinted;
	add_head(&page, sample);
	add_sections(&page, sample);
	if (hinted) {
		while (!is_full(&page))
			add_line(&page, TOP_PLAIN, xstrdup(""));
		page.view = view;
		add_line(&page, TOP_HEAD, xstrdup(view->hint));
	}
	*lines_out = page.lines;
	return page.count;
}

void top_page_free(struct top_line *lines, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(lines[i].text);
	free(lines);
}
