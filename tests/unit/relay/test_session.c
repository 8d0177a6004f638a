/* tests/unit/relay/test_session.c - the SMTP client against scripted servers, with mail from a real queue. */
#include "tests/unit/relay/session_world.h"

#define HELLO "< 220 mx ready", "> EHLO a.relay.test", "< 250 mx"
#define HELLO_WITH(...) "< 220 mx ready", "> EHLO a.relay.test", "< 250-mx", __VA_ARGS__
#define MAIL_OK "> MAIL FROM:<from@shop.example>*", "< 250 2.1.0 ok"
#define BYE "> QUIT", "< 221 bye", "eof"

/* More than the sockets hold: the most that store_mail has room for. */
#define LARGE (64 * QUEUE_CHUNK)

#define STEPS(...) (const char *const[]){ __VA_ARGS__, NULL }

static const char *const ONE[] = { "a@example.net", NULL };
static const char *const TWO[] = { "a@example.net", "b@example.net", NULL };
static const char *const THREE[] = { "a@example.net", "b@example.net", "c@example.net", NULL };

/* Deliver one message over a connection of its own and compare. `size` bytes of body. */
struct row {
	const char *label;
	const char *const *steps[SERVERS_MAX];
	const char *const *rcpts;
	const char *want;    /* outcomes_text */
	const char *reply;   /* within the first outcome's reply; NULL: whatever */
	enum conf_tls_level tls;
	size_t size;
	bool ends;           /* the session ends by itself, with reusable false */
	bool unattempted;
	const char *tls_text; /* the report's begins so */
};

static void run_row(struct session_world *w, const struct row *row)
{
	msg_id id = store_accept(&w->store, row->size ? row->size : 100, row->rcpts ? row->rcpts : ONE);
	struct session_target target;
	struct delivery d;
	struct route *route;
	size_t count = 1;

	while (count < SERVERS_MAX && row->steps[count])
		count++;
	world_serve(w, row->steps, count);
	route = world_route(w, row->tls);
	target = world_target(w, route);
	delivery_init(&d, id);
	w->session = session_open(&w->env, &target, &d);
	route_unref(&route);
	assert_int_equal(w->reports, 0);
	world_await_report(w);
	if (strcmp(outcomes_text(&d), row->want) != 0)
		fail_msg("%s:\n got %s (%s)\nwant %s", row->label, outcomes_text(&d), d.outcomes ? d.outcomes[0].reply : "", row->want);
	if (row->reply && !strstr(d.outcomes[0].reply, row->reply))
		fail_msg("%s: reply %s", row->label, d.outcomes[0].reply);
	if (d.reusable == row->ends || d.attempted == row->unattempted)
		fail_msg("%s: reusable %d, attempted %d", row->label, d.reusable, d.attempted);
	if (strncmp(d.tls, row->tls_text ? row->tls_text : "", row->tls_text ? strlen(row->tls_text) : 1) != 0)
		fail_msg("%s: tls %s", row->label, d.tls);
	if (d.reusable)
		session_quit(w->session);
	world_await_end(w);
	w->reports = 0;
	delivery_fini(&d);
	world_join(w, row->label);
}

static void run_rows(void **state, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		run_row(*state, &rows[i]);
}

/* --- the dialog --------------------------------------------------------------------------------------------------------------- */

static void replies_decide_for_each_recipient(void **state)
{
	const struct row rows[] = {
		{ "plain", { STEPS(HELLO, MAIL_OK, "> RCPT TO:<a@example.net>", "< 250 ok", "> DATA", "< 354 go", "body", "< 250 2.0.0 taken", BYE) },
		    .want = "delivered 250 2.0.0 dot", .reply = "250 2.0.0 taken" },
		{ "no enhanced codes", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body", "< 451 later", BYE) },
		    .want = "deferred 451 4.0.0 dot message" },
		{ "mixed",
		    { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> RCPT*", "< 450 4.2.1 busy", "> RCPT*", "< 550 5.1.1 none", "> DATA", "< 354 go",
			"body", "< 250 ok", BYE) },
		    .rcpts = THREE, .want = "delivered 250 2.0.0 dot, deferred 450 4.2.1 rcpt recipient, refused 550 5.1.1 rcpt recipient" },
		{ "251 counts", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 251 will forward", "> DATA", "< 354 go", "body", "< 250 ok", BYE) },
		    .want = "delivered 250 2.0.0 dot" },
		{ "all refused, no DATA", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 550 no", "> RCPT*", "< 550 no", BYE) }, .rcpts = TWO,
		    .want = "refused 550 5.1.1 rcpt recipient, refused 550 5.1.1 rcpt recipient" },
		{ "MAIL refused", { STEPS(HELLO, "> MAIL*", "< 553 5.1.8 who are you", BYE) }, .rcpts = TWO,
		    .want = "refused 553 5.1.8 mail message, refused 553 5.1.8 mail message" },
		{ "MAIL deferred", { STEPS(HELLO, "> MAIL*", "< 451 wait", BYE) }, .want = "deferred 451 4.1.0 mail message" },
		{ "DATA refused", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 554 no", BYE) },
		    .want = "refused 554 5.0.0 data message" },
		{ "content refused", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body", "< 554 5.7.1 spam", BYE) },
		    .want = "refused 554 5.7.1 dot message" },
		{ "many lines", { STEPS("< 220-mx", "< 220-more", "< 220 last", "> EHLO*", "< 250-mx", "< 250 HELP", MAIL_OK, "> RCPT*",
			"< 550-5.1.1 no", "< 550 5.1.1 such", BYE) },
		    .want = "refused 550 5.1.1 rcpt recipient", .reply = "550 5.1.1 no / such" },
		{ "only HELO", { STEPS("< 220 mx", "> EHLO*", "< 502 what", "> HELO a.relay.test", "< 250 mx", "> MAIL FROM:<from@shop.example>", "< 250 ok",
			"> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body", "< 250 ok", BYE) },
		    .want = "delivered 250 2.0.0 dot" },
		{ "LF alone ends lines", { STEPS("<< 220 mx\n", "> EHLO*", "<< 250 mx\n", MAIL_OK, "> RCPT*", "< 550 no", BYE) },
		    .want = "refused 550 5.1.1 rcpt recipient" },
	};

	run_rows(state, rows, ARRAY_LEN(rows));
}

static void commands_are_pipelined_when_offered(void **state)
{
	const struct row rows[] = {
		{ "all in one write", { STEPS(HELLO_WITH("< 250 PIPELINING"), "> MAIL*", ">| RCPT TO:<a@*", ">| RCPT TO:<b@*", ">| DATA", "< 250 ok", "< 250 ok",
			"< 450 busy", "< 354 go", "body", "< 250 ok", BYE) }, .rcpts = TWO,
		    .want = "delivered 250 2.0.0 dot, deferred 450 4.1.1 rcpt recipient" },
		{ "MAIL refused", { STEPS(HELLO_WITH("< 250 PIPELINING"), "> MAIL*", ">| RCPT*", ">| DATA", "< 550 5.7.1 no", "< 503 what", "< 503 what", BYE) },
		    .want = "refused 550 5.7.1 mail message" },
		{ "MAIL refused, the rest taken", { STEPS(HELLO_WITH("< 250 PIPELINING"), "> MAIL*", ">| RCPT*", ">| DATA", "< 550 5.7.1 no", "< 250 ok",
			"< 354 go", "> .", "< 250 what", BYE) },
		    .want = "refused 550 5.7.1 mail message" },
		{ "nobody accepted, DATA taken", { STEPS(HELLO_WITH("< 250 PIPELINING"), "> MAIL*", ">| RCPT*", ">| DATA", "< 250 ok", "< 550 no", "< 354 go", "> .",
			"< 250 empty", BYE) },
		    .want = "refused 550 5.1.1 rcpt recipient" },
		{ "nobody accepted, DATA refused", { STEPS(HELLO_WITH("< 250 PIPELINING"), "> MAIL*", ">| RCPT*", ">| DATA", "< 250 ok", "< 550 no", "< 554 nobody",
			BYE) },
		    .want = "refused 550 5.1.1 rcpt recipient" },
		{ "421 in the middle", { STEPS(HELLO_WITH("< 250 PIPELINING"), "> MAIL*", ">| RCPT*", ">| RCPT*", ">| DATA", "< 250 ok", "< 550 no", "< 421 bye", "close") },
		    .rcpts = TWO, .want = "refused 550 5.1.1 rcpt recipient, deferred 421 4.3.2 rcpt lane", .ends = true },
	};

	run_rows(state, rows, ARRAY_LEN(rows));
}

static void server_limits_are_kept(void **state)
{
	const struct row rows[] = {
		{ "too many recipients: the rest goes next time", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> RCPT*", "< 452 4.5.3 too many", "> RCPT*",
			"< 452 too many", "> DATA", "< 354 go", "body", "< 250 ok", BYE) },
		    .rcpts = THREE, .want = "delivered 250 2.0.0 dot, untouched, untouched" },
		{ "452 for the first is a deferral", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 452 4.5.3 too many", BYE) },
		    .want = "deferred 452 4.5.3 rcpt recipient" },
		{ "full mailbox is not too many", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> RCPT*", "< 452 4.2.2 full", "> DATA", "< 354 go", "body",
			"< 250 ok", BYE) },
		    .rcpts = TWO, .want = "delivered 250 2.0.0 dot, deferred 452 4.2.2 rcpt recipient" },
		{ "LIMITS RCPTMAX", { STEPS(HELLO_WITH("< 250 LIMITS RCPTMAX=2"), MAIL_OK, "> RCPT*", "< 250 ok", "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body",
			"< 250 ok", BYE) },
		    .rcpts = THREE, .want = "delivered 250 2.0.0 dot, delivered 250 2.0.0 dot, untouched" },
		{ "LIMITS MAILMAX ends the connection", { STEPS(HELLO_WITH("< 250 LIMITS MAILMAX=1"), MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go",
			"body", "< 250 ok", BYE) },
		    .want = "delivered 250 2.0.0 dot", .ends = true },
		{ "larger than SIZE", { STEPS(HELLO_WITH("< 250 SIZE 99"), BYE) }, .rcpts = TWO,
		    .want = "refused 0 5.3.4 mail message, refused 0 5.3.4 mail message", .reply = "100 bytes" },
		{ "SIZE and 8BITMIME are said", { STEPS(HELLO_WITH("< 250-SIZE 100", "< 250 8BITMIME"), "> MAIL FROM:<from@shop.example> SIZE=100 BODY=8BITMIME",
			"< 550 no", BYE) },
		    .want = "refused 550 5.1.0 mail message" },
		{ "SIZE without a limit", { STEPS(HELLO_WITH("< 250 SIZE"), "> MAIL FROM:<from@shop.example> SIZE=100", "< 550 no", BYE) },
		    .want = "refused 550 5.1.0 mail message" },
		{ "SMTPUTF8 is not there", { STEPS(HELLO, BYE) }, .rcpts = (const char *const[]){ "\xc3\xbc@example.net", NULL },
		    .want = "refused 0 5.6.7 mail message" },
		{ "SMTPUTF8 is there", { STEPS(HELLO_WITH("< 250 SMTPUTF8"), "> MAIL FROM:<from@shop.example> SMTPUTF8", "< 250 ok", "> RCPT TO:<\xc3\xbc@example.net>",
			"< 550 no", BYE) },
		    .rcpts = (const char *const[]){ "\xc3\xbc@example.net", NULL }, .want = "refused 550 5.1.1 rcpt recipient" },
	};

	run_rows(state, rows, ARRAY_LEN(rows));
}

/* --- trouble -------------------------------------------------------------------------------------------------------------------- */

static void lost_connections_defer_and_name_the_stage(void **state)
{
	const struct row rows[] = {
		{ "before the greeting", { STEPS("close") }, .want = "deferred 0 4.4.2 greeting host", .reply = "stage greeting", .ends = true },
		{ "after EHLO", { STEPS("< 220 mx", "> EHLO*", "close") }, .want = "deferred 0 4.4.2 ehlo host", .ends = true },
		{ "after MAIL", { STEPS(HELLO, "> MAIL*", "close") }, .want = "deferred 0 4.4.2 mail host", .ends = true },
		{ "after RCPT, one refused before", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 550 no", "> RCPT*", "reset") }, .rcpts = TWO,
		    .want = "refused 550 5.1.1 rcpt recipient, deferred 0 4.4.2 rcpt host", .ends = true },
		{ "after DATA", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "close") }, .want = "deferred 0 4.4.2 data host", .ends = true },
		{ "in the body", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "piece 1000", "reset") }, .size = LARGE,
		    .want = "deferred 0 4.4.2 body message", .ends = true },
		{ "after the dot", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body", "close") },
		    .want = "deferred 0 4.4.2 dot message in-doubt", .reply = "stage dot", .ends = true },
		{ "421 to MAIL", { STEPS(HELLO, "> MAIL*", "< 421 4.7.0 slow down", "close") }, .want = "deferred 421 4.7.0 mail lane", .ends = true },
		{ "421 after the dot", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body", "< 421 bye", "close") },
		    .want = "deferred 421 4.3.2 dot lane", .ends = true },
		{ "verdict before the end", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "piece 1000", "< 552 5.3.4 too big", "stall") },
		    .size = LARGE, .want = "refused 552 5.3.4 body message", .ends = true },
	};

	run_rows(state, rows, ARRAY_LEN(rows));
}

static void what_is_no_smtp_ends_the_connection(void **state)
{
	static char endless[3000];
	const struct row rows[] = {
		{ "no code", { STEPS("< hello") }, .want = "deferred 0 4.5.0 greeting host", .reply = "protocol error", .ends = true },
		{ "HTTP", { STEPS("< 220 mx", "> EHLO*", "< HTTP/1.1 400 Bad Request", "eof") }, .want = "deferred 0 4.5.0 ehlo host", .ends = true },
		{ "code changes", { STEPS(HELLO, "> MAIL*", "< 250-one", "< 251 two", "eof") }, .want = "deferred 0 4.5.0 mail host", .ends = true },
		{ "endless line", { STEPS(HELLO, MAIL_OK, "> RCPT*", endless, "eof") }, .want = "deferred 0 4.5.0 rcpt host", .reply = "too long", .ends = true },
		{ "354 to MAIL", { STEPS(HELLO, "> MAIL*", "< 354 go", "eof") }, .want = "deferred 0 4.5.0 mail host", .ends = true },
		{ "250 to DATA", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 250 ok", "eof") }, .want = "deferred 0 4.5.0 data host", .ends = true },
		{ "250 in the body", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "piece 10", "< 250 ok", "stall") }, .size = LARGE,
		    .want = "deferred 0 4.5.0 body host", .ends = true },
	};

	memcpy(endless, "< 250 ", 6);
	memset(endless + 6, 'x', sizeof(endless) - 7);
	run_rows(state, rows, ARRAY_LEN(rows));
}

static void reply_with_too_many_lines_is_given_up(void **state)
{
	struct session_world *w = *state;
	const struct row row = { "lines", { STEPS("< 220 mx", "> EHLO*", "< 250-1", "< 250-2", "< 250-3", "< 250-4", "eof") },
		.want = "deferred 0 4.5.0 ehlo host", .ends = true };

	w->conf->delivery.reply_lines = 3;
	run_row(w, &row);
	w->conf->delivery.reply_lines = 100;
}

static void each_stage_has_its_deadline(void **state)
{
	struct session_world *w = *state;
	const struct conf_timeouts before = w->conf->delivery.timeouts;
	struct conf_timeouts *t = &w->conf->delivery.timeouts;
	const struct {
		int64_t *timeout;
		struct row row;
	} rows[] = {
		{ &t->greeting_ms, { "greeting", { STEPS("eof") }, .want = "deferred 0 4.4.2 greeting host", .reply = "timeout", .ends = true } },
		{ &t->helo_ms, { "ehlo", { STEPS("< 220 mx", "> EHLO*", "< 250-mx", "> QUIT") }, .want = "deferred 0 4.4.2 ehlo host", .ends = true } },
		{ &t->mail_ms, { "mail", { STEPS(HELLO, "> MAIL*", "eof") }, .want = "deferred 0 4.4.2 mail host", .ends = true } },
		{ &t->rcpt_ms, { "rcpt", { STEPS(HELLO, MAIL_OK, "> RCPT*", "eof") }, .want = "deferred 0 4.4.2 rcpt host", .ends = true } },
		{ &t->data_ms, { "data", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "eof") }, .want = "deferred 0 4.4.2 data host", .ends = true } },
		{ &t->dot_ms, { "dot", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body", "eof") },
		    .want = "deferred 0 4.4.2 dot host in-doubt", .ends = true } },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		*rows[i].timeout = 60;
		if (i == 1) /* no good-bye after a deadline */
			((const char **)rows[i].row.steps[0])[3] = "eof";
		run_row(w, &rows[i].row);
		*t = before;
	}
}

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
	assert_false(d.source_missing);
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
	assert_true(d.source_missing);
	delivery_fini(&d);
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

static void verified_mail_waits_while_nothing_can_verify(void **state)
{
	struct delivery d;

	run_without_server(*state, &(struct ip_addr){ 0 }, TLS_LEVEL_VERIFIED, &d);
	assert_string_equal(outcomes_text(&d), "deferred 0 4.7.5 policy");
	assert_non_null(strstr(d.outcomes[0].reply, "not available yet"));
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
#define OFFER HELLO_WITH("< 250 STARTTLS"), "> STARTTLS"
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
		{ "injected plain text", { STEPS(OFFER, "<< 220 go\r\n250 mx\r\n", "eof") }, .tls = TLS_LEVEL_REQUIRED,
		    .want = "deferred 0 4.7.5 tls host", .reply = "plain text", .ends = true },
	};

	run_rows(state, rows, ARRAY_LEN(rows));
}

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

/* --- one after another ------------------------------------------------------------------------------------------------------------------ */

static void open_session(struct session_world *w, const char *const *steps, struct delivery *d, msg_id id)
{
	const char *const *const scripts[] = { steps };
	struct session_target target;
	struct route *route;

	world_serve(w, scripts, 1);
	route = world_route(w, TLS_LEVEL_NONE);
	target = world_target(w, route);
	delivery_init(d, id);
	w->session = session_open(&w->env, &target, d);
	route_unref(&route);
}

static void close_world(struct session_world *w, const char *label)
{
	w->reports = 0;
	world_join(w, label);
}

static void several_messages_share_a_connection(void **state)
{
	struct session_world *w = *state;
#define TAKEN MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "body", "< 250 ok"
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

static void job_that_is_gone_leaves_the_connection_usable(void **state)
{
	struct session_world *w = *state;
	struct delivery d;

	open_session(w, STEPS(HELLO, TAKEN, BYE), &d, queue_new_id(w->store.queue));
	world_await_report(w);
	assert_int_equal(d.load_error, ERR_NOT_FOUND);
	assert_null(d.job);
	assert_true(d.reusable);
	delivery_init(&d, store_accept(&w->store, 100, ONE));
	session_next(w->session, &d);
	world_await_report(w);
	assert_string_equal(outcomes_text(&d), "delivered 250 2.0.0 dot");
	delivery_fini(&d);
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

	abort_at(w, "greeting", STEPS("pause", "eof"), "", false);
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
		cmocka_unit_test(replies_decide_for_each_recipient),
		cmocka_unit_test(commands_are_pipelined_when_offered),
		cmocka_unit_test(server_limits_are_kept),
		cmocka_unit_test(lost_connections_defer_and_name_the_stage),
		cmocka_unit_test(what_is_no_smtp_ends_the_connection),
		cmocka_unit_test(reply_with_too_many_lines_is_given_up),
		cmocka_unit_test(each_stage_has_its_deadline),
		cmocka_unit_test(next_host_is_tried_when_one_will_not_talk),
		cmocka_unit_test(refused_connection_leads_to_the_next_host),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(only_so_many_addresses_are_tried),
		cmocka_unit_test(missing_source_address_is_told_apart),
		cmocka_unit_test(source_of_one_family_never_tries_the_other),
		cmocka_unit_test(verified_mail_waits_while_nothing_can_verify),
		cmocka_unit_test(the_source_address_is_bound),
		cmocka_unit_test(tls_is_used_as_the_level_says),
		cmocka_unit_test(dots_are_stuffed_and_the_end_is_a_line_of_its_own),
		cmocka_unit_test(large_body_arrives_byte_for_byte),
		cmocka_unit_test(large_body_arrives_byte_for_byte_over_tls),
		cmocka_unit_test(truncated_message_is_never_ended_by_a_dot),
		cmocka_unit_test(body_that_nobody_takes_times_out),
		cmocka_unit_test(several_messages_share_a_connection),
		cmocka_unit_test(dead_idle_connection_is_nobodys_fault),
		cmocka_unit_test(idle_connection_that_speaks_or_closes_is_over),
		cmocka_unit_test(job_that_is_gone_leaves_the_connection_usable),
		cmocka_unit_test(held_recipients_are_left_alone),
		cmocka_unit_test(abort_gives_mail_back_without_blame_unless_it_may_have_been_taken),
		cmocka_unit_test(abort_before_the_first_turn_and_when_idle),
		cmocka_unit_test(quit_during_a_delivery_ends_the_connection_after_it),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
