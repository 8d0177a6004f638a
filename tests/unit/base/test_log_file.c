/* tests/unit/base/test_log_file.c - daily files, their age and their size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log_file.h"

#define NOON INT64_C(1795521600000) /* 2026-11-24T12:00:00Z */

static char dir[64];

static int make_dir(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/test_log_file.XXXXXX");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;

	while ((entry = readdir(stream)) != NULL)
		if (entry->d_name[0] != '.' && unlinkat(dirfd(stream), entry->d_name, 0) != 0)
			unlinkat(dirfd(stream), entry->d_name, AT_REMOVEDIR);
	closedir(stream);
	return rmdir(dir);
}

static void write_lines(struct log_file *file, wall_ms now, int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(log_file_write(file, now, "123456789\n", 10, NULL), OK);
}

static struct log_file *open_file(int keep_days, uint64_t max_bytes, wall_ms now)
{
	struct log_file *file;
	struct err_detail why;

	if (log_file_open(dir, keep_days, max_bytes, now, &file, &why) != OK)
		fail_msg("%s", why.text);
	return file;
}

static void place(const char *name, size_t size)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

/* Bytes in the file; -1: there is none. */
static long size_of(const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

static long size_of_all(void)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;
	long sum = 0;

	while ((entry = readdir(stream)) != NULL)
		if (entry->d_name[0] != '.')
			sum += size_of(entry->d_name);
	closedir(stream);
	return sum;
}

static void each_utc_day_has_a_file_and_reopening_appends(void **state)
{
	struct log_file *file = open_file(7, 100000, NOON);

	write_lines(file, NOON, 2);
	write_lines(file, NOON + HOURS(12) - 1, 1);
	write_lines(file, NOON + HOURS(12), 1);
	log_file_close(&file);
	assert_null(file);
	file = open_file(7, 100000, NOON + HOURS(13));
	write_lines(file, NOON + HOURS(13), 1);
	log_file_close(&file);
	assert_int_equal(size_of("2026-11-24.jsonl"), 30);
	assert_int_equal(size_of("2026-11-25.jsonl"), 20);
}

static void old_days_go_and_strange_files_stay(void **state)
{
	struct log_file *file;

	place("2026-11-20.jsonl", 10);
	place("2026-11-20.0001.jsonl", 10);
	place("2026-11-21.jsonl", 10);
	place("2026-11-20.jsonl.gz", 10);
	place("notes.txt", 10);
	place("1999-01-01.log", 10);
	file = open_file(3, 100000, NOON);
	assert_int_equal(size_of("2026-11-20.jsonl"), -1);
	assert_int_equal(size_of("2026-11-20.0001.jsonl"), -1);
	assert_int_equal(size_of("2026-11-21.jsonl"), 10);
	assert_int_equal(size_of("2026-11-20.jsonl.gz"), 10);
	assert_int_equal(size_of("notes.txt"), 10);
	assert_int_equal(size_of("1999-01-01.log"), 10);
	write_lines(file, NOON + HOURS(12), 1);
	assert_int_equal(size_of("2026-11-21.jsonl"), -1);
	log_file_close(&file);
}

static void the_oldest_goes_first_when_all_is_too_much(void **state)
{
	struct log_file *file;

	place("2026-11-22.jsonl", 500);
	place("2026-11-23.0001.jsonl", 300);
	place("2026-11-23.jsonl", 300);
	file = open_file(30, 1000, NOON);
	assert_int_equal(size_of("2026-11-22.jsonl"), -1);
	assert_int_equal(size_of("2026-11-23.0001.jsonl"), 300);
	write_lines(file, NOON, 41);
	assert_int_equal(size_of("2026-11-23.0001.jsonl"), -1);
	assert_int_equal(size_of("2026-11-23.jsonl"), 300);
	log_file_close(&file);
}

static void the_bound_holds_within_one_day_and_the_newest_lines_stay(void **state)
{
	struct log_file *file = open_file(30, 1000, NOON);

	for (int i = 0; i < 1000; i++) {
		write_lines(file, NOON, 1);
		assert_true(size_of_all() <= 1000);
	}
	assert_true(size_of_all() >= 800);
	assert_in_range(size_of("2026-11-24.jsonl"), 10, 125);
	assert_int_equal(size_of("2026-11-24.0001.jsonl"), -1);
	log_file_close(&file);
}

static void a_refused_write_leaves_no_half_line_and_the_next_one_works(void **state)
{
	struct log_file *file = open_file(30, 1000000, NOON);
	struct rlimit saved, small;
	struct err_detail why;

	write_lines(file, NOON, 5);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
	small = saved;
	small.rlim_cur = 55;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(log_file_write(file, NOON, "123456789\n", 10, &why), ERR_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
	assert_non_null(strstr(why.text, "2026-11-24.jsonl"));
	assert_int_equal(size_of("2026-11-24.jsonl"), 50);
	write_lines(file, NOON, 1);
	assert_int_equal(size_of("2026-11-24.jsonl"), 60);
	log_file_close(&file);
}

static void a_failed_open_is_tried_again_after_a_while(void **state)
{
	struct log_file *file = open_file(30, 1000000, NOON);
	char path[128];
	wall_ms midnight = NOON + HOURS(12);
	struct err_detail why;

	snprintf(path, sizeof(path), "%s/2026-11-25.jsonl", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(log_file_write(file, midnight, "x\n", 2, &why), ERR_IO);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(log_file_write(file, midnight + LOG_FILE_RETRY - 1, "x\n", 2, &why), ERR_IO);
	assert_int_equal(log_file_write(file, midnight + LOG_FILE_RETRY, "x\n", 2, &why), OK);
	assert_int_equal(size_of("2026-11-25.jsonl"), 2);
	log_file_close(&file);
}

static void a_missing_directory_is_made_but_not_its_parent(void **state)
{
	struct log_file *file;
	struct err_detail why;
	char path[128];

	snprintf(path, sizeof(path), "%s/a/b", dir);
	assert_int_equal(log_file_open(path, 1, 1000, NOON, &file, &why), ERR_IO);
	assert_non_null(strstr(why.text, path));
	snprintf(path, sizeof(path), "%s/c", dir);
	assert_int_equal(log_file_open(path, 1, 1000, NOON, &file, &why), OK);
	log_file_close(&file);
	snprintf(path, sizeof(path), "%s/c/2026-11-24.jsonl", dir);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_utc_day_has_a_file_and_reopening_appends, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(old_days_go_and_strange_files_stay, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(the_oldest_goes_first_when_all_is_too_much, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(the_bound_holds_within_one_day_and_the_newest_lines_stay, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_refused_write_leaves_no_half_line_and_the_next_one_works, make_dir,
		    remove_dir),
		cmocka_unit_test_setup_teardown(a_failed_open_is_tried_again_after_a_while, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_missing_directory_is_made_but_not_its_parent, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
