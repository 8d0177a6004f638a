/* tests/unit/queue/test_room.c - may new mail come in: quota, watermark, bytes under way, a disk that was full. */
#include "tests/unit/queue/store.h"

#include "queue/room.h"

#define MB (1ll << 20)

static struct room *new_room(uint64_t quota, uint64_t reserve)
{
	struct room *room = xcalloc(1, sizeof(*room));

	room_init(room, "/tmp", quota, reserve);
	return room;
}

static void the_quota_counts_what_is_stored_and_what_is_under_way(void **state)
{
	static const struct {
		const char *label;
		uint64_t quota, used, in_flight, ask;
		enum err want;
	} rows[] = {
		{ "no quota", 0, 900 * MB, 0, 1, OK },
		{ "empty", 10 * MB, 0, 0, 10 * MB, OK },
		{ "one byte too many", 10 * MB, 0, 0, 10 * MB + 1, ERR_FULL },
		{ "used up", 10 * MB, 10 * MB, 0, 0, ERR_FULL },
		{ "above", 10 * MB, 11 * MB, 0, 1, ERR_FULL },
		{ "under way", 10 * MB, 4 * MB, 4 * MB, 3 * MB, ERR_FULL },
		{ "beside what is under way", 10 * MB, 4 * MB, 4 * MB, 2 * MB, OK },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct room *room = new_room(rows[i].quota, 0);
		struct err_detail why;
		enum err got;

		room_enter(room, rows[i].in_flight);
		room_update(room, rows[i].used, rows[i].used, 0);
		got = room_ask(room, rows[i].ask, &why);
		if (got != rows[i].want)
			fail_msg("%s: got %s, want %s", rows[i].label, err_name(got), err_name(rows[i].want));
		if (got == ERR_FULL && !strstr(why.text, "quota"))
			fail_msg("%s: %s", rows[i].label, why.text);
		free(room);
	}
}

static void bytes_count_from_the_moment_they_are_handed_in(void **state)
{
	struct room *room = new_room(10 * MB, 0);

	room_update(room, 0, 0, 0);
	room_enter(room, 8 * MB);
	assert_int_equal(room_ask(room, 3 * MB, NULL), ERR_FULL);
	room_leave(room, 8 * MB);
	room_update(room, 8 * MB, 8 * MB, 0);
	assert_int_equal(room_ask(room, 2 * MB, NULL), OK);
	assert_int_equal(room_ask(room, 3 * MB, NULL), ERR_FULL);
	free(room);
}

static void the_watermark_is_a_twentieth_of_the_disk_at_most(void **state)
{
	struct room *room = new_room(0, UINT64_MAX);

	room_update(room, 0, 0, 0);
	assert_true(room->disk_mark > 0 && room->disk_mark < UINT64_MAX);
	room_limit(room, 0, 3 * MB);
	room_update(room, 0, 0, 0);
	assert_true(room->disk_mark == 3 * MB);
	free(room);
}

static void pages_that_are_free_inside_the_file_count_as_room(void **state)
{
	struct room *room = new_room(0, 0);

	room_update(room, 3 * MB, 9 * MB, 0);
	assert_true(room->reusable == 6 * MB);
	free(room);
}

static void a_full_disk_shuts_the_door_for_a_second(void **state)
{
	struct room *room = new_room(0, 0);
	struct err_detail why;

	room_update(room, 0, 0, 5000);
	assert_int_equal(room_ask(room, 1, NULL), OK);
	room_shut(room, 5000);
	assert_int_equal(room_ask(room, 1, &why), ERR_FULL);
	assert_non_null(strstr(why.text, "disk full"));
	room_update(room, 0, 0, 5999);
	assert_int_equal(room_ask(room, 1, NULL), ERR_FULL);
	room_update(room, 0, 0, 6000);
	assert_int_equal(room_ask(room, 1, NULL), OK);
	free(room);
}

static void a_broken_store_takes_nothing_in_any_more(void **state)
{
	struct room *room = new_room(0, 0);

	room_update(room, 0, 0, 0);
	room_break(room);
	room_update(room, 0, 0, SECONDS(100));
	assert_int_equal(room_ask(room, 1, NULL), ERR_FULL);
	assert_int_equal(room_admit(room, 0, 1, NULL), ERR_FULL);
	free(room);
}

static void the_writer_holds_to_the_quota_itself(void **state)
{
	struct room *room = new_room(10 * MB, 0);

	room_update(room, 4 * MB, 4 * MB, 0);
	assert_int_equal(room_admit(room, 2 * MB, 4 * MB, NULL), OK);
	assert_int_equal(room_admit(room, 2 * MB, 4 * MB + 1, NULL), ERR_FULL);
	free(room);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_quota_counts_what_is_stored_and_what_is_under_way),
		cmocka_unit_test(bytes_count_from_the_moment_they_are_handed_in),
		cmocka_unit_test(the_watermark_is_a_twentieth_of_the_disk_at_most),
		cmocka_unit_test(pages_that_are_free_inside_the_file_count_as_room),
		cmocka_unit_test(a_full_disk_shuts_the_door_for_a_second),
		cmocka_unit_test(a_broken_store_takes_nothing_in_any_more),
		cmocka_unit_test(the_writer_holds_to_the_quota_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
