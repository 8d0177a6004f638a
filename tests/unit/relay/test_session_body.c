/* tests/unit/relay/test_session_body.c - the message itself on its way from a real queue to a scripted server. */
#include "tests/unit/relay/session_world.h"

/* --- the body ------------------------------------------------------------------------------------------------------------------------ */

/* Store `content` as a message, deliver it, and see what came over the wire, up to and with the final dot. */
static void body_arrives_as(struct session_world *w, const char *label, const char *content, size_t size, const char *want, size_t want_len,
    bool tls)
{
	struct store_mail m;
	msg_id id = queue_new_id(w->store.queue);
	const char *const *const scripts[] = { tls ?
		STEPS(OFFER, "< 220 go", "tls", "> EHLO*", "< 250 mx", MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body", "< 250 ok", BYE) :
		STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body", "< 250 ok", BYE) };
	struct session_target target;
	struct route *route;
	struct delivery d;

	store_mail_init(&m, id, size, ONE);
	memcpy(m.body, content, size);
	assert_int_equal(store_do(&w->store, QUEUE_ACCEPT, &m.accept.req), OK);
	world_serve(w, scripts, 1);
	route = world_route(w, tls ? TLS_LEVEL_REQUIRED : TLS_LEVEL_NONE);
	target = world_target(w, route);
	delivery_init(&d, id);
	w->session = session_open(&w->env, &target, &d);
	route_unref(&route);
	world_await_report(w);
	if (strcmp(outcomes_text(&d), "delivered 250 2.0.0 dot") != 0)
		fail_msg("%s: %s %s", label, outcomes_text(&d), w->servers[0].error);
	if (w->servers[0].body_len != want_len || memcmp(w->servers[0].body, want, want_len) != 0)
		fail_msg("%s: %zu bytes came, %zu wanted", label, w->servers[0].body_len, want_len);
	session_quit(w->session);
	world_await_end(w);
	w->reports = 0;
	delivery_fini(&d);
	free(m.body);
	world_join(w, label);
}

static void dots_are_stuffed_and_the_end_is_a_line_of_its_own(void **state)
{
	static const struct {
		const char *label, *content, *want;
	} rows[] = {
		{ "plain", "Subject: x\r\n\r\nhello\r\n", "Subject: x\r\n\r\nhello\r\n.\r\n" },
		{ "dots", ".\r\n..\r\na.b\r\n.c\r\n", "..\r\n...\r\na.b\r\n..c\r\n.\r\n" },
		{ "no line end", "a\r\n.b", "a\r\n..b\r\n.\r\n" },
		{ "no line end after a dot", "a\r\n.", "a\r\n..\r\n.\r\n" },
		{ "empty lines", "\r\n\r\n", "\r\n\r\n.\r\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		body_arrives_as(*state, rows[i].label, rows[i].content, strlen(rows[i].content), rows[i].want, strlen(rows[i].want), false);
}

/* Lines of 64 bytes, each with a dot in front, so that chunks end anywhere in them. */
static void large_body(void **state, bool tls)
{
	enum { LINES = 30000, LINE = 64 };
	char *content = xcalloc(LINES, LINE), *want = xcalloc(LINES + 1, LINE + 1);
	size_t want_len = 0;

	for (size_t i = 0; i < LINES; i++) {
		char line[LINE + 1];

		snprintf(line, sizeof(line), "%s%059zu\r\n", i % 3 == 0 ? ".." : i % 3 == 1 ? ".a" : "ab", i);
		memcpy(content + i * (LINE - 1), line, LINE - 1);
		if (i % 3 < 2)
			want[want_len++] = '.';
		memcpy(want + want_len, line, LINE - 1);
		want_len += LINE - 1;
	}
	memcpy(want + want_len, ".\r\n", 3);
	body_arrives_as(*state, "large", content, (size_t)LINES * (LINE - 1), want, want_len + 3, tls);
	free(content);
	free(want);
}

static void large_body_arrives_byte_for_byte(void **state)
{
	large_body(state, false);
}

static void large_body_arrives_byte_for_byte_over_tls(void **state)
{
	large_body(state, true);
}

/* The operator drops a message in the middle of its delivery: its chunks are gone. */
static void truncated_message_is_never_ended_by_a_dot(void **state)
{
	struct session_world *w = *state;
	const char *const *const scripts[] = { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "piece 1000", "pause", "body") };
	struct queue_settle_item drop = { .op = SETTLE_DROPPED };
	msg_id id = store_accept(&w->store, LARGE, ONE);
	struct session_target target;
	struct route *route;
	struct delivery d;

	world_serve(w, scripts, 1);
	route = world_route(w, TLS_LEVEL_NONE);
	target = world_target(w, route);
	delivery_init(&d, id);
	w->session = session_open(&w->env, &target, &d);
	route_unref(&route);
	loop_run(w->loop);
	assert_int_equal(w->reports, 0);
	assert_int_equal(store_settle(&w->store, id, UINT32_MAX, &drop, 1), OK);
	sem_post(&w->servers[0].go);
	world_await_report(w);
	assert_string_equal(outcomes_text(&d), "deferred 0 4.3.0 body");
	assert_non_null(strstr(d.outcomes[0].reply, "cannot be read from the store"));
	assert_false(d.reusable);
	world_await_end(w);
	w->reports = 0;
	delivery_fini(&d);
	pthread_join(w->servers[0].thread, NULL);
	assert_non_null(strstr(w->servers[0].error, "the client hung up"));
	w->servers[0].error[0] = '\0';
	w->servers[0].steps = NULL;
	world_join(w, "truncated");
}

static void body_that_nobody_takes_times_out(void **state)
{
	struct session_world *w = *state;
	const struct conf_timeouts before = w->conf->delivery.timeouts;
	const struct row row = { "stall", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "stall") }, .size = LARGE,
		.want = "deferred 0 4.4.2 body host", .reply = "timeout", .ends = true };

	w->conf->delivery.timeouts.block_ms = 100;
	run_row(w, &row);
	w->conf->delivery.timeouts = before;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dots_are_stuffed_and_the_end_is_a_line_of_its_own),
		cmocka_unit_test(large_body_arrives_byte_for_byte),
		cmocka_unit_test(large_body_arrives_byte_for_byte_over_tls),
		cmocka_unit_test(truncated_message_is_never_ended_by_a_dot),
		cmocka_unit_test(body_that_nobody_takes_times_out),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
