/* tests/unit/relay/test_intake_auth.c - SCRAM-SHA-256, what main answers to logins, and credentials that were right a moment ago. */
#include "tests/unit/relay/intake_world.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "relay/net/scram.h"
#include "tests/unit/net/certificate.h"

static const char TEMPLATE[] =
    "hostname: relay.test\n"
    "state: /nonexistent\n"
    "tls: {cert: /nonexistent/cert.pem, key: /nonexistent/key.pem}\n"
    "listen: [{at: \"127.0.0.1:2526\", tls: implicit, auth: required}]\n"
    "tenants: [{name: shop, logins: [{user: shop, hash: \"%s\"}, {user: \"a,b=c\", hash: \"%s\"}]}]\n";

static char conf_text[2000];
static struct certificate certificate;

/* --- main ---------------------------------------------------------------------------------------------------------------- */

static struct {
	char events[1000];
	enum login_verdict asked, failed; /* what is answered */
	int64_t delay_ms;
	bool hold;
	struct login_question *held;
} main_thread;

static void answer_question(struct login_question *q)
{
	if (q->event == LOGIN_ASKED)
		q->verdict = main_thread.asked;
	if (q->event == LOGIN_FAILED) {
		q->verdict = main_thread.failed;
		q->delay_ms = main_thread.delay_ms;
	}
	q->item.run = q->answered;
	mailbox_post(q->reply_to, &q->item);
}

static void on_ask(void *arg, struct login_question *q)
{
	static const char *const names[] = { "asked", "failed", "succeeded" };
	size_t at = strlen(main_thread.events);

	snprintf(main_thread.events + at, sizeof(main_thread.events) - at, "%s %s %s %s;", names[q->event], q->client_text, q->user, q->tenant);
	if (main_thread.hold)
		main_thread.held = q;
	else
		answer_question(q);
}

/* --- the world --------------------------------------------------------------------------------------------------------------- */

static int setup_group(void **state)
{
	char *one = scram_verifier_make("secret word"), *two = scram_verifier_make("other word");

	loop_setup();
	certificate_create(&certificate);
	snprintf(conf_text, sizeof(conf_text), TEMPLATE, one, two);
	free(one);
	free(two);
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

	memset(&main_thread, 0, sizeof(main_thread));
	world_create(conf_text);
	world.env.ask = on_ask;
	world.tls = tls_server_create(certificate.cert, certificate.key, &warning, NULL);
	return world.tls != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	world_destroy();
	return 0;
}

/* Up to EHLO, whatever it lists. */
static void begin(void)
{
	const char *line;

	hello_from("203.0.113.1", 0, NULL);
	play("start", "tls\n< 220 relay.test");
	SAY("EHLO c.test\r\n");
	while ((line = next_reply()) != NULL && line[3] == '-')
		if (strncmp(line, "250-AUTH", 8) == 0)
			assert_string_equal(line, "250-AUTH PLAIN LOGIN SCRAM-SHA-256");
	assert_non_null(line);
}

/* --- a client -------------------------------------------------------------------------------------------------------------- */

static void say_encoded(const char *before, const char *text)
{
	char encoded[1800], line[2000];

	scram_encode(text, strlen(text), encoded);
	snprintf(line, sizeof(line), "%s%s\r\n", before, encoded);
	say(line, strlen(line));
}

/* The challenge that came, decoded. */
static void read_challenge(char out[600])
{
	const char *line = next_reply();
	int len;

	if (line == NULL || strncmp(line, "334 ", 4) != 0)
		fail_msg("no challenge: %s", line != NULL ? line : "(nothing)");
	len = EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)line + 4, (int)strlen(line + 4));
	assert_true(len >= 0);
	out[len] = '\0';
}

/* The client's side of RFC 5802, up to its final message; the server's first comes back in `first`. */
static void scram_client(const char *header, const char *bare, const char *password, char first[600])
{
	char salt[100], nonce[400], final[1000], message[2600], encoded_header[400], proof_text[45];
	unsigned char salt_bytes[100], salted[32], client_key[32], stored[32], signature[32], proof[32];
	unsigned iterations;
	int salt_len;

	snprintf(message, sizeof(message), "%s%s", header, bare);
	say_encoded("AUTH SCRAM-SHA-256 ", message);
	read_challenge(first);
	assert_int_equal(sscanf(first, "r=%399[^,],s=%99[^,],i=%u", nonce, salt, &iterations), 3);
	salt_len = EVP_DecodeBlock(salt_bytes, (unsigned char *)salt, (int)strlen(salt)) - (strstr(salt, "==") != NULL ? 2 : 0);
	PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt_bytes, salt_len, (int)iterations, EVP_sha256(), 32, salted);
	HMAC(EVP_sha256(), salted, 32, (const unsigned char *)"Client Key", 10, client_key, NULL);
	EVP_Digest(client_key, 32, stored, NULL, EVP_sha256(), NULL);
	scram_encode(header, strlen(header), encoded_header);
	snprintf(final, sizeof(final), "c=%s,r=%s", encoded_header, nonce);
	snprintf(message, sizeof(message), "%s,%s,%s", bare, first, final);
	HMAC(EVP_sha256(), stored, 32, (unsigned char *)message, strlen(message), signature, NULL);
	for (int i = 0; i < 32; i++)
		proof[i] = client_key[i] ^ signature[i];
	scram_encode(proof, 32, proof_text);
	snprintf(message, sizeof(message), "%s,p=%s", final, proof_text);
	say_encoded("", message);
}

static void scram_lets_in_who_knows_the_password(void **state)
{
	static const struct {
		const char *label, *header, *bare, *password, *want;
	} rows[] = {
		{ "good", "n,,", "n=shop,r=abc", "secret word", "334 " },
		{ "a client that could bind", "y,,", "n=shop,r=abc", "secret word", "334 " },
		{ "its own identity", "n,a=shop,", "n=shop,r=abc", "secret word", "334 " },
		{ "an odd name", "n,a=a=2Cb=3Dc,", "n=a=2Cb=3Dc,r=abc", "other word", "334 " },
		{ "another identity", "n,a=a=2Cb=3Dc,", "n=shop,r=abc", "secret word", "535 5.7.8" },
		{ "wrong password", "n,,", "n=shop,r=abc", "secret worD", "535 5.7.8" },
		{ "password of another", "n,,", "n=shop,r=abc", "other word", "535 5.7.8" },
		{ "unknown user", "n,,", "n=nobody,r=abc", "secret word", "535 5.7.8" },
	};
	char first[600];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin();
		scram_client(rows[i].header, rows[i].bare, rows[i].password, first);
		expect(rows[i].label, rows[i].want);
		if (rows[i].want[0] != '3')
			continue;
		play(rows[i].label, "> \n< 235 2.7.0\n> MAIL FROM:<a@b.test>\n< 250");
	}
}

static void malformed_scram_messages_hear_501(void **state)
{
	static const char *const firsts[] = {
		"", "n", "n,", "n,,", "n,,n=shop", "n,,r=abc", "n,,n=,r=abc", "n,,n=shop,r=", "n,,n=sh=op,r=abc", "n,,n=shop,x=1,r=abc", "n,,m=x,n=shop,r=abc",
		"p=tls-exporter,,n=shop,r=abc", "n,b=x,n=shop,r=abc", "n,a=,n=shop,r=abc", "x,,n=shop,r=abc", "n,,n=shop,r=a\tb",
	};
	static const char *const finals[] = {
		"", "c=biws", "c=biws,r=abc,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "c=biws,r=abc,p=AAAA", "p=", "c=biws,r=abc",
	};
	char first[600];

	for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
		begin();
		say_encoded(firsts[i][0] != '\0' ? "AUTH SCRAM-SHA-256 " : "AUTH SCRAM-SHA-256 =", firsts[i]);
		play(firsts[i], "< 501 5.5.2\n> NOOP\n< 250");
	}
	for (size_t i = 0; i < ARRAY_LEN(finals); i++) {
		begin();
		say_encoded("AUTH SCRAM-SHA-256 ", "n,,n=shop,r=abc");
		read_challenge(first);
		say_encoded("", finals[i]);
		play(finals[i], "< 501 5.5.2\n> NOOP\n< 250");
	}
	begin();
	scram_client("n,,", "n=shop,r=abc", "secret word", first);
	play("more than nothing at the end", "< 334 \n> AAAA\n< 501 5.5.2\n> MAIL FROM:<a@b.test>\n< 530");
	begin();
	play("cancelled", "> AUTH SCRAM-SHA-256\n< 334 \n> *\n< 501 5.7.0\n> NOOP\n< 250");
	assert_string_equal(main_thread.events + strlen(main_thread.events) - 10, "shop shop;");
}

/* --- passwords, and what main says ------------------------------------------------------------------------------------------- */

#define GOOD "AHNob3AAc2VjcmV0IHdvcmQ=" /* \0shop\0secret word */
#define BAD  "AHNob3AAc2VjcmV0IHdvckQ="
#define FROM "203.0.113.1 shop shop;"

static void a_password_is_right_against_a_verifier_too(void **state)
{
	begin();
	play("plain", "> AUTH PLAIN " BAD "\n< 535\n> AUTH PLAIN " GOOD "\n< 235");
	assert_string_equal(main_thread.events, "asked " FROM "failed " FROM "asked " FROM "succeeded " FROM);
	assert_int_equal(world.env.figures.auth_failures, 1);
}

static void what_was_right_a_moment_ago_needs_no_helper(void **state)
{
	begin();
	play("first", "> AUTH PLAIN " GOOD "\n< 235");
	begin();
	main_thread.events[0] = '\0';
	conn_write(world.client, "AUTH PLAIN " GOOD "\r\n", sizeof("AUTH PLAIN " GOOD "\r\n") - 1);
	turns_waiting(); /* the helper does not run here */
	play("again", "< 235");
	assert_string_equal(main_thread.events, "asked " FROM);
	begin();
	conn_write(world.client, "AUTH PLAIN " BAD "\r\n", sizeof("AUTH PLAIN " BAD "\r\n") - 1);
	turns_waiting();
	play("another password", "");
	turns();
	play("then", "< 535");
}

static void a_locked_login_hears_454(void **state)
{
	char first[600];

	main_thread.asked = LOGIN_LOCKED;
	begin();
	play("plain", "> AUTH PLAIN " GOOD "\n< 454 4.7.0 this login is locked\n> NOOP\n< 250");
	scram_client("n,,", "n=shop,r=abc", "secret word", first);
	play("scram", "< 454 4.7.0\n> NOOP\n< 250\n> MAIL FROM:<a@b.test>\n< 530");
	assert_int_equal(world.env.figures.auth_failures, 0);
}

static void a_banned_client_hears_421(void **state)
{
	main_thread.asked = LOGIN_BANNED;
	begin();
	play("asked", "> AUTH PLAIN " GOOD "\n< 421 4.7.0\nclosed");
	main_thread.asked = LOGIN_ALLOWED;
	main_thread.failed = LOGIN_BANNED;
	begin();
	play("the last straw", "> AUTH PLAIN " BAD "\n< 421 4.7.0\nclosed");
}

static void a_failure_is_told_after_its_delay(void **state)
{
	main_thread.delay_ms = 60;
	begin();
	play("not yet", "> AUTH PLAIN " BAD);
	for (int i = 0; i < 200 && world.read_to == world.got_len; i++)
		turns_waiting();
	play("now", "< 535\n> NOOP\n< 250");
}

static void who_leaves_is_counted_all_the_same(void **state)
{
	begin();
	conn_write(world.client, "AUTH PLAIN " BAD "\r\n", sizeof("AUTH PLAIN " BAD "\r\n") - 1);
	turns_waiting();
	intake_drain(world.intake, on_world_drained, NULL);
	turns();
	assert_true(world.drained);
	assert_string_equal(main_thread.events, "asked " FROM "failed " FROM);
}

static void a_session_may_end_while_main_is_asked(void **state)
{
	main_thread.hold = true;
	begin();
	play("no answer", "> AUTH PLAIN " GOOD);
	intake_drain(world.intake, on_world_drained, NULL);
	turns();
	assert_false(world.drained);
	answer_question(main_thread.held);
	turns();
	assert_true(world.drained);
}

static void a_drain_does_not_wait_for_a_delay(void **state)
{
	main_thread.delay_ms = HOURS(1);
	begin();
	play("not yet", "> AUTH PLAIN " BAD);
	intake_drain(world.intake, on_world_drained, NULL);
	turns();
	assert_true(world.drained);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(scram_lets_in_who_knows_the_password),
		TEST(malformed_scram_messages_hear_501),
		TEST(a_password_is_right_against_a_verifier_too),
		TEST(what_was_right_a_moment_ago_needs_no_helper),
		TEST(a_locked_login_hears_454),
		TEST(a_banned_client_hears_421),
		TEST(a_failure_is_told_after_its_delay),
		TEST(who_leaves_is_counted_all_the_same),
		TEST(a_session_may_end_while_main_is_asked),
		TEST(a_drain_does_not_wait_for_a_delay),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
