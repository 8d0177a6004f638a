/* tests/unit/queue/test_failure.c - commits that fail, disks that fill, stores that cannot be trusted. */
#include "tests/unit/queue/store.h"

#include "queue/handle.h"

#include <dlfcn.h>
#include <errno.h>
#include <lmdb.h>
#include <semaphore.h>
#include <sched.h>
#include <stdatomic.h>

static const char *const one[] = { "ann@example.com", NULL };

/* --- LMDB's commit, ours to spoil: a definition in the program comes before the library's ---------------------------------- */

enum spoil { SPOIL_NOTHING, SPOIL_LOST, SPOIL_BUT_DONE };

static _Atomic int spoil, spoil_code, spoil_times;
static _Atomic bool hold; /* the next commit says `held` and waits for `go` */
static sem_t held, go;

int mdb_txn_commit(MDB_txn *txn)
{
	union {
		void *object;
		int (*function)(MDB_txn *txn);
	} real = { .object = dlsym(RTLD_NEXT, "mdb_txn_commit") };

	if (atomic_exchange(&hold, false)) {
		sem_post(&held);
		sem_wait(&go);
	}
	if (spoil == SPOIL_NOTHING || spoil_times == 0)
		return real.function(txn);
	spoil_times--;
	if (spoil == SPOIL_LOST)
		mdb_txn_abort(txn);
	else if (real.function(txn) != 0)
		abort();
	return spoil_code;
}

static void spoil_commits(enum spoil how, int code, int times)
{
	spoil_code = code;
	spoil_times = times;
	spoil = how;
}

static _Atomic int fatal_calls;

static void on_fatal(void *arg, const char *text)
{
	fatal_calls++;
}

static int setup(void **state)
{
	struct store *s;

	spoil_commits(SPOIL_NOTHING, 0, 0);
	fatal_calls = 0;
	store_setup(state);
	s = *state;
	store_close(s);
	s->options.on_fatal = on_fatal;
	store_open(s);
	/* The sweep at the start commits too: a commit that is to fail must be the test's own. */
	while (!sweep_is_done(&s->queue->sweep))
		sched_yield();
	return 0;
}

static enum err accept_one(struct store *s, msg_id *id)
{
	struct store_mail m;
	enum err e;

	*id = queue_new_id(s->queue);
	store_mail_init(&m, *id, 500, one);
	e = store_do(s, QUEUE_ACCEPT, &m.accept.req);
	free(m.body);
	return e;
}

static bool count_scanned(void *arg, const struct queue_job *job)
{
	++*(size_t *)arg;
	return true;
}

static bool is_stored(struct store *s, msg_id id)
{
	struct queue_job *job;
	enum err e = queue_job_load(s->reader, id, ALL_JOBS, &job, NULL);

	free(job);
	return e == OK;
}

/* --- a disk that fails ---------------------------------------------------------------------------------------------------- */

static void after_a_failed_sync_the_store_is_opened_anew(void **state)
{
	struct store *s = *state;
	msg_id before = store_accept(s, 100000, one), lost, after;

	spoil_commits(SPOIL_LOST, EIO, 1);
	assert_int_equal(accept_one(s, &lost), ERR_IO);
	assert_false(is_stored(s, lost));
	assert_int_equal(accept_one(s, &after), OK);
	assert_true(is_stored(s, before) && is_stored(s, after));
	store_assert_body(s, before, 100000);
	assert_int_equal(fatal_calls, 0);
	store_reopen(s);
	assert_true(is_stored(s, before) && is_stored(s, after));
	store_check(s);
}

static _Atomic bool stop_reading;

/* cmocka's assertions are the main thread's: a reader counts what went wrong. */
static void *keep_reading(void *arg)
{
	struct store *s = arg;
	struct queue_reader *reader = queue_reader_open(s->queue);
	size_t wrong = 0;

	do {
		struct queue_cursor cursor = { 0 };
		struct err_detail why = { 0 };
		size_t scanned = 0;

		if (queue_scan(reader, &cursor, 10, count_scanned, &scanned, &why) != OK || scanned == 0) {
			print_message("scan: %zu messages, %s\n", scanned, why.text);
			wrong++;
		}
	} while (!stop_reading);
	queue_reader_close(&reader);
	return (void *)wrong;
}

static void readers_go_on_while_the_store_is_opened_anew(void **state)
{
	struct store *s = *state;
	pthread_t threads[2];
	msg_id id;

	store_accept(s, 100, one);
	stop_reading = false;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, keep_reading, s), 0);
	assert_int_equal(accept_one(s, &id), OK);
	spoil_commits(SPOIL_LOST, EIO, 1);
	assert_int_equal(accept_one(s, &id), ERR_IO);
	assert_int_equal(accept_one(s, &id), OK);
	stop_reading = true;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *wrong;

		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
	assert_true(is_stored(s, id));
}

static void a_commit_that_failed_late_but_is_in_the_store_counts_as_done(void **state)
{
	struct store *s = *state;
	msg_id id;

	spoil_commits(SPOIL_BUT_DONE, EIO, 1);
	assert_int_equal(accept_one(s, &id), OK);
	assert_true(is_stored(s, id));
	assert_int_equal(fatal_calls, 0);
}

static void a_second_failure_within_a_minute_is_fatal(void **state)
{
	struct store *s = *state;
	msg_id before = store_accept(s, 100, one), id;

	spoil_commits(SPOIL_LOST, EIO, 1);
	assert_int_equal(accept_one(s, &id), ERR_IO);
	assert_int_equal(fatal_calls, 0);
	spoil_commits(SPOIL_LOST, EIO, 1);
	assert_int_equal(accept_one(s, &id), ERR_IO);
	assert_int_equal(fatal_calls, 1);
	assert_int_equal(accept_one(s, &id), ERR_IO);
	assert_int_equal(queue_has_room(s->queue, 1, NULL), ERR_FULL);
	assert_int_equal(fatal_calls, 1);
	store_reopen(s);
	assert_true(is_stored(s, before));
	assert_int_equal(accept_one(s, &id), OK);
}

static void a_store_that_cannot_be_opened_anew_is_given_up(void **state)
{
	struct store *s = *state;
	msg_id before = store_accept(s, 100, one), id;

	spoil_commits(SPOIL_LOST, EIO, 2);
	assert_int_equal(accept_one(s, &id), ERR_IO);
	assert_int_equal(fatal_calls, 1);
	assert_false(is_stored(s, before));
	store_reopen(s);
	assert_true(is_stored(s, before));
}

/* --- a disk that is full ---------------------------------------------------------------------------------------------------- */

static void a_full_disk_sheds_new_mail_and_lets_the_rest_through(void **state)
{
	static const int codes[] = { ENOSPC, EDQUOT, MDB_MAP_FULL };
	struct store *s = *state;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct store_mail first, second;
		msg_id old = store_accept(s, 100, one);
		struct queue_settle_item item = { SETTLE_DELIVERED, { .n = 0 }, false, false, LETTER_NONE };
		struct queue_settle settle = { .id = old, .job = 0, .items = &item, .item_count = 1 };

		store_mail_init(&first, queue_new_id(s->queue), 100, one);
		store_mail_init(&second, queue_new_id(s->queue), 100, one);
		hold = true;
		store_submit(s, s->box, QUEUE_ACCEPT, &first.accept.req);
		sem_wait(&held);
		store_submit(s, s->box, QUEUE_SETTLE, &settle.req);
		store_submit(s, s->box, QUEUE_ACCEPT, &second.accept.req);
		/* The held commit fails and is done again without `first`, which leaves nothing; the next batch holds the others. */
		spoil_commits(SPOIL_LOST, codes[i], 2);
		sem_post(&go);
		store_await(s->box, 3);
		assert_int_equal(first.accept.req.result, ERR_FULL);
		assert_int_equal(second.accept.req.result, ERR_FULL);
		assert_int_equal(settle.req.result, OK);
		assert_true(item.found);
		assert_false(is_stored(s, old));
		assert_int_equal(queue_has_room(s->queue, 1, NULL), ERR_FULL);
		free(first.body);
		free(second.body);
	}
	assert_int_equal(store_check(s).messages, 0);
	assert_int_equal(fatal_calls, 0);
}

static void our_quota_stops_new_mail_but_not_settles(void **state)
{
	struct store *s = *state;
	struct err_detail why;
	msg_id ids[64], id;
	size_t count = 0;
	enum err e;

	s->options.quota_bytes = 1 << 20;
	store_reopen(s);
	for (;;) {
		struct store_mail m;

		id = queue_new_id(s->queue);
		store_mail_init(&m, id, 60000, one);
		e = store_do(s, QUEUE_ACCEPT, &m.accept.req);
		free(m.body);
		if (e != OK)
			break;
		assert_in_range(count, 0, ARRAY_LEN(ids) - 1);
		ids[count++] = id;
	}
	assert_int_equal(e, ERR_FULL);
	assert_in_range(count, 8, 20);
	assert_int_equal(queue_has_room(s->queue, 70000, &why), ERR_FULL);
	assert_non_null(strstr(why.text, "quota"));
	for (size_t i = 0; i < count; i++) {
		struct queue_settle_item item = { SETTLE_DELIVERED, { .n = 0 }, false, false, LETTER_NONE };

		assert_true(is_stored(s, ids[i]));
		assert_int_equal(store_settle(s, ids[i], 0, &item, 1), OK);
	}
	assert_int_equal(queue_has_room(s->queue, 60000, NULL), OK);
	assert_int_equal(accept_one(s, &id), OK);
}

/* --- group commit ------------------------------------------------------------------------------------------------------------- */

static void what_waits_during_a_commit_shares_the_next(void **state)
{
	struct store *s = *state;
	struct store_mail mail[20];
	struct queue_figures before, after;

	for (size_t i = 0; i < ARRAY_LEN(mail); i++)
		store_mail_init(&mail[i], queue_new_id(s->queue), 100, one);
	queue_figures(s->queue, &before);
	hold = true;
	store_submit(s, s->box, QUEUE_ACCEPT, &mail[0].accept.req);
	sem_wait(&held);
	for (size_t i = 1; i < ARRAY_LEN(mail); i++)
		store_submit(s, s->box, QUEUE_ACCEPT, &mail[i].accept.req);
	queue_figures(s->queue, &after);
	assert_int_equal(after.pending, ARRAY_LEN(mail));
	sem_post(&go);
	store_await(s->box, ARRAY_LEN(mail));
	queue_figures(s->queue, &after);
	assert_int_equal(after.commits - before.commits, 2);
	for (size_t i = 0; i < ARRAY_LEN(mail); i++)
		free(mail[i].body);
}

static void a_transaction_takes_about_four_megabytes(void **state)
{
	struct store *s = *state;
	struct store_mail mail[10];
	struct queue_figures before, after;

	for (size_t i = 0; i < ARRAY_LEN(mail); i++)
		store_mail_init(&mail[i], queue_new_id(s->queue), 1 << 20, one);
	queue_figures(s->queue, &before);
	hold = true;
	store_submit(s, s->box, QUEUE_ACCEPT, &mail[0].accept.req);
	sem_wait(&held);
	for (size_t i = 1; i < ARRAY_LEN(mail); i++)
		store_submit(s, s->box, QUEUE_ACCEPT, &mail[i].accept.req);
	sem_post(&go);
	store_await(s->box, ARRAY_LEN(mail));
	queue_figures(s->queue, &after);
	assert_int_equal(after.commits - before.commits, 1 + 3);
	for (size_t i = 0; i < ARRAY_LEN(mail); i++)
		free(mail[i].body);
}

/* --- rows that were damaged ---------------------------------------------------------------------------------------------------- */

/* Overwrite the value of a row from outside, with the daemon down. */
static void damage(struct store *s, const char *table, const void *key, size_t key_len, const void *value, size_t len)
{
	char *path = xasprintf("%s/store", s->dir);
	MDB_val k = { key_len, (void *)(uintptr_t)key }, v = { len, (void *)(uintptr_t)value };
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;

	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 8), 0);
	assert_int_equal(mdb_env_set_mapsize(env, 1 << 30), 0);
	assert_int_equal(mdb_env_open(env, path, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, table, 0, &dbi), 0);
	assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	free(path);
}

static void id_key(msg_id id, uint32_t n, uint8_t key[12])
{
	for (int i = 0; i < 8; i++)
		key[i] = (uint8_t)(id >> (56 - 8 * i));
	for (int i = 0; i < 4; i++)
		key[8 + i] = (uint8_t)(n >> (24 - 8 * i));
}

static void a_store_of_a_newer_program_is_refused(void **state)
{
	static const uint8_t newer[4] = { 0, 0, 0, 2 };
	struct store *s = *state;
	struct err_detail why;

	store_close(s);
	damage(s, "meta", "@version", 8, newer, sizeof(newer));
	assert_null(queue_open(s->dir, &s->options, &why));
	assert_int_equal(why.code, ERR_VERSION);
	assert_non_null(strstr(why.text, "newer program"));
	assert_null(queue_open_readonly(s->dir, &why));
	assert_int_equal(why.code, ERR_VERSION);
}

static void a_file_that_is_no_store_is_refused(void **state)
{
	struct store *s = *state;
	struct err_detail why;
	char *path = xasprintf("%s/store/data.mdb", s->dir);
	FILE *file;

	store_close(s);
	file = fopen(path, "w");
	for (int i = 0; i < 20000; i++)
		fputs("no store", file);
	fclose(file);
	assert_null(queue_open(s->dir, &s->options, &why));
	assert_int_equal(why.code, ERR_CORRUPT);
	free(path);
}

static void a_store_that_was_cut_short_is_refused(void **state)
{
	struct store *s = *state;
	struct err_detail why;
	char *path = xasprintf("%s/store/data.mdb", s->dir);

	store_accept(s, 500000, one);
	store_close(s);
	assert_int_equal(truncate(path, 100000), 0);
	assert_null(queue_open(s->dir, &s->options, &why));
	assert_int_equal(why.code, ERR_CORRUPT);
	assert_non_null(strstr(why.text, "cut short"));
	free(path);
}

static void a_damaged_row_hides_no_other_and_can_be_dropped(void **state)
{
	struct store *s = *state;
	msg_id good = store_accept(s, 10, one), bad = store_accept(s, 10, one);
	struct queue_settle_item update = { SETTLE_UPDATE, { .n = 0, .attempts = 1 }, false, false, LETTER_NONE };
	struct queue_settle_item drop = { SETTLE_DROPPED, { .n = 0 }, false, false, LETTER_NONE };
	struct queue_check_totals totals;
	struct queue_cursor cursor = { 0 };
	struct queue_job *job;
	size_t scanned = 0;
	uint8_t key[12];

	store_close(s);
	id_key(bad, 0, key);
	damage(s, "rcpt", key, sizeof(key), "\1garbage", 8);
	store_open(s);
	assert_int_equal(queue_scan(s->reader, &cursor, 100, count_scanned, &scanned, NULL), OK);
	assert_int_equal(scanned, 1);
	assert_true(cursor.end);
	assert_int_equal(queue_job_load(s->reader, bad, ALL_JOBS, &job, NULL), ERR_CORRUPT);
	assert_true(is_stored(s, good));
	assert_int_equal(queue_check(s->reader, NULL, NULL, &totals, NULL), OK);
	assert_int_equal(totals.findings, 1);
	assert_int_equal(store_settle(s, bad, ALL_JOBS, &update, 1), ERR_CORRUPT);
	assert_int_equal(store_settle(s, bad, ALL_JOBS, &drop, 1), OK);
	assert_int_equal(store_check(s).messages, 1);
}

static void a_record_of_a_newer_program_is_left_alone(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 10, one);
	struct queue_job *job;
	uint8_t key[12];

	store_close(s);
	id_key(id, 0, key);
	damage(s, "msg", key, 8, "\377new", 4);
	store_open(s);
	assert_int_equal(queue_job_load(s->reader, id, ALL_JOBS, &job, NULL), ERR_VERSION);
}

static void check_finds_rows_that_do_not_fit_together(void **state)
{
	struct store *s = *state;
	msg_id id = store_accept(s, 200000, one);
	struct queue_check_totals totals;
	uint8_t key[12];

	store_close(s);
	id_key(id + 1, 0, key);
	damage(s, "rcpt", key, sizeof(key), "\1", 1);
	damage(s, "claim", key, sizeof(key), "\1", 1);
	id_key(id, 1, key);
	damage(s, "body", key, sizeof(key), "short", 5);
	id_key(id + 2, 0, key);
	damage(s, "msg", key, 8, "\1", 1);
	store_open(s);
	assert_int_equal(queue_check(s->reader, store_print_finding, NULL, &totals, NULL), OK);
	/* Body; recipients without message; claim without message and garbage; message garbage and without recipients. */
	assert_int_equal(totals.findings, 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, store_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(after_a_failed_sync_the_store_is_opened_anew),
		TEST(readers_go_on_while_the_store_is_opened_anew),
		TEST(a_commit_that_failed_late_but_is_in_the_store_counts_as_done),
		TEST(a_second_failure_within_a_minute_is_fatal),
		TEST(a_store_that_cannot_be_opened_anew_is_given_up),
		TEST(a_full_disk_sheds_new_mail_and_lets_the_rest_through),
		TEST(our_quota_stops_new_mail_but_not_settles),
		TEST(what_waits_during_a_commit_shares_the_next),
		TEST(a_transaction_takes_about_four_megabytes),
		TEST(a_store_of_a_newer_program_is_refused),
		TEST(a_file_that_is_no_store_is_refused),
		TEST(a_store_that_was_cut_short_is_refused),
		TEST(a_damaged_row_hides_no_other_and_can_be_dropped),
		TEST(a_record_of_a_newer_program_is_left_alone),
		TEST(check_finds_rows_that_do_not_fit_together),
	};

	sem_init(&held, 0, 0);
	sem_init(&go, 0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
