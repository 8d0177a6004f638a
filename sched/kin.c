/* sched/kin.c - what a cold lane learns from its relatives: from other sources at its destination, and from its own source elsewhere.
 *
 * A new address meets no other limit than the one before it did, as a rule: it goes up to there as if that were a day's volume, and on from there by
 * steps. An address that one provider has just blocked may be on a list that others read too: for some days it takes no bold steps anywhere. Both
 * follow from the stored states alone, so a restart forgets neither. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sched/parts.h"

#define LATELY_DAYS 30 /* since a first limit was met */
#define WARY_DAYS   3  /* after a block */

static struct cold *sibling(const struct sched *sched, const struct cold *cold, const struct conf_source *source)
{
	char *key = xasprintf("%s%s", source->name, strchr(cold->key, ' '));
	struct cold *found;

	HASH_FIND_STR(sched->colds, key, found);
	free(key);
	return found == cold ? NULL : found;
}

static bool within(int32_t day, int32_t since, int32_t days)
{
	return since > 0 && day >= since && day - since <= days;
}

static int32_t day_of(const struct cold *cold, wall_ms now)
{
	return (int32_t)((now + cold->offset) / WARMUP_DAY_MS);
}

/* The middle of what the others were taken of, by the factors between them; 0: none has met a limit. */
static double hint_of(const struct sched *sched, const struct cold *cold, wall_ms now)
{
	double sum = 0;
	unsigned count = 0;

	for (size_t i = 0; i < sched->conf->source_count; i++) {
		const struct cold *other = sched->conf->sources[i].plan != NULL ? sibling(sched, cold, &sched->conf->sources[i]) : NULL;

		if (other == NULL || other->state.phase != WARMUP_CLIMB ||
		    !within(day_of(cold, now), other->state.limit_day, LATELY_DAYS) || !(other->state.base >= 1))
			continue;
		sum += log(other->state.base);
		count++;
	}
	return count > 0 ? exp(sum / count) : 0;
}

void kin_refresh(struct sched *sched, struct cold *cold, wall_ms now)
{
	const struct source *source = cold->source;

	if (source == NULL)
		return;
	cold->plan.hint = cold->state.phase == WARMUP_EXPLORE ? hint_of(sched, cold, now) : 0;
	cold->plan.wary = false;
	for (unsigned i = 0; i < ARRAY_LEN(source->refusers); i++)
		if (source->refusers[i] != NULL && source->refusers[i] != cold &&
		    within(day_of(cold, now), source->refusers[i]->state.block_day, WARY_DAYS))
			cold->plan.wary = true;
}

/* Two are enough: whichever lane asks, one of them is another. */
static void note_block(struct source *source, const struct cold *cold)
{
	const struct cold **last = source->refusers;

	if (last[0] == cold)
		return;
	if (last[0] != NULL && last[0]->state.block_day > cold->state.block_day) {
		if (last[1] == NULL || last[1]->state.block_day < cold->state.block_day)
			last[1] = cold;
		return;
	}
	last[1] = last[0];
	last[0] = cold;
}

void kin_known(struct cold *cold)
{
	if (cold->source != NULL && cold->state.block_day > 0)
		note_block(cold->source, cold);
}

struct kin_mark kin_mark(const struct cold *cold)
{
	return (struct kin_mark){ cold->state.day, cold->state.block_day, cold->state.phase, cold->state.base };
}

void kin_tell(struct sched *sched, struct cold *cold, const struct kin_mark *before, wall_ms now)
{
	const struct warmup *w = &cold->state;

	if (w->block_day != before->block_day)
		kin_known(cold);
	if (w->day != before->day)
		kin_refresh(sched, cold, now);
	/* Nothing but days' ends and the operator change these. */
	if (w->phase == before->phase && !(w->base < before->base || w->base > before->base))
		return;
	for (size_t i = 0; i < sched->conf->source_count; i++) {
		struct cold *other = sched->conf->sources[i].plan != NULL ? sibling(sched, cold, &sched->conf->sources[i]) : NULL;

		if (other != NULL && other->state.phase == WARMUP_EXPLORE)
			kin_refresh(sched, other, now);
	}
}
