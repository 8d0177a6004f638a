/* tests/unit/relay/test_intake_heading.c - header sections on their way in: changed before the store and the signer see them, or held. */
#include "tests/unit/relay/intake_world.h"

static const char CONF[] =
    "hostname: relay.test\nstate: /nonexistent\nlisten: [{at: \"127.0.0.1:2525\"}]\nlimits: {message: 2M, memory: 4M}\n"
    "hygiene: {date: true}\n"
    "tenants:\n"
    "  - {name: any, from: [10.1.0.0/16], message: 1M, recipients: 2}\n"
    "  - {name: strict, from: [10.2.0.0/16], domains: [own.test]}\n"
    "  - {name: held, from: [10.3.0.0/16], domains: [own.test], others: {envelope: hold, from: allow}}\n"
    "  - {name: from, from: [10.4.0.0/16], domains: [own.test], others: {from: hold}}\n"
    "  - {name: rewritten, from: [10.5.0.0/16], domains: [own.test], others: {envelope: rewrite, from: rewrite, address: web@own.test}}\n";

#define HELLO "< 220\n> HELO c.test\n< 250 \n"

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

static void begin(const char *address, const char *sender)
{
	char script[1000];

	hello_from(address, 0, NULL);
	snprintf(script, sizeof(script), HELLO "> MAIL FROM:<%s>\n< 250 2.1.0\n> RCPT TO:<c@d.test>\n< 250 2.1.5\n> DATA\n< 354 ", sender);
	play("begin", script);
}

static void policy_decides_on_senders_of_other_domains(void **state)
{
	static const struct {
		const char *label, *address, *sender, *from, *reply;
		const char *stored_sender, *stored; /* NULL: not accepted; as it came when "" */
		bool held;
	} rows[] = {
		{ "own", "10.2.0.1", "a@own.test", "From: a@own.test\r\n", "250", "a@own.test", "", false },
		{ "another author", "10.2.0.1", "a@own.test", "From: a@else.test\r\n", "550 5.7.1", NULL, NULL, false },
		{ "null sender", "10.2.0.1", "", "From: a@own.test\r\n", "250", "", "", false },
		{ "held by envelope", "10.3.0.1", "a@else.test", "From: a@else.test\r\n", "250 2.0.0 queued", "a@else.test", "", true },
		{ "not held", "10.3.0.1", "a@own.test", "From: a@else.test\r\n", "250", "a@own.test", "", false },
		{ "held by author", "10.4.0.1", "a@own.test", "From: a@else.test\r\n", "250 2.0.0 queued", "a@own.test", "", true },
		{ "rewritten", "10.5.0.1", "a@else.test", "From: A <a@else.test>\r\n", "250", "web@own.test",
		  "From: A <web@own.test>\r\nReply-To: A <a@else.test>\r\n", false },
		{ "not rewritten", "10.5.0.1", "a@own.test", "From: A <a@own.test>\r\n", "250", "a@own.test", "", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[1000];

		store.accepted = 0;
		begin(rows[i].address, rows[i].sender);
		snprintf(text, sizeof(text), "Date: 1\r\nMessage-ID: 1\r\n%s\r\nhello\r\n.\r\n", rows[i].from);
		say(text, strlen(text));
		expect(rows[i].label, rows[i].reply);
		if (store.accepted != (rows[i].stored != NULL))
			fail_msg("%s: accepted %u", rows[i].label, store.accepted);
		if (rows[i].stored == NULL)
			continue;
		snprintf(text, sizeof(text), "Date: 1\r\nMessage-ID: 1\r\n%s\r\nhello\r\n",
		    rows[i].stored[0] != '\0' ? rows[i].stored : rows[i].from);
		if (strcmp(body(), text) != 0 || strcmp(store.message.sender, rows[i].stored_sender) != 0)
			fail_msg("%s: sender %s, stored \"%s\"", rows[i].label, store.message.sender, body());
		if (store.message.held != rows[i].held || world.held != rows[i].held)
			fail_msg("%s: held %d", rows[i].label, store.message.held);
	}
}

static void an_envelope_of_another_domain_is_refused_at_mail(void **state)
{
	hello_from("10.2.0.1", 0, NULL);
	play("refused", HELLO "> MAIL FROM:<a@else.test>\n< 553 5.7.1\n> MAIL FROM:<a@own.test>\n< 250");
}

static void what_is_missing_is_added_behind_received(void **state)
{
	char want[200];

	begin("10.1.0.1", "a@b.test");
	SAY("Subject: x\r\n\r\nhello\r\n.\r\n");
	expect("accepted", "250");
	assert_memory_equal(body(), "Date: ", 6);
	snprintf(want, sizeof(want), "@relay.test>\r\nSubject: x\r\n\r\nhello\r\n");
	assert_string_equal(strchr(body(), '@'), want);
	assert_int_equal(store.message.chunks, 1);
}

/* Content that is longer than its blocks: removing from the header moves what follows. */
static void long_content_moves_up(void **state)
{
	static const size_t headers[] = { 100, 65400, 65520, 131000, 262000 }, sizes[] = { 262200, 400000, 700000 };

	for (size_t i = 0; i < ARRAY_LEN(headers) * ARRAY_LEN(sizes); i++) {
		size_t header = headers[i % ARRAY_LEN(headers)] / 50 * 50, size = sizes[i / ARRAY_LEN(headers)] / 50 * 50;
		char *text = xcalloc(1, size + 100);

		/* The first field goes, the others stay. */
		snprintf(text, size, "Bcc: x@y\r\nDate: 1\r\nMessage-ID: 1\r\n");
		for (size_t at = strlen(text), n = 0; at < size; at += 50, n++)
			snprintf(text + at, 51, at < header ? "X: %045zu\r\n" : n % 7 == 0 ? "%048zu\r\n" : "%048zx\r\n", at);
		size = strlen(text);
		memcpy(strchr(text + (header < 100 ? 100 : header) - 40, '\n') + 1, "\r\n", 2);
		begin("10.1.0.1", "a@b.test");
		for (size_t at = 0; at < size; at += 50000)
			say(text + at, size - at < 50000 ? size - at : 50000);
		SAY(".\r\n");
		expect("accepted", "250");
		assert_string_equal(body(), text + 10);
		assert_int_equal(world.memory, 0);
		free(text);
	}
}

static void limits_of_the_tenant_count(void **state)
{
	hello_from("10.1.0.1", 0, NULL);
	SAY("EHLO c.test\r\n");
	assert_non_null(strstr(world.got, "\r\n250-SIZE 1048576\r\n"));
	world.read_to = world.got_len;
	play("size", "> MAIL FROM:<a@b.test> SIZE=1048577\n< 552 5.3.4\n> MAIL FROM:<a@b.test> SIZE=1048576\n< 250\n"
	    "> RCPT TO:<a@d.test>\n< 250\n> RCPT TO:<b@d.test>\n< 250\n> RCPT TO:<c@d.test>\n< 452 4.5.3\n> RCPT TO:<a@d.test>\n< 250");
}

static void a_header_beyond_the_limit_is_refused(void **state)
{
	char line[101] = "";

	snprintf(line, sizeof(line), "X: %095d\r\n", 0);
	begin("10.1.0.1", "a@b.test");
	for (int i = 0; i < 3000; i++)
		say(line, 100);
	SAY("\r\nhello\r\n.\r\n");
	expect("refused", "552 5.3.4 header");
	play("goes on", "> MAIL FROM:<a@b.test>\n< 250");
}

static void short_memory_does_not_wait_for_a_header(void **state)
{
	char line[101] = "";

	snprintf(line, sizeof(line), "X: %095d\r\n", 0);
	begin("10.1.0.1", "a@b.test");
	world.memory += 4 << 20; /* others use all */
	for (int i = 0; i < 1000; i++)
		say(line, 100);
	SAY("\r\nhello\r\n.\r\n");
	world.memory -= 4 << 20;
	expect("refused", "452 4.3.1");
}

/* Short fields become long ones: thousands of them would fill any buffer. */
static void a_header_that_grows_beyond_all_room_is_refused(void **state)
{
	char *text = xcalloc(30000, strlen("From:\r\n") + 1);
	size_t len = 0;

	world.conf->hygiene.duplicates = DUPLICATES_ACCEPT;
	begin("10.5.0.1", "a@own.test");
	for (int i = 0; i < 30000; i++, len += strlen("From:\r\n"))
		memcpy(text + len, "From:\r\n", strlen("From:\r\n"));
	conn_write(world.client, text, len);
	SAY("\r\nhello\r\n.\r\n");
	for (int i = 0; i < 5; i++)
		turns();
	expect("too many", "552 5.3.4 header section");
	assert_int_equal(store.accepted, 0);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(policy_decides_on_senders_of_other_domains, setup, teardown),
		cmocka_unit_test_setup_teardown(an_envelope_of_another_domain_is_refused_at_mail, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_missing_is_added_behind_received, setup, teardown),
		cmocka_unit_test_setup_teardown(long_content_moves_up, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_of_the_tenant_count, setup, teardown),
		cmocka_unit_test_setup_teardown(a_header_beyond_the_limit_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(short_memory_does_not_wait_for_a_header, setup, teardown),
		cmocka_unit_test_setup_teardown(a_header_that_grows_beyond_all_room_is_refused, setup, teardown),
	};

	loop_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
