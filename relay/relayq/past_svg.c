/* relay/relayq/past_svg.c - what cold lanes were allowed, delivered and were refused, day by day, as a picture. */
#include "relay/relayq/past_svg.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "relay/relayq/field.h"
#include "relay/relayq/picture.h"
#include "relay/relayq/text.h"

/* What is drawn of a day, each in a line of its own. */
static const struct kind {
	const char *key, *other; /* other: added to it */
	enum picture_line line;
} KINDS[] = {
	{ "budget", NULL, LINE_DASHED },
	{ "delivered", NULL, LINE_SOLID },
	{ "deferred", "blocked", LINE_DOTTED },
};

static size_t day_of(const json_t *row)
{
	return (size_t)(text_parse_time(field_text(row, "day")) / DAYS(1));
}

static bool same_lane(const json_t *a, const json_t *b)
{
	return strcmp(field_text(a, "source"), field_text(b, "source")) == 0 && strcmp(field_text(a, "destination"), field_text(b, "destination")) == 0;
}

/* A row of each lane. */
static json_t *lanes_of(const json_t *rows)
{
	json_t *lanes = json_array(), *row, *lane;
	size_t i, n;

	json_array_foreach(rows, i, row) {
		bool known = false;

		json_array_foreach(lanes, n, lane)
			known = known || same_lane(lane, row);
		if (!known)
			must(json_array_append(lanes, row) == 0);
	}
	return lanes;
}

/* Days without a row bring nothing. */
static void put_kind(struct picture *picture, size_t lane, const json_t *like, const json_t *rows, const struct kind *kind, size_t first)
{
	double *volumes = xcalloc(picture->days, sizeof(*volumes));
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		size_t day = day_of(row) - first;

		if (same_lane(row, like) && day < picture->days)
			volumes[day] = (double)field_number(row, kind->key) + (kind->other ? (double)field_number(row, kind->other) : 0);
	}
	picture_curve(picture, lane, kind->line, 0, volumes, picture->days);
	free(volumes);
}

bool past_svg_write(const char *file, const json_t *rows)
{
	size_t count = json_array_size(rows), first = SIZE_MAX, last = 0, i;
	struct picture picture;
	json_t *lanes, *row;
	bool ok;

	json_array_foreach(rows, i, row) {
		first = day_of(row) < first ? day_of(row) : first;
		last = day_of(row) > last ? day_of(row) : last;
	}
	lanes = lanes_of(rows);
	ok = picture_begin(&picture, file, "Recipients a day: delivered; dashed: the budget; dotted: deferred and blocked", count > 0 ? last - first + 1 : 1,
	    json_array_size(lanes));
	if (ok) {
		json_array_foreach(lanes, i, row) {
			for (size_t k = 0; k < ARRAY_LEN(KINDS); k++)
				put_kind(&picture, i, row, rows, &KINDS[k], first);
			picture_name(&picture, i, field_text(row, "source"), field_text(row, "destination"));
		}
		ok = picture_end(&picture);
	}
	json_decref(lanes);
	return ok;
}
