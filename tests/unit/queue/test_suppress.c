/* tests/unit/queue/test_suppress.c - addresses that nothing is taken for: refusals that add up, tenants, time, walks and old stores. */
#include "tests/unit/queue/store.h"

#include "queue/suppress.h"

#define T0 ((wall_ms)1700000000000)

static bool change(struct store *s, const struct queue_suppress_item *item, wall_ms now)
{
	struct queue_suppress_item own = *item;
	struct queue_suppress request = { .now = now, .items = &own, .item_count = 1, .urgent = true };

	assert_int_equal(store_do(s, QUEUE_SUPPRESS, &request.req), OK);
	return own.changed;
}

static bool strike(struct store *s, const char *tenant, const char *address, wall_ms now)
{
	return change(s, &(struct queue_suppress_item){
	    .op = SUPPRESS_STRIKE, .tenant = tenant, .address = address, .reason = "550 5.1.1 unknown", .bounces = 2, .within_ms = DAYS(30),
	    .keep_ms = DAYS(90) }, now);
}

static bool is_suppressed(struct store *s, const char *tenant, const char *address, wall_ms now)
{
	struct suppress_found found;
	struct err_detail why;
	enum err e = queue_suppress_find(s->reader, tenant, address, now, &found, &why);

	assert_true(e == OK || e == ERR_NOT_FOUND);
	return e == OK;
}

static void refusals_within_the_time_suppress_and_time_ends_it(void **state)
{
	static const struct {
		const char *label;
		wall_ms second;
		bool suppressed;
	} rows[] = {
		{ "the same day", T0 + 1000, true },
		{ "just within", T0 + DAYS(30) - 1, true },
		{ "just too late", T0 + DAYS(30), false },
	};
	struct store *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char address[64];

		snprintf(address, sizeof(address), "user%zu@example.net", i);
		assert_false(strike(s, "shop", address, T0));
		assert_false(is_suppressed(s, "shop", address, T0 + 1));
		if (strike(s, "shop", address, rows[i].second) != rows[i].suppressed)
			fail_msg("%s", rows[i].label);
		assert_int_equal(is_suppressed(s, "shop", address, rows[i].second), rows[i].suppressed);
		assert_false(is_suppressed(s, "shop", address, rows[i].second + DAYS(90)));
	}
	store_reopen(s);
	assert_true(is_suppressed(s, "shop", "user0@example.net", T0 + 1000));
}

static void an_address_is_a_tenants_or_everybodys_whatever_its_case(void **state)
{
	struct store *s = *state;
	struct suppress_found found;
	struct err_detail why;

	(void)change(s, &(struct queue_suppress_item){ .op = SUPPRESS_PUT, .tenant = "shop", .address = "Ann@example.net", .since = T0,
	    .until = T0 + DAYS(1), .origin = SUPPRESS_BY_OPERATOR, .reason = "asked" }, T0);
	(void)change(s, &(struct queue_suppress_item){ .op = SUPPRESS_PUT, .tenant = "", .address = "bob@example.net", .since = T0,
	    .until = WALL_NEVER, .origin = SUPPRESS_BY_IMPORT }, T0);
	assert_true(is_suppressed(s, "shop", "aNN@example.net", T0));
	assert_false(is_suppressed(s, "blog", "ann@example.net", T0));
	assert_true(is_suppressed(s, "blog", "bob@example.net", T0 + DAYS(10000)));
	assert_int_equal(queue_suppress_find(s->reader, "shop", "ann@example.net", T0, &found, &why), OK);
	assert_string_equal(found.tenant, "shop");
	assert_string_equal(found.reason, "asked");
	assert_int_equal(found.since, T0);
	assert_int_equal(found.origin, SUPPRESS_BY_OPERATOR);
	assert_true(change(s, &(struct queue_suppress_item){ .op = SUPPRESS_DELETE, .tenant = "shop", .address = "ANN@example.net" }, T0));
	assert_false(change(s, &(struct queue_suppress_item){ .op = SUPPRESS_DELETE, .tenant = "shop", .address = "ann@example.net" }, T0));
	assert_false(is_suppressed(s, "shop", "ann@example.net", T0));
}

static void what_counts_no_more_can_be_taken_away(void **state)
{
	struct store *s = *state;
	const struct queue_suppress_item expire = {
		.op = SUPPRESS_EXPIRE, .tenant = "shop", .address = "a@example.net", .within_ms = DAYS(30),
	};

	(void)strike(s, "shop", "a@example.net", T0);
	assert_false(change(s, &expire, T0 + DAYS(30) - 1));
	assert_true(change(s, &expire, T0 + DAYS(30)));
	assert_false(change(s, &expire, T0 + DAYS(30)));
}

struct seen {
	size_t count;
	char last[64];
};

static void on_entry(void *arg, const struct suppress_entry *entry)
{
	struct seen *seen = arg;

	assert_true(strcmp(seen->last, entry->address) < 0);
	snprintf(seen->last, sizeof(seen->last), "%s", entry->address);
	seen->count++;
}

static void a_walk_in_slices_meets_every_row_once(void **state)
{
	enum { COUNT = 1000 };
	static struct queue_suppress_item items[COUNT];
	static char addresses[COUNT][40];
	struct store *s = *state;
	struct queue_suppress request = { .now = T0, .items = items, .item_count = COUNT, .urgent = true };
	struct suppress_cursor cursor = { 0 };
	struct seen seen = { 0 };
	struct err_detail why;

	for (size_t i = 0; i < COUNT; i++) {
		snprintf(addresses[i], sizeof(addresses[i]), "user%05zu@example.net", i);
		items[i] = (struct queue_suppress_item){ .op = SUPPRESS_PUT, .tenant = "", .address = addresses[i], .since = T0, .until = WALL_NEVER };
	}
	assert_int_equal(store_do(s, QUEUE_SUPPRESS, &request.req), OK);
	while (!cursor.end)
		assert_int_equal(queue_suppress_walk(s->reader, &cursor, 7, on_entry, &seen, &why), OK);
	assert_int_equal(seen.count, COUNT);
	assert_int_equal(store_check(s).findings, 0);
}

static void what_cannot_be_a_row_is_refused(void **state)
{
	static char longest[600];
	struct store *s = *state;
	struct queue_suppress_item item = { .op = SUPPRESS_PUT, .tenant = "", .address = longest, .until = WALL_NEVER };
	struct queue_suppress request = { .now = T0, .items = &item, .item_count = 1, .urgent = true };

	assert_int_equal(store_do(s, QUEUE_SUPPRESS, &request.req), ERR_INVALID);
	memset(longest, 'a', sizeof(longest) - 1);
	assert_int_equal(store_do(s, QUEUE_SUPPRESS, &request.req), ERR_LIMIT);
	item.address = "a@example.net";
	item.tenant = "a/b";
	assert_int_equal(store_do(s, QUEUE_SUPPRESS, &request.req), ERR_INVALID);
	request.item_count = SUPPRESS_ITEMS_MAX + 1;
	assert_int_equal(store_do(s, QUEUE_SUPPRESS, &request.req), ERR_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(refusals_within_the_time_suppress_and_time_ends_it, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(an_address_is_a_tenants_or_everybodys_whatever_its_case, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(what_counts_no_more_can_be_taken_away, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(a_walk_in_slices_meets_every_row_once, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_a_row_is_refused, store_setup, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
