/* tests/unit/sched/test_turns.c - sources of different weight: those that can start share by weight, however heavy one is that cannot. */
#include "tests/unit/sched/sched_test.h"

static void the_others_keep_their_weights_when_a_heavy_source_cannot_start(void **state)
{
	static const struct {
		const char *label;
		unsigned heavy, second, third;
	} rows[] = {
		{ "a little heavier", 4, 1, 2 },
		{ "a lot", 50, 1, 2 },
		{ "very much", 100, 1, 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		unsigned parts[3] = { 0 }, round = rows[i].second + rows[i].third;
		char yaml[1000];

		snprintf(yaml, sizeof(yaml), LISTEN TENANTS
		    "sources: [{name: a, ip: 127.0.0.2, weight: %u}, {name: b, ip: 127.0.0.3, weight: %u}, {name: c, ip: 127.0.0.4, weight: %u}]\n"
		    "pools: [{name: main, sources: [a, b, c]}]\n",
		    rows[i].heavy, rows[i].second, rows[i].third);
		world_open(&w, yaml);
		assert_int_equal(sched_pause(w.sched, "source", "a", true, w.now), OK);
		for (unsigned n = 0; n < 20 * round; n++) {
			struct sched_decision d;

			world_add(&w, "one.example");
			d = world_start(&w);
			parts[d.source[0] - 'a']++;
			world_deliver(&w, &d);
			w.now += 10;
		}
		if (parts[0] != 0 || parts[1] != 20 * rows[i].second || parts[2] != 20 * rows[i].third)
			fail_msg("%s: %u %u %u", rows[i].label, parts[0], parts[1], parts[2]);
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_others_keep_their_weights_when_a_heavy_source_cannot_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
