/* tests/unit/relay/test_trust.c - how much TLS a delivery needs: levels of domain and tenant, and what TLSA records add. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "relay/deliver/trust.h"
#include "tests/support/dns_conf.h"

static uint8_t digest[64];
static char mx_name[] = "mx";
static struct tlsa good[] = { { .usage = 3, .selector = 1, .matching = 1, .len = 32, .data = digest } };
static struct tlsa useless[] = { { .usage = 1, .selector = 1, .matching = 1, .len = 32, .data = digest },
	{ .usage = 3, .selector = 1, .matching = 1, .len = 20, .data = digest }, { .usage = 2, .selector = 2, .matching = 2, .len = 64, .data = digest } };

enum { NONE, GOOD, USELESS, FAILED, ENFORCED, EXCLUDED, TESTED, BOTH, BOTH_USELESS };
static const struct route_host hosts[] = {
	[NONE] = { .name = mx_name },
	[GOOD] = { .name = mx_name, .dane = { .status = DANE_FOUND, .tlsa = good, .tlsa_count = ARRAY_LEN(good) } },
	[USELESS] = { .name = mx_name, .dane = { .status = DANE_FOUND, .tlsa = useless, .tlsa_count = ARRAY_LEN(useless) } },
	[FAILED] = { .name = mx_name, .dane = { .status = DANE_FAILED } },
	[ENFORCED] = { .name = mx_name, .sts = STS_ENFORCE, .sts_allows = true },
	[EXCLUDED] = { .name = mx_name, .sts = STS_ENFORCE },
	[TESTED] = { .name = mx_name, .sts = STS_TESTING },
	[BOTH] = { .name = mx_name, .dane = { .status = DANE_FOUND, .tlsa = good, .tlsa_count = ARRAY_LEN(good) }, .sts = STS_ENFORCE },
	[BOTH_USELESS] = { .name = mx_name, .dane = { .status = DANE_FOUND, .tlsa = useless, .tlsa_count = 1 }, .sts = STS_ENFORCE, .sts_allows = true },
};

static void levels_and_records_decide_together(void **state)
{
	/* words: "-" no TLS, "may", "must", then how the server is authenticated; "unreachable" */
	static const struct {
		const char *label;
		enum conf_tls_level level, tenant;
		int host;
		const char *want;
	} rows[] = {
		{ "none", TLS_LEVEL_NONE, TLS_LEVEL_NONE, GOOD, "-" },
		{ "opportunistic does not look at records", TLS_LEVEL_OPPORTUNISTIC, TLS_LEVEL_NONE, GOOD, "may" },
		{ "required does not look at records", TLS_LEVEL_REQUIRED, TLS_LEVEL_NONE, FAILED, "must" },
		{ "dane without records", TLS_LEVEL_DANE, TLS_LEVEL_NONE, NONE, "may" },
		{ "dane with records", TLS_LEVEL_DANE, TLS_LEVEL_NONE, GOOD, "must dane" },
		{ "dane with records of no use", TLS_LEVEL_DANE, TLS_LEVEL_NONE, USELESS, "must" },
		{ "dane, records unknown", TLS_LEVEL_DANE, TLS_LEVEL_NONE, FAILED, "unreachable" },
		{ "verified", TLS_LEVEL_VERIFIED, TLS_LEVEL_NONE, NONE, "must ca" },
		{ "a tenant asks for more than none", TLS_LEVEL_NONE, TLS_LEVEL_OPPORTUNISTIC, NONE, "may" },
		{ "a tenant asks for dane where there is none", TLS_LEVEL_NONE, TLS_LEVEL_DANE, GOOD, "must dane" },
		{ "a tenant that asks for less changes nothing", TLS_LEVEL_VERIFIED, TLS_LEVEL_OPPORTUNISTIC, NONE, "must ca" },
		{ "required and dane without records", TLS_LEVEL_DANE, TLS_LEVEL_REQUIRED, NONE, "must" },
		{ "required and dane with records", TLS_LEVEL_DANE, TLS_LEVEL_REQUIRED, GOOD, "must dane" },
		{ "verified and records: they are the better proof", TLS_LEVEL_DANE, TLS_LEVEL_VERIFIED, GOOD, "must dane" },
		{ "verified and records of no use", TLS_LEVEL_DANE, TLS_LEVEL_VERIFIED, USELESS, "must ca" },
		{ "enforced", TLS_LEVEL_DANE, TLS_LEVEL_NONE, ENFORCED, "must ca strict" },
		{ "enforced at required", TLS_LEVEL_REQUIRED, TLS_LEVEL_NONE, ENFORCED, "must ca strict" },
		{ "enforced at verified", TLS_LEVEL_VERIFIED, TLS_LEVEL_NONE, ENFORCED, "must ca strict" },
		{ "enforced, another host", TLS_LEVEL_DANE, TLS_LEVEL_NONE, EXCLUDED, "excluded" },
		{ "the operator wants no more than what is offered", TLS_LEVEL_OPPORTUNISTIC, TLS_LEVEL_NONE, EXCLUDED, "may" },
		{ "the operator wants nothing", TLS_LEVEL_NONE, TLS_LEVEL_NONE, ENFORCED, "-" },
		{ "a tenant wants more", TLS_LEVEL_OPPORTUNISTIC, TLS_LEVEL_DANE, ENFORCED, "must ca strict" },
		{ "testing demands nothing", TLS_LEVEL_DANE, TLS_LEVEL_NONE, TESTED, "may check" },
		{ "testing where the operator demands", TLS_LEVEL_VERIFIED, TLS_LEVEL_NONE, TESTED, "must ca" },
		{ "records take the place of a policy", TLS_LEVEL_DANE, TLS_LEVEL_NONE, BOTH, "must dane" },
		{ "records of no use do not", TLS_LEVEL_DANE, TLS_LEVEL_NONE, BOTH_USELESS, "must ca strict" },
	};
	static const char *const auths[] = { "", " ca", " dane" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trust trust;
		char got[64];

		trust_decide(&trust, rows[i].level, rows[i].tenant, &hosts[rows[i].host]);
		if (trust.unreachable || trust.excluded)
			snprintf(got, sizeof(got), "%s", trust.unreachable ? "unreachable" : "excluded");
		else
			snprintf(got, sizeof(got), "%s%s%s", trust.required ? "must" : trust.tls ? "may" : "-", auths[trust.auth],
			    trust.check ? " check" : trust.host_only ? " strict" : "");
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s, expected %s", rows[i].label, got, rows[i].want);
	}
}

static void requiretls_wants_a_proof_of_host_and_name(void **state)
{
	static const struct {
		const char *label;
		bool secure, from_mx;
		int host;
		const char *want;
	} rows[] = {
		{ "a secure MX", true, true, NONE, "ca strict" }, { "an insecure MX", false, true, NONE, "unproven" },
		{ "a route", false, false, NONE, "ca" }, { "records", true, true, GOOD, "dane" }, { "records of no use", true, true, USELESS, "ca strict" },
		{ "a policy", false, true, ENFORCED, "ca strict" }, { "a policy that is tested", false, true, TESTED, "unproven" },
	};
	static const char *const auths[] = { "", "ca", "dane" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct route route = { .mx_secure = rows[i].secure, .from_mx = rows[i].from_mx };
		struct trust trust;
		char got[64];

		trust_decide(&trust, TLS_LEVEL_DANE, TLS_LEVEL_NONE, &hosts[rows[i].host]);
		trust_require(&trust, &route, &hosts[rows[i].host]);
		assert_true(trust.required && !trust.check);
		snprintf(got, sizeof(got), "%s%s", trust.unproven ? "unproven" : auths[trust.auth], !trust.unproven && trust.host_only ? " strict" : "");
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s, expected %s", rows[i].label, got, rows[i].want);
	}
}

static void a_connection_is_good_enough_or_not(void **state)
{
	static const struct {
		const char *label;
		struct trust trust;
		bool secure, verified, want;
	} rows[] = {
		{ "clear is enough for none", { .tls = false }, false, false, true },
		{ "clear is enough for opportunistic", { .tls = true }, false, false, true },
		{ "clear is not enough", { .required = true }, false, false, false },
		{ "any TLS is enough", { .required = true }, true, false, true },
		{ "any TLS is not enough", { .required = true, .auth = TLS_AUTH_CA }, true, false, false },
		{ "authenticated", { .required = true, .auth = TLS_AUTH_DANE }, true, true, true },
		{ "authenticated, but now its records are unknown", { .unreachable = true }, true, true, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (trust_is_met(&rows[i].trust, rows[i].secure, rows[i].verified) != rows[i].want)
			fail_msg("%s", rows[i].label);
}

static void the_level_comes_from_route_provider_or_delivery(void **state)
{
	struct conf *conf = dns_conf_load("delivery: {tls: required}\nproviders: [{name: p, domains: [p.example], mx: [mx.example], tls: verified},\n"
	    "  {name: q, domains: [q.example]}]\nroutes: [{domain: r.example, to: \"h:25\", tls: none}, {domain: p.example, to: \"h:25\"}]\n"
	    "tenants: [{name: t, from: [10.0.0.0/8], tls: dane}]\n");
	static const char *const mx[] = { "a.mx.example" };
	static const struct {
		const char *domain;
		bool has_mx;
		enum conf_tls_level want;
	} rows[] = {
		{ "other.example", false, TLS_LEVEL_REQUIRED }, { "other.example", true, TLS_LEVEL_VERIFIED }, { "p.example", false, TLS_LEVEL_VERIFIED },
		{ "q.example", true, TLS_LEVEL_REQUIRED }, { "r.example", false, TLS_LEVEL_NONE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (trust_level(conf, rows[i].domain, conf_route_find(conf, rows[i].domain), mx, rows[i].has_mx) != rows[i].want)
			fail_msg("%s, row %zu", rows[i].domain, i);
	assert_int_equal(trust_tenant_level(conf, "t"), TLS_LEVEL_DANE);
	assert_int_equal(trust_tenant_level(conf, "gone"), TLS_LEVEL_NONE);
	assert_true(trust_wants_tlsa(conf, TLS_LEVEL_NONE)); /* for that tenant's sake */
	conf_unref(&conf);
	conf = dns_conf_load("");
	assert_false(trust_wants_tlsa(conf, TLS_LEVEL_REQUIRED));
	assert_true(trust_wants_tlsa(conf, conf->delivery.tls));
	conf_unref(&conf);
}

static void sets_of_records_are_told_apart_whatever_their_order(void **state)
{
	uint8_t other[32] = { 1 };
	struct tlsa a[] = { good[0], { .usage = 3, .selector = 1, .matching = 1, .len = 32, .data = other } };
	struct tlsa b[] = { a[1], a[0] };

	assert_true(tlsa_set_hash(a, 2) == tlsa_set_hash(b, 2));
	assert_true(tlsa_set_hash(a, 2) != tlsa_set_hash(a, 1));
	assert_true(tlsa_set_hash(a, 1) != tlsa_set_hash(b, 1));
	assert_true(tlsa_set_hash(NULL, 0) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_and_records_decide_together),
		cmocka_unit_test(requiretls_wants_a_proof_of_host_and_name),
		cmocka_unit_test(a_connection_is_good_enough_or_not),
		cmocka_unit_test(the_level_comes_from_route_provider_or_delivery),
		cmocka_unit_test(sets_of_records_are_told_apart_whatever_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
