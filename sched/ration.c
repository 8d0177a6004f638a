/* sched/ration.c - what one tenant may send to one destination in a time (tenants[].destination_rate), whatever source and pool it takes.
 *
 * A tenant that has had its ration rests there: its shares of the destination's bundles leave the turns until it may go on, and nobody else waits
 * for that. A ration exists while it has something to remember. */
#include "sched/parts.h"

static struct ration *find(const struct sched *sched, const struct tenant *tenant, const struct dest *dest)
{
	struct ration_key key = { .tenant = tenant->handle, .dest = dest->handle };
	struct ration *ration;

	HASH_FIND(hh, sched->ration_keys, &key, sizeof(key), ration);
	return ration;
}

static struct ration *get(struct sched *sched, struct tenant *tenant, struct dest *dest)
{
	struct ration *ration = find(sched, tenant, dest);

	if (ration != NULL)
		return ration;
	ration = model_alloc(sched, sizeof(*ration));
	ration->key = (struct ration_key){ .tenant = tenant->handle, .dest = dest->handle };
	ration->tenant = tenant;
	ration->dest = dest;
	ration->handle = slots_add(&sched->rations, ration);
	HASH_ADD(hh, sched->ration_keys, key, sizeof(ration->key), ration);
	dest->rations++;
	return ration;
}

/* When its bucket is full again there is nothing to remember. */
static wall_ms full_at(const struct ration *ration)
{
	return (ration->full_us + 999) / 1000;
}

static void shares_rest(struct sched *sched, const struct ration *ration, bool rest)
{
	struct share *share;

	DL_FOREACH2(ration->tenant->shares, share, tenant_next)
	{
		if (share->bundle->dest == ration->dest)
			share_rest(sched, share, rest || ration->tenant->paused);
	}
}

bool ration_rests(const struct sched *sched, const struct tenant *tenant, const struct dest *dest)
{
	const struct ration *ration = sched->ration_keys != NULL ? find(sched, tenant, dest) : NULL;

	return ration != NULL && ration->rests;
}

wall_ms ration_when(
    const struct sched *sched, const struct tenant *tenant, const struct dest *dest, uint32_t rcpts, wall_ms now)
{
	const struct ration *ration = sched->ration_keys != NULL ? find(sched, tenant, dest) : NULL;

	return ration == NULL ? now : rate_next(ration->full_us, tenant->rate_count, tenant->rate_period_ms, rcpts, now);
}

bool ration_open(
    struct sched *sched, struct tenant *tenant, struct dest *dest, uint32_t rcpts, enum conf_priority as, wall_ms now)
{
	wall_ms when = ration_when(sched, tenant, dest, rcpts, now);
	struct ration *ration;

	if (when <= now)
		return true;
	ration = find(sched, tenant, dest);
	sched->rations_resting += !ration->rests;
	ration->rests = true;
	ration->waits_as = as;
	shares_rest(sched, ration, true);
	timer_set(sched, TIMER_RATION, ration->handle, when);
	return false;
}

void ration_charge(struct sched *sched, struct tenant *tenant, struct dest *dest, uint32_t rcpts, wall_ms now)
{
	struct ration *ration;

	if (tenant->rate_count == 0)
		return;
	ration = get(sched, tenant, dest);
	ration->full_us = rate_take(ration->full_us, tenant->rate_count, tenant->rate_period_ms, rcpts, now);
	if (!ration->rests)
		timer_set(sched, TIMER_RATION, ration->handle, full_at(ration));
}

void ration_refund(struct sched *sched, const struct tenant *tenant, const struct dest *dest, uint32_t rcpts, wall_ms now)
{
	struct ration *ration = tenant->rate_count > 0 && sched->ration_keys != NULL ? find(sched, tenant, dest) : NULL;

	if (ration == NULL)
		return;
	ration->full_us = rate_give(ration->full_us, tenant->rate_count, tenant->rate_period_ms, rcpts);
	ration_due(sched, ration->handle, now);
}

static void end(struct sched *sched, struct ration *ration)
{
	sched->rations_resting -= ration->rests;
	timer_set(sched, TIMER_RATION, ration->handle, WALL_NEVER);
	HASH_DEL(sched->ration_keys, ration);
	slots_remove(&sched->rations, ration->handle);
	ration->dest->rations--;
	model_free(sched, ration, sizeof(*ration));
}

void ration_due(struct sched *sched, uint32_t handle, wall_ms now)
{
	struct ration *ration = slots_get(&sched->rations, handle);
	struct dest *dest = ration->dest;

	if (ration->rests) {
		sched->rations_resting--;
		ration->rests = false;
		shares_rest(sched, ration, false);
	}
	if (full_at(ration) > now) {
		timer_set(sched, TIMER_RATION, ration->handle, full_at(ration));
		return;
	}
	end(sched, ration);
	dest_tidy(sched, dest, now);
}

void ration_yield(
    struct sched *sched, const struct tenant *tenant, const struct dest *dest, enum conf_priority class, wall_ms now)
{
	const struct ration *ration = sched->rations_resting > 0 ? find(sched, tenant, dest) : NULL;

	if (ration != NULL && ration->rests && ration->waits_as > class)
		ration_due(sched, ration->handle, now);
}

void ration_reload(struct sched *sched, wall_ms now)
{
	for (uint32_t i = 0; i < sched->rations.count; i++)
		if (slots_get(&sched->rations, i) != NULL)
			ration_due(sched, i, now);
}

void ration_fini(struct sched *sched)
{
	while (sched->ration_keys != NULL)
		end(sched, sched->ration_keys);
}
