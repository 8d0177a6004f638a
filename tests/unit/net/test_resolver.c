/* tests/unit/net/test_resolver.c - look-ups through libunbound against a real nsd with plain, signed and spoilt zones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/net/resolver.h"
#include "tests/support/dns_conf.h"
#include "tests/support/dns_server.h"

static const struct dns_zone zones[] = {
	{ .name = "plain.test", .records =
	    "@ MX 20 B\n@ MX 10 a\n@ 60 MX 30 c.elsewhere.test.\n"
	    "a A 192.0.2.1\na 90 A 192.0.2.2\na AAAA 2001:db8::1\n"
	    "mapped AAAA ::ffff:10.0.0.1\n"
	    "null MX 0 .\n"
	    "alias CNAME a\nlong CNAME alias\nnowhere CNAME missing\nmxalias 45 CNAME plain.test.\n"
	    "loop1 CNAME loop2\nloop2 CNAME loop1\n"
	    "only6 AAAA 2001:db8::6\n_odd.name A 192.0.2.9\n"
	    "xn--bcher-kva A 192.0.2.7\n"
	    "_25._tcp.a 70 TLSA 3 1 1 0a0b\n_25._tcp.a 70 TLSA 0 0 0 ff\n_25._tcp.alias 50 CNAME _25._tcp.a\n" },
	{ .name = "broken.test", .records = "", .broken = true },
	{ .name = "signed.test", .records = "@ MX 10 mx\nmx A 192.0.2.1\n", .sign = true },
	{ .name = "spoilt.test", .records = "mx A 192.0.2.1\n", .sign = true, .tamper = "192.0.2.1", .into = "192.0.2.6" },
};

static struct dns_server server;

static int start_server(void **state)
{
	loop_setup();
	dns_server_start(&server, zones, ARRAY_LEN(zones));
	return 0;
}

static int stop_server(void **state)
{
	dns_server_stop(&server);
	return 0;
}

/* --- one look-up and what came of it -------------------------------------------------------------------------------------- */

struct world {
	struct loop *loop;
	struct conf *conf;
	struct resolver *resolver;
};

struct seen {
	struct loop *loop;
	int calls;
	enum dns_status status;
	bool secure;
	char why[200];
	char canonical[256];
	uint32_t ttl;
	char records[512]; /* "10 a.plain.test, 20 ...", or addresses, in the order of the answer */
};

static void add_record(struct seen *seen, const char *format, ...) PRINTF_LIKE(2, 3);
static void add_record(struct seen *seen, const char *format, ...)
{
	size_t len = strlen(seen->records);
	va_list args;

	len += (size_t)snprintf(seen->records + len, sizeof(seen->records) - len, "%s", len > 0 ? ", " : "");
	va_start(args, format);
	vsnprintf(seen->records + len, sizeof(seen->records) - len, format, args);
	va_end(args);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Servers turn the order of records round; the tests want one. */
static void sort_records(struct seen *seen)
{
	char copy[512], *parts[32], *save = NULL;
	size_t count = 0;

	snprintf(copy, sizeof(copy), "%s", seen->records);
	for (char *part = strtok_r(copy, ",", &save); part != NULL; part = strtok_r(NULL, ",", &save))
		parts[count++] = part + strspn(part, " ");
	qsort(parts, count, sizeof(*parts), by_text);
	seen->records[0] = '\0';
	for (size_t i = 0; i < count; i++)
		add_record(seen, "%s", parts[i]);
}

static void on_answer(void *arg, const struct dns_answer *answer)
{
	struct seen *seen = arg;
	char ip[IP_TEXT];

	seen->calls++;
	seen->status = answer->status;
	seen->secure = answer->secure;
	seen->ttl = answer->ttl;
	snprintf(seen->why, sizeof(seen->why), "%s", answer->why);
	snprintf(seen->canonical, sizeof(seen->canonical), "%s", answer->canonical != NULL ? answer->canonical : "");
	for (size_t i = 0; i < answer->mx_count; i++)
		add_record(seen, "%u %s", answer->mx[i].preference, answer->mx[i].host[0] ? answer->mx[i].host : ".");
	for (size_t i = 0; i < answer->addr_count; i++)
		add_record(seen, "%s", ip_format(&answer->addrs[i], ip));
	for (size_t i = 0; i < answer->tlsa_count; i++)
		add_record(seen, "%u %u %u %zu:%02x", answer->tlsa[i].usage, answer->tlsa[i].selector, answer->tlsa[i].matching,
		    answer->tlsa[i].len, answer->tlsa[i].data[answer->tlsa[i].len - 1]);
	sort_records(seen);
	loop_stop(seen->loop);
}

static void world_open(struct world *world, uint16_t port, const char *dns)
{
	char *settings = xasprintf("dns: {forward: [\"127.0.0.1@%u\"], %s}\n", port, dns);
	struct err_detail why;

	world->loop = loop_create("main");
	world->conf = dns_conf_load(settings);
	world->resolver = resolver_create(world->loop, world->conf, &why);
	if (world->resolver == NULL)
		fail_msg("%s", why.text);
	free(settings);
}

static void world_close(struct world *world)
{
	resolver_destroy(&world->resolver);
	conf_unref(&world->conf);
	loop_destroy(&world->loop);
}

static struct seen ask(struct world *world, const char *name, enum dns_type type)
{
	struct seen seen = { .loop = world->loop };

	resolver_ask(world->resolver, name, type, on_answer, &seen);
	assert_int_equal(seen.calls, 0);
	loop_run(world->loop);
	assert_int_equal(seen.calls, 1);
	return seen;
}

/* --- answers -------------------------------------------------------------------------------------------------------------- */

static void every_kind_of_answer_is_told_apart_and_so_from_the_cache(void **state)
{
	static const struct {
		const char *label, *name;
		enum dns_type type;
		enum dns_status status;
		const char *records, *canonical;
		uint32_t ttl_max;
	} rows[] = {
		{ "MX", "plain.test", DNS_MX, DNS_FOUND, "10 a.plain.test, 20 b.plain.test, 30 c.elsewhere.test", "plain.test", 60 },
		{ "MX, other case and a last dot", "PLAIN.Test.", DNS_MX, DNS_FOUND,
		    "10 a.plain.test, 20 b.plain.test, 30 c.elsewhere.test", "plain.test", 60 },
		{ "two A", "a.plain.test", DNS_A, DNS_FOUND, "192.0.2.1, 192.0.2.2", "a.plain.test", 90 },
		{ "AAAA", "a.plain.test", DNS_AAAA, DNS_FOUND, "2001:db8::1", "a.plain.test", 300 },
		{ "IPv4 in disguise", "mapped.plain.test", DNS_AAAA, DNS_FOUND, "10.0.0.1", "mapped.plain.test", 300 },
		{ "null MX", "null.plain.test", DNS_MX, DNS_FOUND, "0 .", "null.plain.test", 300 },
		{ "no MX", "a.plain.test", DNS_MX, DNS_NO_DATA, "", "a.plain.test", 120 },
		{ "no A", "only6.plain.test", DNS_A, DNS_NO_DATA, "", "only6.plain.test", 120 },
		{ "no such name", "missing.plain.test", DNS_MX, DNS_NO_NAME, "", "missing.plain.test", 120 },
		{ "CNAME", "alias.plain.test", DNS_A, DNS_FOUND, "192.0.2.1, 192.0.2.2", "a.plain.test", 90 },
		{ "CNAME of a CNAME", "long.plain.test", DNS_AAAA, DNS_FOUND, "2001:db8::1", "a.plain.test", 300 },
		{ "CNAME with MX at its end", "mxalias.plain.test", DNS_MX, DNS_FOUND,
		    "10 a.plain.test, 20 b.plain.test, 30 c.elsewhere.test", "plain.test", 45 },
		{ "CNAME without MX at its end", "alias.plain.test", DNS_MX, DNS_NO_DATA, "", "a.plain.test", 120 },
		{ "CNAME to nowhere", "nowhere.plain.test", DNS_A, DNS_NO_NAME, "", "missing.plain.test", 120 },
		{ "CNAME loop", "loop1.plain.test", DNS_A, DNS_FAILED, "", NULL, 0 },
		{ "underscore", "_odd.name.plain.test", DNS_A, DNS_FOUND, "192.0.2.9", "_odd.name.plain.test", 300 },
		{ "U-label", "bücher.plain.test", DNS_A, DNS_FOUND, "192.0.2.7", "xn--bcher-kva.plain.test", 300 },
		{ "TLSA", "_25._tcp.a.plain.test", DNS_TLSA, DNS_FOUND, "0 0 0 1:ff, 3 1 1 2:0b", "_25._tcp.a.plain.test", 70 },
		{ "TLSA behind a CNAME", "_25._tcp.alias.plain.test", DNS_TLSA, DNS_FOUND, "0 0 0 1:ff, 3 1 1 2:0b", "_25._tcp.a.plain.test", 50 },
		{ "no TLSA", "a.plain.test", DNS_TLSA, DNS_NO_DATA, "", "a.plain.test", 120 },
		{ "the CNAME itself", "long.plain.test", DNS_CNAME, DNS_FOUND, "", "long.plain.test", 300 },
		{ "no CNAME", "a.plain.test", DNS_CNAME, DNS_NO_DATA, "", "a.plain.test", 120 },
		{ "zone that does not load", "mx.broken.test", DNS_A, DNS_FAILED, "", NULL, 0 },
		{ "zone that nobody serves", "mx.refused.test", DNS_A, DNS_FAILED, "", NULL, 0 },
		{ "no name at all", "a..b", DNS_A, DNS_NO_NAME, "", NULL, 0 },
		{ "a label of 64", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test", DNS_A, DNS_NO_NAME, "", NULL, 0 },
	};
	struct world world;

	world_open(&world, server.port, "anchors: []");
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct seen seen = ask(&world, rows[i].name, rows[i].type);

			if (seen.status != rows[i].status || strcmp(seen.records, rows[i].records) != 0 || seen.secure)
				fail_msg("%s, round %d: %s (%s): %s", rows[i].label, round, dns_status_text(seen.status), seen.why, seen.records);
			if (rows[i].canonical != NULL && strcmp(seen.canonical, rows[i].canonical) != 0)
				fail_msg("%s: canonical name %s", rows[i].label, seen.canonical);
			if (seen.ttl > rows[i].ttl_max || (rows[i].ttl_max > 0 && seen.ttl + 30 < rows[i].ttl_max))
				fail_msg("%s: ttl %u", rows[i].label, seen.ttl);
			if (rows[i].status == DNS_FAILED && seen.why[0] == '\0')
				fail_msg("%s: no reason", rows[i].label);
		}
	}
	world_close(&world);
}

static void many_questions_at_once_are_each_answered_once(void **state)
{
	enum { COUNT = 600 };
	static struct seen seen[COUNT];
	struct world world;
	int answered;

	world_open(&world, server.port, "anchors: []");
	for (int i = 0; i < COUNT; i++) {
		char name[64];

		snprintf(name, sizeof(name), "n%d.plain.test", i);
		seen[i] = (struct seen){ .loop = world.loop };
		resolver_ask(world.resolver, name, DNS_A, on_answer, &seen[i]);
	}
	do {
		loop_run(world.loop);
		answered = 0;
		for (int i = 0; i < COUNT; i++)
			answered += seen[i].calls;
	} while (answered < COUNT);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(seen[i].calls, 1);
		assert_int_equal(seen[i].status, DNS_NO_NAME);
	}
	world_close(&world);
}

/* --- time and cancelling --------------------------------------------------------------------------------------------------- */

static void silent_resolver_is_given_up_at_our_own_deadline(void **state)
{
	struct world world;
	struct seen seen;
	uint16_t port;
	int fd = dns_silent_socket(&port);
	mono_ms began = clock_mono();

	world_open(&world, port, "anchors: [], timeout: 1s");
	seen = ask(&world, "a.plain.test", DNS_A);
	assert_int_equal(seen.status, DNS_TIMEOUT);
	assert_in_range(clock_mono() - began, 900, 5000);
	world_close(&world);
	close(fd);
}

static void must_not_be_called(void *arg, const struct dns_answer *answer)
{
	fail_msg("a cancelled question was answered");
}

static void cancelled_question_is_not_answered(void **state)
{
	struct world world;
	struct dns_query *query;
	struct seen seen;

	world_open(&world, server.port, "anchors: []");
	query = resolver_ask(world.resolver, "only6.plain.test", DNS_AAAA, must_not_be_called, NULL);
	resolver_cancel(query);
	seen = ask(&world, "only6.plain.test", DNS_AAAA);
	assert_int_equal(seen.status, DNS_FOUND);
	/* The answer is in the cache now, so it is ready at once. */
	query = resolver_ask(world.resolver, "only6.plain.test", DNS_AAAA, must_not_be_called, NULL);
	resolver_cancel(query);
	seen = ask(&world, "a.plain.test", DNS_A);
	assert_int_equal(seen.status, DNS_FOUND);
	world_close(&world);
}

static void questions_under_way_end_with_the_resolver_unanswered(void **state)
{
	struct world world;
	uint16_t port;
	int fd = dns_silent_socket(&port);

	world_open(&world, port, "anchors: []");
	for (int i = 0; i < 20; i++)
		resolver_ask(world.resolver, i % 2 ? "a.plain.test" : "b.plain.test", DNS_A, must_not_be_called, NULL);
	world_close(&world);
	world_open(&world, port, ""); /* and those that wait for the probe */
	for (int i = 0; i < 20; i++)
		resolver_ask(world.resolver, "a.plain.test", DNS_A, must_not_be_called, NULL);
	world_close(&world);
	close(fd);
}

struct chain {
	struct world *world;
	struct seen *seen;
	struct dns_query *victim;
};

static void ask_more(void *arg, const struct dns_answer *answer)
{
	struct chain *chain = arg;

	assert_int_equal(answer->status, DNS_FOUND);
	resolver_cancel(chain->victim);
	resolver_ask(chain->world->resolver, "a.plain.test", DNS_A, on_answer, chain->seen);
	assert_int_equal(chain->seen->calls, 0);
}

static void asker_may_ask_and_cancel_while_it_is_told(void **state)
{
	struct world world;
	struct seen seen = { 0 };
	struct chain chain = { &world, &seen, NULL };

	world_open(&world, server.port, "anchors: []");
	seen.loop = world.loop;
	(void)ask(&world, "a.plain.test", DNS_A);
	chain.victim = resolver_ask(world.resolver, "mx.broken.test", DNS_A, must_not_be_called, NULL);
	resolver_ask(world.resolver, "a.plain.test", DNS_A, ask_more, &chain);
	loop_run(world.loop);
	assert_int_equal(seen.calls, 1);
	world_close(&world);
}

/* --- DNSSEC ------------------------------------------------------------------------------------------------------------------ */

static void own_anchors_secure_their_zones_and_leave_the_others_usable(void **state)
{
	char dns[256];
	struct world world;
	struct seen seen;

	snprintf(dns, sizeof(dns), "anchors: [%s/signed.test.ds, %s/spoilt.test.ds]", server.dir, server.dir);
	world_open(&world, server.port, dns);
	for (int round = 0; round < 2; round++) {
		seen = ask(&world, "signed.test", DNS_MX);
		assert_int_equal(seen.status, DNS_FOUND);
		assert_true(seen.secure);
		seen = ask(&world, "missing.signed.test", DNS_A);
		assert_int_equal(seen.status, DNS_NO_NAME);
		assert_true(seen.secure);
		seen = ask(&world, "plain.test", DNS_MX);
		assert_int_equal(seen.status, DNS_FOUND);
		assert_false(seen.secure);
		seen = ask(&world, "mx.spoilt.test", DNS_A);
		assert_int_equal(seen.status, DNS_BOGUS);
		assert_string_equal(seen.records, "");
		assert_true(seen.why[0] != '\0');
	}
	world_close(&world);
}

static void without_a_valid_root_we_go_on_when_validation_is_preferred(void **state)
{
	struct world world;
	struct seen seen;

	world_open(&world, server.port, "validate: prefer");
	assert_int_equal(resolver_validation(world.resolver), DNS_UNPROVEN);
	assert_null(resolver_trouble(world.resolver));
	seen = ask(&world, "plain.test", DNS_MX);
	assert_int_equal(seen.status, DNS_FOUND);
	assert_false(seen.secure);
	assert_int_equal(resolver_validation(world.resolver), DNS_INVALID);
	assert_non_null(strstr(resolver_trouble(world.resolver), "without DANE"));
	seen = ask(&world, "missing.plain.test", DNS_A);
	assert_int_equal(seen.status, DNS_NO_NAME);
	world_close(&world);
}

static void own_anchors_stay_in_force_when_the_root_fails(void **state)
{
	char dns[256];
	struct world world;
	struct seen seen;

	snprintf(dns, sizeof(dns), "validate: prefer, anchors: [/usr/share/dns/root.key, %s/signed.test.ds]", server.dir);
	world_open(&world, server.port, dns);
	seen = ask(&world, "signed.test", DNS_MX);
	assert_int_equal(seen.status, DNS_FOUND);
	assert_true(seen.secure);
	seen = ask(&world, "plain.test", DNS_MX);
	assert_int_equal(seen.status, DNS_FOUND);
	assert_false(seen.secure);
	world_close(&world);
}

static void without_a_valid_root_everything_is_bogus_when_validation_is_required(void **state)
{
	struct world world;
	struct seen seen;

	world_open(&world, server.port, "validate: require");
	seen = ask(&world, "plain.test", DNS_MX);
	assert_int_equal(seen.status, DNS_BOGUS);
	assert_string_equal(seen.records, "");
	seen = ask(&world, "missing.plain.test", DNS_A);
	assert_int_equal(seen.status, DNS_BOGUS);
	assert_int_equal(resolver_validation(world.resolver), DNS_INVALID);
	assert_string_equal(seen.why, resolver_trouble(world.resolver));
	world_close(&world);
}

static void silent_resolver_leaves_questions_time_after_the_probe(void **state)
{
	struct world world;
	struct seen seen;
	uint16_t port;
	int fd = dns_silent_socket(&port);
	mono_ms began = clock_mono();

	world_open(&world, port, "validate: prefer, timeout: 1s");
	seen = ask(&world, "plain.test", DNS_MX);
	assert_int_equal(seen.status, DNS_TIMEOUT);
	assert_in_range(clock_mono() - began, 900, 5000);
	assert_int_equal(resolver_validation(world.resolver), DNS_UNPROVEN); /* silence proves nothing */
	world_close(&world);
	close(fd);
}

static void bad_anchor_files_are_named_with_their_line(void **state)
{
	static const struct {
		const char *label, *content, *want;
	} rows[] = {
		{ "no such file", NULL, "No such file" },
		{ "empty", "; nothing\n", "no record inside" },
		{ "no DNS", ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\nwhat is this\n", ":2:" },
		{ "other record", "a.test. IN A 192.0.2.1\n", "neither a DS nor a DNSKEY" },
	};
	struct loop *loop = loop_create("main");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *path = xasprintf("%s/bad%zu", server.dir, i);
		char *settings = xasprintf("dns: {forward: [\"127.0.0.1@53\"], anchors: [%s]}\n", path);
		struct conf *conf = dns_conf_load(settings);
		struct err_detail why = { 0 };
		FILE *out = rows[i].content != NULL ? fopen(path, "we") : NULL;
		struct resolver *resolver;

		if (out != NULL) {
			fputs(rows[i].content, out);
			fclose(out);
		}
		resolver = resolver_create(loop, conf, &why);
		if (resolver != NULL || why.code != ERR_INVALID || strstr(why.text, path) == NULL || strstr(why.text, rows[i].want) == NULL)
			fail_msg("%s: %s", rows[i].label, why.text);
		conf_unref(&conf);
		free(settings);
		free(path);
	}
	loop_destroy(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_answer_is_told_apart_and_so_from_the_cache),
		cmocka_unit_test(many_questions_at_once_are_each_answered_once),
		cmocka_unit_test(silent_resolver_is_given_up_at_our_own_deadline),
		cmocka_unit_test(cancelled_question_is_not_answered),
		cmocka_unit_test(questions_under_way_end_with_the_resolver_unanswered),
		cmocka_unit_test(asker_may_ask_and_cancel_while_it_is_told),
		cmocka_unit_test(own_anchors_secure_their_zones_and_leave_the_others_usable),
		cmocka_unit_test(without_a_valid_root_we_go_on_when_validation_is_preferred),
		cmocka_unit_test(own_anchors_stay_in_force_when_the_root_fails),
		cmocka_unit_test(without_a_valid_root_everything_is_bogus_when_validation_is_required),
		cmocka_unit_test(silent_resolver_leaves_questions_time_after_the_probe),
		cmocka_unit_test(bad_anchor_files_are_named_with_their_line),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
