/* tests/unit/queue/test_fixture_short.c - a store with a message record of version 2 (its first chunk is short) stays readable.
 *
 * usage: test_fixture_short            the test, on a copy of tests/fixture/store-v2
 *        test_fixture_short write DIR  write what the test expects to DIR/data.mdb, as tests/fixture/store-v2 was written once */
#include "tests/unit/queue/store.h"

#include <lmdb.h>
#include <sys/stat.h>

#define FIXTURE  "tests/fixture/store-v2/data.mdb"
#define ALL_JOBS UINT32_MAX
#define ID       ((1700000000000ull << 20) + 9)
#define HEAD     700
#define SIZE     (HEAD + 100)

static const char *const one[] = { "ann@example.com", NULL };

static int write_fixture(const char *to)
{
	struct store_mail m;
	struct store *s;
	MDB_env *env;
	void *state;
	char *path;

	store_setup(&state);
	s = state;
	store_mail_init(&m, ID, SIZE, one);
	m.blobs[0] = (struct queue_blob){ m.body, HEAD };
	m.blobs[1] = (struct queue_blob){ m.body + HEAD, SIZE - HEAD };
	m.accept.blob_count = m.accept.message.chunks = 2;
	assert_int_equal(store_do(s, QUEUE_ACCEPT, &m.accept.req), OK);
	free(m.body);
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
	*state = s;
	return 0;
}

static void a_short_first_chunk_of_an_earlier_program_is_read(void **state)
{
	static char chunk[QUEUE_CHUNK];
	struct store *s = *state;
	struct queue_job *job;
	size_t at = 0, len;

	store_open(s);
	assert_int_equal(queue_job_load(s->reader, ID, ALL_JOBS, &job, NULL), OK);
	assert_int_equal(job->message.size_bytes, SIZE);
	assert_int_equal(job->message.chunks, 2);
	free(job);
	for (uint32_t n = 0; n < 2; n++, at += len) {
		assert_int_equal(queue_body_read(s->reader, ID, n, chunk, &len, NULL), OK);
		assert_int_equal(len, n == 0 ? HEAD : SIZE - HEAD);
		for (size_t i = 0; i < len; i++)
			assert_int_equal(chunk[i], body_byte(ID, at + i));
	}
	assert_int_equal(store_check(s).messages, 1);
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_short_first_chunk_of_an_earlier_program_is_read, setup, store_teardown),
	};

	if (argc == 3 && strcmp(argv[1], "write") == 0)
		return write_fixture(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
