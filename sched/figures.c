/* sched/figures.c - what the operator sees: counts of destinations, and the reasons of one destination, source or tenant in words. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sched/parts.h"

#define LINE_MAX_BYTES 2560

/* --- counts --- */

static void gather(const struct sched *sched)
{
	for (struct dest *d = sched->dest_keys; d != NULL; d = d->hh_key.next) {
		d->oldest = 0;
		d->resolving = 0;
	}
	for (const struct domain *d = sched->domain_names; d != NULL; d = d->hh.next) {
		uint64_t id = domain_oldest(sched, d);
		wall_ms arrived = (wall_ms)(id >> ID_TIME_SHIFT);

		if (id != UINT64_MAX && (d->dest->oldest == 0 || arrived < d->dest->oldest))
			d->dest->oldest = arrived;
		d->dest->resolving += d->resolving || d->wanted;
	}
}

static struct sched_counts counts_of(const uint64_t rcpts[JOB_STATES], uint32_t connections, wall_ms oldest)
{
	return (struct sched_counts){
		.waiting = rcpts[JOB_WAITING],
		.deferred = rcpts[JOB_DEFERRED],
		.active = rcpts[JOB_ACTIVE],
		.held = rcpts[JOB_HELD],
		.blocked = rcpts[JOB_BLOCKED],
		.connections = connections,
		.oldest = oldest,
	};
}

static bool worth_showing(const struct dest *d)
{
	return d->rcpts[JOB_WAITING] + d->rcpts[JOB_DEFERRED] + d->rcpts[JOB_ACTIVE] + d->rcpts[JOB_HELD] + d->rcpts[JOB_BLOCKED] > 0 ||
	    d->connections > 0 || d->operator_paused || d->down;
}

void sched_counts_read(struct sched *sched, wall_ms now, sched_counts_fn fn, void *arg)
{
	wall_ms oldest = 0, when;
	struct sched_counts counts;

	gather(sched);
	for (const struct dest *d = sched->dest_keys; d != NULL; d = d->hh_key.next) {
		unsigned reasons;

		if (!worth_showing(d))
			continue;
		if (d->oldest != 0 && (oldest == 0 || d->oldest < oldest))
			oldest = d->oldest;
		reasons = reason_of_dest(sched, d, now, &when);
		if (d->resolving > 0)
			reasons |= WHY_RESOLVING;
		counts = counts_of(d->rcpts, d->connections, d->oldest);
		fn(arg, d->name, &counts, reasons, when);
	}
	counts = counts_of(sched->rcpts, sched->connections, oldest);
	when = heap_top_key(&sched->times) < heap_top_key(&sched->timers) ? heap_top_key(&sched->times)
									  : heap_top_key(&sched->timers);
	fn(arg, "", &counts, reason_of_all(sched), when);
}

/* --- explanations --- */

struct teller {
	const struct sched *sched;
	wall_ms now;
	sched_line_fn fn;
	void *arg;
};

static void tell(const struct teller *to, const char *format, ...) PRINTF_LIKE(2, 3);
static void tell(const struct teller *to, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	to->fn(to->arg, line);
}

/* "asks again at TIME" or that only an event helps. */
static const char *again(wall_ms when, char out[CLOCK_TEXT + 32])
{
	char text[CLOCK_TEXT];

	if (when == WALL_NEVER)
		return "after the next event";
	snprintf(out, CLOCK_TEXT + 32, "at %s", clock_rfc3339(when, text));
	return out;
}

static void tell_counts(const struct teller *to, const uint64_t rcpts[JOB_STATES], uint32_t connections)
{
	tell(to,
	    "recipients: %" PRIu64 " waiting, %" PRIu64 " deferred, %" PRIu64 " active, %" PRIu64
	    " held, %" PRIu64 " blocked; %u connections",
	    rcpts[JOB_WAITING], rcpts[JOB_DEFERRED], rcpts[JOB_ACTIVE], rcpts[JOB_HELD], rcpts[JOB_BLOCKED], connections);
}

static void tell_lane(const struct teller *to, const struct lane *lane)
{
	char words[SCHED_WHY_TEXT], time[CLOCK_TEXT + 32], state_text[SCHED_LANE_WORDS], pace[64] = "";
	enum sched_lane_state state = state_of(lane, to->now);
	struct health_answer hour = health_sum(&lane->health, HEALTH_BUCKETS, to->now);
	wall_ms when;
	unsigned reasons = lane_check(to->sched, lane->dest, lane->source, lane, true, 1, to->now, &when);

	if (pace_limit(&lane->pace) != UINT32_MAX)
		(void)snprintf(pace, sizeof(pace), " (%u now)", pace_limit(&lane->pace));
	if (reasons == 0)
		tell(to, "source %s to %s: may start; %u connections, at most %u%s; %u failures in a row", lane->source->name,
		    lane->dest->name, lane->connections, lane_limit(to->sched, lane), pace, lane->failures);
	else
		tell(to, "source %s to %s: %s%s%s%s; asked again %s; %u connections, at most %u%s; %u failures in a row",
		    lane->source->name, lane->dest->name, sched_why_text(reasons, words), lane->shut_words != NULL ? " (" : "",
		    lane->shut_words != NULL ? lane->shut_words : "", lane->shut_words != NULL ? ")" : "", again(when, time),
		    lane->connections, lane_limit(to->sched, lane), pace, lane->failures);
	if (state != LANE_OPEN) {
		state_words(lane, to->now, state_text);
		tell(to, "source %s to %s: %s, %s", lane->source->name, lane->dest->name, sched_lane_state_name(state), state_text);
	}
	if (hour.tried > 0)
		tell(to, "source %s to %s: in the last hour %u recipients tried, %u deferred, %u refused for reasons of ours, %u unknown, "
		    "%u complaints", lane->source->name, lane->dest->name, hour.tried, hour.deferred, hour.blocked, hour.unknown,
		    hour.complained);
}

static void tell_dest(const struct teller *to, const struct dest *dest)
{
	char words[SCHED_WHY_TEXT], time[CLOCK_TEXT + 32];
	const struct lane *lane;
	wall_ms when;
	unsigned reasons = reason_of_dest(to->sched, dest, to->now, &when);

	tell(to, "destination %s: %s", dest->name,
	    dest->provider != NULL ? "a provider of the configuration" : dest->key + 2);
	tell_counts(to, dest->rcpts, dest->connections);
	if (reasons != 0)
		tell(to, "%s; asked again %s", sched_why_text(reasons, words), again(when, time));
	if (dest->down && dest->pauses == 0)
		tell(to, "down: each of its hosts is known as down (relayq hosts)");
	else if (dest->down)
		tell(to, "down: %u failures in a row, pause %u; %s", dest->failures, dest->pauses,
		    dest->probe != ENTRY_NONE ? "a probe is under way" : "the next connection is a probe");
	DL_FOREACH2(dest->lanes, lane, dest_next)
	tell_lane(to, lane);
}

static void tell_domain(const struct teller *to, const struct domain *domain)
{
	tell(to, "domain %s: %s; hangs on destination %s", domain->name,
	    domain->resolving    ? "its route is being looked up"
		: domain->resting && !domain->routed ? "its hosts are all down"
		: domain->routed ? "its route is known"
				 : "its route is looked up when mail is due",
	    domain->dest->name);
	tell_counts(to, domain->rcpts, 0);
}

static void tell_source(const struct teller *to, const struct source *source)
{
	char time[CLOCK_TEXT + 32];
	const struct lane *lane;

	tell(to, "source %s: %s", source->name,
	    !source->present                     ? "not in the configuration"
		: source->paused                 ? "paused by the operator"
		: source->drained                ? "out of service (relayq source enable takes it back)"
		: source->retire != NULL         ? "retires (relayq warmup status says how far it is)"
		: source->parked_until > to->now ? "parked"
						 : "in use");
	if (source->parked_until > to->now)
		tell(to, "parked, %s; tried again %s",
		    source->park_why != NULL ? source->park_why : "its address is not on this host",
		    again(source->parked_until, time));
	DL_FOREACH2(source->lanes, lane, source_next)
	tell_lane(to, lane);
}

static void tell_tenant(const struct teller *to, const struct tenant *tenant)
{
	const struct share *share;

	tell(to, "tenant %s: %s mail, weight %" PRIu32 "; %s", tenant->name, conf_priority_name(tenant->priority), tenant->weight,
	    !tenant->present     ? "not in the configuration, its mail is held"
		: tenant->paused ? "paused by the operator"
				 : "may send");
	DL_FOREACH2(tenant->shares, share, tenant_next)
	{
		char words[SCHED_WHY_TEXT], time[CLOCK_TEXT + 32];
		wall_ms when;
		unsigned reasons = reason_of_dest(to->sched, share->bundle->dest, to->now, &when);

		tell(to, "due %s mail to %s through pool %s: %s; asked again %s", conf_priority_name(share->priority),
		    share->bundle->dest->name, share->bundle->pool->name, sched_why_text(reasons, words), again(when, time));
	}
}

enum err sched_explain(struct sched *sched, const char *name, wall_ms now, sched_line_fn fn, void *arg)
{
	struct teller to = { .sched = sched, .now = now, .fn = fn, .arg = arg };
	const struct domain *domain = domain_find(sched, name);
	const struct dest *dest;
	const struct source *source;
	const struct tenant *tenant;

	HASH_FIND(hh_name, sched->dest_names, name, strlen(name), dest);
	HASH_FIND_STR(sched->source_names, name, source);
	HASH_FIND_STR(sched->tenant_names, name, tenant);
	if (domain != NULL && domain->dest != dest) {
		tell_domain(&to, domain);
		if (dest == NULL)
			tell_dest(&to, domain->dest);
	}
	if (dest != NULL)
		tell_dest(&to, dest);
	if (source != NULL)
		tell_source(&to, source);
	if (tenant != NULL)
		tell_tenant(&to, tenant);
	return domain != NULL || dest != NULL || source != NULL || tenant != NULL ? OK : ERR_NOT_FOUND;
}

/* --- a source --- */

bool sched_source_read(
    const struct sched *sched, const char *name, wall_ms now, struct sched_source_view *out, sched_shut_fn fn, void *arg)
{
	const struct source *source;
	const struct lane *lane;

	HASH_FIND_STR(sched->source_names, name, source);
	if (source == NULL)
		return false;
	*out = (struct sched_source_view){
		.paused = source->paused,
		.drained = source->drained,
		.retire = source->retire,
		.share = retire_share(source, now),
		.parked_until = source->parked_until > now ? source->parked_until : 0,
		.park_why = source->park_why != NULL ? source->park_why : "",
		.hour = ledger_of(&source->ledger, HOURS(1), now),
		.day = ledger_of(&source->ledger, HOURS(24), now),
	};
	DL_FOREACH2(source->lanes, lane, source_next)
	{
		out->connections += lane->connections;
		if (lane->paused_until <= now)
			continue;
		out->shut++;
		fn(arg, lane->dest->name, (enum sched_reason)lane->shut_by,
		    lane->shut_words != NULL ? lane->shut_words : "", lane->paused_until);
	}
	return true;
}

void sched_tenants_read(const struct sched *sched, wall_ms now, sched_tenant_fn fn, void *arg)
{
	for (const struct tenant *tenant = sched->tenant_names; tenant != NULL; tenant = tenant->hh.next) {
		struct sched_tenant_view view = {
			.name = tenant->name,
			.present = tenant->present,
			.paused = tenant->paused,
			.counts = counts_of(tenant->rcpts, 0, 0),
		};

		if (tenant->ledger != NULL) {
			view.hour = ledger_of(tenant->ledger, HOURS(1), now);
			view.day = ledger_of(tenant->ledger, HOURS(24), now);
		}
		fn(arg, &view);
	}
}

/* --- size --- */

size_t sched_job_count(const struct sched *sched)
{
	return sched->entries.count;
}

size_t sched_memory(const struct sched *sched)
{
	return sizeof(*sched) + entries_memory(&sched->entries) + heap_memory(&sched->times) +
	    heap_memory(&sched->timers) + heap_memory(&sched->chores) + slots_memory(&sched->tenants) +
	    slots_memory(&sched->sources) + slots_memory(&sched->pools) + slots_memory(&sched->domains) +
	    slots_memory(&sched->dests) + slots_memory(&sched->lanes) + sched->objects;
}
