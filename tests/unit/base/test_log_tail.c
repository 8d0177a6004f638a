/* tests/unit/base/test_log_tail.c - a reader of the event log meets lines, new files, renamed and removed ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_file.h"
#include "base/log_tail.h"

#define NOON INT64_C(1795521600000) /* 2026-11-24T12:00:00Z */
#define BOUND (80 * 1024)           /* an eighth of it is 10 KB: a file of 1,024 lines of ten bytes */

static char dir[64];

static int make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/test_log_tail.XXXXXX");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;

	while ((entry = readdir(stream)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(stream), entry->d_name, 0);
	closedir(stream);
	return rmdir(dir);
}

static struct log_file *open_file(wall_ms now)
{
	struct log_file *file;
	struct err_detail why;

	if (log_file_open(dir, 30, BOUND, now, &file, &why) != OK)
		fail_msg("%s", why.text);
	return file;
}

static struct log_tail *open_tail(void)
{
	struct log_tail *tail;
	struct err_detail why;

	if (log_tail_open(dir, &tail, &why) != OK)
		fail_msg("%s", why.text);
	return tail;
}

/* Lines "number 0001" and so on, of ten bytes with the line feed. */
static void write_numbers(struct log_file *file, wall_ms now, int from, int to)
{
	for (int i = from; i <= to; i++) {
		char line[16];

		snprintf(line, sizeof(line), "n %07d\n", i);
		assert_int_equal(log_file_write(file, now, line, strlen(line), NULL), OK);
	}
}

/* Exactly these numbers come, and no more for now. */
static void expect_numbers(struct log_tail *tail, int from, int to)
{
	struct err_detail why = { .text = "" };
	const char *line;
	size_t len;

	for (int i = from; i <= to; i++) {
		char want[16];

		snprintf(want, sizeof(want), "n %07d", i);
		if (log_tail_next(tail, &line, &len, &why) != OK)
			fail_msg("no line %d: %s", i, why.text);
		assert_string_equal(line, want);
		assert_int_equal(len, 9);
	}
	assert_int_equal(log_tail_next(tail, &line, &len, &why), ERR_NOT_FOUND);
}

static void what_was_there_before_is_not_told(void **state)
{
	struct log_file *file = open_file(NOON);
	struct log_tail *tail;

	write_numbers(file, NOON, 1, 50);
	tail = open_tail();
	expect_numbers(tail, 1, 0);
	write_numbers(file, NOON, 51, 60);
	expect_numbers(tail, 51, 60);
	expect_numbers(tail, 1, 0);
	log_tail_close(&tail);
	log_file_close(&file);
}

static void an_empty_folder_is_waited_for(void **state)
{
	struct log_tail *tail = open_tail();
	struct log_file *file;

	expect_numbers(tail, 1, 0);
	file = open_file(NOON);
	write_numbers(file, NOON, 1, 3);
	expect_numbers(tail, 1, 3);
	log_tail_close(&tail);
	log_file_close(&file);
}

static void a_folder_that_is_not_there_is_told(void **state)
{
	struct err_detail why = { .text = "" };
	struct log_tail *tail;

	assert_int_equal(log_tail_open("/nonexistent/events", &tail, &why), ERR_NOT_FOUND);
	assert_null(tail);
	assert_non_null(strstr(why.text, "/nonexistent/events"));
}

static void files_set_aside_and_new_days_are_followed_without_a_gap(void **state)
{
	struct log_file *file = open_file(NOON);
	struct log_tail *tail = open_tail();

	write_numbers(file, NOON, 1, 2500); /* two files full, one begun */
	expect_numbers(tail, 1, 2500);
	write_numbers(file, NOON, 2501, 4000);
	write_numbers(file, NOON + DAYS(1), 4001, 4100);
	write_numbers(file, NOON + DAYS(3), 4101, 4200);
	expect_numbers(tail, 2501, 4200);
	log_tail_close(&tail);
	log_file_close(&file);
}

/* Whoever starts the daemon anew goes on in the same file. */
static void a_writer_that_comes_back_is_followed(void **state)
{
	struct log_file *file = open_file(NOON);
	struct log_tail *tail = open_tail();

	write_numbers(file, NOON, 1, 10);
	log_file_close(&file);
	expect_numbers(tail, 1, 10);
	file = open_file(NOON);
	write_numbers(file, NOON, 11, 20);
	expect_numbers(tail, 11, 20);
	log_tail_close(&tail);
	log_file_close(&file);
}

/* A slow reader loses what was removed before it came to it, and nothing else. */
static void a_file_that_is_removed_under_the_reader_is_read_to_its_end(void **state)
{
	struct log_file *file = open_file(NOON);
	struct log_tail *tail = open_tail();
	struct err_detail why = { .text = "" };
	const char *line;
	size_t len;
	int last = 1, gaps = 0, number;

	write_numbers(file, NOON, 1, 1);
	expect_numbers(tail, 1, 1);
	write_numbers(file, NOON, 2, 20000);
	while (log_tail_next(tail, &line, &len, &why) == OK) {
		number = (int)strtol(line + 2, NULL, 10);
		assert_true(number > last);
		gaps += number != last + 1;
		last = number;
	}
	assert_int_equal(last, 20000);
	assert_int_equal(gaps, 1);
	log_tail_close(&tail);
	log_file_close(&file);
}

static void half_a_line_waits_for_its_other_half(void **state)
{
	struct log_tail *tail = open_tail();
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/2026-11-24.jsonl", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "n 0000", 6), 6);
	expect_numbers(tail, 1, 0);
	assert_int_equal(write(fd, "001\nn 00", 8), 8);
	expect_numbers(tail, 1, 1);
	assert_int_equal(write(fd, "00002\n", 6), 6);
	expect_numbers(tail, 2, 2);
	close(fd);
	log_tail_close(&tail);
}

static void a_line_without_an_end_is_left_out(void **state)
{
	struct log_tail *tail = open_tail();
	char path[128], block[4096];
	int fd;

	memset(block, 'x', sizeof(block));
	snprintf(path, sizeof(path), "%s/2026-11-24.jsonl", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "n 0000001\n", 10), 10);
	for (int i = 0; i < 40; i++)
		assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
	expect_numbers(tail, 1, 1);
	assert_int_equal(write(fd, "\nn 0000002\n", 11), 11);
	expect_numbers(tail, 2, 2);
	close(fd);
	log_tail_close(&tail);
}

static void going_back_stops_at_the_beginning_of_a_line(void **state)
{
	static const struct {
		const char *label;
		uint64_t bytes;
		int first;
		bool whole;
	} rows[] = {
		{ "nothing", 0, 2501, false },
		{ "less than a line", 5, 2501, false },
		{ "one line", 10, 2500, false },
		{ "a line and a half", 15, 2500, false },
		{ "into an older file", 10 * 2000, 501, false },
		{ "all of it", 10 * 2500, 1, true },
		{ "more than there is", 1 << 30, 1, true },
	};
	struct log_file *file = open_file(NOON);
	struct log_tail *tail = open_tail();

	write_numbers(file, NOON, 1, 2500);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err_detail why = { .text = "" };
		bool whole = false;

		if (log_tail_rewind(tail, rows[i].bytes, &whole, &why) != OK)
			fail_msg("%s: %s", rows[i].label, why.text);
		if (whole != rows[i].whole)
			fail_msg("%s: whole is %d", rows[i].label, whole);
		expect_numbers(tail, rows[i].first, 2500);
	}
	log_tail_close(&tail);
	log_file_close(&file);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_there_before_is_not_told, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(an_empty_folder_is_waited_for, make_dir, remove_dir),
		cmocka_unit_test(a_folder_that_is_not_there_is_told),
		cmocka_unit_test_setup_teardown(files_set_aside_and_new_days_are_followed_without_a_gap, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_writer_that_comes_back_is_followed, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_file_that_is_removed_under_the_reader_is_read_to_its_end, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(half_a_line_waits_for_its_other_half, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_line_without_an_end_is_left_out, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(going_back_stops_at_the_beginning_of_a_line, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
