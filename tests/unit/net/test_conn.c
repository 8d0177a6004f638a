/* tests/unit/net/test_conn.c - connections over socket pairs and loopback, in the clear. TLS: test_tls.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay/net/conn.h"
#include "relay/net/listener.h"

/* One end under test: what its handlers saw, and what on_data is to do. */
struct end {
	struct loop *loop;
	struct conn *conn;
	char got[1 << 20];
	size_t len;
	int opens, drained, ends, data_calls;
	enum conn_end why;
	bool keep;         /* on_data reads nothing */
	bool close_on_data, flush;
	size_t stop_at;    /* stop the loop when so many bytes are there */
	bool stop_on_drained;
};

static struct end end;
static int peer;

static void take_all(struct end *e)
{
	const char *data;
	size_t len;

	while ((len = conn_peek(e->conn, &data)) > 0) {
		memcpy(e->got + e->len, data, len);
		e->len += len;
		conn_consume(e->conn, len);
	}
}

static void on_open(void *arg)
{
	struct end *e = arg;

	e->opens++;
	loop_stop(e->loop);
}

static void on_data(void *arg)
{
	struct end *e = arg;

	e->data_calls++;
	if (!e->keep)
		take_all(e);
	if (e->close_on_data) {
		conn_write(e->conn, "bye\r\n", 5);
		conn_close(&e->conn, e->flush);
		loop_stop(e->loop);
	} else if (e->stop_at > 0 && e->len >= e->stop_at) {
		loop_stop(e->loop);
	}
}

static void on_drained(void *arg)
{
	struct end *e = arg;

	e->drained++;
	if (e->stop_on_drained)
		loop_stop(e->loop);
}

static void on_end(void *arg, enum conn_end why, const char *text)
{
	struct end *e = arg;

	e->ends++;
	e->why = why;
	loop_stop(e->loop);
}

static const struct conn_ops ops = { .on_open = on_open, .on_data = on_data, .on_drained = on_drained, .on_end = on_end };

static int setup(void **state)
{
	int fds[2];

	memset(&end, 0, sizeof(end));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
		return -1;
	peer = fds[1];
	end.loop = loop_create("test");
	end.conn = conn_accept(end.loop, fds[0], &ops, &end);
	return 0;
}

static int teardown(void **state)
{
	conn_close(&end.conn, false);
	loop_destroy(&end.loop);
	if (peer >= 0)
		close(peer);
	return 0;
}

static void say(const char *text)
{
	assert_int_equal(write(peer, text, strlen(text)), strlen(text));
}

static void stop(void *arg)
{
	loop_stop(arg);
}

/* Let the loop go round until nothing more happens at once. */
static void turns(void)
{
	for (int i = 0; i < 5; i++) {
		struct timer timer;

		timer_init(&timer, end.loop, stop, end.loop);
		timer_start(&timer, 0);
		loop_run(end.loop);
		timer_fini(&timer);
	}
}

static void input_comes_in_and_the_end_is_told_after_it(void **state)
{
	say("hello");
	shutdown(peer, SHUT_WR);
	loop_run(end.loop);
	assert_int_equal(end.len, 5);
	assert_int_equal(end.ends, 1);
	assert_int_equal(end.why, CONN_CLOSED);
}

static void writes_of_one_turn_leave_together(void **state)
{
	char got[64];

	conn_write(end.conn, "250 ok\r\n", 8);
	conn_printf(end.conn, "%d %s\r\n", 354, "go");
	assert_int_equal(read(peer, got, sizeof(got)), -1);
	turns();
	assert_int_equal(read(peer, got, sizeof(got)), 16);
	assert_memory_equal(got, "250 ok\r\n354 go\r\n", 16);
	assert_int_equal(end.drained, 1);
}

static void a_paused_connection_reads_nothing_and_tells_nothing(void **state)
{
	conn_pause(end.conn, true);
	say("one");
	close(peer);
	peer = -1;
	turns();
	assert_int_equal(end.data_calls, 0);
	assert_int_equal(end.ends, 0);
	conn_pause(end.conn, false);
	loop_run(end.loop);
	assert_int_equal(end.len, 3);
	assert_int_equal(end.ends, 1);
}

static void a_kick_shows_unread_input_again(void **state)
{
	end.keep = true;
	say("word");
	turns();
	assert_int_equal(end.data_calls, 1);
	end.keep = false;
	turns();
	assert_int_equal(end.data_calls, 1);
	conn_kick(end.conn);
	assert_int_equal(end.data_calls, 1);
	turns();
	assert_int_equal(end.data_calls, 2);
	assert_int_equal(end.len, 4);
}

static void unread_input_is_bounded_and_flows_on_when_read(void **state)
{
	static char much[100000];
	size_t sent = 0;

	end.keep = true;
	for (int i = 0; i < 20; i++) {
		ssize_t n = write(peer, much, sizeof(much));

		sent += n > 0 ? (size_t)n : 0;
		turns();
	}
	assert_int_equal(conn_input_len(end.conn), 65536);
	assert_true(sent < sizeof(end.got));
	end.keep = false;
	end.stop_at = sent;
	conn_kick(end.conn);
	loop_run(end.loop);
	assert_int_equal(end.len, sent);
}

static void output_that_the_socket_does_not_take_is_kept(void **state)
{
	static char much[600000];
	size_t got = 0;

	end.stop_on_drained = true;
	conn_low_water(end.conn, 1000);
	conn_write(end.conn, much, sizeof(much));
	turns();
	assert_true(conn_output_len(end.conn) > 0);
	assert_int_equal(end.drained, 0);
	while (got < sizeof(much)) {
		static char block[65536];
		ssize_t n = read(peer, block, sizeof(block));

		if (n > 0)
			got += (size_t)n;
		turns();
	}
	assert_int_equal(conn_output_len(end.conn), 0);
	assert_int_equal(end.drained, 1);
}

static void count_release(void *arg)
{
	++*(int *)arg;
}

static void referenced_output_is_released_when_sent_and_when_closed(void **state)
{
	static char data[1000];
	int released = 0;

	conn_write_ref(end.conn, data, sizeof(data), count_release, &released);
	assert_int_equal(released, 0);
	turns();
	assert_int_equal(released, 1);
	conn_write_ref(end.conn, data, sizeof(data), count_release, &released);
	conn_close(&end.conn, false);
	turns();
	assert_int_equal(released, 2);
}

static void closing_with_flush_sends_first_even_when_input_is_unread(void **state)
{
	char got[16];

	end.close_on_data = end.flush = end.keep = true;
	say("unread");
	loop_run(end.loop);
	assert_null(end.conn);
	turns();
	say("more"); /* would be answered with a reset if the socket were closed already */
	turns();
	assert_int_equal(read(peer, got, sizeof(got)), 5);
	assert_memory_equal(got, "bye\r\n", 5);
	assert_int_equal(read(peer, got, sizeof(got)), 0);
	assert_int_equal(end.ends, 0);
}

static void closing_without_flush_drops_output(void **state)
{
	char got[16];

	conn_write(end.conn, "lost", 4);
	conn_close(&end.conn, false);
	turns();
	assert_int_equal(read(peer, got, sizeof(got)), 0);
}

static void the_deadline_that_was_set_last_counts(void **state)
{
	mono_ms before = clock_mono();

	conn_deadline(end.conn, 1);
	conn_deadline(end.conn, 60); /* the timer fires early and is set again */
	loop_run(end.loop);
	assert_int_equal(end.ends, 1);
	assert_int_equal(end.why, CONN_DEADLINE);
	assert_true(clock_mono() - before >= 55);
	conn_deadline(end.conn, 60000);
	conn_deadline(end.conn, 5); /* earlier than the timer */
	loop_run(end.loop);
	assert_int_equal(end.ends, 2);
	conn_deadline(end.conn, 1);
	conn_deadline(end.conn, 0);
	turns();
	assert_int_equal(end.ends, 2);
}

/* --- over loopback ------------------------------------------------------------------------------------------------------- */

static struct conn *accepted;
static struct ip_port accepted_from;

static void on_accept(void *arg, int fd, const struct ip_port *from)
{
	static struct end other;

	other.loop = end.loop;
	accepted_from = *from;
	accepted = conn_accept(end.loop, fd, &ops, &other);
}

static struct ip_port endpoint(const char *text)
{
	struct ip_port at = { .port = 0 };

	assert_true(ip_port_parse(text, &at));
	return at;
}

static struct listener *listen_somewhere(void)
{
	struct ip_port at = endpoint("127.0.0.1:1");
	struct err_detail why = { .text = "" };
	struct listener *listener;

	at.port = 0;
	listener = listener_open(&at, &why);
	if (listener == NULL)
		fail_msg("%s", why.text);
	listener_start(listener, end.loop, on_accept, NULL);
	return listener;
}

static void connecting_binds_the_source_address(void **state)
{
	struct listener *listener = listen_somewhere();
	struct ip_port to = listener_at(listener), from = endpoint("127.0.0.77:1");
	struct ip_port seen;

	conn_close(&end.conn, false);
	end.conn = conn_connect(end.loop, &from.addr, &to, &ops, &end);
	loop_run(end.loop);
	turns();
	assert_int_equal(end.opens, 1);
	assert_true(ip_equal(&accepted_from.addr, &from.addr));
	seen = conn_local(end.conn);
	assert_true(ip_equal(&seen.addr, &from.addr));
	assert_int_equal(seen.port, accepted_from.port);
	seen = conn_remote(end.conn);
	assert_int_equal(seen.port, to.port);
	conn_close(&accepted, false);
	listener_close(&listener);
}

static void failures_to_connect_are_told_apart(void **state)
{
	struct listener *listener = listen_somewhere();
	struct ip_port to = listener_at(listener), foreign = endpoint("192.0.2.1:1");
	struct ip_addr any = { .family = 0 };

	conn_close(&end.conn, false);
	end.conn = conn_connect(end.loop, &foreign.addr, &to, &ops, &end);
	assert_int_equal(end.ends, 0);
	loop_run(end.loop);
	assert_int_equal(end.why, CONN_NO_ADDRESS);
	conn_close(&end.conn, false);
	listener_close(&listener);
	turns();
	end.conn = conn_connect(end.loop, &any, &to, &ops, &end);
	loop_run(end.loop);
	assert_int_equal(end.why, CONN_REFUSED);
	assert_int_equal(end.ends, 2);
	assert_int_equal(end.opens, 0);
}

static void a_listener_tells_why_it_cannot(void **state)
{
	struct listener *listener = listen_somewhere();
	struct ip_port taken = listener_at(listener), foreign = endpoint("192.0.2.1:2525");
	struct err_detail why;

	assert_null(listener_open(&taken, &why));
	assert_int_equal(why.code, ERR_EXISTS);
	assert_null(listener_open(&foreign, &why));
	assert_int_equal(why.code, ERR_NOT_FOUND);
	assert_non_null(strstr(why.text, "192.0.2.1:2525"));
	listener_close(&listener);
}

static void nothing_happens_after_close(void **state)
{
	end.keep = true;
	say("x");
	turns();
	conn_kick(end.conn);
	conn_write(end.conn, "y", 1);
	conn_deadline(end.conn, 1);
	conn_close(&end.conn, true);
	assert_null(end.conn);
	end.data_calls = 0;
	turns();
	assert_int_equal(end.data_calls + end.ends + end.drained, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(input_comes_in_and_the_end_is_told_after_it),
		TEST(writes_of_one_turn_leave_together),
		TEST(a_paused_connection_reads_nothing_and_tells_nothing),
		TEST(a_kick_shows_unread_input_again),
		TEST(unread_input_is_bounded_and_flows_on_when_read),
		TEST(output_that_the_socket_does_not_take_is_kept),
		TEST(referenced_output_is_released_when_sent_and_when_closed),
		TEST(closing_with_flush_sends_first_even_when_input_is_unread),
		TEST(closing_without_flush_drops_output),
		TEST(the_deadline_that_was_set_last_counts),
		TEST(connecting_binds_the_source_address),
		TEST(failures_to_connect_are_told_apart),
		TEST(a_listener_tells_why_it_cannot),
		TEST(nothing_happens_after_close),
	};

	loop_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
