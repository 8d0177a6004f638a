/* tests/unit/net/test_fetch.c - unit tests for relay/net/fetch.h, against our own HTTP server and a real name server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/net/fetch.h"
#include "relay/net/http.h"
#include "tests/support/dns_conf.h"
#include "tests/support/dns_server.h"
#include "tests/unit/net/certificate.h"

static struct {
	struct dns_server dns;
	struct certificate certificate;
	struct conf *conf;
	struct loop *loop;
	struct resolver *resolver;
	struct fetcher *fetcher;
	struct http *http, *plain;
	uint16_t port, plain_port;
	struct http_request *held;
	bool called;
	int status;
	bool untrusted, unfound;
	char why[256], type[64], body[200];
} world;

static struct http *serve(struct tls_server *tls, uint16_t *port_out, http_handler handle)
{
	static const struct http_options options = {
		.header_bytes = 8192, .body_bytes = 1000, .memory_bytes = 10000, .connections = 8, .idle_ms = 60000,
	};
	struct err_detail why;
	struct ip_port at;
	struct http *http = NULL;

	for (unsigned port = 20000 + (unsigned)getpid() % 20000; !http && port < 65000; port += 7) {
		char text[40];

		snprintf(text, sizeof(text), "127.0.0.1:%u", port);
		assert_true(ip_port_parse(text, &at));
		http = http_open(&at, &why);
		*port_out = (uint16_t)port;
	}
	assert_non_null(http);
	http_start(http, world.loop, &options, tls, handle, NULL);
	return http;
}

/* "/hold" is never answered; a POST hears its type and body. */
static void handle(void *arg, struct http_request *request)
{
	if (strcmp(http_path(request), "/hold") == 0) {
		world.held = request;
	} else if (strcmp(http_path(request), "/away") == 0) {
		http_add_header(request, "Location", "/");
		http_answer(request, 302, "text/plain", "away", 4);
	} else if (http_is_post(request)) {
		struct http_body *body = http_take_body(request);
		char *text = xasprintf("%s:%s:%.*s", http_header(request, "Content-Type"),
		    http_header(request, "X-More") ? http_header(request, "X-More") : "", (int)http_body_len(body), http_body_text(body));

		http_answer(request, 201, "text/plain", text, strlen(text));
		http_body_free(&body);
		free(text);
	} else {
		http_answer(request, 200, "text/plain; charset=x", "hello", 5);
	}
}

static int start(void **state)
{
	static const struct dns_zone zones[] = { { .name = "relay.test", .records = "@ A 127.0.0.1\nother A 127.0.0.1\ntwo A 127.0.0.9\ntwo A 127.0.0.1\n" } };
	struct tls_server *tls;
	struct err_detail why;
	const char *warning;
	char *settings;

	loop_setup();
	world.loop = loop_create("test");
	dns_server_start(&world.dns, zones, ARRAY_LEN(zones));
	certificate_create(&world.certificate);
	settings = xasprintf("dns: {forward: [\"127.0.0.1@%u\"], anchors: [], timeout: 2s}\n", world.dns.port);
	world.conf = dns_conf_load(settings);
	free(settings);
	world.resolver = resolver_create(world.loop, world.conf, &why);
	assert_non_null(world.resolver);
	world.fetcher = fetcher_create(world.loop, world.resolver);
	tls = tls_server_create(world.certificate.cert, world.certificate.key, &warning, &why);
	assert_non_null(tls);
	world.http = serve(tls, &world.port, handle);
	world.plain = serve(NULL, &world.plain_port, handle);
	tls_server_unref(&tls);
	return 0;
}

static int stop(void **state)
{
	fetcher_destroy(&world.fetcher);
	http_close(&world.http);
	http_close(&world.plain);
	if (world.held)
		http_answer(world.held, 200, "text/plain", "", 0);
	resolver_destroy(&world.resolver);
	conf_unref(&world.conf);
	loop_destroy(&world.loop);
	dns_server_stop(&world.dns);
	certificate_remove(&world.certificate);
	return 0;
}

static void take(void *arg, const struct fetch_answer *answer)
{
	world.called = true;
	world.status = answer->status;
	world.untrusted = answer->untrusted;
	world.unfound = answer->unfound;
	snprintf(world.why, sizeof(world.why), "%s", answer->why);
	snprintf(world.type, sizeof(world.type), "%s", answer->type);
	snprintf(world.body, sizeof(world.body), "%.*s", (int)answer->len, answer->body);
	loop_stop(world.loop);
}

/* `path` behind https://HOST, at our port. */
static void fetch(const char *host, const char *path, struct fetch_request request)
{
	char *url = xasprintf("%s://%s%s", request.plain ? "http" : "https", host, path);

	world.called = false;
	request.url = url;
	request.port = request.plain ? world.plain_port : world.port;
	request.max_bytes = request.max_bytes ? request.max_bytes : 100;
	request.timeout_ms = request.timeout_ms ? request.timeout_ms : 5000;
	fetch_start(world.fetcher, &request, take, NULL);
	assert_false(world.called);
	loop_run(world.loop);
	assert_true(world.called);
	assert_int_equal(fetch_pending(world.fetcher), 0);
	free(url);
}

#define GOOD .ca = world.certificate.cert

static void a_page_comes_with_its_status_and_type(void **state)
{
	fetch("relay.test", "/", (struct fetch_request){ GOOD });
	assert_string_equal(world.why, "");
	assert_int_equal(world.status, 200);
	assert_string_equal(world.type, "text/plain; charset=x");
	assert_string_equal(world.body, "hello");
}

static void a_body_is_posted_with_its_type_and_fields(void **state)
{
	static const char *const headers[] = { "X-More: yes" };
	struct fetch_request request = { GOOD, .body = "{\"a\":1}", .body_len = 7, .type = "application/json", .headers = headers, .header_count = 1 };

	fetch("relay.test", "/x", request);
	assert_int_equal(world.status, 201);
	assert_string_equal(world.body, "application/json:yes:{\"a\":1}");
	request.plain = true;
	fetch("127.0.0.1", "/x", request);
	assert_int_equal(world.status, 201);
}

static void the_next_address_is_tried_when_one_does_not_connect(void **state)
{
	fetch("two.relay.test", "/x", (struct fetch_request){ .plain = true });
	assert_int_equal(world.status, 200);
}

static void redirects_are_not_followed(void **state)
{
	fetch("relay.test", "/away", (struct fetch_request){ GOOD });
	assert_int_equal(world.status, 302);
}

static void what_cannot_be_trusted_is_told_apart(void **state)
{
	fetch("relay.test", "/", (struct fetch_request){ 0 });
	assert_int_equal(world.status, 0);
	assert_true(world.untrusted);
	fetch("other.relay.test", "/", (struct fetch_request){ GOOD });
	assert_int_equal(world.status, 0);
	assert_true(world.untrusted);
	assert_non_null(strstr(world.why, "other.relay.test"));
}

static void a_host_without_an_address_is_told_apart(void **state)
{
	fetch("none.relay.test", "/", (struct fetch_request){ GOOD });
	assert_int_equal(world.status, 0);
	assert_true(world.unfound);
}

static void networks_that_are_refused_are_not_connected_to(void **state)
{
	struct ip_net net;

	assert_true(ip_net_parse("127.0.0.0/8", &net));
	fetch("relay.test", "/", (struct fetch_request){ GOOD, .refuse = &net, .refuse_count = 1 });
	assert_int_equal(world.status, 0);
	assert_non_null(strstr(world.why, "refuse_networks"));
	fetch("127.0.0.1", "/", (struct fetch_request){ .plain = true, .refuse = &net, .refuse_count = 1 });
	assert_int_equal(world.status, 0);
}

static void size_and_time_have_limits(void **state)
{
	fetch("relay.test", "/", (struct fetch_request){ GOOD, .max_bytes = 4 });
	assert_int_equal(world.status, 0);
	assert_non_null(strstr(world.why, "longer than 4 bytes"));
	assert_string_equal(world.body, "");
	fetch("relay.test", "/hold", (struct fetch_request){ GOOD, .timeout_ms = 300 });
	assert_int_equal(world.status, 0);
	assert_non_null(strstr(world.why, "in time"));
}

static void other_schemes_are_refused(void **state)
{
	static const char *const urls[] = { "http://relay.test/", "file:///etc/passwd", "https://", "ftp://relay.test/", "", "https://a b/" };

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct fetch_request request = { .url = urls[i], .max_bytes = 100, .timeout_ms = 3000 };

		world.called = false;
		fetch_start(world.fetcher, &request, take, NULL);
		loop_run(world.loop);
		assert_int_equal(world.status, 0);
		assert_non_null(strstr(world.why, "not a URL"));
	}
}

static void a_cancelled_request_is_not_called(void **state)
{
	struct fetch_request request = { .url = "https://relay.test/", GOOD, .port = world.port, .max_bytes = 100, .timeout_ms = 5000 };
	struct fetch *first = fetch_start(world.fetcher, &request, take, NULL);

	fetch_cancel(first);
	assert_int_equal(fetch_pending(world.fetcher), 0);
	fetch("relay.test", "/", (struct fetch_request){ GOOD });
	assert_int_equal(world.status, 200);
}

static void another_resolver_is_asked_again(void **state)
{
	struct fetch_request request = { .url = "https://relay.test/", GOOD, .port = world.port, .max_bytes = 100, .timeout_ms = 5000 };
	struct resolver *old = world.resolver;
	struct err_detail why;

	fetch_start(world.fetcher, &request, take, NULL);
	world.resolver = resolver_create(world.loop, world.conf, &why);
	assert_non_null(world.resolver);
	fetcher_use(world.fetcher, world.resolver);
	resolver_destroy(&old);
	loop_run(world.loop);
	assert_int_equal(world.status, 200);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_comes_with_its_status_and_type),
		cmocka_unit_test(a_body_is_posted_with_its_type_and_fields),
		cmocka_unit_test(the_next_address_is_tried_when_one_does_not_connect),
		cmocka_unit_test(redirects_are_not_followed),
		cmocka_unit_test(what_cannot_be_trusted_is_told_apart),
		cmocka_unit_test(a_host_without_an_address_is_told_apart),
		cmocka_unit_test(networks_that_are_refused_are_not_connected_to),
		cmocka_unit_test(size_and_time_have_limits),
		cmocka_unit_test(other_schemes_are_refused),
		cmocka_unit_test(a_cancelled_request_is_not_called),
		cmocka_unit_test(another_resolver_is_asked_again),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
