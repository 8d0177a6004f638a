/* tests/unit/relay/test_intake_inner.c - sessions of our own for clients that do not speak SMTP: intake_start_inner. */
#include "tests/unit/relay/intake_world.h"

#include <crypt.h>

static const char SETTINGS[] =
    "hostname: relay.test\n"
    "listen: [{at: \"127.0.0.1:2525\"}]\n"
    "admin: {at: \"127.0.0.1:8025\"}\n"
    "limits: {message: 1M}\n"
    "bruteforce: {delay: 0s}\n"
    "tenants:\n"
    "  - {name: shop, from: [10.0.0.0/8], logins: [{user: shop, hash: \"%s\"}]}\n";

#define GOOD "AHNob3AAc2VjcmV0" /* shop, secret */
#define BAD  "AHNob3AAd3Jvbmc=" /* shop, wrong */

static int setup(void **state)
{
	char *settings = xasprintf(SETTINGS, crypt("secret", "$5$rounds=1000$salt"));

	world_create(settings);
	free(settings);
	return 0;
}

static int teardown(void **state)
{
	world_destroy();
	return 0;
}

static void inner_from(const char *address, const struct intake_inner *inner, const char *busy)
{
	struct ip_port peer = { .port = 40000 };
	int fds[2];

	conn_close(&world.client, false);
	turns();
	assert_true(ip_parse(address, &peer.addr));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	world.got_len = world.read_to = 0;
	world.client_ended = false;
	world.client = conn_accept(world.loop, fds[1], &client_ops, NULL);
	intake_start_inner(world.intake, fds[0], &peer, world.conf, inner, busy);
	turns();
}

#define HELLO "< 220\n> EHLO http\n~ 250 HELP\n"
#define MAIL  "MAIL FROM:<a@shop.example>\r\nRCPT TO:<b@x.test>\r\nBDAT 18 LAST\r\nFrom: a@x.t\r\n\r\nx\r\n"

static void the_network_is_known_and_the_message_says_http(void **state)
{
	inner_from("10.0.0.1", &(struct intake_inner){ .tls_text = "" }, NULL);
	play("hello", HELLO);
	SAY(MAIL);
	play("a message", "< 250\n< 250\n< 250 2.0.0 queued as ");
	assert_string_equal(store.message.client, "10.0.0.1 http");
	assert_string_equal(store.message.tenant, "shop");
	assert_int_equal(store.message.flags & MSG_TLS, 0);
	assert_non_null(strstr(store.body, "with HTTP id"));
	assert_string_equal(store.key, "");
}

static void how_the_client_itself_came_is_told(void **state)
{
	inner_from("10.0.0.1", &(struct intake_inner){ .tls_text = "TLSv1.3 X" }, NULL);
	play("hello", HELLO);
	SAY(MAIL);
	play("a message", "< 250\n< 250\n< 250 2.0.0 queued as ");
	assert_int_equal(store.message.flags & MSG_TLS, MSG_TLS);
	assert_non_null(strstr(store.body, "with HTTPS (TLSv1.3 X)"));
}

static void a_login_needs_no_tls_here(void **state)
{
	inner_from("203.0.113.1", &(struct intake_inner){ .tls_text = "" }, NULL);
	play("a login", "< 220\n> EHLO http\n~ 250-AUTH PLAIN\n~ 250 HELP\n> MAIL FROM:<a@shop.example>\n< 530 5.7.0\n> AUTH PLAIN " BAD "\n< 535 5.7.8\n"
	    "> AUTH PLAIN " GOOD "\n< 235 2.7.0");
	SAY(MAIL);
	play("a message", "< 250\n< 250\n< 250 2.0.0 queued as ");
	assert_string_equal(store.message.login, "shop");
}

static void a_key_goes_with_the_message_and_its_answer_comes_back(void **state)
{
	static const struct {
		const char *label;
		enum err result;
		msg_id earlier;
		const char *want;
	} rows[] = {
		{ "the first", OK, 0, "250 2.0.0 queued as " },
		{ "the same again", ERR_EXISTS, 1, "250 2.0.0 queued already as 0000000000001" },
		{ "another one", ERR_EXISTS, 0, "554 5.5.3 the key was used for another message" },
		{ "a full disk", ERR_FULL, 0, "452 4.3.1" },
	};
	struct intake_inner inner = { .key = "order-17", .fingerprint = 4711 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		inner_from("10.0.0.1", &inner, NULL);
		play(rows[i].label, HELLO);
		store.accept_result = rows[i].result;
		store.earlier = rows[i].earlier;
		SAY(MAIL);
		expect(rows[i].label, "250");
		expect(rows[i].label, "250");
		expect(rows[i].label, rows[i].want);
		assert_string_equal(store.key, "order-17");
		assert_int_equal(store.fingerprint, 4711);
	}
	assert_int_equal(store.accepted, 1);
}

static void chunks_of_a_repeated_message_are_discarded(void **state)
{
	static char content[600000];
	struct intake_inner inner = { .key = "big" };

	memset(content, 'x', sizeof(content));
	memcpy(content, "A: b\r\n\r\n", 8);
	memcpy(content + sizeof(content) - 2, "\r\n", 2);
	inner_from("10.0.0.1", &inner, NULL);
	play("hello", HELLO);
	store.accept_result = ERR_EXISTS;
	store.earlier = 1;
	SAY("MAIL FROM:<a@shop.example>\r\nRCPT TO:<b@x.test>\r\nBDAT 600000 LAST\r\n");
	say(content, sizeof(content));
	turns();
	turns();
	play("a message", "< 250\n< 250\n< 250 2.0.0 queued already as");
	assert_true(store.chunks_put > 0);
	assert_int_equal(store.discarded, 1);
}

static void a_busy_relay_says_421(void **state)
{
	inner_from("10.0.0.1", &(struct intake_inner){ .tls_text = "" }, "too many");
	play("busy", "< 421 4.7.0 relay.test too many\nclosed");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_network_is_known_and_the_message_says_http),
		TEST(how_the_client_itself_came_is_told),
		TEST(a_login_needs_no_tls_here),
		TEST(a_key_goes_with_the_message_and_its_answer_comes_back),
		TEST(chunks_of_a_repeated_message_are_discarded),
		TEST(a_busy_relay_says_421),
	};

	loop_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
