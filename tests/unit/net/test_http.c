/* tests/unit/net/test_http.c - unit tests for relay/net/http.h: requests that outlive their connection or their server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/net/conn.h"
#include "relay/net/http.h"

static struct {
	struct loop *loop;
	struct http *http;
	struct ip_port at;
	struct http_request *held; /* the handler answers when the test says so */
	bool hold;
	struct http_body *body;
	unsigned handled, idle;
	struct conn *client;
	char got[100000];
	size_t got_len;
	bool ended;
} world;

static const struct http_options OPTIONS = {
	.header_bytes = 8192, .body_bytes = 100000, .memory_bytes = 150000, .connections = 4, .idle_ms = 60000,
};

static void stop(void *arg)
{
	loop_stop(arg);
}

static void turns(int64_t ms)
{
	struct timer timer;

	timer_init(&timer, world.loop, stop, world.loop);
	timer_start(&timer, ms);
	loop_run(world.loop);
	timer_fini(&timer);
}

static void handle(void *arg, struct http_request *request)
{
	world.handled++;
	http_body_free(&world.body);
	world.body = http_take_body(request);
	if (world.hold)
		world.held = request;
	else
		http_answer(request, 200, "text/plain", "yes", 3);
}

static void client_data(void *arg)
{
	const char *data;
	size_t len;

	while ((len = conn_peek(world.client, &data)) > 0) {
		assert_true(world.got_len + len < sizeof(world.got));
		memcpy(world.got + world.got_len, data, len);
		world.got_len += len;
		world.got[world.got_len] = '\0';
		conn_consume(world.client, len);
	}
}

static void client_end(void *arg, enum conn_end end, const char *text)
{
	world.ended = true;
	conn_close(&world.client, false);
}

static void client_opened(void *arg)
{
}

static const struct conn_ops client_ops = { .on_open = client_opened, .on_data = client_data, .on_end = client_end };

static void client_open(void)
{
	struct ip_addr any = { .family = 0 };

	conn_close(&world.client, false);
	world.got_len = 0;
	world.got[0] = '\0';
	world.ended = false;
	world.client = conn_connect(world.loop, &any, &world.at, &client_ops, NULL);
	turns(10);
}

static void say(const char *text)
{
	conn_write(world.client, text, strlen(text));
	turns(20);
}

static int setup(void **state)
{
	struct err_detail why;

	memset(&world, 0, sizeof(world));
	world.loop = loop_create("test");
	/* A port that was free a moment ago. */
	for (uint16_t port = 41000; world.http == NULL && port < 41200; port++) {
		world.at = (struct ip_port){ .addr = { .family = AF_INET, .bytes = { 127, 0, 0, 1 } }, .port = port };
		world.http = http_open(&world.at, &why);
	}
	if (world.http == NULL)
		return -1;
	http_start(world.http, world.loop, &OPTIONS, NULL, handle, NULL);
	return 0;
}

static int teardown(void **state)
{
	conn_close(&world.client, false);
	turns(0);
	http_close(&world.http);
	http_body_free(&world.body);
	loop_destroy(&world.loop);
	return 0;
}

#define GET "GET /x?to=a%40b&to=c HTTP/1.1\r\nHost: x\r\n\r\n"

static void on_idle(void *arg)
{
	world.idle++;
}

static void a_request_is_what_the_client_said(void **state)
{
	char text[80], *to;

	world.hold = true;
	client_open();
	say("POST /x?to=a%40b&to=c HTTP/1.1\r\nHost: x\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello");
	assert_non_null(world.held);
	assert_true(http_is_post(world.held));
	assert_string_equal(http_path(world.held), "/x");
	assert_string_equal(http_header(world.held, "x-a"), "b");
	assert_null(http_header(world.held, "x-b"));
	assert_false(http_is_secure(world.held));
	assert_string_equal(http_tls_text(world.held, text, sizeof(text)), "");
	assert_int_equal(http_client(world.held).addr.bytes[0], 127);
	to = http_query(world.held, "to", 0);
	assert_string_equal(to, "a@b");
	free(to);
	to = http_query(world.held, "to", 1);
	assert_string_equal(to, "c");
	free(to);
	assert_null(http_query(world.held, "to", 2));
	assert_int_equal(http_body_len(world.body), 5);
	assert_memory_equal(http_body_text(world.body), "hello", 5);
	http_add_header(world.held, "X-C", "d");
	http_answer(world.held, 202, "text/plain", "yes", 3);
	turns(20);
	assert_memory_equal(world.got, "HTTP/1.1 202 ", 13);
	assert_non_null(strstr(world.got, "\r\nX-C: d\r\n"));
	assert_non_null(strstr(world.got, "\r\n\r\nyes"));
}

static void a_fingerprint_is_that_of_the_bytes(void **state)
{
	uint64_t first;

	client_open();
	say("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
	first = http_body_fingerprint(world.body);
	assert_int_equal(first, 0x9555e8555c62dcfdULL); /* XXH3 of "hello" */
	say("POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
	assert_int_equal(http_body_fingerprint(world.body), first);
	say("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhellp");
	assert_int_not_equal(http_body_fingerprint(world.body), first);
	assert_int_equal(world.handled, 3);
}

static void an_answer_may_come_when_the_client_has_gone(void **state)
{
	world.hold = true;
	client_open();
	say(GET);
	assert_non_null(world.held);
	conn_close(&world.client, false);
	turns(20);
	http_answer(world.held, 200, "text/plain", "yes", 3);
	turns(400);
	assert_int_equal(http_pending(world.http), 0);
	world.hold = false;
	client_open();
	say(GET);
	assert_memory_equal(world.got, "HTTP/1.1 200 ", 13);
}

static void an_answer_may_come_when_the_server_has_closed(void **state)
{
	world.hold = true;
	client_open();
	say(GET);
	assert_non_null(world.held);
	http_close(&world.http);
	turns(20);
	assert_true(world.ended);
	http_answer(world.held, 200, "text/plain", "yes", 3);
	turns(20);
}

static void a_stop_waits_for_the_answer_and_takes_nothing_new(void **state)
{
	world.hold = true;
	http_on_idle(world.http, on_idle, NULL);
	client_open();
	say(GET);
	http_stop(world.http);
	turns(20);
	assert_int_equal(http_pending(world.http), 1);
	assert_int_equal(world.idle, 0);
	http_answer(world.held, 200, "text/plain", "yes", 3);
	turns(20);
	assert_int_equal(world.idle, 1);
	assert_int_equal(http_pending(world.http), 0);
	assert_non_null(strstr(world.got, "Connection: close"));
	assert_true(world.ended);
	assert_int_equal(world.handled, 1);
}

static void a_client_that_leaves_within_the_answer_is_not_waited_for(void **state)
{
	static char large[8 << 20];

	world.hold = true;
	http_on_idle(world.http, on_idle, NULL);
	client_open();
	say(GET);
	conn_pause(world.client, true);
	http_answer(world.held, 200, "text/plain", large, sizeof(large));
	http_stop(world.http);
	turns(20);
	assert_int_equal(world.idle, 0);
	conn_close(&world.client, false);
	turns(600);
	assert_int_equal(world.idle, 1);
}

static void what_is_ambiguous_does_not_reach_the_handler(void **state)
{
	static const char *const rows[] = {
		"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
		"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\na",
		"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\nContent-Length: 1\r\n\r\na",
		"GET /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na",
		"DELETE /x HTTP/1.1\r\nHost: x\r\n\r\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		client_open();
		say(rows[i]);
		if (world.handled != 0 || strncmp(world.got, "HTTP/1.1 ", 9) != 0 || (world.got[9] != '4' && world.got[9] != '5'))
			fail_msg("%s: %s", rows[i], world.got);
	}
}

static void too_large_a_body_is_refused(void **state)
{
	client_open();
	say("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n");
	assert_memory_equal(world.got, "HTTP/1.1 413 ", 13);
	assert_int_equal(world.handled, 0);
}

static void bodies_with_their_handlers_count(void **state)
{
	static char body[90001];
	struct http_request *first;
	struct conn *other;

	memset(body, 'x', sizeof(body) - 1);
	world.hold = true;
	client_open();
	say("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n");
	say(body);
	first = world.held;
	assert_non_null(first);
	other = world.client;
	world.client = NULL;
	client_open();
	say("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n");
	say(body);
	turns(50);
	assert_int_equal(world.handled, 1);
	assert_true(world.ended); /* cut off, or told 503 */
	http_answer(first, 200, "text/plain", "yes", 3);
	conn_close(&other, false);
	turns(400);
	world.hold = false;
	client_open();
	say("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n");
	say(body);
	assert_int_equal(world.handled, 2);
	assert_memory_equal(world.got, "HTTP/1.1 200 ", 13);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_request_is_what_the_client_said),
		TEST(a_fingerprint_is_that_of_the_bytes),
		TEST(an_answer_may_come_when_the_client_has_gone),
		TEST(an_answer_may_come_when_the_server_has_closed),
		TEST(a_stop_waits_for_the_answer_and_takes_nothing_new),
		TEST(a_client_that_leaves_within_the_answer_is_not_waited_for),
		TEST(what_is_ambiguous_does_not_reach_the_handler),
		TEST(too_large_a_body_is_refused),
		TEST(bodies_with_their_handlers_count),
	};

	loop_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
