/* tests/unit/relay/test_dkim_intake.c - messages are signed on their way in, whatever their length, and never lost for want of a signature. */
#include <sys/stat.h>

#include "tests/unit/relay/intake_world.h"

#include "relay/sign/keyring.h"
#include "tests/unit/relay/dkim_vector.h"

#define DATA "< 220\n> EHLO c.test\n~ 250 \n" \
	"> MAIL FROM:<a@b.test>\n< 250 2.1.0\n> RCPT TO:<c@d.test>\n< 250 2.1.5\n> DATA\n< 354 \n"

static char folder[64];
static const char *const FILES[] = { "rsa.pem", "ed.pem", "slow.pem" };

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void put_file(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int make_files(void **state)
{
	struct dkim_key *slow = dkim_key_generate(DKIM_RSA, 3072, NULL);

	snprintf(folder, sizeof(folder), "/tmp/dkim-test.XXXXXX");
	if (!mkdtemp(folder) || !slow || dkim_key_write(slow, path_of("slow.pem"), NULL) != OK)
		return -1;
	dkim_key_destroy(&slow);
	put_file("rsa.pem", VECTOR_RSA_KEY);
	put_file("ed.pem", VECTOR_ED25519_KEY);
	return 0;
}

static int remove_files(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(FILES); i++)
		(void)unlink(path_of(FILES[i]));
	return rmdir(folder);
}

static int setup(void **state)
{
	char text[2000];
	struct conf_faults faults = { 0 };

	snprintf(text, sizeof(text),
	    "hostname: relay.test\nstate: /nonexistent\nuser: root\nlisten: [{at: \"127.0.0.1:2525\"}]\nlimits: {message: 2M, memory: 4M}\n"
	    "tenants: [{name: net, from: [10.0.0.0/8]}, {name: narrow, from: [10.9.0.0/16], domains: [b.test], others: {from: allow}}]\ndkim:\n"
	    "  - {domain: b.test, selector: r1, key: %s/rsa.pem}\n  - {domain: b.test, selector: e1, key: %s/ed.pem}\n"
	    "  - {domain: slow.test, selector: s1, key: %s/slow.pem}\n  - {domain: relay.test, selector: f1, key: %s/ed.pem}\n"
	    "signing: {fallback: relay.test}\n", folder, folder, folder, folder);
	world_create(text);
	assert_true(keyring_attach(world.conf, &faults));
	conf_faults_free(&faults);
	return 0;
}

static int teardown(void **state)
{
	world_destroy();
	return 0;
}

static void send_message(const char *address, const char *text, size_t len)
{
	hello_from(address, 0, NULL);
	play("begin", DATA);
	for (size_t at = 0; at < len; at += 50000)
		say(text + at, len - at < 50000 ? len - at : 50000);
	SAY(".\r\n");
}

/* The content behind our fields, which begin with signatures by the given selectors. */
static const char *behind_signatures(const char *label, const char *selectors)
{
	const char *at = store.body, *end;
	char got[64] = "", tag[16];
	size_t len = 0;

	for (; strncmp(at, "DKIM-Signature:", 15) == 0; at = end) {
		end = at;
		do
			end = strstr(end, "\r\n") + 2;
		while (*end == ' ' || *end == '\t');
		assert_int_equal(sscanf(strstr(at, "; s=") ? strstr(at, "; s=") : at, "; s=%2[a-z0-9]", tag), 1);
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%s ", tag);
	}
	if (strcmp(got, selectors) != 0)
		fail_msg("%s: signed by %s, want %s", label, got, selectors);
	assert_int_equal(strncmp(at, "Received: ", 10), 0);
	do
		at = strstr(at, "\r\n") + 2;
	while (*at == ' ' || *at == '\t');
	return at;
}

static void messages_are_signed_for_their_author_and_arrive_unchanged(void **state)
{
	static const struct {
		const char *label, *address, *text, *selectors;
	} rows[] = {
		{ "both keys", "10.0.0.1", "From: a@b.test\r\nSubject: x\r\n\r\nhello\r\n", "r1 e1 " },
		{ "the fallback", "10.0.0.1", "From: a@other.test\r\n\r\nhello\r\n", "f1 " },
		{ "header alone", "10.0.0.1", "From: a@b.test\r\n", "r1 e1 " },
		{ "signed already", "10.0.0.1", "DKIM-Signature: v=1; b=x\r\nFrom: a@b.test\r\n\r\nhello\r\n", "r1 e1 " },
		{ "no author", "10.0.0.1", "Subject: x\r\n\r\nhello\r\n", "" },
		{ "another's domain", "10.9.0.1", "From: a@slow.test\r\n\r\nhello\r\n", "f1 " },
		{ "at a helper", "10.0.0.1", "From: a@slow.test\r\n\r\nhello\r\n", "s1 " },
		{ "a line that continues nothing", "10.0.0.1", " x\r\nFrom: a@b.test\r\n\r\nhello\r\n", "r1 e1 " },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got;

		send_message(rows[i].address, rows[i].text, strlen(rows[i].text));
		expect(rows[i].label, "250 2.0.0 queued");
		got = behind_signatures(rows[i].label, rows[i].selectors);
		if (rows[i].text[0] == ' ')
			assert_non_null(strstr(store.body, rows[i].text));
		else if (i != 3)
			assert_string_equal(got, rows[i].text);
		else
			assert_non_null(strstr(store.body, rows[i].text));
		assert_int_equal(store.message.chunks, 1);
	}
}

static void long_messages_are_signed_too(void **state)
{
	static const struct {
		size_t size;
		uint32_t chunks;
		bool streamed;
	} rows[] = {
		{ QUEUE_CHUNK - 3000, 1, false }, { QUEUE_CHUNK - 64, 2, false }, { QUEUE_CHUNK, 2, false }, { QUEUE_CHUNK + 80, 3, false },
		{ 4 * QUEUE_CHUNK, 5, false }, { 6 * QUEUE_CHUNK, 7, true }, { 20 * QUEUE_CHUNK + 48, 22, true },
	};
	static const char head[] = "From: a@b.test\r\n\r\n";

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char label[32], *text = xcalloc(1, rows[i].size + 1);

		snprintf(label, sizeof(label), "%zu bytes", rows[i].size);
		memset(text, 'x', rows[i].size);
		for (size_t at = 78; at + 2 < rows[i].size; at += 80)
			memcpy(text + at, "\r\n", 2);
		memcpy(text, head, sizeof(head) - 1);
		memcpy(text + rows[i].size - 2, "\r\n", 2);
		store.chunks_put = 0;
		send_message("10.0.0.1", text, rows[i].size);
		expect(label, "250 2.0.0 queued");
		assert_string_equal(behind_signatures(label, "r1 e1 "), text);
		assert_int_equal(store.message.chunks, rows[i].chunks);
		assert_int_equal(store.chunks_put > 0, rows[i].streamed);
		free(text);
	}
	assert_int_equal(store.discarded, 0);
}

/* The loop turns while the helper sleeps. */
static void turns_without_helper(void)
{
	for (int i = 0; i < 6; i++) {
		struct timer timer;

		timer_init(&timer, world.loop, stop, world.loop);
		timer_start(&timer, 0);
		loop_run(world.loop);
		timer_fini(&timer);
	}
}

/* Nobody reads from him meanwhile, so that the message may well be accepted; world_destroy sees whether all ends and is freed. */
static void a_client_that_leaves_while_a_helper_signs_does_no_harm(void **state)
{
	hello_from("10.0.0.1", 0, NULL);
	play("begin", DATA);
	SAY("From: a@slow.test\r\n\r\nhello\r\n");
	conn_write(world.client, ".\r\n", 3);
	turns_without_helper();
	assert_int_equal(store.accepted, 0);
	conn_close(&world.client, false);
	turns_without_helper();
	turns();
	assert_int_equal(world.memory, 0);
	assert_int_equal(intake_session_count(world.intake), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_are_signed_for_their_author_and_arrive_unchanged, setup, teardown),
		cmocka_unit_test_setup_teardown(long_messages_are_signed_too, setup, teardown),
		cmocka_unit_test_setup_teardown(a_client_that_leaves_while_a_helper_signs_does_no_harm, setup, teardown),
	};

	loop_setup();
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
