/* tests/unit/queue/test_tail.c - the end of the data file: pages that LMDB counts and never had to write. */
#include "tests/unit/queue/store.h"

#include <sys/stat.h>

#include "queue/handle.h"

#define BODIES 20

static const char *const one[] = { "ann@example.com", NULL };

static void data_path(const struct store *s, char out[128])
{
	snprintf(out, 128, "%s/store/data.mdb", s->dir);
}

/* Bytes that LMDB counts behind the end of the file. */
static int64_t missing(struct store *s)
{
	char path[128];
	struct stat st;

	data_path(s, path);
	assert_int_equal(stat(path, &st), 0);
	return (int64_t)txn_env_file_bytes(&s->queue->env) - (int64_t)st.st_size;
}

/* Clients that hang up in the middle of a body: chunks come and go in one transaction. */
static void bodies_come_and_go(struct store *s)
{
	static char bytes[QUEUE_CHUNK];
	struct queue_chunk chunks[BODIES];
	struct queue_discard discards[BODIES];

	memset(bytes, 'x', sizeof(bytes));
	for (size_t i = 0; i < BODIES; i++) {
		msg_id id = queue_new_id(s->queue);

		chunks[i] = (struct queue_chunk){ .id = id, .blob = { bytes, sizeof(bytes) } };
		discards[i] = (struct queue_discard){ .id = id };
		store_submit(s, s->box, QUEUE_CHUNK_PUT, &chunks[i].req);
	}
	for (size_t i = 0; i < BODIES; i++)
		store_submit(s, s->box, QUEUE_DISCARD, &discards[i].req);
	store_await(s->box, 2 * (size_t)BODIES);
	for (size_t i = 0; i < BODIES; i++)
		assert_true(chunks[i].req.result == OK && discards[i].req.result == OK);
}

/* Which requests ride together is the writer's to say: go on until the file is short. */
static void make_short(struct store *s)
{
	for (int i = 0; i < 200 && missing(s) <= 0; i++) {
		store_accept(s, 3000, one);
		bodies_come_and_go(s);
	}
	assert_true(missing(s) > 0);
}

static void a_file_that_was_never_written_to_its_end_opens(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 300000, one);
	struct err_detail why = { 0 };

	make_short(s);
	store_reopen(s);
	store_assert_body(s, id, 300000);
	store_check(s);
	store_accept(s, 3000000, one);
	assert_true(missing(s) <= 0);
	make_short(s);
	store_close(s);
	s->queue = queue_open_readonly(s->dir, &why);
	if (!s->queue)
		fail_msg("%s", why.text);
	s->reader = queue_reader_open(s->queue);
	store_assert_body(s, id, 300000);
}

/* The first pages alone: what the message needs is gone. */
static void such_a_file_that_was_cut_is_refused(void **state)
{
	struct store *s = *state;
	struct err_detail why;
	char path[128];

	store_accept(s, 100000, one);
	make_short(s);
	store_close(s);
	data_path(s, path);
	for (off_t pages = 8; pages >= 3; pages--) {
		assert_int_equal(truncate(path, pages * 4096), 0);
		s->queue = queue_open(s->dir, &s->options, &why);
		assert_null(s->queue);
		assert_int_equal(why.code, ERR_CORRUPT);
		assert_non_null(strstr(why.text, "cut short"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_that_was_never_written_to_its_end_opens, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(such_a_file_that_was_cut_is_refused, store_setup, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
