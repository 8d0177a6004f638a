/* tests/unit/sched/test_pace.c - the window of connections: slow start, growth, the cut after a throttle. Pure, and on lanes. */
#include "sched/pace.h"
#include "tests/unit/sched/sched_test.h"

#define ONE_SOURCE "sources: [{name: a, ip: 127.0.0.2}]\npools: [{name: main, sources: [a]}]\n"
#define SLOW       "hostname: relay.example.net\nlisten: [{at: \"127.0.0.1:25\", tls: none, auth: none}]\n" TENANTS ONE_SOURCE
#define DELIVERED  &(struct sched_result){ .attempted = true, .delivered = 1 }
#define THROTTLED  &(struct sched_result){ .attempted = true, .rcpts_left = 1, .throttled = 1 }

static void a_window_grows_with_each_success_until_the_limit(void **state)
{
	struct pace pace = { 0 };

	pace_begin(&pace, MINUTES(10), TEST_START);
	for (uint32_t n = 1; n < 5; n++) {
		assert_int_equal(pace_limit(&pace), n);
		pace_grow(&pace, 5, TEST_START);
	}
	assert_int_equal(pace_limit(&pace), UINT32_MAX);
	pace_begin(&pace, MINUTES(10), TEST_START + MINUTES(9));
	assert_int_equal(pace_limit(&pace), UINT32_MAX);
	pace_begin(&pace, MINUTES(10), TEST_START + MINUTES(19));
	assert_int_equal(pace_limit(&pace), 1);
}

static void a_throttle_halves_the_window_once_for_all_that_were_under_way(void **state)
{
	struct pace pace = { 0 };
	unsigned rounds = 0;

	assert_true(pace_cut(&pace, 10, 3, TEST_START));
	assert_int_equal(pace_limit(&pace), 5);
	for (int i = 0; i < 3; i++)
		assert_false(pace_cut(&pace, 10, 2, TEST_START));
	assert_int_equal(pace_limit(&pace), 5);
	assert_true(pace_cut(&pace, 10, 0, TEST_START));
	assert_int_equal(pace_limit(&pace), 2);
	for (int i = 0; i < 9; i++)
		pace_cut(&pace, 10, 0, TEST_START);
	assert_int_equal(pace_limit(&pace), 1);
	while (pace_limit(&pace) < 4 && rounds++ < 100)
		pace_grow(&pace, 10, TEST_START);
	assert_in_range(rounds, 5, 9); /* one more for each round: 1 + 2 + 3 */
}

static void an_idle_lane_begins_with_one_connection(void **state)
{
	struct world w;
	struct sched_decision d[8];
	uint64_t last = 0;

	world_open(&w, SLOW "lanes: {connections: 4}\n");
	for (int i = 0; i < 12; i++)
		last = world_add(&w, "one.example");
	d[0] = world_start(&w);
	assert_int_equal(world_nothing(&w).reasons & (WHY_LANE_SLOW | WHY_LANE_CONNECTIONS), WHY_LANE_SLOW);
	assert_int_equal(world_reasons(&w, last, NULL), WHY_LANE_SLOW);
	world_settle(&w, &d[0], DELIVERED);
	for (int i = 1; i < 2; i++) /* its connection is still open: one more */
		d[i] = world_start(&w);
	world_nothing(&w);
	sched_release_connection(w.sched, d[0].lane, w.now);
	d[2] = world_start(&w);
	world_nothing(&w);
	world_settle(&w, &d[1], DELIVERED);
	world_settle(&w, &d[2], DELIVERED);
	world_start(&w);
	world_start(&w);
	assert_true(world_nothing(&w).reasons & WHY_LANE_CONNECTIONS);
	world_close(&w);
}

static void a_throttled_lane_goes_on_with_half_of_its_connections(void **state)
{
	struct world w;
	struct sched_decision d[4];

	world_open(&w, LISTEN TENANTS ONE_SOURCE "lanes: {connections: 4}\n");
	for (int i = 0; i < 12; i++)
		world_add(&w, "one.example");
	for (int i = 0; i < 4; i++)
		d[i] = world_start(&w);
	for (int i = 0; i < 4; i++) {
		world_settle(&w, &d[i], THROTTLED);
		sched_release_connection(w.sched, d[i].lane, w.now);
	}
	world_start(&w);
	world_start(&w);
	assert_true(world_nothing(&w).reasons & WHY_LANE_SLOW);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_grows_with_each_success_until_the_limit),
		cmocka_unit_test(a_throttle_halves_the_window_once_for_all_that_were_under_way),
		cmocka_unit_test(an_idle_lane_begins_with_one_connection),
		cmocka_unit_test(a_throttled_lane_goes_on_with_half_of_its_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
