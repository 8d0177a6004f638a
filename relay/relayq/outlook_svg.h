/* relay/relayq/outlook_svg.h - the forecast as a picture. */
#ifndef RELAYQ_OUTLOOK_SVG_H
#define RELAYQ_OUTLOOK_SVG_H

#include <jansson.h>
#include <stdbool.h>

/* Write `rows`, an array of the objects of a forecast, to `file`, which is replaced. False: errno says why. */
bool outlook_svg_write(const char *file, const json_t *rows);

#endif
