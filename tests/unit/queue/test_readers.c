/* tests/unit/queue/test_readers.c - many threads that read: LMDB has a place for each. */
#include "tests/unit/queue/store.h"

#define WORKERS_MAX 256 /* of the setting `workers` */
#define OTHERS      8   /* main, a check of the store, and more */

static const char *const one[] = { "ann@example.com", NULL };

static void as_many_can_read_as_there_may_be_workers(void **state)
{
	struct store *s = *state;
	struct queue_reader *readers[WORKERS_MAX + OTHERS];
	msg_id id = store_accept(s, 10, one);
	size_t failed = 0;

	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		struct queue_job *job = NULL;

		readers[i] = queue_reader_open(s->queue);
		failed += queue_job_load(readers[i], id, ALL_JOBS, &job, NULL) != OK;
		free(job);
	}
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		queue_reader_close(&readers[i]);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(as_many_can_read_as_there_may_be_workers, store_setup, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
