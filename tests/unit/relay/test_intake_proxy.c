/* tests/unit/relay/test_intake_proxy.c - clients behind load balancers: the PROXY protocol and XCLIENT, and who may speak them. */
#include "tests/unit/relay/intake_world.h"

#include "tests/unit/net/certificate.h"

static const char SETTINGS[] =
    "hostname: relay.test\n"
    "tls: {cert: /nonexistent/cert.pem, key: /nonexistent/key.pem}\n"
    "listen:\n"
    "  - {at: \"127.0.0.1:2525\"}\n"
    "  - {at: \"127.0.0.1:2526\", proxy: true}\n"
    "  - {at: \"127.0.0.1:2527\", tls: implicit, proxy: true}\n"
    "trusted: [192.0.2.8/29]\n"
    "limits: {message: 500K}\n"
    "tenants:\n"
    "  - {name: shop, from: [10.0.0.0/8]}\n"
    "  - {name: books, from: [2001:db8::/32], logins: [{user: books, hash: \"$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7\"}]}\n";

static struct certificate certificate;

static struct {
	unsigned asked;
	uint64_t number;
	char before[IP_PORT_TEXT], now[IP_PORT_TEXT], ended[IP_PORT_TEXT];
} gate;

static void (*world_session_end)(void *arg, const struct ip_port *client);

static void on_client(void *arg, uint64_t number, const struct ip_port *before, const struct ip_port *now)
{
	gate.asked++;
	gate.number = number;
	ip_port_format(before, gate.before);
	ip_port_format(now, gate.now);
}

static void tell_session_end(void *arg, const struct ip_port *client)
{
	ip_port_format(client, gate.ended);
	world_session_end(arg, client);
}

static int setup_group(void **state)
{
	loop_setup();
	certificate_create(&certificate);
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

	memset(&gate, 0, sizeof(gate));
	world_create(SETTINGS);
	world_session_end = world.env.on_session_end;
	world.env.on_session_end = tell_session_end;
	world.env.on_client = on_client;
	world.tls = tls_server_create(certificate.cert, certificate.key, &warning, NULL);
	return world.tls != NULL ? 0 : -1;
}

static int teardown(void **state)
{
	world_destroy();
	return 0;
}

static void answer_gate(const char *busy)
{
	intake_admit(world.intake, gate.number, busy);
	turns();
}

#define V1 "PROXY TCP4 10.0.0.7 127.0.0.1 40001 25\r\n"
#define MESSAGE "> MAIL FROM:<a@b.test>\n< 250\n> RCPT TO:<c@d.test>\n< 250\n> DATA\n< 354\n> .\n< 250 2.0.0 queued"

static void the_client_of_a_proxy_header_is_the_client(void **state)
{
	hello_from("192.0.2.9", 1, NULL);
	play("nothing is said before the header", "");
	SAY(V1 "EHLO c.test\r\n");
	assert_int_equal(gate.asked, 1);
	assert_string_equal(gate.before, "192.0.2.9:40000");
	assert_string_equal(gate.now, "10.0.0.7:40001");
	play("nothing is said before main has answered", "");
	answer_gate(NULL);
	play("a message", "< 220\n< 250-relay.test hello c.test [10.0.0.7]\n~ 250 \n" MESSAGE "\n> QUIT\n< 221\nclosed");
	assert_string_equal(store.message.tenant, "shop");
	assert_string_equal(store.message.client, "10.0.0.7 c.test");
	assert_string_equal(gate.ended, "10.0.0.7:40001");
}

static void a_header_may_come_byte_by_byte(void **state)
{
	static const char header[] = V1;

	hello_from("192.0.2.9", 1, NULL);
	for (size_t i = 0; i < sizeof(header) - 1; i++)
		say(header + i, 1);
	answer_gate(NULL);
	play("greeted", "< 220");
}

static void tls_begins_right_behind_the_header(void **state)
{
	hello_from("192.0.2.9", 2, NULL);
	SAY("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0\x07\x7f\0\0\x01\x9c\x41\0\x19");
	assert_string_equal(gate.now, "10.0.0.7:40001");
	answer_gate(NULL);
	play("a message", "tls\n< 220\n> EHLO c.test\n~ 250 \n" MESSAGE);
	assert_string_equal(store.message.client, "10.0.0.7 c.test");
}

static void a_health_check_speaks_for_itself(void **state)
{
	hello_from("192.0.2.9", 1, NULL);
	SAY("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
	assert_int_equal(gate.asked, 0);
	play("a proxy has no tenant", "< 220\n> EHLO c.test\n~ 250 \n> QUIT\n< 221\nclosed");
	assert_string_equal(gate.ended, "192.0.2.9:40000");
}

static void who_is_busy_hears_so_after_the_header(void **state)
{
	hello_from("192.0.2.9", 1, NULL);
	SAY(V1);
	answer_gate("too many connections from your address, try again later");
	play("busy", "< 421 4.7.0 relay.test too many\nclosed");
	assert_string_equal(gate.ended, "10.0.0.7:40001");
}

static void others_are_disconnected_without_a_word(void **state)
{
	hello_from("192.0.2.9", 1, NULL);
	SAY("EHLO c.test\r\n");
	play("no header", "closed");
	assert_string_equal(gate.ended, "192.0.2.9:40000");
	hello_from("10.0.0.1", 1, NULL);
	play("no proxy", "closed");
	assert_string_equal(gate.ended, "10.0.0.1:40000");
	hello_from("192.0.2.9", 1, NULL);
	SAY("PROXY TCP4 10.0.0.7 127.0.0.1 400");
	conn_close(&world.client, true);
	turns();
	assert_string_equal(gate.ended, "192.0.2.9:40000");
	assert_int_equal(intake_session_count(world.intake), 0);
	assert_int_equal(gate.asked, 0);
}

/* The teardown drains, and checks that nobody is left. */
static void a_stop_waits_for_no_answer(void **state)
{
	hello_from("192.0.2.8", 0, NULL);
	SAY("XCLIENT ADDR=10.0.0.7\r\n");
	hello_from("192.0.2.9", 1, NULL);
	SAY(V1);
	assert_int_equal(gate.asked, 2);
	hello_from("192.0.2.10", 1, NULL);
	SAY("PROXY");
	assert_int_equal(intake_session_count(world.intake), 3);
}

static void xclient_makes_a_new_client_of_a_session(void **state)
{
	hello_from("192.0.2.9", 0, NULL);
	play("offered", "< 220\n> EHLO proxy.test\n~ 250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN\n~ 250 \n"
	    "> XCLIENT ADDR=10.0.0.7 PORT=40001 NAME=[UNAVAILABLE] HELO=c.test PROTO=ESMTP");
	assert_string_equal(gate.before, "192.0.2.9:40000");
	assert_string_equal(gate.now, "10.0.0.7:40001");
	answer_gate(NULL);
	play("again from the start", "< 220 relay.test\n> MAIL FROM:<a@b.test>\n< 503 5.5.1\n> EHLO proxy.test\n~ 250 \n" MESSAGE);
	assert_string_equal(store.message.tenant, "shop");
	assert_string_equal(store.message.client, "10.0.0.7 c.test");
	play("another", "> XCLIENT ADDR=IPV6:2001:db8::7 LOGIN=books");
	answer_gate(NULL);
	play("is somebody else", "< 220\n> EHLO proxy.test\n~ 250 \n" MESSAGE "\n> QUIT\n< 221\nclosed");
	assert_string_equal(store.message.tenant, "books");
	assert_string_equal(store.message.login, "books");
	assert_string_equal(store.message.client, "2001:db8::7 proxy.test");
	assert_string_equal(gate.ended, "[2001:db8::7]:0");
}

static void xclient_is_for_trusted_proxies_between_transactions(void **state)
{
	hello_from("10.0.0.1", 0, NULL);
	play("not trusted", "< 220\n> EHLO c.test\n~ 250 HELP\n> XCLIENT ADDR=10.0.0.7\n< 550 5.7.0\n> QUIT\n< 221\nclosed");
	hello_from("192.0.2.9", 0, NULL);
	play("malformed", "< 220\n> EHLO c.test\n~ 250 \n> XCLIENT ADDR=nobody\n< 501 5.5.4 bad value of ADDR");
	play("in a transaction", "> MAIL FROM:<a@b.test>\n< 250\n> XCLIENT ADDR=10.0.0.7\n< 503 5.5.1");
	assert_int_equal(gate.asked, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_client_of_a_proxy_header_is_the_client),
		TEST(a_header_may_come_byte_by_byte),
		TEST(tls_begins_right_behind_the_header),
		TEST(a_health_check_speaks_for_itself),
		TEST(who_is_busy_hears_so_after_the_header),
		TEST(others_are_disconnected_without_a_word),
		TEST(a_stop_waits_for_no_answer),
		TEST(xclient_makes_a_new_client_of_a_session),
		TEST(xclient_is_for_trusted_proxies_between_transactions),
	};

	return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
