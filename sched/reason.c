/* sched/reason.c - why something does not start now, all of it, and when to ask again. */
#include <stdio.h>
#include <string.h>

#include "sched/parts.h"

/* clang-format off */
static const struct {
	enum sched_reason bit;
	const char *name, *text;
} reasons_known[] = {
	{ WHY_NOT_DUE,            "not-due",            "its next attempt lies ahead" },
	{ WHY_HELD,               "held",               "held by the operator" },
	{ WHY_ACTIVE,             "active",             "being delivered now" },
	{ WHY_LANE_CONNECTIONS,   "lane-connections",   "every connection that its source may have there is busy" },
	{ WHY_LANE_RATE,          "lane-rate",          "its source has sent as much there as the rate allows" },
	{ WHY_LANE_PAUSED,        "lane-paused",        "its source is paused there after failures" },
	{ WHY_DESTINATION_PAUSED, "destination-paused", "the destination is down; one probe at a time" },
	{ WHY_TOTAL_CONNECTIONS,  "total-connections",  "all outbound connections (delivery.connections) are busy" },
	{ WHY_RESOLVING,          "resolving",          "its route is being looked up" },
	{ WHY_NO_SOURCE,          "no-source",          "no source of its pool can be used for it" },
	{ WHY_SOURCE_PARKED,      "source-parked",      "its source cannot be used: its address is not on this host, or its proxy is down" },
	{ WHY_NO_POOL,            "no-pool",            "its pool or tenant is gone from the configuration" },
	{ WHY_OPERATOR,           "operator",           "paused by the operator" },
	{ WHY_LANE_BLOCKED,       "lane-blocked",       "the destination refuses its source for reputation or set-up" },
	{ WHY_BLOCKED,            "blocked",            "it was refused there for our reputation or set-up, not for its recipient" },
	{ WHY_SOURCE_DRAINED,     "source-drained",     "its source is out of service" },
	{ WHY_LANE_WARMUP,        "lane-warmup",        "the warm-up of its source there allows no more now" },
	{ WHY_LANE_SLOW,          "lane-slow",          "its source goes slowly there, after a pause or a throttle" },
	{ WHY_DESTINATION_CONNECTIONS, "destination-connections", "every connection that all sources together may have there is busy" },
	{ WHY_DESTINATION_RATE,   "destination-rate",   "all sources together have sent as much there as total_rate allows" },
	{ WHY_SOURCE_CONNECTIONS, "source-connections", "every connection that its source may have in all is busy" },
	{ WHY_SOURCE_RATE,        "source-rate",        "its source has sent as much in all as its rate allows" },
	{ WHY_LANE_SILENT,        "lane-silent",        "the destination answers other sources and not this one" },
	{ WHY_SENDER,             "sender",             "the destination wants less mail of its sender's domain" },
	{ WHY_HOSTS_DOWN,         "hosts-down",         "every host that it could go to is down; one attempt at a time" },
	{ WHY_TENANT_RATE,        "tenant-rate",        "its tenant has sent as much there as destination_rate allows" },
	{ WHY_LANE_HEALTH,        "lane-health",        "most of what its source sent there was refused" },
	{ WHY_QUEUED_BEHIND,      "queued-behind",      "nothing but its turn" },
};
/* clang-format on */

char *sched_why_text(unsigned reasons, char out[SCHED_WHY_TEXT])
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(reasons_known); i++) {
		int n;

		if (!(reasons & reasons_known[i].bit))
			continue;
		n = snprintf(out + len, SCHED_WHY_TEXT - len, "%s%s", len > 0 ? "; " : "", reasons_known[i].text);
		if (n < 0 || (size_t)n >= SCHED_WHY_TEXT - len)
			break;
		len += (size_t)n;
	}
	return out;
}

const char *reason_words(unsigned bit)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons_known); i++)
		if (reasons_known[i].bit == bit)
			return reasons_known[i].text;
	return "";
}

const char *sched_why_name(enum sched_reason bit)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons_known); i++)
		if (reasons_known[i].bit == bit)
			return reasons_known[i].name;
	return "unknown";
}

static void gate(unsigned *reasons, wall_ms *when, unsigned bit, wall_ms until)
{
	*reasons |= bit;
	if (until > *when)
		*when = until;
}

static void gates_of_dest(
    const struct sched *sched, const struct dest *dest, uint32_t rcpts, wall_ms now, unsigned *reasons, wall_ms *when)
{
	wall_ms tokens = limit_dest_rate(sched, dest, rcpts, now);

	if (limit_dest_is_crowded(dest))
		gate(reasons, when, WHY_DESTINATION_CONNECTIONS, WALL_NEVER);
	if (tokens > now)
		gate(reasons, when, WHY_DESTINATION_RATE, tokens);
	if (dest->operator_paused)
		gate(reasons, when, WHY_OPERATOR, WALL_NEVER);
	if (dest->down && dest->probe != ENTRY_NONE)
		gate(reasons, when, WHY_DESTINATION_PAUSED, WALL_NEVER);
	else if (dest->down && dest->pause_until > now)
		gate(reasons, when, WHY_DESTINATION_PAUSED, dest->pause_until);
}

/* The pool's sources are alternatives: no gate when one of them is open, else the one that opens first. */
static void gates_of_lanes(const struct sched *sched, const struct dest *dest, const struct pool *pool,
    unsigned families, uint32_t rcpts, bool warm_only, wall_ms now, unsigned *reasons, wall_ms *when)
{
	unsigned all = 0;
	wall_ms first = WALL_NEVER;

	for (uint32_t i = 0; i < pool->source_count; i++) {
		const struct source *source = slots_get(&sched->sources, pool->sources[i]);
		unsigned why;
		wall_ms open;

		if ((source->families & families) == 0 || (warm_only && overflow_is_cold(sched, dest, source)))
			continue;
		why = lane_check(sched, dest, source, lane_find(sched, dest, source), true, rcpts, now, &open);
		if (why == 0)
			return;
		all |= why;
		if (open < first)
			first = open;
	}
	gate(reasons, when, all != 0 ? all : WHY_NO_SOURCE, first);
}

/* All that is in sight before it waits for other sources than are open: what is behind is looked at again within a minute. */
static bool is_kept(const struct domain *domain, const struct pool *pool)
{
	for (const struct bundle *b = domain->dest->bundles; b != NULL; b = b->dest_next)
		if (b->keeping && b->pool == pool && b->families == domain->families)
			return true;
	return false;
}

static void gates_of_ready(
    const struct sched *sched, const struct entry *e, wall_ms now, unsigned *reasons, wall_ms *when)
{
	const struct domain *domain = domain_of(sched, e);
	bool routed = domain->routed && domain->expires > now;
	wall_ms ration;

	if (e->place == PLACE_READY && !routed)
		gate(reasons, when, domain->resting ? WHY_HOSTS_DOWN : WHY_RESOLVING, domain->lookup_after > now ? domain->lookup_after : WALL_NEVER);
	gates_of_dest(sched, domain->dest, e->rcpts, now, reasons, when);
	ration = ration_when(sched, name_tenant_of(sched, e), domain->dest, e->rcpts, now);
	if (ration > now)
		gate(reasons, when, WHY_TENANT_RATE, ration);
	if (name_tenant_of(sched, e)->paused)
		gate(reasons, when, WHY_OPERATOR, WALL_NEVER);
	gates_of_lanes(sched, domain->dest, name_pool_of(sched, e), routed ? domain->families : FAMILY_ANY, e->rcpts,
	    overflow_shuns(sched, domain->dest, e, now), now, reasons, when);
	if (overflow_waits(sched, domain->dest, e, now))
		gate(reasons, when, WHY_LANE_WARMUP, overflow_until(sched, e));
	if (is_kept(domain, name_pool_of(sched, e)))
		gate(reasons, when, WHY_LANE_WARMUP, sched->keep_at);
	if (sched->connections >= sched->conf->delivery.connections)
		gate(reasons, when, WHY_TOTAL_CONNECTIONS, WALL_NEVER);
}

static unsigned why_later(const struct entry *e)
{
	static const unsigned put_off[] = {
		[PUT_OFF_NOT] = WHY_NOT_DUE, [PUT_OFF_SENDER] = WHY_SENDER, [PUT_OFF_HOSTS] = WHY_HOSTS_DOWN
	};

	return e->flags & ENTRY_BLOCKED ? WHY_BLOCKED : put_off[e->put_off];
}

unsigned reason_of_job(const struct sched *sched, const struct entry *e, wall_ms now, wall_ms *when_out)
{
	unsigned reasons = 0;

	*when_out = now;
	switch ((enum place)e->place) {
	case PLACE_ACTIVE:
	case PLACE_DONE:
		*when_out = WALL_NEVER;
		return WHY_ACTIVE;
	case PLACE_HELD:
		gate(&reasons, when_out, WHY_HELD, e->deadline);
		break;
	case PLACE_ORPHAN:
		gate(&reasons, when_out, WHY_NO_POOL, e->deadline);
		break;
	case PLACE_LATER:
		if (e->due > now)
			gate(&reasons, when_out, why_later(e), e->due);
		gates_of_ready(sched, e, now, &reasons, when_out);
		break;
	case PLACE_READY:
		gates_of_ready(sched, e, now, &reasons, when_out);
		break;
	case PLACE_FREE:
	case PLACE_EXPIRED:
	case PLACES:
		break;
	}
	if (*when_out > e->deadline)
		*when_out = e->deadline;
	return reasons != 0 ? reasons : WHY_QUEUED_BEHIND;
}

/* One bundle with due mail: what keeps it from starting. */
static unsigned gates_of_bundle(const struct sched *sched, const struct bundle *bundle, wall_ms now, wall_ms *when)
{
	unsigned reasons = 0;

	*when = now;
	if (share_waiting(bundle) != 0)
		gates_of_lanes(sched, bundle->dest, bundle->pool, bundle->families, 1, false, now, &reasons, when);
	if (bundle->keeping)
		gate(&reasons, when, WHY_LANE_WARMUP, sched->keep_at);
	return reasons;
}

unsigned reason_of_dest(const struct sched *sched, const struct dest *dest, wall_ms now, wall_ms *when_out)
{
	unsigned reasons = 0, lanes = 0;
	wall_ms first = WALL_NEVER;
	bool ready = false;

	*when_out = now;
	gates_of_dest(sched, dest, 1, now, &reasons, when_out);
	for (const struct bundle *b = dest->bundles; b != NULL; b = b->dest_next) {
		wall_ms when;

		if (share_waiting(b) == 0)
			continue;
		ready = true;
		lanes |= gates_of_bundle(sched, b, now, &when);
		if (when < first)
			first = when;
	}
	if (lanes != 0)
		gate(&reasons, when_out, lanes, first);
	if (ready && sched->connections >= sched->conf->delivery.connections)
		gate(&reasons, when_out, WHY_TOTAL_CONNECTIONS, WALL_NEVER);
	if (reasons == 0 && ready)
		reasons = WHY_QUEUED_BEHIND;
	if (reasons == 0 && dest->rcpts[JOB_WAITING] + dest->rcpts[JOB_DEFERRED] > 0)
		gate(&reasons, when_out, WHY_NOT_DUE, WALL_NEVER);
	return reasons;
}

unsigned reason_of_all(const struct sched *sched)
{
	unsigned reasons = 0;

	for (unsigned bit = 0; bit < ARRAY_LEN(sched->lanes_closed); bit++)
		if (sched->lanes_closed[bit] > 0)
			reasons |= 1u << bit;
	if (sched->places[PLACE_LATER] > 0)
		reasons |= WHY_NOT_DUE;
	if (sched->places[PLACE_HELD] > 0)
		reasons |= WHY_HELD;
	if (sched->places[PLACE_ORPHAN] > 0)
		reasons |= WHY_NO_POOL;
	if (sched->places[PLACE_ACTIVE] + sched->places[PLACE_DONE] > 0)
		reasons |= WHY_ACTIVE;
	if (sched->lookups > 0 || sched->wanted != NULL)
		reasons |= WHY_RESOLVING;
	if (sched->dests_down > 0)
		reasons |= WHY_DESTINATION_PAUSED;
	if (sched->dests_crowded > 0)
		reasons |= WHY_DESTINATION_CONNECTIONS;
	if (sched->rations_resting > 0)
		reasons |= WHY_TENANT_RATE;
	if (sched->dests_sated > 0)
		reasons |= WHY_DESTINATION_RATE;
	if (sched->operator_pauses > 0)
		reasons |= WHY_OPERATOR;
	if (sched->connections >= sched->conf->delivery.connections)
		reasons |= WHY_TOTAL_CONNECTIONS;
	return reasons;
}
