/* sched/yield.c - mail of a higher class does not wait for the tokens that a large job of a lower one saves up for.
 *
 * A job that lacks tokens shuts what they belong to (lane, destination, a tenant's ration) until there are enough for it. Whatever comes in
 * meanwhile of a higher class opens it again, takes its turn first and, when it lacks tokens too, waits for the fewer that it needs. A turn that the
 * lower class is owed, since it was passed over often enough, is not given up: so neither starves. */
#include "sched/parts.h"

#define LANES_SEEN 16
#define WHY_TOKENS ((unsigned)(WHY_LANE_RATE | WHY_SOURCE_RATE))

enum conf_priority yield_class(const struct line *line)
{
	unsigned waiting = share_waiting(line->share->bundle);
	bool owed = waiting != 0 && (enum conf_priority)__builtin_ctz(waiting) < line->priority;

	return owed ? PRIORITY_TRANSACTIONAL : line->priority;
}

void yield_closed(struct lane *lane, enum conf_priority class)
{
	lane->waits_as = (lane->reasons & ~WHY_TOKENS) == 0 ? class : PRIORITY_TRANSACTIONAL;
	lane->dest->yielding += lane->waits_as != PRIORITY_TRANSACTIONAL;
}

void yield_reopened(struct lane *lane)
{
	lane->dest->yielding -= lane->waits_as != PRIORITY_TRANSACTIONAL;
	lane->waits_as = PRIORITY_TRANSACTIONAL;
}

static void open_lanes(struct sched *sched, const struct share *share)
{
	struct dest *dest = share->bundle->dest;
	struct lane *lane, *next = dest->lanes;

	for (unsigned i = 0; i < LANES_SEEN && (lane = next) != NULL && dest->yielding > 0; i++) {
		next = lane->dest_next;
		if (lane->waits_as <= share->priority || !name_pool_has(share->bundle->pool, lane->source, NULL))
			continue;
		lane_reopen(sched, lane);
		lane_tidy(sched, lane, sched->now);
	}
}

void yield_to(struct sched *sched, const struct share *share)
{
	struct dest *dest = share->bundle->dest;

	if (dest->sated && dest->waits_as > share->priority) {
		dest->sated_until = 0;
		dest_refresh(sched, dest, sched->now);
	}
	ration_yield(sched, share->tenant, dest, share->priority, sched->now);
	open_lanes(sched, share);
}
