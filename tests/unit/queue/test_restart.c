/* tests/unit/queue/test_restart.c - what the queue finds again when it is closed and opened. */
#include "tests/unit/queue/store.h"

static const char *const two_jobs[] = { "ann@example.com", "bob@example.com", "cid@example.net", NULL };
static const char *const one[] = { "ann@example.com", NULL };

static void messages_counters_and_ids_survive_a_restart(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 70000, two_jobs);
	struct queue_settle_item item = { SETTLE_DELIVERED, { .n = 2 }, false, false, LETTER_NONE };
	struct queue_job *job;

	assert_int_equal(store_settle(s, id, 2, &item, 1), OK);
	store_reopen(s);
	assert_int_equal(queue_job_load(s->reader, id, ALL_JOBS, &job, NULL), OK);
	assert_int_equal(job->rcpt_count, 2);
	free(job);
	store_assert_body(s, id, 70000);
	assert_int_equal(store_totals(s).accepted, 3);
	assert_int_equal(store_totals(s).delivered, 1);
	assert_true(queue_new_id(s->queue) > id);
}

static void ids_grow_even_when_the_clock_is_behind_the_last_one(void **state)
{
	struct store *s = *state;
	msg_id ahead = ((msg_id)clock_wall() + DAYS(400)) << 20;
	struct store_mail m;
	struct queue_settle_item item = { SETTLE_DELIVERED, { .n = 0 }, false, false, LETTER_NONE };

	store_mail_init(&m, ahead, 10, one);
	assert_int_equal(store_do(s, QUEUE_ACCEPT, &m.accept.req), OK);
	free(m.body);
	assert_int_equal(store_settle(s, ahead, 0, &item, 1), OK);
	store_reopen(s);
	assert_true(queue_new_id(s->queue) > ahead);
}

static void unfinished_bodies_of_earlier_runs_are_swept(void **state)
{
	struct store *s = *state;
	msg_id kept = store_accept(s, 300000, one), old = queue_new_id(s->queue), id;
	struct store_mail m;
	struct queue_chunk chunk;

	store_mail_init(&m, old, 60 * QUEUE_CHUNK, one);
	for (uint32_t n = 0; n < 60; n++) {
		chunk = (struct queue_chunk){ .id = old, .n = n, .blob = m.blobs[n] };
		assert_int_equal(store_do(s, QUEUE_CHUNK_PUT, &chunk.req), OK);
	}
	free(m.body);
	assert_int_equal(store_check(s).chunks, 65);
	store_reopen(s);
	id = queue_new_id(s->queue);
	chunk = (struct queue_chunk){ .id = id, .n = 0, .blob = { "of this run", 11 } };
	assert_int_equal(store_do(s, QUEUE_CHUNK_PUT, &chunk.req), OK);
	for (int i = 0; i < 1000 && store_check(s).chunks != 6; i++)
		usleep(2000);
	assert_int_equal(store_check(s).chunks, 6);
	store_assert_body(s, kept, 300000);
}

static void a_claim_without_a_settle_is_in_doubt_after_a_restart(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 10, two_jobs);
	struct queue_claim claim = {
		.id = id, .job = 0, .rcpts = 2, .at = 1, .source = "a", .destination = "example.com"
	};
	struct queue_settle_item item = { SETTLE_UPDATE, { .n = 0, .attempts = 1 }, false, false, LETTER_NONE };
	struct queue_job *job;

	assert_int_equal(store_do(s, QUEUE_CLAIM, &claim.req), OK);
	assert_int_equal(queue_job_load(s->reader, id, 0, &job, NULL), OK);
	assert_false(job->in_doubt);
	free(job);
	for (int i = 0; i < 2; i++) {
		store_reopen(s);
		assert_int_equal(store_totals(s).in_doubt, 2);
		assert_int_equal(queue_job_load(s->reader, id, 0, &job, NULL), OK);
		assert_true(job->in_doubt);
		free(job);
		assert_int_equal(queue_job_load(s->reader, id, 2, &job, NULL), OK);
		assert_false(job->in_doubt);
		free(job);
	}
	assert_int_equal(store_do(s, QUEUE_CLAIM, &claim.req), OK);
	assert_int_equal(queue_job_load(s->reader, id, 0, &job, NULL), OK);
	assert_true(job->in_doubt);
	free(job);
	assert_int_equal(store_settle(s, id, 0, &item, 1), OK);
	assert_int_equal(queue_job_load(s->reader, id, 0, &job, NULL), OK);
	assert_false(job->in_doubt);
	free(job);
	store_reopen(s);
	assert_int_equal(store_totals(s).in_doubt, 2);
}

static void claims_end_with_their_message(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 10, one);
	struct queue_claim claim = { .id = id, .job = 0, .rcpts = 1, .source = "a", .destination = "d" };
	struct queue_settle_item item = { SETTLE_DROPPED, { .n = 0 }, false, false, LETTER_NONE };

	assert_int_equal(store_do(s, QUEUE_CLAIM, &claim.req), OK);
	assert_int_equal(store_settle(s, id, ALL_JOBS, &item, 1), OK);
	assert_int_equal(store_check(s).claims, 0);
	assert_int_equal(store_do(s, QUEUE_CLAIM, &claim.req), ERR_NOT_FOUND);
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(messages_counters_and_ids_survive_a_restart),
		TEST(ids_grow_even_when_the_clock_is_behind_the_last_one),
		TEST(unfinished_bodies_of_earlier_runs_are_swept),
		TEST(a_claim_without_a_settle_is_in_doubt_after_a_restart),
		TEST(claims_end_with_their_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
