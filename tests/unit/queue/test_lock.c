/* tests/unit/queue/test_lock.c - one daemon at a time, and readers that leave nothing behind. */
#include "tests/unit/queue/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "queue/lock.h"

static const char *const one[] = { "ann@example.com", NULL };

/* Names, sizes, times and bytes of everything below a directory, as text. */
static char *listing;

static void add_file(const char *path, const struct stat *st, uint64_t sum)
{
	char *old = listing;

	listing = xasprintf("%s%s mode=%o size=%lld mtime=%lld.%09ld ctime=%lld.%09ld sum=%016llx\n", old, path,
	    st->st_mode, (long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
	    (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec, (unsigned long long)sum);
	free(old);
}

static uint64_t sum_of(const char *path)
{
	FILE *file = fopen(path, "r");
	uint64_t sum = 14695981039346656037u;

	assert_non_null(file);
	for (int c = fgetc(file); c != EOF; c = fgetc(file))
		sum = (sum ^ (uint64_t)c) * 1099511628211u;
	fclose(file);
	return sum;
}

static int add_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	add_file(path, st, S_ISREG(st->st_mode) ? sum_of(path) : 0);
	return 0;
}

static char *list(const char *dir)
{
	listing = xstrdup("");
	assert_int_equal(nftw(dir, add_entry, 8, FTW_PHYS), 0);
	return listing;
}

static void a_second_daemon_is_kept_out(void **state)
{
	struct store *s = *state;
	struct err_detail why;

	assert_null(queue_open(s->dir, &s->options, &why));
	assert_int_equal(why.code, ERR_BUSY);
	store_close(s);
	store_open(s);
}

static void a_reader_is_sent_to_the_daemon_that_runs(void **state)
{
	struct store *s = *state;
	struct err_detail why;

	assert_null(queue_open_readonly(s->dir, &why));
	assert_int_equal(why.code, ERR_BUSY);
}

static void a_reader_without_a_daemon_leaves_everything_as_it_was(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 100000, one);
	struct queue_claim claim = { .id = id, .job = 0, .rcpts = 1, .source = "a", .destination = "d" };
	struct queue_job *job;
	char *before, *after;

	assert_int_equal(store_do(s, QUEUE_CLAIM, &claim.req), OK);
	store_close(s);
	before = list(s->dir);
	s->queue = queue_open_readonly(s->dir, NULL);
	assert_non_null(s->queue);
	s->reader = queue_reader_open(s->queue);
	assert_int_equal(queue_job_load(s->reader, id, ALL_JOBS, &job, NULL), OK);
	assert_true(job->in_doubt);
	free(job);
	store_assert_body(s, id, 100000);
	assert_int_equal(store_check(s).messages, 1);
	assert_int_equal(store_totals(s).accepted, 1);
	store_close(s);
	after = list(s->dir);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void a_reader_creates_no_store(void **state)
{
	struct store *s = *state;
	struct err_detail why;
	char *dir = xasprintf("%s/nothing", s->dir), *before, *after;

	store_close(s);
	before = list(s->dir);
	assert_null(queue_open_readonly(dir, &why));
	assert_int_equal(why.code, ERR_NOT_FOUND);
	after = list(s->dir);
	assert_string_equal(before, after);
	free(before);
	free(after);
	free(dir);
}

static void *let_go(void *arg)
{
	usleep(50000);
	close(*(int *)arg);
	return NULL;
}

static void a_daemon_waits_for_a_reader_to_finish(void **state)
{
	struct store *s = *state;
	pthread_t thread;
	int fd, mine;

	store_close(s);
	assert_int_equal(lock_share(s->dir, &fd, NULL), OK);
	assert_int_equal(pthread_create(&thread, NULL, let_go, &fd), 0);
	assert_int_equal(lock_take(s->dir, &mine, NULL), OK);
	pthread_join(thread, NULL);
	close(mine);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_second_daemon_is_kept_out),
		TEST(a_reader_is_sent_to_the_daemon_that_runs),
		TEST(a_reader_without_a_daemon_leaves_everything_as_it_was),
		TEST(a_reader_creates_no_store),
		TEST(a_daemon_waits_for_a_reader_to_finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
