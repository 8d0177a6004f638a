/* tests/unit/relay/test_session_dialog.c - the SMTP dialog with scripted servers: what each reply, silence and loss means for each recipient. */
#include "tests/unit/relay/session_world.h"

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
		{ "refused in the body, and hung up at once", { STEPS(HELLO, MAIL_OK, "> RCPT*", "< 250 ok", "> DATA", "< 354 go", "piece 1000",
		  "< 552 5.3.4 too big", "reset") }, .size = LARGE, .want = "refused 552 5.3.4 body message", .ends = true },
		{ "refused in the body under TLS, and hung up at once", { STEPS(OFFER, "< 220 go", "tls", "> EHLO*", "< 250 mx", MAIL_OK, "> RCPT*", "< 250 ok",
		  "> DATA", "< 354 go", "piece 1000", "< 552 5.3.4 too big", "reset") }, .size = LARGE, .want = "refused 552 5.3.4 body message", .ends = true,
		  .tls = TLS_LEVEL_REQUIRED, .tls_text = "TLSv1.3" },
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
	static char endless[70000];
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
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
