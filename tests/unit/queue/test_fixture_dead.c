/* tests/unit/queue/test_fixture_dead.c - a store with dead letters (records of version 1) stays readable.
 *
 * usage: test_fixture_dead            the test, on a copy of tests/fixture/store-v4
 *        test_fixture_dead write DIR  write what the test expects to DIR/data.mdb, as tests/fixture/store-v4 was written once */
#include "tests/unit/queue/store.h"

#include <lmdb.h>
#include <sys/stat.h>

#include "queue/dead.h"

#define FIXTURE "tests/fixture/store-v4/data.mdb"
#define TIME    1700000000000ll
#define ID(n)   (((msg_id)TIME << 20) + (n))
#define SIZE    900

static const char *const RCPTS[] = { "ann@example.com", "bob@example.net", "eve@example.org", NULL };

/* ann was refused, told of and replayed; bob has expired; eve still waits. */
static void write_letters(struct store *s)
{
	const uint32_t n = 0;
	struct store_mail m, report, copy;
	struct queue_settle_item refused = { .op = SETTLE_BOUNCED, .letter = LETTER_REFUSED, .told = true, .rcpt = { .n = 0, .attempts = 2,
	    .last_attempt = TIME + 5, .reason = "550 5.1.1 no such user", .source = "a", .relay = "mx.example.com[192.0.2.1]",
	    .reply = "550 5.1.1 no such user", .class_name = "bad-recipient" } };
	struct queue_settle_item expired = { .op = SETTLE_BOUNCED, .letter = LETTER_EXPIRED, .rcpt = { .n = 1, .reason = "delivery time expired" } };
	struct queue_settle first = { .id = ID(1), .job = 0, .destination = "example.com", .at = TIME + 6, .items = &refused, .item_count = 1,
		.trace = "> RCPT\n< 550\n", .attempt = 2, .bounce = &report.accept };
	struct queue_settle second = { .id = ID(1), .job = 1, .destination = "net", .at = TIME + 6, .items = &expired, .item_count = 1 };
	struct queue_replay replay = { .accept = &copy.accept, .id = ID(1), .ns = &n, .count = 1, .at = TIME + 7 };

	store_mail_init(&m, ID(1), SIZE, RCPTS);
	m.rcpts[0].notify = NOTIFY_FAILURE;
	m.rcpts[0].orcpt = "rfc822;ann@example.com";
	store_mail_init(&report, ID(2), 10, RCPTS + 2);
	store_mail_init(&copy, ID(3), 10, RCPTS + 2);
	assert_int_equal(store_do(s, QUEUE_ACCEPT, &m.accept.req), OK);
	assert_int_equal(store_do(s, QUEUE_SETTLE, &first.req), OK);
	assert_int_equal(store_do(s, QUEUE_SETTLE, &second.req), OK);
	assert_int_equal(store_do(s, QUEUE_REPLAY, &replay.req), OK);
	free(m.body);
	free(report.body);
	free(copy.body);
}

static int write_fixture(const char *to)
{
	struct store *s;
	MDB_env *env;
	void *state;
	char *path;

	store_setup(&state);
	s = state;
	s->options.dead_keep_ms = DAYS(36500);
	s->options.dead_bytes = UINT64_MAX;
	queue_reconfigure(s->queue, &s->options);
	write_letters(s);
	store_close(s);
	path = xasprintf("%s/store", s->dir);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, path, MDB_RDONLY, 0600), 0);
	assert_int_equal(mdb_env_copy2(env, to, MDB_CP_COMPACT), 0);
	mdb_env_close(env);
	free(path);
	return store_teardown(&state);
}

static void copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	char block[4096];
	size_t len;

	if (!in || !out)
		fail_msg("copy %s to %s: run from the top folder", from, to);
	while ((len = fread(block, 1, sizeof(block), in)) > 0)
		assert_int_equal(fwrite(block, 1, len, out), len);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

static int setup(void **state)
{
	struct store *s = xcalloc(1, sizeof(*s));
	char *path;

	snprintf(s->dir, sizeof(s->dir), "/tmp/test-queue-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	path = xasprintf("%s/store", s->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
	path = xasprintf("%s/store/data.mdb", s->dir);
	copy_file(FIXTURE, path);
	free(path);
	s->box = mailbox_create();
	s->options.dead_keep_ms = DAYS(36500);
	s->options.dead_bytes = UINT64_MAX;
	*state = s;
	return 0;
}

static void assert_letters(const struct queue_letters *letters)
{
	const struct queue_letter *ann = &letters->letters[0], *bob = &letters->letters[1];

	assert_int_equal(letters->count, 2);
	assert_int_equal(letters->message.size_bytes, SIZE);
	assert_string_equal(ann->rcpt.address, "ann@example.com");
	assert_string_equal(ann->rcpt.orcpt, "rfc822;ann@example.com");
	assert_string_equal(ann->rcpt.reply, "550 5.1.1 no such user");
	assert_string_equal(ann->rcpt.class_name, "bad-recipient");
	assert_string_equal(ann->rcpt.relay, "mx.example.com[192.0.2.1]");
	assert_string_equal(ann->destination, "example.com");
	assert_int_equal(ann->rcpt.notify, NOTIFY_FAILURE);
	assert_int_equal(ann->rcpt.attempts, 2);
	assert_int_equal(ann->rcpt.last_attempt, TIME + 5);
	assert_int_equal(ann->cause, LETTER_REFUSED);
	assert_int_equal(ann->died, TIME + 6);
	assert_int_equal(ann->dsn, ID(2));
	assert_int_equal(ann->replayed, ID(3));
	assert_int_equal(ann->replayed_at, TIME + 7);
	assert_int_equal(bob->cause, LETTER_EXPIRED);
	assert_int_equal(bob->seq, 1);
	assert_int_equal(bob->dsn, 0);
	assert_string_equal(bob->rcpt.reason, "delivery time expired");
}

static void dead_letters_of_an_earlier_program_are_read(void **state)
{
	struct store *s = *state;
	struct queue_letters *letters;
	struct queue_dead dead;

	store_open(s);
	assert_int_equal(queue_letters_load(s->reader, ID(1), &letters, NULL), OK);
	assert_letters(letters);
	free(letters);
	assert_int_equal(queue_dead_read(s->reader, &dead, NULL), OK);
	assert_int_equal(dead.letters, 2);
	assert_int_equal(dead.messages, 1);
	assert_int_equal(store_check(s).letters, 2);
}

/* As relayq does: nothing is made or removed there. */
static void they_are_read_without_a_daemon(void **state)
{
	struct store *s = *state;
	struct err_detail why;
	struct queue_letters *letters;

	s->queue = queue_open_readonly(s->dir, &why);
	assert_non_null(s->queue);
	s->reader = queue_reader_open(s->queue);
	assert_int_equal(queue_letters_load(s->reader, ID(1), &letters, NULL), OK);
	assert_letters(letters);
	free(letters);
	assert_int_equal(queue_letters_load(s->reader, ID(2), &letters, NULL), ERR_NOT_FOUND);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(dead_letters_of_an_earlier_program_are_read, setup, store_teardown),
		cmocka_unit_test_setup_teardown(they_are_read_without_a_daemon, setup, store_teardown),
	};

	if (argc == 3 && strcmp(argv[1], "write") == 0)
		return write_fixture(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
