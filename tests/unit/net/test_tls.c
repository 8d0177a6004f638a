/* tests/unit/net/test_tls.c - certificates that load or do not, and connections over TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

#include "relay/net/conn.h"
#include "tests/unit/net/certificate.h"

struct end {
	struct conn *conn;
	char *got;
	size_t len;
	int secured, ends;
	bool first_line_only;
	enum conn_end why;
	char text[200];
};

static struct loop *loop;
static struct certificate certificate;
static struct tls_server *server;
static struct tls_client *client;
static struct end ends[2]; /* 0: server, 1: client */

static void on_secured(void *arg)
{
	((struct end *)arg)->secured++;
}

static void on_data(void *arg)
{
	struct end *e = arg;
	struct conn_line line;
	const char *data;
	size_t len;

	if (e->first_line_only) {
		if (conn_read_line(e->conn, 512, true, &line))
			e->len = line.len;
		return;
	}
	while ((len = conn_peek(e->conn, &data)) > 0) {
		e->got = xrealloc(e->got, e->len + len);
		memcpy(e->got + e->len, data, len);
		e->len += len;
		conn_consume(e->conn, len);
	}
}

static void on_end(void *arg, enum conn_end why, const char *text)
{
	struct end *e = arg;

	e->ends++;
	e->why = why;
	snprintf(e->text, sizeof(e->text), "%s", text);
	conn_close(&e->conn, false);
}

static const struct conn_ops ops = { .on_secured = on_secured, .on_data = on_data, .on_end = on_end };

static void stop(void *arg)
{
	loop_stop(loop);
}

static void turns(int count)
{
	for (int i = 0; i < count; i++) {
		struct timer timer;

		timer_init(&timer, loop, stop, NULL);
		timer_start(&timer, 0);
		loop_run(loop);
		timer_fini(&timer);
	}
}

static int setup(void **state)
{
	const char *warning;
	int fds[2];

	memset(ends, 0, sizeof(ends));
	certificate_create(&certificate);
	server = tls_server_create(certificate.cert, certificate.key, &warning, NULL);
	client = tls_client_create();
	loop = loop_create("test");
	if (server == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
		return -1;
	for (int i = 0; i < 2; i++)
		ends[i].conn = conn_accept(loop, fds[i], &ops, &ends[i]);
	return 0;
}

static int teardown(void **state)
{
	for (int i = 0; i < 2; i++) {
		conn_close(&ends[i].conn, false);
		free(ends[i].got);
	}
	loop_destroy(&loop);
	tls_client_unref(&client);
	tls_server_unref(&server);
	certificate_remove(&certificate);
	return 0;
}

static void secure_both(void)
{
	conn_secure_server(ends[0].conn, server);
	conn_secure_client(ends[1].conn, client, "relay.test");
	turns(8);
	assert_int_equal(ends[0].secured, 1);
	assert_int_equal(ends[1].secured, 1);
}

static void both_ends_know_what_was_achieved(void **state)
{
	struct tls_info info;

	assert_false(conn_is_secure(ends[0].conn));
	secure_both();
	for (int i = 0; i < 2; i++) {
		assert_true(conn_is_secure(ends[i].conn));
		conn_tls_info(ends[i].conn, &info);
		assert_string_equal(info.version, "TLSv1.3");
		assert_int_equal(strncmp(info.cipher, "TLS_", 4), 0);
		assert_false(info.verified);
	}
}

static void much_arrives_unchanged_in_both_directions(void **state)
{
	enum { MUCH = 700000 };
	static char data[MUCH];

	for (size_t i = 0; i < MUCH; i++)
		data[i] = (char)(i * 7 >> 3);
	secure_both();
	for (int i = 0; i < 2; i++) {
		conn_write(ends[i].conn, data, 10);
		conn_write(ends[i].conn, data + 10, 100000);
		for (size_t at = 100010; at < MUCH; at += 10)
			conn_write(ends[i].conn, data + at, 10);
	}
	turns(400);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ends[i].len, MUCH);
		assert_memory_equal(ends[i].got, data, MUCH);
	}
}

static void a_pause_holds_input_that_is_decrypted_already(void **state)
{
	static char data[100000];

	secure_both();
	conn_pause(ends[0].conn, true);
	conn_write(ends[1].conn, data, sizeof(data));
	conn_close(&ends[1].conn, true);
	turns(20);
	assert_int_equal(ends[0].len, 0);
	assert_int_equal(ends[0].ends, 0);
	conn_pause(ends[0].conn, false);
	turns(20);
	assert_int_equal(ends[0].len, sizeof(data));
	assert_int_equal(ends[0].ends, 1);
	assert_int_equal(ends[0].why, CONN_CLOSED);
}

static void hanging_up_without_a_word_is_a_close(void **state)
{
	secure_both();
	conn_write(ends[1].conn, "x", 1);
	turns(3);
	conn_close(&ends[1].conn, false);
	turns(3);
	assert_int_equal(ends[0].len, 1);
	assert_int_equal(ends[0].why, CONN_CLOSED);
}

static void plain_text_behind_the_answer_to_starttls_is_an_attack(void **state)
{
	ends[1].first_line_only = true;
	conn_write(ends[0].conn, "220 go\r\n250 injected\r\n", 22);
	turns(2);
	assert_int_equal(ends[1].len, 6);
	conn_secure_server(ends[0].conn, server);
	conn_secure_client(ends[1].conn, client, "relay.test");
	assert_int_equal(ends[1].ends, 0);
	turns(5);
	assert_non_null(strstr(ends[1].text, "plain text"));
	assert_int_equal(ends[1].secured, 0);
	assert_int_equal(ends[1].why, CONN_TLS_FAILED);
}

static void what_is_not_tls_fails_the_handshake(void **state)
{
	conn_secure_server(ends[0].conn, server);
	conn_write(ends[1].conn, "EHLO x\r\n", 8);
	turns(5);
	assert_int_equal(ends[0].secured, 0);
	assert_int_equal(ends[0].why, CONN_TLS_FAILED);
	assert_true(strlen(ends[0].text) > 0);
}

static void output_before_the_handshake_goes_in_the_clear(void **state)
{
	conn_write(ends[0].conn, "220 go\r\n", 8);
	conn_secure_server(ends[0].conn, server);
	turns(3);
	assert_int_equal(ends[1].len, 8);
	assert_memory_equal(ends[1].got, "220 go\r\n", 8);
	conn_secure_client(ends[1].conn, client, "relay.test");
	turns(8);
	assert_int_equal(ends[1].secured, 1);
	conn_write(ends[0].conn, "after", 5);
	turns(5);
	assert_int_equal(ends[1].len, 13);
}

/* --- certificates -------------------------------------------------------------------------------------------------------- */

static void load_fails(const char *label, const char *cert, const char *key, enum err want, const char *names)
{
	struct err_detail why = { .text = "" };
	const char *warning;
	struct tls_server *loaded = tls_server_create(cert, key, &warning, &why);

	if (loaded != NULL || why.code != want || strstr(why.text, names) == NULL)
		fail_msg("%s: %s \"%s\"", label, loaded != NULL ? "loaded" : err_name(why.code), why.text);
}

static void what_cannot_be_loaded_is_said(void **state)
{
	struct certificate other;

	certificate_create(&other);
	load_fails("no such certificate", "/nonexistent/c.pem", certificate.key, ERR_NOT_FOUND, "/nonexistent/c.pem");
	load_fails("no such key", certificate.cert, "/nonexistent/k.pem", ERR_NOT_FOUND, "/nonexistent/k.pem");
	load_fails("no certificate inside", certificate.key, certificate.key, ERR_INVALID, certificate.key);
	load_fails("no key inside", certificate.cert, certificate.cert, ERR_INVALID, certificate.cert);
	load_fails("key of another", certificate.cert, other.key, ERR_INVALID, other.key);
	certificate_remove(&other);
}

static void a_certificate_out_of_its_time_is_a_warning(void **state)
{
	static const struct {
		long from, to;
		const char *want;
	} rows[] = { { -7200, -3600, "the certificate has expired" }, { 3600, 7200, "the certificate is not valid yet" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct certificate odd;
		struct tls_server *loaded;
		const char *warning;

		certificate_create_for(&odd, rows[i].from, rows[i].to);
		loaded = tls_server_create(odd.cert, odd.key, &warning, NULL);
		assert_non_null(loaded);
		assert_string_equal(warning, rows[i].want);
		tls_server_unref(&loaded);
		certificate_remove(&odd);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(both_ends_know_what_was_achieved),
		TEST(much_arrives_unchanged_in_both_directions),
		TEST(a_pause_holds_input_that_is_decrypted_already),
		TEST(hanging_up_without_a_word_is_a_close),
		TEST(plain_text_behind_the_answer_to_starttls_is_an_attack),
		TEST(what_is_not_tls_fails_the_handshake),
		TEST(output_before_the_handshake_goes_in_the_clear),
		TEST(what_cannot_be_loaded_is_said),
		TEST(a_certificate_out_of_its_time_is_a_warning),
	};

	loop_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
