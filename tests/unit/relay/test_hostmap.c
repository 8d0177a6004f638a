/* tests/unit/relay/test_hostmap.c - addresses that are down come last, and those that fail at TLS are known, for a while. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/deliver/hostmap.h"

#define NOW     1700000000000
#define LONGEST HOURS(1)
#define THIS    hostmap_source("this")
#define OTHER   hostmap_source("other")

static struct ip_port address(const char *text)
{
	struct ip_port at = { .port = 25 };

	assert_true(ip_parse(text, &at.addr));
	return at;
}

static void note(struct hostmap *map, const char *text, enum host_news news, wall_ms now)
{
	struct ip_port at = address(text);

	(void)hostmap_note(map, &at, news, THIS, LONGEST, now);
}

/* Hosts a (192.0.2.1, 192.0.2.2) and b (2001:db8::1). */
static struct route *make_route(void)
{
	static const char *const texts[2][2] = { { "192.0.2.1", "192.0.2.2" }, { "2001:db8::1", NULL } };
	struct route *route = xcalloc(1, sizeof(*route));

	route->refs = 1;
	route->domain = xstrdup("example.net");
	route->port = 25;
	route->key = 77;
	route->hosts = xcalloc(2, sizeof(*route->hosts));
	route->host_count = 2;
	for (size_t i = 0; i < 2; i++) {
		struct route_host *host = &route->hosts[i];

		host->name = xstrdup(i == 0 ? "a" : "b");
		host->addrs = xcalloc(2, sizeof(*host->addrs));
		for (size_t k = 0; k < 2 && texts[i][k]; k++)
			host->addrs[host->addr_count++] = address(texts[i][k]).addr;
	}
	return route;
}

/* "a .1 .2!, b ..." with the last two characters of each address; ! marks those without TLS. */
static const char *order(const struct hostmap *map, wall_ms now)
{
	static char text[200];
	struct route *route = make_route(), *best = hostmap_route(map, route, THIS, now);
	size_t len = 0;
	char ip[IP_TEXT];

	assert_true(best->key == route->key);
	for (size_t i = 0; i < best->host_count; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? ", " : "", best->hosts[i].name);
		for (size_t k = 0; k < best->hosts[i].addr_count; k++) {
			ip_format(&best->hosts[i].addrs[k], ip);
			len += (size_t)snprintf(text + len, sizeof(text) - len, " %s%s", ip + strlen(ip) - 2, best->hosts[i].no_tls & 1u << k ? "!" : "");
		}
	}
	route_unref(&best);
	route_unref(&route);
	return text;
}

static void what_is_down_comes_last(void **state)
{
	struct hostmap *map = hostmap_create();

	assert_string_equal(order(map, NOW), "a .1 .2, b :1");
	note(map, "192.0.2.1", HOST_DOWN, NOW);
	assert_string_equal(order(map, NOW), "a .2 .1, b :1");
	note(map, "192.0.2.2", HOST_DOWN, NOW);
	assert_string_equal(order(map, NOW), "b :1, a .1 .2");
	note(map, "2001:db8::1", HOST_DOWN, NOW);
	assert_string_equal(order(map, NOW), "a .1 .2, b :1");
	note(map, "192.0.2.2", HOST_UP, NOW);
	assert_string_equal(order(map, NOW), "a .2 .1, b :1");
	/* It may be tried again, after the one that answered. */
	assert_string_equal(order(map, NOW + MINUTES(1) + 1), "a .2 .1, b :1");
	assert_string_equal(order(map, NOW + MINUTES(21)), "a .1 .2, b :1");
	hostmap_destroy(&map);
}

static void the_next_attempt_begins_with_another_family_or_host(void **state)
{
	static const struct {
		const char *label, *down[2];
		const char *five_minutes_later;
	} rows[] = {
		{ "one of two", { "192.0.2.1", NULL }, "a .2 .1, b :1" },
		{ "all of a host", { "192.0.2.1", "192.0.2.2" }, "b :1, a .1 .2" },
		{ "one of each family", { "192.0.2.1", "2001:db8::1" }, "a .2 .1, b :1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct hostmap *map = hostmap_create();

		for (size_t k = 0; k < 2 && rows[i].down[k]; k++)
			note(map, rows[i].down[k], HOST_DOWN, NOW);
		if (strcmp(order(map, NOW + MINUTES(5)), rows[i].five_minutes_later) != 0)
			fail_msg("%s: %s", rows[i].label, order(map, NOW + MINUTES(5)));
		hostmap_destroy(&map);
	}
}

static void of_those_that_failed_the_one_that_failed_longest_ago_is_first(void **state)
{
	struct hostmap *map = hostmap_create();

	note(map, "192.0.2.1", HOST_DOWN, NOW + MINUTES(2));
	note(map, "192.0.2.2", HOST_DOWN, NOW + MINUTES(1));
	note(map, "2001:db8::1", HOST_DOWN, NOW);
	assert_string_equal(order(map, NOW + MINUTES(5)), "b :1, a .2 .1");
	hostmap_destroy(&map);
}

static void the_other_family_of_a_host_is_tried_before_more_of_the_one_that_failed(void **state)
{
	static const char *const texts[] = { "2001:db8::1", "2001:db8::2", "192.0.2.9" };
	struct hostmap *map = hostmap_create();
	struct route *route = make_route(), *best;
	char ip[IP_TEXT];

	free(route->hosts[0].addrs);
	route->hosts[0].addrs = xcalloc(3, sizeof(struct ip_addr));
	route->hosts[0].addr_count = 3;
	for (size_t k = 0; k < 3; k++)
		route->hosts[0].addrs[k] = address(texts[k]).addr;
	note(map, texts[0], HOST_DOWN, NOW);
	best = hostmap_route(map, route, THIS, NOW + MINUTES(5));
	assert_string_equal(ip_format(&best->hosts[0].addrs[0], ip), "192.0.2.9");
	assert_string_equal(ip_format(&best->hosts[0].addrs[1], ip), "2001:db8::2");
	assert_string_equal(ip_format(&best->hosts[0].addrs[2], ip), "2001:db8::1");
	route_unref(&best);
	route_unref(&route);
	hostmap_destroy(&map);
}

static void the_time_grows_with_each_failure_in_a_row_up_to_the_longest(void **state)
{
	static const int minutes[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
	struct hostmap *map = hostmap_create();
	wall_ms now = NOW;

	for (size_t i = 0; i < ARRAY_LEN(minutes); i++) {
		note(map, "192.0.2.1", HOST_DOWN, now);
		note(map, "192.0.2.1", HOST_DOWN, now + 10); /* was under way */
		/* Six times as long and a quarter of an hour others come first; then it is as good as they. */
		if (strcmp(order(map, now + MINUTES(6 * minutes[i] + 15) - 1), "a .2 .1, b :1") != 0)
			fail_msg("failure %zu: not last for %d minutes", i + 1, 6 * minutes[i] + 15);
		now += MINUTES(6 * minutes[i] + 15);
		if (strcmp(order(map, now), "a .1 .2, b :1") != 0)
			fail_msg("failure %zu: still last after %d minutes", i + 1, 6 * minutes[i] + 15);
	}
	note(map, "192.0.2.1", HOST_UP, now);
	assert_int_equal(hostmap_count(map), 0);
	hostmap_destroy(&map);
}

static void a_failed_handshake_is_remembered_for_an_hour_or_until_one_succeeds(void **state)
{
	struct hostmap *map = hostmap_create();

	note(map, "192.0.2.2", HOST_NO_TLS, NOW);
	assert_string_equal(order(map, NOW + HOURS(1) - 1), "a .1 .2!, b :1");
	assert_string_equal(order(map, NOW + HOURS(1)), "a .1 .2, b :1");
	note(map, "192.0.2.2", HOST_TLS, NOW);
	assert_string_equal(order(map, NOW), "a .1 .2, b :1");
	assert_int_equal(hostmap_count(map), 0);
	hostmap_destroy(&map);
}

static const char *order_for(const struct hostmap *map, uint32_t source, wall_ms now)
{
	static char text[64];
	struct route *route = make_route(), *best = hostmap_route(map, route, source, now);
	char ip[IP_TEXT];

	ip_format(&best->hosts[0].addrs[0], ip);
	snprintf(text, sizeof(text), "%s", ip);
	route_unref(&best);
	route_unref(&route);
	return text;
}

static void what_one_source_cannot_reach_is_down_for_that_one_alone(void **state)
{
	struct hostmap *map = hostmap_create(), *again = hostmap_create();
	struct queue_memo *memo = hostmap_memo(map);
	struct ip_port at = address("192.0.2.1");
	uint8_t data[QUEUE_MEMO_MAX];
	size_t len;

	note(map, "192.0.2.1", HOST_DOWN, NOW);
	assert_string_equal(order_for(map, THIS, NOW), "192.0.2.2");
	assert_string_equal(order_for(map, OTHER, NOW), "192.0.2.1");
	hostmap_note(map, &at, HOST_UP, OTHER, LONGEST, NOW);
	assert_string_equal(order_for(map, THIS, NOW), "192.0.2.2");
	len = memo->write(memo, data);
	hostmap_restore(again, data, len, NOW);
	assert_string_equal(order_for(again, OTHER, NOW), "192.0.2.1");
	assert_string_equal(order_for(again, THIS, NOW), "192.0.2.2");
	hostmap_note(map, &at, HOST_DOWN, OTHER, LONGEST, NOW);
	assert_string_equal(order_for(map, OTHER, NOW), "192.0.2.2");
	assert_string_equal(order_for(map, hostmap_source("third"), NOW), "192.0.2.2");
	hostmap_note(map, &at, HOST_UP, OTHER, LONGEST, NOW);
	assert_int_equal(hostmap_count(map), 0);
	hostmap_destroy(&again);
	hostmap_destroy(&map);
}

static void a_copy_of_the_first_version_is_read(void **state)
{
	uint8_t data[1 + 36] = { 1, 4, 192, 0, 2, 1, [18] = 0, [19] = 25, [20] = 1 };
	struct hostmap *map = hostmap_create();

	for (int i = 0; i < 8; i++)
		data[21 + i] = (uint8_t)((uint64_t)(NOW + MINUTES(1)) >> (56 - 8 * i));
	hostmap_restore(map, data, sizeof(data), NOW);
	assert_int_equal(hostmap_count(map), 1);
	assert_string_equal(order_for(map, OTHER, NOW), "192.0.2.2");
	hostmap_destroy(&map);
}

static void it_is_restored_and_what_is_over_is_not(void **state)
{
	struct hostmap *map = hostmap_create(), *again = hostmap_create();
	struct queue_memo *memo = hostmap_memo(map);
	uint8_t data[QUEUE_MEMO_MAX];
	size_t len;

	note(map, "192.0.2.1", HOST_DOWN, NOW);
	note(map, "2001:db8::1", HOST_NO_TLS, NOW);
	len = memo->write(memo, data);
	hostmap_restore(again, data, len, NOW + 1);
	assert_string_equal(order(again, NOW + 1), "a .2 .1, b :1!");
	hostmap_destroy(&again);
	again = hostmap_create();
	hostmap_restore(again, data, len, NOW + MINUTES(30));
	assert_string_equal(order(again, NOW + MINUTES(30)), "a .1 .2, b :1!");
	assert_int_equal(hostmap_count(again), 1);
	hostmap_restore(again, data, len - 1, NOW); /* cut off: the whole entries count */
	hostmap_restore(again, "\xff", 1, NOW);
	hostmap_restore(again, "", 0, NOW);
	hostmap_destroy(&again);
	hostmap_destroy(&map);
}

static void the_store_gets_the_latest_that_fit(void **state)
{
	struct hostmap *map = hostmap_create();
	struct queue_memo *memo = hostmap_memo(map);
	uint8_t data[QUEUE_MEMO_MAX];

	for (int i = 0; i < 11000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.%d.%d.1", i / 200, i % 200);
		note(map, text, HOST_DOWN, NOW);
	}
	assert_int_equal(hostmap_count(map), 10000);
	assert_in_range(memo->write(memo, data), QUEUE_MEMO_MAX - 40, QUEUE_MEMO_MAX);
	hostmap_destroy(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_down_comes_last),
		cmocka_unit_test(the_next_attempt_begins_with_another_family_or_host),
		cmocka_unit_test(of_those_that_failed_the_one_that_failed_longest_ago_is_first),
		cmocka_unit_test(the_other_family_of_a_host_is_tried_before_more_of_the_one_that_failed),
		cmocka_unit_test(what_one_source_cannot_reach_is_down_for_that_one_alone),
		cmocka_unit_test(a_copy_of_the_first_version_is_read),
		cmocka_unit_test(the_time_grows_with_each_failure_in_a_row_up_to_the_longest),
		cmocka_unit_test(a_failed_handshake_is_remembered_for_an_hour_or_until_one_succeeds),
		cmocka_unit_test(it_is_restored_and_what_is_over_is_not),
		cmocka_unit_test(the_store_gets_the_latest_that_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
