/* tests/unit/queue/test_fixture.c - a store that an earlier program wrote stays readable, field by field.
 *
 * usage: test_fixture              the tests, on copies of tests/fixture/store-*
 *        test_fixture write DIR    write what the tests expect of the newest to DIR/data.mdb, as it was written once */
#include "tests/unit/queue/store.h"

#include "queue/suppress.h"

#include <lmdb.h>
#include <sys/stat.h>

/* The fixtures, and how many of the expected messages are in each. */
struct fixture {
	const char *file;
	size_t messages, rcpts, chunks;
};

static const struct fixture store_v1 = { "tests/fixture/store-v1/data.mdb", 3, 5, 4 };
static const struct fixture store_v3 = { "tests/fixture/store-v3/data.mdb", 4, 7, 5 }; /* message records 3, recipient records 2 */
static const struct fixture store_v5 = { "tests/fixture/store-v5/data.mdb", 5, 9, 6 }; /* all tables, recipient records 3 and 4 */
static const struct fixture *fixture;

#define ID(n)      ((1700000000000ull << 20) + (n))
#define BODY_BYTES (QUEUE_CHUNK + 480)

/* clang-format off */
static const struct expected {
	struct queue_message message;
	struct queue_rcpt rcpts[4]; /* ends with an address of NULL */
	bool gone[4];               /* delivered before the store was put aside */
	bool in_doubt;
} expected[] = {
	{ { .id = ID(1), .arrived = 1700000000001, .deadline = 1700432000001, .size_bytes = BODY_BYTES, .chunks = 2,
	    .rcpt_count = 3, .flags = MSG_8BIT | MSG_TLS, .sender = "news@shop.example", .tenant = "shop", .pool = "main",
	    .client = "10.1.2.3 web.shop.example", .login = "shop" },
	  { { .n = 0, .job = 0, .address = "new@example.com" },
	    { .n = 1, .job = 0, .attempts = 3, .next = 1700000900000, .last_attempt = 1700000600000,
	      .address = "\"odd@ one\"@example.com", .reason = "greylisted", .source = "a", .relay = "mx.example.com[192.0.2.1]",
	      .reply = "450 4.2.0 come back later", .class_name = "greylist" },
	    { .n = 2, .job = 2, .state = RCPT_HELD, .address = "held@example.net", .reason = "by the operator" } },
	  { false }, false },
	{ { .id = ID(2), .arrived = 1700000000002, .deadline = WALL_NEVER, .size_bytes = 480, .chunks = 1, .rcpt_count = 1,
	    .flags = MSG_BOUNCE, .sender = "", .tenant = "internal", .pool = "bounces", .client = "", .login = "" },
	  { { .n = 0, .job = 0, .state = RCPT_BLOCKED, .attempts = 1, .next = 1700003600000, .last_attempt = 1700000000003,
	      .address = "blocked@example.org", .reason = "reputation of source a", .source = "a", .relay = "mx.example.org[192.0.2.2]",
	      .reply = "550 5.7.1 blocked", .class_name = "reputation" } },
	  { false }, true },
	{ { .id = ID(3), .arrived = 1700000000003, .deadline = 1700432000003, .size_bytes = 0, .chunks = 0, .rcpt_count = 2,
	    .flags = MSG_SMTPUTF8, .sender = "j\xc3\xb6rg@b\xc3\xbc" "cher.example", .tenant = "books", .pool = "main", .client = "::1 localhost",
	    .login = "" },
	  { { .n = 0, .job = 0, .address = "done@example.com" }, { .n = 1, .job = 1, .address = "\xe7\x94\xa8@example.net" } },
	  { true }, false },
	{ { .id = ID(5), .arrived = 1700000000005, .deadline = 1700432000005, .size_bytes = 100, .chunks = 1, .rcpt_count = 2,
	    .flags = MSG_8BIT | MSG_TLS | MSG_BINARY | MSG_REQUIRETLS | MSG_RET_HDRS, .priority = -3, .sender = "news@shop.example", .tenant = "shop",
	    .pool = "main", .client = "10.1.2.3 web.shop.example", .login = "", .envid = "job+2B17" },
	  { { .n = 0, .job = 0, .notify = NOTIFY_NEVER, .address = "quiet@example.com" },
	    { .n = 1, .job = 1, .notify = NOTIFY_SUCCESS | NOTIFY_FAILURE, .warned = true, .attempts = 1, .address = "told@example.net",
	      .orcpt = "rfc822;told+2Bnews@example.net" } },
	  { false }, false },
	{ { .id = ID(6), .arrived = 1700000000006, .deadline = 1700432000006, .size_bytes = 100, .chunks = 1, .rcpt_count = 2,
	    .sender = "news@shop.example", .tenant = "shop", .pool = "main", .client = "10.1.2.3 web.shop.example", .login = "" },
	  { { .n = 0, .job = 0, .moved = true, .attempts = 1, .address = "moved@example.com", .class_name = "reputation-block" },
	    { .n = 1, .job = 0, .apart = true, .attempts = 2, .address = "apart@example.com", .source = "b" } },
	  { false }, false },
};
/* clang-format on */

static size_t rcpt_count(const struct expected *x)
{
	size_t n = 0;

	while (n < ARRAY_LEN(x->rcpts) && x->rcpts[n].address)
		n++;
	return n;
}

/* --- writing it ------------------------------------------------------------------------------------------------------------- */

static void write_message(struct store *s, const struct expected *x)
{
	static const char *const nobody[] = { NULL };
	struct store_mail m;

	store_mail_init(&m, x->message.id, x->message.size_bytes, nobody);
	m.accept.message = x->message;
	m.accept.rcpts = x->rcpts;
	m.accept.rcpt_count = x->message.rcpt_count;
	assert_int_equal(store_do(s, QUEUE_ACCEPT, &m.accept.req), OK);
	free(m.body);
	for (size_t n = 0; n < rcpt_count(x); n++) {
		struct queue_settle_item item = { SETTLE_DELIVERED, { .n = (uint32_t)n }, false, false, LETTER_NONE };

		if (x->gone[n])
			assert_int_equal(store_settle(s, x->message.id, (uint32_t)n, &item, 1), OK);
	}
	if (x->in_doubt) {
		struct queue_claim claim = {
			.id = x->message.id,
			.rcpts = 1,
			.at = 1700000000003,
			.source = "a",
			.destination = "example.org",
		};

		assert_int_equal(store_do(s, QUEUE_CLAIM, &claim.req), OK);
	}
}

static int write_fixture(const char *to)
{
	void *state;
	struct queue_chunk unfinished = { .id = ID(4), .n = 0, .blob = { "a body that was never finished", 30 } };
	struct store *s;
	MDB_env *env;
	char *path;

	store_setup(&state);
	s = state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		write_message(s, &expected[i]);
	assert_int_equal(store_do(s, QUEUE_CHUNK_PUT, &unfinished.req), OK);
	store_close(s);
	path = xasprintf("%s/store", s->dir);
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_open(env, path, MDB_RDONLY, 0600), 0);
	assert_int_equal(mdb_env_copy2(env, to, MDB_CP_COMPACT), 0);
	mdb_env_close(env);
	free(path);
	return store_teardown(&state);
}

/* --- reading it ------------------------------------------------------------------------------------------------------------- */

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

static int setup(void **state, const struct fixture *which)
{
	struct store *s = xcalloc(1, sizeof(*s));
	char *path;

	fixture = which;
	snprintf(s->dir, sizeof(s->dir), "/tmp/test-queue-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	path = xasprintf("%s/store", s->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
	path = xasprintf("%s/store/data.mdb", s->dir);
	copy_file(fixture->file, path);
	free(path);
	s->box = mailbox_create();
	*state = s;
	return 0;
}

static int setup_v1(void **state)
{
	return setup(state, &store_v1);
}

static int setup_v3(void **state)
{
	return setup(state, &store_v3);
}

static int setup_v5(void **state)
{
	return setup(state, &store_v5);
}

static void assert_text(const char *got, const char *want)
{
	assert_string_equal(got, want ? want : "");
}

static void assert_message(const struct queue_message *got, const struct queue_message *want)
{
	assert_true(got->id == want->id && got->arrived == want->arrived && got->deadline == want->deadline);
	assert_true(got->size_bytes == want->size_bytes && got->chunks == want->chunks);
	assert_true(got->rcpt_count == want->rcpt_count && got->flags == want->flags);
	assert_string_equal(got->sender, want->sender);
	assert_string_equal(got->tenant, want->tenant);
	assert_string_equal(got->pool, want->pool);
	assert_string_equal(got->client, want->client);
	assert_string_equal(got->login, want->login);
	assert_int_equal(got->priority, want->priority);
	assert_text(got->envid, want->envid);
}

static void assert_rcpt(const struct queue_rcpt *got, const struct queue_rcpt *want)
{
	assert_true(got->n == want->n && got->job == want->job && got->state == want->state);
	assert_true(got->attempts == want->attempts && got->next == want->next);
	assert_true(got->last_attempt == want->last_attempt);
	assert_text(got->address, want->address);
	assert_text(got->domain, strrchr(want->address, '@') + 1);
	assert_text(got->reason, want->reason);
	assert_text(got->source, want->source);
	assert_text(got->relay, want->relay);
	assert_text(got->reply, want->reply);
	assert_text(got->class_name, want->class_name);
	assert_true(got->notify == want->notify && got->warned == want->warned);
	assert_text(got->orcpt, want->orcpt);
	assert_true(got->moved == want->moved && got->apart == want->apart);
}

static void assert_expected(struct store *s)
{
	uint64_t accepted = 0;

	for (size_t i = 0; i < fixture->messages; i++) {
		const struct expected *x = &expected[i];
		struct queue_job *job;
		size_t seen = 0;

		assert_int_equal(queue_job_load(s->reader, x->message.id, ALL_JOBS, &job, NULL), OK);
		assert_message(&job->message, &x->message);
		for (size_t n = 0; n < rcpt_count(x); n++)
			if (!x->gone[n])
				assert_rcpt(&job->rcpts[seen++], &x->rcpts[n]);
		assert_int_equal(job->rcpt_count, seen);
		assert_int_equal(job->in_doubt, x->in_doubt);
		free(job);
		store_assert_body(s, x->message.id, x->message.size_bytes);
		accepted += x->message.rcpt_count;
	}
	assert_int_equal(store_totals(s).accepted, accepted);
	assert_int_equal(store_totals(s).delivered, 1);
}

static void it_is_read_without_a_daemon(void **state)
{
	struct store *s = *state;
	struct err_detail why = { 0 };
	struct queue_check_totals totals;

	s->queue = queue_open_readonly(s->dir, &why);
	if (!s->queue)
		fail_msg("%s", why.text);
	s->reader = queue_reader_open(s->queue);
	assert_expected(s);
	totals = store_check(s);
	assert_true(totals.messages == fixture->messages && totals.rcpts == fixture->rcpts && totals.chunks == fixture->chunks);
	assert_int_equal(totals.claims, 1);
	assert_int_equal(totals.rcpts_by_state[RCPT_WAITING], fixture->rcpts - 2);
	assert_int_equal(totals.rcpts_by_state[RCPT_HELD], 1);
	assert_int_equal(totals.rcpts_by_state[RCPT_BLOCKED], 1);
}

static void it_is_taken_over_by_a_daemon(void **state)
{
	static const char *const one[] = { "ann@example.com", NULL };
	struct store *s = *state;
	struct queue_settle_item item = { SETTLE_DELIVERED, { .n = 0 }, false, false, LETTER_NONE };

	store_open(s);
	assert_expected(s);
	assert_int_equal(store_totals(s).in_doubt, 1);
	assert_true(queue_new_id(s->queue) > ID(fixture->messages + 1));
	store_accept(s, 5000, one);
	assert_int_equal(store_settle(s, ID(2), 0, &item, 1), OK);
	store_reopen(s);
	assert_int_equal(store_check(s).messages, fixture->messages);
	assert_int_equal(store_check(s).claims, 0);
}

static bool is_suppressed(struct store *s, const char *address)
{
	struct suppress_found found;
	struct err_detail why;
	enum err e = queue_suppress_find(s->reader, "shop", address, 1700000000000, &found, &why);

	if (e != OK && e != ERR_NOT_FOUND)
		fail_msg("%s", why.text);
	return e == OK;
}

static void count_walked(void *arg, const struct suppress_entry *entry)
{
	++*(size_t *)arg;
}

static size_t suppressed_count(struct store *s)
{
	struct suppress_cursor cursor = { .end = false };
	struct err_detail why;
	size_t count = 0;

	while (!cursor.end)
		if (queue_suppress_walk(s->reader, &cursor, 100, count_walked, &count, &why) != OK)
			fail_msg("%s", why.text);
	return count;
}

/* The first stores have no table for them. */
static void nobody_is_suppressed_in_it_and_somebody_can_be(void **state)
{
	struct store *s = *state;
	struct queue_suppress_item item = { .op = SUPPRESS_PUT, .tenant = "shop", .address = "gone@example.net",
		.reason = "by hand", .since = 1700000000000, .until = WALL_NEVER };
	struct queue_suppress request = { .now = 1700000000000, .items = &item, .item_count = 1, .urgent = true };

	s->queue = queue_open_readonly(s->dir, &(struct err_detail){ 0 });
	assert_non_null(s->queue);
	s->reader = queue_reader_open(s->queue);
	assert_false(is_suppressed(s, "gone@example.net"));
	assert_int_equal(suppressed_count(s), 0);
	store_close(s);
	store_open(s);
	assert_false(is_suppressed(s, "gone@example.net"));
	assert_int_equal(store_do(s, QUEUE_SUPPRESS, &request.req), OK);
	store_reopen(s);
	assert_true(is_suppressed(s, "gone@example.net"));
	assert_int_equal(suppressed_count(s), 1);
	assert_expected(s);
}

#define TEST(name, store) { #name " (" #store ")", name, setup_##store, store_teardown, NULL }

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		TEST(it_is_read_without_a_daemon, v1),
		TEST(it_is_taken_over_by_a_daemon, v1),
		TEST(it_is_read_without_a_daemon, v3),
		TEST(it_is_taken_over_by_a_daemon, v3),
		TEST(it_is_read_without_a_daemon, v5),
		TEST(it_is_taken_over_by_a_daemon, v5),
		TEST(nobody_is_suppressed_in_it_and_somebody_can_be, v1),
		TEST(nobody_is_suppressed_in_it_and_somebody_can_be, v3),
	};

	if (argc == 3 && strcmp(argv[1], "write") == 0)
		return write_fixture(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
