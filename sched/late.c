/* sched/late.c - destinations whose mail has cold addresses alone, and more of it than they may send in time. */
#include "sched/parts.h"

/* What one cold lane may still send today and, at today's budget, on each further day; its next day begins at *next_out. False: no limit. */
static bool room_of(const struct cold *cold, wall_ms now, double *left, double *daily, wall_ms *next_out)
{
	struct warmup today = cold->state;
	wall_ms next;

	warmup_tick(&today, &cold->plan, now + cold->offset);
	if (today.paused)
		return true;
	if (today.phase == WARMUP_WARM)
		return false;
	*daily += today.budget;
	if (today.halt != WARMUP_ENDED && today.used < today.budget)
		*left += today.budget - today.used;
	next = ((wall_ms)today.day + 1) * WARMUP_DAY_MS - cold->offset;
	if (*next_out == 0 || next < *next_out)
		*next_out = next;
	return true;
}

static bool has_warm(const struct sched *sched, const struct pool *pool)
{
	for (uint32_t i = 0; i < pool->source_count && pool->cold_count < pool->source_count; i++) {
		const struct source *source = slots_get(&sched->sources, pool->sources[i]);

		if (source->conf != NULL && source->conf->plan == NULL && !source->paused && !source->drained)
			return true;
	}
	return false;
}

/* The cold lanes of a destination that has no other ones; false: there are others, or none is known yet. */
static bool room_at(struct sched *sched, const struct dest *dest, wall_ms now, double *left, double *daily, wall_ms *next_out)
{
	const struct lane *lane;

	for (const struct bundle *b = dest->bundles; b != NULL; b = b->dest_next)
		if (share_waiting(b) != 0 && has_warm(sched, b->pool))
			return false;
	DL_FOREACH2(dest->lanes, lane, dest_next)
	{
		if (!lane->source->present || lane->source->paused || lane->source->drained)
			continue;
		if (lane->cold == NULL || !room_of(lane->cold, now, left, daily, next_out))
			return false;
	}
	return *next_out != 0;
}

void sched_late_each(struct sched *sched, wall_ms now, sched_late_fn fn, void *arg)
{
	int64_t most = sched->conf->warmup_late_ms;

	if (sched->conf->retry.expire_ms < most)
		most = sched->conf->retry.expire_ms;
	for (const struct dest *d = sched->dest_keys; d != NULL; d = d->hh_key.next) {
		struct sched_late late = { .destination = d->name, .waiting = d->rcpts[JOB_WAITING] };
		double left = 0, daily = 0, days;
		wall_ms next = 0;

		if (late.waiting == 0 || !room_at(sched, d, now, &left, &daily, &next) || (double)late.waiting <= left)
			continue;
		days = daily > 0 ? ((double)late.waiting - left) / daily : 1e6;
		late.gone_at = next + (int64_t)((days < 1000 ? days : 1000) * (double)WARMUP_DAY_MS);
		late.daily = (uint64_t)daily;
		if (late.gone_at > now + most)
			fn(arg, &late);
	}
}
