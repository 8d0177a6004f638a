/* relay/relayq/past_svg.h - the days of cold lanes as a picture. */
#ifndef RELAYQ_PAST_SVG_H
#define RELAYQ_PAST_SVG_H

#include <jansson.h>
#include <stdbool.h>

/* Write `rows`, an array of the objects of a warm-up's history in the order of their days, to `file`, which is replaced. False: errno says why. */
bool past_svg_write(const char *file, const json_t *rows);

#endif
