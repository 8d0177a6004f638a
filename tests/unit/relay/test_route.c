/* tests/unit/relay/test_route.c - routes of recipient domains, looked up at a real nsd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/deliver/route.h"
#include "relay/deliver/route_build.h"
#include "tests/support/dns_conf.h"
#include "tests/support/dns_server.h"

#define NOW 1700000000000

/* 198.18.0.0/15 is for benchmarks; here it stands for the world, 10.0.0.0/8 and fd00::/8 for what is refused. */
static const struct dns_zone zones[] = {
	{ .name = "plain.test", .records =
	    "@ MX 20 b\n@ MX 10 a\n"
	    "a A 198.18.0.1\nb A 198.18.0.2\nc A 198.18.0.3\nd A 198.18.0.4\n"
	    "equal MX 10 a\nequal MX 10 b\nequal MX 10 c\nequal MX 10 d\n"
	    "null MX 0 .\n"
	    "nulls MX 0 .\nnulls MX 10 a\n"
	    "onlya A 198.18.0.9\n"
	    "only6 AAAA 2001:2::9\n"
	    "nothing TXT x\n"
	    "alias CNAME equal\n"
	    "mxalias MX 10 cname\ncname CNAME a\n"
	    "both MX 10 dual\ndual A 198.18.1.1\ndual A 198.18.1.2\ndual A 198.18.1.3\ndual AAAA 2001:2::1\n"
	    "ipmx MX 10 198.18.0.1.\n"
	    "ipmxb MX 10 198.18.0.1.\nipmxb MX 20 b\n"
	    "lost MX 10 missing\nlost MX 20 alsomissing\n"
	    "half MX 10 missing\nhalf MX 20 b\n"
	    "brokenmx MX 10 mx.broken.test.\n"
	    "brokenhalf MX 10 mx.broken.test.\nbrokenhalf MX 20 b\n"
	    "us MX 10 a\nus MX 20 us20\nus MX 20 b\nus MX 30 c\nus20 A 127.0.0.9\n"
	    "onlyus MX 10 us20\nonlyus MX 20 a\n"
	    "implicitus A 127.0.0.9\n"
	    "private MX 10 inside\ninside A 10.1.2.3\ninside AAAA fd00::1\n"
	    "mapped MX 10 disguise\ndisguise AAAA ::ffff:10.1.2.3\n"
	    "mixed MX 10 twoworlds\ntwoworlds A 10.1.2.3\ntwoworlds A 198.18.0.7\n"
	    "short 5 MX 10 a\n_under_score A 198.18.0.8\n" },
	{ .name = "broken.test", .records = "", .broken = true },
};

static struct dns_server server;

static struct world {
	struct loop *loop;
	struct conf *conf;
	struct resolver *resolver;
	struct route *route;
	struct route_failure failure;
	int calls;
} world;

static void world_open(const char *settings)
{
	char *text = xasprintf("dns: {forward: [\"127.0.0.1@%u\"], anchors: [], timeout: 5s}\n"
	    "delivery: {port: 2525, refuse_networks: [10.0.0.0/8, \"fd00::/8\"]%s", server.port, settings);
	struct err_detail why;

	world.conf = dns_conf_load(text);
	/* dns_conf_load's listener is 127.0.0.1:2525; these tests want it beside the hosts of the zones. */
	assert_true(ip_parse("127.0.0.9", &world.conf->listen[0].at.addr));
	world.resolver = resolver_create(world.loop, world.conf, &why);
	if (!world.resolver)
		fail_msg("%s", why.text);
	free(text);
}

static void world_close(void)
{
	resolver_destroy(&world.resolver);
	conf_unref(&world.conf);
}

static int start(void **state)
{
	loop_setup();
	dns_server_start(&server, zones, ARRAY_LEN(zones));
	world.loop = loop_create("main");
	return 0;
}

static int stop(void **state)
{
	loop_destroy(&world.loop);
	dns_server_stop(&server);
	return 0;
}

static void on_route(void *arg, struct route *route, const struct route_failure *failure)
{
	assert_true((route != NULL) != (failure != NULL));
	world.calls++;
	world.route = route;
	world.failure = failure ? *failure : (struct route_failure){ .enhanced = "" };
	loop_stop(world.loop);
}

static void look_up(const char *domain, uint64_t seed)
{
	world.calls = 0;
	(void)!route_lookup(world.resolver, NULL, world.loop, world.conf, domain, seed, NOW, on_route, NULL);
	assert_int_equal(world.calls, 0);
	loop_run(world.loop);
	assert_int_equal(world.calls, 1);
}

/* "10 a.plain.test 198.18.0.1, ..." or "permanent 5.1.2 text". */
static const char *result_text(void)
{
	static char text[2048];
	size_t len = 0;
	char ip[IP_TEXT];

	if (!world.route) {
		snprintf(text, sizeof(text), "%s %s %s", world.failure.permanent ? "permanent" : "temporary", world.failure.enhanced, world.failure.text);
		return text;
	}
	text[0] = '\0';
	for (size_t i = 0; i < world.route->host_count; i++) {
		const struct route_host *host = &world.route->hosts[i];

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u %s", i > 0 ? ", " : "", host->preference, host->name);
		for (size_t k = 0; k < host->addr_count; k++)
			len += (size_t)snprintf(text + len, sizeof(text) - len, " %s", ip_format(&host->addrs[k], ip));
	}
	return text;
}

struct row {
	const char *label, *domain, *want; /* a beginning of result_text is enough for failures */
	unsigned families;
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		look_up(rows[i].domain, i);
		if (world.route ? strcmp(result_text(), rows[i].want) != 0 : strncmp(result_text(), rows[i].want, strlen(rows[i].want)) != 0)
			fail_msg("%s:\n got %s\nwant %s", rows[i].label, result_text(), rows[i].want);
		if (world.route && rows[i].families && world.route->families != rows[i].families)
			fail_msg("%s: families %u", rows[i].label, world.route->families);
		if (world.route)
			route_unref(&world.route);
	}
}

static void domains_lead_to_their_hosts_or_to_the_reason(void **state)
{
	static const struct row rows[] = {
		{ "MX by preference", "plain.test", "10 a.plain.test 198.18.0.1, 20 b.plain.test 198.18.0.2", 1 },
		{ "null MX", "null.plain.test", "permanent 5.1.10 null.plain.test does not accept mail", 0 },
		{ "null MX beside another is ignored", "nulls.plain.test", "10 a.plain.test 198.18.0.1", 0 },
		{ "no MX: the domain's own address", "onlya.plain.test", "0 onlya.plain.test 198.18.0.9", 1 },
		{ "no MX: the domain's own IPv6 address", "only6.plain.test", "0 only6.plain.test 2001:2::9", 2 },
		{ "neither", "nothing.plain.test", "permanent 5.4.4 no MX and no address for nothing.plain.test", 0 },
		{ "no such domain", "missing.plain.test", "permanent 5.1.2 there is no domain missing.plain.test", 0 },
		{ "MX that is an alias", "mxalias.plain.test", "10 cname.plain.test 198.18.0.1", 0 },
		{ "MX that is an address", "ipmx.plain.test", "permanent 5.4.4 no mail server of ipmx.plain.test has an address (198.18.0.1)", 0 },
		{ "MX that is an address, and a good one", "ipmxb.plain.test", "20 b.plain.test 198.18.0.2", 0 },
		{ "MX without addresses", "lost.plain.test", "permanent 5.4.4 no mail server of lost.plain.test has an address (missing.plain.test)", 0 },
		{ "the first MX without an address", "half.plain.test", "20 b.plain.test 198.18.0.2", 0 },
		{ "MX whose look-up fails", "brokenmx.plain.test", "temporary 4.4.3 address of mx.broken.test, mail server of brokenmx.plain.test: look-up failed", 0 },
		{ "that, and a good one", "brokenhalf.plain.test", "20 b.plain.test 198.18.0.2", 0 },
		{ "look-up of the MX fails", "broken.test", "temporary 4.4.3 MX of broken.test: look-up failed", 0 },
		{ "ourselves in the middle", "us.plain.test", "10 a.plain.test 198.18.0.1", 0 },
		{ "ourselves first", "onlyus.plain.test", "permanent 5.4.6 mail for onlyus.plain.test loops back to this host (us20.plain.test)", 0 },
		{ "ourselves without MX", "implicitus.plain.test", "permanent 5.4.6 mail for implicitus.plain.test loops", 0 },
		{ "private addresses", "private.plain.test", "permanent 5.4.4 mail servers of private.plain.test have only addresses that delivery.refuse_networks", 0 },
		{ "private address in disguise", "mapped.plain.test", "permanent 5.4.4 mail servers of mapped.plain.test have only", 0 },
		{ "one private, one not", "mixed.plain.test", "10 twoworlds.plain.test 198.18.0.7", 0 },
		{ "underscore", "_under_score.plain.test", "0 _under_score.plain.test 198.18.0.8", 0 },
		{ "literal", "[198.18.5.5]", "0 198.18.5.5 198.18.5.5", 1 },
		{ "IPv6 literal", "[IPv6:2001:2::5]", "0 2001:2::5 2001:2::5", 2 },
		{ "IPv6 literal, lower case", "[ipv6:2001:2::5]", "0 2001:2::5 2001:2::5", 2 },
		{ "private literal", "[10.0.0.1]", "permanent 5.4.4", 0 },
		{ "private literal in disguise", "[IPv6:::ffff:10.0.0.1]", "permanent 5.4.4", 0 },
		{ "literal of ourselves", "[127.0.0.9]", "permanent 5.4.6", 0 },
		{ "no literal", "[what]", "permanent 5.1.2 not an address literal", 0 },
	};

	world_open("}\n");
	check_rows(rows, ARRAY_LEN(rows));
	world_close();
}

static void configured_routes_come_first_and_may_be_private(void **state)
{
	static const struct row rows[] = {
		{ "address", "one.example", "0 10.9.9.9 10.9.9.9", 1 },
		{ "host name", "two.example", "0 inside.plain.test 10.1.2.3 fd00::1", 3 },
		{ "host that is not there", "three.example", "temporary 4.4.4 the host of the route of three.example has no address (missing.plain.test)", 0 },
		{ "ourselves: the operator's to mend", "four.example", "temporary 4.4.6 the route of four.example leads back to this host", 0 },
	};

	world_open("}\nroutes: [{domain: one.example, to: \"10.9.9.9:2626\"}, {domain: two.example, to: \"inside.plain.test:2525\"}, "
	    "{domain: three.example, to: \"missing.plain.test:25\"}, {domain: four.example, to: \"127.0.0.9:2525\"}]\n");
	check_rows(rows, ARRAY_LEN(rows));
	look_up("one.example", 0);
	assert_non_null(world.route);
	assert_int_equal(world.route->port, 2626);
	assert_false(world.route->from_mx);
	route_unref(&world.route);
	world_close();
}

static void both_families_take_turns_the_preferred_one_first(void **state)
{
	const struct route_host *host;
	char ip[IP_TEXT];

	for (int prefer = 0; prefer < 2; prefer++) {
		world_open(prefer ? ", prefer_ipv6: true}\n" : "}\n");
		look_up("both.plain.test", 0);
		assert_non_null(world.route);
		assert_int_equal(world.route->families, 3);
		host = &world.route->hosts[0];
		assert_int_equal(host->addr_count, 4);
		assert_string_equal(ip_format(&host->addrs[prefer ? 0 : 1], ip), "2001:2::1");
		route_unref(&world.route);
		world_close();
	}
}

static void equal_preferences_are_shuffled_and_every_order_has_one_key(void **state)
{
	char first[256];
	bool differed = false;
	uint64_t key = 0;

	world_open("}\n");
	for (uint64_t seed = 0; seed < 20; seed++) {
		look_up("equal.plain.test", seed);
		assert_non_null(world.route);
		assert_int_equal(world.route->host_count, 4);
		if (seed == 0) {
			snprintf(first, sizeof(first), "%s", result_text());
			key = world.route->key;
		}
		differed = differed || strcmp(first, result_text()) != 0;
		assert_true(world.route->key == key);
		route_unref(&world.route);
	}
	assert_true(differed);
	look_up("alias.plain.test", 1); /* the same hosts under another name */
	assert_true(world.route->key == key);
	route_unref(&world.route);
	look_up("plain.test", 1);
	assert_true(world.route->key != key);
	route_unref(&world.route);
	world_close();
}

static void routes_expire_with_their_records_within_bounds(void **state)
{
	world_open("}\n");
	look_up("short.plain.test", 0);
	assert_true(world.route->expires == NOW + SECONDS(30));
	route_unref(&world.route);
	look_up("plain.test", 0);
	assert_in_range(world.route->expires - NOW, SECONDS(270), SECONDS(300));
	route_unref(&world.route);
	look_up("[198.18.5.5]", 0);
	assert_true(world.route->expires == NOW + HOURS(1));
	route_unref(&world.route);
	world_close();
}

/* RFC 8461 section 3.2: max_age is the end, also of what was decided by the policy. */
static void routes_expire_with_the_policy_that_they_were_made_under(void **state)
{
	static const struct {
		const char *label;
		bool has_policy;
		int64_t until, want; /* from now */
	} rows[] = {
		{ "a policy that outlives the records", true, DAYS(7), MINUTES(10) }, { "one that ends before", true, MINUTES(2), MINUTES(2) },
		{ "one that is over at once", true, 0, SECONDS(30) }, { "none", false, 0, MINUTES(10) },
	};

	world_open("}\n");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sts_found *found = sts_found_create();
		struct route_facts facts = { .conf = world.conf, .domain = "x.test", .port = 2525, .from_mx = true, .ttl = 600, .now = NOW, .sts = found };
		struct route_failure failure;
		struct route *route;
		struct rand rand;

		rand_seed(&rand, 1);
		found->has_policy = rows[i].has_policy;
		found->until = rows[i].has_policy ? NOW + rows[i].until : 0;
		route_facts_add(&facts, "mx.x.test", 10, &rand);
		facts.hosts[0].v4 = (struct route_found){ .status = DNS_FOUND, .count = 1, .addrs = xcalloc(1, sizeof(struct ip_addr)) };
		assert_true(ip_parse("198.18.0.1", &facts.hosts[0].v4.addrs[0]));
		route = route_build(&facts, &failure);
		assert_non_null(route);
		if (route->expires != NOW + rows[i].want)
			fail_msg("%s: %lld s", rows[i].label, (long long)(route->expires - NOW) / 1000);
		route_unref(&route);
		route_facts_fini(&facts); /* the policy too */
	}
	world_close();
}

static void must_not_be_called(void *arg, struct route *route, const struct route_failure *failure)
{
	fail_msg("a cancelled look-up ended");
}

static void cancelled_look_up_is_silent_in_each_phase(void **state)
{
	static const char *const domains[] = { "plain.test", "[198.18.5.5]", "[what]" };

	world_open("}\n");
	for (size_t i = 0; i < ARRAY_LEN(domains); i++) {
		struct route_lookup *lookup = route_lookup(world.resolver, NULL, world.loop, world.conf, domains[i], 0, NOW, must_not_be_called, NULL);

		route_lookup_cancel(&lookup);
		assert_null(lookup);
	}
	look_up("onlya.plain.test", 0);
	route_unref(&world.route);
	world_close();
}

static void silent_resolver_defers(void **state)
{
	uint16_t port = server.port, silent;
	int fd = dns_silent_socket(&silent);

	server.port = silent;
	world_open("}\n");
	world.conf->dns.timeout_ms = 200;
	look_up("plain.test", 0);
	assert_true(strncmp(result_text(), "temporary 4.4.3 MX of plain.test: look-up timed out", 51) == 0);
	world_close();
	server.port = port;
	close(fd);
}

/* --- without DNS -------------------------------------------------------------------------------------------------------------- */

static void wildcard_listener_knows_the_sources_as_ourselves(void **state)
{
	struct route_failure failure;
	struct route_facts facts;
	struct route *route;
	struct rand rand;

	world_open("}\nsources: [{name: a, ip: 198.18.7.7}]\n");
	memset(world.conf->listen[0].at.addr.bytes, 0, 16);
	facts = (struct route_facts){ .conf = world.conf, .domain = "x.test", .port = 2525, .from_mx = true, .ttl = 60, .now = NOW };
	rand_seed(&rand, 1);
	struct route_candidate *host = route_facts_add(&facts, "mx.x.test", 10, &rand);

	host->v4.status = DNS_FOUND;
	host->v4.count = 1;
	host->v4.addrs = xcalloc(1, sizeof(struct ip_addr));
	assert_true(ip_parse("198.18.7.7", host->v4.addrs));
	assert_null(route_build(&facts, &failure));
	assert_string_equal(failure.enhanced, "5.4.6");
	facts.port = 25; /* nobody of us listens there */
	route = route_build(&facts, &failure);
	assert_non_null(route);
	route_unref(&route);
	route_facts_fini(&facts);
	world_close();
}

static void long_lists_are_cut_at_the_far_end(void **state)
{
	struct route_failure failure;
	struct route_facts facts;
	struct route *route;
	struct rand rand;

	world_open("}\n");
	facts = (struct route_facts){ .conf = world.conf, .domain = "x.test", .port = 2525, .from_mx = true, .ttl = 60, .now = NOW };
	rand_seed(&rand, 1);
	for (uint16_t i = 0; i < 50; i++) {
		char name[32];

		snprintf(name, sizeof(name), "mx%u.x.test", 50 - i);
		route_facts_add(&facts, name, 50 - i, &rand);
	}
	assert_int_equal(facts.host_count, 50);
	route_facts_add(&facts, "mx50.x.test", 0, &rand); /* known: at its better preference */
	assert_int_equal(facts.host_count, 50);
	route_facts_sort(&facts);
	assert_int_equal(facts.host_count, ROUTE_HOSTS_MAX);
	assert_string_equal(facts.hosts[0].name, "mx50.x.test");
	assert_string_equal(facts.hosts[1].name, "mx1.x.test");
	for (size_t i = 0; i < facts.host_count; i++) {
		struct route_found *found = &facts.hosts[i].v4;

		found->status = DNS_FOUND;
		found->count = 40;
		found->addrs = xcalloc(40, sizeof(struct ip_addr));
		for (size_t k = 0; k < 40; k++)
			found->addrs[k] = (struct ip_addr){ .family = AF_INET, .bytes = { 198, 18, (uint8_t)i, (uint8_t)k } };
	}
	route = route_build(&facts, &failure);
	assert_non_null(route);
	assert_int_equal(route->host_count, ROUTE_HOSTS_MAX);
	assert_int_equal(route->hosts[3].addr_count, ROUTE_ADDRESSES_MAX);
	route_unref(&route);
	route_facts_fini(&facts);
	world_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains_lead_to_their_hosts_or_to_the_reason),
		cmocka_unit_test(configured_routes_come_first_and_may_be_private),
		cmocka_unit_test(both_families_take_turns_the_preferred_one_first),
		cmocka_unit_test(equal_preferences_are_shuffled_and_every_order_has_one_key),
		cmocka_unit_test(routes_expire_with_their_records_within_bounds),
		cmocka_unit_test(routes_expire_with_the_policy_that_they_were_made_under),
		cmocka_unit_test(cancelled_look_up_is_silent_in_each_phase),
		cmocka_unit_test(silent_resolver_defers),
		cmocka_unit_test(wildcard_listener_knows_the_sources_as_ourselves),
		cmocka_unit_test(long_lists_are_cut_at_the_far_end),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
