/* sched/silence.c - silent blocks: a destination that a source cannot reach and another one can drops that source's packets.
 *
 * Whether it is the source or the destination is told apart by who else was answered: shortly before, or next. A source that is not heard
 * rests and is tried again by one connection after growing pauses. When nobody reaches the destination it is down, and no source is to blame. */
#include "sched/parts.h"

#define FRESH_MS MINUTES(15) /* what another source heard so long ago counts */
#define FIRST_MS MINUTES(1)  /* first pause; doubles up to the longest one */
#define OTHERS_MAX 64        /* sources of a pool that are looked at */

static void mark(struct sched *sched, struct lane *lane, wall_ms now)
{
	struct backoff backoff = backoff_of(sched, lane->dest, CLASS_TRANSIENT_SYSTEM);
	int64_t first = backoff.max_ms < FIRST_MS ? backoff.max_ms : FIRST_MS;

	lane->silent = true;
	/* Attempts that were under way together count once. */
	if (lane->paused_until > now)
		return;
	lane->silences += lane->silences < UINT8_MAX;
	lane_set_failures(sched, lane, lane->failures + 1);
	lane_shut(sched, lane, now + backoff_delay(first, backoff.max_ms, lane->silences, &sched->rand), WHY_LANE_SILENT, NULL);
	/* Its end is a time of its own: then a probe has its turn, however well the others do. */
	lane_close(sched, lane, WHY_LANE_SILENT, PRIORITY_TRANSACTIONAL, 1, lane->paused_until, now);
}

static bool was_heard_by_another(const struct lane *lane, wall_ms now)
{
	const struct dest *dest = lane->dest;

	return dest->heard_at != 0 && dest->heard_by != lane->source->handle && now - dest->heard_at <= FRESH_MS;
}

bool silence_met(struct sched *sched, struct lane *lane, wall_ms now)
{
	struct dest *dest = lane->dest;

	lane->unheard_at = now;
	if (!lane->silent && (dest->down || !was_heard_by_another(lane, now))) {
		dest->suspects = true;
		return false;
	}
	mark(sched, lane, now);
	return true;
}

/* Those that were not heard while this one was. */
static void judge_suspects(struct sched *sched, struct dest *dest, wall_ms now)
{
	struct lane *lane;

	dest->suspects = false;
	DL_FOREACH2(dest->lanes, lane, dest_next)
	{
		if (lane->unheard_at != 0 && !lane->silent && now - lane->unheard_at <= FRESH_MS) {
			mark(sched, lane, now);
			state_tell(sched, lane, now);
			recall_note_lane(sched, lane);
		}
	}
}

void silence_broken(struct sched *sched, struct lane *lane, wall_ms now)
{
	struct dest *dest = lane->dest;

	lane->unheard_at = 0;
	lane->silences = 0;
	if (lane->silent) {
		lane->silent = false;
		if (lane->shut_by == WHY_LANE_SILENT && lane->paused_until > now)
			lane_unshut(sched, lane);
		else
			lane_reopen(sched, lane);
	}
	dest->heard_at = now;
	dest->heard_by = lane->source->handle;
	if (dest->suspects)
		judge_suspects(sched, dest, now);
}

void silence_forgive(struct sched *sched, struct dest *dest, wall_ms now)
{
	struct lane *lane;

	DL_FOREACH2(dest->lanes, lane, dest_next)
	{
		if (!lane->silent || lane->unheard_at < dest->heard_at)
			continue;
		lane->silent = false;
		lane->silences = 0;
		dest->suspects = true;
		if (lane->shut_by == WHY_LANE_SILENT && lane->paused_until > now)
			lane_unshut(sched, lane);
		state_tell(sched, lane, now);
		recall_note_lane(sched, lane);
	}
}

bool silence_may_move(const struct sched *sched, const struct entry *e, wall_ms now)
{
	const struct domain *domain = domain_of(sched, e);
	const struct pool *pool = name_pool_of(sched, e);
	unsigned families = domain->families != 0 ? domain->families : FAMILY_ANY;

	if (e->lost >= LOST_MAX || domain->dest->down)
		return false;
	for (uint32_t i = 0; i < pool->source_count && i < OTHERS_MAX; i++) {
		const struct source *source = slots_get(&sched->sources, pool->sources[i]);
		const struct lane *lane = lane_find(sched, domain->dest, source);

		if (source->present && !source->paused && !source->drained && source->parked_until <= now &&
		    source->families & families && (lane == NULL || (lane->failures == 0 && lane->paused_until <= now)))
			return true;
	}
	return false;
}
