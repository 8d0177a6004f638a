/* tests/unit/relay/test_intake_login.c - STARTTLS, implicit TLS, AUTH, and what a reload changes for a session. */
#include "tests/unit/relay/intake_world.h"

#include <crypt.h>

#include "tests/unit/net/certificate.h"

/* Passwords: "secret" for shop, 500 times "p" for long. */
static const char TEMPLATE[] =
    "hostname: relay.test\n"
    "state: /nonexistent\n"
    "tls: {cert: /nonexistent/cert.pem, key: /nonexistent/key.pem}\n"
    "listen:\n"
    "  - {at: \"127.0.0.1:2525\", tls: starttls, auth: optional}\n"
    "  - {at: \"127.0.0.1:2526\", tls: implicit, auth: required}\n"
    "  - {at: \"127.0.0.1:2527\", tls: starttls, auth: none}\n"
    "limits: {errors: 20, command_line: 600}\n"
    "tenants:\n"
    "  - {name: net, from: [10.0.0.0/8]}\n"
    "  - name: shop\n"
    "    domains: [shop.example]\n"
    "    logins: [{user: shop, hash: \"%s\"}, {user: long, hash: \"%s\"}]\n";

static char conf_text[2000];
static struct certificate certificate;

static int setup_group(void **state)
{
	char password[501], shop[CRYPT_OUTPUT_SIZE];

	loop_setup();
	certificate_create(&certificate);
	memset(password, 'p', 500);
	password[500] = '\0';
	snprintf(shop, sizeof(shop), "%s", crypt("secret", "$6$rounds=1000$saltsalt$"));
	snprintf(conf_text, sizeof(conf_text), TEMPLATE, shop, crypt(password, "$6$rounds=1000$saltsalt$"));
	return 0;
}

static int teardown_group(void **state)
{
	certificate_remove(&certificate);
	return 0;
}

static int setup(void **state)
{
	const char *warning;

	world_create(conf_text);
	world.tls = tls_server_create(certificate.cert, certificate.key, &warning, NULL);
	return world.tls != NULL && warning == NULL ? 0 : -1;
}

static int teardown(void **state)
{
	world_destroy();
	return 0;
}

#define EHLO_CLEAR  "> EHLO c.test\n~ 250-STARTTLS\n< 250 HELP\n"
#define EHLO_AUTH   "> EHLO c.test\n~ 250-AUTH PLAIN LOGIN\n< 250 HELP\n"
#define EHLO_SECURE "> EHLO c.test\n~ 250-REQUIRETLS\n< 250 HELP\n"
#define SECURE      "< 220 relay.test\n" EHLO_CLEAR "> STARTTLS\n< 220 2.0.0\ntls\n"
#define READY       SECURE EHLO_AUTH
#define GOOD        "AHNob3AAc2VjcmV0" /* \0shop\0secret */
#define BAD         "AHNob3AAc2VjcmVU"

static const struct {
	const char *label;
	size_t listen;
	const char *from, *script;
} rows[] = {
	/* clang-format off */
	{ "STARTTLS forgets EHLO", 0, "203.0.113.1", SECURE "> MAIL FROM:<a@b.test>\n< 503 5.5.1 EHLO" },
	{ "STARTTLS forgets the transaction", 0, "10.0.0.1", "< 220\n" EHLO_CLEAR "> MAIL FROM:<a@b.test>\n< 250\n> RSET\n< 250\n> STARTTLS\n< 220\ntls\n" EHLO_AUTH "> RCPT TO:<a@b.test>\n< 503 5.5.1" },
	{ "STARTTLS with parameters", 0, "10.0.0.1", "< 220\n" EHLO_CLEAR "> STARTTLS now\n< 501 5.5.4" },
	{ "STARTTLS twice", 0, "10.0.0.1", READY "> STARTTLS\n< 503 5.5.1" },
	{ "STARTTLS before EHLO", 0, "10.0.0.1", "< 220\n> STARTTLS\n< 503 5.5.1" },
	{ "STARTTLS in a transaction", 0, "10.0.0.1", "< 220\n" EHLO_CLEAR "> MAIL FROM:<a@b.test>\n< 250\n> STARTTLS\n< 503 5.5.1" },
	{ "AUTH is not listed in the clear, and refused", 0, "203.0.113.1", "< 220\n" EHLO_CLEAR "> AUTH PLAIN " GOOD "\n< 538 5.7.11" },
	{ "AUTH where the listener has none", 2, "10.0.0.1", "< 220\n" EHLO_CLEAR "> STARTTLS\n< 220\ntls\n" EHLO_SECURE "> AUTH PLAIN " GOOD "\n< 502 5.5.1" },
	{ "a stranger is told to log in", 0, "203.0.113.1", "< 220\n" EHLO_CLEAR "> MAIL FROM:<a@shop.example>\n< 530 5.7.0" },
	{ "a stranger where no login could help", 2, "203.0.113.1", "< 220\n" EHLO_CLEAR "> MAIL FROM:<a@shop.example>\n< 250\n> RCPT TO:<a@b.test>\n< 550 5.7.1 relaying denied" },
	{ "PLAIN with initial response", 0, "203.0.113.1", READY "> AUTH PLAIN " GOOD "\n< 235 2.7.0\n> MAIL FROM:<a@shop.example>\n< 250\n> RCPT TO:<a@b.test>\n< 250" },
	{ "PLAIN in two steps", 0, "203.0.113.1", READY "> AUTH PLAIN\n< 334 \n> " GOOD "\n< 235 2.7.0" },
	{ "PLAIN in lower case", 0, "203.0.113.1", READY "> auth plain " GOOD "\n< 235 2.7.0" },
	{ "PLAIN with the same authorization identity", 0, "203.0.113.1", READY "> AUTH PLAIN c2hvcABzaG9wAHNlY3JldA==\n< 235 2.7.0" },
	{ "PLAIN for somebody else", 0, "203.0.113.1", READY "> AUTH PLAIN bG9uZwBzaG9wAHNlY3JldA==\n< 535 5.7.8" },
	{ "LOGIN", 0, "203.0.113.1", READY "> AUTH LOGIN\n< 334 VXNlcm5hbWU6\n> c2hvcA==\n< 334 UGFzc3dvcmQ6\n> c2VjcmV0\n< 235 2.7.0" },
	{ "LOGIN with the user at once", 0, "203.0.113.1", READY "> AUTH LOGIN c2hvcA==\n< 334 UGFzc3dvcmQ6\n> c2VjcmV0\n< 235 2.7.0" },
	{ "LOGIN with a wrong password", 0, "203.0.113.1", READY "> AUTH LOGIN c2hvcA==\n< 334 UGFzc3dvcmQ6\n> c2VjcmVU\n< 535 5.7.8" },
	{ "wrong password", 0, "203.0.113.1", READY "> AUTH PLAIN " BAD "\n< 535 5.7.8\n> MAIL FROM:<a@shop.example>\n< 530 5.7.0" },
	{ "a good one after a wrong one", 0, "203.0.113.1", READY "> AUTH PLAIN " BAD "\n< 535 5.7.8\n> AUTH PLAIN " GOOD "\n< 235" },
	{ "three wrong ones", 0, "203.0.113.1", READY "> AUTH PLAIN " BAD "\n< 535\n> AUTH PLAIN " BAD "\n< 535\n> AUTH PLAIN " BAD "\n< 421 4.7.0\nclosed" },
	{ "unknown user", 0, "203.0.113.1", READY "> AUTH PLAIN AG5vYm9keQBzZWNyZXQ=\n< 535 5.7.8" },
	{ "cancelled", 0, "203.0.113.1", READY "> AUTH PLAIN\n< 334\n> *\n< 501 5.7.0\n> AUTH LOGIN\n< 334\n> c2hvcA==\n< 334\n> *\n< 501 5.7.0\n> NOOP\n< 250" },
	{ "not base64", 0, "203.0.113.1", READY "> AUTH PLAIN !!!!\n< 501 5.5.2\n> AUTH PLAIN\n< 334\n> abc\n< 501 5.5.2\n> NOOP\n< 250" },
	{ "no NUL inside", 0, "203.0.113.1", READY "> AUTH PLAIN c2VjcmV0\n< 501 5.5.2" },
	{ "empty response", 0, "203.0.113.1", READY "> AUTH PLAIN =\n< 501 5.5.2\n> AUTH PLAIN\n< 334\n> \n< 501 5.5.2" },
	{ "empty password", 0, "203.0.113.1", READY "> AUTH PLAIN AHNob3AA\n< 501 5.5.2" },
	{ "unknown mechanism", 0, "203.0.113.1", READY "> AUTH CRAM-MD5\n< 504 5.5.4" },
	{ "AUTH twice", 0, "203.0.113.1", READY "> AUTH PLAIN " GOOD "\n< 235\n> AUTH PLAIN " GOOD "\n< 503 5.5.1" },
	{ "AUTH in a transaction", 0, "10.0.0.1", READY "> MAIL FROM:<a@b.test>\n< 250\n> AUTH PLAIN " GOOD "\n< 503 5.5.1" },
	{ "AUTH after HELO", 0, "203.0.113.1", SECURE "> HELO c\n< 250\n> AUTH PLAIN " GOOD "\n< 503 5.5.1" },
	{ "commands pipelined behind AUTH", 0, "203.0.113.1", READY "+ AUTH PLAIN " GOOD "\n> NOOP\n< 235\n< 250" },
	{ "a login counts before the network", 0, "10.0.0.1", READY "> AUTH PLAIN " GOOD "\n< 235\n> MAIL FROM:<a@b.test>\n< 553 5.7.1" },
	{ "implicit TLS", 1, "203.0.113.1", "tls\n< 220 relay.test\n" EHLO_AUTH "> STARTTLS\n< 503 5.5.1\n> AUTH PLAIN " GOOD "\n< 235" },
	{ "a required login is required of networks too", 1, "10.0.0.1", "tls\n< 220 relay.test\n" EHLO_AUTH "> MAIL FROM:<a@b.test>\n< 530 5.7.0" },
	/* clang-format on */
};

static void tls_and_logins(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		hello_from(rows[i].from, rows[i].listen, NULL);
		play(rows[i].label, rows[i].script);
	}
}

static void what_is_pipelined_behind_starttls_is_discarded(void **state)
{
	hello_from("10.0.0.1", 0, NULL);
	play("clear", "< 220\n" EHLO_CLEAR);
	SAY("STARTTLS\r\nEHLO evil.test\r\nMAIL FROM:<evil@b.test>\r\n");
	play("one reply", "< 220 2.0.0");
	client_tls();
	play("secure", EHLO_AUTH "> RCPT TO:<x@y.test>\n< 503 5.5.1");
}

static void a_failed_handshake_ends_the_session(void **state)
{
	hello_from("10.0.0.1", 1, NULL);
	SAY("EHLO c.test\r\n");
	turns();
	assert_true(world.client_ended);
	assert_int_equal(world.ended, 1);
}

static void a_message_over_tls_and_login_says_so(void **state)
{
	hello_from("203.0.113.1", 1, NULL);
	play("send", "tls\n< 220\n" EHLO_AUTH "> AUTH PLAIN " GOOD "\n< 235\n> MAIL FROM:<a@shop.example>\n< 250\n> RCPT TO:<a@b.test>\n< 250\n"
	    "> DATA\n< 354\n> .\n< 250 2.0.0");
	assert_int_equal(store.message.flags, MSG_TLS);
	assert_string_equal(store.message.login, "shop");
	assert_string_equal(store.message.tenant, "shop");
	assert_non_null(strstr(store.body, "with ESMTPSA"));
	assert_non_null(strstr(store.body, "TLSv1.3 TLS_"));
}

/* base64 of "\0long\0" and 500 times "p" is longer than limits.command_line. */
static void an_authentication_line_may_be_longer_than_commands(void **state)
{
	char line[800] = "AUTH PLAIN AGxvbmcA";

	for (int i = 0; i < 166; i++)
		memcpy(line + strlen(line), "cHBw", 5);
	memcpy(line + strlen(line), "cHA=\r\n", 7);
	hello_from("203.0.113.1", 0, NULL);
	play("secure", READY);
	say(line, strlen(line));
	play("long", "< 235 2.7.0");
	memset(line, 'x', 700);
	memcpy(line + 700, "\r\n", 2);
	say(line, 702);
	play("no command", "< 500 5.5.2 line too long");
}

static void a_session_may_end_while_its_password_is_checked(void **state)
{
	hello_from("203.0.113.1", 0, NULL);
	play("secure", READY);
	conn_write(world.client, "AUTH PLAIN " GOOD "\r\n", sizeof("AUTH PLAIN " GOOD "\r\n") - 1);
	turns_waiting(); /* the helper does not run here */
	intake_drain(world.intake, on_world_drained, NULL);
	turns_waiting();
	play("drained", "< 421 4.3.2\nclosed");
	assert_false(world.drained);
	turns();
	assert_true(world.drained);
	assert_int_equal(world.env.figures.auth_failures, 0);
}

static void a_reload_counts_from_the_next_transaction_on(void **state)
{
	hello_from("10.0.0.1", 0, NULL);
	play("before", "< 220\n> HELO c\n< 250\n> MAIL FROM:<a@b.test>\n< 250");
	world.newer = load("hostname: relay.test\nstate: /nonexistent\nlisten: [{at: \"127.0.0.1:2525\", tls: none, auth: none}]\n"
	    "tenants: [{name: other, from: [192.0.2.0/24]}]\n");
	play("the tenant is gone, but not yet", "> RCPT TO:<a@b.test>\n< 250\n> DATA\n< 354\n> .\n< 250");
	assert_string_equal(store.message.tenant, "net");
	play("now", "> MAIL FROM:<a@b.test>\n< 530 5.7.0");
}

static void an_idle_session_sees_a_reload(void **state)
{
	hello_from("10.0.0.1", 0, NULL);
	play("before", "< 220\n> HELO c\n< 250");
	world.newer = load("hostname: relay.test\nstate: /nonexistent\nlisten: [{at: \"127.0.0.1:2525\", tls: none, auth: none}]\n"
	    "tenants: [{name: other, from: [192.0.2.0/24]}]\n");
	play("now", "> MAIL FROM:<a@b.test>\n< 530 5.7.0");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(tls_and_logins),
		TEST(what_is_pipelined_behind_starttls_is_discarded),
		TEST(a_failed_handshake_ends_the_session),
		TEST(a_message_over_tls_and_login_says_so),
		TEST(an_authentication_line_may_be_longer_than_commands),
		TEST(a_session_may_end_while_its_password_is_checked),
		TEST(a_reload_counts_from_the_next_transaction_on),
		TEST(an_idle_session_sees_a_reload),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
