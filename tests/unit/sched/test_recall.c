/* tests/unit/sched/test_recall.c - what is learned goes out as rows when it changes, and another scheduler that is given them goes on as the first. */
#include "sched/learned.h"
#include "tests/unit/sched/sched_test.h"

#define ROWS 64

struct store {
	struct sched_learned rows[ROWS];
	size_t count;
};

static struct sched_learned *row_of(struct store *s, const char *key)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->rows[i].key, key) == 0)
			return &s->rows[i];
	return NULL;
}

/* As the dispatcher does. Returns how many rows were written or dropped. */
static unsigned save(struct store *s, struct world *w)
{
	struct sched_learned row, *old;
	unsigned n = 0;

	for (; sched_learned_next(w->sched, &row); n++) {
		old = row_of(s, row.key);
		if (old != NULL && row.len == 0)
			*old = s->rows[--s->count];
		else if (old != NULL)
			*old = row;
		else if (row.len > 0) {
			assert_true(s->count < ROWS);
			s->rows[s->count++] = row;
		}
	}
	return n;
}

/* kill -9 and a new start, `later` afterwards. */
static void restart(struct store *s, struct world *w, const char *yaml, int64_t later)
{
	wall_ms now = w->now + later;
	uint64_t ids = w->ids;

	sched_destroy(&w->sched);
	world_open(w, yaml);
	w->now = now;
	w->ids = ids;
	for (size_t i = 0; i < s->count; i++)
		assert_int_equal(sched_learned_restore(w->sched, s->rows[i].key, s->rows[i].data, s->rows[i].len, w->now), OK);
}

#define ONE_SOURCE "sources: [{name: a, ip: 127.0.0.2}]\npools: [{name: main, sources: [a]}]\n"
#define ONE        LISTEN TENANTS ONE_SOURCE "retry: {first: 5m, max: 4h, expire: 5d}\nlanes: {connections: 8}\n"

static void what_goes_well_leaves_no_row(void **state)
{
	struct store s = { .count = 0 };
	struct world w;
	struct sched_decision d;

	world_open(&w, "hostname: relay.example.net\nlisten: [{at: \"127.0.0.1:25\", tls: none, auth: none}]\n" TENANTS ONE_SOURCE);
	for (int i = 0; i < 20; i++) {
		world_add(&w, "one.example");
		d = world_start(&w);
		world_deliver(&w, &d);
		assert_int_equal(save(&s, &w), 0);
	}
	world_close(&w);
}

static void a_paused_lane_is_paused_after_a_restart(void **state)
{
	struct store s = { .count = 0 };
	struct world w;
	struct sched_decision d;
	uint64_t id;
	wall_ms again;

	world_open(&w, ONE);
	world_add(&w, "one.example");
	d = world_start(&w);
	world_fail(&w, &d, SCOPE_LANE);
	assert_int_equal(save(&s, &w), 1);
	assert_int_equal(s.count, 1);
	assert_int_equal(save(&s, &w), 0);
	restart(&s, &w, ONE, SECONDS(10));
	id = world_add(&w, "one.example");
	assert_true(world_nothing(&w).reasons & WHY_LANE_PAUSED);
	assert_int_equal(world_reasons(&w, id, &again), WHY_LANE_PAUSED);
	assert_in_range(again - w.now, MINUTES(3), MINUTES(6));
	assert_int_equal(save(&s, &w), 0);
	/* Once it delivers again as before, the row goes. */
	w.now = again;
	for (int i = 0; i < 60; i++) {
		d = world_next(&w);
		if (d.kind == SCHED_START)
			world_deliver(&w, &d);
		world_add(&w, "one.example");
	}
	save(&s, &w);
	assert_int_equal(s.count, 0);
	world_close(&w);
}

static void a_window_is_as_small_after_a_restart(void **state)
{
	struct store s = { .count = 0 };
	struct world w;
	struct sched_decision d[8];

	world_open(&w, ONE);
	for (int i = 0; i < 20; i++)
		world_add(&w, "one.example");
	for (int i = 0; i < 8; i++)
		d[i] = world_start(&w);
	for (int i = 0; i < 8; i++)
		world_end(&w, &d[i], &(struct sched_result){ .attempted = true, .rcpts_left = 1, .throttled = 1 });
	save(&s, &w);
	restart(&s, &w, ONE, 0);
	for (int i = 0; i < 20; i++)
		world_add(&w, "one.example");
	for (int i = 0; i < 4; i++)
		world_start(&w);
	assert_true(world_nothing(&w).reasons & WHY_LANE_SLOW);
	world_close(&w);
}

static void a_silent_block_survives_and_the_mail_takes_the_other_source(void **state)
{
	struct store s = { .count = 0 };
	struct world w;
	struct sched_decision d;

	world_open(&w, BASICS);
	world_add(&w, "one.example");
	world_add(&w, "one.example");
	for (int i = 0; i < 3; i++) {
		d = world_next(&w);
		if (d.kind == SCHED_START)
			world_end(&w, &d, d.source[0] == 'a' ? &(struct sched_result){ .attempted = true, .rcpts_left = 1,
			    .scope = SCOPE_HOST, .reach = REACH_NOBODY } : &(struct sched_result){ .attempted = true, .delivered = 1,
			    .reach = REACH_ANSWERED });
	}
	save(&s, &w);
	restart(&s, &w, BASICS, SECONDS(1));
	for (int i = 0; i < 6; i++)
		world_add(&w, "one.example");
	for (int i = 0; i < 6; i++) {
		d = world_start(&w);
		assert_true(d.source[0] == 'b');
		world_deliver(&w, &d);
	}
	world_close(&w);
}

static void a_destination_that_was_down_costs_one_probe_after_a_restart(void **state)
{
	struct store s = { .count = 0 };
	struct world w;
	struct sched_decision d;

	world_open(&w, ONE);
	for (int i = 0; i < 5; i++)
		world_add(&w, "one.example");
	for (int i = 0; i < 5; i++) {
		d = world_next(&w);
		if (d.kind == SCHED_START)
			world_fail(&w, &d, SCOPE_DESTINATION);
	}
	assert_true(world_nothing(&w).reasons & WHY_DESTINATION_PAUSED);
	save(&s, &w);
	restart(&s, &w, ONE, SECONDS(1));
	world_add(&w, "one.example");
	world_add(&w, "one.example");
	d = world_nothing(&w);
	assert_true(d.reasons & WHY_DESTINATION_PAUSED);
	w.now = d.when;
	world_start(&w);
	assert_true(world_nothing(&w).reasons & WHY_DESTINATION_PAUSED);
	world_close(&w);
}

static void the_operators_pauses_survive_and_end_when_lifted(void **state)
{
	static const char *const whats[][2] = { { "destination", "big" }, { "tenant", "shop" }, { "source", "a" } };
	static const char yaml[] = ONE "providers: [{name: big, domains: [one.example]}]\n";

	for (size_t i = 0; i < ARRAY_LEN(whats); i++) {
		struct store s = { .count = 0 };
		struct world w;

		world_open(&w, yaml);
		assert_int_equal(sched_pause(w.sched, whats[i][0], whats[i][1], true, w.now), OK);
		save(&s, &w);
		restart(&s, &w, yaml, DAYS(30));
		world_add(&w, "one.example");
		if (world_next(&w).kind != SCHED_NOTHING)
			fail_msg("%s %s is not paused any more", whats[i][0], whats[i][1]);
		assert_int_equal(sched_pause(w.sched, whats[i][0], whats[i][1], false, w.now), OK);
		world_start(&w);
		save(&s, &w);
		if (s.count != 0)
			fail_msg("%s %s left a row", whats[i][0], whats[i][1]);
		world_close(&w);
	}
}

static void a_row_that_is_old_or_damaged_is_dropped_or_refused(void **state)
{
	struct learned_lane lane = { .failures = 2, .paused_until = TEST_START + HOURS(1), .shut_by = WHY_LANE_PAUSED };
	uint8_t data[LEARNED_MAX];
	size_t len = learned_encode_lane(&lane, data);
	struct sched_learned row;
	struct world w;

	world_open(&w, ONE);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(sched_learned_restore(w.sched, "l a h:x", data, cut, w.now), ERR_CORRUPT);
	data[0] = 99;
	assert_int_equal(sched_learned_restore(w.sched, "l a h:x", data, len, w.now), ERR_VERSION);
	data[0] = 1;
	assert_int_equal(sched_learned_restore(w.sched, "x", data, len, w.now), ERR_CORRUPT);
	assert_int_equal(sched_learned_restore(w.sched, "q a", data, len, w.now), ERR_CORRUPT);
	assert_false(sched_learned_next(w.sched, &row));
	assert_int_equal(sched_learned_restore(w.sched, "l a h:x", data, len, w.now + DAYS(8)), OK);
	assert_true(sched_learned_next(w.sched, &row));
	assert_int_equal(row.len, 0);
	assert_string_equal(row.key, "l a h:x");
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_well_leaves_no_row),
		cmocka_unit_test(a_paused_lane_is_paused_after_a_restart),
		cmocka_unit_test(a_window_is_as_small_after_a_restart),
		cmocka_unit_test(a_silent_block_survives_and_the_mail_takes_the_other_source),
		cmocka_unit_test(a_destination_that_was_down_costs_one_probe_after_a_restart),
		cmocka_unit_test(the_operators_pauses_survive_and_end_when_lifted),
		cmocka_unit_test(a_row_that_is_old_or_damaged_is_dropped_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
