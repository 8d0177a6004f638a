/* tests/unit/queue/test_queue.c - the life of messages in the queue, through its public face. */
#include "tests/unit/queue/store.h"

static const char *const two_jobs[] = { "ann@example.com", "bob@example.com", "cid@example.net", NULL };
static const char *const one[] = { "ann@example.com", NULL };

static void an_accepted_message_is_loaded_with_every_field(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 5000, two_jobs);
	struct queue_job *job;

	assert_int_equal(queue_job_load(s->reader, id, ALL_JOBS, &job, NULL), OK);
	assert_true(job->message.id == id);
	assert_true(job->message.arrived == 1700000000000);
	assert_true(job->message.deadline == 1700000000000 + DAYS(5));
	assert_int_equal(job->message.size_bytes, 5000);
	assert_int_equal(job->message.chunks, 1);
	assert_int_equal(job->message.rcpt_count, 3);
	assert_int_equal(job->message.flags, MSG_8BIT);
	assert_string_equal(job->message.sender, "from@shop.example");
	assert_string_equal(job->message.tenant, "shop");
	assert_string_equal(job->message.pool, "main");
	assert_string_equal(job->message.client, "10.1.2.3 web.shop.example");
	assert_string_equal(job->message.login, "");
	assert_false(job->in_doubt);
	assert_int_equal(job->rcpt_count, 3);
	assert_string_equal(job->rcpts[1].address, "bob@example.com");
	assert_string_equal(job->rcpts[1].domain, "example.com");
	assert_int_equal(job->rcpts[1].n, 1);
	assert_int_equal(job->rcpts[1].job, 0);
	assert_int_equal(job->rcpts[2].job, 2);
	assert_int_equal(job->rcpts[2].state, RCPT_WAITING);
	assert_string_equal(job->rcpts[2].reply, "");
	free(job);
	store_assert_body(s, id, 5000);
}

static void a_job_has_the_recipients_of_its_domain_only(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 100, two_jobs);
	struct queue_job *job;

	assert_int_equal(queue_job_load(s->reader, id, 0, &job, NULL), OK);
	assert_int_equal(job->rcpt_count, 2);
	assert_string_equal(job->rcpts[0].address, "ann@example.com");
	free(job);
	assert_int_equal(queue_job_load(s->reader, id, 2, &job, NULL), OK);
	assert_int_equal(job->rcpt_count, 1);
	assert_string_equal(job->rcpts[0].address, "cid@example.net");
	free(job);
	assert_int_equal(queue_job_load(s->reader, id, 1, &job, NULL), ERR_NOT_FOUND);
	assert_null(job);
	assert_int_equal(queue_job_load(s->reader, id + 1, ALL_JOBS, &job, NULL), ERR_NOT_FOUND);
}

static void bodies_of_every_length_come_back_byte_by_byte(void **state)
{
	static const size_t sizes[] = { 0, 1, 2037, 2038, 2039, 4080, 65519, 65520, 65521, 131040, 1000000 };
	struct store *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		store_assert_body(s, store_accept(s, sizes[i], one), sizes[i]);
}

static void a_streamed_body_is_joined_by_the_acceptance(void **state)
{
	const size_t size = 5 * QUEUE_CHUNK + 10;
	struct store *s = *state;
	struct store_mail m;
	msg_id id = queue_new_id(s->queue);

	store_mail_init(&m, id, size, one);
	for (uint32_t n = 0; n < 4; n++) {
		struct queue_chunk chunk = { .id = id, .n = n, .blob = m.blobs[n] };

		assert_int_equal(store_do(s, QUEUE_CHUNK_PUT, &chunk.req), OK);
	}
	m.accept.first_blob = 4;
	m.accept.blobs = m.blobs + 4;
	m.accept.blob_count = 2;
	assert_int_equal(store_do(s, QUEUE_ACCEPT, &m.accept.req), OK);
	store_assert_body(s, id, size);
	free(m.body);
}

static void an_acceptance_without_its_streamed_chunks_is_refused(void **state)
{
	struct store *s = *state;
	struct store_mail m;
	msg_id id = queue_new_id(s->queue);
	struct queue_job *job;

	store_mail_init(&m, id, QUEUE_CHUNK + 10, one);
	m.accept.first_blob = 1;
	m.accept.blobs = m.blobs + 1;
	m.accept.blob_count = 1;
	assert_int_equal(store_do(s, QUEUE_ACCEPT, &m.accept.req), ERR_INVALID);
	assert_int_equal(queue_job_load(s->reader, id, ALL_JOBS, &job, NULL), ERR_NOT_FOUND);
	assert_int_equal(store_check(s).messages, 0);
	free(m.body);
}

static void the_last_recipient_takes_message_and_body_with_it(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 200000, two_jobs);
	struct queue_settle_item first[] = { { SETTLE_DELIVERED, { .n = 0 }, false, false, LETTER_NONE },
		{ SETTLE_BOUNCED, { .n = 1 }, false, false, LETTER_NONE } };
	struct queue_settle_item last[] = { { SETTLE_DROPPED, { .n = 2 }, false, false, LETTER_NONE } };
	struct queue_counts counts;
	struct queue_job *job;

	assert_int_equal(store_settle(s, id, 0, first, 2), OK);
	assert_true(first[0].found && first[1].found);
	assert_int_equal(queue_job_load(s->reader, id, ALL_JOBS, &job, NULL), OK);
	assert_int_equal(job->rcpt_count, 1);
	free(job);
	assert_int_equal(store_settle(s, id, 2, last, 1), OK);
	assert_int_equal(queue_job_load(s->reader, id, ALL_JOBS, &job, NULL), ERR_NOT_FOUND);
	store_check(s);
	assert_int_equal(store_check(s).chunks, 0);
	counts = store_totals(s);
	assert_int_equal(counts.accepted, 3);
	assert_int_equal(counts.delivered, 1);
	assert_int_equal(counts.bounced, 1);
	assert_int_equal(counts.dropped, 1);
	assert_int_equal(store_settle(s, id, 2, last, 1), ERR_NOT_FOUND);
	assert_int_equal(store_totals(s).dropped, 1);
}

static void settles_change_what_they_say_and_nothing_else(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 10, one);
	struct queue_settle_item update = { SETTLE_UPDATE,
		{
		    .n = 0,
		    .state = RCPT_WAITING,
		    .attempts = 3,
		    .next = 5000,
		    .last_attempt = 4000,
		    .address = "ignored@x",
		    .reason = "greylisted",
		    .source = "a",
		    .relay = "mx.example.com[192.0.2.1]",
		    .reply = "450 4.2.0 later",
		    .class_name = "greylist",
		},
		false, false, LETTER_NONE };
	struct queue_settle_item hold = { SETTLE_HOLD,
		{ .n = 0, .state = RCPT_HELD, .reason = "by the operator", .next = 9 }, false, false, LETTER_NONE };
	struct queue_settle_item retry = { SETTLE_RETRY, { .n = 0, .next = 6000, .reply = "not this" }, false, false, LETTER_NONE };
	struct queue_settle_item release = { SETTLE_RELEASE, { .n = 0, .next = 7000 }, false, false, LETTER_NONE };
	struct queue_job *job;

	assert_int_equal(store_settle(s, id, 0, &update, 1), OK);
	assert_int_equal(store_settle(s, id, ALL_JOBS, &hold, 1), OK);
	assert_int_equal(store_settle(s, id, ALL_JOBS, &retry, 1), OK);
	assert_int_equal(queue_job_load(s->reader, id, 0, &job, NULL), OK);
	assert_string_equal(job->rcpts[0].address, "ann@example.com");
	assert_int_equal(job->rcpts[0].attempts, 3);
	assert_int_equal(job->rcpts[0].state, RCPT_HELD);
	assert_int_equal(job->rcpts[0].next, 6000);
	assert_int_equal(job->rcpts[0].last_attempt, 4000);
	assert_string_equal(job->rcpts[0].reason, "by the operator");
	assert_string_equal(job->rcpts[0].source, "a");
	assert_string_equal(job->rcpts[0].relay, "mx.example.com[192.0.2.1]");
	assert_string_equal(job->rcpts[0].reply, "450 4.2.0 later");
	assert_string_equal(job->rcpts[0].class_name, "greylist");
	free(job);
	assert_int_equal(store_settle(s, id, ALL_JOBS, &release, 1), OK);
	assert_int_equal(queue_job_load(s->reader, id, 0, &job, NULL), OK);
	assert_int_equal(job->rcpts[0].state, RCPT_WAITING);
	assert_int_equal(job->rcpts[0].next, 7000);
	free(job);
}

static void a_message_takes_another_pool_with_its_settle(void **state)
{
	static char long_name[300];
	struct store *s = *state;
	msg_id id = store_accept(s, 10, one);
	struct queue_settle_item retry = { .op = SETTLE_RETRY, .rcpt = { .n = 0, .next = 6000 } };
	struct queue_settle settle = { .id = id, .job = ALL_JOBS, .items = &retry, .item_count = 1, .pool = "other" };
	struct queue_job *before, *after;

	assert_int_equal(queue_job_load(s->reader, id, 0, &before, NULL), OK);
	assert_int_equal(store_do(s, QUEUE_SETTLE, &settle.req), OK);
	assert_int_equal(queue_job_load(s->reader, id, 0, &after, NULL), OK);
	assert_string_equal(after->message.pool, "other");
	assert_string_equal(after->message.tenant, before->message.tenant);
	assert_string_equal(after->message.sender, before->message.sender);
	assert_int_equal(after->message.deadline, before->message.deadline);
	assert_int_equal(after->message.size_bytes, before->message.size_bytes);
	assert_int_equal(after->rcpts[0].next, 6000);
	free(before);
	free(after);
	/* A name that no row can hold changes nothing. */
	memset(long_name, 'p', sizeof(long_name) - 1);
	settle.pool = long_name;
	assert_int_not_equal(store_do(s, QUEUE_SETTLE, &settle.req), OK);
	assert_int_equal(queue_job_load(s->reader, id, 0, &after, NULL), OK);
	assert_string_equal(after->message.pool, "other");
	free(after);
	store_check(s);
}

/* A message with one recipient, and the report that its bounce owes. */
struct bounce_case {
	msg_id id;
	struct store_mail report;
	struct queue_settle_item item;
	struct queue_settle settle;
};

static void bounce_case_init(struct store *s, struct bounce_case *c)
{
	static const char *const sender[] = { "from@shop.example", NULL };

	c->id = store_accept(s, 10, one);
	store_mail_init(&c->report, queue_new_id(s->queue), 700, sender);
	c->report.accept.message.sender = "";
	c->report.accept.message.flags = MSG_BOUNCE;
	c->item = (struct queue_settle_item){ SETTLE_BOUNCED, { .n = 0 }, false, false, LETTER_NONE };
	c->settle = (struct queue_settle){
		.id = c->id,
		.job = 0,
		.items = &c->item,
		.item_count = 1,
		.bounce = &c->report.accept,
	};
}

static void a_bounce_is_stored_with_the_settle_that_owes_it(void **state)
{
	struct store *s = *state;
	struct bounce_case c;
	struct queue_job *job;

	bounce_case_init(s, &c);
	assert_int_equal(store_do(s, QUEUE_SETTLE, &c.settle.req), OK);
	assert_int_equal(queue_job_load(s->reader, c.id, ALL_JOBS, &job, NULL), ERR_NOT_FOUND);
	assert_int_equal(queue_job_load(s->reader, c.report.accept.message.id, ALL_JOBS, &job, NULL), OK);
	assert_string_equal(job->message.sender, "");
	assert_int_equal(job->message.flags, MSG_BOUNCE);
	free(job);
	store_assert_body(s, c.report.accept.message.id, 700);
	free(c.report.body);
}

static void no_bounce_is_stored_for_a_recipient_that_has_gone(void **state)
{
	struct store *s = *state;
	struct bounce_case c;
	struct queue_settle_item drop = { SETTLE_DROPPED, { .n = 0 }, false, false, LETTER_NONE };

	bounce_case_init(s, &c);
	assert_int_equal(store_settle(s, c.id, ALL_JOBS, &drop, 1), OK);
	assert_int_equal(store_do(s, QUEUE_SETTLE, &c.settle.req), ERR_NOT_FOUND);
	assert_false(c.item.found);
	assert_int_equal(store_check(s).messages, 0);
	free(c.report.body);
}

static void a_bad_request_does_not_spoil_its_neighbours(void **state)
{
	struct store *s = *state;
	struct store_mail good[6], bad[6];
	char long_name[300];
	struct queue_job *job;

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	for (size_t i = 0; i < 6; i++) {
		store_mail_init(&good[i], queue_new_id(s->queue), 100, two_jobs);
		store_mail_init(&bad[i], queue_new_id(s->queue), 100, two_jobs);
	}
	bad[0].accept.message.tenant = long_name;
	bad[1].accept.message.size_bytes = 99;
	bad[2].rcpts[1].job = 7;
	bad[3].rcpts[2].address = "";
	bad[4].accept.message.id = good[4].accept.message.id;
	bad[5].accept.rcpt_count = 2;
	for (size_t i = 0; i < 6; i++) {
		store_submit(s, s->box, QUEUE_ACCEPT, &good[i].accept.req);
		store_submit(s, s->box, QUEUE_ACCEPT, &bad[i].accept.req);
	}
	store_await(s->box, 12);
	for (size_t i = 0; i < 6; i++) {
		static const enum err want[] = { ERR_LIMIT, ERR_INVALID, ERR_INVALID, ERR_INVALID, ERR_EXISTS,
			ERR_INVALID };

		assert_int_equal(good[i].accept.req.result, OK);
		assert_int_equal(bad[i].accept.req.result, want[i]);
		assert_true(bad[i].accept.req.why[0] != '\0');
		assert_int_equal(queue_job_load(s->reader, good[i].accept.message.id, ALL_JOBS, &job, NULL), OK);
		free(job);
		free(good[i].body);
		free(bad[i].body);
	}
	assert_int_equal(store_check(s).messages, 6);
}

static void requests_of_a_message_are_carried_out_in_order(void **state)
{
	struct store *s = *state;
	struct store_mail m;
	struct queue_settle_item items[3] = { { SETTLE_HOLD, { .n = 0, .reason = "first" }, false, false, LETTER_NONE },
		{ SETTLE_RELEASE, { .n = 0, .reason = "second" }, false, false, LETTER_NONE },
		{ SETTLE_HOLD, { .n = 0, .reason = "third" }, false, false, LETTER_NONE } };
	struct queue_settle settles[3];
	struct queue_job *job;

	store_mail_init(&m, queue_new_id(s->queue), 100, one);
	store_submit(s, s->box, QUEUE_ACCEPT, &m.accept.req);
	for (size_t i = 0; i < 3; i++) {
		settles[i] = (struct queue_settle){
			.id = m.accept.message.id,
			.job = ALL_JOBS,
			.items = &items[i],
			.item_count = 1,
		};
		store_submit(s, s->box, QUEUE_SETTLE, &settles[i].req);
	}
	store_await(s->box, 4);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(settles[i].req.result, OK);
	assert_int_equal(queue_job_load(s->reader, m.accept.message.id, 0, &job, NULL), OK);
	assert_string_equal(job->rcpts[0].reason, "third");
	free(job);
	free(m.body);
}

static void a_request_without_reply_address_is_freed_by_the_queue(void **state)
{
	struct store *s = *state;
	msg_id id = queue_new_id(s->queue);
	struct queue_chunk chunk = { .id = id, .n = 0, .blob = { "unfinished", 10 } };
	struct queue_discard *discard = xcalloc(1, sizeof(*discard));

	assert_int_equal(store_do(s, QUEUE_CHUNK_PUT, &chunk.req), OK);
	discard->req.kind = QUEUE_DISCARD;
	discard->id = id;
	queue_submit(s->queue, &discard->req);
	store_reopen(s);
	assert_int_equal(store_check(s).chunks, 0);
}

static void discard_drops_an_unfinished_body_but_no_message(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 1000, one);
	struct queue_discard discard = { .id = id };

	assert_int_equal(store_do(s, QUEUE_DISCARD, &discard.req), ERR_EXISTS);
	store_assert_body(s, id, 1000);
}

static void a_big_body_is_swept_after_its_message_has_left(void **state)
{
	const size_t size = 63 * QUEUE_CHUNK + 1;
	struct store *s = *state;
	msg_id id = store_accept(s, size, one), other = store_accept(s, 10, one);
	struct queue_settle_item item = { SETTLE_DELIVERED, { .n = 0 }, false, false, LETTER_NONE };
	struct queue_job *job;

	store_assert_body(s, id, size);
	assert_int_equal(store_settle(s, id, 0, &item, 1), OK);
	assert_int_equal(queue_job_load(s->reader, id, 0, &job, NULL), ERR_NOT_FOUND);
	for (int i = 0; i < 1000 && store_check(s).chunks != 1; i++)
		usleep(2000);
	assert_int_equal(store_check(s).chunks, 1);
	store_assert_body(s, other, 10);
}

static void a_mass_of_settles_leaves_bodies_to_the_sweeper(void **state)
{
	enum { MESSAGES = 60 };
	struct store *s = *state;
	struct queue_settle_item items[MESSAGES];
	struct queue_settle settles[MESSAGES];

	for (size_t i = 0; i < MESSAGES; i++) {
		items[i] = (struct queue_settle_item){ SETTLE_DELIVERED, { .n = 0 }, false, false, LETTER_NONE };
		settles[i] = (struct queue_settle){
			.id = store_accept(s, 50 * QUEUE_CHUNK, one), .job = 0, .items = &items[i], .item_count = 1
		};
	}
	for (size_t i = 0; i < MESSAGES; i++)
		store_submit(s, s->box, QUEUE_SETTLE, &settles[i].req);
	store_await(s->box, MESSAGES);
	assert_int_equal(store_check(s).messages, 0);
	for (int i = 0; i < 1000 && store_check(s).chunks != 0; i++)
		usleep(2000);
	assert_int_equal(store_check(s).chunks, 0);
}

/* --- walking ----------------------------------------------------------------------------------------------------------- */

struct seen {
	msg_id ids[16];
	size_t count, stop_at;
};

static bool see(void *arg, const struct queue_job *job)
{
	struct seen *seen = arg;

	seen->ids[seen->count++] = job->message.id;
	return seen->count != seen->stop_at;
}

static void a_walk_visits_every_message_once_in_order(void **state)
{
	struct store *s = *state;
	msg_id ids[7];
	struct seen seen = { .stop_at = 4 };
	struct queue_cursor cursor = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		ids[i] = store_accept(s, 10 + i, i % 2 ? one : two_jobs);
	while (!cursor.end)
		assert_int_equal(queue_scan(s->reader, &cursor, 3, see, &seen, NULL), OK);
	assert_int_equal(seen.count, ARRAY_LEN(ids));
	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		assert_true(seen.ids[i] == ids[i]);
	cursor = (struct queue_cursor){ .id = ids[5] };
	seen = (struct seen){ 0 };
	assert_int_equal(queue_scan(s->reader, &cursor, 100, see, &seen, NULL), OK);
	assert_true(cursor.end && seen.count == 2 && seen.ids[0] == ids[5]);
}

/* --- many at once -------------------------------------------------------------------------------------------------------- */

#define PRODUCERS 6
#define EACH      200

static void *produce(void *arg)
{
	struct store *s = arg;
	struct mailbox *box = mailbox_create();

	for (int i = 0; i < EACH; i++) {
		struct store_mail m;
		struct queue_settle_item item = { SETTLE_DELIVERED, { .n = 0 }, false, false, LETTER_NONE };
		struct queue_settle settle;

		store_mail_init(&m, queue_new_id(s->queue), 3000, one);
		store_submit(s, box, QUEUE_ACCEPT, &m.accept.req);
		store_await(box, 1);
		assert_int_equal(m.accept.req.result, OK);
		settle = (struct queue_settle){
			.id = m.accept.message.id,
			.job = 0,
			.items = &item,
			.item_count = 1,
			.destination = "d",
		};
		free(m.body);
		if (i % 2)
			continue;
		store_submit(s, box, QUEUE_SETTLE, &settle.req);
		store_await(box, 1);
		assert_int_equal(settle.req.result, OK);
	}
	mailbox_destroy(&box);
	return NULL;
}

static void producers_share_commits_and_lose_nothing(void **state)
{
	struct store *s = *state;
	pthread_t threads[PRODUCERS];
	struct queue_figures figures;

	for (size_t i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, produce, s), 0);
	for (int i = 0; i < 20; i++)
		store_check(s);
	for (size_t i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	queue_figures(s->queue, &figures);
	assert_int_equal(store_check(s).messages, PRODUCERS * EACH / 2);
	assert_int_equal(store_totals(s).accepted, PRODUCERS * EACH);
	assert_int_equal(store_totals(s).delivered, PRODUCERS * EACH / 2);
	assert_int_equal(figures.pending, 0);
	assert_true(figures.commits < PRODUCERS * EACH);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_accepted_message_is_loaded_with_every_field),
		TEST(a_job_has_the_recipients_of_its_domain_only),
		TEST(bodies_of_every_length_come_back_byte_by_byte),
		TEST(a_streamed_body_is_joined_by_the_acceptance),
		TEST(an_acceptance_without_its_streamed_chunks_is_refused),
		TEST(the_last_recipient_takes_message_and_body_with_it),
		TEST(settles_change_what_they_say_and_nothing_else),
		TEST(a_message_takes_another_pool_with_its_settle),
		TEST(a_bounce_is_stored_with_the_settle_that_owes_it),
		TEST(no_bounce_is_stored_for_a_recipient_that_has_gone),
		TEST(a_bad_request_does_not_spoil_its_neighbours),
		TEST(requests_of_a_message_are_carried_out_in_order),
		TEST(a_request_without_reply_address_is_freed_by_the_queue),
		TEST(discard_drops_an_unfinished_body_but_no_message),
		TEST(a_big_body_is_swept_after_its_message_has_left),
		TEST(a_mass_of_settles_leaves_bodies_to_the_sweeper),
		TEST(a_walk_visits_every_message_once_in_order),
		TEST(producers_share_commits_and_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
