/* tests/unit/sched/test_overflow.c - pools whose mail waits for their cold source although a warm one is open. */
#include "sched_test.h"

#define WAITS \
	LISTEN TENANTS "plans: [{name: one, start: 1, growth: 100}]\n" \
	    "sources: [{name: a, ip: 127.0.0.2, warmup: {plan: one}}, {name: b, ip: 127.0.0.3}]\n" \
	    "pools: [{name: main, sources: [a, b], overflow: wait, overflow_after: 4h}]\n" \
	    "retry: {first: 5m, max: 4h, expire: 5d}\n"

static struct sched_decision start_on(struct world *w, const char *source)
{
	struct sched_decision d = world_start(w);

	assert_string_equal(d.source, source);
	world_deliver(w, &d);
	return d;
}

static void it_waits_until_it_is_old_and_says_why(void **state)
{
	struct world w;
	struct sched_decision d;
	uint64_t id;
	wall_ms when;

	world_open(&w, WAITS);
	world_add(&w, "one.example");
	start_on(&w, "a");
	id = world_add(&w, "one.example");
	d = world_nothing(&w);
	sched_verify(w.sched);
	assert_in_range(d.when, w.now + 1, w.now + MINUTES(1));
	assert_true(world_reasons(&w, id, &when) & WHY_LANE_WARMUP);
	assert_int_equal(when, w.now + HOURS(4));
	w.now += HOURS(4) - 1;
	world_nothing(&w);
	w.now += 1;
	assert_int_equal(start_on(&w, "b").id, id);
	world_close(&w);
}

static void old_mail_does_not_stand_behind_young(void **state)
{
	struct world w;
	struct sched_job old;

	world_open(&w, WAITS);
	world_add(&w, "one.example");
	start_on(&w, "a");
	world_add(&w, "one.example");
	world_nothing(&w);
	old = world_job(&w, "one.example");
	old.id -= (uint64_t)HOURS(5) << 20;
	old.tenant = "news";
	assert_true(sched_add(w.sched, &old, w.now));
	w.now += MINUTES(1);
	assert_int_equal(start_on(&w, "b").id, old.id);
	world_nothing(&w);
	world_close(&w);
}

static void it_waits_for_no_source_that_is_out_of_service(void **state)
{
	struct world w;

	world_open(&w, WAITS);
	world_add(&w, "one.example");
	start_on(&w, "a");
	world_add(&w, "one.example");
	world_nothing(&w);
	assert_true(sched_drain_source(w.sched, "a", true, w.now));
	w.now += MINUTES(1);
	start_on(&w, "b");
	world_close(&w);
}

static void an_adopted_source_keeps_nothing_waiting(void **state)
{
	struct world w;

	world_open(&w, WAITS);
	world_add(&w, "one.example");
	start_on(&w, "a");
	world_add(&w, "one.example");
	world_nothing(&w);
	assert_int_equal(sched_warm_change(w.sched, WARM_ADOPT, "a", NULL, 0, w.now, NULL, NULL), 1);
	world_deliver(&w, &(struct sched_decision[]){ world_start(&w) }[0]);
	sched_verify(w.sched);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_waits_until_it_is_old_and_says_why),
		cmocka_unit_test(old_mail_does_not_stand_behind_young),
		cmocka_unit_test(it_waits_for_no_source_that_is_out_of_service),
		cmocka_unit_test(an_adopted_source_keeps_nothing_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
