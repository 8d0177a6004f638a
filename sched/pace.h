/* sched/pace.h - how many connections a lane may have by its own experience: slow start, growth with success, half when throttled.
 *
 * Plain data and pure functions, as TCP's congestion window (RFC 5681 section 3.1): below a threshold one more for each delivery, above it one
 * more for each round of deliveries. A window that has reached the lane's limit is none, so that a healthy lane has nothing to remember. */
#ifndef SCHED_PACE_H
#define SCHED_PACE_H

#include "base/clock.h"
#include "base/err.h"

#define PACE_UNIT 256 /* a connection */

struct pace {
	uint32_t window;    /* in PACE_UNITs; 0: the limit alone counts */
	uint32_t threshold; /* in PACE_UNITs; 0: none was met yet */
	uint32_t flight;    /* answers to come that were asked for before the last cut: they cut no further */
	wall_ms used_at;    /* last start or answer; 0: never */
};

/* Connections at once; UINT32_MAX: as many as the limits allow. At least 1. */
uint32_t pace_limit(const struct pace *pace);

/* A lane begins to send at `now` with no connection and nothing under way: after idle_ms of silence it starts slowly. idle_ms 0: never. */
void pace_begin(struct pace *pace, int64_t idle_ms, wall_ms now);

/* A delivery succeeded; `limit` connections are allowed. A throttled one, with `active` others under way and `connections` open. Both return
 * whether what is worth keeping has changed. */
bool pace_grow(struct pace *pace, uint32_t limit, wall_ms now);
bool pace_cut(struct pace *pace, uint32_t connections, uint32_t active, wall_ms now);

#endif
