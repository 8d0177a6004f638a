/* sched/almanac.c - finished days of cold lanes: what was planned, allowed, sent and answered, for the store and for charts of the past. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bigend.h"
#include "sched/parts.h"

#define VERSION 1

/* A finished day that nobody has taken yet. */
struct leaf {
	struct sched_warm_day day;
	struct leaf *prev, *next;
};

static void fill(const struct cold *cold, struct sched_warm_day *out)
{
	const struct warmup *w = &cold->state;

	*out = (struct sched_warm_day){ .day = w->day,
		.planned = warmup_planned(&cold->plan, w->step),
		.budget = w->phase == WARMUP_WARM ? 0 : w->budget,
		.used = w->used,
		.accepted = w->accepted,
		.deferred = w->throttled + w->deferred,
		.blocked = w->blocked,
		.unknown = w->unknown,
		.complained = w->complained,
		.total = w->beside };
	(void)snprintf(out->source, sizeof(out->source), "%.*s", (int)strcspn(cold->key, " "), cold->key);
	(void)snprintf(out->destination, sizeof(out->destination), "%s", cold_destination(cold));
}

void almanac_close(struct cold *cold, uint32_t claimed, wall_ms now)
{
	struct sched *sched = cold->sched;
	struct leaf *leaf;

	if (!cold->state.started || cold->state.day >= (int32_t)((now + cold->offset) / WARMUP_DAY_MS) || cold->conf == NULL)
		return;
	cold_beside(cold);
	cold->state.beside -= claimed < cold->state.beside ? claimed : cold->state.beside;
	leaf = model_alloc(sched, sizeof(*leaf));
	fill(cold, &leaf->day);
	DL_APPEND(sched->leaves, leaf);
}

bool sched_warm_day_next(struct sched *sched, struct sched_warm_day *out)
{
	struct leaf *leaf = sched->leaves;

	if (leaf == NULL)
		return false;
	*out = leaf->day;
	DL_DELETE(sched->leaves, leaf);
	model_free(sched, leaf, sizeof(*leaf));
	return true;
}

void almanac_fini(struct sched *sched)
{
	struct sched_warm_day day;

	while (sched_warm_day_next(sched, &day))
		;
}

void sched_warm_today(struct sched *sched, wall_ms now, sched_warm_day_fn fn, void *arg)
{
	struct sched_warm_day day;

	for (struct cold *cold = sched->colds; cold != NULL; cold = cold->hh.next) {
		if (cold->conf == NULL || !cold->state.started ||
		    cold->state.day != (int32_t)((now + cold->offset) / WARMUP_DAY_MS))
			continue;
		cold_beside(cold);
		fill(cold, &day);
		fn(arg, &day);
	}
}

/* --- the stored form: version, then nine numbers of four bytes; day and names are in the row's name ------------------------------ */

#define NUMBERS 9

static void numbers(struct sched_warm_day *day, uint32_t *out[NUMBERS])
{
	uint32_t *all[NUMBERS] = { &day->planned, &day->budget, &day->used, &day->accepted, &day->deferred, &day->blocked, &day->unknown,
		&day->complained, &day->total };

	memcpy(out, all, sizeof(all));
}

void sched_warm_day_encode(const struct sched_warm_day *day, uint8_t out[SCHED_WARM_DAY_LEN])
{
	struct sched_warm_day copy = *day;
	uint32_t *all[NUMBERS];

	numbers(&copy, all);
	*out++ = VERSION;
	for (unsigned i = 0; i < NUMBERS; i++)
		out = bigend_put(out, *all[i], 4);
}

enum err sched_warm_day_decode(const void *data, size_t len, struct sched_warm_day *day)
{
	const uint8_t *at = data;
	uint32_t *all[NUMBERS];

	if (len == 0)
		return ERR_CORRUPT;
	if (*at != VERSION)
		return ERR_VERSION;
	if (len != SCHED_WARM_DAY_LEN)
		return ERR_CORRUPT;
	at++;
	numbers(day, all);
	for (unsigned i = 0; i < NUMBERS; i++)
		*all[i] = (uint32_t)bigend_get(&at, 4);
	return OK;
}
