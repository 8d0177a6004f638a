/* tests/unit/sched/test_budget.c - a day's budget is neither lost nor doubled: sessions over midnight, clocks that are set, other time zones. */
#include "sched_test.h"

#define COLD(zone) \
	LISTEN TENANTS "plans: [{name: day, days: [4800]}]\nproviders: [{name: big, domains: [big.example], connections: 5}]\n" zone \
		       "sources: [{name: a, ip: 127.0.0.2, warmup: {plan: day}}]\n" \
		       "pools: [{name: main, sources: [a]}]\nretry: {first: 5m, max: 4h, expire: 5d}\n"
#define BUDGET   4800
#define MIDNIGHT (TEST_START + HOURS(16) + MINUTES(31)) /* of every lane, in UTC */

static void backlog(struct world *w)
{
	struct sched_job job = world_job(w, "big.example");

	job.rcpts = 1000000;
	job.deadline = w->now + DAYS(400);
	assert_true(sched_add(w->sched, &job, w->now));
}

static void copy_view(void *arg, const struct sched_warm_view *view)
{
	*(struct sched_warm_view *)arg = *view;
}

static struct sched_warm_view view_now(struct world *w)
{
	struct sched_warm_view view = { 0 };

	sched_warm_read(w->sched, w->now, copy_view, &view);
	return view;
}

/* Until `end`, everything is taken; returns how many. */
static uint32_t run(struct world *w, wall_ms end)
{
	struct sched_decision d;
	uint32_t sent = 0;

	while (world_start_before(w, end, &d)) {
		sent += d.rcpts;
		world_end(w, &d, &(struct sched_result){ .attempted = true, .delivered = d.rcpts, .rcpts_left = 100000 });
	}
	if (end > w->now)
		w->now = end;
	return sent;
}

/* The next claim, whenever it may be. */
static struct sched_decision claim(struct world *w)
{
	for (;;) {
		struct sched_decision d = world_next(w);

		if (d.kind == SCHED_START)
			return d;
		assert_true(d.kind == SCHED_NOTHING && d.when < WALL_NEVER);
		w->now = d.when;
	}
}

static void come_back(struct world *w, const struct sched_decision *d)
{
	world_end(w, d, &(struct sched_result){ .attempted = false, .rcpts_left = 100000 });
}

static void a_session_that_ends_after_midnight_gives_nothing_to_the_new_day(void **state)
{
	struct world w;
	struct sched_decision late, first;

	(void)state;
	world_open(&w, COLD(""));
	w.now = MIDNIGHT + DAYS(1) - HOURS(2);
	backlog(&w);
	late = claim(&w);
	assert_true(w.now < MIDNIGHT + DAYS(1) - HOURS(1));
	w.now = MIDNIGHT + DAYS(1) + HOURS(1);
	/* Another job's claim begins the day. */
	backlog(&w);
	first = claim(&w);
	assert_int_equal(view_now(&w).used, first.rcpts);
	come_back(&w, &late);
	assert_int_equal(view_now(&w).used, first.rcpts);
	come_back(&w, &first);
	assert_int_equal(view_now(&w).used, 0);
	world_close(&w);
}

static void a_session_over_midnight_belongs_to_the_day_of_its_claim(void **state)
{
	struct world w;
	struct sched_decision late;

	(void)state;
	world_open(&w, COLD(""));
	w.now = MIDNIGHT + DAYS(1) - HOURS(2);
	backlog(&w);
	late = claim(&w);
	w.now = MIDNIGHT + DAYS(1) + HOURS(1);
	world_end(&w, &late, &(struct sched_result){ .attempted = true, .delivered = late.rcpts, .rcpts_left = 100000 });
	assert_int_equal(view_now(&w).used, 0);
	assert_in_range(run(&w, MIDNIGHT + DAYS(2) - MINUTES(31)), BUDGET - 200, BUDGET);
	world_close(&w);
}

/* Half a day, the clock is set, half a day more. */
static void a_clock_that_is_set_neither_takes_nor_gives_a_budget(void **state)
{
	static const struct {
		const char *label;
		int64_t by;
		uint32_t least, most; /* in the half day that follows: the rest of the day, or another day's first half */
	} rows[] = {
		{ "not at all", 0, 2200, 2500 },
		{ "an hour on", HOURS(1), 2200, 2600 },
		{ "an hour back", -HOURS(1), 2000, 2500 },
		{ "a day on", DAYS(1), 2200, BUDGET },
		{ "a day back", -DAYS(1), 600, 2500 },
		{ "a month on", DAYS(31), 2200, BUDGET },
		{ "a month back", -DAYS(31), 2200, 2500 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		uint32_t first, then;
		struct sched_decision out;

		world_open(&w, COLD(""));
		w.now = MIDNIGHT + DAYS(60);
		backlog(&w);
		first = run(&w, MIDNIGHT + DAYS(60) + HOURS(12));
		assert_in_range(first, 2300, 2600);
		out = claim(&w);
		first += out.rcpts;
		w.now += rows[i].by;
		come_back(&w, &out);
		first -= out.rcpts;
		then = run(&w, w.now + HOURS(11));
		if (then < rows[i].least || then > rows[i].most)
			fail_msg("%s: %u, then %u", rows[i].label, first, then);
		if (rows[i].by <= 0 && first + then > BUDGET)
			fail_msg("%s: %u on one day", rows[i].label, first + then);
		world_close(&w);
	}
}

static void a_clock_that_is_set_on_and_back_costs_one_day_at_most(void **state)
{
	static const struct {
		const char *label;
		int64_t by;
	} rows[] = { { "a day", DAYS(1) }, { "a month", DAYS(31) } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		uint32_t sent;

		world_open(&w, COLD(""));
		w.now = MIDNIGHT + DAYS(60);
		backlog(&w);
		sent = run(&w, w.now + HOURS(6));
		for (unsigned n = 0; n < 5; n++) {
			w.now += rows[i].by;
			sent += run(&w, w.now + MINUTES(1));
			w.now -= rows[i].by;
			sent += run(&w, w.now + MINUTES(1));
		}
		sent += run(&w, MIDNIGHT + DAYS(61) - MINUTES(31));
		/* The hours until then, and what is left of one day. */
		if (sent > BUDGET + BUDGET / 4 + 200)
			fail_msg("%s: %u", rows[i].label, sent);
		assert_in_range(run(&w, MIDNIGHT + DAYS(63)), BUDGET, 2 * BUDGET + 200);
		world_close(&w);
	}
}

static void check_days(struct world *w, const char *label)
{
	struct sched_warm_day day;

	while (sched_warm_day_next(w->sched, &day))
		if (day.used > day.budget)
			fail_msg("%s: day %d used %u of %u", label, day.day, day.used, day.budget);
}

static void another_time_zone_gives_no_second_budget(void **state)
{
	static const struct {
		const char *label, *to;
		uint32_t most; /* in the two days from the change on */
	} rows[] = {
		{ "the same", COLD(""), 2 * BUDGET + 200 },
		{ "east", COLD("warmup: {zone: \"+10:00\"}\n"), 3 * BUDGET },
		{ "west", COLD("warmup: {zone: \"-10:00\"}\n"), 2 * BUDGET + 200 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct sched_decision out;
		uint32_t sent;

		world_open(&w, COLD(""));
		w.now = MIDNIGHT;
		backlog(&w);
		(void)run(&w, MIDNIGHT + HOURS(16));
		out = claim(&w);
		world_reload(&w, rows[i].to);
		sent = run(&w, MIDNIGHT + HOURS(17));
		come_back(&w, &out);
		for (unsigned n = 0; n < 6; n++) {
			world_reload(&w, n % 2 ? rows[i].to : COLD(""));
			sent += run(&w, w.now + MINUTES(30));
		}
		sent += run(&w, MIDNIGHT + HOURS(64));
		if (sent < BUDGET || sent > rows[i].most)
			fail_msg("%s: %u", rows[i].label, sent);
		check_days(&w, rows[i].label);
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_that_ends_after_midnight_gives_nothing_to_the_new_day),
		cmocka_unit_test(a_session_over_midnight_belongs_to_the_day_of_its_claim),
		cmocka_unit_test(a_clock_that_is_set_neither_takes_nor_gives_a_budget),
		cmocka_unit_test(a_clock_that_is_set_on_and_back_costs_one_day_at_most),
		cmocka_unit_test(another_time_zone_gives_no_second_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
