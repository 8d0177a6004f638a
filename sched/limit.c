/* sched/limit.c - limits that lanes have in common: of a destination from all sources, of a source to all destinations.
 *
 * A destination at its limit makes its bundles rest, which costs nothing. Lanes closed for their source's sake wait in a list: each decision
 * looks at one of them while the source has room, so that neither many destinations nor many starts make a decision dearer. */
#include "sched/parts.h"

/* --- destinations --- */

bool limit_dest_is_crowded(const struct dest *dest)
{
	uint32_t most = dest->provider != NULL ? dest->provider->total_connections : 0;

	return most != 0 && dest->connections >= most;
}

wall_ms limit_dest_rate(const struct sched *sched, const struct dest *dest, uint32_t rcpts, wall_ms now)
{
	const struct conf_provider *provider = dest->provider;

	return provider == NULL ? now
				: rate_next(dest->rate_full_us, provider->total_rate_count,
				      provider->total_rate_period_ms, rcpts, now);
}

bool limit_dest_open(struct sched *sched, struct dest *dest, uint32_t rcpts, enum conf_priority as, wall_ms now)
{
	wall_ms when = limit_dest_rate(sched, dest, rcpts, now);

	if (when <= now && !limit_dest_is_crowded(dest))
		return true;
	dest->sated_until = when;
	dest->waits_as = as;
	dest_refresh(sched, dest, now);
	return false;
}

/* --- sources --- */

bool limit_source_is_crowded(const struct source *source, bool connect)
{
	uint32_t most = source->conf != NULL ? source->conf->connections : 0;

	return most != 0 && source->connections + connect > most;
}

wall_ms limit_source_rate(const struct source *source, uint32_t rcpts, wall_ms now)
{
	const struct conf_source *conf = source->conf;

	return conf == NULL ? now : rate_next(source->rate_full_us, conf->rate_count, conf->rate_period_ms, rcpts, now);
}

/* Each of those that wait now is looked at once. */
void limit_offer(struct sched *sched, struct source *source)
{
	if (source->waiters == NULL)
		return;
	source->looks = source->waiter_count;
	source->wake_at = WALL_NEVER;
	if (source->roomy)
		return;
	source->roomy = true;
	DL_APPEND2(sched->roomy, source, prev, next);
}

static void no_more_room(struct sched *sched, struct source *source, wall_ms now)
{
	wall_ms when = limit_source_rate(source, 1, now);

	source->roomy = false;
	DL_DELETE2(sched->roomy, source, prev, next);
	if (when <= now || source->wake_at < when)
		when = source->wake_at;
	timer_set(sched, TIMER_SOURCE, source->handle, source->waiters != NULL ? when : WALL_NEVER);
}

void limit_wait(struct sched *sched, struct lane *lane, wall_ms when)
{
	struct source *source = lane->source;

	must(!lane->waiting);
	lane->waiting = true;
	DL_APPEND2(source->waiters, lane, wait_prev, wait_next);
	if (++source->waiter_count == 1)
		source->wake_at = WALL_NEVER; /* what those before waited for is over */
	if (!(lane->reasons & WHY_SOURCE_RATE))
		return;
	if (when < source->wake_at)
		source->wake_at = when;
	if (!source->roomy)
		timer_set(sched, TIMER_SOURCE, source->handle, source->wake_at);
}

void limit_unwait(struct lane *lane)
{
	lane->waiting = false;
	DL_DELETE2(lane->source->waiters, lane, wait_prev, wait_next);
	lane->source->waiter_count--;
}

bool limit_wake(struct sched *sched, wall_ms now)
{
	struct source *source;

	while ((source = sched->roomy) != NULL) {
		struct lane *lane = source->waiters;

		if (lane == NULL || source->looks == 0 || limit_source_is_crowded(source, true) ||
		    limit_source_rate(source, 1, now) > now) {
			no_more_room(sched, source, now);
			continue;
		}
		source->looks--;
		DL_DELETE2(sched->roomy, source, prev, next);
		DL_APPEND2(sched->roomy, source, prev, next);
		lane_reopen(sched, lane);
		lane_tidy(sched, lane, now);
		return true;
	}
	return false;
}

/* --- both --- */

void limit_charge(struct sched *sched, struct lane *lane, uint32_t rcpts, wall_ms now)
{
	const struct conf_provider *provider = lane->dest->provider;
	const struct conf_source *source = lane->source->conf;

	if (provider != NULL)
		lane->dest->rate_full_us = rate_take(
		    lane->dest->rate_full_us, provider->total_rate_count, provider->total_rate_period_ms, rcpts, now);
	if (source != NULL)
		lane->source->rate_full_us =
		    rate_take(lane->source->rate_full_us, source->rate_count, source->rate_period_ms, rcpts, now);
}

void limit_refund(struct sched *sched, struct lane *lane, uint32_t rcpts, wall_ms now)
{
	const struct conf_provider *provider = lane->dest->provider;
	const struct conf_source *source = lane->source->conf;

	if (provider != NULL && provider->total_rate_count > 0) {
		lane->dest->rate_full_us =
		    rate_give(lane->dest->rate_full_us, provider->total_rate_count, provider->total_rate_period_ms, rcpts);
		if (lane->dest->sated) {
			lane->dest->sated_until = limit_dest_rate(sched, lane->dest, 1, now);
			dest_refresh(sched, lane->dest, now);
		}
	}
	if (source != NULL && source->rate_count > 0) {
		lane->source->rate_full_us = rate_give(lane->source->rate_full_us, source->rate_count, source->rate_period_ms, rcpts);
		limit_offer(sched, lane->source);
	}
}

void limit_connected(struct sched *sched, struct lane *lane, wall_ms now)
{
	lane->connections++;
	lane->source->connections++;
	lane->dest->connections++;
	sched->connections++;
	if (limit_dest_is_crowded(lane->dest))
		dest_refresh(sched, lane->dest, now);
}

void limit_released(struct sched *sched, struct lane *lane, wall_ms now)
{
	lane->connections--;
	lane->source->connections--;
	lane->dest->connections--;
	sched->connections--;
	if (lane->dest->crowded)
		dest_refresh(sched, lane->dest, now);
	limit_offer(sched, lane->source);
}
