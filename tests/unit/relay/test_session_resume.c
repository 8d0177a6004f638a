/* tests/unit/relay/test_session_resume.c - which TLS sessions the client takes up again: the same host, source, demand and TLSA records. */
#include "tests/unit/relay/session_world.h"

#include "relay/net/tls_cache.h"

/* "3 0 1" of the servers' certificate, and one that fits nothing. */
static struct tlsa records[2];
static uint8_t digests[2][32];

static void make_records(const struct session_world *w)
{
	FILE *file = fopen(w->certificate.cert, "r");
	X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
	unsigned len;

	assert_true(cert && X509_digest(cert, EVP_sha256(), digests[0], &len) == 1 && len == 32);
	fclose(file);
	X509_free(cert);
	for (size_t i = 0; i < 2; i++)
		records[i] = (struct tlsa){ .usage = 3, .selector = 0, .matching = 1, .len = 32, .data = digests[i] };
}

/* One delivery over a connection of its own to a host with so many of the records. */
static void deliver(struct session_world *w, enum conf_tls_level tls, size_t record_count, const char *source)
{
	struct route *route = world_route(w, tls);
	struct session_target target = world_target(w, route);
	struct delivery d;

	if (record_count > 0)
		route->hosts[0].dane = (struct dane){ .status = DANE_FOUND, .base = xstrdup("mx1"), .tlsa = tlsa_copy(records, record_count),
			.tlsa_count = record_count };
	target.source = source;
	delivery_init(&d, store_accept(&w->store, 100, ONE));
	w->session = session_open(&w->env, &target, &d);
	route_unref(&route);
	world_await_report(w);
	if (record_count > 0)
		assert_string_equal(d.tls_how, "dane 3 0 1");
	session_quit(w->session);
	world_await_end(w);
	delivery_fini(&d);
}

#define CONNECTION(tls) OFFER, "< 220 go", tls, "> EHLO a.relay.test", "< 250 mx", TAKEN, BYE

static void another_tlsa_set_another_source_or_no_records_make_a_new_session(void **state)
{
	struct session_world *w = *state;
	const char *const *const steps[] = { STEPS(CONNECTION("tls new"), "accept", CONNECTION("tls resumed"), "accept", /* one record */
		CONNECTION("tls new"), "accept", CONNECTION("tls resumed"), "accept", /* two */
		CONNECTION("tls new"), "accept", /* from another source */
		CONNECTION("tls new"), "accept", CONNECTION("tls resumed")) }; /* none */

	w->env.tls_cache = tls_cache_create(10);
	make_records(w);
	world_serve(w, steps, 1);
	deliver(w, TLS_LEVEL_DANE, 1, "a");
	deliver(w, TLS_LEVEL_DANE, 1, "a");
	deliver(w, TLS_LEVEL_DANE, 2, "a");
	deliver(w, TLS_LEVEL_DANE, 2, "a");
	deliver(w, TLS_LEVEL_DANE, 2, "b");
	deliver(w, TLS_LEVEL_DANE, 0, "a");
	deliver(w, TLS_LEVEL_DANE, 0, "a");
	world_join(w, "resumed");
	tls_cache_destroy(&w->env.tls_cache);
}

/* A set that no longer has the record of the certificate: what was verified once is not good any more. */
static void a_session_does_not_outlive_the_record_that_proved_it(void **state)
{
	struct session_world *w = *state;
	const char *const *const steps[] = { STEPS(CONNECTION("tls new"), "accept", OFFER, "< 220 go", "handshake fails") };
	struct route *route;
	struct session_target target;
	struct delivery d;

	w->env.tls_cache = tls_cache_create(10);
	make_records(w);
	world_serve(w, steps, 1);
	deliver(w, TLS_LEVEL_DANE, 1, "a");
	route = world_route(w, TLS_LEVEL_DANE);
	route->hosts[0].dane = (struct dane){ .status = DANE_FOUND, .base = xstrdup("mx1"), .tlsa = tlsa_copy(records + 1, 1), .tlsa_count = 1 };
	target = world_target(w, route);
	delivery_init(&d, store_accept(&w->store, 100, ONE));
	w->session = session_open(&w->env, &target, &d);
	route_unref(&route);
	world_await_report(w);
	assert_string_equal(outcomes_text(&d), "deferred 0 4.7.5 tls host");
	world_await_end(w);
	delivery_fini(&d);
	world_join(w, "changed");
	tls_cache_destroy(&w->env.tls_cache);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(another_tlsa_set_another_source_or_no_records_make_a_new_session, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(a_session_does_not_outlive_the_record_that_proved_it, world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
