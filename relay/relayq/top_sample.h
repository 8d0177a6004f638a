/* relay/relayq/top_sample.h - what the daemon says at one moment, and how fast it went since the one before. Pure. */
#ifndef RELAYQ_TOP_SAMPLE_H
#define RELAYQ_TOP_SAMPLE_H

#include <jansson.h>

#include "base/clock.h"

enum top_part { TOP_TOTAL, TOP_DESTINATION, TOP_SOURCE, TOP_LANE, TOP_TENANT, TOP_ALERT, TOP_LATE, TOP_HOST, TOP_PARTS };
const char *top_part_name(enum top_part part); /* "destination" */

/* All zero is an empty one. */
struct top_sample {
	json_t *parts[TOP_PARTS]; /* arrays of objects, each with its "part"; NULL: nothing came */
	json_t *by_name;          /* destinations, those too that are left out: the next sample is compared with it */
	mono_ms at;
};

/* One row of the answer to `verb` (stats, source, alerts, hosts or top); copied. */
void top_sample_add(struct top_sample *sample, const char *verb, const json_t *row);

/*
 * Add to the total accepted_rate, and to it and each destination delivered_rate and bounced_rate: recipients a second since `before`. 0 where a
 * counter has gone back, or where there is nothing before. Then destinations without mail and without a rate are left out; first come those with
 * most in the queue, then the fastest. Lanes that are not open come before those that are.
 */
void top_sample_compare(struct top_sample *sample, const struct top_sample *before);

/* Borrowed; NULL when there is none. */
const json_t *top_sample_total(const struct top_sample *sample);

void top_sample_fini(struct top_sample *sample);

#endif
