/* relay/relayq/outlook_svg.c - the forecast as a picture: recipients a day of each lane, at best and at worst. */
#include "relay/relayq/outlook_svg.h"

#include "base/err.h"
#include "relay/relayq/field.h"
#include "relay/relayq/picture.h"

#define DAYS_X 90

static void put_curve(struct picture *picture, size_t lane, enum picture_line line, const json_t *list)
{
	double volumes[DAYS_X];
	size_t count = json_array_size(list);

	if (count > DAYS_X)
		count = DAYS_X;
	for (size_t day = 0; day < count; day++)
		volumes[day] = (double)json_integer_value(json_array_get(list, day));
	picture_curve(picture, lane, line, 0, volumes, count);
}

bool outlook_svg_write(const char *file, const json_t *rows)
{
	struct picture picture;
	const json_t *row;
	size_t i;

	if (!picture_begin(&picture, file, "Recipients a day; dashed: at worst", DAYS_X, json_array_size(rows)))
		return false;
	json_array_foreach(rows, i, row) {
		put_curve(&picture, i, LINE_SOLID, json_object_get(row, "volumes_early"));
		put_curve(&picture, i, LINE_DASHED, json_object_get(row, "volumes_late"));
		picture_name(&picture, i, field_text(row, "source"), field_text(row, "destination"));
	}
	return picture_end(&picture);
}
