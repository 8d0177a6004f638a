/* tests/unit/base/test_table.c - tables with the keyed hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/table.h"

struct entry {
	char name[16];
	int value;
	UT_hash_handle hh;
};

static void entries_are_found_again_and_removed(void **state)
{
	struct entry *table = NULL, *entry, *next;

	for (int i = 0; i < 1000; i++) {
		entry = xcalloc(1, sizeof(*entry));
		snprintf(entry->name, sizeof(entry->name), "key-%d", i);
		entry->value = i;
		HASH_ADD_STR(table, name, entry);
	}
	assert_int_equal(HASH_COUNT(table), 1000);
	HASH_FIND_STR(table, "key-567", entry);
	assert_non_null(entry);
	assert_int_equal(entry->value, 567);
	HASH_FIND_STR(table, "key-1000", entry);
	assert_null(entry);
	HASH_ITER(hh, table, entry, next) {
		HASH_DEL(table, entry);
		free(entry);
	}
	assert_null(table);
}

static void the_hash_depends_on_every_byte_and_the_length(void **state)
{
	assert_true(table_hash("abc", 3) == table_hash("abcd", 3));
	assert_true(table_hash("abc", 3) != table_hash("abd", 3));
	assert_true(table_hash("abc\0", 4) != table_hash("abc", 3));
}

/* The hash as a process with a seed of its own computes it. */
static uint64_t hash_in_a_child(void)
{
	uint64_t hash = 0;
	int pipe_fd[2];
	pid_t child;

	assert_int_equal(pipe(pipe_fd), 0);
	child = fork();
	if (child == 0) {
		hash = table_hash("abc", 3);
		_exit(write(pipe_fd[1], &hash, sizeof(hash)) == (ssize_t)sizeof(hash) ? 0 : 1);
	}
	assert_int_equal(read(pipe_fd[0], &hash, sizeof(hash)), sizeof(hash));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	waitpid(child, NULL, 0);
	return hash;
}

/* Runs first: once this process has a seed, its children would inherit it. */
static void each_process_has_a_seed_of_its_own(void **state)
{
	assert_true(hash_in_a_child() != hash_in_a_child());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_process_has_a_seed_of_its_own),
		cmocka_unit_test(entries_are_found_again_and_removed),
		cmocka_unit_test(the_hash_depends_on_every_byte_and_the_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
