/* relay/deliver/hostmap.c - addresses of receiving servers that are remembered as down or as unable to do TLS.
 *
 * The table is the main thread's. The writer thread takes the store's copy from `stored`, under the lock. */
#include "relay/deliver/hostmap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"

#define DOWN_FIRST_MS MINUTES(1)
#define DOWN_MAX_MS   HOURS(4)
#define SHY_MS        MINUTES(15) /* and SHY_PAUSES times as long as it was down: longer than a job waits after as many failures, */
#define SHY_PAUSES    5           /* for its next attempt is to begin with another address */
#define NO_TLS_MS     HOURS(1)
#define HOSTS_MAX     10000 /* remembered; beyond, the one that was heard of longest ago goes */

#define VERSION     2
#define ENTRY_BYTES 40 /* family u8, address 16, port u16, failures u8, down until u64, no TLS until u64, version 2: for whom u32 */
#define ENTRY_V1    36
#define ANYBODY     0

struct host {
	struct ip_port at; /* the key: zeroed before it is filled */
	uint8_t failures;  /* in a row */
	uint32_t down_for; /* the one source that could not reach it, or ANYBODY */
	wall_ms down_until, no_tls_until;
	wall_ms shy_until; /* it may be tried again, and has not answered yet: after those that nothing is held against */
	UT_hash_handle hh; /* in the order of the last news */
};

struct hostmap {
	struct host *table;
	struct queue_memo memo;
	pthread_mutex_t lock;
	uint8_t stored[QUEUE_MEMO_MAX];
	size_t stored_len;
};

static size_t write_memo(const struct queue_memo *memo, uint8_t out[QUEUE_MEMO_MAX])
{
	struct hostmap *map = CONTAINER_OF(memo, struct hostmap, memo);
	size_t len;

	must(pthread_mutex_lock(&map->lock) == 0);
	len = map->stored_len;
	memcpy(out, map->stored, len);
	must(pthread_mutex_unlock(&map->lock) == 0);
	return len;
}

struct hostmap *hostmap_create(void)
{
	struct hostmap *map = xcalloc(1, sizeof(*map));

	must(pthread_mutex_init(&map->lock, NULL) == 0);
	map->memo = (struct queue_memo){.name = HOSTMAP_MEMO, .write = write_memo};
	return map;
}

/* FNV-1a; two sources that share a number are taken for one, which costs an attempt at most. Never ANYBODY. */
uint32_t hostmap_source(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 16777619u;
	return hash == ANYBODY ? 1 : hash;
}

static void forget(struct hostmap *map, struct host *host)
{
	HASH_DEL(map->table, host);
	free(host);
}

void hostmap_destroy(struct hostmap **map)
{
	struct hostmap *m = *map;

	*map = NULL;
	if (!m)
		return;
	while (m->table)
		forget(m, m->table);
	must(pthread_mutex_destroy(&m->lock) == 0);
	free(m);
}

size_t hostmap_count(const struct hostmap *map)
{
	return HASH_COUNT(map->table);
}

static struct ip_port key_of(const struct ip_port *at)
{
	struct ip_port key;

	/* Padding is hashed too. */
	memset(&key, 0, sizeof(key));
	key.addr.family = at->addr.family;
	memcpy(key.addr.bytes, at->addr.bytes, at->addr.family == AF_INET ? 4 : 16);
	key.port = at->port;
	return key;
}

static struct host *find(const struct hostmap *map, const struct ip_port *at)
{
	struct ip_port key = key_of(at);
	struct host *host;

	HASH_FIND(hh, map->table, &key, sizeof(key), host);
	return host;
}

static struct host *add(struct hostmap *map, const struct ip_port *at)
{
	struct host *host = xcalloc(1, sizeof(*host));

	if (HASH_COUNT(map->table) >= HOSTS_MAX)
		forget(map, map->table);
	host->at = key_of(at);
	HASH_ADD(hh, map->table, at, sizeof(host->at), host);
	return host;
}

/* --- the store's copy ------------------------------------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *to, uint64_t value, unsigned bytes)
{
	while (bytes-- > 0)
		*to++ = (uint8_t)(value >> 8 * bytes);
	return to;
}

static uint64_t get(const uint8_t **at, unsigned bytes)
{
	uint64_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | *(*at)++;
	return value;
}

static uint8_t *put_host(uint8_t *to, const struct host *host)
{
	to = put(to, host->at.addr.family == AF_INET ? 4 : 6, 1);
	memcpy(to, host->at.addr.bytes, 16);
	to = put(to + 16, host->at.port, 2);
	to = put(to, host->failures, 1);
	to = put(to, (uint64_t)host->down_until, 8);
	to = put(to, (uint64_t)host->no_tls_until, 8);
	return put(to, host->down_for, 4);
}

/* Those with the latest news, as many as there is room for. */
static void save(struct hostmap *map)
{
	const size_t most = (QUEUE_MEMO_MAX - 1) / ENTRY_BYTES;
	size_t skip = HASH_COUNT(map->table) > most ? HASH_COUNT(map->table) - most : 0;
	uint8_t *to = map->stored;

	must(pthread_mutex_lock(&map->lock) == 0);
	to = put(to, VERSION, 1);
	for (const struct host *host = map->table; host; host = host->hh.next)
		if (skip > 0)
			skip--;
		else
			to = put_host(to, host);
	map->stored_len = (size_t)(to - map->stored);
	must(pthread_mutex_unlock(&map->lock) == 0);
}

struct queue_memo *hostmap_memo(struct hostmap *map)
{
	return &map->memo;
}

/* How long an address is down that has failed so often in a row. */
static int64_t pause_of(unsigned failures, int64_t longest_ms)
{
	int64_t ms = DOWN_FIRST_MS;

	for (unsigned i = 1; i < failures && ms < longest_ms; i++)
		ms *= 2;
	return ms < longest_ms ? ms : longest_ms;
}

static wall_ms shy_after(wall_ms down_until, int64_t pause)
{
	return down_until + SHY_MS + SHY_PAUSES * pause;
}

/* A copy of a later version, or a damaged one, is as good as none: it is a memory, not mail. */
void hostmap_restore(struct hostmap *map, const void *data, size_t len, wall_ms now)
{
	const uint8_t *at = data, *end = at + len;

	uint64_t version = len > 0 ? get(&at, 1) : 0;
	ptrdiff_t size = version == 1 ? ENTRY_V1 : ENTRY_BYTES;

	if (version < 1 || version > VERSION)
		return;
	while (end - at >= size) {
		struct ip_port key = {.addr = {.family = get(&at, 1) == 4 ? AF_INET : AF_INET6}};
		struct host host = {.failures = 0};

		memcpy(key.addr.bytes, at, 16);
		at += 16;
		key.port = (uint16_t)get(&at, 2);
		host.failures = (uint8_t)get(&at, 1);
		host.down_until = (wall_ms)get(&at, 8);
		host.no_tls_until = (wall_ms)get(&at, 8);
		host.down_for = version > 1 ? (uint32_t)get(&at, 4) : ANYBODY;
		if (host.failures > 0 && host.down_until > 0 && host.down_until < now + DAYS(30))
			host.shy_until = shy_after(host.down_until, pause_of(host.failures, DOWN_MAX_MS));
		if ((host.down_until <= now && host.shy_until <= now && host.no_tls_until <= now) || find(map, &key))
			continue;
		struct host *kept = add(map, &key);

		kept->failures = host.failures;
		kept->down_until = host.down_until;
		kept->down_for = host.down_for;
		kept->shy_until = host.shy_until;
		kept->no_tls_until = host.no_tls_until;
	}
	save(map);
}

/* --- news --------------------------------------------------------------------------------------------------------------------- */

static void note_down(struct host *host, uint32_t source, int64_t longest_ms, wall_ms now)
{
	int64_t pause;

	if (host->failures == 0)
		host->down_for = source;
	else if (host->down_for != source)
		host->down_for = ANYBODY;
	/* Attempts that were under way together count once. */
	if (host->down_until > now)
		return;
	host->failures += host->failures < UINT8_MAX;
	pause = pause_of(host->failures, longest_ms);
	host->down_until = now + pause;
	host->shy_until = shy_after(host->down_until, pause);
}

/* Nothing of it is known that would have to be remembered. */
static bool is_fine(const struct host *host)
{
	return host->failures == 0 && host->no_tls_until == 0;
}

bool hostmap_note(struct hostmap *map, const struct ip_port *at, enum host_news news, uint32_t source, int64_t longest_ms, wall_ms now)
{
	bool bad = news == HOST_DOWN || news == HOST_NO_TLS;
	struct host *host = find(map, at);

	if (!host && !bad)
		return false;
	if (!host)
		host = add(map, at);
	switch (news) {
	case HOST_UP:
		if (host->down_for != ANYBODY && host->down_for != source)
			break; /* it says nothing of the one that could not */
		host->failures = 0;
		host->down_for = ANYBODY;
		host->down_until = host->shy_until = 0;
		break;
	case HOST_DOWN:
		note_down(host, source, longest_ms, now);
		break;
	case HOST_TLS:
		host->no_tls_until = 0;
		break;
	case HOST_NO_TLS:
		host->no_tls_until = now + NO_TLS_MS;
		break;
	}
	if (is_fine(host))
		forget(map, host);
	save(map);
	return true;
}

/* --- routes -------------------------------------------------------------------------------------------------------------------- */

static const struct host *host_of(const struct hostmap *map, const struct route *route, const struct ip_addr *addr)
{
	return find(map, &(struct ip_port){*addr, route->port});
}

/* In the order in which they are tried. */
enum rank { RANK_FINE, RANK_FAMILY, RANK_SHY, RANK_DOWN }; /* FAMILY: another address of its family failed, and none of the other */

/* since: when it will no longer be, or was no longer, down; 0: nothing is held against it. */
static enum rank rank_of(const struct hostmap *map, const struct route *route, const struct ip_addr *addr, uint32_t source, wall_ms now,
    wall_ms *since)
{
	const struct host *host = host_of(map, route, addr);

	*since = 0;
	if (!host || (host->down_for != ANYBODY && host->down_for != source) || host->shy_until <= now)
		return RANK_FINE;
	*since = host->down_until;
	return host->down_until > now ? RANK_DOWN : RANK_SHY;
}

static bool has_no_tls(const struct hostmap *map, const struct route *route, const struct ip_addr *addr, wall_ms now)
{
	const struct host *host = host_of(map, route, addr);

	return host && host->no_tls_until > now;
}

/* For whom, when, and the family in which some addresses of the route failed while none of the other did; 0: none. */
struct view {
	const struct hostmap *map;
	uint32_t source;
	wall_ms now;
	int troubled;
};

/* Does anything that is known touch the route? */
static bool look(struct view *view, const struct route *route)
{
	bool no_tls = false, v4 = false, v6 = false;
	wall_ms since;

	for (size_t i = 0; view->map->table && i < route->host_count; i++)
		for (size_t k = 0; k < route->hosts[i].addr_count; k++) {
			const struct ip_addr *addr = &route->hosts[i].addrs[k];
			bool failed = rank_of(view->map, route, addr, view->source, view->now, &since) != RANK_FINE;

			v4 = v4 || (failed && addr->family == AF_INET);
			v6 = v6 || (failed && addr->family != AF_INET);
			no_tls = no_tls || has_no_tls(view->map, route, addr, view->now);
		}
	view->troubled = v4 == v6 ? 0 : v4 ? AF_INET : AF_INET6;
	return v4 || v6 || no_tls;
}

struct ranked {
	size_t place; /* in the route's own order */
	enum rank rank;
	wall_ms since;
};

/* Who failed longest ago comes first among those that failed. */
static int compare(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->since != b->since)
		return a->since < b->since ? -1 : 1;
	return a->place < b->place ? -1 : 1;
}

/* Puts them into the order in which they are to be tried. What the host is worth: its best one, of either family. */
static struct ranked order_addresses(const struct view *view, const struct route *route, struct route_host *host)
{
	struct ranked *ranks = xcalloc(host->addr_count + 1, sizeof(ranks[0])), best;
	struct ip_addr *before = xcalloc(host->addr_count + 1, sizeof(before[0]));

	memcpy(before, host->addrs, host->addr_count * sizeof(before[0]));
	for (size_t k = 0; k < host->addr_count; k++) {
		ranks[k].place = k;
		ranks[k].rank = rank_of(view->map, route, &before[k], view->source, view->now, &ranks[k].since);
		if (ranks[k].rank == RANK_FINE && before[k].family == view->troubled)
			ranks[k].rank = RANK_FAMILY;
	}
	qsort(ranks, host->addr_count, sizeof(ranks[0]), compare);
	host->no_tls = 0;
	for (size_t k = 0; k < host->addr_count; k++) {
		host->addrs[k] = before[ranks[k].place];
		if (k < 32 && has_no_tls(view->map, route, &host->addrs[k], view->now))
			host->no_tls |= 1u << k;
	}
	best = ranks[0];
	if (best.rank == RANK_FAMILY)
		best.rank = RANK_FINE;
	free(ranks);
	free(before);
	return best;
}

static void order_hosts(const struct view *view, struct route *route)
{
	struct ranked *ranks = xcalloc(route->host_count + 1, sizeof(ranks[0]));
	struct route_host *before = xcalloc(route->host_count + 1, sizeof(before[0]));

	for (size_t i = 0; i < route->host_count; i++) {
		ranks[i] = order_addresses(view, route, &route->hosts[i]);
		ranks[i].place = i;
	}
	memcpy(before, route->hosts, route->host_count * sizeof(before[0]));
	qsort(ranks, route->host_count, sizeof(ranks[0]), compare);
	for (size_t i = 0; i < route->host_count; i++)
		route->hosts[i] = before[ranks[i].place];
	free(ranks);
	free(before);
}

struct route *hostmap_route(const struct hostmap *map, struct route *route, uint32_t source, wall_ms now)
{
	struct view view = { .map = map, .source = source, .now = now };
	struct route *copy;

	if (!look(&view, route))
		return route_ref(route);
	copy = route_copy(route);
	order_hosts(&view, copy);
	return copy;
}
