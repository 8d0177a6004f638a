/* tests/unit/conf/test_index.c - tenants, providers and routes are found by what mail carries. */
#include "tests/unit/conf/conf_test.h"

#define TEST_CERT "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const char file[] = TEST_HEAD
    "tenants:\n"
    "  - {name: wide, from: [10.0.0.0/8, \"::ffff:172.16.0.0/108\"]}\n"
    "  - {name: narrow, from: [10.1.0.0/16, 10.1.2.3, \"2001:db8::/32\"]}\n"
    "  - {name: one, from: [10.2.3.4/32], logins: [{user: Joe, hash: \"" TEST_HASH "\", cert: " TEST_CERT "}, {user: ann, hash: \"" TEST_HASH "\"}]}\n"
    "sources: [{name: a, ip: 127.0.0.2}, {name: b, ip: 127.0.0.3}]\n"
    "pools: [{name: default, sources: [b]}, {name: both, sources: [b, a]}]\n"
    "providers:\n"
    "  - {name: own, domains: [gmail.com, own.example], mx: [mx.own.example, special.google.com]}\n"
    "  - {name: gmail, connections: 1}\n"
    "routes:\n"
    "  - {domain: a.example, to: \"127.0.0.1:1\"}\n"
    "  - {domain: \"*\", to: \"127.0.0.1:2\"}\n";

static struct conf *conf;

static int load(void **state)
{
	(void)state;
	conf = load_good(file);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	conf_unref(&conf);
	assert_null(conf);
	return 0;
}

static void the_smallest_network_names_the_tenant(void **state)
{
	static const struct { const char *address, *tenant; } rows[] = {
		{ "10.200.0.1", "wide" },         { "10.1.9.9", "narrow" }, { "10.1.2.3", "narrow" },
		{ "10.2.3.4", "one" },            { "10.2.3.5", "wide" },   { "11.0.0.1", NULL },
		{ "::ffff:10.1.0.1", "narrow" },  { "2001:db8:1::1", "narrow" }, { "2001:db9::1", NULL },
		{ "172.16.3.4", "wide" },         { "172.32.0.1", NULL },   { "::1", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct conf_tenant *tenant;
		struct ip_addr addr;

		assert_true(ip_parse(rows[i].address, &addr));
		tenant = conf_tenant_by_address(conf, &addr);
		if (!tenant != !rows[i].tenant || (tenant && strcmp(tenant->name, rows[i].tenant) != 0))
			fail_msg("%s: got %s", rows[i].address, tenant ? tenant->name : "none");
	}
}

static void a_login_names_its_tenant_and_minds_case(void **state)
{
	const struct conf_login *login = NULL;

	(void)state;
	assert_string_equal(conf_tenant_by_login(conf, "Joe", &login)->name, "one");
	assert_string_equal(login->user, "Joe");
	assert_string_equal(conf_tenant_by_login(conf, "ann", NULL)->name, "one");
	assert_null(conf_tenant_by_login(conf, "joe", &login));
	assert_null(conf_tenant_by_login(conf, "", &login));
}

static void a_certificate_names_its_login(void **state)
{
	const struct conf_login *login = NULL;

	(void)state;
	assert_string_equal(conf_tenant_by_cert(conf, TEST_CERT, &login)->name, "one");
	assert_string_equal(login->user, "Joe");
	assert_null(conf_tenant_by_cert(conf, "Joe", &login));
	assert_null(conf_tenant_by_cert(conf, "", &login));
}

static void names_find_only_their_own_kind(void **state)
{
	(void)state;
	assert_string_equal(conf_tenant_find(conf, "wide")->name, "wide");
	assert_null(conf_tenant_find(conf, "both"));
	assert_string_equal(conf_pool_find(conf, "both")->name, "both");
	assert_null(conf_pool_find(conf, "a"));
	assert_string_equal(conf_source_find(conf, "a")->name, "a");
	assert_null(conf_source_find(conf, "default"));
	assert_string_equal(conf_provider_find(conf, "yahoo")->name, "yahoo");
	assert_null(conf_provider_find(conf, "wide"));
}

static void a_pool_points_to_its_sources(void **state)
{
	const struct conf_pool *pool = conf_pool_find(conf, "both");

	(void)state;
	assert_int_equal(pool->source_count, 2);
	assert_string_equal(conf->sources[pool->sources[0]].name, "b");
	assert_string_equal(conf->sources[pool->sources[1]].name, "a");
}

static void a_route_is_found_exactly_or_by_the_star(void **state)
{
	(void)state;
	assert_int_equal(conf_route_find(conf, "A.Example")->to_port, 1);
	assert_int_equal(conf_route_find(conf, "a.example.")->to_port, 1);
	assert_int_equal(conf_route_find(conf, "x.a.example")->to_port, 2);
}

static void a_provider_is_found_by_domain_the_operators_first(void **state)
{
	(void)state;
	assert_string_equal(conf_provider_by_domain(conf, "Gmail.com")->name, "own");
	assert_string_equal(conf_provider_by_domain(conf, "googlemail.com")->name, "gmail");
	assert_int_equal(conf_provider_by_domain(conf, "googlemail.com")->connections, 1);
	assert_int_equal(conf_provider_by_domain(conf, "googlemail.com")->messages, 50);
	assert_null(conf_provider_by_domain(conf, "sub.own.example"));
	assert_null(conf_provider_by_domain(conf, "com"));
}

static void a_provider_is_found_by_all_of_its_mx_hosts(void **state)
{
	static const struct { const char *label, *provider; const char *hosts[3]; size_t count; } rows[] = {
		{ "hosts of one", "gmail", { "aspmx.l.google.com", "ALT1.ASPMX.L.GOOGLE.COM.", "x.psmtp.com" }, 3 },
		{ "the longest suffix", "own", { "a.special.google.com" }, 1 },
		{ "the suffix itself", "own", { "mx.own.example" }, 1 },
		{ "not at a label's border", NULL, { "evilgoogle.com" }, 1 },
		{ "one host is another's", NULL, { "aspmx.l.google.com", "mx.example.org" }, 2 },
		{ "hosts of two providers", NULL, { "aspmx.l.google.com", "mx.own.example" }, 2 },
		{ "consumer mail is not business mail", "microsoft-outlook", { "hotmail-com.olc.protection.outlook.com" }, 1 },
		{ "business mail", "microsoft-365", { "a-example.mail.protection.outlook.com" }, 1 },
		{ "no host", NULL, { NULL }, 0 },
		{ "empty name", NULL, { "" }, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct conf_provider *got = conf_provider_by_mx(conf, rows[i].hosts, rows[i].count);

		if (!got != !rows[i].provider || (got && strcmp(got->name, rows[i].provider) != 0))
			fail_msg("%s: got %s", rows[i].label, got ? got->name : "none");
	}
}

static void a_name_longer_than_any_key_is_not_found(void **state)
{
	char name[2000];

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_null(conf_tenant_find(conf, name));
	assert_null(conf_tenant_by_login(conf, name, NULL));
	assert_null(conf_provider_by_domain(conf, name));
	assert_int_equal(conf_route_find(conf, name)->to_port, 2);
}

static void hundreds_of_tenants_are_all_found(void **state)
{
	char *text = xstrdup(TEST_HEAD "tenants:\n"), *old;
	struct conf *many;

	(void)state;
	for (int i = 0; i < 800; i++) {
		old = text;
		text = xasprintf("%s  - {name: t%d, from: [10.%d.%d.0/24], logins: [{user: u%d, hash: \"" TEST_HASH "\"}]}\n", old, i,
		    i / 256, i % 256, i);
		free(old);
	}
	many = load_good(text);
	for (int i = 0; i < 800; i++) {
		struct ip_addr addr = { AF_INET, { 10, (uint8_t)(i / 256), (uint8_t)(i % 256), 9 } };
		char name[16];

		snprintf(name, sizeof(name), "u%d", i);
		assert_ptr_equal(conf_tenant_by_address(many, &addr), &many->tenants[i]);
		assert_ptr_equal(conf_tenant_by_login(many, name, NULL), &many->tenants[i]);
	}
	conf_unref(&many);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_network_names_the_tenant),
		cmocka_unit_test(a_login_names_its_tenant_and_minds_case),
		cmocka_unit_test(a_certificate_names_its_login),
		cmocka_unit_test(names_find_only_their_own_kind),
		cmocka_unit_test(a_pool_points_to_its_sources),
		cmocka_unit_test(a_route_is_found_exactly_or_by_the_star),
		cmocka_unit_test(a_provider_is_found_by_domain_the_operators_first),
		cmocka_unit_test(a_provider_is_found_by_all_of_its_mx_hosts),
		cmocka_unit_test(a_name_longer_than_any_key_is_not_found),
		cmocka_unit_test(hundreds_of_tenants_are_all_found),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
