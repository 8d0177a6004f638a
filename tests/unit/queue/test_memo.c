/* tests/unit/queue/test_memo.c - records of other parts ride with messages, once a commit, and survive. */
#include "tests/unit/queue/store.h"

#define ALL 1000

struct note {
	struct queue_memo memo;
	const char *text;
	unsigned written;
};

static size_t write_note(const struct queue_memo *memo, uint8_t out[QUEUE_MEMO_MAX])
{
	struct note *note = (struct note *)(uintptr_t)CONTAINER_OF(memo, const struct note, memo);

	note->written++;
	memcpy(out, note->text, strlen(note->text));
	return strlen(note->text);
}

static void collect(void *arg, const char *name, const void *data, size_t len)
{
	char *all = arg;
	size_t at = strlen(all);

	snprintf(all + at, ALL - at, "%s=%.*s ", name, (int)len, (const char *)data);
}

static void expect(struct store *s, const char *prefix, const char *want)
{
	char all[ALL] = "";
	struct err_detail why;

	assert_int_equal(queue_memos_read(s->reader, prefix, collect, all, &why), OK);
	assert_string_equal(all, want);
}

/* One message that brings `note`. */
static enum err accept_with(struct store *s, struct note *note, msg_id id)
{
	static const char *const addresses[] = { "a@d.example", NULL };
	struct store_mail mail;
	enum err err;

	store_mail_init(&mail, id != 0 ? id : queue_new_id(s->queue), 10, addresses);
	mail.accept.memo = &note->memo;
	err = store_do(s, QUEUE_ACCEPT, &mail.accept.req);
	free(mail.body);
	return err;
}

static void a_memo_is_rewritten_with_each_message_and_survives(void **state)
{
	struct store *s = *state;
	struct note a = { { .name = "q/a", .write = write_note }, "1", 0 }, b = { { .name = "q/b", .write = write_note }, "x", 0 };
	struct note other = { { .name = "r", .write = write_note }, "", 0 };

	expect(s, "", "");
	assert_int_equal(accept_with(s, &a, 0), OK);
	assert_int_equal(accept_with(s, &b, 0), OK);
	a.text = "22";
	assert_int_equal(accept_with(s, &a, 0), OK);
	assert_int_equal(accept_with(s, &other, 0), OK);
	store_reopen(s);
	expect(s, "q/", "q/a=22 q/b=x ");
	expect(s, "q/b", "q/b=x ");
	expect(s, "", "q/a=22 q/b=x r= ");
	expect(s, "s", "");
}

/* Its owner may free it then. */
static void an_answered_memo_is_left_alone(void **state)
{
	struct store *s = *state;
	struct note a = { { .name = "a", .write = write_note }, "1", 0 }, b = { { .name = "b", .write = write_note }, "2", 0 };

	for (int i = 0; i < 3; i++) {
		assert_int_equal(accept_with(s, &a, 0), OK);
		assert_false(a.memo.listed);
		memset(&a.memo, 0xa5, sizeof(a.memo));
		assert_int_equal(accept_with(s, &b, 0), OK);
		for (size_t k = 0; k < sizeof(a.memo); k++)
			assert_int_equal(((const uint8_t *)&a.memo)[k], 0xa5);
		a = (struct note){ { .name = "a", .write = write_note }, "1", 0 };
	}
}

static void a_refused_message_writes_none(void **state)
{
	struct store *s = *state;
	struct note a = { { .name = "a", .write = write_note }, "1", 0 };
	msg_id id = queue_new_id(s->queue);

	assert_int_equal(accept_with(s, &a, id), OK);
	a.text = "2";
	assert_int_equal(accept_with(s, &a, id), ERR_EXISTS);
	expect(s, "a", "a=1 ");
	assert_int_equal(accept_with(s, &a, 0), OK);
	expect(s, "a", "a=2 ");
}

static void messages_of_one_commit_write_it_once(void **state)
{
	static const char *const addresses[] = { "a@d.example", NULL };
	struct store *s = *state;
	struct note a = { { .name = "a", .write = write_note }, "1", 0 };
	struct store_mail *mails = xcalloc(200, sizeof(*mails));
	struct queue_figures before, after;

	queue_figures(s->queue, &before);
	store_answers = 0;
	for (size_t i = 0; i < 200; i++) {
		store_mail_init(&mails[i], queue_new_id(s->queue), 10, addresses);
		mails[i].accept.memo = &a.memo;
		store_submit(s, s->box, QUEUE_ACCEPT, &mails[i].accept.req);
	}
	store_await(s->box, 200);
	queue_figures(s->queue, &after);
	assert_true(a.written <= after.commits - before.commits);
	assert_true(a.written > 0);
	for (size_t i = 0; i < 200; i++) {
		assert_int_equal(mails[i].accept.req.result, OK);
		free(mails[i].body);
	}
	free(mails);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_memo_is_rewritten_with_each_message_and_survives, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(an_answered_memo_is_left_alone, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(a_refused_message_writes_none, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(messages_of_one_commit_write_it_once, store_setup, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
