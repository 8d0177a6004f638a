/* tests/unit/relay/test_hostmap.c - addresses that are down are left alone but for one attempt at a time, and those that fail at TLS are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/deliver/hostmap.h"
#include "relay/deliver/route.h"

#define NOW     1700000000000
#define LONGEST HOURS(1)
#define THIS    hostmap_source("this")
#define OTHER   hostmap_source("other")
#define BOTH    (HOSTMAP_V4 | HOSTMAP_V6)

static struct ip_port address(const char *text)
{
	struct ip_port at = { .port = 25 };

	assert_true(ip_parse(text, &at.addr));
	return at;
}

static void note_by(struct hostmap *map, uint32_t source, const char *text, enum host_news news, wall_ms now)
{
	struct host_report report = { .news = news, .source = source, .name = "mx.example.net", .why = "refused", .longest_ms = LONGEST };
	struct ip_port at = address(text);

	hostmap_note(map, &at, &report, now);
}

static void note(struct hostmap *map, const char *text, enum host_news news, wall_ms now)
{
	note_by(map, THIS, text, news, now);
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
	route->families = BOTH;
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

static const char *words_of(const struct route *best)
{
	static char text[200];
	size_t len = 0;
	char ip[IP_TEXT];

	text[0] = '\0';
	for (size_t i = 0; i < best->host_count; i++) {
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? ", " : "", best->hosts[i].name);
		for (size_t k = 0; k < best->hosts[i].addr_count; k++) {
			ip_format(&best->hosts[i].addrs[k], ip);
			len += (size_t)snprintf(text + len, sizeof(text) - len, " %s%s", ip + strlen(ip) - 2, best->hosts[i].no_tls & 1u << k ? "!" : "");
		}
	}
	return text;
}

/* An attempt that may go on for a while. */
struct try {
	struct route *route, *way; /* way NULL: it has to wait */
	uint64_t lease;
	struct hostmap_wait wait;
	char text[200]; /* "a .1 .2!, b ..." with the last two characters of each address; ! marks those without TLS; or "wait 60 all" */
};

static struct try *begin(struct hostmap *map, struct hostmap_ask ask, wall_ms now)
{
	struct try *t = xcalloc(1, sizeof(*t));
	bool may;

	t->route = make_route();
	may = hostmap_may_try(map, t->route, &ask, now, &t->wait);
	t->way = hostmap_route(map, t->route, &ask, now, &t->lease, &t->wait);
	assert_int_equal(may, t->way != NULL);
	if (t->way)
		snprintf(t->text, sizeof(t->text), "%s", words_of(t->way));
	else
		snprintf(t->text, sizeof(t->text), "wait %lld%s", (long long)(t->wait.until - now) / 1000, t->wait.everybody ? " all" : "");
	assert_true(!t->way || t->way->key == t->route->key);
	return t;
}

static void end(struct hostmap *map, struct try *t)
{
	if (t->way) {
		hostmap_release(map, t->way, t->lease);
		route_unref(&t->way);
	}
	route_unref(&t->route);
	free(t);
}

/* What an attempt that ends at once is offered. */
static const char *offered(struct hostmap *map, struct hostmap_ask ask, wall_ms now)
{
	static char text[200];
	struct try *t = begin(map, ask, now);

	snprintf(text, sizeof(text), "%s", t->text);
	end(map, t);
	return text;
}

static struct hostmap_ask lone(void)
{
	return (struct hostmap_ask){ .source = THIS, .families = BOTH, .alone = true, .only = true };
}

static void what_is_down_is_left_out_while_another_is_up(void **state)
{
	struct hostmap *map = hostmap_create(NULL, NULL);

	assert_string_equal(offered(map, lone(), NOW), "a .1 .2, b :1");
	note(map, "192.0.2.1", HOST_DOWN, NOW);
	assert_string_equal(offered(map, lone(), NOW), "a .2, b :1");
	note(map, "192.0.2.2", HOST_DOWN, NOW);
	assert_string_equal(offered(map, lone(), NOW), "b :1");
	note(map, "192.0.2.1", HOST_UP, NOW);
	assert_string_equal(offered(map, lone(), NOW), "a .1, b :1");
	note(map, "192.0.2.2", HOST_UP, NOW);
	assert_string_equal(offered(map, lone(), NOW), "a .1 .2, b :1");
	assert_int_equal(hostmap_count(map), 0);
	assert_int_equal(hostmap_count_down(map), 0);
	hostmap_destroy(&map);
}

static void the_operator_reads_what_was_left_out(void **state)
{
	struct hostmap *map = hostmap_create(NULL, NULL);
	struct try *t;

	note(map, "192.0.2.1", HOST_DOWN, NOW);
	t = begin(map, lone(), NOW);
	assert_string_equal(t->way->left_out, "192.0.2.1:25 is down, not tried before 2023-11-14T22:14:20.000Z");
	end(map, t);
	hostmap_destroy(&map);
}

static void with_all_of_them_down_there_is_nothing_to_try_before_the_first_is_due(void **state)
{
	struct hostmap *map = hostmap_create(NULL, NULL);

	note(map, "192.0.2.1", HOST_DOWN, NOW);
	note(map, "192.0.2.2", HOST_DOWN, NOW);
	note(map, "2001:db8::1", HOST_DOWN, NOW - SECONDS(20));
	assert_string_equal(offered(map, lone(), NOW), "wait 40 all");
	/* A source of another pool may reach it: the wait is this one's. */
	assert_string_equal(offered(map, (struct hostmap_ask){ THIS, BOTH, true, false }, NOW), "wait 40");
	/* Those of one family are all that a source of that family has. */
	note(map, "2001:db8::1", HOST_UP, NOW);
	assert_string_equal(offered(map, (struct hostmap_ask){ THIS, HOSTMAP_V4, true, true }, NOW), "wait 60");
	assert_string_equal(offered(map, (struct hostmap_ask){ THIS, HOSTMAP_V6, true, true }, NOW), "a .1 .2, b :1"); /* the session passes over others */
	hostmap_destroy(&map);
}

static void one_attempt_finds_out_and_all_others_wait_for_it(void **state)
{
	struct hostmap *map = hostmap_create(NULL, NULL);
	struct try *probe, *second;

	note(map, "192.0.2.1", HOST_DOWN, NOW);
	note(map, "192.0.2.2", HOST_DOWN, NOW + 1);
	note(map, "2001:db8::1", HOST_DOWN, NOW + 2);
	/* All whose time has come, those that failed longest ago first. */
	probe = begin(map, lone(), NOW + MINUTES(1) + 10);
	assert_string_equal(probe->text, "a .1 .2, b :1");
	assert_string_equal(offered(map, lone(), NOW + MINUTES(1) + 11), "wait 5 all");
	end(map, probe);
	/* It ended without news: the next one may. */
	second = begin(map, lone(), NOW + MINUTES(1) + 20);
	assert_string_equal(second->text, "a .1 .2, b :1");
	note(map, "192.0.2.1", HOST_DOWN, NOW + MINUTES(1) + 30);
	note(map, "192.0.2.2", HOST_UP, NOW + MINUTES(1) + 40);
	end(map, second);
	assert_string_equal(offered(map, lone(), NOW + MINUTES(1) + 50), "a .2, b :1"); /* b is due now */
	hostmap_destroy(&map);
}

static void while_another_is_up_one_of_those_that_are_due_is_tried_in_its_place(void **state)
{
	struct hostmap *map = hostmap_create(NULL, NULL);
	struct try *probe;

	note(map, "192.0.2.1", HOST_DOWN, NOW + 1);
	note(map, "2001:db8::1", HOST_DOWN, NOW);
	probe = begin(map, lone(), NOW + MINUTES(2));
	assert_string_equal(probe->text, "a .2, b :1");
	assert_string_equal(offered(map, lone(), NOW + MINUTES(2)), "a .1 .2"); /* another one finds out about that */
	note(map, "2001:db8::1", HOST_DOWN, NOW + MINUTES(2));
	end(map, probe);
	probe = begin(map, lone(), NOW + MINUTES(2) + 1);
	assert_string_equal(probe->text, "a .1 .2");
	assert_string_equal(offered(map, lone(), NOW + MINUTES(2) + 1), "a .2");
	end(map, probe);
	hostmap_destroy(&map);
}

static void of_those_that_failed_the_one_that_failed_longest_ago_is_first(void **state)
{
	struct hostmap *map = hostmap_create(NULL, NULL);

	note(map, "192.0.2.1", HOST_DOWN, NOW + MINUTES(2));
	note(map, "192.0.2.2", HOST_DOWN, NOW + MINUTES(1));
	note(map, "2001:db8::1", HOST_DOWN, NOW);
	assert_string_equal(offered(map, lone(), NOW + MINUTES(5)), "b :1, a .2 .1");
	hostmap_destroy(&map);
}

static void the_other_family_of_a_host_is_tried_before_more_of_the_one_that_failed(void **state)
{
	static const char *const texts[] = { "2001:db8::1", "2001:db8::2", "192.0.2.9" };
	struct hostmap *map = hostmap_create(NULL, NULL);
	struct route *route = make_route(), *best;
	struct hostmap_ask ask = lone();
	struct hostmap_wait wait;
	uint64_t lease;
	char ip[IP_TEXT];

	free(route->hosts[0].addrs);
	route->hosts[0].addrs = xcalloc(3, sizeof(struct ip_addr));
	route->hosts[0].addr_count = 3;
	for (size_t k = 0; k < 3; k++)
		route->hosts[0].addrs[k] = address(texts[k]).addr;
	note(map, texts[0], HOST_DOWN, NOW);
	best = hostmap_route(map, route, &ask, NOW + 1, &lease, &wait);
	assert_int_equal(best->hosts[0].addr_count, 2);
	assert_string_equal(ip_format(&best->hosts[0].addrs[0], ip), "192.0.2.9");
	assert_string_equal(ip_format(&best->hosts[0].addrs[1], ip), "2001:db8::2");
	route_unref(&best);
	route_unref(&route);
	hostmap_destroy(&map);
}

static void the_pause_grows_with_each_failure_in_a_row_up_to_the_longest(void **state)
{
	static const int minutes[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
	struct hostmap *map = hostmap_create(NULL, NULL);
	wall_ms now = NOW;

	for (size_t i = 0; i < ARRAY_LEN(minutes); i++) {
		note(map, "192.0.2.1", HOST_DOWN, now);
		note(map, "192.0.2.1", HOST_DOWN, now + 10); /* was under way */
		if (strcmp(offered(map, lone(), now + MINUTES(minutes[i]) - 1), "a .2, b :1") != 0)
			fail_msg("failure %zu: not down for %d minutes", i + 1, minutes[i]);
		now += MINUTES(minutes[i]);
		if (strcmp(offered(map, lone(), now), "a .1 .2, b :1") != 0)
			fail_msg("failure %zu: not tried again after %d minutes", i + 1, minutes[i]);
	}
	note(map, "192.0.2.1", HOST_UP, now);
	assert_int_equal(hostmap_count(map), 0);
	note(map, "192.0.2.1", HOST_DOWN, now);
	assert_string_equal(offered(map, lone(), now + MINUTES(1)), "a .1 .2, b :1");
	hostmap_destroy(&map);
}

static void the_operators_word_makes_it_due_at_once(void **state)
{
	struct hostmap *map = hostmap_create(NULL, NULL);
	struct route *route = make_route();

	note(map, "192.0.2.1", HOST_DOWN, NOW);
	note(map, "192.0.2.2", HOST_DOWN, NOW);
	note(map, "2001:db8::1", HOST_DOWN, NOW);
	assert_string_equal(offered(map, lone(), NOW + 1), "wait 59 all");
	hostmap_lift(map, route, NOW + 1);
	assert_string_equal(offered(map, lone(), NOW + 1), "a .1 .2, b :1");
	route_unref(&route);
	hostmap_destroy(&map);
}

static void a_failed_handshake_is_remembered_for_an_hour_or_until_one_succeeds(void **state)
{
	struct hostmap *map = hostmap_create(NULL, NULL);

	note(map, "192.0.2.2", HOST_NO_TLS, NOW);
	assert_string_equal(offered(map, lone(), NOW + HOURS(1) - 1), "a .1 .2!, b :1");
	assert_string_equal(offered(map, lone(), NOW + HOURS(1)), "a .1 .2, b :1");
	note(map, "192.0.2.2", HOST_TLS, NOW);
	assert_string_equal(offered(map, lone(), NOW), "a .1 .2, b :1");
	assert_int_equal(hostmap_count(map), 0);
	hostmap_destroy(&map);
}

static void what_one_source_cannot_reach_is_down_for_that_one_alone(void **state)
{
	const struct hostmap_ask this = { THIS, HOSTMAP_V4, false, false }, other = { OTHER, HOSTMAP_V4, false, false };
	struct hostmap *map = hostmap_create(NULL, NULL);

	note(map, "192.0.2.1", HOST_DOWN, NOW);
	assert_string_equal(offered(map, this, NOW), "a .2");
	assert_string_equal(offered(map, other, NOW), "a .1 .2, b :1");
	note_by(map, OTHER, "192.0.2.1", HOST_UP, NOW);
	assert_string_equal(offered(map, this, NOW), "a .2");
	/* Another source may be heard there: it is not waited for the end of the pause. */
	note(map, "192.0.2.2", HOST_DOWN, NOW);
	assert_string_equal(offered(map, this, NOW), "wait 5");
	assert_string_equal(offered(map, other, NOW), "a .1 .2, b :1");
	note_by(map, OTHER, "192.0.2.1", HOST_DOWN, NOW);
	note_by(map, OTHER, "192.0.2.2", HOST_DOWN, NOW);
	assert_string_equal(offered(map, other, NOW), "wait 60");
	assert_string_equal(offered(map, (struct hostmap_ask){ hostmap_source("third"), HOSTMAP_V4, false, false }, NOW), "wait 60");
	note_by(map, OTHER, "192.0.2.1", HOST_UP, NOW);
	note_by(map, OTHER, "192.0.2.2", HOST_UP, NOW);
	assert_int_equal(hostmap_count(map), 0);
	hostmap_destroy(&map);
}

static void a_source_that_reaches_no_address_is_told_so_by_an_attempt(void **state)
{
	struct hostmap *map = hostmap_create(NULL, NULL);

	note(map, "192.0.2.1", HOST_DOWN, NOW);
	assert_string_equal(offered(map, (struct hostmap_ask){ THIS, 0, true, true }, NOW), "a .1 .2, b :1");
	hostmap_destroy(&map);
}

/* --- for the operator ------------------------------------------------------------------------------------------------------------ */

static void show(void *arg, const struct host_view *view)
{
	char at[IP_PORT_TEXT], *text = arg;

	snprintf(text + strlen(text), 300 - strlen(text), "%s %s %s %u %lld %lld%s%s|", ip_port_format(&view->at, at), view->name, view->why,
	    view->failures, (long long)(view->since - NOW) / 1000, (long long)(view->until - NOW) / 1000, view->probing ? " probing" : "",
	    view->for_one ? " one" : "");
}

static void the_operator_sees_which_are_down_and_until_when(void **state)
{
	struct hostmap *map = hostmap_create(NULL, NULL);
	struct route *route = make_route();
	char text[300] = "";
	struct try *probe;

	note(map, "192.0.2.1", HOST_DOWN, NOW);
	note(map, "192.0.2.9", HOST_DOWN, NOW);
	note_by(map, OTHER, "192.0.2.9", HOST_DOWN, NOW);
	note(map, "2001:db8::1", HOST_NO_TLS, NOW);
	assert_int_equal(hostmap_count(map), 3);
	assert_int_equal(hostmap_count_down(map), 2);
	assert_false(hostmap_walk(map, 0, 3, show, text));
	assert_string_equal(text, "192.0.2.1:25 mx.example.net refused 1 0 60 one|192.0.2.9:25 mx.example.net refused 1 0 60|");
	probe = begin(map, lone(), NOW + MINUTES(2));
	text[0] = '\0';
	hostmap_walk_route(map, route, show, text);
	assert_true(hostmap_walk(map, 1, 1, show, text));
	assert_string_equal(text, "192.0.2.1:25 mx.example.net refused 1 0 60 probing one|192.0.2.9:25 mx.example.net refused 1 0 60|");
	end(map, probe);
	route_unref(&route);
	hostmap_destroy(&map);
}

/* --- over a restart -------------------------------------------------------------------------------------------------------------- */

/* A store of rows. */
struct shelf {
	struct {
		char name[80];
		uint8_t data[600];
		size_t len;
	} rows[30000];
	size_t count;
};

static void keep(void *arg, const char *name, const void *data, size_t len)
{
	struct shelf *shelf = arg;
	size_t i = shelf->count;

	/* Many rows come in the order of their names. */
	for (i = 0; i < shelf->count && shelf->count < 100; i++)
		if (strcmp(shelf->rows[i].name, name) == 0)
			break;
	if (shelf->count >= 100)
		i = shelf->count;
	if (i == shelf->count)
		shelf->count++;
	assert_true(shelf->count <= ARRAY_LEN(shelf->rows) && len <= sizeof(shelf->rows[i].data));
	snprintf(shelf->rows[i].name, sizeof(shelf->rows[i].name), "%s", name);
	if (len > 0)
		memcpy(shelf->rows[i].data, data, len);
	shelf->rows[i].len = len;
}

static struct hostmap *read_back(struct shelf *shelf, wall_ms now)
{
	struct hostmap *map = hostmap_create(keep, shelf);

	for (size_t i = 0; i < shelf->count; i++)
		if (shelf->rows[i].len > 0)
			hostmap_restore(map, shelf->rows[i].name, shelf->rows[i].data, shelf->rows[i].len, now);
	return map;
}

static size_t rows_in(const struct shelf *shelf)
{
	size_t count = 0;

	for (size_t i = 0; i < shelf->count; i++)
		count += shelf->rows[i].len > 0;
	return count;
}

static void it_is_restored_and_what_is_over_is_removed(void **state)
{
	struct shelf *shelf = xcalloc(1, sizeof(*shelf));
	struct hostmap *map = hostmap_create(keep, shelf), *again;
	char text[300] = "";

	note(map, "192.0.2.1", HOST_DOWN, NOW);
	note(map, "2001:db8::1", HOST_NO_TLS, NOW);
	assert_int_equal(rows_in(shelf), 2);
	again = read_back(shelf, NOW + 1);
	assert_string_equal(offered(again, lone(), NOW + 1), "a .2, b :1!");
	assert_string_equal(offered(again, (struct hostmap_ask){ OTHER, BOTH, false, false }, NOW + 1), "a .1 .2, b :1!");
	assert_false(hostmap_walk(again, 0, 500, show, text));
	assert_string_equal(text, "192.0.2.1:25 mx.example.net refused 1 0 60 one|");
	hostmap_destroy(&again);
	/* The pause is over and the failure still counts; the handshake does not. */
	again = read_back(shelf, NOW + HOURS(2));
	assert_int_equal(hostmap_count(again), 1);
	assert_int_equal(rows_in(shelf), 1);
	note(again, "192.0.2.1", HOST_DOWN, NOW + HOURS(2));
	assert_string_equal(offered(again, lone(), NOW + HOURS(2) + MINUTES(2) - 1), "a .2, b :1");
	note(again, "192.0.2.1", HOST_UP, NOW + HOURS(2));
	assert_int_equal(rows_in(shelf), 0);
	hostmap_destroy(&again);
	note(map, "192.0.2.1", HOST_DOWN, NOW + HOURS(3));
	again = read_back(shelf, NOW + DAYS(2));
	assert_int_equal(hostmap_count(again), 0);
	assert_int_equal(rows_in(shelf), 0);
	hostmap_destroy(&again);
	hostmap_destroy(&map);
	free(shelf);
}

static void what_is_over_is_removed_while_it_runs(void **state)
{
	struct shelf *shelf = xcalloc(1, sizeof(*shelf));
	struct hostmap *map = hostmap_create(keep, shelf);

	note(map, "192.0.2.1", HOST_DOWN, NOW);
	note(map, "192.0.2.2", HOST_DOWN, NOW + DAYS(1));
	assert_int_equal(hostmap_count(map), 2);
	note(map, "192.0.2.2", HOST_DOWN, NOW + DAYS(1) + MINUTES(10));
	assert_int_equal(hostmap_count(map), 1);
	assert_int_equal(rows_in(shelf), 1);
	hostmap_destroy(&map);
	free(shelf);
}

static void rows_that_cannot_be_read_are_removed(void **state)
{
	struct shelf *shelf = xcalloc(1, sizeof(*shelf));
	struct hostmap *map = hostmap_create(keep, shelf);
	uint8_t good[600];
	size_t len;

	note(map, "192.0.2.1", HOST_DOWN, NOW);
	len = shelf->rows[0].len;
	memcpy(good, shelf->rows[0].data, len);
	hostmap_destroy(&map);
	for (size_t cut = 1; cut < len; cut++) {
		uint8_t *exact = xcalloc(1, cut); /* ASan sees what is read beyond */

		memcpy(exact, good, cut);
		map = hostmap_create(keep, shelf);
		hostmap_restore(map, "host/192.0.2.1:25", exact, cut, NOW);
		if (hostmap_count(map) != 0 || hostmap_count_down(map) != 0)
			fail_msg("%zu of %zu bytes were taken", cut, len);
		hostmap_destroy(&map);
		free(exact);
	}
	map = hostmap_create(keep, shelf);
	hostmap_restore(map, "host/nonsense", good, len, NOW);
	hostmap_restore(map, "host/192.0.2.1:25", "\x09", 1, NOW);
	assert_int_equal(hostmap_count(map), 0);
	assert_int_equal(rows_in(shelf), 0);
	hostmap_restore(map, "host/192.0.2.1:25", good, len, NOW);
	assert_int_equal(hostmap_count(map), 1);
	hostmap_destroy(&map);
	free(shelf);
}

static void the_memo_of_earlier_versions_is_read(void **state)
{
	static const struct {
		const char *label;
		uint8_t version;
		size_t size;
		const char *others;
	} rows[] = { { "version 1: nobody reaches it", 1, 36, "a .2, b :1" }, { "version 2: one cannot", 2, 40, "a .1 .2, b :1" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t data[1 + 40] = { rows[i].version, 4, 192, 0, 2, 1, [18] = 0, [19] = 25, [20] = 1 };
		struct shelf *shelf = xcalloc(1, sizeof(*shelf));
		struct hostmap *map = hostmap_create(keep, shelf);

		for (int k = 0; k < 8; k++)
			data[21 + k] = (uint8_t)((uint64_t)(NOW + MINUTES(1)) >> (56 - 8 * k));
		for (int k = 0; k < 4; k++)
			data[37 + k] = (uint8_t)(THIS >> (24 - 8 * k));
		hostmap_restore_memo(map, data, 1 + rows[i].size, NOW);
		assert_int_equal(hostmap_count(map), 1);
		assert_string_equal(offered(map, lone(), NOW), "a .2, b :1");
		if (strcmp(offered(map, (struct hostmap_ask){ OTHER, BOTH, false, false }, NOW), rows[i].others) != 0)
			fail_msg("%s", rows[i].label);
		assert_int_equal(rows_in(shelf), 1); /* a row from now on */
		hostmap_restore_memo(map, data, rows[i].size, NOW); /* cut off: whole entries count */
		hostmap_restore_memo(map, "\xff", 1, NOW);
		hostmap_restore_memo(map, "", 0, NOW);
		assert_int_equal(hostmap_count(map), 1);
		hostmap_destroy(&map);
		free(shelf);
	}
}

static void thousands_are_remembered_and_beyond_that_the_oldest_go(void **state)
{
	struct shelf *shelf = xcalloc(1, sizeof(*shelf));
	struct hostmap *map = hostmap_create(keep, shelf), *again;

	for (int i = 0; i < 21000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.%d.%d.1", i / 200, i % 200);
		note(map, text, HOST_DOWN, NOW);
	}
	assert_int_equal(hostmap_count(map), 20000);
	assert_int_equal(hostmap_count_down(map), 20000);
	assert_int_equal(shelf->count, 22000); /* a thousand of them say that a row goes */
	again = read_back(shelf, NOW + 1);
	assert_int_equal(hostmap_count(again), 20000);
	hostmap_destroy(&again);
	hostmap_destroy(&map);
	free(shelf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_down_is_left_out_while_another_is_up),
		cmocka_unit_test(the_operator_reads_what_was_left_out),
		cmocka_unit_test(with_all_of_them_down_there_is_nothing_to_try_before_the_first_is_due),
		cmocka_unit_test(one_attempt_finds_out_and_all_others_wait_for_it),
		cmocka_unit_test(while_another_is_up_one_of_those_that_are_due_is_tried_in_its_place),
		cmocka_unit_test(of_those_that_failed_the_one_that_failed_longest_ago_is_first),
		cmocka_unit_test(the_other_family_of_a_host_is_tried_before_more_of_the_one_that_failed),
		cmocka_unit_test(the_pause_grows_with_each_failure_in_a_row_up_to_the_longest),
		cmocka_unit_test(the_operators_word_makes_it_due_at_once),
		cmocka_unit_test(a_failed_handshake_is_remembered_for_an_hour_or_until_one_succeeds),
		cmocka_unit_test(what_one_source_cannot_reach_is_down_for_that_one_alone),
		cmocka_unit_test(a_source_that_reaches_no_address_is_told_so_by_an_attempt),
		cmocka_unit_test(the_operator_sees_which_are_down_and_until_when),
		cmocka_unit_test(it_is_restored_and_what_is_over_is_removed),
		cmocka_unit_test(what_is_over_is_removed_while_it_runs),
		cmocka_unit_test(rows_that_cannot_be_read_are_removed),
		cmocka_unit_test(the_memo_of_earlier_versions_is_read),
		cmocka_unit_test(thousands_are_remembered_and_beyond_that_the_oldest_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
