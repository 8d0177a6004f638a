/* relay/deliver/hostmap.c - addresses of receiving servers that are remembered as down or as unable to do TLS: the table and the news. */
#include "relay/deliver/hostmap_int.h"

#include <stdlib.h>
#include <string.h>

#define DOWN_FIRST_MS MINUTES(1)
#define KEPT_MS       DAYS(1)    /* after its pause, for whoever tries it again */
#define NO_TLS_MS     HOURS(1)
#define SWEEP_MS      MINUTES(10)
#define HOSTS_MAX     20000      /* remembered; beyond, the one that was heard of longest ago goes */

struct hostmap *hostmap_create(hostmap_keep_fn keep, void *arg)
{
	struct hostmap *map = xcalloc(1, sizeof(*map));

	map->keep = keep;
	map->arg = arg;
	return map;
}

void hostmap_drop(struct hostmap *map, struct host *host)
{
	HASH_DEL(map->table, host);
	map->down -= host->failures > 0;
	free(host->name);
	free(host->why);
	free(host);
}

void hostmap_destroy(struct hostmap **map)
{
	struct hostmap *m = *map;

	*map = NULL;
	if (!m)
		return;
	while (m->table)
		hostmap_drop(m, m->table);
	free(m);
}

/* FNV-1a; two sources that share a number are taken for one, which costs an attempt at most. Never ANYBODY. */
uint32_t hostmap_source(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash == ANYBODY ? 1 : hash;
}

size_t hostmap_count(const struct hostmap *map)
{
	return HASH_COUNT(map->table);
}

size_t hostmap_count_down(const struct hostmap *map)
{
	return map->down;
}

static struct ip_port key_of(const struct ip_addr *addr, uint16_t port)
{
	struct ip_port key;

	/* Padding is hashed too. */
	memset(&key, 0, sizeof(key));
	key.addr.family = addr->family;
	memcpy(key.addr.bytes, addr->bytes, addr->family == AF_INET ? 4 : 16);
	key.port = port;
	return key;
}

struct host *hostmap_find(const struct hostmap *map, const struct ip_addr *addr, uint16_t port)
{
	struct ip_port key = key_of(addr, port);
	struct host *host;

	HASH_FIND(hh, map->table, &key, sizeof(key), host);
	return host;
}

static void forget(struct hostmap *map, struct host *host)
{
	hostmap_unkeep(map, host);
	hostmap_drop(map, host);
}

struct host *hostmap_add(struct hostmap *map, const struct ip_port *at)
{
	struct host *host = xcalloc(1, sizeof(*host));

	if (HASH_COUNT(map->table) >= HOSTS_MAX)
		forget(map, map->table);
	host->at = key_of(&at->addr, at->port);
	host->name = xstrdup("");
	host->why = xstrdup("");
	HASH_ADD(hh, map->table, at, sizeof(host->at), host);
	return host;
}

void hostmap_set_text(char **text, const char *value)
{
	if (strcmp(*text, value) == 0)
		return;
	free(*text);
	*text = xstrdup(value);
}

bool hostmap_is_over(const struct host *host, wall_ms now)
{
	return (host->failures == 0 || host->down_until + KEPT_MS <= now) && host->no_tls_until <= now;
}

/* Costs less than a millisecond, now and then. */
static void sweep(struct hostmap *map, wall_ms now)
{
	struct host *host, *next;

	if (now < map->sweep_at)
		return;
	map->sweep_at = now + SWEEP_MS;
	HASH_ITER(hh, map->table, host, next)
		if (host->lease == 0 && hostmap_is_over(host, now))
			forget(map, host);
}

/* --- news --------------------------------------------------------------------------------------------------------------------- */

/* How long an address is down that has failed so often in a row. */
static int64_t pause_of(unsigned failures, int64_t longest_ms)
{
	int64_t ms = DOWN_FIRST_MS;

	for (unsigned i = 1; i < failures && ms < longest_ms; i++)
		ms *= 2;
	return ms < longest_ms ? ms : longest_ms;
}

/* Returns whether that is worth keeping. */
static bool note_down(struct hostmap *map, struct host *host, const struct host_report *report, wall_ms now)
{
	uint32_t down_for = host->failures == 0 || host->down_for == report->source ? report->source : ANYBODY;
	bool news = down_for != host->down_for;

	host->down_for = down_for;
	/* Attempts that were under way together count once. */
	if (host->down_until > now)
		return news;
	if (host->failures == 0) {
		map->down++;
		host->since = now;
	}
	host->failures += host->failures < UINT8_MAX;
	host->down_until = now + pause_of(host->failures, report->longest_ms);
	hostmap_set_text(&host->name, report->name);
	hostmap_set_text(&host->why, report->why);
	return true;
}

static bool note_up(struct hostmap *map, struct host *host, uint32_t source)
{
	if (host->failures == 0)
		return false;
	if (host->down_for != ANYBODY && host->down_for != source)
		return false; /* it says nothing of the one that could not */
	map->down--;
	host->failures = 0;
	host->down_for = ANYBODY;
	host->down_until = host->since = 0;
	return true;
}

static bool note_no_tls(struct host *host, wall_ms until)
{
	bool news = host->no_tls_until != until;

	host->no_tls_until = until;
	return news;
}

static bool take(struct hostmap *map, struct host *host, const struct host_report *report, wall_ms now)
{
	switch (report->news) {
	case HOST_UP:
		return note_up(map, host, report->source);
	case HOST_DOWN:
		return note_down(map, host, report, now);
	case HOST_TLS:
		return note_no_tls(host, 0);
	case HOST_NO_TLS:
		return note_no_tls(host, now + NO_TLS_MS);
	}
	return false;
}

void hostmap_note(struct hostmap *map, const struct ip_port *at, const struct host_report *report, wall_ms now)
{
	bool bad = report->news == HOST_DOWN || report->news == HOST_NO_TLS;
	struct host *host;

	sweep(map, now);
	host = hostmap_find(map, &at->addr, at->port);
	if (!host && !bad)
		return;
	if (!host)
		host = hostmap_add(map, at);
	if (!take(map, host, report, now))
		return;
	/* Nothing of it is known that would have to be remembered. */
	if (host->failures == 0 && host->no_tls_until == 0) {
		forget(map, host);
		return;
	}
	HASH_DEL(map->table, host);
	HASH_ADD(hh, map->table, at, sizeof(host->at), host);
	hostmap_keep(map, host);
}

void hostmap_lift(struct hostmap *map, const struct route *route, wall_ms now)
{
	for (size_t i = 0; map->down > 0 && i < route->host_count; i++)
		for (size_t k = 0; k < route->hosts[i].addr_count; k++) {
			struct host *host = hostmap_find(map, &route->hosts[i].addrs[k], route->port);

			if (host && host->failures > 0 && host->down_until > now)
				host->down_until = now;
		}
}

/* --- for the operator ------------------------------------------------------------------------------------------------------------ */

static void show(const struct host *host, host_view_fn fn, void *arg)
{
	struct host_view view = { .at = host->at, .name = host->name, .why = host->why, .since = host->since, .until = host->down_until,
		.failures = host->failures, .probing = host->lease != 0, .for_one = host->down_for != ANYBODY };

	if (host->failures > 0)
		fn(arg, &view);
}

void hostmap_walk_route(const struct hostmap *map, const struct route *route, host_view_fn fn, void *arg)
{
	for (size_t i = 0; i < route->host_count; i++)
		for (size_t k = 0; k < route->hosts[i].addr_count; k++) {
			const struct host *host = hostmap_find(map, &route->hosts[i].addrs[k], route->port);

			if (host)
				show(host, fn, arg);
		}
}

bool hostmap_walk(const struct hostmap *map, size_t from, size_t count, host_view_fn fn, void *arg)
{
	const struct host *host = map->table;

	for (; host && from > 0; from--)
		host = host->hh.next;
	for (; host && count > 0; count--, host = host->hh.next)
		show(host, fn, arg);
	return host != NULL;
}
