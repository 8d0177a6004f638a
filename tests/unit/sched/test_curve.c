/* tests/unit/sched/test_curve.c - the daily curve of the mail: learned, kept, and followed by a cold lane's pace. */
#include "sched_test.h"

#include <math.h>

#include "sched/warmup.h"

#define MIDNIGHT (20000 * DAYS(1))
#define STEP     MINUTES(5)

static const double flat[CURVE_HOURS] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
/* Half of the day's mail from eight to eleven. */
static const double morning[CURVE_HOURS] = { 0, 0, 0, 0, 0, 0, 1, 4, 14, 18, 14, 6, 4, 4, 4, 4, 4, 4, 3, 2, 2, 1, 1, 0 };

/* `days` of so much mail a day, by hours of those weights. */
static wall_ms feed(struct curve *curve, wall_ms from, const double weights[CURVE_HOURS], unsigned days, double a_day)
{
	double sum = 0;

	for (unsigned hour = 0; hour < CURVE_HOURS; hour++)
		sum += weights[hour];
	for (unsigned hour = 0; hour < days * CURVE_HOURS; hour++) {
		wall_ms now = from + HOURS(hour);

		(void)curve_note(curve, (uint32_t)(a_day * weights[now % DAYS(1) / HOURS(1)] / sum + 0.5), now);
	}
	return from + DAYS(days);
}

static struct curve_line line_of(const struct curve *curve)
{
	double shares[CURVE_HOURS];
	struct curve_line line;

	curve_blend(curve, NULL, shares);
	curve_draw(shares, &line);
	return line;
}

static struct curve_line learned(const double weights[CURVE_HOURS])
{
	struct curve curve = { 0 };

	(void)curve_note(&curve, 1, feed(&curve, MIDNIGHT, weights, 7, 10000));
	return line_of(&curve);
}

static void near(const char *label, double got, double want, double by)
{
	if (!(fabs(got - want) <= by))
		fail_msg("%s: %f, want %f", label, got, want);
}

static void without_mail_the_day_is_even(void **state)
{
	struct curve curve = { 0 };
	struct curve_line line = line_of(&curve);

	(void)state;
	for (unsigned hour = 0; hour < CURVE_HOURS; hour++) {
		near("even", curve_at(&line, MIDNIGHT + HOURS(hour)), 1, 1e-9);
		near("an hour", curve_over(&line, MIDNIGHT + HOURS(hour), HOURS(1)), 1.0 / 24, 1e-9);
		near("without a line", curve_over(NULL, MIDNIGHT + HOURS(hour), HOURS(1)), 1.0 / 24, 1e-9);
	}
	near("peak", line.peak, 1, 1e-9);
}

static void a_line_adds_up_to_a_day_wherever_it_begins(void **state)
{
	struct curve_line line = learned(morning);

	(void)state;
	for (unsigned at = 0; at < 97; at++) {
		wall_ms from = MIDNIGHT + at * MINUTES(15) + 7;
		double sum = 0;

		for (unsigned part = 0; part < 48; part++)
			sum += curve_over(&line, from + part * MINUTES(30), MINUTES(30));
		near("a day", sum, 1, 1e-9);
		near("both parts", curve_over(&line, from, HOURS(5)) + curve_over(&line, from + HOURS(5), HOURS(19)), 1, 1e-9);
	}
}

static void a_morning_peak_is_learned_in_days_and_no_hour_is_left_with_nothing(void **state)
{
	static const struct {
		const char *label;
		unsigned days;
		double least, most; /* of the line at half past nine */
	} rows[] = {
		{ "nothing yet", 0, 1, 1 },
		{ "a day", 1, 1.8, 2.8 },
		{ "three days", 3, 2.3, 3.4 },
		{ "a month", 30, 2.7, 3.8 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct curve curve = { 0 };
		struct curve_line line;
		double at;

		(void)curve_note(&curve, 0, feed(&curve, MIDNIGHT, morning, rows[i].days, 10000));
		line = line_of(&curve);
		at = curve_at(&line, MIDNIGHT + HOURS(9) + MINUTES(30));
		if (at < rows[i].least - 1e-9 || at > rows[i].most + 1e-9)
			fail_msg("%s: %f", rows[i].label, at);
		assert_true(curve_at(&line, MIDNIGHT + HOURS(3)) >= 0.19);
	}
}

static void little_mail_says_little(void **state)
{
	struct curve few = { 0 }, many = { 0 };
	struct curve_line a, b;

	(void)state;
	(void)curve_note(&few, 0, feed(&few, MIDNIGHT, morning, 3, 30));
	(void)curve_note(&many, 0, feed(&many, MIDNIGHT, morning, 3, 3000));
	a = line_of(&few);
	b = line_of(&many);
	assert_true(a.peak > 1.1 && a.peak < b.peak - 0.3);
}

static void one_campaign_at_night_does_not_undo_what_a_week_has_shown(void **state)
{
	struct curve curve = { 0 };
	struct curve_line line;
	wall_ms now = feed(&curve, MIDNIGHT, morning, 7, 1000);

	(void)state;
	(void)curve_note(&curve, 1000000, now + HOURS(3));
	(void)curve_note(&curve, 1, now + DAYS(1));
	line = line_of(&curve);
	assert_true(curve_at(&line, now + HOURS(9) + MINUTES(30)) > 2);
}

static void a_day_that_was_seen_in_part_says_nothing_of_its_other_hours(void **state)
{
	struct curve curve = { 0 };
	struct curve_line line;

	(void)state;
	for (unsigned hour = 15; hour < 24; hour++)
		(void)curve_note(&curve, 1000, MIDNIGHT + HOURS(hour));
	(void)curve_note(&curve, 1, MIDNIGHT + DAYS(1));
	line = line_of(&curve);
	for (unsigned hour = 0; hour < 24; hour++)
		near("still even", curve_at(&line, MIDNIGHT + HOURS(hour)), 1, 0.01);
}

static void a_clock_that_was_set_does_no_harm(void **state)
{
	static const struct {
		const char *label;
		int64_t by;
	} rows[] = {
		{ "an hour on", HOURS(1) },   { "an hour back", -HOURS(1) },   { "a day on", DAYS(1) },
		{ "a day back", -DAYS(1) },   { "a month on", DAYS(31) },      { "a month back", -DAYS(31) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct curve curve = { 0 };
		wall_ms now = feed(&curve, MIDNIGHT, morning, 7, 10000) + HOURS(10);
		struct curve_line before = line_of(&curve), after;

		(void)feed(&curve, now - HOURS(10), morning, 0, 0);
		(void)curve_note(&curve, 700, now);
		now += rows[i].by;
		(void)curve_note(&curve, 300, now);
		/* To the next midnight, and a week of what it was. */
		now = (now / DAYS(1) + 1) * DAYS(1);
		(void)curve_note(&curve, 1, now);
		after = line_of(&curve);
		/* At worst a morning was taken for a whole day. */
		if (fabs(curve_at(&after, HOURS(9)) - curve_at(&before, HOURS(9))) > 0.75)
			fail_msg("%s: %f, was %f", rows[i].label, curve_at(&after, HOURS(9)), curve_at(&before, HOURS(9)));
		(void)curve_note(&curve, 1, feed(&curve, now, morning, 7, 10000));
		after = line_of(&curve);
		near(rows[i].label, curve_at(&after, HOURS(9)), curve_at(&before, HOURS(9)), 0.25);
	}
}

static void the_stored_form_gives_the_same_curve_back(void **state)
{
	struct curve curve = { 0 }, read;
	uint8_t data[CURVE_ENCODED_LEN];

	(void)state;
	(void)curve_note(&curve, 17, feed(&curve, MIDNIGHT, morning, 3, 777) + HOURS(5));
	curve_encode(&curve, data);
	assert_int_equal(curve_decode(data, sizeof(data), &read), OK);
	assert_memory_equal(&read, &curve, sizeof(read));
	for (size_t cut = 0; cut < sizeof(data); cut++)
		assert_int_equal(curve_decode(data, cut, &read), ERR_CORRUPT);
	curve.share[3] = -1;
	curve_encode(&curve, data);
	assert_int_equal(curve_decode(data, sizeof(data), &read), ERR_CORRUPT);
	data[0]++;
	assert_int_equal(curve_decode(data, sizeof(data), &read), ERR_VERSION);
}

/* --- what a lane makes of it ------------------------------------------------------------------------------------------------- */

struct trip {
	struct warmup w;
	struct warmup_plan plan;
	struct curve_line line;
	uint32_t hours[CURVE_HOURS]; /* sent */
};

static const uint32_t two_thousand[] = { 2400 };

static struct trip trip_along(const double weights[CURVE_HOURS], bool follows)
{
	struct trip t = { .plan = { .start = 1, .growth = 1, .ceiling = 1000000, .idle_days = 30, .days = two_thousand, .day_count = 1 },
		.line = learned(weights) };

	warmup_init(&t.w, &t.plan);
	if (!follows)
		t.plan.curve = NULL;
	return t;
}

/* A day's mail comes by `weights`; what cannot leave at once takes another way, as beside a warm source. Or, with a backlog, waits. */
static uint32_t day_of_mail(struct trip *t, bool follows, wall_ms midnight, const double weights[CURVE_HOURS], double a_day, bool backlog)
{
	double sum = 0, owed = 0;
	uint32_t sent = 0;
	wall_ms when;

	t->plan.curve = follows ? &t->line : NULL;
	memset(t->hours, 0, sizeof(t->hours));
	for (unsigned hour = 0; hour < CURVE_HOURS; hour++)
		sum += weights[hour];
	for (wall_ms now = midnight; now < midnight + DAYS(1); now += STEP / 30) {
		unsigned hour = (unsigned)(now % DAYS(1) / HOURS(1));
		uint32_t may;

		owed += backlog ? 1000 : a_day * weights[hour] / sum * (double)(STEP / 30) / (double)HOURS(1);
		while (owed >= 1 && (may = warmup_may(&t->w, &t->plan, (uint32_t)owed, 0, now, &when)) > 0) {
			warmup_claim(&t->w, &t->plan, may, now);
			warmup_answer(&t->w, &t->plan, &(struct warmup_answer){ .delivered = may }, now);
			owed -= may;
			sent += may;
			t->hours[hour] += may;
		}
		owed = owed > 1 ? owed - floor(owed) : owed;
	}
	return sent;
}

static void mail_with_a_morning_peak_uses_more_of_the_budget_than_an_even_pace(void **state)
{
	uint32_t used[2];

	(void)state;
	for (unsigned follows = 0; follows < 2; follows++) {
		struct trip t = trip_along(morning, follows);

		used[follows] = day_of_mail(&t, follows, MIDNIGHT, morning, 2400, false);
	}
	if (used[1] < 1800 || used[1] < used[0] * 1.15)
		fail_msg("%u of 2400 along the curve, %u evenly", used[1], used[0]);
}

static void midnight_has_no_burst_and_no_hour_more_than_its_bound(void **state)
{
	static const struct {
		const char *label;
		const double *weights;
		uint32_t first; /* hour, at most */
	} rows[] = { { "even", flat, 140 }, { "morning peak", morning, 105 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trip t = trip_along(rows[i].weights, true);

		for (unsigned day = 0; day < 3; day++) {
			uint32_t sent = day_of_mail(&t, true, MIDNIGHT + DAYS(day), rows[i].weights, 0, true);

			if (t.hours[0] > rows[i].first || sent < 2380)
				fail_msg("%s, day %u: %u in the first hour, %u in all", rows[i].label, day, t.hours[0], sent);
			for (unsigned hour = 0; hour < CURVE_HOURS; hour++)
				if (t.hours[hour] > 250)
					fail_msg("%s: %u in hour %u", rows[i].label, t.hours[hour], hour);
		}
	}
}

static void within_an_hour_the_pace_is_smooth(void **state)
{
	struct trip t = trip_along(morning, true);
	uint32_t quarters[4] = { 0 };
	wall_ms when;

	(void)state;
	t.plan.curve = &t.line;
	warmup_tick(&t.w, &t.plan, MIDNIGHT + HOURS(7));
	for (wall_ms now = MIDNIGHT + HOURS(7); now < MIDNIGHT + HOURS(9); now += SECONDS(1)) {
		uint32_t may = warmup_may(&t.w, &t.plan, 1, 0, now, &when);

		if (may == 0)
			continue;
		warmup_claim(&t.w, &t.plan, may, now);
		if (now >= MIDNIGHT + HOURS(8))
			quarters[(now - MIDNIGHT - HOURS(8)) / MINUTES(15)] += may;
	}
	for (unsigned i = 1; i < 4; i++)
		if (quarters[i] + 15 < quarters[i - 1] || quarters[i] > quarters[i - 1] + 15)
			fail_msg("%u after %u", quarters[i], quarters[i - 1]);
}

static void what_the_morning_did_not_bring_is_made_up_later_within_the_bound_of_an_hour(void **state)
{
	double late[CURVE_HOURS] = { 0 };
	struct trip t = trip_along(morning, true);
	uint32_t sent;

	(void)state;
	for (unsigned hour = 12; hour < CURVE_HOURS; hour++)
		late[hour] = 1;
	sent = day_of_mail(&t, true, MIDNIGHT, late, 24000, false);
	if (sent < 2300)
		fail_msg("%u of 2400", sent);
	for (unsigned hour = 12; hour < CURVE_HOURS; hour++)
		assert_in_range(t.hours[hour], 1, 250);
}

static void an_hour_of_summer_time_costs_little(void **state)
{
	double shifted[CURVE_HOURS];
	struct trip t = trip_along(morning, true), u = trip_along(morning, true);
	uint32_t before, after;

	(void)state;
	for (unsigned hour = 0; hour < CURVE_HOURS; hour++)
		shifted[hour] = morning[(hour + 1) % CURVE_HOURS];
	before = day_of_mail(&t, true, MIDNIGHT, morning, 2400, false);
	after = day_of_mail(&u, true, MIDNIGHT, shifted, 2400, false);
	if (after < before * 0.93)
		fail_msg("%u after %u", after, before);
}

static void a_small_budget_waits_by_the_hours_to_come_and_not_by_the_night(void **state)
{
	static const uint32_t twelve[] = { 12 };
	struct trip t = trip_along(morning, true);
	uint32_t sent;

	(void)state;
	t.plan.days = twelve;
	warmup_init(&t.w, &t.plan);
	sent = day_of_mail(&t, true, MIDNIGHT, morning, 0, true);
	assert_int_equal(sent, 12);
	sent = 0;
	for (unsigned hour = 6; hour < 14; hour++)
		sent += t.hours[hour];
	assert_in_range(sent, 5, 7);
}

/* --- in the scheduler ----------------------------------------------------------------------------------------------------------- */

#define COLD \
	LISTEN TENANTS "plans: [{name: day, days: [2400]}]\nproviders: [{name: big, domains: [big.example]}]\n" \
		       "sources: [{name: a, ip: 127.0.0.2, warmup: {plan: day}}]\npools: [{name: main, sources: [a]}]\n"

struct shelf {
	char keys[4][64];
	struct sched_warm states[4];
	unsigned count;
};

static void keep(void *arg, const struct sched_warm *warm)
{
	struct shelf *shelf = arg;

	if (warm->key[0] != ' ' || warm->key[1] != 'h')
		return;
	assert_true(shelf->count < 4);
	snprintf(shelf->keys[shelf->count], sizeof(shelf->keys[0]), "%s", warm->key);
	shelf->states[shelf->count++] = *warm;
}

static void come_in(struct world *w, const char *domain, uint32_t rcpts, bool fresh)
{
	struct sched_job job = world_job(w, domain);

	job.rcpts = rcpts;
	job.fresh = fresh;
	assert_true(sched_add(w->sched, &job, w->now));
	assert_int_equal(sched_drop(w->sched, job.id, 0), OK);
}

static void what_comes_in_is_counted_and_outlives_a_restart(void **state)
{
	struct world w;
	struct shelf before = { 0 }, after = { 0 };
	struct conf *conf;

	(void)state;
	world_open(&w, COLD);
	w.now = MIDNIGHT;
	for (unsigned hour = 0; hour < 50; hour++, w.now += HOURS(1))
		come_in(&w, hour % 2 ? "big.example" : "small.example", 1 + (uint32_t)morning[hour % 24] * 10, true);
	come_in(&w, "big.example", 5000, false);
	sched_warm_each(w.sched, keep, &before);
	assert_int_equal(before.count, 2);
	assert_string_equal(before.keys[0], " h ");
	assert_string_equal(before.keys[1], " h p:big");
	world_close(&w);
	conf = test_conf(COLD);
	w.sched = sched_create(conf, 2);
	conf_unref(&conf);
	for (unsigned i = 0; i < before.count; i++)
		assert_int_equal(sched_warm_restore(w.sched, before.keys[i], before.states[i].data, before.states[i].len), OK);
	assert_int_equal(sched_warm_restore(w.sched, " h ", before.states[0].data, before.states[0].len), ERR_EXISTS);
	assert_int_equal(sched_warm_restore(w.sched, " h h:mx.example", before.states[0].data, before.states[0].len), ERR_CORRUPT);
	assert_int_equal(sched_warm_restore(w.sched, " h p:big", before.states[0].data, 7), ERR_CORRUPT);
	sched_warm_each(w.sched, keep, &after);
	assert_int_equal(after.count, before.count);
	for (unsigned i = 0; i < before.count; i++)
		assert_memory_equal(before.states[i].data, after.states[i].data, before.states[i].len);
	world_close(&w);
}

static void records_are_asked_for_when_they_have_changed_and_not_too_often(void **state)
{
	struct world w;
	struct shelf shelf = { 0 };

	(void)state;
	world_open(&w, COLD);
	come_in(&w, "one.example", 3, true);
	sched_warm_records(w.sched, keep, &shelf);
	assert_int_equal(shelf.count, 1);
	w.now += MINUTES(1);
	come_in(&w, "one.example", 3, true);
	sched_warm_records(w.sched, keep, &shelf);
	assert_int_equal(shelf.count, 1);
	w.now += MINUTES(5);
	come_in(&w, "one.example", 3, true);
	sched_warm_records(w.sched, keep, &shelf);
	assert_int_equal(shelf.count, 2);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_mail_the_day_is_even),
		cmocka_unit_test(a_line_adds_up_to_a_day_wherever_it_begins),
		cmocka_unit_test(a_morning_peak_is_learned_in_days_and_no_hour_is_left_with_nothing),
		cmocka_unit_test(little_mail_says_little),
		cmocka_unit_test(one_campaign_at_night_does_not_undo_what_a_week_has_shown),
		cmocka_unit_test(a_day_that_was_seen_in_part_says_nothing_of_its_other_hours),
		cmocka_unit_test(a_clock_that_was_set_does_no_harm),
		cmocka_unit_test(the_stored_form_gives_the_same_curve_back),
		cmocka_unit_test(mail_with_a_morning_peak_uses_more_of_the_budget_than_an_even_pace),
		cmocka_unit_test(midnight_has_no_burst_and_no_hour_more_than_its_bound),
		cmocka_unit_test(within_an_hour_the_pace_is_smooth),
		cmocka_unit_test(what_the_morning_did_not_bring_is_made_up_later_within_the_bound_of_an_hour),
		cmocka_unit_test(an_hour_of_summer_time_costs_little),
		cmocka_unit_test(a_small_budget_waits_by_the_hours_to_come_and_not_by_the_night),
		cmocka_unit_test(what_comes_in_is_counted_and_outlives_a_restart),
		cmocka_unit_test(records_are_asked_for_when_they_have_changed_and_not_too_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
