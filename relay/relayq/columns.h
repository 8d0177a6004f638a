/* relay/relayq/columns.h - aligned columns for rows that stream in: the first rows decide on the widths. */
#ifndef RELAYQ_COLUMNS_H
#define RELAYQ_COLUMNS_H

#include <stdio.h>

#include "base/err.h"

#define COLUMNS_MAX    12
#define COLUMNS_SAMPLE 1000 /* rows that decide */

struct column {
	const char *title;
	bool right;   /* numbers */
	size_t least; /* on a narrow terminal it is cut to no less; 0: never cut */
};

struct columns;

/* `width` of the terminal in columns; 0: no terminal, nothing is ever cut. `column` is borrowed for the life of it. */
struct columns *columns_create(FILE *out, const struct column *column, size_t count, size_t width) MUST_USE;

/* One row of as many cells as there are columns; NULL is "". `note`: a remark below the row on a terminal, at its end elsewhere; NULL:
 * none. All copied and cleaned. */
void columns_add(struct columns *columns, const char *const *cells, const char *note);

/* Print what is held back; titles only when there was a row. Sets the pointer to NULL; NULL inside is accepted. */
void columns_finish(struct columns **columns);

#endif
