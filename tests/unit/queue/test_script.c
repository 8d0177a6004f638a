/* tests/unit/queue/test_script.c - transcripts of attempts: the last few of a job, over a restart, as long as the message. */
#include "tests/unit/queue/store.h"

#define NOW 1700000000000

static const char *const RCPTS[] = { "a@one.test", "b@two.test", NULL };

static struct {
	size_t count, of_first;
	uint32_t least;
	char last[QUEUE_TRACE_MAX + 1];
} seen;

static void see(void *arg, uint32_t job, uint32_t attempt, const char *text, size_t len)
{
	seen.count++;
	seen.of_first += job == 0;
	if (seen.least == 0 || attempt < seen.least)
		seen.least = attempt;
	snprintf(seen.last, sizeof(seen.last), "%.*s", (int)len, text);
}

static void look(struct store *s, msg_id id)
{
	memset(&seen, 0, sizeof(seen));
	assert_int_equal(queue_traces_read(s->reader, id, see, NULL, NULL), OK);
}

static enum err settle(struct store *s, msg_id id, uint32_t job, enum settle_op op, uint32_t attempt, const char *trace)
{
	struct queue_settle_item item = { .op = op, .rcpt = { .n = job, .attempts = attempt, .next = NOW } };
	struct queue_settle request = { .id = id, .job = job, .destination = "d", .items = &item, .item_count = 1, .attempt = attempt, .trace = trace };

	return store_do(s, QUEUE_SETTLE, &request.req);
}

static void the_last_attempts_of_each_job_are_kept_over_a_restart(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 100, RCPTS);

	look(s, id);
	assert_int_equal(seen.count, 0);
	for (uint32_t attempt = 1; attempt <= 7; attempt++)
		assert_int_equal(settle(s, id, 0, SETTLE_UPDATE, attempt, "first\nsecond\n"), OK);
	assert_int_equal(settle(s, id, 1, SETTLE_UPDATE, 9, "other\n"), OK);
	assert_int_equal(settle(s, id, 1, SETTLE_UPDATE, 10, NULL), OK);
	store_reopen(s);
	look(s, id);
	assert_int_equal(seen.of_first, QUEUE_TRACES);
	assert_int_equal(seen.count, QUEUE_TRACES + 1);
	assert_int_equal(seen.least, 3);
	assert_string_equal(seen.last, "other\n");
	(void)store_check(s);
}

static void they_go_with_the_message(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 100, RCPTS);

	assert_int_equal(settle(s, id, 0, SETTLE_UPDATE, 1, "text\n"), OK);
	assert_int_equal(settle(s, id, 0, SETTLE_DELIVERED, 2, NULL), OK);
	look(s, id);
	assert_int_equal(seen.count, 1);
	assert_int_equal(settle(s, id, 1, SETTLE_BOUNCED, 1, "text\n"), OK);
	look(s, id);
	assert_int_equal(seen.count, 0);
	assert_int_equal(store_check(s).findings, 0);
}

static void what_is_too_long_is_cut(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 100, RCPTS);
	char text[QUEUE_TRACE_MAX + 100];

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(settle(s, id, 0, SETTLE_UPDATE, 1, text), OK);
	look(s, id);
	assert_int_equal(strlen(seen.last), QUEUE_TRACE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_last_attempts_of_each_job_are_kept_over_a_restart, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(they_go_with_the_message, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(what_is_too_long_is_cut, store_setup, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
