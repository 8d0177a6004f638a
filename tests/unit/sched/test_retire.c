/* tests/unit/sched/test_retire.c - a source on its way out: what it still takes, who takes the rest, and its end. */
#include "sched_test.h"

#define TWO(extra) \
	LISTEN TENANTS \
	    "sources: [{name: a, ip: 127.0.0.2" extra "}, {name: b, ip: 127.0.0.3}]\n" \
	    "pools: [{name: main, sources: [a, b]}]\nretry: {first: 5m, max: 4h, expire: 5d}\n"
#define THREE \
	LISTEN TENANTS \
	    "sources: [{name: a, ip: 127.0.0.2}, {name: b, ip: 127.0.0.3}, {name: c, ip: 127.0.0.4}]\n" \
	    "pools: [{name: main, sources: [a, b, c]}]\nretry: {first: 5m, max: 4h, expire: 5d}\n"

static void retire(struct world *w, const char *source, int64_t ms, const char *into)
{
	struct sched_retire r = { .since = w->now, .until = w->now + ms };

	(void)snprintf(r.into, sizeof(r.into), "%s", into);
	assert_true(sched_retire_source(w->sched, source, &r, w->now));
}

/* Of `count` messages, one after the other, those that leave from the source of that letter. */
static unsigned taken(struct world *w, unsigned count, char source)
{
	unsigned by = 0;

	for (unsigned i = 0; i < count; i++) {
		struct sched_decision d;

		world_add(w, "one.example");
		d = world_start(w);
		by += d.source[0] == source;
		world_deliver(w, &d);
	}
	sched_verify(w->sched);
	return by;
}

static void its_share_sinks_to_nothing_and_there_it_is_out_of_service(void **state)
{
	static const struct {
		const char *label;
		int64_t at;
		unsigned least, most;
	} rows[] = {
		{ "the first hour", HOURS(1), 95, 101 },
		{ "a quarter of the time", DAYS(2) + HOURS(12), 70, 80 },
		{ "half of it", DAYS(5), 46, 54 },
		{ "nine tenths", DAYS(9), 8, 13 },
		{ "its end", DAYS(10), 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		unsigned by;

		world_open(&w, TWO(""));
		retire(&w, "a", DAYS(10), "");
		w.now += rows[i].at;
		by = taken(&w, 200, 'a');
		if (by < rows[i].least || by > rows[i].most)
			fail_msg("%s: %u of 200", rows[i].label, by);
		world_close(&w);
	}
	(void)state;
}

static void a_source_of_more_weight_gives_up_its_own_share(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TWO(", weight: 3"));
	retire(&w, "a", DAYS(10), "");
	w.now += DAYS(5);
	assert_in_range(taken(&w, 200, 'a'), 71, 79); /* half of three fourths */
	world_close(&w);
}

static void what_it_gives_up_goes_to_its_successor(void **state)
{
	struct world w;
	unsigned b;

	(void)state;
	world_open(&w, THREE);
	retire(&w, "a", DAYS(10), "c");
	w.now += DAYS(9);
	b = taken(&w, 300, 'b');
	assert_in_range(b, 90, 135);
	assert_in_range(taken(&w, 300, 'c'), 150, 205);
	world_close(&w);
}

static void mail_does_not_wait_for_a_swap(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, TWO(""));
	retire(&w, "a", DAYS(10), "b");
	w.now += DAYS(9);
	sched_park_source(w.sched, "b", w.now + HOURS(1), "it is away");
	assert_int_equal(taken(&w, 20, 'a'), 20);
	world_close(&w);
}

static void its_end_is_told_once_and_asked_for_in_time(void **state)
{
	struct world w;
	struct sched_decision d;

	(void)state;
	world_open(&w, TWO(""));
	retire(&w, "a", DAYS(10), "");
	assert_null(sched_retired_next(w.sched));
	d = world_nothing(&w);
	assert_true(d.when <= w.now + DAYS(10));
	w.now += DAYS(10);
	world_nothing(&w);
	assert_string_equal(sched_retired_next(w.sched), "a");
	assert_null(sched_retired_next(w.sched));
	world_close(&w);
}

static void ignore(void *arg, const char *destination, enum sched_reason reason, const char *words, wall_ms until)
{
}

static void taken_back_into_service_it_has_its_share_again(void **state)
{
	struct sched_source_view view;
	struct world w;

	(void)state;
	world_open(&w, TWO(""));
	retire(&w, "a", DAYS(10), "");
	w.now += DAYS(5);
	assert_true(sched_source_read(w.sched, "a", w.now, &view, ignore, NULL));
	assert_non_null(view.retire);
	assert_true(view.share > 0.49 && view.share < 0.51);
	assert_true(sched_drain_source(w.sched, "a", false, w.now));
	assert_true(sched_source_read(w.sched, "a", w.now, &view, ignore, NULL));
	assert_null(view.retire);
	assert_in_range(taken(&w, 200, 'a'), 95, 105);
	w.now += DAYS(6);
	assert_in_range(taken(&w, 200, 'a'), 95, 105);
	assert_false(sched_retire_source(w.sched, "nobody", &(struct sched_retire){ .since = w.now, .until = w.now + 1 }, w.now));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_share_sinks_to_nothing_and_there_it_is_out_of_service),
		cmocka_unit_test(a_source_of_more_weight_gives_up_its_own_share),
		cmocka_unit_test(what_it_gives_up_goes_to_its_successor),
		cmocka_unit_test(mail_does_not_wait_for_a_swap),
		cmocka_unit_test(its_end_is_told_once_and_asked_for_in_time),
		cmocka_unit_test(taken_back_into_service_it_has_its_share_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
