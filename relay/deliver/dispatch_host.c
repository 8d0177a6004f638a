/* relay/deliver/dispatch_host.c - what is known of receiving hosts: which of them an attempt may try, what it has learnt, and what the operator sees. */
#include "relay/deliver/dispatch_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/deliver/keep.h"

static unsigned families_of(const struct conf_source *source)
{
	return source->ip.family == AF_INET ? HOSTMAP_V4 : source->ip.family == AF_INET6 ? HOSTMAP_V6 : HOSTMAP_V4 | HOSTMAP_V6;
}

static bool reaches(const struct conf_source *other, const char *source, const struct route *route)
{
	return strcmp(other->name, source) != 0 && families_of(other) & route->families;
}

/* Could another source of the pool take the mail? */
static bool is_alone(const struct conf *conf, const char *pool_name, const char *source, const struct route *route)
{
	const struct conf_pool *pool = conf_pool_find(conf, pool_name);

	for (size_t i = 0; pool && i < pool->source_count; i++)
		if (reaches(&conf->sources[pool->sources[i]], source, route))
			return false;
	return true;
}

/* Could any? */
static bool is_only(const struct conf *conf, const char *source, const struct route *route)
{
	for (size_t i = 0; i < conf->source_count; i++)
		if (reaches(&conf->sources[i], source, route))
			return false;
	return true;
}

static struct hostmap_ask ask_for(const struct dispatch *d, const char *name)
{
	const struct conf_source *source = conf_source_find(d->conf, name);

	return (struct hostmap_ask){ .source = hostmap_source(name), .families = source ? families_of(source) : HOSTMAP_V4 | HOSTMAP_V6 };
}

bool dispatch_host_waits(struct dispatch *d, const struct sched_decision *decision, wall_ms now)
{
	struct route *route = dispatch_route(d, decision->domain);
	struct hostmap_wait wait;
	struct hostmap_ask ask;

	if (!route || hostmap_count_down(d->hosts) == 0)
		return false;
	ask = ask_for(d, decision->source);
	if (hostmap_may_try(d->hosts, route, &ask, now, &wait))
		return false;
	ask.alone = is_alone(d->conf, decision->pool, decision->source, route);
	ask.only = ask.alone && is_only(d->conf, decision->source, route);
	(void)hostmap_may_try(d->hosts, route, &ask, now, &wait); /* for how long */
	sched_hosts_down(d->env.sched, decision->id, decision->first, wait.until, wait.everybody, now);
	return true;
}

bool dispatch_host_way(struct dispatch *d, struct attempt *attempt, wall_ms now)
{
	struct route *route = dispatch_route(d, attempt->domain);
	struct hostmap_ask ask = ask_for(d, attempt->source);
	struct hostmap_wait wait;

	dispatch_host_release(d, attempt);
	attempt->way = hostmap_route(d->hosts, route, &ask, now, &attempt->lease, &wait);
	return attempt->way != NULL;
}

void dispatch_host_release(struct dispatch *d, struct attempt *attempt)
{
	if (!attempt->way)
		return;
	hostmap_release(d->hosts, attempt->way, attempt->lease);
	attempt->lease = 0;
	route_unref(&attempt->way);
}

/* --- what was learnt ---------------------------------------------------------------------------------------------------------- */

static const char *host_name(const struct route *way, const struct ip_addr *addr)
{
	for (size_t i = 0; i < way->host_count; i++)
		for (size_t k = 0; k < way->hosts[i].addr_count; k++)
			if (ip_equal(&way->hosts[i].addrs[k], addr))
				return way->hosts[i].name;
	return "";
}

/* News come from the way that was tried; on a connection that was used again there are none of hosts, unless it was opened anew for the mail. */
void dispatch_host_learn(struct dispatch *d, struct attempt *attempt, wall_ms now)
{
	const struct delivery *delivery = &attempt->delivery;
	const struct route *way = attempt->way ? attempt->way : dispatch_route(d, attempt->domain);
	uint32_t source = hostmap_source(attempt->source);

	for (size_t i = 0; way && i < delivery->note_count; i++) {
		const struct host_note *note = &delivery->notes[i];
		struct host_report report = { .news = note->news, .source = source, .name = host_name(way, &note->addr), .why = note->why,
			.longest_ms = d->conf->retry.max_ms };

		hostmap_note(d->hosts, &(struct ip_port){ note->addr, way->port }, &report, now);
	}
	dispatch_host_release(d, attempt);
}

void dispatch_host_lift(struct dispatch *d, const char *domain, wall_ms now)
{
	const struct route *route = dispatch_route(d, domain);

	if (route)
		hostmap_lift(d->hosts, route, now);
}

void dispatch_hosts_of(struct dispatch *d, const char *domain, host_view_fn fn, void *arg)
{
	const struct route *route = dispatch_route(d, domain);

	if (route)
		hostmap_walk_route(d->hosts, route, fn, arg);
}

const struct hostmap *dispatch_hosts(const struct dispatch *d)
{
	return d->hosts;
}

/* --- over a restart -------------------------------------------------------------------------------------------------------------- */

static void keep(void *arg, const char *name, const void *data, size_t len)
{
	struct dispatch *d = arg;

	keep_note(d->env.queue, name, data, len);
}

static void restore(void *arg, const char *name, const void *data, size_t len)
{
	struct dispatch *d = arg;

	hostmap_restore(d->hosts, name, data, len, dispatch_now(d));
}

static size_t write_nothing(const struct queue_memo *memo, uint8_t out[QUEUE_MEMO_MAX])
{
	(void)memo;
	(void)out;
	return 0;
}

/* What earlier versions kept becomes rows; it would outlive what it tells. */
static void restore_memo(void *arg, const char *name, const void *data, size_t len)
{
	struct dispatch *d = arg;
	struct queue_warm_put *put;

	if (strcmp(name, HOSTMAP_MEMO) != 0 || len == 0)
		return;
	hostmap_restore_memo(d->hosts, data, len, dispatch_now(d));
	d->hosts_memo = (struct queue_memo){ .name = HOSTMAP_MEMO, .write = write_nothing };
	put = xcalloc(1, sizeof(*put));
	put->req.kind = QUEUE_WARM_PUT;
	put->memo = &d->hosts_memo;
	queue_submit(d->env.queue, &put->req);
}

/* What was known of hosts before the start only saves attempts: without it they are made. */
void dispatch_host_restore(struct dispatch *d)
{
	struct err_detail why;

	d->hosts = hostmap_create(keep, d);
	if (!d->env.reader)
		return;
	if (queue_notes_read(d->env.reader, HOSTMAP_ROW, restore, d, &why) != OK ||
	    queue_memos_read(d->env.reader, HOSTMAP_MEMO, restore_memo, d, &why) != OK)
		log_text(LOG_WARN, "hosts", "%s", why.text);
}
