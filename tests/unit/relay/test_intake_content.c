/* tests/unit/relay/test_intake_content.c - message content: byte-exact, refused when malformed, streamed when long; and its commit. */
#include "tests/unit/relay/intake_world.h"

static const char CONF[] =
    "hostname: relay.test\n"
    "state: /nonexistent\n"
    "listen:\n"
    "  - {at: \"127.0.0.1:2525\", tls: none, auth: none}\n"
    "limits: {message: 2M, hops: 5, text_line: 1000, memory: 4M}\n"
    "retry: {expire: 2d}\n"
    "tenants:\n"
    "  - {name: net, from: [10.0.0.0/8]}\n";

#define RCPT "< 220\n> EHLO c.test\n~ 250 \n" \
	"> MAIL FROM:<a@b.test>\n< 250 2.1.0\n> RCPT TO:<c@d.test>\n< 250 2.1.5\n"
#define DATA RCPT "> DATA\n< 354 \n"

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

static void begin(const char *script)
{
	hello_from("10.0.0.1", 0, NULL);
	play("begin", script);
}

static const struct {
	const char *label;
	const char *in; /* what is sent behind 354 */
	size_t len;
	const char *want; /* the stored body, or NULL: refused */
	const char *reply;
} rows[] = {
#define IN(text) text, sizeof(text) - 1
	{ "empty", IN(".\r\n"), "", "250 2.0.0 queued" },
	{ "a line", IN("one\r\n.\r\n"), "one\r\n", "250" },
	{ "a stuffed dot", IN("..\r\n...\r\n.x\r\n.\r\n"), ".\r\n..\r\nx\r\n", "250" },
	{ "8-bit", IN("\xe4\xf6\r\n.\r\n"), "\xe4\xf6\r\n", "250" },
	{ "no header at all", IN("\r\n\r\n.\r\n"), "\r\n\r\n", "250" },
	{ "LF . LF ends nothing", IN("a\n.\nMAIL FROM:<x@y>\n.\r\n.\r\n"), NULL, "550 5.6.0 bare LF" },
	{ "LF . CRLF ends nothing", IN("a\n.\r\nMAIL FROM:<x@y>\r\n.\r\n"), NULL, "550 5.6.0 bare LF" },
	{ "CRLF . LF ends nothing", IN("a\r\n.\nMAIL FROM:<x@y>\r\n.\r\n"), NULL, "550 5.6.0 bare LF" },
	{ "CR . CR ends nothing", IN("a\r.\rMAIL FROM:<x@y>\r\n.\r\n"), NULL, "550 5.6.0 bare CR" },
	{ "CRLF . CR ends nothing", IN("a\r\n.\rMAIL FROM:<x@y>\r\n.\r\n"), NULL, "550 5.6.0 bare CR" },
	{ "CR . CRLF ends nothing", IN("a\r.\r\nMAIL FROM:<x@y>\r\n.\r\n"), NULL, "550 5.6.0 bare CR" },
	{ "CR CR LF . CR CR LF", IN("a\r\r\n.\r\r\n.\r\n"), NULL, "550 5.6.0 bare CR" },
	{ "LF CR . LF CR", IN("a\n\r.\n\r\r\n.\r\n"), NULL, "550 5.6.0 bare" },
	{ "NUL . CRLF", IN("a\r\n\0.\r\n.\r\n"), NULL, "550 5.6.0 NUL" },
	{ "a lone LF", IN("a\nb\r\n.\r\n"), NULL, "550 5.6.0 bare LF in message content; lines must end in CRLF" },
	{ "CR at the end", IN("a\r\r\n.\r\n"), NULL, "550 5.6.0 bare CR in message content; lines must end in CRLF" },
	{ "looping", IN("Received: 1\r\nreceived: 2\r\nX: 3\r\nReceived: 4\r\nReceived: 5\r\nRECEIVED: 6\r\n\r\n.\r\n"), NULL, "554 5.4.6" },
	{ "nearly looping", IN("Received: 1\r\nReceived: 2\r\nReceived: 4\r\nReceived: 5\r\n\r\nReceived: 6\r\n.\r\n"),
	  "Received: 1\r\nReceived: 2\r\nReceived: 4\r\nReceived: 5\r\n\r\nReceived: 6\r\n", "250" },
};

static void check_row(size_t i, const char *how)
{
	char label[200];

	snprintf(label, sizeof(label), "%s, %s", rows[i].label, how);
	expect(label, rows[i].reply);
	if (rows[i].want != NULL && strcmp(body(), rows[i].want) != 0)
		fail_msg("%s: stored \"%s\"", label, body());
	if (store.accepted != (rows[i].want != NULL))
		fail_msg("%s: accepted %u", label, store.accepted);
	play(label, "> NOOP\n< 250 2.0.0");
}

static void data_is_stored_exactly_or_refused_whole(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin(DATA);
		store.accepted = 0;
		say(rows[i].in, rows[i].len);
		check_row(i, "in one piece");
		begin(DATA);
		store.accepted = 0;
		for (size_t at = 0; at < rows[i].len; at++)
			say(rows[i].in + at, 1);
		check_row(i, "byte by byte");
	}
}

static void received_is_put_in_front(void **state)
{
	begin(DATA);
	say(".\r\n", 3);
	assert_non_null(strstr(store.body, "from c.test ("));
	assert_non_null(strstr(store.body, "[10.0.0.1]"));
	assert_non_null(strstr(store.body, "by relay.test"));
	assert_non_null(strstr(store.body, "with ESMTP"));
	assert_non_null(strstr(store.body, "for <c@d.test>"));
	assert_string_equal(store.message.sender, "a@b.test");
	assert_string_equal(store.message.tenant, "net");
	assert_string_equal(store.message.login, "");
	assert_string_equal(store.message.client, "10.0.0.1 c.test");
	assert_string_equal(store.message.rcpts, "0/0 c@d.test");
	assert_int_equal(store.message.deadline - store.message.arrived, DAYS(2));
	assert_int_equal(store.message.chunks, 1);
	assert_int_equal(world.env.figures.messages, 1);
}

static void flags_say_what_the_content_needs(void **state)
{
	begin(DATA);
	SAY("plain\r\n.\r\n");
	assert_int_equal(store.message.flags, 0);
	begin(DATA);
	SAY("\xe4\r\n.\r\n");
	assert_int_equal(store.message.flags, MSG_8BIT | MSG_HIGH_BYTES);
	begin(RCPT);
	play("utf8", "> RSET\n< 250\n> MAIL FROM:<a@b.test> SMTPUTF8 BODY=8BITMIME\n< 250\n> RCPT TO:<\xc3\xa4@d.test>\n< 250\n> DATA\n< 354\n> .\n< 250");
	assert_int_equal(store.message.flags, MSG_8BIT | MSG_SMTPUTF8);
	assert_non_null(strstr(store.body, "with UTF8SMTP"));
}

static void recipients_of_a_domain_become_one_job(void **state)
{
	begin(RCPT);
	play("more", "> RCPT TO:<x@B.test>\n< 250\n> RCPT TO:<y@D.Test>\n< 250\n> RCPT TO:<z@a.test>\n< 250\n> RCPT TO:<b@b.TEST>\n< 250\n"
	    "> RCPT TO:<C@d.test>\n< 250\n> RCPT TO:<c@D.TEST>\n< 250\n> DATA\n< 354\n> .\n< 250");
	assert_string_equal(store.message.rcpts, "0/0 z@a.test 1/1 x@b.test 2/1 b@b.test 3/3 c@d.test 4/3 y@d.test 5/3 C@d.test");
	assert_string_equal(world.jobs, "a.test 0+1 b.test 1+2 d.test 3+3");
	assert_null(strstr(store.body, "for <"));
}

/* Content of `len` bytes in lines of 64, without a header. */
static char *lines(size_t len)
{
	char *text = xcalloc(1, len + 64);

	for (size_t i = 0; i < len; i += 64)
		snprintf(text + i, 65, "%062zu\r\n", i);
	memcpy(text, "\r\n", 2);
	return text;
}

static void send_lines(const char *text, size_t len)
{
	for (size_t at = 0; at < len; at += 50000)
		say(text + at, len - at < 50000 ? len - at : 50000);
}

static void bodies_of_any_length_arrive_unchanged(void **state)
{
	static const size_t sizes[] = { 64, 65472, 65536, 131072, 261888, 262144, 327680, 500032, 1048576, 2097152 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char *text = lines(sizes[i]);

		begin(DATA);
		store.chunks_put = 0;
		send_lines(text, sizes[i]);
		say(".\r\n", 3);
		expect("long", "250 2.0.0");
		assert_int_equal(strlen(body()), sizes[i]);
		assert_memory_equal(body(), text, sizes[i]);
		assert_int_equal(store.chunks_put > 0, sizes[i] > 327000);
		free(text);
	}
	assert_int_equal(world.memory, 0);
	assert_int_equal(store.discarded, 0);
}

static void chunked_bodies_arrive_unchanged(void **state)
{
	static const size_t cuts[] = { 1, 100, 65520, 65521, 300000 };
	char *text = lines(512000);
	char command[40];

	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		size_t at = 0, chunks = 0;

		begin(RCPT);
		for (; at < 512000 && chunks < 20; chunks++) {
			size_t len = 512000 - at < cuts[i] ? 512000 - at : cuts[i];

			if (chunks == 19)
				len = 512000 - at;
			snprintf(command, sizeof(command), "BDAT %zu%s\r\n", len, at + len == 512000 ? " LAST" : "");
			say(command, strlen(command));
			send_lines(text + at, len);
			expect("chunk", at + len == 512000 ? "250 2.0.0 queued" : "250 2.0.0 ");
			at += len;
		}
		assert_memory_equal(body(), text, 512000);
	}
	free(text);
}

static void bdat_content_need_not_end_a_line_but_keeps_the_discipline(void **state)
{
	begin(RCPT);
	SAY("BDAT 9 LAST\r\nno dot\r\n.");
	expect("open end", "250 2.0.0 queued");
	assert_string_equal(body(), "no dot\r\n.");
	begin(RCPT);
	SAY("BDAT 5\r\ntext\rBDAT 1 LAST\r\n\n");
	expect("CR and LF in two chunks", "250 2.0.0 5");
	expect("CR and LF in two chunks", "250 2.0.0 queued");
	assert_string_equal(body(), "text\r\n");
	begin(RCPT);
	SAY("BDAT 5 LAST\r\ntext\r");
	expect("CR at the end", "550 5.6.0 bare CR");
	begin(RCPT);
	SAY("BDAT 3\r\na\nbBDAT 3 LAST\r\nxyzNOOP\r\n");
	expect("LF", "550 5.6.0 bare LF");
	expect("rest", "503 5.5.1");
	expect("rest", "250 2.0.0");
	begin(RCPT);
	SAY("BDAT 3 LAST\r\na\0b");
	expect("NUL", "550 5.6.0 NUL");
}

static void what_exceeds_the_limit_is_refused_after_its_end(void **state)
{
	static char much[100000];

	for (size_t i = 0; i < sizeof(much); i += 100)
		memcpy(much + i + 98, "\r\n", 2);
	for (size_t i = 0; i < sizeof(much); i++)
		much[i] = much[i] != '\0' ? much[i] : 'x';
	memcpy(much, "\r\n", 2); /* the end of the header */
	begin(DATA);
	for (int i = 0; i < 25; i++)
		say(much, sizeof(much));
	assert_int_equal(world.read_to, world.got_len);
	assert_true(world.memory <= QUEUE_CHUNK);
	say(".\r\n", 3);
	expect("too large", "552 5.3.4");
	assert_int_equal(store.accepted, 0);
	assert_int_equal(store.discarded, 1);
	play("go on", "> MAIL FROM:<a@b.test>\n< 250");
	begin(RCPT);
	play("declared", "> BDAT 3000000 LAST");
	for (int i = 0; i < 30; i++)
		say(much, sizeof(much));
	expect("too large", "552 5.3.4");
}

static void lines_beyond_text_line_are_refused(void **state)
{
	static char line[1100];

	memset(line, 'x', sizeof(line));
	memcpy(line + 998, "\r\n.\r\n", 5);
	begin(DATA);
	say(line, 1003);
	expect("as long as allowed", "250 2.0.0");
	memset(line, 'x', sizeof(line));
	memcpy(line + 999, "\r\n.\r\n", 5);
	begin(DATA);
	say(line, 1004);
	expect("one byte more", "550 5.6.0 line too long");
}

static void reading_stops_while_the_store_is_slow(void **state)
{
	char *text = lines(1048576);

	begin(DATA);
	store.hold = true;
	conn_write(world.client, text, 1048576);
	conn_write(world.client, ".\r\n", 3);
	turns();
	turns();
	assert_true(conn_output_len(world.client) > 100000);
	assert_true(world.memory <= 10 * QUEUE_CHUNK);
	assert_int_equal(store.accepted, 0);
	for (int i = 0; i < 40; i++) {
		answer_held();
		turns();
	}
	expect("at last", "250 2.0.0");
	assert_memory_equal(body(), text, 1048576);
	assert_true(store.in_flight_max <= 5);
	free(text);
}

static void the_reply_waits_for_the_commit(void **state)
{
	begin(DATA);
	store.hold = true;
	SAY("a\r\n.\r\nNOOP\r\n");
	assert_int_equal(world.read_to, world.got_len);
	assert_string_equal(world.jobs, "");
	answer_held();
	turns();
	assert_string_equal(world.jobs, "d.test 0+1");
	expect("then", "250 2.0.0 queued as ");
	expect("then", "250 2.0.0 ok");
}

static void trouble_of_the_store_is_temporary(void **state)
{
	char *text = lines(400000);

	store.accept_result = ERR_FULL;
	begin(DATA);
	say(".\r\n", 3);
	expect("full", "452 4.3.1");
	store.accept_result = ERR_IO;
	play("go on", "> MAIL FROM:<a@b.test>\n< 250\n> RCPT TO:<c@d.test>\n< 250\n> DATA\n< 354\n> .\n< 451 4.3.0");
	assert_string_equal(world.jobs, "");
	store.put_result = ERR_FULL;
	begin(DATA);
	send_lines(text, 400000);
	say(".\r\n", 3);
	expect("full while streaming", "452 4.3.1");
	assert_int_equal(store.discarded, 1);
	store.put_result = OK;
	store.hold = true;
	begin(DATA);
	send_lines(text, 400000);
	say(".\r\n", 3);
	store.put_result = ERR_IO;
	answer_held();
	turns();
	expect("failure of the last chunk", "451 4.3.0");
	store.hold = false;
	store.put_result = store.accept_result = OK;
	play("recovered", "> MAIL FROM:<a@b.test>\n< 250\n> RCPT TO:<c@d.test>\n< 250\n> DATA\n< 354\n> .\n< 250 2.0.0");
	free(text);
}

/* Else clients that try again and again fill the store with what nobody can be told of. */
static void chunks_of_a_message_that_finds_no_room_are_discarded(void **state)
{
	char *text = lines(400000);

	store.accept_result = ERR_FULL;
	begin(DATA);
	send_lines(text, 400000);
	say(".\r\n", 3);
	expect("full", "452 4.3.1");
	assert_true(store.chunks_put > 0);
	assert_int_equal(store.discarded, 1);
	free(text);
}

static void a_client_that_goes_leaves_nothing_behind(void **state)
{
	char *text = lines(400000);

	begin(DATA);
	send_lines(text, 400000);
	conn_close(&world.client, false);
	turns();
	assert_int_equal(store.discarded, 1);
	assert_int_equal(world.memory, 0);
	begin(DATA);
	store.hold = true;
	send_lines(text, 400000);
	conn_close(&world.client, false);
	turns();
	for (int i = 0; i < 5; i++) {
		answer_held(); /* queue_submit asserts that the discard comes behind all answers */
		turns();
	}
	assert_int_equal(store.discarded, 2);
	assert_int_equal(world.memory, 0);
	assert_int_equal(store.accepted, 0);
	free(text);
}

static void a_message_whose_client_went_during_the_commit_is_kept(void **state)
{
	begin(DATA);
	store.hold = true;
	say(".\r\n", 3);
	conn_close(&world.client, false);
	turns();
	answer_held();
	turns();
	assert_int_equal(store.accepted, 1);
	assert_string_equal(world.jobs, "d.test 0+1");
	assert_int_equal(store.discarded, 0);
}

static void short_memory_stores_early_and_turns_new_mail_away(void **state)
{
	char *text = lines(200000);

	begin(DATA);
	world.memory += 4 << 20; /* others use all */
	send_lines(text, 200000);
	assert_true(store.chunks_put > 0);
	say(".\r\n", 3);
	expect("goes through", "250 2.0.0");
	assert_memory_equal(body(), text, 200000);
	play("DATA", "> MAIL FROM:<a@b.test>\n< 250\n> RCPT TO:<c@d.test>\n< 250\n> DATA\n< 452 4.3.1\n+ BDAT 3 LAST\n> x\n< 452 4.3.1");
	world.memory -= 4 << 20;
	free(text);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(data_is_stored_exactly_or_refused_whole),
		TEST(received_is_put_in_front),
		TEST(flags_say_what_the_content_needs),
		TEST(recipients_of_a_domain_become_one_job),
		TEST(bodies_of_any_length_arrive_unchanged),
		TEST(chunked_bodies_arrive_unchanged),
		TEST(bdat_content_need_not_end_a_line_but_keeps_the_discipline),
		TEST(what_exceeds_the_limit_is_refused_after_its_end),
		TEST(lines_beyond_text_line_are_refused),
		TEST(reading_stops_while_the_store_is_slow),
		TEST(the_reply_waits_for_the_commit),
		TEST(trouble_of_the_store_is_temporary),
		TEST(chunks_of_a_message_that_finds_no_room_are_discarded),
		TEST(a_client_that_goes_leaves_nothing_behind),
		TEST(a_message_whose_client_went_during_the_commit_is_kept),
		TEST(short_memory_stores_early_and_turns_new_mail_away),
	};

	loop_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
