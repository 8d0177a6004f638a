/* tests/unit/sched/test_warmup_lane.c - cold lanes in the scheduler: claims in part, the store, reloads, warm sources beside. */
#include "sched_test.h"

#define PLANS \
	"plans:\n" \
	"  - {name: few, start: 20, growth: 100, groups: [{providers: [big], start: 40}]}\n" \
	"  - {name: one, start: 1, growth: 100}\n"
#define PROVIDERS "providers: [{name: big, domains: [big.example], connections: 5}]\n"
#define COLD(plan) \
	LISTEN TENANTS PLANS PROVIDERS \
	    "sources: [{name: a, ip: 127.0.0.2, warmup: {plan: " plan "}}]\n" \
	    "pools: [{name: main, sources: [a]}]\nretry: {first: 5m, max: 4h, expire: 5d}\n"
#define BESIDE_WARM \
	LISTEN TENANTS PLANS PROVIDERS \
	    "sources: [{name: a, ip: 127.0.0.2, warmup: {plan: few}}, {name: b, ip: 127.0.0.3}]\n" \
	    "pools: [{name: main, sources: [a, b]}]\nretry: {first: 5m, max: 4h, expire: 5d}\n"

static struct sched_result all_taken(const struct sched_decision *d, uint32_t left)
{
	return (struct sched_result){ .attempted = true, .delivered = d->rcpts, .rcpts_left = left };
}

/* Deliver what may go until `end`; returns the recipients of source `name`, or of all for NULL. */
static uint32_t run(struct world *w, wall_ms end, const char *name, uint32_t *left)
{
	struct sched_decision d;
	uint32_t sent = 0;

	while (world_start_before(w, end, &d)) {
		*left -= d.rcpts;
		sent += name == NULL || strcmp(d.source, name) == 0 ? d.rcpts : 0;
		struct sched_result r = all_taken(&d, *left);

		world_end(w, &d, &r);
	}
	w->now = end;
	return sent;
}

static uint32_t add_large(struct world *w, const char *domain, uint32_t rcpts)
{
	struct sched_job job = world_job(w, domain);

	job.rcpts = rcpts;
	assert_true(sched_add(w->sched, &job, w->now));
	return rcpts;
}

static void a_job_larger_than_the_budget_is_claimed_in_part(void **state)
{
	struct world w;
	uint32_t left;
	wall_ms midnight = TEST_START + HOURS(16); /* UTC; the lane's own follows within half an hour */

	(void)state;
	world_open(&w, COLD("few"));
	left = add_large(&w, "one.example", 100);
	assert_int_equal(run(&w, midnight, NULL, &left), 20);
	assert_int_equal(left, 80);
	sched_verify(w.sched);
	assert_in_range(run(&w, midnight + DAYS(1), NULL, &left), 39, 40);
	world_close(&w);
}

static void a_provider_may_have_a_group_of_its_own(void **state)
{
	struct world w;
	uint32_t left;

	(void)state;
	world_open(&w, COLD("few"));
	left = add_large(&w, "big.example", 100);
	assert_int_equal(run(&w, TEST_START + HOURS(16), NULL, &left), 40);
	world_close(&w);
}

static void the_reason_is_told(void **state)
{
	struct world w;
	struct sched_decision d;
	uint64_t id;

	(void)state;
	world_open(&w, COLD("one"));
	world_add(&w, "one.example");
	id = world_add(&w, "one.example");
	d = world_start(&w);
	assert_true(d.warmup);
	world_deliver(&w, &d);
	d = world_nothing(&w);
	assert_true(d.when > w.now && d.when < w.now + HOURS(17));
	assert_true(world_reasons(&w, id, NULL) & WHY_LANE_WARMUP);
	world_close(&w);
}

static void what_was_never_tried_is_given_back(void **state)
{
	struct world w;
	struct sched_decision d;
	struct sched_result lost = { .attempted = false, .rcpts_left = 1 };

	(void)state;
	world_open(&w, COLD("one"));
	world_add(&w, "one.example");
	d = world_start(&w);
	world_end(&w, &d, &lost);
	/* The pace of the day is spent, the budget is not. */
	d = world_nothing(&w);
	assert_true(d.when < w.now + HOURS(17));
	w.now = d.when;
	d = world_start(&w);
	world_deliver(&w, &d);
	world_close(&w);
}

static void a_restart_every_hour_changes_no_count(void **state)
{
	static const unsigned hours[] = { 0, 1 };
	uint32_t sent[2][3];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world w;
		struct sched_warm warm = { 0 };
		uint32_t left;
		char key[600];

		world_open(&w, COLD("few"));
		left = add_large(&w, "one.example", 1000);
		for (unsigned day = 0; day < 3; day++) {
			sent[i][day] = 0;
			for (unsigned hour = 0; hour < 24; hour++) {
				struct conf *conf;

				sent[i][day] += run(&w, w.now + HOURS(1), NULL, &left);
				if (hours[i] == 0)
					continue;
				assert_true(sched_warm_state(w.sched, 0, &warm));
				snprintf(key, sizeof(key), "%s", warm.key);
				sched_destroy(&w.sched);
				conf = test_conf(COLD("few"));
				w.sched = sched_create(conf, day * 24 + hour);
				conf_unref(&conf);
				assert_int_equal(sched_warm_restore(w.sched, key, warm.data, warm.len), OK);
				add_large(&w, "one.example", left);
			}
		}
		world_close(&w);
	}
	for (unsigned day = 0; day < 3; day++)
		assert_int_equal(sent[0][day], sent[1][day]);
}

static void a_state_that_cannot_be_read_is_refused_and_begins_anew(void **state)
{
	struct world w;
	uint32_t left;

	(void)state;
	world_open(&w, COLD("few"));
	assert_int_equal(sched_warm_restore(w.sched, "a h:mx.one.example", "\1short", 6), ERR_CORRUPT);
	assert_int_equal(sched_warm_restore(w.sched, "a h:mx.one.example", "\377", 1), ERR_VERSION);
	left = add_large(&w, "one.example", 100);
	assert_int_equal(run(&w, TEST_START + HOURS(16), NULL, &left), 20);
	world_close(&w);
}

static void beside_a_warm_source_the_cold_one_gets_its_budget_and_the_rest_goes_on(void **state)
{
	struct world w;
	uint32_t cold = 0, left = 200;

	(void)state;
	world_open(&w, BESIDE_WARM);
	for (unsigned i = 0; i < 200; i++) {
		uint32_t one = 1;

		world_add(&w, "one.example");
		cold += run(&w, w.now + MINUTES(4), "a", &one);
		left -= 1 - one;
	}
	assert_int_equal(left, 0);
	assert_in_range(cold, 15, 20);
	world_close(&w);
}

static void not_before_its_day(void **state)
{
	struct world w;
	struct sched_decision d;
	wall_ms since = TEST_START - HOURS(8) + DAYS(3);

	(void)state;
	world_open(&w,
	    LISTEN TENANTS PLANS "sources: [{name: a, ip: 127.0.0.2, warmup: {plan: few, since: 2026-03-04}}]\n"
				 "pools: [{name: main, sources: [a]}]\n");
	world_add(&w, "one.example");
	d = world_nothing(&w);
	assert_true(d.when == since);
	w.now = since;
	d = world_start(&w);
	world_deliver(&w, &d);
	world_close(&w);
}

static void a_reload_without_the_plan_makes_it_warm(void **state)
{
	struct world w;
	uint32_t left;

	(void)state;
	world_open(&w, COLD("few"));
	left = add_large(&w, "one.example", 100);
	assert_int_equal(run(&w, TEST_START + HOURS(10), NULL, &left) <= 20, 1);
	world_reload(&w, LISTEN TENANTS "sources: [{name: a, ip: 127.0.0.2}]\npools: [{name: main, sources: [a]}]\n");
	(void)run(&w, w.now + MINUTES(1), NULL, &left);
	assert_int_equal(left, 0);
	world_close(&w);
}

static void count_lanes(void *arg, const struct sched_warm_view *view)
{
	*(struct sched_warm_view *)arg = *view;
}

static void the_operator_pauses_steps_and_adopts(void **state)
{
	struct world w;
	struct sched_warm_view view = { 0 };
	struct sched_decision d;
	uint32_t left;

	(void)state;
	world_open(&w, COLD("one"));
	left = add_large(&w, "one.example", 5000);
	d = world_start(&w);
	left -= d.rcpts;
	world_end(&w, &d, &(struct sched_result){ .attempted = true, .delivered = 1, .rcpts_left = left });
	assert_int_equal(sched_warm_change(w.sched, WARM_STEP, "b", NULL, 5, w.now, NULL, NULL), 0);
	assert_int_equal(sched_warm_change(w.sched, WARM_STEP, "a", "elsewhere", 5, w.now, NULL, NULL), 0);
	assert_int_equal(sched_warm_change(w.sched, WARM_STEP, "a", "mx.one.example", 500, w.now, NULL, NULL), 1);
	sched_warm_read(w.sched, w.now, count_lanes, &view);
	assert_int_equal(view.budget, 500);
	assert_int_equal(sched_warm_change(w.sched, WARM_PAUSE, "a", NULL, 0, w.now, NULL, NULL), 1);
	assert_int_equal(run(&w, w.now + HOURS(1), NULL, &left), 0);
	assert_int_equal(sched_warm_change(w.sched, WARM_RESUME, "a", NULL, 0, w.now, NULL, NULL), 1);
	assert_in_range(run(&w, w.now + HOURS(1), NULL, &left), 10, 60);
	assert_int_equal(sched_warm_change(w.sched, WARM_ADOPT, "a", NULL, 0, w.now, NULL, NULL), 1);
	(void)run(&w, w.now + MINUTES(1), NULL, &left);
	assert_int_equal(left, 0);
	world_close(&w);
}

static void good_mail_goes_first_from_a_cold_address(void **state)
{
	struct world w;
	uint32_t news = 0, shop = 0;

	(void)state;
	world_open(&w,
	    LISTEN TENANTS
	    "plans: [{name: day, start: 400}]\n"
	    "sources: [{name: a, ip: 127.0.0.2, warmup: {plan: day}}]\npools: [{name: main, sources: [a]}]\n");
	for (unsigned i = 0; i < 400; i++) {
		struct sched_job job = world_job(&w, "one.example");

		job.tenant = i % 2 ? "news" : "shop";
		assert_true(sched_add(w.sched, &job, w.now));
	}
	for (unsigned i = 0; i < 300;) {
		struct sched_decision d = world_next(&w);
		bool bad = d.kind == SCHED_START && strcmp(d.tenant, "news") == 0;

		if (d.kind == SCHED_NOTHING) {
			w.now = d.when;
			continue;
		}
		/* A third of the addresses of `news` are unknown. */
		world_end(&w, &d,
		    &(struct sched_result){
			.attempted = true, .unknown = bad && i % 3 == 0, .delivered = !(bad && i % 3 == 0) });
		if (i++ >= 100)
			*(bad ? &news : &shop) += 1;
	}
	/* All that was left of it, bar a twentieth, before the other's. */
	assert_in_range(shop, 120, 150);
	assert_int_equal(news, 200 - shop);
	world_close(&w);
}

static void finished_days_are_told_once_with_what_came_of_them(void **state)
{
	struct world w;
	struct sched_warm_day day, read = { 0 };
	uint8_t data[SCHED_WARM_DAY_LEN];
	uint32_t left;

	(void)state;
	world_open(&w, COLD("few"));
	left = add_large(&w, "one.example", 100);
	(void)run(&w, TEST_START + HOURS(16), NULL, &left);
	assert_false(sched_warm_day_next(w.sched, &day));
	(void)run(&w, TEST_START + HOURS(40), NULL, &left);
	assert_true(sched_warm_day_next(w.sched, &day));
	assert_string_equal(day.source, "a");
	assert_string_equal(day.destination, "mx.one.example");
	assert_int_equal(day.day, TEST_START / DAYS(1));
	assert_int_equal(day.planned, 20);
	assert_int_equal(day.budget, 20);
	assert_int_equal(day.used, 20);
	assert_int_equal(day.accepted, 20);
	assert_int_equal(day.total, 20);
	assert_false(sched_warm_day_next(w.sched, &day));
	sched_warm_day_encode(&day, data);
	assert_int_equal(sched_warm_day_decode(data, sizeof(data), &read), OK);
	assert_int_equal(read.accepted, 20);
	assert_int_equal(sched_warm_day_decode(data, sizeof(data) - 1, &read), ERR_CORRUPT);
	data[0] = 9;
	assert_int_equal(sched_warm_day_decode(data, sizeof(data), &read), ERR_VERSION);
	world_close(&w);
}

static void a_look_ahead_says_when_a_calendar_is_through_and_changes_nothing(void **state)
{
	struct world w;
	struct sched_warm_outlook outlook;
	char source[SCHED_WARM_NAME], destination[SCHED_WARM_NAME];
	struct sched_warm before, after;
	uint32_t left;

	(void)state;
	world_open(&w, COLD("few"));
	assert_false(sched_warm_lane(w.sched, 0, source, destination));
	left = add_large(&w, "one.example", 5);
	(void)run(&w, w.now + MINUTES(1), NULL, &left);
	assert_true(sched_warm_lane(w.sched, 0, source, destination));
	assert_string_equal(source, "a");
	assert_true(sched_warm_state(w.sched, 0, &before));
	/* 20, 40, 80, 160: the fourth day. */
	sched_warm_look_ahead(w.sched, 0, 150, 0, w.now, &outlook);
	assert_int_equal(outlook.early.days, 4);
	assert_int_equal(outlook.late.days, 4);
	assert_int_equal(outlook.early.volume[1], 40);
	assert_true(outlook.early.full_at > w.now + DAYS(3) && outlook.early.full_at <= w.now + DAYS(4));
	assert_true(sched_warm_state(w.sched, 0, &after));
	assert_memory_equal(before.data, after.data, before.len);
	/* More than ninety days away is no date. */
	sched_warm_look_ahead(w.sched, 0, 4e9, 0, w.now, &outlook);
	assert_true(outlook.early.full_at == 0 || outlook.early.days < 40);
	world_close(&w);
}

static uint32_t sent_by(struct world *w, wall_ms end, uint32_t *a_out)
{
	uint32_t left = 0, all = 0;

	*a_out = 0;
	for (;;) {
		struct sched_decision d = world_next(w);

		if (d.kind != SCHED_START) {
			if (d.kind != SCHED_NOTHING || d.when >= end)
				break;
			w->now = d.when;
			continue;
		}
		all += d.rcpts;
		*a_out += d.source[0] == 'a' ? d.rcpts : 0;
		struct sched_result r = all_taken(&d, left);

		world_end(w, &d, &r);
	}
	w->now = end;
	return all;
}

static void cold_addresses_alone_share_the_load_evenly(void **state)
{
	struct world w;
	uint32_t a, all;

	(void)state;
	world_open(&w,
	    LISTEN TENANTS "plans: [{name: day, start: 400}]\n"
			   "sources: [{name: a, ip: 127.0.0.2, warmup: {plan: day}}, {name: b, ip: 127.0.0.3, warmup: {plan: day}}]\n"
			   "pools: [{name: main, sources: [a, b]}]\n");
	for (unsigned i = 0; i < 100; i++)
		world_add(&w, "one.example");
	all = sent_by(&w, TEST_START + HOURS(15), &a);
	assert_int_equal(all, 100);
	assert_in_range(a, 48, 52);
	world_close(&w);
}

static void hardly_any_mail_is_shared_by_cold_addresses_too(void **state)
{
	struct world w;
	uint32_t of_a = 0, a;

	(void)state;
	world_open(&w,
	    LISTEN TENANTS "plans: [{name: day, start: 400}]\n"
			   "sources: [{name: a, ip: 127.0.0.2, warmup: {plan: day}}, {name: b, ip: 127.0.0.3, warmup: {plan: day}}]\n"
			   "pools: [{name: main, sources: [a, b]}]\n");
	for (unsigned day = 1; day <= 10; day++) {
		world_add(&w, "one.example");
		assert_int_equal(sent_by(&w, TEST_START + DAYS(day), &a), 1);
		of_a += a;
	}
	assert_in_range(of_a, 4, 6);
	world_close(&w);
}

static void keep_record(void *arg, const struct sched_warm *state)
{
	*(struct sched_warm *)arg = *state;
}

static void a_tenants_bad_record_outlives_a_restart(void **state)
{
	struct world w;
	struct sched_warm kept = { 0 };
	struct conf *conf;
	char key[64];

	(void)state;
	world_open(&w, COLD("few"));
	for (unsigned i = 0; i < 3; i++) {
		world_add(&w, "one.example");
		struct sched_decision d = world_next(&w);

		while (d.kind == SCHED_NOTHING) {
			w.now = d.when;
			d = world_next(&w);
		}
		world_end(&w, &d, &(struct sched_result){ .attempted = true, .unknown = 1 });
	}
	sched_warm_records(w.sched, keep_record, &kept);
	assert_string_equal(kept.key, " t shop");
	snprintf(key, sizeof(key), "%s", kept.key);
	/* Told once, until it changes. */
	kept.key = NULL;
	sched_warm_records(w.sched, keep_record, &kept);
	assert_null(kept.key);
	sched_destroy(&w.sched);
	conf = test_conf(COLD("few"));
	w.sched = sched_create(conf, 2);
	conf_unref(&conf);
	assert_int_equal(sched_warm_restore(w.sched, key, kept.data, kept.len), OK);
	assert_int_equal(sched_warm_restore(w.sched, key, kept.data, kept.len), ERR_EXISTS);
	assert_int_equal(sched_warm_restore(w.sched, " t news", kept.data, kept.len - 1), ERR_CORRUPT);
	assert_int_equal(sched_warm_restore(w.sched, " t ", kept.data, kept.len), ERR_CORRUPT);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_larger_than_the_budget_is_claimed_in_part),
		cmocka_unit_test(a_provider_may_have_a_group_of_its_own),
		cmocka_unit_test(the_reason_is_told),
		cmocka_unit_test(what_was_never_tried_is_given_back),
		cmocka_unit_test(a_restart_every_hour_changes_no_count),
		cmocka_unit_test(a_state_that_cannot_be_read_is_refused_and_begins_anew),
		cmocka_unit_test(beside_a_warm_source_the_cold_one_gets_its_budget_and_the_rest_goes_on),
		cmocka_unit_test(not_before_its_day),
		cmocka_unit_test(a_reload_without_the_plan_makes_it_warm),
		cmocka_unit_test(good_mail_goes_first_from_a_cold_address),
		cmocka_unit_test(the_operator_pauses_steps_and_adopts),
		cmocka_unit_test(finished_days_are_told_once_with_what_came_of_them),
		cmocka_unit_test(a_look_ahead_says_when_a_calendar_is_through_and_changes_nothing),
		cmocka_unit_test(cold_addresses_alone_share_the_load_evenly),
		cmocka_unit_test(hardly_any_mail_is_shared_by_cold_addresses_too),
		cmocka_unit_test(a_tenants_bad_record_outlives_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
