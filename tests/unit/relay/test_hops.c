/* tests/unit/relay/test_hops.c - what protected the last hop: counted, written down seldom, read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "relay/deliver/hops.h"
#include "tests/unit/relay/net_world.h"

static struct queue_reader *reader(void)
{
	static int handle;

	return (struct queue_reader *)&handle;
}

static const char *text_of(const struct hops_counts *counts)
{
	static char text[100];

	snprintf(text, sizeof(text), "%d %d %d %d", (int)counts->plaintext, (int)counts->tls, (int)counts->dane, (int)counts->verified);
	return text;
}

static const char *stored(void)
{
	struct hops_counts counts;

	hops_read(reader(), &counts);
	return text_of(&counts);
}

static int begin(void **state)
{
	memset(&world, 0, sizeof(world));
	*state = hops_create(WORLD_LOOP, NULL, reader());
	return 0;
}

static int end(void **state)
{
	hops_destroy((struct hops **)state);
	return 0;
}

static void each_recipient_counts_under_what_protected_it(void **state)
{
	struct hops *hops = *state;

	hops_add(hops, true, "", 3);
	hops_add(hops, false, "", 5);
	hops_add(hops, false, "ca", 7);
	hops_add(hops, false, "dane 3 1 1", 11);
	hops_add(hops, false, "ca", 0);
	assert_string_equal(text_of(hops_counts_of(hops)), "3 23 11 7");
}

static void the_store_hears_of_it_within_two_seconds_and_not_more_often(void **state)
{
	struct hops *hops = *state;

	for (unsigned i = 0; i < 100; i++) {
		hops_add(hops, true, "", 1);
		world_pass(100);
	}
	assert_in_range(world.kept, 4, 5);
	world_pass(SECONDS(2));
	assert_string_equal(stored(), "100 0 0 0");
	world_pass(DAYS(1));
	assert_in_range(world.kept, 5, 5); /* nothing has changed since */
}

static void an_end_in_good_order_loses_nothing_and_a_crash_two_seconds(void **state)
{
	struct hops *hops = *state;

	hops_add(hops, false, "ca", 4);
	world_pass(SECONDS(2));
	hops_add(hops, true, "", 1);
	world_pass(SECONDS(1));
	assert_string_equal(stored(), "0 4 0 4"); /* what is there after a crash now */
	hops_destroy((struct hops **)state);
	assert_string_equal(stored(), "1 4 0 4");
	hops = *state = hops_create(WORLD_LOOP, NULL, reader());
	hops_add(hops, true, "", 1);
	assert_string_equal(text_of(hops_counts_of(hops)), "2 4 0 4");
}

static void what_is_not_understood_counts_for_nothing(void **state)
{
	static const uint8_t later[33] = { 2, 1 }, longer[34] = { 1 };

	keep_note(NULL, "hops", later, sizeof(later));
	assert_string_equal(stored(), "0 0 0 0");
	keep_note(NULL, "hops", longer, sizeof(longer));
	assert_string_equal(stored(), "0 0 0 0");
	keep_note(NULL, "hops", longer, 32);
	assert_string_equal(stored(), "0 0 0 0");
	keep_note(NULL, "hopscotch", longer, 33);
	assert_string_equal(stored(), "0 0 0 0");
	hops_read(NULL, &(struct hops_counts){ 0 });
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(each_recipient_counts_under_what_protected_it),
		TEST(the_store_hears_of_it_within_two_seconds_and_not_more_often),
		TEST(an_end_in_good_order_loses_nothing_and_a_crash_two_seconds),
		TEST(what_is_not_understood_counts_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
