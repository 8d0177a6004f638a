/* tests/unit/relay/test_ops_view.c - list, stats, show, cat, why and check from the store alone. */
#include "tests/unit/relay/ops_store.h"

#include "relay/intake/base64.h"

struct view {
	struct store *store;
	struct ops_env env;
	msg_id first, second, third;
};

/* Three messages: two recipients of one domain and one of another; one deferred; one held. */
static void fill(struct view *view)
{
	static const char *const FIRST[] = { "ann@a.example", "bob@a.example", "cy@b.example", NULL };
	static const char *const SECOND[] = { "dee@b.example", NULL };
	static const char *const THIRD[] = { "eve@c.example", NULL };
	struct queue_settle_item deferred = { .op = SETTLE_UPDATE, .rcpt = {
	    .attempts = 2, .next = 1700000300000, .last_attempt = 1700000000000, .address = "", .reason = "450 4.2.1 Mailbox busy",
	    .source = "a", .relay = "mx.b.example[192.0.2.1]:25", .reply = "450 4.2.1 Mailbox busy", .class_name = "busy" } };
	struct queue_settle_item held = { .op = SETTLE_HOLD, .rcpt = { .state = RCPT_HELD, .address = "", .reason = "looks odd" } };

	view->first = store_accept(view->store, 300, FIRST);
	view->second = store_accept(view->store, 2 * QUEUE_CHUNK + 5, SECOND);
	view->third = store_accept(view->store, 10, THIRD);
	assert_int_equal(store_settle(view->store, view->second, 0, &deferred, 1), OK);
	assert_int_equal(store_settle(view->store, view->third, UINT32_MAX, &held, 1), OK);
}

static int setup(void **state)
{
	struct view *view = xcalloc(1, sizeof(*view));

	store_setup((void **)&view->store);
	view->env = (struct ops_env){ .queue = view->store->queue, .reader = view->store->reader };
	fill(view);
	*state = view;
	return 0;
}

static int teardown(void **state)
{
	struct view *view = *state;

	store_teardown((void **)&view->store);
	free(view);
	return 0;
}

static struct answer ask_view(struct view *view, const char *verb, const char *args)
{
	return ask(&view->env, verb, args, NULL, NULL);
}

static void list_has_the_keys_that_tools_rely_on(void **state)
{
	static const char *const KEYS[] = { "id", "rcpt", "sender", "tenant", "destination", "state", "reason", "priority", "attempts", "next", "deadline",
		"size", "source", "reply", "class" };
	struct view *view = *state;
	struct answer answer = ask_view(view, "list", "{}");
	json_t *row = json_array_get(answer.rows, 3);
	char id[MSG_ID_TEXT], *want;

	assert_int_equal(json_array_size(answer.rows), 5);
	assert_int_equal(json_object_size(row), ARRAY_LEN(KEYS));
	for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
		if (!json_object_get(row, KEYS[i]))
			fail_msg("no %s", KEYS[i]);
	want = xasprintf("%s.0", msg_id_format(view->second, id));
	assert_string_equal(answer_text(&answer, 3, "id"), want);
	assert_string_equal(answer_text(&answer, 3, "next"), "2023-11-14T22:18:20.000Z");
	assert_int_equal(answer_number(&answer, 3, "attempts"), 2);
	assert_int_equal(answer_number(&answer, 3, "size"), 2 * QUEUE_CHUNK + 5);
	assert_true(json_is_null(json_object_get(json_array_get(answer.rows, 4), "next")));
	free(want);
	answer_free(&answer);
}

static void filters_choose_recipients(void **state)
{
	static const struct {
		const char *args, *rcpts;
	} rows[] = {
		{ "{}", "ann@a.example bob@a.example cy@b.example dee@b.example eve@c.example" },
		{ "{\"ids\":[\"*\"]}", "ann@a.example bob@a.example cy@b.example dee@b.example eve@c.example" },
		{ "{\"ids\":[\"*.1\"]}", "bob@a.example" },
		{ "{\"destination\":\"b.example\"}", "cy@b.example dee@b.example" },
		{ "{\"destination\":\"B.EXAMPLE\"}", "cy@b.example dee@b.example" },
		{ "{\"destination\":[\"a.*\",\"c.example\"]}", "ann@a.example bob@a.example eve@c.example" },
		{ "{\"rcpt\":\"*@a.example\"}", "ann@a.example bob@a.example" },
		{ "{\"rcpt\":\"[a-b]*\",\"destination\":\"?.example\"}", "ann@a.example bob@a.example" },
		{ "{\"state\":\"waiting\"}", "ann@a.example bob@a.example cy@b.example" },
		{ "{\"state\":\"deferred\"}", "dee@b.example" },
		{ "{\"state\":[\"held\",\"deferred\"]}", "dee@b.example eve@c.example" },
		{ "{\"reply\":\"mailbox\"}", "dee@b.example" },
		{ "{\"reply\":\"450*\"}", "dee@b.example" },
		{ "{\"reply\":\"mailbox*\"}", "" },
		{ "{\"source\":\"a\"}", "dee@b.example" },
		{ "{\"tenant\":\"shop\",\"sender\":\"from@*\",\"limit\":2}", "ann@a.example bob@a.example" },
		{ "{\"tenant\":\"other\"}", "" },
		{ "{\"sender\":\"<>\"}", "" },
		{ "{\"older\":3600000}", "ann@a.example bob@a.example cy@b.example dee@b.example eve@c.example" },
		{ "{\"older\":9000000000000}", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer answer = ask_view(*state, "list", rows[i].args);
		char *rcpts = answer_column(&answer, "rcpt");

		if (answer_exit(&answer) != OPS_DONE || strcmp(rcpts, rows[i].rcpts) != 0)
			fail_msg("%s: exit %d, got %s", rows[i].args, answer_exit(&answer), rcpts);
		free(rcpts);
		answer_free(&answer);
	}
}

static void ids_choose_messages_and_recipients(void **state)
{
	struct view *view = *state;
	char id[MSG_ID_TEXT], *args = xasprintf("{\"ids\":[\"%s\",\"%s.2\",\"%s.1\"]}", msg_id_format(view->third, (char[MSG_ID_TEXT]){ 0 }),
	    msg_id_format(view->first, id), id);
	struct answer answer = ask_view(view, "list", args);
	char *rcpts = answer_column(&answer, "rcpt");

	assert_string_equal(rcpts, "bob@a.example cy@b.example eve@c.example");
	assert_int_equal(answer_exit(&answer), OPS_DONE);
	free(rcpts);
	free(args);
	answer_free(&answer);
}

static void what_is_not_there_is_told_and_refused(void **state)
{
	struct view *view = *state;
	char id[MSG_ID_TEXT], *args = xasprintf("{\"ids\":[\"%s.9\",\"%s.0\"]}", msg_id_format(view->first, id), id), *want;
	struct answer answer = ask_view(view, "list", args);

	want = xasprintf("%s.9", id);
	assert_int_equal(answer_exit(&answer), OPS_REFUSED);
	assert_int_equal(json_array_size(answer.rows), 2);
	assert_string_equal(answer_text(&answer, 1, "id"), want);
	assert_string_equal(answer_text(&answer, 1, "error"), "not in the queue");
	free(want);
	free(args);
	answer_free(&answer);
}

static void bad_arguments_are_refused(void **state)
{
	static const struct {
		const char *verb, *args;
		int exit;
	} rows[] = {
		{ "list", "{\"ids\":[\"nonsense\"]}", OPS_REFUSED },
		{ "list", "{\"ids\":[5]}", OPS_REFUSED },
		{ "list", "{\"tenant\":5}", OPS_USAGE },
		{ "list", "{\"tenant\":[]}", OPS_USAGE },
		{ "list", "{\"tenant\":[1]}", OPS_USAGE },
		{ "list", "{\"state\":\"delayed\"}", OPS_USAGE },
		{ "list", "{\"older\":\"4h\"}", OPS_USAGE },
		{ "list", "{\"limit\":0}", OPS_USAGE },
		{ "show", "{}", OPS_USAGE },
		{ "show", "{\"ids\":[\"*\"]}", OPS_USAGE },
		{ "cat", "{\"ids\":[\"nonsense\"]}", OPS_REFUSED },
		{ "why", "{}", OPS_USAGE },
		{ "why", "{\"name\":\"nobody\"}", OPS_REFUSED },
		{ "hold", "{\"ids\":[\"*\"]}", OPS_UNREACHABLE },
		{ "hold", "{\"dry_run\":true}", OPS_USAGE },
		{ "pause", "{\"tenant\":\"shop\"}", OPS_UNREACHABLE },
		{ "reload", "{}", OPS_UNREACHABLE },
		{ "source", "{}", OPS_REFUSED },
		{ "nonsense", "{}", OPS_USAGE },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer answer = ask_view(*state, rows[i].verb, rows[i].args);

		if (answer_exit(&answer) != rows[i].exit || !answer_message(&answer)[0])
			fail_msg("%s %s: exit %d, %s", rows[i].verb, rows[i].args, answer_exit(&answer), answer_message(&answer));
		answer_free(&answer);
	}
}

static void stats_add_up_per_destination_and_in_total(void **state)
{
	struct answer answer = ask_view(*state, "stats", "{}");
	char *names = answer_column(&answer, "destination");

	assert_string_equal(names, "a.example b.example c.example ");
	assert_int_equal(answer_number(&answer, 0, "waiting"), 2);
	assert_int_equal(answer_number(&answer, 1, "waiting"), 1);
	assert_int_equal(answer_number(&answer, 1, "deferred"), 1);
	assert_int_equal(answer_number(&answer, 2, "held"), 1);
	assert_true(json_is_true(json_object_get(json_array_get(answer.rows, 3), "total")));
	assert_int_equal(answer_number(&answer, 3, "waiting"), 3);
	assert_int_equal(answer_number(&answer, 3, "deferred"), 1);
	assert_int_equal(answer_number(&answer, 3, "held"), 1);
	assert_int_equal(answer_number(&answer, 3, "accepted"), 5);
	assert_int_equal(answer_number(&answer, 3, "messages"), 3);
	assert_true(json_is_true(json_object_get(json_array_get(answer.rows, 3), "complete")));
	free(names);
	answer_free(&answer);
}

static void cat_gives_every_byte(void **state)
{
	struct view *view = *state;
	char id[MSG_ID_TEXT], *args = xasprintf("{\"ids\":[\"%s\"]}", msg_id_format(view->second, id));
	struct answer answer = ask_view(view, "cat", args);
	size_t at = 0;

	assert_int_equal(answer_exit(&answer), OPS_DONE);
	assert_int_equal(json_array_size(answer.rows), 3);
	for (size_t i = 0; i < 3; i++) {
		const char *text = answer_text(&answer, i, "data");
		char *data = xcalloc(1, strlen(text) + 1);
		size_t len;

		assert_int_equal(base64_decode(text, strlen(text), data, &len), OK);
		for (size_t k = 0; k < len; k++, at++)
			if (data[k] != body_byte(view->second, at))
				fail_msg("byte %zu differs", at);
		free(data);
	}
	assert_int_equal(at, 2 * QUEUE_CHUNK + 5);
	free(args);
	answer_free(&answer);
}

static void show_tells_the_message_and_its_recipients(void **state)
{
	struct view *view = *state;
	char id[MSG_ID_TEXT], *args = xasprintf("{\"ids\":[\"%s\"]}", msg_id_format(view->second, id));
	struct answer answer = ask_view(view, "show", args);
	json_t *rcpt = json_array_get(json_object_get(json_array_get(answer.rows, 0), "recipients"), 0);

	assert_string_equal(answer_text(&answer, 0, "id"), id);
	assert_string_equal(answer_text(&answer, 0, "client"), "10.1.2.3 web.shop.example");
	assert_string_equal(json_string_value(json_object_get(rcpt, "relay")), "mx.b.example[192.0.2.1]:25");
	assert_string_equal(json_string_value(json_object_get(rcpt, "class")), "busy");
	free(args);
	answer_free(&answer);
}

static void header_fields_are_unfolded(void **state)
{
	static const char BODY[] = "Received: from x\r\n\tby y\r\nSUBJECT: one\r\n two\r\nFrom: a\xff@b\r\nSubject: second\r\n\r\nTo: not a header\r\n";
	static const char *const RCPT[] = { "x@y.example", NULL };
	struct view *view = *state;
	struct store_mail mail;
	msg_id mail_id = queue_new_id(view->store->queue);
	struct answer answer;
	char id[MSG_ID_TEXT], *args;
	json_t *headers;

	store_mail_init(&mail, mail_id, sizeof(BODY) - 1, RCPT);
	memcpy(mail.body, BODY, sizeof(BODY) - 1);
	assert_int_equal(store_do(view->store, QUEUE_ACCEPT, &mail.accept.req), OK);
	free(mail.body);
	args = xasprintf("{\"ids\":[\"%s\"]}", msg_id_format(mail_id, id));
	answer = ask_view(view, "show", args);
	headers = json_object_get(json_array_get(answer.rows, 0), "headers");
	assert_int_equal(json_object_size(headers), 2);
	assert_string_equal(json_string_value(json_object_get(headers, "Subject")), "one two");
	assert_string_equal(json_string_value(json_object_get(headers, "From")), "a\xef\xbf\xbd@b");
	free(args);
	answer_free(&answer);
}

static void why_without_a_daemon_says_so(void **state)
{
	static const char *const NAMES[] = { "b.example", "a", "shop" };

	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
		char *args = xasprintf("{\"name\":\"%s\"}", NAMES[i]);
		struct answer answer = ask_view(*state, "why", args);

		assert_int_equal(answer_exit(&answer), OPS_DONE);
		assert_true(json_array_size(answer.rows) > 1);
		assert_non_null(strstr(answer_text(&answer, 0, "line"), "no daemon is running"));
		free(args);
		answer_free(&answer);
	}
}

static void check_of_a_sound_store_finds_nothing(void **state)
{
	struct answer answer = ask_view(*state, "check", "{}");

	assert_int_equal(answer_exit(&answer), OPS_DONE);
	assert_int_equal(json_array_size(answer.rows), 0);
	assert_string_equal(answer_message(&answer), "3 messages, 5 recipients, 5 body chunks: 0 findings");
	answer_free(&answer);
}

static void a_dry_run_lists_and_changes_nothing(void **state)
{
	struct answer answer = ask_view(*state, "release", "{\"ids\":[\"*\"],\"dry_run\":true}");

	assert_int_equal(answer_exit(&answer), OPS_DONE);
	assert_int_equal(json_array_size(answer.rows), 1);
	assert_string_equal(answer_text(&answer, 0, "rcpt"), "eve@c.example");
	assert_string_equal(answer_message(&answer), "1 recipient would be changed, 4 are not held");
	answer_free(&answer);
	answer = ask_view(*state, "list", "{\"state\":\"held\"}");
	assert_int_equal(json_array_size(answer.rows), 1);
	answer_free(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(list_has_the_keys_that_tools_rely_on, setup, teardown),
		cmocka_unit_test_setup_teardown(filters_choose_recipients, setup, teardown),
		cmocka_unit_test_setup_teardown(ids_choose_messages_and_recipients, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_there_is_told_and_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_arguments_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(stats_add_up_per_destination_and_in_total, setup, teardown),
		cmocka_unit_test_setup_teardown(cat_gives_every_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(show_tells_the_message_and_its_recipients, setup, teardown),
		cmocka_unit_test_setup_teardown(header_fields_are_unfolded, setup, teardown),
		cmocka_unit_test_setup_teardown(why_without_a_daemon_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(check_of_a_sound_store_finds_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dry_run_lists_and_changes_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
