/* tests/unit/sched/test_sched.c - jobs in and out, look-ups, the operator's words, expiry. */
#include "tests/unit/sched/sched_test.h"

static void a_job_is_looked_up_started_and_forgotten_when_delivered(void **state)
{
	struct world w;
	struct sched_decision d;

	world_open(&w, BASICS);
	world_add(&w, "one.example");
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_RESOLVE);
	assert_string_equal(d.domain, "one.example");
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_NOTHING); /* one look-up of a domain at a time */
	assert_true(d.reasons & WHY_RESOLVING);
	world_resolve(&w, "one.example", "mx.one.example");
	d = world_start(&w);
	assert_string_equal(d.destination, "mx.one.example");
	assert_string_equal(d.tenant, "shop");
	assert_int_equal(d.rcpts, 1);
	assert_int_equal(d.messages_left, 100);
	world_deliver(&w, &d);
	assert_int_equal(sched_job_count(w.sched), 0);
	world_close(&w);
}

static void a_known_job_is_left_as_it_is(void **state)
{
	struct world w;
	struct sched_job job;

	world_open(&w, BASICS);
	job = world_job(&w, "one.example");
	assert_true(sched_add(w.sched, &job, w.now));
	job.rcpts = 7;
	assert_false(sched_add(w.sched, &job, w.now));
	job.first = 1;
	assert_true(sched_add(w.sched, &job, w.now));
	assert_int_equal(sched_job_count(w.sched), 2);
	world_close(&w);
}

static void a_job_waits_until_it_is_due_and_says_so(void **state)
{
	struct world w;
	struct sched_job job;
	struct sched_decision d;
	wall_ms again;

	world_open(&w, BASICS);
	job = world_job(&w, "one.example");
	job.due = w.now + MINUTES(7);
	sched_add(w.sched, &job, w.now);
	d = world_nothing(&w);
	assert_int_equal(d.when, job.due);
	assert_int_equal(d.reasons, WHY_NOT_DUE);
	assert_int_equal(world_reasons(&w, job.id, &again), WHY_NOT_DUE);
	assert_int_equal(again, job.due);
	w.now = job.due - 1;
	world_nothing(&w);
	w.now = job.due;
	world_start(&w);
	world_close(&w);
}

static void jobs_end_at_their_deadline_in_every_place(void **state)
{
	static const struct {
		const char *label;
		bool held, unresolved, later, orphan;
	} rows[] = {
		{ "ready", false, false, false, false },
		{ "held", true, false, false, false },
		{ "unresolved", false, true, false, false },
		{ "due later than its deadline", false, false, true, false },
		{ "pool gone", false, false, false, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct sched_job job;
		struct sched_decision d;

		world_open(&w, BASICS);
		job = world_job(&w, "one.example");
		job.held = rows[i].held;
		job.pool = rows[i].orphan ? "gone" : "main";
		job.due = w.now + (rows[i].later ? DAYS(9) : 0);
		sched_add(w.sched, &job, w.now);
		if (rows[i].unresolved)
			sched_next(w.sched, w.now, &d);
		w.now = job.deadline;
		sched_next(w.sched, w.now, &d);
		if (d.kind != SCHED_EXPIRE || d.id != job.id)
			fail_msg("%s: kind %d", rows[i].label, d.kind);
		world_settle(&w, &d, &(struct sched_result){ .attempted = true });
		assert_int_equal(sched_job_count(w.sched), 0);
		world_close(&w);
	}
}

static void an_expiry_that_could_not_be_settled_is_asked_again_later(void **state)
{
	struct world w;
	struct sched_decision d;

	world_open(&w, BASICS);
	world_add(&w, "one.example");
	w.now += DAYS(5);
	d = world_next(&w);
	assert_int_equal(d.kind, SCHED_EXPIRE);
	world_settle(&w, &d, &(struct sched_result){ .attempted = false, .rcpts_left = 1 });
	assert_int_equal(world_nothing(&w).when, w.now + MINUTES(5));
	w.now += MINUTES(5);
	assert_int_equal(world_next(&w).kind, SCHED_EXPIRE);
	world_close(&w);
}

static void a_late_job_is_handed_out_once_for_its_warning(void **state)
{
	static const struct {
		const char *label;
		int64_t due;   /* after the arrival */
		bool warns, held;
		int64_t warning; /* 0: none */
	} rows[] = {
		{ "waits for its next attempt", DAYS(2), true, false, HOURS(4) },
		{ "waits for a route", 0, true, false, HOURS(4) },
		{ "nobody to be told", DAYS(2), false, false, 0 },
		{ "held", DAYS(2), true, true, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct sched_job job;
		struct sched_decision d;

		world_open(&w, BASICS);
		job = world_job(&w, "one.example");
		job.due = w.now + rows[i].due;
		job.warns = rows[i].warns;
		job.held = rows[i].held;
		sched_add(w.sched, &job, w.now);
		sched_next(w.sched, w.now, &d); /* the look-up, if any: never answered */
		w.now += HOURS(4) - 1;
		sched_next(w.sched, w.now, &d);
		assert_int_equal(d.kind, SCHED_NOTHING);
		if (rows[i].warning && d.when > w.now + 1)
			fail_msg("%s: asks again too late", rows[i].label);
		w.now++;
		sched_next(w.sched, w.now, &d);
		if ((d.kind == SCHED_WARN) != (rows[i].warning != 0))
			fail_msg("%s: kind %d", rows[i].label, d.kind);
		if (d.kind == SCHED_WARN) {
			wall_ms due = world_settle(&w, &d, &(struct sched_result){ .attempted = false, .rcpts_left = 1 });

			if (due != job.due)
				fail_msg("%s: due has moved by %lld", rows[i].label, (long long)(due - job.due));
			sched_next(w.sched, w.now, &d);
			assert_int_equal(d.kind, SCHED_NOTHING);
		}
		sched_verify(w.sched);
		world_close(&w);
	}
}

static void mail_that_was_put_off_is_late_from_then_on(void **state)
{
	struct world w;
	struct sched_job job;
	struct sched_decision d;

	world_open(&w, BASICS);
	job = world_job(&w, "one.example");
	job.due = w.now + DAYS(1);
	job.deadline = w.now + DAYS(6);
	job.warns = true;
	sched_add(w.sched, &job, w.now);
	w.now += HOURS(23);
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_NOTHING);
	w.now += HOURS(5);
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_WARN);
	world_close(&w);
}

static void a_held_job_starts_only_when_released(void **state)
{
	struct world w;
	struct sched_decision d;
	uint64_t id;

	world_open(&w, BASICS);
	id = world_add(&w, "one.example");
	assert_int_equal(sched_hold(w.sched, id, 0), OK);
	assert_int_equal(world_nothing(&w).reasons, WHY_HELD);
	assert_int_equal(world_reasons(&w, id, NULL), WHY_HELD);
	assert_int_equal(sched_release(w.sched, id, 0, w.now), OK);
	d = world_start(&w);
	assert_int_equal(sched_drop(w.sched, id, 0), ERR_BUSY);
	assert_int_equal(sched_retry(w.sched, id, 0, w.now), ERR_BUSY);
	assert_int_equal(sched_hold(w.sched, id, 0), OK); /* takes effect when it comes back */
	world_fail(&w, &d, SCOPE_RECIPIENT);
	assert_int_equal(world_reasons(&w, id, NULL), WHY_HELD);
	assert_int_equal(sched_drop(w.sched, id, 0), OK);
	assert_int_equal(sched_drop(w.sched, id, 0), ERR_NOT_FOUND);
	world_close(&w);
}

static void a_failed_lookup_hands_out_every_due_job_of_the_domain(void **state)
{
	struct world w;
	struct sched_decision d;
	struct sched_job later;

	world_open(&w, BASICS);
	world_add(&w, "bad.example");
	world_add(&w, "bad.example");
	later = world_job(&w, "bad.example");
	later.due += HOURS(1);
	sched_add(w.sched, &later, w.now);
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_RESOLVE);
	for (int i = 0; i < 2; i++) {
		sched_unresolved(w.sched, "bad.example", w.now, &d);
		assert_int_equal(d.kind, SCHED_START);
		assert_int_equal(d.lane, LANE_NONE);
		world_settle(
		    &w, &d, &(struct sched_result){ .attempted = true, .rcpts_left = 1, .scope = SCOPE_DESTINATION });
	}
	sched_unresolved(w.sched, "bad.example", w.now, &d);
	assert_int_equal(d.kind, SCHED_NOTHING);
	world_nothing(&w);
	world_close(&w);
}

static void a_failed_lookup_is_not_repeated_at_once(void **state)
{
	struct world w;
	struct sched_decision d;
	uint64_t id;
	wall_ms again;

	world_open(&w, BASICS);
	world_add(&w, "bad.example");
	sched_next(w.sched, w.now, &d);
	sched_unresolved(w.sched, "bad.example", w.now, &d);
	world_settle(&w, &d, &(struct sched_result){ .attempted = true });
	sched_unresolved(w.sched, "bad.example", w.now, &d);
	id = world_add(&w, "bad.example");
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_NOTHING);
	assert_in_range(d.when, w.now + 1, w.now + SECONDS(2));
	assert_int_equal(world_reasons(&w, id, &again), WHY_RESOLVING);
	assert_int_equal(again, d.when);
	w.now = d.when;
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_RESOLVE);
	world_close(&w);
}

/* A job for a domain whose route is valid for ten minutes has been delivered. */
static void open_with_route(struct world *w)
{
	static const char *const hosts[] = { "mx.one.example" };
	struct sched_decision d;

	world_open(w, BASICS);
	world_add(w, "one.example");
	sched_next(w->sched, w->now, &d);
	sched_resolved(w->sched, "one.example", 1, hosts, 1, 3, w->now + MINUTES(10), w->now);
	d = world_start(w);
	world_deliver(w, &d);
}

static void an_outdated_route_is_looked_up_again_before_the_next_job(void **state)
{
	struct world w;
	struct sched_decision d;

	open_with_route(&w);
	w.now += MINUTES(10);
	world_add(&w, "one.example");
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_RESOLVE);
	world_close(&w);
}

static void routes_that_are_not_to_be_relied_on_are_looked_up_again_at_once(void **state)
{
	struct world w;
	struct sched_decision d;

	open_with_route(&w);
	w.now += SECONDS(2);
	sched_routes_expire(w.sched, w.now);
	world_add(&w, "one.example");
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_RESOLVE);
	world_close(&w);
}

static void a_route_that_expires_at_once_still_serves(void **state)
{
	struct world w;
	struct sched_decision d;
	static const char *const hosts[] = { "mx.one.example" };

	world_open(&w, BASICS);
	world_add(&w, "one.example");
	sched_next(w.sched, w.now, &d);
	sched_resolved(w.sched, "one.example", 1, hosts, 1, 3, w.now, w.now);
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_START);
	world_close(&w);
}

static void no_more_than_a_bound_of_lookups_is_out_at_once(void **state)
{
	struct world w;
	struct sched_decision d;
	char name[32], first[32] = "";
	unsigned out = 0;

	world_open(&w, BASICS);
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		world_add(&w, name);
	}
	for (sched_next(w.sched, w.now, &d); d.kind == SCHED_RESOLVE; sched_next(w.sched, w.now, &d)) {
		if (out++ == 0)
			snprintf(first, sizeof(first), "%s", d.domain);
	}
	assert_int_equal(d.kind, SCHED_NOTHING);
	assert_int_equal(out, 512);
	world_resolve(&w, first, "mx.example");
	sched_next(w.sched, w.now, &d);
	assert_int_equal(d.kind, SCHED_RESOLVE);
	world_close(&w);
}

static void an_attempt_that_never_began_is_repeated_at_once_but_not_for_ever(void **state)
{
	struct world w;
	struct sched_decision d;
	uint64_t id;
	wall_ms due;

	world_open(&w, BASICS);
	id = world_add(&w, "one.example");
	for (int i = 0; i < 5; i++) {
		d = world_start(&w);
		assert_int_equal(d.attempts, 0);
		due = world_end(&w, &d, &(struct sched_result){ .attempted = false, .rcpts_left = 1 });
		assert_int_equal(due, w.now);
	}
	d = world_start(&w);
	due = world_end(&w, &d, &(struct sched_result){ .attempted = false, .rcpts_left = 1 });
	assert_in_range(due, w.now + MINUTES(4), w.now + MINUTES(6));
	assert_int_equal(world_reasons(&w, id, NULL), WHY_NOT_DUE);
	world_close(&w);
}

static void an_attempt_that_never_began_leaves_all_recipients_of_its_job(void **state)
{
	struct world w;
	struct sched_job job;
	struct sched_decision d;

	world_open(&w, BASICS);
	job = world_job(&w, "one.example");
	job.rcpts = 50;
	assert_true(sched_add(w.sched, &job, w.now));
	d = world_start(&w);
	assert_int_equal(world_end(&w, &d, &(struct sched_result){ .attempted = false, .rcpts_left = RCPTS_AS_BEFORE }), w.now);
	sched_verify(w.sched);
	assert_int_equal(world_start(&w).rcpts, 50);
	world_close(&w);
}

static void a_job_stays_active_until_its_settle_is_stored(void **state)
{
	struct world w;
	struct sched_decision d;
	struct sched_view view;

	world_open(&w, BASICS);
	world_add(&w, "one.example");
	d = world_start(&w);
	sched_done(w.sched, &(struct sched_result){ .id = d.id, .lane = d.lane, .rcpts_left = 1 }, w.now);
	world_nothing(&w); /* due at once, but not settled */
	assert_true(sched_find(w.sched, d.id, 0, w.now, &view));
	assert_int_equal(view.state, JOB_ACTIVE);
	sched_settled(w.sched, d.id, 0, w.now);
	world_start(&w);
	world_close(&w);
}

static void retry_starts_a_deferred_job_now(void **state)
{
	struct world w;
	struct sched_decision d;

	world_open(&w, BASICS);
	world_add(&w, "one.example");
	d = world_start(&w);
	world_fail(&w, &d, SCOPE_RECIPIENT);
	world_nothing(&w);
	assert_int_equal(sched_retry(w.sched, d.id, 0, w.now), OK);
	d = world_start(&w);
	assert_int_equal(d.attempts, 1);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_is_looked_up_started_and_forgotten_when_delivered),
		cmocka_unit_test(a_known_job_is_left_as_it_is),
		cmocka_unit_test(a_job_waits_until_it_is_due_and_says_so),
		cmocka_unit_test(jobs_end_at_their_deadline_in_every_place),
		cmocka_unit_test(an_expiry_that_could_not_be_settled_is_asked_again_later),
		cmocka_unit_test(a_late_job_is_handed_out_once_for_its_warning),
		cmocka_unit_test(mail_that_was_put_off_is_late_from_then_on),
		cmocka_unit_test(a_held_job_starts_only_when_released),
		cmocka_unit_test(a_failed_lookup_hands_out_every_due_job_of_the_domain),
		cmocka_unit_test(a_failed_lookup_is_not_repeated_at_once),
		cmocka_unit_test(an_outdated_route_is_looked_up_again_before_the_next_job),
		cmocka_unit_test(routes_that_are_not_to_be_relied_on_are_looked_up_again_at_once),
		cmocka_unit_test(a_route_that_expires_at_once_still_serves),
		cmocka_unit_test(no_more_than_a_bound_of_lookups_is_out_at_once),
		cmocka_unit_test(an_attempt_that_never_began_is_repeated_at_once_but_not_for_ever),
		cmocka_unit_test(an_attempt_that_never_began_leaves_all_recipients_of_its_job),
		cmocka_unit_test(a_job_stays_active_until_its_settle_is_stored),
		cmocka_unit_test(retry_starts_a_deferred_job_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
