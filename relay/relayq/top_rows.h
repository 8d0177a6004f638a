/* relay/relayq/top_rows.h - the tables of top: what a destination, source, lane, tenant or trouble has in its columns. Pure. */
#ifndef RELAYQ_TOP_ROWS_H
#define RELAYQ_TOP_ROWS_H

#include "base/err.h"
#include "relay/relayq/top_sample.h"

/* The table of a part as text: a line of titles and one for each row, no wider than `width` (0: as wide as it is); "" without rows. malloc'ed. */
char *top_rows(const struct top_sample *sample, enum top_part part, size_t width, wall_ms now) MUST_USE;

/* "12.3", "1,234": recipients a second or so. */
#define TOP_RATE 40
char *top_rows_rate(double rate, char out[TOP_RATE]);

#endif
