/* relay/relayq/top_page.h - the screen of top as lines of text: what goes first, what gives way when there is no room. Pure. */
#ifndef RELAYQ_TOP_PAGE_H
#define RELAYQ_TOP_PAGE_H

#include "relay/relayq/top_sample.h"

enum top_style { TOP_PLAIN, TOP_HEAD, TOP_TITLE, TOP_ALARM };

struct top_line {
	char *text; /* clean; owned */
	enum top_style style;
};

struct top_view {
	size_t width, height; /* 0: as much as there is */
	enum top_part only;   /* one section alone, from its row `offset` on; TOP_TOTAL: all of them */
	size_t offset;
	wall_ms now;
	const char *host;
	const char *hint;    /* the last line, where there is one to spare; or NULL */
	const char *trouble; /* why there are no figures, or NULL */
};

/* The lines, at most view->height of them; *lines_out is to be freed with top_page_free. Each section with rows gets its title and a fair share of
 * the room; what does not fit is told in its last line. */
size_t top_page(const struct top_sample *sample, const struct top_view *view, struct top_line **lines_out);
void top_page_free(struct top_line *lines, size_t count);

/* Rows of a section. */
size_t top_page_rows(const struct top_sample *sample, enum top_part part);

#endif
