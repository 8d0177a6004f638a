/* sched/pace.c - the window of connections of a lane: additive growth, multiplicative cut. */
#include "sched/pace.h"

uint32_t pace_limit(const struct pace *pace)
{
	if (pace->window == 0)
		return UINT32_MAX;
	return pace->window < PACE_UNIT ? 1 : pace->window / PACE_UNIT;
}

void pace_begin(struct pace *pace, int64_t idle_ms, wall_ms now)
{
	if (idle_ms > 0 && (pace->used_at == 0 || now - pace->used_at >= idle_ms)) {
		pace->window = PACE_UNIT;
		pace->flight = 0;
	}
	pace->used_at = now;
}

/* Only a change of the whole number's magnitude is written down: a window that is a little too small grows again at once. */
static uint32_t magnitude(const struct pace *pace)
{
	return pace->window == 0 ? 0 : 32 - (uint32_t)__builtin_clz(pace->window);
}

bool pace_grow(struct pace *pace, uint32_t limit, wall_ms now)
{
	uint32_t before = magnitude(pace);
	bool cautious = pace->threshold != 0 && pace->window >= pace->threshold;

	pace->used_at = now;
	if (pace->flight > 0)
		pace->flight--;
	if (pace->window == 0)
		return false;
	pace->window += cautious ? PACE_UNIT * PACE_UNIT / pace->window : PACE_UNIT;
	if (limit != UINT32_MAX && pace->window >= (uint64_t)limit * PACE_UNIT)
		pace->window = pace->threshold = 0;
	/* The first growth of a lane that was idle is nothing to write about: without a threshold a new start does the same. */
	return pace->threshold != 0 ? magnitude(pace) != before : cautious;
}

bool pace_cut(struct pace *pace, uint32_t connections, uint32_t active, wall_ms now)
{
	uint32_t had = connections * PACE_UNIT;

	pace->used_at = now;
	if (pace->flight > 0) {
		pace->flight--;
		return false;
	}
	if (pace->window != 0 && pace->window < had)
		had = pace->window;
	pace->window = had / 2 > PACE_UNIT ? had / 2 : PACE_UNIT;
	pace->threshold = pace->window;
	pace->flight = active;
	return true;
}
