/* tests/unit/relay/test_session_form.c - in which form the client hands a message on: BDAT, BINARYMIME, DSN parameters, REQUIRETLS. */
#include "tests/unit/relay/session_world.h"

/* A message as intake stores it, to TWO or fewer. */
struct form {
	const char *label;
	const char *const *steps;
	const char *want, *reply;
	const char *body; /* that must have come; NULL: whatever */
	uint32_t flags;
	size_t size;      /* of a body of letters; 0: `body` is the body */
	enum conf_tls_level tls;
	bool passes_dsn, ends;
	bool known;       /* the server's certificate is one to believe in */
	bool insecure;    /* MX records that nobody vouches for led here */
	const char *sender, *orcpt; /* NULL: the usual one; of the second recipient */
};

static msg_id store_form(struct session_world *w, const struct form *form)
{
	size_t size = form->size > 0 ? form->size : strlen(form->body);
	msg_id id = queue_new_id(w->store.queue);
	struct store_mail m;

	store_mail_init(&m, id, size, TWO);
	if (form->size == 0)
		memcpy(m.body, form->body, size);
	m.accept.message.flags = form->flags;
	m.accept.message.envid = "job+2B17";
	m.rcpts[0].notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
	m.rcpts[1].orcpt = form->orcpt ? form->orcpt : "rfc822;b+2Bx@example.net";
	m.accept.message.sender = form->sender ? form->sender : m.accept.message.sender;
	assert_int_equal(store_do(&w->store, QUEUE_ACCEPT, &m.accept.req), OK);
	free(m.body);
	return id;
}

static void check_body(const struct session_world *w, const struct form *form)
{
	const struct server *server = &w->servers[0];

	if (form->body && (server->body_len != strlen(form->body) || memcmp(server->body, form->body, server->body_len) != 0))
		fail_msg("%s: came: %.*s", form->label, (int)server->body_len, server->body);
}

/* Its certificate is its own authority, and names it. */
static void know_server(struct session_world *w, struct route *route)
{
	struct err_detail why;

	tls_client_unref(&w->tls);
	w->tls = tls_client_load(w->certificate.cert, &why);
	assert_non_null(w->tls);
	free(route->hosts[0].name);
	route->hosts[0].name = xstrdup("relay.test");
}

static void run_form(struct session_world *w, const struct form *form)
{
	msg_id id = store_form(w, form);
	const char *const *const scripts[] = { form->steps };
	struct session_target target;
	struct route *route;
	struct delivery d;

	world_serve(w, scripts, 1);
	route = world_route(w, form->tls);
	route->from_mx = form->insecure;
	if (form->known)
		know_server(w, route);
	target = world_target(w, route);
	delivery_init(&d, id);
	w->session = session_open(&w->env, &target, &d);
	route_unref(&route);
	world_await_report(w);
	if (strcmp(outcomes_text(&d), form->want) != 0)
		fail_msg("%s:\n got %s (%s; %s)\nwant %s", form->label, outcomes_text(&d), d.outcomes[0].reply, w->servers[0].error, form->want);
	if (form->reply && !strstr(d.outcomes[0].reply, form->reply))
		fail_msg("%s: reply %s", form->label, d.outcomes[0].reply);
	if (d.passes_dsn != form->passes_dsn || d.reusable == form->ends)
		fail_msg("%s: passes_dsn %d, reusable %d", form->label, d.passes_dsn, d.reusable);
	check_body(w, form);
	if (d.reusable)
		session_quit(w->session);
	world_await_end(w);
	w->reports = 0;
	delivery_fini(&d);
	world_join(w, form->label);
}

#define BOTH      "delivered 250 2.0.0 dot, delivered 250 2.0.0 dot"
#define RCPTS     "> RCPT*", "< 250 ok", "> RCPT*", "< 250 ok"
#define OFFERS(x) HELLO_WITH("< 250 " x)

static void content_goes_by_bdat_where_that_pays(void **state)
{
	static const char odd[] = "a\n.\r\nb\r.\r\n.";
	const struct form forms[] = {
		{ .label = "8-bit", .steps = STEPS(OFFERS("CHUNKING"), MAIL_OK, RCPTS, "> BDAT 12 LAST", "piece 12", "< 250 ok", BYE),
		  .want = BOTH, .body = "x: y\r\n\r\n.z\r\n", .flags = MSG_8BIT },
		{ .label = "large", .steps = STEPS(OFFERS("CHUNKING"), MAIL_OK, RCPTS, "> BDAT 4193280 LAST", "piece 4193280", "< 250 ok", BYE),
		  .want = BOTH, .size = LARGE },
		{ .label = "small and 7-bit", .steps = STEPS(OFFERS("CHUNKING"), MAIL_OK, RCPTS, "> DATA", "< 354 go", "body", "< 250 ok", BYE),
		  .want = BOTH, .size = 100 },
		{ .label = "not offered", .steps = STEPS(HELLO, MAIL_OK, RCPTS, "> DATA", "< 354 go", "body", "< 250 ok", BYE), .want = BOTH, .size = 100,
		  .flags = MSG_8BIT },
		{ .label = "binary", .steps = STEPS(HELLO_WITH("< 250-BINARYMIME", "< 250-8BITMIME", "< 250 CHUNKING"),
		  "> MAIL FROM:<from@shop.example> BODY=BINARYMIME", "< 250 ok", RCPTS, "> BDAT 11 LAST", "piece 11", "< 250 ok", BYE),
		  .want = BOTH, .body = odd, .flags = MSG_8BIT | MSG_BINARY },
		{ .label = "8-bit, nobody signed it", .steps = STEPS(HELLO, "> MAIL FROM:<from@shop.example>", "< 250 ok", RCPTS, "> DATA", "< 354 go", "body",
		  "< 250 ok", BYE), .want = BOTH, .size = 100, .flags = MSG_8BIT | MSG_HIGH_BYTES },
		{ .label = "8-bit is said, but it is 7-bit", .steps = STEPS(HELLO, MAIL_OK, RCPTS, "> DATA", "< 354 go", "body", "< 250 ok", BYE), .want = BOTH,
		  .size = 100, .flags = MSG_8BIT | MSG_SIGNED },
		{ .label = "8-bit and signed", .steps = STEPS(OFFERS("8BITMIME"), MAIL_OK, RCPTS, "> DATA", "< 354 go", "body", "< 250 ok", BYE), .want = BOTH,
		  .size = 100, .flags = MSG_8BIT | MSG_HIGH_BYTES | MSG_SIGNED },
		{ .label = "8-bit and signed, no 8BITMIME", .steps = STEPS(HELLO, BYE), .size = 100, .flags = MSG_8BIT | MSG_HIGH_BYTES | MSG_SIGNED,
		  .want = "refused 0 5.6.3 mail message, refused 0 5.6.3 mail message", .reply = "break the signature" },
		{ .label = "binary, no BINARYMIME", .steps = STEPS(OFFERS("CHUNKING"), BYE), .flags = MSG_BINARY, .size = 10,
		  .want = "refused 0 5.6.3 mail message, refused 0 5.6.3 mail message" },
		{ .label = "binary, no CHUNKING", .steps = STEPS(OFFERS("BINARYMIME"), BYE), .flags = MSG_BINARY, .size = 10,
		  .want = "refused 0 5.6.3 mail message, refused 0 5.6.3 mail message" },
		{ .label = "refused by all", .steps = STEPS(OFFERS("CHUNKING"), MAIL_OK, "> RCPT*", "< 550 no", "> RCPT*", "< 550 no", BYE), .flags = MSG_8BIT,
		  .size = 10, .want = "refused 550 5.1.1 rcpt recipient, refused 550 5.1.1 rcpt recipient" },
		{ .label = "refused by one, pipelined", .steps = STEPS(HELLO_WITH("< 250-PIPELINING", "< 250 CHUNKING"), "> MAIL*", ">| RCPT*", ">| RCPT*",
		  "< 250 ok", "< 550 no", "< 250 ok", "> BDAT 10 LAST", "piece 10", "< 250 ok", BYE), .flags = MSG_8BIT,
		  .size = 10, .want = "refused 550 5.1.1 rcpt recipient, delivered 250 2.0.0 dot" },
		{ .label = "MAIL refused, pipelined", .steps = STEPS(HELLO_WITH("< 250-PIPELINING", "< 250 CHUNKING"), "> MAIL*", ">| RCPT*", ">| RCPT*",
		  "< 451 no", "< 503 no", "< 503 no", BYE), .flags = MSG_8BIT,
		  .size = 10, .want = "deferred 451 4.1.0 mail message, deferred 451 4.1.0 mail message" },
		{ .label = "content refused", .steps = STEPS(OFFERS("CHUNKING"), MAIL_OK, RCPTS, "> BDAT 10 LAST", "piece 10", "< 554 spam", BYE),
		  .flags = MSG_8BIT, .size = 10, .want = "refused 554 5.0.0 dot message, refused 554 5.0.0 dot message" },
		{ .label = "refused in the middle", .steps = STEPS(OFFERS("CHUNKING"), MAIL_OK, RCPTS, "> BDAT*", "piece 1000", "< 552 too much", "stall"),
		  .size = LARGE, .want = "refused 552 5.0.0 body message, refused 552 5.0.0 body message", .ends = true },
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		run_form(*state, &forms[i]);
}

static void wishes_for_reports_are_handed_on(void **state)
{
	const struct form forms[] = {
		{ .label = "offered", .steps = STEPS(OFFERS("DSN"), "> MAIL FROM:<from@shop.example> RET=HDRS ENVID=job+2B17", "< 250 ok",
		  "> RCPT TO:<a@example.net> NOTIFY=SUCCESS,DELAY", "< 250 ok", "> RCPT TO:<b@example.net> ORCPT=rfc822;b+2Bx@example.net", "< 250 ok",
		  "> DATA", "< 354 go", "body", "< 250 ok", BYE), .want = BOTH, .size = 100, .flags = MSG_RET_HDRS, .passes_dsn = true },
		{ .label = "not offered", .steps = STEPS(HELLO, "> MAIL FROM:<from@shop.example>", "< 250 ok", "> RCPT TO:<a@example.net>", "< 250 ok",
		  "> RCPT TO:<b@example.net>", "< 250 ok", "> DATA", "< 354 go", "body", "< 250 ok", BYE), .want = BOTH, .size = 100,
		  .flags = MSG_RET_HDRS },
		{ .label = "an original recipient beyond ASCII, where SMTPUTF8 is not in use", .steps = STEPS(HELLO_WITH("< 250-SMTPUTF8", "< 250 DSN"),
		  "> MAIL FROM:<from@shop.example> ENVID=job+2B17", "< 250 ok", "> RCPT TO:<a@example.net> NOTIFY=SUCCESS,DELAY", "< 250 ok",
		  "> RCPT TO:<b@example.net> ORCPT=utf-8;\\\\x{FC}\\\\x{2B}@example.net", "< 250 ok", "> DATA", "< 354 go", "body", "< 250 ok", BYE),
		  .want = BOTH, .size = 100, .passes_dsn = true, .orcpt = "utf-8;\xc3\xbc\\x{2B}@example.net" },
		{ .label = "the same where it is", .steps = STEPS(HELLO_WITH("< 250-SMTPUTF8", "< 250 DSN"),
		  "> MAIL FROM:<from@shop.example> SMTPUTF8 ENVID=job+2B17", "< 250 ok", "> RCPT TO:<a@example.net> NOTIFY=SUCCESS,DELAY", "< 250 ok",
		  "> RCPT TO:<b@example.net> ORCPT=utf-8;\xc3\xbc\\\\x{2B}@example.net", "< 250 ok", "> DATA", "< 354 go", "body", "< 250 ok", BYE),
		  .want = BOTH, .size = 100, .flags = MSG_SMTPUTF8 | MSG_HIGH_BYTES, .passes_dsn = true, .orcpt = "utf-8;\xc3\xbc\\x{2B}@example.net" },
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		run_form(*state, &forms[i]);
}

static void what_requires_tls_goes_no_other_way(void **state)
{
	const struct form forms[] = {
		{ .label = "no STARTTLS", .steps = STEPS(OFFERS("REQUIRETLS"), BYE), .flags = MSG_REQUIRETLS, .size = 100,
		  .want = "refused 0 5.7.30 starttls message, refused 0 5.7.30 starttls message", .reply = "does not offer TLS", .ends = true },
		{ .label = "no REQUIRETLS", .steps = STEPS(OFFER, "< 220 go", "tls", "> EHLO*", "< 250 mx", BYE), .flags = MSG_REQUIRETLS, .size = 100,
		  .want = "refused 0 5.7.30 ehlo message, refused 0 5.7.30 ehlo message", .reply = "does not offer REQUIRETLS",
		  .tls = TLS_LEVEL_OPPORTUNISTIC, .known = true },
		{ .label = "an unknown certificate", .steps = STEPS(OFFER, "< 220 go", "handshake fails"), .flags = MSG_REQUIRETLS, .size = 100,
		  .want = "deferred 0 4.7.5 tls host, deferred 0 4.7.5 tls host", .reply = "handshake failed", .ends = true },
		{ .label = "an MX that nobody vouches for", .steps = STEPS("eof"), .flags = MSG_REQUIRETLS, .size = 100, .insecure = true, .known = true,
		  .want = "refused 0 5.7.30 tls message, refused 0 5.7.30 tls message", .reply = "neither DNSSEC nor", .ends = true },
		{ .label = "both", .steps = STEPS(OFFER, "< 220 go", "tls", "> EHLO*", "< 250-mx", "< 250 REQUIRETLS",
		  "> MAIL FROM:<from@shop.example> REQUIRETLS", "< 250 ok", RCPTS, "> DATA", "< 354 go", "body", "< 250 ok", BYE),
		  .flags = MSG_REQUIRETLS, .size = 100, .want = BOTH, .tls = TLS_LEVEL_OPPORTUNISTIC, .known = true },
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		run_form(*state, &forms[i]);
}

/* RFC 8460 section 3, unlike other mail with "TLS-Required: No", which RFC 8689 frees of what the domain demands alone. */
static void a_tls_report_goes_in_the_clear_if_need_be(void **state)
{
	const struct form forms[] = {
		{ .label = "a report", .steps = STEPS(HELLO, "> MAIL FROM:<>", "< 250 ok", RCPTS, "> DATA", "< 354 go", "body", "< 250 ok", BYE),
		  .flags = MSG_BOUNCE | MSG_TLS_OPTIONAL, .tls = TLS_LEVEL_VERIFIED, .size = 100, .want = BOTH, .sender = "" },
		{ .label = "TLS is taken where it is offered", .steps = STEPS(OFFER, "< 220 go", "tls", "> EHLO*", "< 250 mx", "> MAIL FROM:<>", "< 250 ok", RCPTS,
		  "> DATA", "< 354 go", "body", "< 250 ok", BYE), .flags = MSG_BOUNCE | MSG_TLS_OPTIONAL, .tls = TLS_LEVEL_REQUIRED, .size = 100, .want = BOTH,
		  .sender = "" },
		{ .label = "another message", .steps = STEPS(HELLO, "> QUIT"), .flags = MSG_TLS_OPTIONAL, .tls = TLS_LEVEL_REQUIRED, .size = 100,
		  .want = "deferred 0 4.7.4 starttls host, deferred 0 4.7.4 starttls host", .ends = true },
		{ .label = "another report", .steps = STEPS(HELLO, "> QUIT"), .flags = MSG_BOUNCE, .tls = TLS_LEVEL_REQUIRED, .size = 100,
		  .want = "deferred 0 4.7.4 starttls host, deferred 0 4.7.4 starttls host", .sender = "", .ends = true },
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		run_form(*state, &forms[i]);
}

/* RFC 8689 section 5: what has no reverse-path is not discarded for that. */
static void a_report_that_would_require_tls_goes_all_the_same(void **state)
{
#define REPORT(parameter) "> MAIL FROM:<>" parameter, "< 250 ok", RCPTS, "> DATA", "< 354 go", "body", "< 250 ok", BYE
	const struct form forms[] = {
		{ .label = "in the clear", .steps = STEPS(OFFERS("REQUIRETLS"), REPORT("")), .flags = MSG_REQUIRETLS, .tls = TLS_LEVEL_OPPORTUNISTIC,
		  .insecure = true, .size = 100, .want = BOTH, .sender = "" },
		{ .label = "REQUIRETLS not offered", .steps = STEPS(OFFER, "< 220 go", "tls", "> EHLO*", "< 250 mx", REPORT("")), .flags = MSG_REQUIRETLS,
		  .tls = TLS_LEVEL_OPPORTUNISTIC, .size = 100, .want = BOTH, .sender = "" },
		{ .label = "offered", .steps = STEPS(OFFER, "< 220 go", "tls", "> EHLO*", "< 250-mx", "< 250 REQUIRETLS", REPORT(" REQUIRETLS")),
		  .flags = MSG_REQUIRETLS, .tls = TLS_LEVEL_OPPORTUNISTIC, .size = 100, .want = BOTH, .sender = "" },
		{ .label = "where the operator demands TLS it is demanded", .steps = STEPS(OFFERS("REQUIRETLS"), "> QUIT"), .flags = MSG_REQUIRETLS,
		  .tls = TLS_LEVEL_REQUIRED, .size = 100, .want = "deferred 0 4.7.4 starttls host, deferred 0 4.7.4 starttls host", .sender = "", .ends = true },
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		run_form(*state, &forms[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_goes_by_bdat_where_that_pays),
		cmocka_unit_test(wishes_for_reports_are_handed_on),
		cmocka_unit_test(what_requires_tls_goes_no_other_way),
		cmocka_unit_test(a_tls_report_goes_in_the_clear_if_need_be),
		cmocka_unit_test(a_report_that_would_require_tls_goes_all_the_same),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
