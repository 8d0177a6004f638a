/* tests/unit/sched/test_entry.c - the waiting jobs are found by message and number, whatever was added and removed before. */
#include <stdlib.h>

#include "base/rand.h"
#include "sched/entry.h"
#include "tests/unit/sched/sched_test.h"

#define JOBS 60000

static uint64_t id_of(uint32_t job)
{
	return (UINT64_C(1772352000000) + job / 3) << 20 | job;
}

static void a_job_is_found_until_it_is_removed(void **state)
{
	struct entries entries;
	struct rand rand;
	uint32_t *numbers = xcalloc(JOBS, sizeof(*numbers));

	rand_seed(&rand, 11);
	entries_init(&entries, 3);
	for (uint32_t i = 0; i < JOBS; i++)
		numbers[i] = ENTRY_NONE;
	/* It grows, is changed at its fullest, and shrinks: probabilities of an addition. */
	for (unsigned turn = 0; turn < 6 * JOBS; turn++) {
		uint32_t job = rand_below(&rand, JOBS);
		bool wanted = rand_below(&rand, 100) < (turn < 4 * JOBS ? 80u : 5u);

		assert_int_equal(entries_find(&entries, id_of(job), job % 7), numbers[job]);
		if (wanted && numbers[job] == ENTRY_NONE) {
			numbers[job] = entries_add(&entries, id_of(job), job % 7);
		} else if (!wanted && numbers[job] != ENTRY_NONE) {
			entries_remove(&entries, numbers[job]);
			numbers[job] = ENTRY_NONE;
		}
		if (turn % JOBS == 0)
			entries_verify(&entries);
	}
	entries_verify(&entries);
	for (uint32_t job = 0; job < JOBS; job++)
		assert_int_equal(entries_find(&entries, id_of(job), job % 7), numbers[job]);
	entries_fini(&entries);
	free(numbers);
}

static void slabs_without_jobs_are_given_back(void **state)
{
	struct entries entries;
	size_t empty;

	entries_init(&entries, 3);
	empty = entries_memory(&entries);
	for (unsigned round = 0; round < 3; round++) {
		for (uint32_t job = 0; job < JOBS; job++)
			(void)entries_add(&entries, id_of(job), 0);
		assert_true(entries_memory(&entries) > JOBS * sizeof(struct entry));
		for (uint32_t job = 0; job < JOBS; job++)
			entries_remove(&entries, entries_find(&entries, id_of(job), 0));
		assert_true(entries_memory(&entries) < empty + (256u << 10));
		assert_int_equal(entries_next(&entries, ENTRY_NONE), ENTRY_NONE);
	}
	entries_fini(&entries);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_is_found_until_it_is_removed),
		cmocka_unit_test(slabs_without_jobs_are_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
