/* tests/unit/queue/test_dead.c - dead letters: how they come, what they keep, by what they go, and that they are replayed once. */
#include "tests/unit/queue/store.h"

#include "queue/dead.h"

static const char *const TWO[] = { "a@one.test", "b@two.test", NULL };
static const char *const ONE[] = { "a@one.test", NULL };

static int setup(void **state)
{
	struct store *s;

	store_setup(state);
	s = *state;
	s->options.dead_keep_ms = DAYS(14);
	s->options.dead_bytes = 1u << 30;
	queue_reconfigure(s->queue, &s->options);
	return 0;
}

static enum err bury_at(struct store *s, msg_id id, uint32_t n, wall_ms at)
{
	struct queue_settle_item item = { .op = SETTLE_BOUNCED, .letter = LETTER_REFUSED,
		.rcpt = { .n = n, .attempts = 3, .last_attempt = at, .reason = "refused", .source = "src", .relay = "mx[192.0.2.1]",
		    .reply = "550 5.1.1 no such user", .class_name = "unknown-recipient" } };
	struct queue_settle settle = { .id = id, .job = n, .destination = "d", .at = at, .items = &item, .item_count = 1, .attempt = 3,
		.trace = "> RCPT\n< 550\n" };

	return store_do(s, QUEUE_SETTLE, &settle.req);
}

static enum err bury(struct store *s, msg_id id, uint32_t n)
{
	return bury_at(s, id, n, clock_wall());
}

static enum err deliver(struct store *s, msg_id id, uint32_t n)
{
	struct queue_settle_item item = { .op = SETTLE_DELIVERED, .rcpt = { .n = n } };

	return store_settle(s, id, n, &item, 1);
}

static uint32_t drop(struct store *s, msg_id id, uint32_t n, bool erase)
{
	struct queue_dead_drop request = { .id = id, .ns = &n, .count = 1, .erase = erase };

	assert_int_equal(store_do(s, QUEUE_DEAD_DROP, &request.req), OK);
	return request.removed;
}

static struct queue_dead totals(struct store *s)
{
	struct queue_dead dead;

	assert_int_equal(queue_dead_read(s->reader, &dead, NULL), OK);
	return dead;
}

static void count_trace(void *arg, uint32_t job, uint32_t attempt, const char *text, size_t len)
{
	++*(size_t *)arg;
}

static size_t traces(struct store *s, msg_id id)
{
	size_t count = 0;

	assert_int_equal(queue_traces_read(s->reader, id, count_trace, &count, NULL), OK);
	return count;
}

static bool has_body(struct store *s, msg_id id)
{
	static char chunk[QUEUE_CHUNK];
	size_t len;

	return queue_body_read(s->reader, id, 0, chunk, &len, NULL) == OK;
}

static void a_bounced_recipient_is_kept_with_all_that_is_known_of_it(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 1000, TWO);
	struct queue_letters *letters;
	struct queue_job *job;
	wall_ms now = clock_wall();

	assert_int_equal(deliver(s, id, 1), OK);
	assert_int_equal(bury_at(s, id, 0, now), OK);
	assert_int_equal(queue_job_load(s->reader, id, ALL_JOBS, &job, NULL), ERR_NOT_FOUND);
	store_reopen(s);
	assert_int_equal(queue_letters_load(s->reader, id, &letters, NULL), OK);
	assert_int_equal(letters->count, 1);
	assert_int_equal(letters->message.id, id);
	assert_string_equal(letters->message.sender, "from@shop.example");
	assert_string_equal(letters->letters[0].rcpt.address, "a@one.test");
	assert_string_equal(letters->letters[0].rcpt.domain, "one.test");
	assert_string_equal(letters->letters[0].rcpt.reply, "550 5.1.1 no such user");
	assert_string_equal(letters->letters[0].rcpt.class_name, "unknown-recipient");
	assert_string_equal(letters->letters[0].rcpt.source, "src");
	assert_string_equal(letters->letters[0].destination, "d");
	assert_int_equal(letters->letters[0].rcpt.attempts, 3);
	assert_int_equal(letters->letters[0].cause, LETTER_REFUSED);
	assert_int_equal(letters->letters[0].died, now);
	free(letters);
	store_assert_body(s, id, 1000);
	assert_int_equal(traces(s, id), 1);
	assert_int_equal(totals(s).letters, 1);
	assert_in_range(totals(s).bytes, 1000, 2000);
	assert_int_equal(store_check(s).letters, 1);
}

static void the_body_goes_with_the_last_who_needs_it(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 1000, TWO);

	assert_int_equal(bury(s, id, 0), OK);
	assert_int_equal(drop(s, id, 0, false), 1);
	assert_int_equal(drop(s, id, 0, false), 0);
	assert_true(has_body(s, id)); /* the other is queued */
	assert_int_equal(traces(s, id), 1);
	assert_int_equal(bury(s, id, 1), OK);
	assert_true(has_body(s, id)); /* dead alone */
	(void)store_check(s);
	assert_int_equal(drop(s, id, 1, false), 1);
	assert_false(has_body(s, id));
	assert_int_equal(traces(s, id), 0);
	assert_int_equal(totals(s).bytes, 0);
	assert_int_equal(totals(s).messages, 0);
	(void)store_check(s);
}

static void what_is_not_to_be_kept_leaves_nothing(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 1000, ONE);
	struct queue_settle_item item = { .op = SETTLE_BOUNCED };

	assert_int_equal(store_settle(s, id, 0, &item, 1), OK);
	assert_false(has_body(s, id));
	assert_int_equal(totals(s).letters, 0);
}

static void erasing_takes_the_transcripts_that_others_are_in(void **state)
{
	static const char *const SAME[] = { "a@one.test", "b@one.test", NULL };
	struct store *s = *state;
	msg_id id = store_accept(s, 1000, SAME);

	assert_int_equal(bury(s, id, 0), OK);
	assert_int_equal(traces(s, id), 1);
	assert_int_equal(drop(s, id, 0, true), 1);
	assert_int_equal(traces(s, id), 0);
	assert_true(has_body(s, id));
	(void)store_check(s);
}

/* The writer looks once a second. */
static void await_letters(struct store *s, uint64_t count)
{
	for (int i = 0; i < 100 && totals(s).letters != count; i++)
		usleep(100000);
	assert_int_equal(totals(s).letters, count);
}

static void the_old_go_and_the_young_stay(void **state)
{
	struct store *s = *state;
	msg_id first = store_accept(s, 1000, ONE), old = store_accept(s, 200000, ONE), young = store_accept(s, 1000, ONE);

	assert_int_equal(bury(s, first, 0), OK); /* handed in first, but died last */
	assert_int_equal(bury_at(s, young, 0, clock_wall() - DAYS(13)), OK);
	assert_int_equal(bury_at(s, old, 0, clock_wall() - DAYS(14)), OK);
	await_letters(s, 2);
	assert_true(has_body(s, first));
	assert_true(has_body(s, young));
	assert_false(has_body(s, old));
	(void)store_check(s);
}

static void beyond_the_size_the_oldest_go(void **state)
{
	struct store *s = *state;
	msg_id ids[5];

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		ids[i] = store_accept(s, 100000, ONE);
		assert_int_equal(bury_at(s, ids[i], 0, clock_wall() - HOURS(10) + (wall_ms)i), OK);
	}
	assert_int_equal(totals(s).letters, 5);
	s->options.dead_bytes = 250000;
	queue_reconfigure(s->queue, &s->options);
	await_letters(s, 2);
	assert_false(has_body(s, ids[2]));
	assert_true(has_body(s, ids[3]));
	(void)store_check(s);
}

static void dead_letters_make_room_for_new_mail(void **state)
{
	struct store *s = *state;
	size_t refused = 0;

	s->options.quota_bytes = 8u << 20;
	queue_reconfigure(s->queue, &s->options);
	/* Ten times the quota, all of it dies. */
	for (int i = 0; i < 80; i++) {
		struct store_mail m;
		msg_id id = queue_new_id(s->queue);

		refused += queue_has_room(s->queue, 1000000, NULL) != OK;
		store_mail_init(&m, id, 1000000, ONE);
		refused += store_do(s, QUEUE_ACCEPT, &m.accept.req) != OK;
		free(m.body);
		assert_int_equal(bury(s, id, 0), OK);
	}
	assert_int_equal(refused, 0);
	assert_in_range(totals(s).letters, 1, 8);
	(void)store_check(s);
}

static struct queue_replay replay_of(msg_id id, const uint32_t *n, struct store_mail *m)
{
	return (struct queue_replay){ .accept = &m->accept, .id = id, .ns = n, .count = 1, .at = clock_wall() };
}

static void a_letter_is_replayed_once(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 1000, ONE), new_id = queue_new_id(s->queue), third = queue_new_id(s->queue);
	uint32_t n = 0;
	struct store_mail m, other;
	struct queue_letters *letters;
	struct queue_replay replay = replay_of(id, &n, &m), again = replay_of(id, &n, &other);

	assert_int_equal(bury(s, id, 0), OK);
	store_mail_init(&m, new_id, 500, ONE);
	store_mail_init(&other, third, 500, ONE);
	assert_int_equal(store_do(s, QUEUE_REPLAY, &replay.req), OK);
	assert_int_equal(store_do(s, QUEUE_REPLAY, &again.req), ERR_EXISTS);
	assert_int_equal(again.earlier, new_id);
	assert_int_equal(store_check(s).messages, 1);
	store_assert_body(s, new_id, 500);
	again.again = true;
	assert_int_equal(store_do(s, QUEUE_REPLAY, &again.req), OK);
	assert_int_equal(queue_letters_load(s->reader, id, &letters, NULL), OK);
	assert_int_equal(letters->letters[0].replayed, third);
	free(letters);
	n = 7;
	assert_int_equal(store_do(s, QUEUE_REPLAY, &again.req), ERR_NOT_FOUND);
	(void)store_check(s);
	free(m.body);
	free(other.body);
}

static bool note_id(void *arg, const struct queue_letters *letters)
{
	*(msg_id *)arg += letters->message.id;
	return true;
}

static void a_scan_goes_on_where_it_stopped(void **state)
{
	struct store *s = *state;
	struct queue_cursor cursor = { 0 };
	msg_id sum = 0, seen = 0;

	for (int i = 0; i < 7; i++) {
		msg_id id = store_accept(s, 100, ONE);

		assert_int_equal(bury(s, id, 0), OK);
		sum += id;
	}
	(void)store_accept(s, 100, ONE);
	while (!cursor.end)
		assert_int_equal(queue_letters_scan(s->reader, &cursor, 3, note_id, &seen, NULL), OK);
	assert_true(seen == sum);
}

static void a_restart_sweeps_no_body_of_a_letter(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 200000, ONE);

	assert_int_equal(bury(s, id, 0), OK);
	store_reopen(s);
	usleep(300000);
	(void)store_accept(s, 100, ONE);
	store_assert_body(s, id, 200000);
	(void)store_check(s);
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_bounced_recipient_is_kept_with_all_that_is_known_of_it),
		STORE_TEST(the_body_goes_with_the_last_who_needs_it),
		STORE_TEST(what_is_not_to_be_kept_leaves_nothing),
		STORE_TEST(erasing_takes_the_transcripts_that_others_are_in),
		STORE_TEST(the_old_go_and_the_young_stay),
		STORE_TEST(beyond_the_size_the_oldest_go),
		STORE_TEST(dead_letters_make_room_for_new_mail),
		STORE_TEST(a_letter_is_replayed_once),
		STORE_TEST(a_scan_goes_on_where_it_stopped),
		STORE_TEST(a_restart_sweeps_no_body_of_a_letter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
