/* sched/timer.c - the times at which lanes, destinations and domains change by themselves. */
#include "sched/parts.h"

static void lane_due(struct sched *sched, uint32_t handle, wall_ms now)
{
	struct lane *lane = slots_get(&sched->lanes, handle);

	lane_reopen(sched, lane);
	if (lane->silent && lane->paused_until <= now)
		lane_set_failures(sched, lane, 0); /* its probe is not left to the last */
	state_tell(sched, lane, now);
	lane_tidy(sched, lane, now);
}

/* Nobody has used the lane for so long that its failures mean nothing any more. */
static void lane_idle(struct sched *sched, uint32_t handle, wall_ms now)
{
	struct lane *lane = slots_get(&sched->lanes, handle);

	state_forget(sched, lane, now);
	recall_note_lane(sched, lane);
	lane_tidy(sched, lane, now);
}

static void dest_due(struct sched *sched, uint32_t handle, wall_ms now)
{
	struct dest *dest = slots_get(&sched->dests, handle);

	dest_refresh(sched, dest, now);
	dest_tidy(sched, dest, now);
}

static void domain_due(struct sched *sched, uint32_t handle, wall_ms now)
{
	domain_want(sched, slots_get(&sched->domains, handle), now);
}

static void source_due(struct sched *sched, uint32_t handle, wall_ms now)
{
	limit_offer(sched, slots_get(&sched->sources, handle));
}

static void (*const handlers[TIMER_KINDS])(struct sched *, uint32_t, wall_ms) = {
	[TIMER_LANE] = lane_due,
	[TIMER_DEST] = dest_due,
	[TIMER_DOMAIN] = domain_due,
	[TIMER_SOURCE] = source_due,
	[TIMER_RATION] = ration_due,
};

void timer_now(struct sched *sched, wall_ms now)
{
	bool back = now < sched->now - MINUTES(1);

	sched->now = now;
	if (back)
		cold_clock(sched);
}

void timer_set(struct sched *sched, enum timer_kind kind, uint32_t handle, wall_ms when)
{
	uint32_t ref = handle << TIMER_KIND_BITS | (uint32_t)kind;

	if (when == WALL_NEVER)
		heap_remove(&sched->timers, ref);
	else
		heap_set(&sched->timers, ref, when);
}

void timer_chore(struct sched *sched, const struct lane *lane, wall_ms when)
{
	if (when == WALL_NEVER)
		heap_remove(&sched->chores, lane->handle);
	else
		heap_set(&sched->chores, lane->handle, when);
}

void timer_run(struct sched *sched, wall_ms now)
{
	while (heap_top_key(&sched->chores) <= now) {
		uint32_t handle = heap_top(&sched->chores);

		heap_remove(&sched->chores, handle);
		lane_idle(sched, handle, now);
	}
	while (heap_top_key(&sched->timers) <= now) {
		uint32_t ref = heap_top(&sched->timers);

		heap_remove(&sched->timers, ref);
		handlers[ref & ((1u << TIMER_KIND_BITS) - 1)](sched, ref >> TIMER_KIND_BITS, now);
	}
}
