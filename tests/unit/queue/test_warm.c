/* tests/unit/queue/test_warm.c - what is kept under a name with claims and settles. */
#include "store.h"

static const char *const one[] = { "a@one.example", NULL };

struct kept {
	unsigned count;
	char key[64], data[64];
	size_t len;
};

static void keep(void *arg, const char *key, const void *data, size_t len)
{
	struct kept *kept = arg;

	kept->count++;
	snprintf(kept->key, sizeof(kept->key), "%s", key);
	kept->len = len;
	memcpy(kept->data, data, len < sizeof(kept->data) ? len : sizeof(kept->data));
}

static struct kept read_all(struct store *s)
{
	struct kept kept = { 0 };

	assert_int_equal(queue_warm_read(s->reader, keep, &kept, NULL), OK);
	return kept;
}

static struct queue_warm warm(const char *data)
{
	return (struct queue_warm){ .key = "a p:big", .data = data, .len = strlen(data) };
}

static enum err claim(struct store *s, msg_id id, struct queue_warm with)
{
	struct queue_claim c = { .id = id, .rcpts = 1, .source = "a", .destination = "big", .warm = with };

	return store_do(s, QUEUE_CLAIM, &c.req);
}

static void a_claim_leaves_the_lane_s_state_and_a_restart_finds_it(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 100, one);
	struct kept kept;

	assert_int_equal(read_all(s).count, 0);
	assert_int_equal(claim(s, id, warm("used 1")), OK);
	store_reopen(s);
	kept = read_all(s);
	assert_int_equal(kept.count, 1);
	assert_string_equal(kept.key, "a p:big");
	assert_int_equal(kept.len, 6);
	assert_memory_equal(kept.data, "used 1", 6);
}

static void the_last_one_stays(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 100, one);
	struct queue_settle_item item = { .op = SETTLE_DELIVERED, .rcpt = { .n = 0 } };
	struct queue_settle settle = { .id = id, .job = 0, .items = &item, .item_count = 1, .warm = warm("answered") };
	struct queue_warm_put put = { .warm = warm("by word") };

	assert_int_equal(claim(s, id, warm("used 1")), OK);
	assert_int_equal(store_do(s, QUEUE_SETTLE, &settle.req), OK);
	assert_memory_equal(read_all(s).data, "answered", 8);
	assert_int_equal(store_do(s, QUEUE_WARM_PUT, &put.req), OK);
	assert_memory_equal(read_all(s).data, "by word", 7);
	assert_int_equal(read_all(s).count, 1);
	store_check(s);
}

static void a_claim_that_fails_leaves_nothing(void **state)
{
	struct store *s = *state;
	char large[QUEUE_WARM_MAX + 2];
	msg_id id = store_accept(s, 100, one);

	assert_int_equal(claim(s, id + 1, warm("used 1")), ERR_NOT_FOUND);
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	assert_int_equal(claim(s, id, warm(large)), ERR_LIMIT);
	assert_int_equal(read_all(s).count, 0);
	assert_int_equal(store_check(s).claims, 0);
}

static void a_claim_that_came_to_nothing_goes_and_gives_the_lane_back_what_it_took(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 100, one);
	struct queue_settle untried = { .id = id, .job = 0, .untried = true, .warm = warm("used 0") };

	assert_int_equal(claim(s, id, warm("used 1")), OK);
	assert_int_equal(store_do(s, QUEUE_SETTLE, &untried.req), OK);
	assert_memory_equal(read_all(s).data, "used 0", 6);
	assert_int_equal(store_check(s).claims, 0);
	/* Without a claim too. */
	untried.warm = warm("used 2");
	assert_int_equal(store_do(s, QUEUE_SETTLE, &untried.req), OK);
	assert_memory_equal(read_all(s).data, "used 2", 6);
	store_reopen(s);
	assert_memory_equal(read_all(s).data, "used 2", 6);
}

static void a_doubt_that_a_crash_has_left_outlives_an_attempt_that_tried_nothing(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 100, one);
	struct queue_settle untried = { .id = id, .job = 0, .untried = true, .warm = warm("used 0") };
	struct queue_settle_item item = { .op = SETTLE_DELIVERED, .rcpt = { .n = 0 } };
	struct queue_settle settle = { .id = id, .job = 0, .items = &item, .item_count = 1 };

	assert_int_equal(claim(s, id, warm("used 1")), OK);
	store_reopen(s);
	assert_int_equal(claim(s, id, warm("used 2")), OK);
	assert_int_equal(store_do(s, QUEUE_SETTLE, &untried.req), OK);
	assert_int_equal(store_check(s).claims, 1);
	assert_int_equal(store_do(s, QUEUE_SETTLE, &settle.req), OK);
	assert_int_equal(store_check(s).claims, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_claim_leaves_the_lane_s_state_and_a_restart_finds_it, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(the_last_one_stays, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(a_claim_that_fails_leaves_nothing, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(
		    a_claim_that_came_to_nothing_goes_and_gives_the_lane_back_what_it_took, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(
		    a_doubt_that_a_crash_has_left_outlives_an_attempt_that_tried_nothing, store_setup, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
