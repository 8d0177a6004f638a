/* sched/outlook.c - a look ahead: the copy of a cold lane's state goes through the days to come with the code that will send them. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sched/parts.h"

#define FULL 0.95 /* of the wanted volume, taken on one day */

/* What the provider takes of the lane in a day; it grows with the days on which enough was sent. */
struct ground {
	double limit, growth; /* limit 0: no end is known */
};

/* One day; returns what was taken. */
static uint32_t walk_day(struct warmup *w, const struct warmup_plan *plan, struct ground *ground, double want, wall_ms *now)
{
	wall_ms end = (*now / WARMUP_DAY_MS + 1) * WARMUP_DAY_MS, when = *now;
	uint32_t sent = 0;

	while (sent < want && *now < end) {
		struct warmup_answer answer = { 0 };
		uint32_t may = warmup_may(w, plan, (uint32_t)(want - sent) + 1, 0, *now, &when);

		if (may == 0) {
			if (when >= end || when <= *now)
				break;
			*now = when;
			continue;
		}
		warmup_claim(w, plan, may, *now);
		if (ground->limit > 0 && w->accepted + may > ground->limit)
			answer.throttled = may;
		else
			answer.delivered = may;
		warmup_answer(w, plan, &answer, *now);
		sent += answer.delivered;
	}
	*now = end;
	if (ground->limit > 0 && sent >= ground->limit / 2)
		ground->limit *= ground->growth;
	return sent;
}

static void walk(const struct cold *cold, double daily, struct ground ground, wall_ms now, struct sched_warm_path *out)
{
	struct warmup w = cold->state;
	wall_ms at = now + cold->offset;
	double behind = 0;

	*out = (struct sched_warm_path){ 0 };
	w.paused = 0;
	warmup_tick(&w, &cold->plan, at);
	for (unsigned day = 0; day < SCHED_WARM_AHEAD; day++) {
		double part = day == 0 ? 1 - (double)(at % WARMUP_DAY_MS) / (double)WARMUP_DAY_MS : 1;
		uint32_t had = day == 0 ? w.accepted : 0;
		uint32_t sent = walk_day(&w, &cold->plan, &ground, daily * part, &at);

		behind += daily * part - sent;
		out->volume[day] = had + sent;
		out->days = day + 1;
		if (had + sent >= FULL * daily) {
			out->full_at = at - cold->offset;
			break;
		}
	}
	out->waits = behind > 0 ? behind : 0;
}

/* Sources that the lane's share the mail of, in the largest pool; is one of them warm? */
static uint32_t companions(const struct sched *sched, const char *source, bool *warm_out)
{
	uint32_t most = 1;

	*warm_out = false;
	for (const struct pool *pool = sched->pool_names; pool != NULL; pool = pool->hh.next)
		for (uint32_t i = 0; i < pool->source_count; i++) {
			const struct source *member = slots_get(&sched->sources, pool->sources[i]);

			if (strcmp(member->name, source) != 0 || pool->source_count < most)
				continue;
			most = pool->source_count;
			*warm_out = pool->cold_count < pool->source_count;
		}
	return most;
}

static struct cold *nth(const struct sched *sched, size_t index)
{
	struct cold *cold = sched->colds;

	while (cold != NULL && (cold->conf == NULL || index-- > 0))
		cold = cold->hh.next;
	return cold;
}

bool sched_warm_lane(const struct sched *sched, size_t index, char source[SCHED_WARM_NAME], char destination[SCHED_WARM_NAME])
{
	const struct cold *cold = nth(sched, index);

	if (cold == NULL)
		return false;
	(void)snprintf(source, SCHED_WARM_NAME, "%.*s", (int)strcspn(cold->key, " "), cold->key);
	(void)snprintf(destination, SCHED_WARM_NAME, "%s", cold_destination(cold));
	return true;
}

void sched_warm_look_ahead(
    const struct sched *sched, size_t index, double daily, double growth, wall_ms now, struct sched_warm_outlook *out)
{
	const struct cold *cold = nth(sched, index);
	struct ground early = { 0 }, late = { 0 };
	char source[SCHED_WARM_NAME], destination[SCHED_WARM_NAME];
	double known;

	*out = (struct sched_warm_outlook){ 0 };
	if (!sched_warm_lane(sched, index, source, destination))
		return;
	out->share = daily / companions(sched, source, &out->warm_beside);
	out->is_warm = cold->state.phase == WARMUP_WARM;
	known = fmax(cold->state.base, fmax(cold->state.last, cold->state.mean));
	if (cold->plan.adapt) {
		late = (struct ground){ known, growth > 0 ? 1 + (growth - 1) / 2 : SCHED_WARM_GROWTH };
		if (growth > 0 && cold->state.phase == WARMUP_CLIMB)
			early = (struct ground){ known * 1.2, 1 + (growth - 1) * 1.5 };
	}
	if (out->is_warm)
		return;
	walk(cold, out->share, early, now, &out->early);
	walk(cold, out->share, late, now, &out->late);
}
