/* tests/unit/sched/test_state.c - silent blocks told from hosts that are down, the record of a lane, and who hears of its states. */
#include "sched/health.h"
#include "tests/unit/sched/sched_test.h"

#define UNHEARD   &(struct sched_result){ .attempted = true, .rcpts_left = 1, .scope = SCOPE_HOST, .reach = REACH_NOBODY }
#define DELIVERED &(struct sched_result){ .attempted = true, .delivered = 1, .reach = REACH_ANSWERED }

static char heard[4096];

static void listen_to(void *arg, const struct sched_lane_view *view)
{
	size_t len = strlen(heard);

	assert_true(view->why[0] != '\0');
	snprintf(heard + len, sizeof(heard) - len, "%s %s-%s;", view->source, sched_lane_state_name(view->from),
	    sched_lane_state_name(view->state));
}

static void begin(struct world *w, const char *yaml)
{
	heard[0] = '\0';
	world_open(w, yaml);
	sched_listen(w->sched, listen_to, NULL);
}

/* Start the next job and end it: from a nobody is reached. Returns the first letter of its source, or 0: nothing started. */
static char one(struct world *w, const char *deaf)
{
	struct sched_decision d = world_next(w);

	if (d.kind != SCHED_START)
		return 0;
	world_end(w, &d, strchr(deaf, d.source[0]) != NULL ? UNHEARD : DELIVERED);
	return d.source[0];
}

static void a_source_that_is_not_heard_rests_and_its_mail_moves_at_once(void **state)
{
	struct world w;
	unsigned from_a = 0, from_b = 0;

	begin(&w, BASICS);
	for (int i = 0; i < 20; i++)
		world_add(&w, "one.example");
	for (int i = 0; i < 40; i++) {
		char source = one(&w, "a");

		from_a += source == 'a';
		from_b += source == 'b';
	}
	assert_int_equal(from_b, 20);
	assert_int_equal(from_a, 1);
	assert_int_equal(sched_job_count(w.sched), 0);
	assert_string_equal(heard, "a open-closed;");
	world_close(&w);
}

static void it_is_tried_again_by_one_connection_with_growing_pauses(void **state)
{
	struct world w;
	wall_ms last = 0, gap = 0;
	unsigned probes = 0, from_a = 0;

	begin(&w, BASICS "lanes: {connections: 5}\n");
	for (wall_ms end = w.now + HOURS(3); w.now < end; w.now += SECONDS(10)) {
		world_add(&w, "one.example");
		for (int i = 0; i < 3; i++) {
			if (one(&w, "a") != 'a')
				continue;
			if (probes > 1 && gap < HOURS(2))
				assert_true((w.now - last) * 10 > gap * 12); /* about twice as long each time */
			gap = last != 0 ? w.now - last : 0;
			last = w.now;
			probes++;
		}
	}
	assert_in_range(probes, 6, 10);
	heard[0] = '\0';
	for (int i = 0; i < 12; i++)
		world_add(&w, "one.example");
	w.now += HOURS(5);
	for (int i = 0; i < 6; i++)
		from_a += world_start(&w).source[0] == 'a';
	assert_int_equal(from_a, 1);
	assert_int_equal(world_next(&w).kind, SCHED_NOTHING);
	assert_string_equal(heard, "a closed-probing;");
	world_close(&w);
}

static void a_probe_that_is_answered_opens_the_lane_again(void **state)
{
	struct world w;
	struct sched_decision d;

	begin(&w, BASICS "lanes: {connections: 1}\n");
	world_add(&w, "one.example");
	world_add(&w, "one.example");
	while (one(&w, "a") != 0)
		;
	w.now += HOURS(1);
	world_add(&w, "one.example");
	world_add(&w, "one.example");
	do
		d = world_start(&w);
	while (d.source[0] != 'a');
	world_end(&w, &d, DELIVERED);
	assert_string_equal(heard, "a open-closed;a closed-probing;a probing-open;");
	world_close(&w);
}

static void a_host_that_no_source_reaches_is_down_and_no_source_is_to_blame(void **state)
{
	struct world w;
	unsigned starts = 0;

	begin(&w, BASICS);
	for (int i = 0; i < 100; i++)
		world_add(&w, "one.example");
	for (int i = 0; i < 100 && one(&w, "ab") != 0; i++)
		starts++;
	assert_in_range(starts, 3, 8);
	assert_true(world_nothing(&w).reasons & WHY_DESTINATION_PAUSED);
	assert_string_equal(heard, "");
	world_close(&w);
}

static void a_single_source_is_never_silent(void **state)
{
	struct world w;

	begin(&w, LISTEN TENANTS "sources: [{name: a, ip: 127.0.0.2}]\npools: [{name: main, sources: [a]}]\nretry: {first: 5m, max: 4h, expire: 5d}\n");
	world_add(&w, "one.example");
	assert_int_equal(one(&w, ""), 'a');
	for (int i = 0; i < 5; i++) {
		world_add(&w, "one.example");
		one(&w, "a");
	}
	assert_string_equal(heard, "");
	world_close(&w);
}

/* --- the record --- */

static void shares_decide_with_hysteresis_and_a_least_number(void **state)
{
	static const struct {
		const char *label;
		struct health_answer answer;
		bool strained;
		enum health_sign sign;
	} rows[] = {
		{ "all is well", { .tried = 1000 }, false, HEALTH_GOOD },
		{ "too few to say", { .tried = 9, .deferred = 9 }, false, HEALTH_GOOD },
		{ "a third is deferred", { .tried = 30, .deferred = 10 }, false, HEALTH_STRAINED },
		{ "a fifth is deferred", { .tried = 30, .deferred = 6 }, false, HEALTH_GOOD },
		{ "a fifth is deferred, strained already", { .tried = 30, .deferred = 6 }, true, HEALTH_STRAINED },
		{ "few are deferred, strained already", { .tried = 30, .deferred = 2 }, true, HEALTH_GOOD },
		{ "some are refused", { .tried = 100, .blocked = 4 }, false, HEALTH_STRAINED },
		{ "most are refused", { .tried = 10, .blocked = 6 }, false, HEALTH_REFUSED },
		{ "many are unknown", { .tried = 60, .unknown = 15 }, false, HEALTH_STRAINED },
		{ "complaints", { .tried = 1000, .complained = 4 }, false, HEALTH_STRAINED },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct health health = { 0 };
		char words[HEALTH_WORDS];
		enum health_sign sign;

		health_note(&health, &rows[i].answer, TEST_START);
		sign = health_judge(&health, rows[i].strained, TEST_START, words);
		if (sign != rows[i].sign || (words[0] == '\0') != (sign == HEALTH_GOOD))
			fail_msg("%s: sign %d, words \"%s\"", rows[i].label, sign, words);
	}
}

static void old_answers_count_no_more(void **state)
{
	struct health health = { 0 };
	char words[HEALTH_WORDS];

	health_note(&health, &(struct health_answer){ .tried = 100, .deferred = 90 }, TEST_START);
	assert_int_equal(health_judge(&health, false, TEST_START + MINUTES(9), words), HEALTH_STRAINED);
	assert_int_equal(health_judge(&health, false, TEST_START + MINUTES(25), words), HEALTH_GOOD);
	assert_int_equal(health_sum(&health, HEALTH_BUCKETS, TEST_START + MINUTES(55)).tried, 100);
	assert_int_equal(health_sum(&health, HEALTH_BUCKETS, TEST_START + MINUTES(75)).tried, 0);
	health_note(&health, &(struct health_answer){ .tried = 7 }, TEST_START + DAYS(3));
	assert_int_equal(health_sum(&health, HEALTH_BUCKETS, TEST_START + DAYS(3)).tried, 7);
	for (int i = 0; i < 10; i++)
		health_note(&health, &(struct health_answer){ .tried = 30000, .deferred = 3000 }, TEST_START + DAYS(3));
	assert_in_range(health_sum(&health, 1, TEST_START + DAYS(3)).tried, 30000, UINT16_MAX);
}

static void a_lane_with_a_bad_record_goes_slowly_and_recovers(void **state)
{
	struct world w;
	struct sched_decision d;

	begin(&w, LISTEN TENANTS "sources: [{name: a, ip: 127.0.0.2}]\npools: [{name: main, sources: [a]}]\nlanes: {connections: 4}\n");
	for (int i = 0; i < 40; i++) {
		world_add(&w, "one.example");
		d = world_start(&w);
		world_end(&w, &d, i % 2 == 0 ? &(struct sched_result){ .attempted = true, .refused = 1, .unknown = 1 }
					     : &(struct sched_result){ .attempted = true, .delivered = 1 });
	}
	assert_string_equal(heard, "a open-slow;");
	for (int i = 0; i < 4; i++)
		world_add(&w, "one.example");
	world_start(&w);
	world_start(&w);
	assert_true(world_nothing(&w).reasons & WHY_LANE_CONNECTIONS);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_that_is_not_heard_rests_and_its_mail_moves_at_once),
		cmocka_unit_test(it_is_tried_again_by_one_connection_with_growing_pauses),
		cmocka_unit_test(a_probe_that_is_answered_opens_the_lane_again),
		cmocka_unit_test(a_host_that_no_source_reaches_is_down_and_no_source_is_to_blame),
		cmocka_unit_test(a_single_source_is_never_silent),
		cmocka_unit_test(shares_decide_with_hysteresis_and_a_least_number),
		cmocka_unit_test(old_answers_count_no_more),
		cmocka_unit_test(a_lane_with_a_bad_record_goes_slowly_and_recovers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
