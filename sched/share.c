/* sched/share.c - whose turn it is in a bundle: classes in their order, tenants of a class by deficit round robin in recipients.
 *
 * In a round each share may send as many recipients as its tenant's weight; shares with credit left take turns job by job, so that one that has
 * just come waits for one job of each other, not for their whole rounds. A job larger than the credit leaves a debt that later rounds pay. All
 * of it costs a step for each job and one for each recipient at most. */
#include "sched/parts.h"

/* --- classes --- */

/* A class that has been passed over so often in a row has the next turn. It counts only while mail of the class waits, and anew after each of
 * its turns: a lone transactional mail among bulk never meets a turn that bulk is owed. */
static const uint32_t patience[PRIORITIES] = { [PRIORITY_NORMAL] = 4, [PRIORITY_BULK] = 9 };

enum conf_priority share_class_in_turn(const uint32_t passed[PRIORITIES], unsigned waiting)
{
	unsigned highest = (unsigned)__builtin_ctz(waiting);

	for (unsigned class = PRIORITIES - 1; class > highest; class--)
		if (waiting >> class & 1 && passed[class] >= patience[class])
			return (enum conf_priority)class;
	return (enum conf_priority)highest;
}

void share_class_served(uint32_t passed[PRIORITIES], unsigned waiting, enum conf_priority taken)
{
	passed[taken] = 0;
	for (unsigned class = taken + 1; class < PRIORITIES; class++)
		passed[class] = waiting >> class & 1 ? passed[class] + 1 : 0;
}

unsigned share_waiting(const struct bundle *bundle)
{
	unsigned waiting = 0;

	for (unsigned class = 0; class < PRIORITIES; class++)
		waiting |= (unsigned)(bundle->tiers[class].open != NULL || bundle->tiers[class].spent != NULL) << class;
	return waiting;
}

/* --- a tier's two lists --- */

static struct tier *tier_of(const struct share *share)
{
	return &share->bundle->tiers[share->priority];
}

static void leave(struct share *share)
{
	struct tier *tier = tier_of(share);

	if (share->place == SHARE_OPEN)
		DL_DELETE2(tier->open, share, prev, next);
	else if (share->place == SHARE_SPENT)
		DL_DELETE2(tier->spent, share, prev, next);
	share->place = SHARE_RESTING;
}

static void enter(struct share *share, enum share_place place)
{
	struct tier *tier = tier_of(share);

	share->place = place;
	if (place == SHARE_OPEN)
		DL_APPEND2(tier->open, share, prev, next);
	else
		DL_APPEND2(tier->spent, share, prev, next);
}

static void next_round(struct tier *tier)
{
	struct share *share;

	/* Nobody else has been kept waiting by the debt of the only one. */
	if (tier->spent->next == NULL)
		tier->spent->credit = 0;
	DL_FOREACH2(tier->spent, share, next)
	share->place = SHARE_OPEN;
	tier->open = tier->spent;
	tier->spent = NULL;
	tier->round++;
}

static struct share *tier_in_turn(struct tier *tier)
{
	for (;;) {
		struct share *share = tier->open;

		if (share == NULL) {
			next_round(tier);
			continue;
		}
		if (share->round != tier->round) {
			share->round = tier->round;
			share->credit += share->tenant->weight;
			if (share->credit > share->tenant->weight)
				share->credit = share->tenant->weight;
		}
		if (share->credit > 0)
			return share;
		leave(share);
		enter(share, SHARE_SPENT);
	}
}

/* --- tenants with a bad record --- */

#define SHARES_TRIED 16

static struct share *decent_of(struct share *list, unsigned *left)
{
	for (; list != NULL && *left > 0; list = list->next, (*left)--)
		if (!repute_is_risky(list->tenant))
			return list;
	return NULL;
}

static struct share *decent_one(const struct bundle *bundle)
{
	unsigned left = SHARES_TRIED;
	struct share *share = NULL;

	for (unsigned class = 0; class < PRIORITIES && share == NULL; class++) {
		share = decent_of(bundle->tiers[class].open, &left);
		if (share == NULL)
			share = decent_of(bundle->tiers[class].spent, &left);
	}
	return share;
}

/* From cold sources alone mail of tenants with a good record goes first; the others take what is left of a day. */
struct share *share_in_turn(struct bundle *bundle)
{
	enum conf_priority class = share_class_in_turn(bundle->passed, share_waiting(bundle));
	struct share *share = tier_in_turn(&bundle->tiers[class]), *other;

	bundle->second = NULL;
	if (bundle->pool->cold_count < bundle->pool->source_count || !repute_is_risky(share->tenant))
		return share;
	other = decent_one(bundle);
	if (other == NULL)
		return share;
	bundle->second = share;
	return repute_has_turn(share->tenant) ? share : other;
}

bool share_yields(const struct share *share)
{
	const struct bundle *bundle = share->bundle;

	return bundle->pool->cold_count == bundle->pool->source_count && repute_is_risky(share->tenant) && !repute_has_turn(share->tenant) &&
	    decent_one(bundle) != NULL;
}

void share_served(struct share *share, uint32_t rcpts)
{
	if (share->place == SHARE_RESTING)
		return;
	share->credit -= rcpts;
	leave(share);
	enter(share, share->credit > 0 ? SHARE_OPEN : SHARE_SPENT);
}

struct tenant *share_second(const struct bundle *bundle)
{
	return bundle->second != NULL ? bundle->second->tenant : NULL;
}

void share_count_turn(struct bundle *bundle, struct tenant *second, bool own, uint32_t rcpts)
{
	if (second == NULL)
		return;
	repute_count_turn(second, own, rcpts);
	/* One that is passed over has had its turn: else the turn would never end, and those that go before it would run into debt without end, to be
	 * paid back when their record is no better one day. It still waits, so it is there, and so is the bundle. */
	if (!own)
		share_served(bundle->second, rcpts);
}

/* --- life --- */

static struct share *find(
    const struct sched *sched, const struct bundle *bundle, const struct tenant *tenant, enum conf_priority priority)
{
	struct share_key key = { .bundle = bundle, .tenant = tenant, .priority = priority };
	struct share *share;

	for (share = bundle->shares; share != NULL && !share->far; share = share->bundle_next)
		if (share->tenant == tenant && share->priority == priority)
			return share;
	if (bundle->far_shares > 0)
		HASH_FIND(hh, sched->share_keys, &key, sizeof(key), share);
	return share;
}

static void link_share(struct sched *sched, struct share *share)
{
	struct bundle *bundle = share->bundle;

	DL_APPEND2(share->tenant->shares, share, tenant_prev, tenant_next);
	share->far = bundle->near_shares >= NEAR_MAX;
	if (!share->far) {
		bundle->near_shares++;
		DL_PREPEND2(bundle->shares, share, bundle_prev, bundle_next);
		return;
	}
	bundle->far_shares++;
	HASH_ADD(hh, sched->share_keys, key, sizeof(share->key), share);
	DL_APPEND2(bundle->shares, share, bundle_prev, bundle_next);
}

static void unlink_share(struct sched *sched, struct share *share)
{
	struct bundle *bundle = share->bundle;

	DL_DELETE2(share->tenant->shares, share, tenant_prev, tenant_next);
	DL_DELETE2(bundle->shares, share, bundle_prev, bundle_next);
	if (share->far) {
		HASH_DEL(sched->share_keys, share);
		bundle->far_shares--;
	} else {
		bundle->near_shares--;
	}
}

static struct share *get(struct sched *sched, struct bundle *bundle, struct tenant *tenant, enum conf_priority priority)
{
	struct share *share = find(sched, bundle, tenant, priority);

	if (share != NULL)
		return share;
	share = model_alloc(sched, sizeof(*share));
	share->key = (struct share_key){ .bundle = bundle, .tenant = tenant, .priority = priority };
	share->bundle = bundle;
	share->tenant = tenant;
	share->priority = priority;
	share->round = bundle->tiers[priority].round;
	share->credit = tenant->weight;
	link_share(sched, share);
	if (!tenant->paused && !ration_rests(sched, tenant, bundle->dest))
		enter(share, SHARE_OPEN);
	return share;
}

void share_add_line(struct sched *sched, struct bundle *bundle, struct line *line)
{
	line->share = get(sched, bundle, slots_get(&sched->tenants, line->key.tenant), line->priority);
	DL_APPEND2(line->share->lines, line, prev, next);
	if (!repute_is_risky(line->share->tenant))
		overflow_release(sched, bundle); /* it may go where what waits may not */
	yield_to(sched, line->share);
	bundle_refresh(sched, bundle);
}

void share_remove_line(struct sched *sched, struct line *line)
{
	struct share *share = line->share;

	DL_DELETE2(share->lines, line, prev, next);
	line->share = NULL;
	if (share->lines != NULL)
		return;
	leave(share);
	if (share->bundle->second == share)
		share->bundle->second = NULL;
	unlink_share(sched, share);
	bundle_refresh(sched, share->bundle);
	model_free(sched, share, sizeof(*share));
}

void share_rest(struct sched *sched, struct share *share, bool rest)
{
	if ((share->place == SHARE_RESTING) == rest)
		return;
	if (rest)
		leave(share);
	else
		enter(share, SHARE_OPEN);
	bundle_refresh(sched, share->bundle);
}

void share_tenant_paused(struct sched *sched, struct tenant *tenant, bool paused)
{
	struct share *share;

	tenant->paused = paused;
	DL_FOREACH2(tenant->shares, share, tenant_next)
	{
		share_rest(sched, share, paused || ration_rests(sched, tenant, share->bundle->dest));
	}
}
