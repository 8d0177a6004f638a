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
		if ((host.down_until <= now && host.no_tls_until <= now) || find(map, &key))
			continue;
		struct host *kept = add(map, &key);

		kept->failures = host.failures;
		kept->down_until = host.down_until;
		kept->down_for = host.down_for;
		kept->no_tls_until = host.no_tls_until;
	}
	save(map);
}

/* --- news --------------------------------------------------------------------------------------------------------------------- */

static void note_down(struct host *host, uint32_t source, int64_t longest_ms, wall_ms now)
{
	int64_t ms = DOWN_FIRST_MS;

	if (host->failures == 0)
		host->down_for = source;
	else if (host->down_for != source)
		host->down_for = ANYBODY;
	/* Attempts that were under way together count once. */
	if (host->down_until > now)
		return;
	for (unsigned i = 0; i < host->failures && ms < longest_ms; i++)
		ms *= 2;
	host->failures += host->failures < UINT8_MAX;
	host->down_until = now + (ms < longest_ms ? ms : longest_ms);
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
		host->down_until = 0;
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

static bool is_down(const struct hostmap *map, const struct route *route, const struct ip_addr *addr, uint32_t source, wall_ms now)
{
	const struct host *host = host_of(map, route, addr);

	return host && host->down_until > now && (host->down_for == ANYBODY || host->down_for == source);
}

static bool has_no_tls(const struct hostmap *map, const struct route *route, const struct ip_addr *addr, wall_ms now)
{
	const struct host *host = host_of(map, route, addr);

	return host && host->no_tls_until > now;
}

static bool is_touched(const struct hostmap *map, const struct route *route, uint32_t source, wall_ms now)
{
	for (size_t i = 0; map->table && i < route->host_count; i++)
		for (size_t k = 0; k < route->hosts[i].addr_count; k++)
			if (is_down(map, route, &route->hosts[i].addrs[k], source, now) || has_no_tls(map, route, &route->hosts[i].addrs[k], now))
				return true;
	return false;
}

/* Those that are up, then those that are down; each in its order. How many are up. */
static size_t order_addresses(
    const struct hostmap *map, const struct route *route, struct route_host *host, uint32_t source, wall_ms now)
{
	struct ip_addr *down = xcalloc(host->addr_count, sizeof(down[0]));
	size_t up = 0, last = 0;

	for (size_t k = 0; k < host->addr_count; k++)
		if (is_down(map, route, &host->addrs[k], source, now))
			down[last++] = host->addrs[k];
		else
			host->addrs[up++] = host->addrs[k];
	memcpy(host->addrs + up, down, last * sizeof(down[0]));
	free(down);
	host->no_tls = 0;
	for (size_t k = 0; k < host->addr_count && k < 32; k++)
		if (has_no_tls(map, route, &host->addrs[k], now))
			host->no_tls |= 1u << k;
	return up;
}

static void order_hosts(const struct hostmap *map, struct route *route, uint32_t source, wall_ms now)
{
	struct route_host *down = xcalloc(route->host_count, sizeof(down[0]));
	size_t up = 0, last = 0;

	for (size_t i = 0; i < route->host_count; i++) {
		struct route_host host = route->hosts[i];

		if (order_addresses(map, route, &host, source, now) > 0)
			route->hosts[up++] = host;
		else
			down[last++] = host;
	}
	memcpy(route->hosts + up, down, last * sizeof(down[0]));
	free(down);
}

struct route *hostmap_route(const struct hostmap *map, struct route *route, uint32_t source, wall_ms now)
{
	struct route *copy;

	if (!is_touched(map, route, source, now))
		return route_ref(route);
	copy = route_copy(route);
	order_hosts(map, copy, source, now);
	return copy;
}
