/* tests/unit/queue/test_told.c - a report about recipients that stay, or were delivered, rides with their settle. */
#include "tests/unit/queue/store.h"

static void a_report_rides_with_whom_it_tells_of(void **state)
{
	static const char *const one[] = { "ann@example.com", NULL }, *const sender[] = { "from@shop.example", NULL };
	static const struct {
		const char *label;
		enum settle_op op;
		bool told;
		uint32_t n;
		enum err stored;
	} rows[] = {
		{ "late and told of", SETTLE_UPDATE, true, 0, OK },
		{ "late, nothing told", SETTLE_UPDATE, false, 0, ERR_NOT_FOUND },
		{ "delivered and told of", SETTLE_DELIVERED, true, 0, OK },
		{ "delivered, nothing told", SETTLE_DELIVERED, false, 0, ERR_NOT_FOUND },
		{ "told of, but gone", SETTLE_UPDATE, true, 7, ERR_NOT_FOUND },
	};
	struct store *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct queue_settle_item item = { .op = rows[i].op, .rcpt = { .n = rows[i].n, .warned = true }, .told = rows[i].told };
		struct queue_settle settle = { .job = ALL_JOBS, .items = &item, .item_count = 1 };
		struct queue_job *job;
		struct store_mail report;
		enum err err;

		settle.id = store_accept(s, 10, one);
		store_mail_init(&report, queue_new_id(s->queue), 700, sender);
		settle.bounce = &report.accept;
		assert_int_equal(store_do(s, QUEUE_SETTLE, &settle.req), OK);
		err = queue_job_load(s->reader, report.accept.message.id, ALL_JOBS, &job, NULL);
		if (err != rows[i].stored)
			fail_msg("%s: %s", rows[i].label, err_name(err));
		if (err == OK)
			free(job);
		free(report.body);
		if (rows[i].op != SETTLE_UPDATE || rows[i].n != 0)
			continue;
		assert_int_equal(queue_job_load(s->reader, settle.id, ALL_JOBS, &job, NULL), OK);
		assert_true(job->rcpts[0].warned);
		free(job);
	}
}

static void an_update_keeps_what_never_changes(void **state)
{
	static const char *const one[] = { "ann@example.com", NULL };
	struct store *s = *state;
	struct store_mail mail;
	struct queue_rcpt rcpt;
	struct queue_settle_item item = { SETTLE_UPDATE, { .n = 0, .notify = NOTIFY_SUCCESS, .orcpt = "rfc822;x@example.com" }, false, false, LETTER_NONE };
	struct queue_job *job;

	store_mail_init(&mail, queue_new_id(s->queue), 10, one);
	rcpt = mail.accept.rcpts[0];
	rcpt.notify = NOTIFY_DELAY;
	rcpt.orcpt = "rfc822;ann@example.com";
	mail.accept.rcpts = &rcpt;
	assert_int_equal(store_do(s, QUEUE_ACCEPT, &mail.accept.req), OK);
	assert_int_equal(store_settle(s, mail.accept.message.id, 0, &item, 1), OK);
	assert_int_equal(queue_job_load(s->reader, mail.accept.message.id, ALL_JOBS, &job, NULL), OK);
	assert_int_equal(job->rcpts[0].notify, NOTIFY_DELAY);
	assert_string_equal(job->rcpts[0].orcpt, "rfc822;ann@example.com");
	free(job);
	free(mail.body);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_report_rides_with_whom_it_tells_of, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(an_update_keeps_what_never_changes, store_setup, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
