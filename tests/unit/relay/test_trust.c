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

/* "-" no TLS, "may", "must", then how the server is authenticated; "unreachable", "excluded". */
static const char *demand_text(enum conf_tls_level level, enum conf_tls_level tenant, const struct route_host *host)
{
	static const char *const auths[] = { "", " ca", " dane" };
	static char text[64];
	struct trust trust;

	trust_decide(&trust, level, tenant, host);
	if (trust.unreachable || trust.excluded)
		snprintf(text, sizeof(text), "%s", trust.unreachable ? "unreachable" : "excluded");
	else
		snprintf(text, sizeof(text), "%s%s%s", trust.required ? "must" : trust.tls ? "may" : "-", auths[trust.auth],
		    trust.check ? " check" : trust.host_only ? " strict" : "");
	return text;
}

static void levels_and_records_decide_together(void **state)
{
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

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = demand_text(rows[i].level, rows[i].tenant, &hosts[rows[i].host]);

		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s, expected %s", rows[i].label, got, rows[i].want);
	}
}

/* The level of the domain, then that of the tenant; what that means for a host without records, one with TLSA records, one under a policy. */
static void the_stricter_one_of_two_levels_wins(void **state)
{
	static const struct {
		enum conf_tls_level level, tenant;
		const char *plain, *dane, *sts;
	} rows[] = {
#define N TLS_LEVEL_NONE
#define O TLS_LEVEL_OPPORTUNISTIC
#define D TLS_LEVEL_DANE
#define R TLS_LEVEL_REQUIRED
#define V TLS_LEVEL_VERIFIED
		{ N, N, "-", "-", "-" }, { N, O, "may", "may", "may" }, { N, D, "may", "must dane", "must ca strict" },
		{ N, R, "must", "must", "must ca strict" }, { N, V, "must ca", "must ca", "must ca strict" },
		{ O, N, "may", "may", "may" }, { O, O, "may", "may", "may" }, { O, D, "may", "must dane", "must ca strict" },
		{ O, R, "must", "must", "must ca strict" }, { O, V, "must ca", "must ca", "must ca strict" },
		{ D, N, "may", "must dane", "must ca strict" }, { D, O, "may", "must dane", "must ca strict" },
		{ D, D, "may", "must dane", "must ca strict" }, { D, R, "must", "must dane", "must ca strict" },
		{ D, V, "must ca", "must dane", "must ca strict" },
		{ R, N, "must", "must", "must ca strict" }, { R, O, "must", "must", "must ca strict" }, { R, D, "must", "must dane", "must ca strict" },
		{ R, R, "must", "must", "must ca strict" }, { R, V, "must ca", "must ca", "must ca strict" },
		{ V, N, "must ca", "must ca", "must ca strict" }, { V, O, "must ca", "must ca", "must ca strict" },
		{ V, D, "must ca", "must dane", "must ca strict" }, { V, R, "must ca", "must ca", "must ca strict" },
		{ V, V, "must ca", "must ca", "must ca strict" },
#undef N
#undef O
#undef D
#undef R
#undef V
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		static const int kinds[] = { NONE, GOOD, ENFORCED };
		const char *const wants[] = { rows[i].plain, rows[i].dane, rows[i].sts };

		for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
			const char *got = demand_text(rows[i].level, rows[i].tenant, &hosts[kinds[k]]);

			if (strcmp(got, wants[k]) != 0)
				fail_msg("domain %d, tenant %d, host %zu: %s, expected %s", rows[i].level, rows[i].tenant, k, got, wants[k]);
		}
	}
}

/* Every combination of what a route, a provider and delivery.tls say: the nearest one that says anything. */
static void the_nearest_level_of_a_domain_counts(void **state)
{
	static const char *const names[] = { NULL, "none", "opportunistic", "dane", "required", "verified" };

	for (enum conf_tls_level route = TLS_LEVEL_UNSET; route <= TLS_LEVEL_VERIFIED; route++)
		for (enum conf_tls_level provider = TLS_LEVEL_UNSET; provider <= TLS_LEVEL_VERIFIED; provider++)
			for (enum conf_tls_level all = TLS_LEVEL_NONE; all <= TLS_LEVEL_VERIFIED; all++) {
				enum conf_tls_level want = route ? route : provider ? provider : all, got;
				struct conf *conf;
				char text[400];

				snprintf(text, sizeof(text), "delivery: {tls: %s}\nproviders: [{name: p, domains: [p.example]%s%s}]\n"
				    "routes: [{domain: p.example, to: \"h:25\"%s%s}]\n", names[all], provider ? ", tls: " : "", provider ? names[provider] : "",
				    route ? ", tls: " : "", route ? names[route] : "");
				conf = dns_conf_load(text);
				got = trust_level(conf, "p.example", conf_route_find(conf, "p.example"), NULL, 0);
				if (got != want)
					fail_msg("route %d, provider %d, delivery.tls %d: %d", route, provider, all, got);
				conf_unref(&conf);
			}
}

/* A key for each demand; `other`: another TLSA set, base domain, host, source. */
static void sessions_are_resumed_under_the_same_demand_and_records_alone(void **state)
{
	uint8_t bytes[32] = { 9 };
	char base[] = "mx.example", other_base[] = "alias.example";
	struct tlsa two[] = { good[0], { .usage = 3, .selector = 1, .matching = 1, .len = 32, .data = bytes } };
	struct tlsa swapped[] = { two[1], two[0] };
	struct route_host one_record = { .name = mx_name, .dane = { .status = DANE_FOUND, .base = base, .tlsa = two, .tlsa_count = 1 } };
	struct route_host two_records = { .name = mx_name, .dane = { .status = DANE_FOUND, .base = base, .tlsa = two, .tlsa_count = 2 } };
	struct route_host in_other_order = { .name = mx_name, .dane = { .status = DANE_FOUND, .base = base, .tlsa = swapped, .tlsa_count = 2 } };
	struct route_host other_record = { .name = mx_name, .dane = { .status = DANE_FOUND, .base = base, .tlsa = two + 1, .tlsa_count = 1 } };
	struct route_host other_name = { .name = mx_name, .dane = { .status = DANE_FOUND, .base = other_base, .tlsa = two, .tlsa_count = 1 } };
	static const struct trust none = { .tls = true }, ca = { .required = true, .auth = TLS_AUTH_CA },
		strict = { .required = true, .auth = TLS_AUTH_CA, .host_only = true }, dane = { .required = true, .auth = TLS_AUTH_DANE },
		testing = { .tls = true, .check = true, .host_only = true };
	const struct {
		const char *label;
		const struct trust *trust;
		const struct route_host *host;
		const char *relay, *source;
	} rows[] = {
		{ "no demand", &none, &one_record, "mx[192.0.2.1]:25", "a" }, { "an authority", &ca, &one_record, "mx[192.0.2.1]:25", "a" },
		{ "a policy", &strict, &one_record, "mx[192.0.2.1]:25", "a" }, { "a policy that is tested", &testing, &one_record, "mx[192.0.2.1]:25", "a" },
		{ "records", &dane, &one_record, "mx[192.0.2.1]:25", "a" }, { "one more", &dane, &two_records, "mx[192.0.2.1]:25", "a" },
		{ "another one", &dane, &other_record, "mx[192.0.2.1]:25", "a" }, { "another name", &dane, &other_name, "mx[192.0.2.1]:25", "a" },
		{ "another address", &dane, &one_record, "mx[192.0.2.2]:25", "a" }, { "another port", &dane, &one_record, "mx[192.0.2.1]:26", "a" },
		{ "another source", &dane, &one_record, "mx[192.0.2.1]:25", "b" },
	};
	char keys[ARRAY_LEN(rows)][TRUST_KEY], again[TRUST_KEY];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		trust_session_key(rows[i].trust, rows[i].host, rows[i].relay, rows[i].source, keys[i]);
		for (size_t k = 0; k < i; k++)
			if (strcmp(keys[i], keys[k]) == 0)
				fail_msg("%s resumes what was made for: %s", rows[i].label, rows[k].label);
	}
	assert_string_equal(trust_session_key(&dane, &two_records, "mx", "a", keys[0]), trust_session_key(&dane, &in_other_order, "mx", "a", again));
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

static void records_of_no_use_are_told_from_those_of_use(void **state)
{
	/* RFC 8410 section 10.1: a whole public key. */
	static const uint8_t key[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, 0x19, 0xbf, 0x44, 0x09, 0x69, 0x84, 0xcd,
		0xfe, 0x85, 0x41, 0xba, 0xc1, 0x67, 0xdc, 0x3b, 0x96, 0xc8, 0x50, 0x86, 0xaa, 0x30, 0xb6, 0xb6, 0xcb, 0x0c, 0x5c, 0x38, 0xad, 0x70, 0x31,
		0x66, 0xe1, 0x00 };
	static const struct {
		const char *label;
		unsigned usage, selector, matching;
		size_t len;
		const uint8_t *data;
		bool usable;
	} rows[] = {
		{ "3 1 1", 3, 1, 1, 32, digest, true }, { "2 0 2", 2, 0, 2, 64, digest, true }, { "a key as it is", 3, 1, 0, 44, key, true },
		{ "and for an authority", 2, 1, 0, 44, key, true }, { "usage 0", 0, 0, 1, 32, digest, false }, { "usage 1", 1, 1, 1, 32, digest, false },
		{ "usage 4", 4, 1, 1, 32, digest, false }, { "usage 255", 255, 1, 1, 32, digest, false }, { "selector 2", 3, 2, 1, 32, digest, false },
		{ "matching type 3", 3, 1, 3, 32, digest, false }, { "a short digest", 3, 1, 1, 31, digest, false },
		{ "a long digest", 3, 1, 1, 33, digest, false }, { "SHA2-256 as SHA2-512", 3, 1, 2, 32, digest, false },
		{ "nothing", 3, 1, 0, 0, key, false }, { "half a key", 3, 1, 0, 30, key, false }, { "more than a key", 3, 1, 0, 45, key, false },
		{ "a key as a certificate", 3, 0, 0, 44, key, false }, { "zeros", 2, 0, 0, 64, digest, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tlsa record = { (uint8_t)rows[i].usage, (uint8_t)rows[i].selector, (uint8_t)rows[i].matching, rows[i].len, (uint8_t *)rows[i].data };

		if (tlsa_is_usable(&record) != rows[i].usable)
			fail_msg("%s", rows[i].label);
	}
}

static void words_say_what_is_demanded(void **state)
{
	static const struct {
		enum conf_tls_level level;
		int host;
		const char *words;
	} rows[] = {
		{ TLS_LEVEL_NONE, NONE, "none" },
		{ TLS_LEVEL_DANE, NONE, "when it is offered, with any certificate" },
		{ TLS_LEVEL_DANE, GOOD, "a must, authenticated by DANE (1 TLSA records, 1 of use)" },
		{ TLS_LEVEL_DANE, USELESS, "a must, with any certificate (DANE: the domain has TLSA records), none of them of use" },
		{ TLS_LEVEL_DANE, FAILED, "not used now: whether DANE binds it cannot be told: " },
		{ TLS_LEVEL_DANE, ENFORCED, "a must, with a certificate that an authority vouches for (MTA-STS: the policy of the domain is to be enforced)" },
		{ TLS_LEVEL_DANE, EXCLUDED, "not used: the domain's MTA-STS policy does not name it" },
		{ TLS_LEVEL_REQUIRED, NONE, "a must, with any certificate (tls: required)" },
		{ TLS_LEVEL_VERIFIED, NONE, "a must, with a certificate that an authority vouches for (tls: verified)" },
		{ TLS_LEVEL_OPPORTUNISTIC, GOOD, "when it is offered, with any certificate" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct route_host *host = &hosts[rows[i].host];
		char words[TRUST_WORDS];
		struct trust trust;

		trust_decide(&trust, rows[i].level, TLS_LEVEL_NONE, host);
		assert_string_equal(trust_words(&trust, host, words), rows[i].words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_of_no_use_are_told_from_those_of_use),
		cmocka_unit_test(levels_and_records_decide_together),
		cmocka_unit_test(words_say_what_is_demanded),
		cmocka_unit_test(the_stricter_one_of_two_levels_wins),
		cmocka_unit_test(the_nearest_level_of_a_domain_counts),
		cmocka_unit_test(sessions_are_resumed_under_the_same_demand_and_records_alone),
		cmocka_unit_test(requiretls_wants_a_proof_of_host_and_name),
		cmocka_unit_test(a_connection_is_good_enough_or_not),
		cmocka_unit_test(the_level_comes_from_route_provider_or_delivery),
		cmocka_unit_test(sets_of_records_are_told_apart_whatever_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
