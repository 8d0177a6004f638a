/* tests/unit/sched/test_limit.c - limits that lanes have in common: a destination from all sources, a source to all destinations. */
#include "tests/unit/sched/sched_test.h"

#define RETRY     "retry: {first: 5m, max: 4h, expire: 5d}\n"
#define DELIVERED &(struct sched_result){ .attempted = true, .delivered = 1 }

static void end(struct world *w, const struct sched_decision *d)
{
	world_settle(w, d, DELIVERED);
	sched_release_connection(w->sched, d->lane, w->now);
}

static void all_sources_together_keep_the_total_of_a_provider(void **state)
{
	struct world w;
	struct sched_decision d[3];
	uint64_t last = 0;

	world_open(&w, BASICS "providers: [{name: big, domains: [big.example], connections: 10, total_connections: 3}]\n");
	for (int i = 0; i < 6; i++)
		last = world_add(&w, "big.example");
	for (int i = 0; i < 3; i++)
		d[i] = world_start(&w);
	assert_true(world_nothing(&w).reasons & WHY_DESTINATION_CONNECTIONS);
	assert_int_equal(world_reasons(&w, last, NULL), WHY_DESTINATION_CONNECTIONS);
	end(&w, &d[0]);
	world_start(&w);
	world_nothing(&w);
	world_close(&w);
}

static void all_sources_together_keep_the_rate_of_a_provider(void **state)
{
	struct world w;
	struct sched_decision d;
	unsigned starts = 0;

	world_open(&w, BASICS "providers: [{name: big, domains: [big.example], total_rate: 60/h}]\n");
	for (int i = 0; i < 200; i++)
		world_add(&w, "big.example");
	for (wall_ms end_at = w.now + HOURS(1); w.now < end_at;) {
		d = world_next(&w);
		if (d.kind == SCHED_START) {
			starts++;
			end(&w, &d);
			continue;
		}
		assert_true(d.reasons & WHY_DESTINATION_RATE);
		assert_true(d.when > w.now && d.when < WALL_NEVER);
		w.now = d.when;
		sched_verify(w.sched);
	}
	assert_in_range(starts, 55, 60);
	world_close(&w);
}

static void a_source_keeps_its_connections_to_all_destinations(void **state)
{
	struct world w;
	struct sched_decision d[2], next;
	char name[32];
	uint64_t last = 0;
	unsigned started = 2;

	world_open(&w, LISTEN TENANTS "sources: [{name: a, ip: 127.0.0.2, connections: 2}]\npools: [{name: main, sources: [a]}]\n" RETRY);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		last = world_add(&w, name);
	}
	d[0] = world_start(&w);
	d[1] = world_start(&w);
	assert_true(world_nothing(&w).reasons & WHY_SOURCE_CONNECTIONS);
	assert_int_equal(world_reasons(&w, last, NULL), WHY_SOURCE_CONNECTIONS);
	sched_verify(w.sched);
	/* Each end lets another destination start, until all have. */
	for (; started < 20; started++) {
		end(&w, &d[started % 2]);
		next = world_next(&w);
		assert_int_equal(next.kind, SCHED_START);
		d[started % 2] = next;
		world_nothing(&w);
		sched_verify(w.sched);
	}
	world_close(&w);
}

static void a_source_keeps_its_rate_to_all_destinations(void **state)
{
	struct world w;
	struct sched_decision d;
	unsigned starts = 0;
	char name[32];

	world_open(&w, LISTEN TENANTS "sources: [{name: a, ip: 127.0.0.2, rate: 120/h}]\npools: [{name: main, sources: [a]}]\n" RETRY);
	for (int i = 0; i < 300; i++) {
		struct sched_job job;

		snprintf(name, sizeof(name), "d%d.example", i % 30);
		job = world_job(&w, name);
		job.rcpts = 1 + (unsigned)i % 3;
		assert_true(sched_add(w.sched, &job, w.now));
	}
	for (wall_ms end_at = w.now + HOURS(1); w.now < end_at;) {
		d = world_next(&w);
		if (d.kind == SCHED_START) {
			starts += d.rcpts;
			world_settle(&w, &d, &(struct sched_result){ .attempted = true, .delivered = d.rcpts });
			sched_release_connection(w.sched, d.lane, w.now);
			continue;
		}
		assert_true(d.reasons & WHY_SOURCE_RATE);
		assert_true(d.when > w.now && d.when < WALL_NEVER);
		w.now = d.when;
		sched_verify(w.sched);
	}
	assert_in_range(starts, 105, 120);
	world_close(&w);
}

static void a_start_that_is_put_off_gives_its_rate_back(void **state)
{
	static const struct {
		const char *label, *source, *tenant, *provider;
		unsigned reason;
	} rows[] = {
		{ "of the lane", "", "", ", rate: 1/h", WHY_LANE_RATE },
		{ "of the destination", "", "", ", total_rate: 1/h", WHY_DESTINATION_RATE },
		{ "of the source", ", rate: 1/h", "", "", WHY_SOURCE_RATE },
		{ "of the tenant there", "", ", destination_rate: 1/h", "", WHY_TENANT_RATE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct sched_decision d, later;
		char yaml[1000];

		(void)snprintf(yaml, sizeof(yaml), LISTEN "sources: [{name: a, ip: 127.0.0.2%s}]\npools: [{name: main, sources: [a]}]\n"
		    "tenants: [{name: shop, from: [10.1.0.0/16], pool: main%s}]\n"
		    "providers: [{name: prov, mx: [mx.one.example]%s}]\n" RETRY,
		    rows[i].source, rows[i].tenant, rows[i].provider);
		world_open(&w, yaml);
		world_add(&w, "one.example");
		world_add(&w, "one.example");
		d = world_start(&w);
		if (!(world_nothing(&w).reasons & rows[i].reason))
			fail_msg("%s: there is no limit to speak of", rows[i].label);
		sched_put_off(w.sched, d.id, d.first, w.now + HOURS(9), w.now);
		sched_release_connection(w.sched, d.lane, w.now);
		sched_verify(w.sched);
		later = world_next(&w);
		if (later.kind != SCHED_START || later.id == d.id)
			fail_msg("%s: nothing came back", rows[i].label);
		world_deliver(&w, &later);
		world_add(&w, "one.example");
		if (!(world_nothing(&w).reasons & rows[i].reason))
			fail_msg("%s: more came back than was taken", rows[i].label);
		world_close(&w);
	}
}

static void another_source_of_the_pool_goes_on_when_one_is_at_its_limit(void **state)
{
	struct world w;

	world_open(&w, LISTEN TENANTS "sources: [{name: a, ip: 127.0.0.2, connections: 1}, {name: b, ip: 127.0.0.3}]\n"
	    "pools: [{name: main, sources: [a, b]}]\nlanes: {connections: 5}\n" RETRY);
	for (int i = 0; i < 12; i++)
		world_add(&w, "one.example");
	for (int i = 0; i < 6; i++)
		world_start(&w);
	assert_int_equal(world_nothing(&w).reasons & (WHY_SOURCE_CONNECTIONS | WHY_LANE_CONNECTIONS),
	    WHY_SOURCE_CONNECTIONS | WHY_LANE_CONNECTIONS);
	world_close(&w);
}

static void a_tenant_keeps_its_rate_to_a_destination_and_others_go_on(void **state)
{
	struct world w;
	struct sched_decision d;
	unsigned shop = 0, news = 0;

	world_open(&w, LISTEN "tenants:\n  - {name: shop, from: [10.1.0.0/16], pool: main, destination_rate: 60/h}\n"
	    "  - {name: news, from: [10.2.0.0/16], pool: main}\n" SOURCES POOLS RETRY);
	for (int i = 0; i < 300; i++) {
		struct sched_job job = world_job(&w, "one.example");

		job.tenant = i % 3 == 0 ? "news" : "shop";
		assert_true(sched_add(w.sched, &job, w.now));
	}
	for (wall_ms end_at = w.now + HOURS(1); w.now < end_at;) {
		d = world_next(&w);
		if (d.kind == SCHED_START) {
			shop += d.tenant[0] == 's';
			news += d.tenant[0] == 'n';
			end(&w, &d);
			continue;
		}
		assert_int_equal(news, 100); /* nobody waits for the other */
		assert_true(d.reasons & WHY_TENANT_RATE);
		assert_true(d.when > w.now && d.when < WALL_NEVER);
		w.now = d.when;
		sched_verify(w.sched);
	}
	assert_in_range(shop, 55, 60);
	world_close(&w);
}

static void a_start_that_is_put_off_waits_for_its_sender_without_an_attempt(void **state)
{
	struct world w;
	struct sched_decision d;
	struct sched_view view;
	uint64_t first;

	world_open(&w, BASICS);
	first = world_add(&w, "one.example");
	d = world_start(&w);
	sched_put_off(w.sched, d.id, d.first, w.now + MINUTES(7), w.now);
	sched_release_connection(w.sched, d.lane, w.now);
	sched_verify(w.sched);
	assert_true(sched_find(w.sched, first, 0, w.now, &view));
	assert_int_equal(view.reasons, WHY_SENDER);
	assert_int_equal(view.attempts, 0);
	assert_int_equal(view.ask_again, w.now + MINUTES(7));
	world_add(&w, "one.example");
	d = world_start(&w); /* others go on */
	assert_true(d.id != first);
	world_deliver(&w, &d);
	w.now += MINUTES(7);
	d = world_start(&w);
	assert_true(d.id == first && d.rcpts == 1);
	world_deliver(&w, &d);
	world_close(&w);
}

/* A START for which it is known that nobody is there. */
static void nobody_is_there(struct world *w, const struct sched_decision *d, wall_ms until, bool everybody)
{
	sched_hosts_down(w->sched, d->id, d->first, until, everybody, w->now);
	sched_release_connection(w->sched, d->lane, w->now);
	sched_verify(w->sched);
}

static void a_destination_whose_hosts_are_all_known_as_down_rests_as_a_whole(void **state)
{
	struct world w;
	struct sched_decision d;
	struct sched_view view;
	uint64_t first, second;

	world_open(&w, BASICS);
	first = world_add(&w, "one.example");
	second = world_add(&w, "one.example");
	d = world_start(&w);
	nobody_is_there(&w, &d, w.now + MINUTES(3), true);
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_NOTHING);
	assert_int_equal(d.when, w.now + MINUTES(3));
	assert_true(sched_find(w.sched, first, 0, w.now, &view));
	assert_int_equal(view.reasons, WHY_HOSTS_DOWN | WHY_DESTINATION_PAUSED);
	assert_int_equal(view.attempts, 0);
	assert_true(sched_find(w.sched, second, 0, w.now, &view));
	assert_int_equal(view.reasons, WHY_DESTINATION_PAUSED);
	assert_int_equal(view.ask_again, w.now + MINUTES(3));
	/* One of them finds out, and its success lets the other go at once. */
	w.now += MINUTES(3);
	d = world_start(&w);
	world_deliver(&w, &d);
	d = world_start(&w);
	world_deliver(&w, &d);
	world_close(&w);
}

static void a_domain_of_a_provider_rests_alone_when_its_hosts_are_down(void **state)
{
	struct world w;
	struct sched_decision d;
	struct sched_view view;
	uint64_t first, second, other;

	world_open(&w, BASICS "providers: [{name: big, domains: [one.example, two.example]}]\n");
	first = world_add(&w, "one.example");
	second = world_add(&w, "one.example");
	d = world_start(&w);
	other = world_add(&w, "two.example");
	nobody_is_there(&w, &d, w.now + MINUTES(3), true);
	assert_true(sched_find(w.sched, second, 0, w.now, &view));
	assert_int_equal(view.reasons, WHY_HOSTS_DOWN);
	assert_int_equal(view.ask_again, w.now + MINUTES(3));
	d = world_start(&w);
	assert_true(d.id == other);
	world_deliver(&w, &d);
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_NOTHING);
	assert_int_equal(d.when, w.now + MINUTES(3));
	/* Its route is looked up anew, and both go. */
	w.now += MINUTES(3);
	d = world_start(&w);
	assert_true(d.id == first || d.id == second);
	world_deliver(&w, &d);
	d = world_start(&w);
	world_deliver(&w, &d);
	/* The operator's word ends it. */
	first = world_add(&w, "one.example");
	d = world_start(&w);
	nobody_is_there(&w, &d, w.now + MINUTES(3), true);
	assert_int_equal(sched_retry(w.sched, first, 0, w.now), OK);
	d = world_start(&w);
	assert_true(d.id == first);
	world_deliver(&w, &d);
	world_close(&w);
}

static void where_others_may_be_reached_one_job_alone_waits_for_its_hosts(void **state)
{
	struct world w;
	struct sched_decision d;
	struct sched_view view;
	uint64_t first;

	world_open(&w, BASICS);
	first = world_add(&w, "one.example");
	(void)world_add(&w, "one.example");
	d = world_start(&w);
	nobody_is_there(&w, &d, w.now + MINUTES(3), false);
	assert_true(sched_find(w.sched, first, 0, w.now, &view));
	assert_int_equal(view.reasons, WHY_HOSTS_DOWN);
	assert_int_equal(view.ask_again, w.now + MINUTES(3));
	d = world_start(&w);
	assert_true(d.id != first);
	world_deliver(&w, &d);
	w.now += MINUTES(3);
	d = world_start(&w);
	assert_true(d.id == first);
	world_deliver(&w, &d);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_sources_together_keep_the_total_of_a_provider),
		cmocka_unit_test(all_sources_together_keep_the_rate_of_a_provider),
		cmocka_unit_test(a_source_keeps_its_connections_to_all_destinations),
		cmocka_unit_test(a_source_keeps_its_rate_to_all_destinations),
		cmocka_unit_test(a_tenant_keeps_its_rate_to_a_destination_and_others_go_on),
		cmocka_unit_test(a_start_that_is_put_off_waits_for_its_sender_without_an_attempt),
		cmocka_unit_test(a_start_that_is_put_off_gives_its_rate_back),
		cmocka_unit_test(a_destination_whose_hosts_are_all_known_as_down_rests_as_a_whole),
		cmocka_unit_test(a_domain_of_a_provider_rests_alone_when_its_hosts_are_down),
		cmocka_unit_test(where_others_may_be_reached_one_job_alone_waits_for_its_hosts),
		cmocka_unit_test(another_source_of_the_pool_goes_on_when_one_is_at_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
