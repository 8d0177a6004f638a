/* tests/unit/relay/test_rule.c - the words that tell by which rule a recipient domain falls in its destination. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "relay/ops/rule.h"

static const char text[] =
    "hostname: relay.example\nstate: /nowhere\ncontrol: /nowhere/control\n"
    "listen: [{at: \"127.0.0.1:2525\", tls: none, auth: none}]\n"
    "tenants: [{name: shop, from: [127.0.0.0/8]}]\n"
    "sources: [{name: a, ip: 127.0.0.2}]\n"
    "pools: [{name: default, sources: [a]}]\n"
    "providers:\n"
    "  - {name: own, domains: [own.example], mx: [mx.own.example, own.example]}\n"
    "  - {name: old, domains: [old.example], closed: ended in 2014}\n"
    "routes:\n"
    "  - {domain: inner.example, to: \"127.0.0.1:1\"}\n";

static struct conf *conf;

static int load(void **state)
{
	struct conf_faults faults = { 0 };

	(void)state;
	conf = conf_load_text("relay.yaml", text, strlen(text), &faults);
	if (!conf)
		(void)fprintf(stderr, "%s\n", faults.text);
	conf_faults_free(&faults);
	return conf ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	conf_unref(&conf);
	return 0;
}

/* What was told, a line each. */
static char told[4000];

static void hear(void *arg, const char *line)
{
	(void)arg;
	(void)snprintf(told + strlen(told), sizeof(told) - strlen(told), "%s\n", line);
}

static void the_configuration_settles_what_it_names(void **state)
{
	static const struct {
		const char *domain, *told;
		bool settled;
	} rows[] = {
		{ "own.example", "destination own: the domain is in its list\n", true },
		{ "old.example", "destination old: the domain is in its list; closed: ended in 2014\n", true },
		{ "inner.example", "goes to 127.0.0.1:1: routes names inner.example\n", false },
		{ "else.example", "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		told[0] = '\0';
		if (rule_by_domain(conf, rows[i].domain, hear, NULL) != rows[i].settled || strcmp(told, rows[i].told) != 0)
			fail_msg("%s: %s", rows[i].domain, told);
	}
}

static void the_hosts_settle_the_rest(void **state)
{
	static const struct {
		const char *label, *domain;
		const char *hosts[12];
		size_t count;
		bool from_mx;
		const char *told;
	} rows[] = {
		{ "one MX of a provider, by its longest suffix", "shop.example", { "in.MX.own.example" }, 1, true,
		  "destination own: MX in.MX.own.example ends in mx.own.example\n" },
		{ "all of one", "shop.example", { "mx1.own.example", "x.mx.own.example" }, 2, true,
		  "destination own: MX mx1.own.example ends in own.example, and so do the others or in another suffix of it\n" },
		{ "the host of a route", "shop.example", { "mx.own.example" }, 1, false,
		  "destination own: the host of its route mx.own.example ends in mx.own.example\n" },
		{ "a set of its own", "shop.example", { "a.shop.example", "b.shop.example" }, 2, true,
		  "a destination by its own MX set: a.shop.example, b.shop.example\n" },
		{ "not at a border", "shop.example", { "notown.example" }, 1, true, "a destination by its own MX set: notown.example\n" },
		{ "no MX", "shop.example", { "shop.example" }, 1, true,
		  "a destination by its own address, for there is no MX: shop.example\n" },
		{ "a route to an address", "inner.example", { "127.0.0.1" }, 1, false, "a destination by the host of its route: 127.0.0.1\n" },
		{ "one of two only", "shop.example", { "a.shop.example", "mx.own.example" }, 2, true,
		  "a destination by its own MX set: a.shop.example, mx.own.example\n"
		  "not own, of which mx.own.example is: the other hosts are not\n" },
		{ "many", "s.example", { "a.s", "b.s", "c.s", "d.s", "e.s", "f.s", "g.s", "h.s", "i.s", "j.s" }, 10, true,
		  "a destination by its own MX set: a.s, b.s, c.s, d.s, e.s, f.s, g.s, h.s and 2 more\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		told[0] = '\0';
		rule_by_hosts(conf, rows[i].domain, rows[i].hosts, rows[i].count, rows[i].from_mx, hear, NULL);
		if (strcmp(told, rows[i].told) != 0)
			fail_msg("%s: %s", rows[i].label, told);
	}
}

/* Host names of the greatest length fit the line, cut. */
static void long_names_are_cut(void **state)
{
	char name[256];
	const char *hosts[10];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		hosts[i] = name;
	told[0] = '\0';
	rule_by_hosts(conf, "shop.example", hosts, ARRAY_LEN(hosts), true, hear, NULL);
	assert_in_range(strlen(told), 500, 900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_configuration_settles_what_it_names),
		cmocka_unit_test(the_hosts_settle_the_rest),
		cmocka_unit_test(long_names_are_cut),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
