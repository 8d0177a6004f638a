/* tests/fuzz/fuzz_host.c - fuzz target for what is known of receiving hosts: stored rows, the memo of earlier stores, and news in any order.
 *
 * The first byte chooses. Rows and memo: whatever is taken is written back and read again, and routes are made of it. News: each byte is a step;
 * no two attempts share a lease, what has nothing to try is told a time, and the count of those that are down is right. */
#include <stdlib.h>
#include <string.h>

#include "relay/deliver/hostmap.h"
#include "relay/deliver/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW       INT64_C(1772352000000)
#define ADDRESSES 4
#define ATTEMPTS  4

static void must_read_again(void *arg, const char *name, const void *data, size_t len)
{
	const wall_ms *now = arg;
	struct hostmap *other = hostmap_create(NULL, NULL);

	if (len > 0) {
		hostmap_restore(other, name, data, len, *now);
		must(hostmap_count(other) <= 1); /* 0: it is over already */
	}
	hostmap_destroy(&other);
}

static struct route *make_route(void)
{
	struct route *route = xcalloc(1, sizeof(*route));

	route->refs = 1;
	route->domain = xstrdup("example.net");
	route->port = 25;
	route->hosts = xcalloc(2, sizeof(*route->hosts));
	route->host_count = 2;
	for (unsigned i = 0; i < 2; i++) {
		struct route_host *host = &route->hosts[i];

		host->name = xstrdup(i == 0 ? "a" : "b");
		host->addrs = xcalloc(2, sizeof(*host->addrs));
		host->addr_count = 2;
		host->addrs[0] = (struct ip_addr){ .family = AF_INET, .bytes = { 192, 0, 2, (uint8_t)(i + 1) } };
		host->addrs[1] = (struct ip_addr){ .family = AF_INET6, .bytes = { 0x20, 1, 0xd, 0xb8, [15] = (uint8_t)(i + 1) } };
	}
	return route;
}

static void count_one(void *arg, const struct host_view *view)
{
	must(view->failures > 0 && view->name && view->why);
	++*(size_t *)arg;
}

static void check(const struct hostmap *map)
{
	size_t down = 0;

	must(!hostmap_walk(map, 0, SIZE_MAX, count_one, &down));
	must(down == hostmap_count_down(map) && down <= hostmap_count(map));
}

/* --- news in any order ----------------------------------------------------------------------------------------------------------- */

struct attempt {
	struct route *way; /* NULL: none under way */
	uint64_t lease;
};

static void begin(struct hostmap *map, struct route *route, struct attempt *attempt, unsigned bits, wall_ms now)
{
	struct hostmap_ask ask = { .source = bits & 1 ? 1 : 2, .families = 1 + (bits >> 1 & 3) % 3, .alone = bits & 8, .only = bits & 8 };
	struct hostmap_wait wait = { 0 };
	bool may = hostmap_may_try(map, route, &ask, now, &wait);

	must(!attempt->way);
	attempt->way = hostmap_route(map, route, &ask, now, &attempt->lease, &wait);
	must(may == (attempt->way != NULL));
	if (!attempt->way) {
		must(wait.until > now && attempt->lease == 0);
		return;
	}
	must(attempt->way->host_count > 0);
	for (size_t i = 0; i < attempt->way->host_count; i++)
		must(attempt->way->hosts[i].addr_count > 0);
}

static void end(struct hostmap *map, struct attempt *attempt)
{
	if (!attempt->way)
		return;
	hostmap_release(map, attempt->way, attempt->lease);
	route_unref(&attempt->way);
}

static void tell(struct hostmap *map, const struct route *route, unsigned bits, wall_ms now)
{
	struct host_report report = { .news = (enum host_news)(bits & 3), .source = bits & 4 ? 1 : 2, .name = "mx", .why = "words",
		.longest_ms = bits & 8 ? HOURS(4) : SECONDS(1) };
	struct ip_port at = { route->hosts[bits >> 4 & 1].addrs[bits >> 5 & 1], 25 };

	hostmap_note(map, &at, &report, now);
}

static void fuzz_news(const uint8_t *data, size_t len)
{
	wall_ms now = NOW;
	struct hostmap *map = hostmap_create(must_read_again, &now);
	struct route *route = make_route();
	struct attempt attempts[ATTEMPTS] = { 0 };

	for (size_t i = 0; i + 1 < len; i += 2) {
		struct attempt *attempt = &attempts[data[i] >> 4 & 3];

		switch (data[i] & 7) {
		case 0:
			now += (wall_ms)data[i + 1] * SECONDS(1);
			break;
		case 1:
			now += (wall_ms)data[i + 1] * MINUTES(20);
			break;
		case 2:
			end(map, attempt);
			begin(map, route, attempt, data[i + 1], now);
			break;
		case 3:
			end(map, attempt);
			break;
		case 4:
			hostmap_lift(map, route, now);
			break;
		default:
			tell(map, route, data[i + 1], now);
		}
		check(map);
		for (unsigned a = 0; a < ATTEMPTS; a++)
			for (unsigned b = 0; b < a; b++)
				must(attempts[a].lease == 0 || !attempts[a].way || !attempts[b].way || attempts[a].lease != attempts[b].lease);
	}
	for (unsigned a = 0; a < ATTEMPTS; a++)
		end(map, &attempts[a]);
	route_unref(&route);
	hostmap_destroy(&map);
}

/* --- from the store -------------------------------------------------------------------------------------------------------------- */

static void use(struct hostmap *map)
{
	struct route *route = make_route();
	struct attempt attempt = { 0 };

	check(map);
	for (unsigned bits = 0; bits < 16; bits++) {
		begin(map, route, &attempt, bits, NOW + MINUTES(bits));
		end(map, &attempt);
		tell(map, route, bits * 17, NOW + MINUTES(bits));
		check(map);
	}
	route_unref(&route);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wall_ms now = NOW;
	struct hostmap *map;

	if (size == 0)
		return 0;
	if (data[0] == 'N') {
		fuzz_news(data + 1, size - 1);
		return 0;
	}
	map = hostmap_create(must_read_again, &now);
	if (data[0] == 'M')
		hostmap_restore_memo(map, data + 1, size - 1, NOW);
	else
		hostmap_restore(map, data[0] & 1 ? HOSTMAP_ROW "192.0.2.1:25" : HOSTMAP_ROW "[2001:db8::2]:25", data + 1, size - 1, NOW);
	now = NOW + MINUTES(16);
	use(map);
	hostmap_destroy(&map);
	return 0;
}
