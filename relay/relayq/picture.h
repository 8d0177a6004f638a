/* relay/relayq/picture.h - a picture of volumes a day as SVG: a curve or more for each cold lane, on a logarithmic scale. */
#ifndef RELAYQ_PICTURE_H
#define RELAYQ_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum picture_line { LINE_SOLID, LINE_DASHED, LINE_DOTTED };

struct picture {
	FILE *out;
	size_t lanes, days; /* that it has room for */
};

/* Begin `file`, which is replaced. `title` is ours. False: errno says why. */
bool picture_begin(struct picture *picture, const char *file, const char *title, size_t days, size_t lanes);

/* The curve of a lane, from its number on: the volume at the end of each of `count` days, the first of which is `first` days after the left edge. */
void picture_curve(struct picture *picture, size_t lane, enum picture_line line, size_t first, const double *volumes, size_t count);

/* Its name beside the curves, any text. */
void picture_name(struct picture *picture, size_t lane, const char *source, const char *destination);

/* False: it could not be written, errno says why. */
bool picture_end(struct picture *picture);

#endif
