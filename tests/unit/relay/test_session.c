/* tests/unit/relay/test_session.c - the SMTP client's connections: which hosts, which security, one job after another, and how they end. */
#include "tests/unit/relay/session_world.h"

#include <sys/resource.h>

/* --- addresses and hosts ----------------------------------------------------------------------------------------------------------- */

static void next_host_is_tried_when_one_will_not_talk(void **state)
{
	const char *const *good = STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body", "< 250 ok", BYE);
	const struct row rows[] = {
		{ "greeting 554", { STEPS("< 554 no", "> QUIT"), good }, .want = "delivered 250 2.0.0 dot" },
		{ "greeting 421", { STEPS("< 421 busy", "eof"), good }, .want = "delivered 250 2.0.0 dot" },
		{ "EHLO 450", { STEPS("< 220 mx", "> EHLO*", "< 450 later", "> QUIT"), good }, .want = "delivered 250 2.0.0 dot" },
		{ "lost before the greeting", { STEPS("close"), STEPS("reset"), good }, .want = "delivered 250 2.0.0 dot" },
		{ "once MAIL was said, that host decides", { STEPS(HELLO, "> MAIL*", "< 450 later", BYE), STEPS("eof") },
		    .want = "deferred 450 4.1.0 mail message" },
		{ "every host refuses for good", { STEPS("< 554 no", "> QUIT"), STEPS("< 554 5.7.1 listed", "> QUIT") }, .want = "refused 554 5.7.1 greeting lane",
		    .reply = "listed", .ends = true },
		{ "one refuses for good, one for now", { STEPS("< 450 not now", "> QUIT"), STEPS("< 554 5.7.1 listed", "> QUIT") },
		    .want = "deferred 554 4.7.1 greeting lane", .ends = true },
		{ "the most telling failure is kept", { STEPS("< 220 mx", "> EHLO*", "< 450 4.7.1 later", "> QUIT"), STEPS("close") },
		    .want = "deferred 450 4.7.1 ehlo lane", .ends = true },
	};

	run_rows(state, rows, ARRAY_LEN(rows));
}

static void refused_connection_leads_to_the_next_host(void **state)
{
	struct session_world *w = *state;
	msg_id id = store_accept(&w->store, 100, ONE);
	const char *const *const scripts[] = { NULL, STEPS(HELLO, MAIL_OK, "> RCPT*", "< 550 no", BYE) };
	struct session_target target;
	struct route *route;
	struct delivery d;

	world_serve(w, scripts, 2);
	route = world_route(w, TLS_LEVEL_NONE);
	target = world_target(w, route);
	delivery_init(&d, id);
	w->session = session_open(&w->env, &target, &d);
	route_unref(&route);
	world_await_report(w);
	assert_string_equal(outcomes_text(&d), "refused 550 5.1.1 rcpt recipient");
	assert_true(strncmp(d.outcomes[0].relay, "mx2[127.0.0.2]:", 15) == 0);
	session_quit(w->session);
	world_await_end(w);
	w->reports = 0;
	delivery_fini(&d);
	world_join(w, "refused");
}

/* A delivery that ends without a word from a server. */
static void run_without_server(struct session_world *w, const struct ip_addr *local, enum conf_tls_level tls, struct delivery *d)
{
	msg_id id = store_accept(&w->store, 100, ONE);
	const char *const *const scripts[] = { NULL, NULL, NULL };
	struct session_target target;
	struct route *route;

	world_serve(w, scripts, 3);
	route = world_route(w, tls);
	target = world_target(w, route);
	target.local = *local;
	delivery_init(d, id);
	w->session = session_open(&w->env, &target, d);
	route_unref(&route);
	world_await_report(w);
	world_await_end(w);
	w->reports = 0;
	world_join(w, "no server");
}

static void nobody_listens(void **state)
{
	struct delivery d;

	run_without_server(*state, &(struct ip_addr){ 0 }, TLS_LEVEL_NONE, &d);
	assert_string_equal(outcomes_text(&d), "deferred 0 4.4.1 connect host");
	assert_non_null(strstr(d.outcomes[0].reply, "Connection refused"));
	assert_true(strncmp(d.outcomes[0].relay, "mx3[127.0.0.3]:", 15) == 0);
	assert_false(d.source_fails);
	delivery_fini(&d);
}

static void only_so_many_addresses_are_tried(void **state)
{
	struct session_world *w = *state;
	struct delivery d;

	w->conf->delivery.addresses = 2;
	run_without_server(w, &(struct ip_addr){ 0 }, TLS_LEVEL_NONE, &d);
	w->conf->delivery.addresses = 5;
	assert_true(strncmp(d.outcomes[0].relay, "mx2[127.0.0.2]:", 15) == 0);
	delivery_fini(&d);
}

static void missing_source_address_is_told_apart(void **state)
{
	struct ip_addr local;
	struct delivery d;

	assert_true(ip_parse("192.0.2.77", &local));
	run_without_server(*state, &local, TLS_LEVEL_NONE, &d);
	assert_string_equal(outcomes_text(&d), "deferred 0 4.3.5 connect source");
	assert_true(d.source_fails);
	delivery_fini(&d);
}

/* What we lack ourselves says nothing of the servers: nobody is blamed, the mail is given back. */
static void without_a_descriptor_left_nobody_is_blamed(void **state)
{
	struct session_world *w = *state;
	msg_id id = store_accept(&w->store, 100, ONE);
	const char *const *const scripts[] = { NULL, NULL };
	struct rlimit before, few;
	struct session_target target;
	struct route *route;
	struct delivery d;

	world_serve(w, scripts, ARRAY_LEN(scripts));
	route = world_route(w, TLS_LEVEL_NONE);
	target = world_target(w, route);
	delivery_init(&d, id);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){ .rlim_cur = 3, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	w->session = session_open(&w->env, &target, &d);
	route_unref(&route);
	world_await_report(w);
	world_await_end(w);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	w->reports = 0;
	assert_int_equal(d.outcomes[0].kind, OUTCOME_NONE);
	assert_int_equal(d.note_count, 0);
	assert_false(d.attempted);
	assert_false(d.source_fails);
	delivery_fini(&d);
	world_join(w, "no descriptors");
}

static void source_of_one_family_never_tries_the_other(void **state)
{
	struct ip_addr local;
	struct delivery d;

	assert_true(ip_parse("::1", &local));
	run_without_server(*state, &local, TLS_LEVEL_NONE, &d);
	assert_string_equal(outcomes_text(&d), "deferred 0 4.4.4 connect");
	assert_string_equal(d.outcomes[0].relay, "");
	delivery_fini(&d);
}

static void the_source_address_is_bound(void **state)
{
	struct session_world *w = *state;
	msg_id id = store_accept(&w->store, 100, ONE);
	const char *const *const scripts[] = { STEPS(HELLO, "> MAIL*", "< 550 no", BYE) };
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct session_target target;
	struct ip_port peer;
	struct route *route;
	struct delivery d;
	char text[IP_TEXT];

	world_serve(w, scripts, 1);
	route = world_route(w, TLS_LEVEL_NONE);
	target = world_target(w, route);
	assert_true(ip_parse("127.0.0.77", &target.local));
	delivery_init(&d, id);
	w->session = session_open(&w->env, &target, &d);
	route_unref(&route);
	world_await_report(w);
	assert_int_equal(getpeername(w->servers[0].fd, (struct sockaddr *)&sa, &len), 0);
	assert_true(ip_from_sockaddr((struct sockaddr *)&sa, &peer));
	assert_string_equal(ip_format(&peer.addr, text), "127.0.0.77");
	session_quit(w->session);
	world_await_end(w);
	w->reports = 0;
	delivery_fini(&d);
	world_join(w, "bound");
}

/* --- TLS --------------------------------------------------------------------------------------------------------------------------- */

static void tls_is_used_as_the_level_says(void **state)
{
#define REST MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body", "< 250 ok", BYE
	const struct row rows[] = {
		{ "opportunistic, offered", { STEPS(OFFER, "< 220 go", "tls", "> EHLO a.relay.test", "< 250 mx", REST) }, .tls = TLS_LEVEL_OPPORTUNISTIC,
		    .want = "delivered 250 2.0.0 dot", .tls_text = "TLSv1.3 TLS_" },
		{ "what was said in the clear is forgotten", { STEPS(HELLO_WITH("< 250-SIZE 1", "< 250 STARTTLS"), "> STARTTLS", "< 220 go", "tls",
			"> EHLO*", "< 250-mx", "< 250 STARTTLS", "> MAIL FROM:<from@shop.example>", "< 250 ok", "> RCPT*", "< 550 no", BYE) },
		    .tls = TLS_LEVEL_DANE, .want = "refused 550 5.1.1 rcpt recipient", .tls_text = "TLSv1.3" },
		{ "opportunistic, not offered", { STEPS(HELLO, REST) }, .tls = TLS_LEVEL_OPPORTUNISTIC, .want = "delivered 250 2.0.0 dot" },
		{ "none, offered", { STEPS(HELLO_WITH("< 250 STARTTLS"), REST) }, .tls = TLS_LEVEL_NONE, .want = "delivered 250 2.0.0 dot" },
		{ "opportunistic, refused", { STEPS(OFFER, "< 454 no", REST) }, .tls = TLS_LEVEL_OPPORTUNISTIC, .want = "delivered 250 2.0.0 dot" },
		{ "opportunistic, handshake fails: in the clear at the same address",
		    { STEPS(OFFER, "< 220 go", "piece 1", "close", "accept", HELLO_WITH("< 250 STARTTLS"), REST), STEPS("eof") },
		    .tls = TLS_LEVEL_OPPORTUNISTIC, .want = "delivered 250 2.0.0 dot" },
		{ "handshake and the clear both fail: next host",
		    { STEPS(OFFER, "< 220 go", "piece 1", "close", "accept", "< 450 no", "> QUIT"), STEPS(OFFER, "< 220 go", "tls", "> EHLO*", "< 250 mx", REST) },
		    .tls = TLS_LEVEL_OPPORTUNISTIC, .want = "delivered 250 2.0.0 dot", .tls_text = "TLSv1" },
		{ "required, offered", { STEPS(OFFER, "< 220 go", "tls", "> EHLO*", "< 250 mx", REST) }, .tls = TLS_LEVEL_REQUIRED,
		    .want = "delivered 250 2.0.0 dot", .tls_text = "TLSv1.3" },
		{ "required, not offered", { STEPS(HELLO, "> QUIT") }, .tls = TLS_LEVEL_REQUIRED, .want = "deferred 0 4.7.4 starttls host",
		    .reply = "TLS is required", .ends = true },
		{ "required, only HELO", { STEPS("< 220 mx", "> EHLO*", "< 500 what", "> HELO*", "< 250 mx", "> QUIT") }, .tls = TLS_LEVEL_REQUIRED,
		    .want = "deferred 0 4.7.4 starttls host", .ends = true },
		{ "required, refused", { STEPS(OFFER, "< 454 4.7.0 no", "> QUIT") }, .tls = TLS_LEVEL_REQUIRED,
		    .want = "deferred 454 4.7.0 starttls host", .ends = true },
		{ "required, handshake fails", { STEPS(OFFER, "< 220 go", "piece 1", "close") }, .tls = TLS_LEVEL_REQUIRED,
		    .want = "deferred 0 4.7.5 tls host", .ends = true },
		{ "verified, nobody knows who signed", { STEPS(OFFER, "< 220 go", "handshake fails") }, .tls = TLS_LEVEL_VERIFIED,
		    .want = "deferred 0 4.7.5 tls host", .reply = "certificate verify failed", .ends = true },
		{ "injected plain text", { STEPS(OFFER, "<< 220 go\r\n250 mx\r\n", "eof") }, .tls = TLS_LEVEL_REQUIRED,
		    .want = "deferred 0 4.7.5 tls host", .reply = "plain text", .ends = true },
	};

	run_rows(state, rows, ARRAY_LEN(rows));
}

/* --- one after another ------------------------------------------------------------------------------------------------------------------ */

static void several_messages_share_a_connection(void **state)
{
	struct session_world *w = *state;
	struct delivery d;

	open_session(w, STEPS(HELLO, TAKEN, TAKEN, MAIL_OK, "> RCPT*", "< 550 no", "> RSET", "< 250 ok", TAKEN, BYE), &d, store_accept(&w->store, 100, ONE));
	for (int i = 0; i < 4; i++) {
		if (i > 0) {
			delivery_init(&d, store_accept(&w->store, 100, ONE));
			session_next(w->session, &d);
		}
		world_await_report(w);
		assert_string_equal(outcomes_text(&d), i == 2 ? "refused 550 5.1.1 rcpt recipient" : "delivered 250 2.0.0 dot");
		assert_true(d.reusable);
		delivery_fini(&d);
	}
	session_quit(w->session);
	world_await_end(w);
	close_world(w, "several");
}

static void dead_idle_connection_is_nobodys_fault(void **state)
{
	const struct {
		const char *label;
		const char *const *steps;
	} rows[] = {
		{ "lost at MAIL", STEPS(HELLO, TAKEN, "> MAIL*", "close") },
		{ "421 at MAIL", STEPS(HELLO, TAKEN, "> MAIL*", "< 421 too late", "close") },
		{ "lost at RSET", STEPS(HELLO, MAIL_OK, "> RCPT*", "< 550 no", "> RSET", "close") },
	};
	struct session_world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct delivery d;

		open_session(w, rows[i].steps, &d, store_accept(&w->store, 100, ONE));
		world_await_report(w);
		assert_true(d.reusable);
		delivery_fini(&d);
		delivery_init(&d, store_accept(&w->store, 100, ONE));
		session_next(w->session, &d);
		world_await_report(w);
		if (d.attempted || d.reusable || strcmp(outcomes_text(&d), "untouched") != 0)
			fail_msg("%s: %s", rows[i].label, outcomes_text(&d));
		world_await_end(w);
		delivery_fini(&d);
		close_world(w, rows[i].label);
	}
}

static void idle_connection_that_speaks_or_closes_is_over(void **state)
{
	const struct {
		const char *label;
		const char *const *steps;
	} rows[] = {
		{ "closed", STEPS(HELLO, TAKEN, "close") },
		{ "421", STEPS(HELLO, TAKEN, "< 421 idle for too long", "eof") },
		{ "another reply", STEPS(HELLO, TAKEN, "< 250 again", "eof") },
	};
	struct session_world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct delivery d;

		open_session(w, rows[i].steps, &d, store_accept(&w->store, 100, ONE));
		world_await_report(w);
		assert_string_equal(outcomes_text(&d), "delivered 250 2.0.0 dot");
		world_await_end(w);
		assert_int_equal(w->reports, 1);
		delivery_fini(&d);
		close_world(w, rows[i].label);
	}
}

static void job_that_is_gone_needs_no_connection(void **state)
{
	struct session_world *w = *state;
	struct delivery d;

	open_session(w, STEPS("eof"), &d, queue_new_id(w->store.queue));
	world_await_report(w);
	assert_int_equal(d.load_error, ERR_NOT_FOUND);
	assert_null(d.job);
	assert_false(d.reusable);
	world_await_end(w);
	close_world(w, "gone");
}

static void job_that_is_gone_leaves_the_connection_usable(void **state)
{
	struct session_world *w = *state;
	struct delivery d;

	open_session(w, STEPS(HELLO, TAKEN, TAKEN, BYE), &d, store_accept(&w->store, 100, ONE));
	for (int i = 0; i < 3; i++) {
		if (i > 0) {
			delivery_init(&d, i == 1 ? queue_new_id(w->store.queue) : store_accept(&w->store, 100, ONE));
			session_next(w->session, &d);
		}
		if (w->reports == (unsigned)i) /* a job that is gone is reported at once */
			world_await_report(w);
		assert_string_equal(outcomes_text(&d), i == 1 ? "" : "delivered 250 2.0.0 dot");
		assert_true(d.reusable);
		delivery_fini(&d);
	}
	session_quit(w->session);
	world_await_end(w);
	close_world(w, "gone");
}

static void held_recipients_are_left_alone(void **state)
{
	struct session_world *w = *state;
	msg_id id = store_accept(&w->store, 100, TWO);
	struct queue_settle_item hold = { .op = SETTLE_HOLD, .rcpt = { .n = 0, .state = RCPT_HELD, .reason = "test" } };
	struct delivery d;

	assert_int_equal(store_settle(&w->store, id, UINT32_MAX, &hold, 1), OK);
	open_session(w, STEPS(HELLO, MAIL_OK, "> RCPT TO:<b@example.net>", "< 250 ok", "> DATA", "< 354 go", "body", "< 250 ok", BYE), &d, id);
	world_await_report(w);
	assert_string_equal(outcomes_text(&d), "untouched, delivered 250 2.0.0 dot");
	delivery_fini(&d);
	session_quit(w->session);
	world_await_end(w);
	close_world(w, "held");
}

/* --- stopping ------------------------------------------------------------------------------------------------------------------------------ */

/* Stop the session at the server's "pause". */
static void abort_at(struct session_world *w, const char *label, const char *const *steps, const char *want, bool attempted)
{
	struct delivery d;

	open_session(w, steps, &d, store_accept(&w->store, 100, ONE));
	loop_run(w->loop);
	assert_int_equal(w->reports, 0);
	session_abort(w->session);
	loop_run(w->loop); /* the reports have stopped it already */
	sem_post(&w->servers[0].go);
	if (w->reports != 1 || w->ends != 1 || d.reusable || d.attempted != attempted || (d.job ? strcmp(outcomes_text(&d), want) != 0 : want[0]))
		fail_msg("%s: %s, attempted %d", label, outcomes_text(&d), d.attempted);
	w->ends = 0;
	delivery_fini(&d);
	close_world(w, label);
}

static void abort_gives_mail_back_without_blame_unless_it_may_have_been_taken(void **state)
{
	struct session_world *w = *state;

	abort_at(w, "greeting", STEPS("pause", "eof"), "untouched", false);
	abort_at(w, "mail", STEPS(HELLO, "> MAIL*", "pause", "eof"), "untouched", false);
	abort_at(w, "data", STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "pause", "eof"), "untouched", false);
	abort_at(w, "dot", STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body", "pause", "eof"), "deferred 0 4.3.2 dot in-doubt", true);
}

static void abort_before_the_first_turn_and_when_idle(void **state)
{
	struct session_world *w = *state;
	struct delivery d;

	open_session(w, STEPS("eof"), &d, store_accept(&w->store, 100, ONE));
	session_abort(w->session);
	assert_int_equal(w->reports, 1);
	assert_false(d.attempted);
	w->ends = 0;
	loop_run(w->loop);
	close_world(w, "first turn");
	open_session(w, STEPS(HELLO, TAKEN, "> QUIT", "eof"), &d, store_accept(&w->store, 100, ONE));
	world_await_report(w);
	delivery_fini(&d);
	session_abort(w->session);
	world_await_end(w);
	for (int turn = 0; turn < 3; turn++) { /* QUIT leaves, the socket closes */
		loop_stop(w->loop);
		loop_run(w->loop);
	}
	close_world(w, "idle");
}

static void quit_during_a_delivery_ends_the_connection_after_it(void **state)
{
	struct session_world *w = *state;
	struct delivery d;

	open_session(w, STEPS(HELLO, TAKEN, BYE), &d, store_accept(&w->store, 100, ONE));
	session_quit(w->session);
	world_await_report(w);
	assert_string_equal(outcomes_text(&d), "delivered 250 2.0.0 dot");
	assert_false(d.reusable);
	delivery_fini(&d);
	world_await_end(w);
	close_world(w, "quit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_host_is_tried_when_one_will_not_talk),
		cmocka_unit_test(refused_connection_leads_to_the_next_host),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(only_so_many_addresses_are_tried),
		cmocka_unit_test(missing_source_address_is_told_apart),
		cmocka_unit_test(without_a_descriptor_left_nobody_is_blamed),
		cmocka_unit_test(source_of_one_family_never_tries_the_other),
		cmocka_unit_test(the_source_address_is_bound),
		cmocka_unit_test(tls_is_used_as_the_level_says),
		cmocka_unit_test(several_messages_share_a_connection),
		cmocka_unit_test(dead_idle_connection_is_nobodys_fault),
		cmocka_unit_test(idle_connection_that_speaks_or_closes_is_over),
		cmocka_unit_test(job_that_is_gone_needs_no_connection),
		cmocka_unit_test(job_that_is_gone_leaves_the_connection_usable),
		cmocka_unit_test(held_recipients_are_left_alone),
		cmocka_unit_test(abort_gives_mail_back_without_blame_unless_it_may_have_been_taken),
		cmocka_unit_test(abort_before_the_first_turn_and_when_idle),
		cmocka_unit_test(quit_during_a_delivery_ends_the_connection_after_it),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
