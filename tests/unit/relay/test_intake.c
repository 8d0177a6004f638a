/* tests/unit/relay/test_intake.c - dialogues with the SMTP server in the clear: order, replies, content, limits. */
#include "tests/unit/relay/intake_world.h"

static const char CONF[] =
    "hostname: relay.test\n"
    "state: /nonexistent\n"
    "listen:\n"
    "  - {at: \"127.0.0.1:2525\", tls: none, auth: none}\n"
    "limits: {message: 500K, recipients: 4, errors: 6, commands: 12, command_line: 600, hops: 5, text_line: 1000, memory: 4M}\n"
    "tenants:\n"
    "  - {name: net, from: [10.0.0.0/8]}\n"
    "  - {name: shop, from: [192.0.2.0/24], domains: [shop.example, SHOP.test]}\n";

static int setup(void **state)
{
	world_create(CONF);
	return 0;
}

static int teardown(void **state)
{
	world_destroy();
	return 0;
}

#define HELLO "< 220 relay.test ESMTP\n> HELO c.test\n< 250 relay.test\n"
#define MAIL  HELLO "> MAIL FROM:<a@b.test>\n< 250 2.1.0\n"
#define RCPT  MAIL "> RCPT TO:<c@d.test>\n< 250 2.1.5\n"
#define DATA  RCPT "> DATA\n< 354 \n"

static const struct {
	const char *label, *from, *script;
} dialogues[] = {
	/* clang-format off */
	{ "EHLO lists what is offered", "10.0.0.1",
	  "< 220 \n> EHLO c.test\n< 250-relay.test hello c.test [10.0.0.1]\n< 250-PIPELINING\n< 250-SIZE 512000\n< 250-8BITMIME\n"
	  "< 250-SMTPUTF8\n< 250-ENHANCEDSTATUSCODES\n< 250-CHUNKING\n< 250-BINARYMIME\n< 250-DSN\n"
	  "< 250-LIMITS RCPTMAX=4\n< 250-MT-PRIORITY\n< 250-FUTURERELEASE 2592000 20\n< 250 HELP" },
	{ "a plain message", "10.0.0.1", DATA "+ Subject: x\n+ \n+ text\n> .\n< 250 2.0.0 queued as \n> QUIT\n< 221 2.0.0\nclosed" },
	{ "a pipelined message", "10.0.0.1",
	  HELLO "+ MAIL FROM:<a@b.test>\n+ RCPT TO:<c@d.test>\n> DATA\n< 250 2.1.0\n< 250 2.1.5\n< 354\n+ text\n+ .\n> QUIT\n"
	  "< 250 2.0.0 queued\n< 221\nclosed" },
	{ "all in one piece", "10.0.0.1",
	  "+ HELO c.test\n+ MAIL FROM:<a@b.test>\n+ RCPT TO:<c@d.test>\n+ DATA\n+ text\n+ .\n+ MAIL FROM:<a@b.test>\n> QUIT\n"
	  "< 220\n< 250\n< 250\n< 250\n< 354\n< 250 2.0.0 queued\n< 250 2.1.0\n< 221\nclosed" },
	{ "two messages in one session", "10.0.0.1", DATA "> .\n< 250 2.0.0\n> MAIL FROM:<>\n< 250\n> RCPT TO:<x@y.test>\n< 250\n> DATA\n< 354\n> .\n< 250 2.0.0" },
	{ "MAIL before HELO", "10.0.0.1", "< 220\n> MAIL FROM:<a@b.test>\n< 503 5.5.1 EHLO" },
	{ "RCPT before HELO", "10.0.0.1", "< 220\n> RCPT TO:<a@b.test>\n< 503 5.5.1 EHLO" },
	{ "DATA before HELO", "10.0.0.1", "< 220\n> DATA\n< 503 5.5.1 EHLO" },
	{ "NOOP, RSET, VRFY, EXPN, HELP before HELO", "10.0.0.1",
	  "< 220\n> NOOP\n< 250 2.0.0\n> RSET\n< 250 2.0.0\n> VRFY a\n< 252 2.\n> EXPN a\n< 502 5.5.1\n> HELP\n< 214-2.0.0\n< 214 2.0.0\n> QUIT\n< 221 2.0.0\nclosed" },
	{ "RCPT before MAIL", "10.0.0.1", HELLO "> RCPT TO:<a@b.test>\n< 503 5.5.1" },
	{ "DATA before MAIL", "10.0.0.1", HELLO "> DATA\n< 503 5.5.1" },
	{ "DATA without recipients", "10.0.0.1", MAIL "> DATA\n< 554 5.5.1" },
	{ "MAIL twice", "10.0.0.1", MAIL "> MAIL FROM:<a@b.test>\n< 503 5.5.1" },
	{ "EHLO in a transaction ends it", "10.0.0.1", RCPT "> HELO c.test\n< 250 \n> DATA\n< 503 5.5.1" },
	{ "RSET in a transaction ends it", "10.0.0.1", RCPT "> RSET\n< 250 2.0.0\n> RCPT TO:<c@d.test>\n< 503 5.5.1" },
	{ "unknown command", "10.0.0.1", HELLO "> FROB\n< 500 5.5.\n> NOOP\n< 250" },
	{ "STARTTLS where there is none", "10.0.0.1", HELLO "> STARTTLS\n< 502 5.5.1" },
	{ "AUTH where there is none", "10.0.0.1", "< 220\n+ EHLO c\n> AUTH PLAIN AGEAYg==\n~ 250 \n< 502 5.5.1" },
	{ "sender syntax", "10.0.0.1", HELLO "> MAIL FROM:<a@b..test>\n< 501 5.1." },
	{ "sender without a domain", "10.0.0.1", HELLO "> MAIL FROM:<a>\n< 5" },
	{ "SIZE beyond the limit", "10.0.0.1", HELLO "> MAIL FROM:<a@b.test> SIZE=512001\n< 552 5.3.4" },
	{ "SIZE at the limit", "10.0.0.1", HELLO "> MAIL FROM:<a@b.test> SIZE=512000\n< 250 2.1.0" },
	{ "BINARYMIME by DATA", "10.0.0.1", HELLO "> MAIL FROM:<a@b.test> BODY=BINARYMIME\n< 250\n> RCPT TO:<c@d.test>\n< 250\n> DATA\n< 503 5.5.1" },
	{ "a release too far off", "10.0.0.1", HELLO "> MAIL FROM:<a@b.test> HOLDFOR=2592060\n< 501 5.5.4\n> MAIL FROM:<a@b.test> HOLDUNTIL=2199-01-01T00:00:00Z\n< 501 5.5.4" },
	{ "a release in the past", "10.0.0.1", HELLO "> MAIL FROM:<a@b.test> HOLDUNTIL=1999-01-01T00:00:00Z\n< 250" },
	{ "a priority above the tenant's", "10.0.0.1", HELLO "> MAIL FROM:<a@b.test> MT-PRIORITY=3\n< 250 2.3.6 0 " },
	{ "a priority below the tenant's", "10.0.0.1", HELLO "> MAIL FROM:<a@b.test> MT-PRIORITY=-9\n< 250 2.1.0" },
	{ "a priority that is none", "10.0.0.1", HELLO "> MAIL FROM:<a@b.test> MT-PRIORITY=10\n< 501 5.5.4" },
	{ "REQUIRETLS in the clear", "10.0.0.1", HELLO "> MAIL FROM:<a@b.test> REQUIRETLS\n< 555 5.5.4" },
	{ "DSN parameters", "10.0.0.1", HELLO "> MAIL FROM:<a@b.test> RET=HDRS ENVID=x\n< 250\n> RCPT TO:<c@d.test> NOTIFY=SUCCESS ORCPT=rfc822;c@d.test\n< 250" },
	{ "NOTIFY that means nothing", "10.0.0.1", MAIL "> RCPT TO:<c@d.test> NOTIFY=NEVER,SUCCESS\n< 501 5.5.4" },
	{ "unknown MAIL parameter", "10.0.0.1", HELLO "> MAIL FROM:<a@b.test> FROB=1\n< 555 5.5.4" },
	{ "8-bit sender without SMTPUTF8", "10.0.0.1", HELLO "> MAIL FROM:<\xc3\xa4@b.test>\n< 550 5.6.7" },
	{ "8-bit recipient without SMTPUTF8", "10.0.0.1", MAIL "> RCPT TO:<\xc3\xa4@b.test>\n< 553 5.6.7" },
	{ "8-bit recipient with SMTPUTF8", "10.0.0.1", HELLO "> MAIL FROM:<a@b.test> SMTPUTF8\n< 250\n> RCPT TO:<\xc3\xa4@b.test>\n< 250 2.1.5" },
	{ "postmaster without a domain", "10.0.0.1", MAIL "> RCPT TO:<postmaster>\n< 550 5.1.3" },
	{ "null recipient", "10.0.0.1", MAIL "> RCPT TO:<>\n< 5" },
	{ "address literal", "10.0.0.1", MAIL "> RCPT TO:<a@[192.0.2.1]>\n< 250 2.1.5" },
	{ "too many recipients", "10.0.0.1",
	  MAIL "> RCPT TO:<a@a.test>\n< 250\n> RCPT TO:<b@a.test>\n< 250\n> RCPT TO:<c@a.test>\n< 250\n> RCPT TO:<a@a.test>\n< 250\n"
	  "> RCPT TO:<d@a.test>\n< 250\n> RCPT TO:<e@a.test>\n< 452 4.5.3\n> RCPT TO:<d@a.test>\n< 250\n> DATA\n< 354\n> .\n< 250" },
	{ "a stranger may not relay", "203.0.113.1", MAIL "> RCPT TO:<c@d.test>\n< 550 5.7.1 relaying denied\n> DATA\n< 554 5.5.1" },
	{ "an IPv4-mapped client is its IPv4 address", "::ffff:10.0.0.1", RCPT "> RSET\n< 250" },
	{ "sender of another domain", "192.0.2.9", HELLO "> MAIL FROM:<a@b.test>\n< 553 5.7.1" },
	{ "sender of a subdomain", "192.0.2.9", HELLO "> MAIL FROM:<a@x.shop.example>\n< 553 5.7.1" },
	{ "sender of the tenant's domain", "192.0.2.9", HELLO "> MAIL FROM:<a@Shop.Example>\n< 250 2.1.0" },
	{ "sender of the tenant's other domain", "192.0.2.9", HELLO "> MAIL FROM:<a@shop.test>\n< 250 2.1.0" },
	{ "null sender is everybody's", "192.0.2.9", HELLO "> MAIL FROM:<>\n< 250 2.1.0" },
	{ "too many errors", "10.0.0.1", HELLO "+ X\n+ X\n+ X\n+ X\n+ X\n> X\n< 500\n< 500\n< 500\n< 500\n< 500\n< 500\n< 421 4.7.0\nclosed" },
	{ "too many commands without mail", "10.0.0.1",
	  "< 220\n+ NOOP\n+ NOOP\n+ NOOP\n+ NOOP\n+ NOOP\n+ NOOP\n+ NOOP\n+ NOOP\n+ NOOP\n+ NOOP\n+ NOOP\n+ NOOP\n> NOOP\n"
	  "< 250\n< 250\n< 250\n< 250\n< 250\n< 250\n< 250\n< 250\n< 250\n< 250\n< 250\n< 250\n< 421 4.7.0\nclosed" },
	{ "a browser", "10.0.0.1", "< 220\n+ POST / HTTP/1.1\n+ Host: x\n+ \n> MAIL FROM:<a@b.test>\n< 500 5.5.1 this is an SMTP server\nclosed" },
	{ "BDAT in two pieces", "10.0.0.1", RCPT "+ BDAT 6\n> 1234\n< 250 2.0.0 6 bytes\n+ BDAT 3 LAST\n> 5\n< 250 2.0.0 queued" },
	{ "BDAT, nothing last", "10.0.0.1", RCPT "+ BDAT 6\n> 1234\n< 250 2.0.0\n> BDAT 0 LAST\n< 250 2.0.0 queued" },
	{ "BDAT, an empty message", "10.0.0.1", RCPT "> BDAT 0 LAST\n< 250 2.0.0 queued" },
	{ "BDAT pipelined with all else", "10.0.0.1",
	  HELLO "+ MAIL FROM:<a@b.test>\n+ RCPT TO:<c@d.test>\n+ BDAT 6\n+ 1234\n+ BDAT 6 LAST\n+ 5678\n> NOOP\n< 250\n< 250\n< 250 2.0.0 6\n< 250 2.0.0 queued\n< 250" },
	{ "BDAT before MAIL consumes its bytes", "10.0.0.1", HELLO "+ BDAT 6 LAST\n+ QUIT\n> NOOP\n< 503 5.5.1\n< 250 2.0.0\n> MAIL FROM:<a@b.test>\n< 250 2.1.0" },
	{ "BDAT before HELO consumes its bytes", "10.0.0.1", "< 220\n+ BDAT 6 LAST\n+ QUIT\n> NOOP\n< 503 5.5.1\n< 250 2.0.0" },
	{ "BDAT without recipients consumes its bytes", "10.0.0.1", MAIL "+ BDAT 6 LAST\n+ QUIT\n> NOOP\n< 554 5.5.1\n< 250 2.0.0\n> RCPT TO:<c@d.test>\n< 503 5.5.1\n> MAIL FROM:<a@b.test>\n< 250 2.1.0" },
	{ "DATA after BDAT", "10.0.0.1", RCPT "+ BDAT 6\n> 1234\n< 250\n> DATA\n< 503 5.5.1\n> BDAT 0 LAST\n< 250 2.0.0 queued" },
	{ "RCPT after BDAT", "10.0.0.1", RCPT "+ BDAT 6\n> 1234\n< 250\n> RCPT TO:<x@y.test>\n< 503 5.5.1" },
	{ "RSET after BDAT", "10.0.0.1", RCPT "+ BDAT 6\n> 1234\n< 250\n> RSET\n< 250\n> BDAT 0 LAST\n< 503 5.5.1" },
	{ "BDAT of unknown size ends the session", "10.0.0.1", RCPT "> BDAT x\n< 501 5.5.4\n< 421\nclosed" },
	/* clang-format on */
};

static void every_command_is_answered_in_its_order(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(dialogues); i++) {
		hello_from(dialogues[i].from, 0, NULL);
		play(dialogues[i].label, dialogues[i].script);
	}
}

static void a_chunk_after_a_failed_chunk_is_refused(void **state)
{
	hello_from("10.0.0.1", 0, NULL);
	play("to BDAT", RCPT);
	SAY("BDAT 5\r\na\nb\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n");
	play("after", "< 550 5.6.0 bare LF\n< 503 5.5.1\n< 250 2.0.0");
	assert_int_equal(store.accepted, 0);
}

static void lines_that_are_no_commands_are_refused(void **state)
{
	static char text[5000];

	hello_from("10.0.0.1", 0, NULL);
	play("to MAIL", MAIL);
	memset(text, 'x', sizeof(text));
	memcpy(text + 700, "\r\nNOOP\r\n", 8);
	say(text, 700 + 8);
	play("long", "< 500 5.5.2 line too long\n< 250 2.0.0");
	SAY("RCPT TO:<a@b.test\0>\r\n");
	play("NUL", "< 500 5.5.2 bare");
	SAY("RCPT TO:<a@b.test>\rX\r\n");
	play("bare CR", "< 500 5.5.2 bare");
	SAY("NOOP\nRCPT TO:<a@b.test>\r\n");
	play("bare LF with an end behind", "< 500 5.5.2 bare\n> RCPT TO:<c@d.test>\n< 250");
}

static void a_client_that_ends_lines_with_lf_is_told_and_sent_away(void **state)
{
	hello_from("10.0.0.1", 0, NULL);
	SAY("HELO x\n");
	play("LF", "< 220\n< 521 5.5.2 bare LF\nclosed");
}

static void a_tls_client_on_a_plain_port_is_sent_away(void **state)
{
	hello_from("10.0.0.1", 0, NULL);
	SAY("\x16\x03\x01\x02\x00\x01\x00\r\nMAIL");
	play("TLS", "< 220\n< 500 5.5.1\nclosed");
}

static void who_speaks_before_the_greeting_is_served(void **state)
{
	static const char EARLY[] = "HELO x\r\nQUIT\r\n";
	struct ip_port peer = { .port = 40000 };
	int fds[2];
	char got[1000];
	ssize_t n;

	assert_true(ip_parse("10.0.0.1", &peer.addr));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(write(fds[1], EARLY, sizeof(EARLY) - 1), sizeof(EARLY) - 1);
	intake_start(world.intake, fds[0], &peer, world.conf, &world.conf->listen[0], NULL, NULL);
	turns();
	n = read(fds[1], got, sizeof(got) - 1);
	assert_true(n > 0);
	got[n] = '\0';
	assert_int_equal(strncmp(got, "220 ", 4), 0);
	assert_non_null(strstr(got, "\r\n250 "));
	assert_non_null(strstr(got, "\r\n221 "));
	close(fds[1]);
}

static void a_busy_session_is_refused(void **state)
{
	hello_from("10.0.0.1", 0, "too many connections");
	play("busy", "< 421 4.7.0 relay.test too many connections\nclosed");
	assert_int_equal(world.ended, 1);
	assert_int_equal(world.env.figures.refused_sessions, 1);
	assert_int_equal(intake_session_count(world.intake), 0);
}

static void a_silent_client_hears_421(void **state)
{
	world.conf->limits.idle_ms = 30;
	hello_from("10.0.0.1", 0, NULL);
	play("to MAIL", MAIL);
	while (!world.client_ended)
		turns_waiting();
	play("silence", "< 421 4.4.2\nclosed");
}

static void shutdown_sends_idle_clients_away(void **state)
{
	hello_from("10.0.0.1", 0, NULL);
	play("to RCPT", RCPT);
	intake_drain(world.intake, on_world_drained, NULL);
	turns();
	play("idle", "< 421 4.3.2\nclosed");
	assert_true(world.drained);
	hello_from("10.0.0.1", 0, NULL);
	play("late", "< 421 \nclosed");
}

static void shutdown_waits_for_the_commit(void **state)
{
	hello_from("10.0.0.1", 0, NULL);
	play("to DATA", DATA);
	store.hold = true;
	SAY("text\r\n.\r\n");
	intake_drain(world.intake, on_world_drained, NULL);
	turns();
	assert_false(world.drained);
	play("waiting", "");
	answer_held();
	turns();
	play("committed", "< 250 2.0.0 queued\n< 421 4.3.2\nclosed");
	assert_true(world.drained);
}

static void a_full_queue_is_said_at_mail(void **state)
{
	hello_from("10.0.0.1", 0, NULL);
	play("to HELO", HELLO);
	store.full = true;
	play("full", "> MAIL FROM:<a@b.test>\n< 452 4.3.1");
	store.full = false;
	play("room again", "> MAIL FROM:<a@b.test>\n< 250");
}

/* Nothing of what waits for a client may grow without bounds, and nothing may be lost. */
static void replies_wait_for_a_client_that_does_not_read(void **state)
{
	static char much[60000];
	size_t sent = 0, replies = 0;

	for (size_t i = 0; i + 30 <= sizeof(much); i += 30)
		memcpy(much + i, "RCPT TO:<aaaaaaaa@dddd.test>\r\n", 30);
	hello_from("10.0.0.1", 0, NULL);
	play("to MAIL", MAIL);
	conn_pause(world.client, true);
	for (int i = 0; i < 40; i++) {
		say(much, sizeof(much));
		sent += sizeof(much) / 30;
	}
	assert_true(conn_output_len(world.client) > 0);
	conn_pause(world.client, false);
	for (int i = 0; i < 400 && replies < sent; i++) {
		turns();
		while (next_reply() != NULL)
			replies++;
		world.got_len = world.read_to = 0;
	}
	assert_int_equal(replies, sent);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_command_is_answered_in_its_order),
		TEST(a_chunk_after_a_failed_chunk_is_refused),
		TEST(lines_that_are_no_commands_are_refused),
		TEST(a_client_that_ends_lines_with_lf_is_told_and_sent_away),
		TEST(a_tls_client_on_a_plain_port_is_sent_away),
		TEST(who_speaks_before_the_greeting_is_served),
		TEST(a_busy_session_is_refused),
		TEST(a_silent_client_hears_421),
		TEST(shutdown_sends_idle_clients_away),
		TEST(shutdown_waits_for_the_commit),
		TEST(a_full_queue_is_said_at_mail),
		TEST(replies_wait_for_a_client_that_does_not_read),
	};

	loop_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
