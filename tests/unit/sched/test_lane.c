/* tests/unit/sched/test_lane.c - limits of lanes, choice of source, pauses of lanes and destinations, connections in use. */
#include "tests/unit/sched/sched_test.h"

#define ONE_SOURCE "sources: [{name: a, ip: 127.0.0.2}]\npools: [{name: main, sources: [a]}]\n"
#define ONE        LISTEN TENANTS ONE_SOURCE "retry: {first: 5m, max: 4h, expire: 5d}\n"

static void a_lane_never_has_more_connections_than_its_limit(void **state)
{
	struct world w;
	struct sched_decision d[3];
	uint64_t last = 0;

	world_open(&w, ONE "lanes: {connections: 2}\n");
	for (int i = 0; i < 3; i++)
		last = world_add(&w, "one.example");
	d[0] = world_start(&w);
	d[1] = world_start(&w);
	d[2] = world_nothing(&w);
	assert_true(d[2].reasons & WHY_LANE_CONNECTIONS);
	assert_int_equal(world_reasons(&w, last, NULL), WHY_LANE_CONNECTIONS);
	world_settle(&w, &d[0], &(struct sched_result){ .attempted = true, .delivered = 1 });
	world_nothing(&w); /* the connection is still open */
	sched_release_connection(w.sched, d[0].lane, w.now);
	world_start(&w);
	world_close(&w);
}

static void all_lanes_together_keep_the_total(void **state)
{
	struct world w;
	struct sched_decision d, first;
	char name[32];

	world_open(&w, ONE "delivery: {connections: 3}\n");
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		world_add(&w, name);
	}
	first = world_start(&w);
	world_start(&w);
	world_start(&w);
	d = world_nothing(&w);
	assert_true(d.reasons & WHY_TOTAL_CONNECTIONS);
	world_deliver(&w, &first);
	world_start(&w);
	world_close(&w);
}

static void sources_of_a_pool_take_turns(void **state)
{
	struct world w;
	unsigned a = 0;

	world_open(&w, BASICS);
	for (int i = 0; i < 10; i++) {
		struct sched_decision d;

		world_add(&w, "one.example");
		d = world_start(&w);
		a += d.source[0] == 'a';
		world_deliver(&w, &d);
	}
	assert_int_equal(a, 5);
	world_close(&w);
}

static void a_second_attempt_comes_from_the_same_source(void **state)
{
	struct world w;
	struct sched_decision d;
	const char *source;

	world_open(&w, BASICS);
	for (int i = 0; i < 6; i++) {
		world_add(&w, "one.example");
		d = world_start(&w);
		source = d.source;
		w.now = world_fail(&w, &d, SCOPE_RECIPIENT); /* greylisted */
		d = world_start(&w);
		assert_string_equal(d.source, source);
		world_deliver(&w, &d);
	}
	world_close(&w);
}

static void a_source_of_the_wrong_family_is_not_taken(void **state)
{
	struct world w;
	struct sched_job job;
	struct sched_decision d;
	static const char *const hosts[] = { "mx.six.example" };

	world_open(&w, BASICS);
	for (int i = 0; i < 4; i++) {
		job = world_job(&w, "six.example");
		job.pool = "mixed";
		sched_add(w.sched, &job, w.now);
	}
	job = world_job(&w, "six.example");
	sched_add(w.sched, &job, w.now); /* pool main has no IPv6 at all */
	sched_next(w.sched, w.now, &d);
	sched_resolved(w.sched, "six.example", 1, hosts, 1, 2, w.now + HOURS(1), w.now);
	for (int i = 0; i < 4; i++) {
		d = world_start(&w);
		assert_string_equal(d.source, "six");
		assert_string_equal(d.pool, "mixed");
	}
	world_nothing(&w);
	assert_int_equal(world_reasons(&w, job.id, NULL), WHY_NO_SOURCE);
	world_close(&w);
}

static void a_rate_is_kept_in_every_window_of_its_period(void **state)
{
	struct world w;
	wall_ms sent[600];
	unsigned count = 0;

	world_open(&w, ONE "lanes: {connections: 1000, rate: 120/m}\n");
	for (int i = 0; i < 600; i++)
		world_add(&w, "one.example");
	while (count < ARRAY_LEN(sent)) {
		struct sched_decision d = world_next(&w);

		if (d.kind == SCHED_START) {
			sent[count++] = w.now;
			world_deliver(&w, &d);
		} else {
			assert_true(d.reasons & WHY_LANE_RATE);
			assert_in_range(d.when, w.now + 1, w.now + SECONDS(2));
			w.now = d.when;
		}
	}
	for (unsigned i = 120; i < count; i++)
		assert_true(sent[i] - sent[i - 120] >= MINUTES(1));
	/* The price of that strictness is at most a twentieth of the rate. */
	assert_true(sent[599] - sent[0] <= MINUTES(5) * 21 / 20);
	world_close(&w);
}

static void a_job_larger_than_the_burst_goes_and_leaves_a_debt(void **state)
{
	struct world w;
	struct sched_job job;
	struct sched_decision d;

	world_open(&w, ONE "lanes: {rate: 60/m}\n");
	job = world_job(&w, "one.example");
	job.rcpts = 30;
	sched_add(w.sched, &job, w.now);
	d = world_start(&w);
	assert_int_equal(d.rcpts, 30);
	world_deliver(&w, &d);
	world_add(&w, "one.example");
	d = world_nothing(&w);
	assert_in_range(d.when, w.now + SECONDS(28), w.now + SECONDS(33));
	world_close(&w);
}

static void a_provider_has_limits_of_its_own(void **state)
{
	struct world w;
	struct sched_decision d;

	world_open(&w,
	    ONE "providers: [{name: big, domains: [big.example], mx: [mx.big.net], connections: 1, messages: 7}]\n");
	world_add(&w, "big.example");
	world_add(&w, "other.example");
	for (int i = 0; i < 2; i++) {
		sched_next(w.sched, w.now, &d);
		assert_int_equal(d.kind, SCHED_RESOLVE);
		world_resolve(&w, d.domain, "a.mx.big.net");
	}
	d = world_start(&w);
	assert_string_equal(d.destination, "big");
	assert_int_equal(d.messages_left, 7);
	world_nothing(&w); /* both domains are one destination */
	world_deliver(&w, &d);
	assert_string_equal(world_start(&w).destination, "big");
	world_close(&w);
}

static void a_paused_lane_leaves_the_mail_to_another_source(void **state)
{
	struct world w;
	struct sched_decision d;
	char paused;

	world_open(&w, BASICS);
	world_add(&w, "one.example");
	d = world_start(&w);
	paused = d.source[0];
	world_end(&w, &d, &(struct sched_result){ .attempted = true, .scope = SCOPE_LANE });
	for (int i = 0; i < 4; i++) {
		world_add(&w, "one.example");
		assert_true(world_start(&w).source[0] != paused);
	}
	world_close(&w);
}

static void a_source_that_failed_is_taken_after_the_healthy_ones(void **state)
{
	struct world w;
	struct sched_decision d;
	char failed;

	world_open(&w, BASICS "lanes: {connections: 3}\n");
	world_add(&w, "one.example");
	d = world_start(&w);
	failed = d.source[0];
	world_end(&w, &d, &(struct sched_result){ .attempted = true, .scope = SCOPE_HOST });
	for (int i = 0; i < 4; i++) {
		world_add(&w, "one.example");
		d = world_start(&w);
		assert_int_equal(d.source[0] == failed, i == 3);
	}
	world_close(&w);
}

static void a_lane_pause_grows_and_ends_by_itself(void **state)
{
	struct world w;
	struct sched_decision d;
	wall_ms again, before = 0;
	uint64_t id;

	world_open(&w, ONE);
	for (int i = 0; i < 9; i++) {
		world_add(&w, "one.example");
		d = world_start(&w);
		world_end(&w, &d, &(struct sched_result){ .attempted = true, .scope = SCOPE_LANE });
		id = world_add(&w, "one.example");
		d = world_nothing(&w);
		assert_int_equal(world_reasons(&w, id, &again), WHY_LANE_PAUSED);
		assert_int_equal(d.when, again);
		assert_true(again - w.now <= HOURS(4));
		if (i < 6)
			assert_true(again - w.now > before);
		before = again - w.now;
		assert_int_equal(sched_drop(w.sched, id, 0), OK);
		w.now = again;
	}
	world_close(&w);
}

static void a_time_that_the_reply_names_counts(void **state)
{
	struct world w;
	struct sched_decision d;
	wall_ms named, due;

	world_open(&w, ONE);
	world_add(&w, "one.example");
	d = world_start(&w);
	named = w.now + HOURS(9);
	due = world_end(&w, &d,
	    &(struct sched_result){ .attempted = true, .rcpts_left = 1, .scope = SCOPE_LANE, .not_before = named });
	assert_int_equal(due, named);
	world_add(&w, "one.example");
	assert_int_equal(world_nothing(&w).when, named);
	world_close(&w);
}

/* Fail `count` jobs in a row at one.example with the host to blame. */
static void fail_hosts(struct world *w, int count)
{
	for (int i = 0; i < count; i++) {
		struct sched_decision d;

		world_add(w, "one.example");
		d = world_start(w);
		world_fail(w, &d, SCOPE_HOST);
	}
}

static void a_destination_that_is_down_costs_one_probe_not_its_backlog(void **state)
{
	struct world w;
	struct sched_decision d;
	unsigned attempts = 0;
	wall_ms end;

	world_open(&w, BASICS);
	fail_hosts(&w, 3);
	for (int i = 0; i < 1000; i++)
		world_add(&w, "one.example");
	end = w.now + DAYS(1);
	d = world_nothing(&w);
	assert_true(d.reasons & WHY_DESTINATION_PAUSED);
	while (w.now < end) {
		d = world_next(&w);
		if (d.kind == SCHED_START) {
			attempts++;
			assert_int_equal(world_next(&w).kind, SCHED_NOTHING); /* one at a time */
			world_fail(&w, &d, SCOPE_HOST);
		} else {
			assert_true(d.when > w.now);
			w.now = d.when;
		}
	}
	assert_in_range(attempts, 8, 15); /* 5m, 10m, 20m ... 4h, 4h */
	world_close(&w);
}

static void a_good_probe_lifts_the_pause_for_all(void **state)
{
	struct world w;
	struct sched_decision d;
	wall_ms again;
	uint64_t id;

	world_open(&w, BASICS);
	fail_hosts(&w, 3);
	id = world_add(&w, "one.example");
	world_add(&w, "one.example");
	world_nothing(&w);
	assert_int_equal(world_reasons(&w, id, &again), WHY_DESTINATION_PAUSED);
	assert_in_range(again, w.now + MINUTES(4), w.now + MINUTES(6));
	w.now = again;
	d = world_start(&w);
	world_nothing(&w);
	world_deliver(&w, &d);
	world_start(&w);
	world_close(&w);
}

static void failures_in_flight_do_not_lengthen_a_pause(void **state)
{
	struct world w;
	struct sched_decision d[8];
	wall_ms again;
	uint64_t id;

	world_open(&w, BASICS);
	for (int i = 0; i < 8; i++) {
		world_add(&w, "one.example");
		d[i] = world_start(&w);
	}
	for (int i = 0; i < 8; i++)
		world_fail(&w, &d[i], SCOPE_HOST);
	id = world_add(&w, "one.example");
	world_nothing(&w);
	world_reasons(&w, id, &again);
	assert_in_range(again, w.now + MINUTES(4), w.now + MINUTES(6));
	world_close(&w);
}

static void retry_asks_for_one_probe_of_a_destination_that_is_down(void **state)
{
	struct world w;
	struct sched_decision d;
	uint64_t id;

	world_open(&w, BASICS);
	fail_hosts(&w, 3);
	id = world_add(&w, "one.example");
	world_add(&w, "one.example");
	world_nothing(&w);
	assert_int_equal(sched_retry(w.sched, id, 0, w.now), OK);
	d = world_start(&w);
	world_nothing(&w);
	world_fail(&w, &d, SCOPE_HOST);
	world_nothing(&w);
	world_close(&w);
}

static void mail_of_a_paused_destination_still_expires(void **state)
{
	struct world w;
	struct sched_decision d;
	struct sched_job job;

	world_open(&w, BASICS);
	fail_hosts(&w, 3);
	job = world_job(&w, "one.example");
	job.deadline = w.now + SECONDS(30);
	sched_add(w.sched, &job, w.now);
	d = world_nothing(&w);
	assert_int_equal(d.when, job.deadline);
	w.now = job.deadline;
	d = world_next(&w);
	assert_int_equal(d.kind, SCHED_EXPIRE);
	assert_true(d.id == job.id);
	world_close(&w);
}

static void a_parked_source_waits_for_its_address(void **state)
{
	struct world w;
	struct sched_decision d;
	wall_ms again;
	uint64_t id;

	world_open(&w, ONE);
	sched_park_source(w.sched, "a", w.now + MINUTES(1), "cannot bind 127.0.0.2");
	id = world_add(&w, "one.example");
	d = world_nothing(&w);
	assert_int_equal(d.when, w.now + MINUTES(1));
	assert_int_equal(world_reasons(&w, id, &again), WHY_SOURCE_PARKED);
	assert_int_equal(again, w.now + MINUTES(1));
	w.now = again;
	world_start(&w);
	world_close(&w);
}

static void resuming_a_destination_or_a_source_opens_their_lanes(void **state)
{
	static const struct {
		const char *what, *name;
		bool opens;
	} rows[] = {
		{ "destination", "mx.one.example", true }, { "destination", "one.example", true }, { "source", "a", true },
		{ "destination", "mx.two.example", false }, { "source", "six", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct sched_decision d;
		uint64_t id;
		wall_ms again;

		world_open(&w, LISTEN "sources: [{name: a, ip: 127.0.0.2}, {name: six, ip: \"::1\"}]\n"
				      "pools: [{name: main, sources: [a]}]\ntenants: [{name: shop, from: [10.1.0.0/16], pool: main}]\n");
		world_add(&w, "two.example");
		d = world_start(&w);
		world_deliver(&w, &d);
		world_add(&w, "one.example");
		d = world_start(&w);
		world_fail(&w, &d, SCOPE_LANE);
		id = world_add(&w, "one.example");
		world_nothing(&w);
		assert_int_equal(world_reasons(&w, id, &again), WHY_LANE_PAUSED);
		assert_int_equal(sched_pause(w.sched, rows[i].what, rows[i].name, false, w.now), OK);
		if ((world_next(&w).kind == SCHED_START) != rows[i].opens)
			fail_msg("%s %s", rows[i].what, rows[i].name);
		world_close(&w);
	}
}

static void resuming_a_destination_that_nothing_needs_is_safe(void **state)
{
	struct world w;
	struct sched_decision d;

	world_open(&w, BASICS);
	world_add(&w, "one.example");
	d = world_start(&w);
	world_end(&w, &d, &(struct sched_result){ .attempted = true, .rcpts_left = 0, .scope = SCOPE_LANE });
	for (int i = 0; i < 3; i++, w.now += DAYS(2)) {
		(void)!sched_pause(w.sched, "destination", "mx.one.example", i > 0, w.now);
		(void)!sched_pause(w.sched, "destination", "mx.one.example", false, w.now);
		sched_verify(w.sched);
		world_nothing(&w);
	}
	world_close(&w);
}

static void the_operator_pauses_and_resumes(void **state)
{
	static const struct {
		const char *what, *name;
	} rows[] = { { "destination", "mx.one.example" }, { "tenant", "shop" }, { "source", "a" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct sched_decision d;
		uint64_t id;

		world_open(&w, ONE);
		world_add(&w, "one.example");
		d = world_start(&w);
		world_deliver(&w, &d);
		id = world_add(&w, "one.example");
		assert_int_equal(sched_pause(w.sched, rows[i].what, rows[i].name, true, w.now), OK);
		d = world_nothing(&w);
		if (!(d.reasons & WHY_OPERATOR) || world_reasons(&w, id, NULL) != WHY_OPERATOR)
			fail_msg("%s: 0x%x 0x%x", rows[i].what, d.reasons, world_reasons(&w, id, NULL));
		sched_verify(w.sched);
		assert_int_equal(sched_pause(w.sched, rows[i].what, rows[i].name, false, w.now), OK);
		world_start(&w);
		assert_int_equal(sched_pause(w.sched, rows[i].what, "nobody", true, w.now), ERR_NOT_FOUND);
		world_close(&w);
	}
}

static void an_open_connection_carries_more_mail_of_the_same_route(void **state)
{
	struct world w;
	struct sched_decision d, more;

	world_open(
	    &w, ONE "lanes: {connections: 1}\nproviders: [{name: big, domains: [x.example, y.example, z.example]}]\n");
	world_add(&w, "x.example");
	world_add(&w, "y.example");
	world_add(&w, "z.example");
	for (int i = 0; i < 3; i++) {
		sched_next(w.sched, w.now, &d);
		assert_int_equal(d.kind, SCHED_RESOLVE);
		world_resolve(&w, d.domain, d.domain[0] == 'z' ? "mx2.big.net" : "mx.big.net");
	}
	d = world_start(&w);
	assert_string_equal(d.domain, "x.example");
	world_settle(&w, &d, &(struct sched_result){ .attempted = true, .delivered = 1 });
	sched_next_on(w.sched, d.lane, "x.example", w.now, &more);
	assert_int_equal(more.kind, SCHED_START);
	assert_string_equal(more.domain, "y.example");
	assert_int_equal(more.lane, d.lane);
	world_settle(&w, &more, &(struct sched_result){ .attempted = true, .delivered = 1 });
	sched_next_on(w.sched, d.lane, "x.example", w.now, &more);
	assert_int_equal(more.kind, SCHED_NOTHING); /* z has other hosts */
	world_nothing(&w);
	sched_release_connection(w.sched, d.lane, w.now);
	assert_string_equal(world_start(&w).domain, "z.example");
	world_close(&w);
}

static void an_open_connection_keeps_the_rate_and_the_pauses(void **state)
{
	static const struct {
		const char *label, *lanes;
		enum sched_scope scope;
		bool operator_pause, goes_on;
	} rows[] = {
		{ "free", "lanes: {connections: 5}\n", SCOPE_NONE, false, true },
		{ "rate", "lanes: {rate: 1/m}\n", SCOPE_NONE, false, false },
		{ "lane paused", "lanes: {connections: 5}\n", SCOPE_LANE, false, false },
		{ "destination paused", "lanes: {connections: 5}\n", SCOPE_NONE, true, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct sched_decision d, more;
		char yaml[1024];

		snprintf(yaml, sizeof(yaml), "%s%s", ONE, rows[i].lanes);
		world_open(&w, yaml);
		world_add(&w, "one.example");
		world_add(&w, "one.example");
		d = world_start(&w);
		if (rows[i].operator_pause)
			assert_int_equal(sched_pause(w.sched, "destination", d.destination, true, w.now), OK);
		world_settle(&w, &d, &(struct sched_result){ .attempted = true, .scope = rows[i].scope });
		sched_next_on(w.sched, d.lane, d.domain, w.now, &more);
		if ((more.kind == SCHED_START) != rows[i].goes_on)
			fail_msg("%s: kind %d", rows[i].label, more.kind);
		world_close(&w);
	}
}

static void a_handle_stays_with_its_lane_while_a_connection_may_idle(void **state)
{
	struct world w;
	struct sched_decision first, second;

	world_open(&w, BASICS);
	world_add(&w, "one.example");
	first = world_start(&w);
	world_deliver(&w, &first);
	world_add(&w, "one.example");
	second = world_start(&w); /* from the other source */
	assert_int_not_equal(first.lane, second.lane);
	world_deliver(&w, &second);
	world_add(&w, "one.example");
	assert_int_equal(world_start(&w).lane, first.lane);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lane_never_has_more_connections_than_its_limit),
		cmocka_unit_test(all_lanes_together_keep_the_total),
		cmocka_unit_test(sources_of_a_pool_take_turns),
		cmocka_unit_test(a_second_attempt_comes_from_the_same_source),
		cmocka_unit_test(a_source_of_the_wrong_family_is_not_taken),
		cmocka_unit_test(a_rate_is_kept_in_every_window_of_its_period),
		cmocka_unit_test(a_job_larger_than_the_burst_goes_and_leaves_a_debt),
		cmocka_unit_test(a_provider_has_limits_of_its_own),
		cmocka_unit_test(a_paused_lane_leaves_the_mail_to_another_source),
		cmocka_unit_test(a_source_that_failed_is_taken_after_the_healthy_ones),
		cmocka_unit_test(a_lane_pause_grows_and_ends_by_itself),
		cmocka_unit_test(a_time_that_the_reply_names_counts),
		cmocka_unit_test(a_destination_that_is_down_costs_one_probe_not_its_backlog),
		cmocka_unit_test(a_good_probe_lifts_the_pause_for_all),
		cmocka_unit_test(failures_in_flight_do_not_lengthen_a_pause),
		cmocka_unit_test(retry_asks_for_one_probe_of_a_destination_that_is_down),
		cmocka_unit_test(mail_of_a_paused_destination_still_expires),
		cmocka_unit_test(a_parked_source_waits_for_its_address),
		cmocka_unit_test(the_operator_pauses_and_resumes),
		cmocka_unit_test(resuming_a_destination_or_a_source_opens_their_lanes),
		cmocka_unit_test(resuming_a_destination_that_nothing_needs_is_safe),
		cmocka_unit_test(an_open_connection_carries_more_mail_of_the_same_route),
		cmocka_unit_test(a_handle_stays_with_its_lane_while_a_connection_may_idle),
		cmocka_unit_test(an_open_connection_keeps_the_rate_and_the_pauses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
