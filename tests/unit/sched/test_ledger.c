/* tests/unit/sched/test_ledger.c - the figures of a source over the last hour and day. */
#include "sched/ledger.h"
#include "tests/unit/sched/sched_test.h"

static void what_is_older_than_the_period_no_longer_counts(void **state)
{
	static const struct row {
		const char *label;
		int64_t after_ms;
		uint64_t hour, day;
	} rows[] = {
		{ "at once", 0, 7, 7 },
		{ "in the same hour", MINUTES(50), 7, 7 },
		{ "an hour later", HOURS(1), 0, 7 },
		{ "just within a day", HOURS(24) - MINUTES(10), 0, 7 },
		{ "a day later", HOURS(24), 0, 0 },
		{ "years later", DAYS(1000), 0, 0 },
		{ "by a clock that was set back", -HOURS(2), 7, 7 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ledger ledger = { 0 };
		wall_ms then = TEST_START + rows[i].after_ms;

		ledger_note(&ledger, &(struct ledger_bucket){ .delivered = 7 }, TEST_START);
		if (ledger_of(&ledger, HOURS(1), then).delivered != rows[i].hour || ledger_of(&ledger, HOURS(24), then).delivered != rows[i].day)
			fail_msg("%s", rows[i].label);
		ledger_note(&ledger, &(struct ledger_bucket){ .blocked = 1 }, then);
		if (ledger_of(&ledger, HOURS(24), then).delivered != rows[i].day || ledger_of(&ledger, HOURS(1), then).blocked != 1)
			fail_msg("%s, with one more", rows[i].label);
	}
}

static void a_day_of_every_bucket_adds_up(void **state)
{
	struct ledger ledger = { 0 };
	wall_ms now = TEST_START;

	for (int i = 0; i < 1000; i++, now += MINUTES(10))
		ledger_note(&ledger, &(struct ledger_bucket){ .delivered = 1, .deferred = 2, .blocked = 3, .refused = 4 }, now);
	now -= MINUTES(10);
	assert_int_equal(ledger_of(&ledger, HOURS(1), now).delivered, 6);
	assert_int_equal(ledger_of(&ledger, HOURS(24), now).delivered, 144);
	assert_int_equal(ledger_of(&ledger, HOURS(24), now).deferred, 288);
	assert_int_equal(ledger_of(&ledger, HOURS(24), now).blocked, 432);
	assert_int_equal(ledger_of(&ledger, HOURS(24), now).refused, 576);
}

static void a_full_bucket_stays_full(void **state)
{
	struct ledger ledger = { 0 };

	for (int i = 0; i < 3; i++)
		ledger_note(&ledger, &(struct ledger_bucket){ .delivered = UINT32_MAX / 2 }, TEST_START);
	assert_int_equal(ledger_of(&ledger, HOURS(1), TEST_START).delivered, UINT32_MAX);
}

static void ignore_shut(void *arg, const char *destination, enum sched_reason reason, const char *words, wall_ms until)
{
}

static struct sched_source_view source_of(struct world *w, const char *name)
{
	struct sched_source_view view;

	assert_true(sched_source_read(w->sched, name, w->now, &view, ignore_shut, NULL));
	return view;
}

static void a_source_tells_what_became_of_its_mail_though_its_lanes_are_forgotten(void **state)
{
	struct world w;
	struct sched_decision d;
	const char *source;
	struct sched_source_view view;

	world_open(&w, BASICS);
	world_add(&w, "example.com");
	d = world_start(&w);
	source = d.source;
	world_end(&w, &d, &(struct sched_result){ .attempted = true, .delivered = 1 });
	for (int i = 0; i < 200; i++) { /* lanes that have nothing to remember go */
		w.now += SECONDS(10);
		(void)world_next(&w);
	}
	view = source_of(&w, source);
	assert_int_equal(view.hour.delivered, 1);
	assert_int_equal(view.day.delivered, 1);
	w.now += HOURS(2);
	view = source_of(&w, source);
	assert_int_equal(view.hour.delivered, 0);
	assert_int_equal(view.day.delivered, 1);
	world_close(&w);
}

static void a_source_tells_deferrals_blocks_and_refusals_apart(void **state)
{
	struct world w;
	struct sched_decision d;
	struct sched_source_view view;

	world_open(&w, BASICS);
	world_add(&w, "example.com");
	d = world_start(&w);
	world_settle(&w, &d, &(struct sched_result){ .attempted = true, .rcpts_left = 1, .throttled = 1, .deferred = 2, .blocked = 4,
	    .unknown = 8, .refused = 16, .complained = 32, .scope = SCOPE_RECIPIENT });
	view = source_of(&w, d.source);
	assert_int_equal(view.hour.delivered, 0);
	assert_int_equal(view.hour.deferred, 3);
	assert_int_equal(view.hour.blocked, 4);
	assert_int_equal(view.hour.refused, 24);
	sched_release_connection(w.sched, d.lane, w.now);
	world_close(&w);
}

struct kept {
	struct {
		char key[SCHED_LEDGER_KEY];
		uint8_t data[LEDGER_ROW];
	} rows[64];
	size_t count;
};

static void keep(void *arg, const char *key, const void *data, size_t len)
{
	struct kept *kept = arg;

	assert_int_equal(len, LEDGER_ROW);
	assert_true(kept->count < ARRAY_LEN(kept->rows));
	(void)snprintf(kept->rows[kept->count].key, SCHED_LEDGER_KEY, "%s", key);
	memcpy(kept->rows[kept->count++].data, data, len);
}

struct tenant_view {
	const char *name;
	struct sched_tenant_view view;
};

static void note_tenant(void *arg, const struct sched_tenant_view *view)
{
	struct tenant_view *wanted = arg;

	if (strcmp(view->name, wanted->name) == 0)
		wanted->view = *view;
}

static void deliver_one(struct world *w)
{
	struct sched_decision d;

	world_add(w, "example.com");
	d = world_start(w);
	world_deliver(w, &d);
}

static void figures_outlive_a_restart_and_go_on(void **state)
{
	static const char *const NAMES[] = { "a", "b" };
	struct tenant_view tenant = { .name = "shop" };
	struct kept kept = { .count = 0 };
	struct world w, after;
	uint64_t hour = 0, day = 0;

	world_open(&w, BASICS);
	deliver_one(&w);
	sched_ledgers_changed(w.sched, keep, &kept);
	assert_int_equal(kept.count, 2); /* of the source and of the tenant */
	sched_ledgers_changed(w.sched, keep, &kept);
	assert_int_equal(kept.count, 2); /* nothing has changed since */
	deliver_one(&w);
	w.now += MINUTES(90);
	deliver_one(&w);
	sched_ledgers_changed(w.sched, keep, &kept);
	sched_tenants_read(w.sched, w.now, note_tenant, &tenant);
	assert_true(tenant.view.hour.delivered == 1 && tenant.view.day.delivered == 3);

	world_open(&after, BASICS);
	after.now = w.now + MINUTES(1);
	for (size_t i = 0; i < kept.count; i++)
		assert_int_equal(sched_ledger_restore(after.sched, kept.rows[i].key, kept.rows[i].data, LEDGER_ROW, after.now), OK);
	deliver_one(&after);
	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
		hour += source_of(&after, NAMES[i]).hour.delivered;
		day += source_of(&after, NAMES[i]).day.delivered;
	}
	assert_true(hour == 2 && day == 4);
	sched_tenants_read(after.sched, after.now, note_tenant, &tenant);
	assert_true(tenant.view.hour.delivered == 2 && tenant.view.day.delivered == 4);

	/* Who comes a day later needs none of it. */
	for (size_t i = 0; i < kept.count; i++)
		assert_int_equal(sched_ledger_restore(after.sched, kept.rows[i].key, kept.rows[i].data, LEDGER_ROW, after.now + DAYS(2)), ERR_NOT_FOUND);
	world_close(&w);
	world_close(&after);
}

static void damaged_rows_are_told_from_newer_ones(void **state)
{
	struct ledger ledger = { 0 };
	uint8_t row[LEDGER_ROW + 1] = { 0 };
	uint32_t place;

	ledger_note(&ledger, &(struct ledger_bucket){ .refused = 3 }, TEST_START);
	assert_true(ledger_take(&ledger, &place, row));
	assert_false(ledger_take(&ledger, &place, row));
	for (size_t len = 0; len < LEDGER_ROW; len++)
		assert_int_equal(ledger_give(&ledger, row, len, TEST_START), ERR_CORRUPT);
	assert_int_equal(ledger_give(&ledger, row, LEDGER_ROW + 1, TEST_START), ERR_CORRUPT);
	assert_int_equal(ledger_give(&ledger, row, LEDGER_ROW, TEST_START), OK);
	assert_int_equal(ledger_give(&ledger, row, LEDGER_ROW, TEST_START - HOURS(1)), ERR_NOT_FOUND); /* of a time to come */
	row[0] = 2;
	assert_int_equal(ledger_give(&ledger, row, LEDGER_ROW, TEST_START), ERR_VERSION);
	row[0] = 1;
	memset(row + 1, 0xff, 8);
	assert_int_equal(ledger_give(&ledger, row, LEDGER_ROW, TEST_START), ERR_CORRUPT);
	assert_int_equal(ledger_of(&ledger, HOURS(1), TEST_START).refused, 3);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_older_than_the_period_no_longer_counts),
		cmocka_unit_test(a_day_of_every_bucket_adds_up),
		cmocka_unit_test(a_full_bucket_stays_full),
		cmocka_unit_test(a_source_tells_what_became_of_its_mail_though_its_lanes_are_forgotten),
		cmocka_unit_test(a_source_tells_deferrals_blocks_and_refusals_apart),
		cmocka_unit_test(figures_outlive_a_restart_and_go_on),
		cmocka_unit_test(damaged_rows_are_told_from_newer_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
