/* bench/bench_queue.c - acceptance and settling by many producers at once, beside lone LMDB commits in the same run. Prints only.
 *
 * usage: bench_queue [FOLDER [BYTES [MESSAGES]]]     a folder on the disk to measure (default /tmp), size of a body (4096),
 *                                                    messages for each number of producers (4000) */
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "queue/queue.h"

#define PRODUCERS_MAX 256
#define LONE_COMMITS  400

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* --- figures -------------------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile_ms(int64_t *us, size_t count, unsigned percent)
{
	qsort(us, count, sizeof(*us), by_size);
	return (double)us[(count - 1) * percent / 100] / 1000;
}

/* Bytes that this process has caused to be written to storage; 0 where /proc does not tell. */
static uint64_t written_bytes(void)
{
	FILE *file = fopen("/proc/self/io", "r");
	unsigned long long bytes = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "write_bytes: %llu", &bytes) == 1)
			break;
	if (file)
		fclose(file);
	return bytes;
}

/* --- one producer ----------------------------------------------------------------------------------------------------------- */

struct producer {
	struct queue *queue;
	struct mailbox *box;
	size_t count, body_bytes;
	int64_t *accept_us, *settle_us; /* one for each message */
	bool keeps;                     /* accepts only */
	bool answered;
};

static _Thread_local struct producer *self;

static void on_answer(struct queue_req *req)
{
	must(req->result == OK);
	self->answered = true;
}

static int64_t ask(enum queue_kind kind, struct queue_req *req)
{
	int64_t begin = now_us();

	req->kind = kind;
	req->reply_to = self->box;
	req->done = on_answer;
	self->answered = false;
	queue_submit(self->queue, req);
	while (!self->answered)
		if (mailbox_wait(self->box, -1))
			mailbox_run(self->box, 0);
	return now_us() - begin;
}

static void *produce(void *arg)
{
	struct producer *p = self = arg;
	char *body = xcalloc(1, p->body_bytes);
	struct queue_blob blobs[64];
	struct queue_rcpt rcpt = { .address = "ann@example.com" };

	p->box = mailbox_create();
	for (size_t i = 0; i < p->count; i++) {
		struct queue_settle_item item = { .op = SETTLE_DELIVERED };
		struct queue_accept accept = { .rcpts = &rcpt, .rcpt_count = 1, .blobs = blobs };
		struct queue_settle settle = { .destination = "example.com", .items = &item, .item_count = 1 };

		for (size_t at = 0; at < p->body_bytes; at += QUEUE_CHUNK)
			blobs[accept.blob_count++] = (struct queue_blob){ body + at,
				p->body_bytes - at < QUEUE_CHUNK ? p->body_bytes - at : QUEUE_CHUNK };
		accept.message = (struct queue_message){ .id = queue_new_id(p->queue),
			.arrived = clock_wall(),
			.deadline = WALL_NEVER,
			.size_bytes = p->body_bytes,
			.chunks = (uint32_t)accept.blob_count,
			.rcpt_count = 1,
			.sender = "from@shop.example",
			.tenant = "shop",
			.pool = "main" };
		p->accept_us[i] = ask(QUEUE_ACCEPT, &accept.req);
		if (p->keeps)
			continue;
		settle.id = accept.message.id;
		p->settle_us[i] = ask(QUEUE_SETTLE, &settle.req);
	}
	mailbox_destroy(&p->box);
	free(body);
	return NULL;
}

/* --- the measure: one put of the same size with a commit of its own ------------------------------------------------------------- */

static void lone_commits(const char *folder, size_t body_bytes)
{
	static int64_t us[LONE_COMMITS];
	char *path = xasprintf("%s/lone-XXXXXX", folder), *body = xcalloc(1, body_bytes);
	char *data, *lock;
	MDB_env *env;
	MDB_dbi dbi;

	must(mkdtemp(path));
	must(mdb_env_create(&env) == 0 && mdb_env_set_mapsize(env, 1 << 30) == 0 &&
	    mdb_env_open(env, path, 0, 0600) == 0);
	for (uint64_t i = 0; i < LONE_COMMITS; i++) {
		uint64_t key = __builtin_bswap64(i);
		MDB_val k = { sizeof(key), &key }, v = { body_bytes, body };
		int64_t begin = now_us();
		MDB_txn *txn;

		must(mdb_txn_begin(env, NULL, 0, &txn) == 0 && mdb_dbi_open(txn, NULL, 0, &dbi) == 0);
		must(mdb_put(txn, dbi, &k, &v, 0) == 0 && mdb_txn_commit(txn) == 0);
		us[i] = now_us() - begin;
	}
	printf("lone LMDB commits of %zu bytes: p50 %.2f ms, p99 %.2f ms\n", body_bytes,
	    percentile_ms(us, LONE_COMMITS, 50), percentile_ms(us, LONE_COMMITS, 99));
	mdb_env_close(env);
	data = xasprintf("%s/data.mdb", path);
	lock = xasprintf("%s/lock.mdb", path);
	must(unlink(data) == 0 && unlink(lock) == 0 && rmdir(path) == 0);
	free(data);
	free(lock);
	free(body);
	free(path);
}

/* Producers at work until each has done its share. */
static void run_producers(const struct producer *model, size_t producers, int64_t *accept_us, int64_t *settle_us)
{
	static struct producer all[PRODUCERS_MAX];
	static pthread_t threads[PRODUCERS_MAX];

	for (size_t i = 0; i < producers; i++) {
		all[i] = *model;
		all[i].accept_us = accept_us + i * model->count;
		all[i].settle_us = settle_us + i * model->count;
		must(pthread_create(&threads[i], NULL, produce, &all[i]) == 0);
	}
	for (size_t i = 0; i < producers; i++)
		pthread_join(threads[i], NULL);
}

static void measure(struct queue *queue, size_t producers, size_t body_bytes, size_t messages)
{
	struct producer model = { .queue = queue, .count = messages / producers, .body_bytes = body_bytes };
	size_t count = model.count * producers;
	int64_t *accept_us = xcalloc(count, sizeof(*accept_us)), *settle_us = xcalloc(count, sizeof(*settle_us));
	struct queue_figures before, after;
	uint64_t written = written_bytes();
	int64_t begin = now_us();
	double seconds;

	queue_figures(queue, &before);
	run_producers(&model, producers, accept_us, settle_us);
	seconds = (double)(now_us() - begin) / 1e6;
	queue_figures(queue, &after);
	printf("%9zu %10.0f %8.2f %8.2f %8.2f %8.2f %12.1f %10.1f\n", producers, (double)count / seconds,
	    percentile_ms(accept_us, count, 50), percentile_ms(accept_us, count, 99),
	    percentile_ms(settle_us, count, 50), percentile_ms(settle_us, count, 99),
	    (double)count / (double)(after.commits - before.commits),
	    (double)(written_bytes() - written) / 4096 / (double)count);
	free(accept_us);
	free(settle_us);
}

static bool count_rcpts(void *arg, const struct queue_job *job)
{
	*(size_t *)arg += job->rcpt_count;
	return true;
}

/* What a start does: walk over all messages in slices. */
static void measure_walk(struct queue *queue, size_t messages)
{
	struct producer model = { .queue = queue, .count = messages / 100, .body_bytes = 1000, .keeps = true };
	int64_t *us = xcalloc(messages, sizeof(*us)), begin;
	struct queue_reader *reader = queue_reader_open(queue);
	struct queue_check_totals totals;
	struct queue_cursor cursor = { 0 };
	size_t rcpts = 0;

	run_producers(&model, 100, us, us);
	begin = now_us();
	while (!cursor.end)
		must(queue_scan(reader, &cursor, 500, count_rcpts, &rcpts, NULL) == OK);
	printf("walk over %zu recipients: %.0f ms\n", rcpts, (double)(now_us() - begin) / 1000);
	begin = now_us();
	must(queue_check(reader, NULL, NULL, &totals, NULL) == OK && totals.findings == 0);
	printf("check of the same: %.0f ms\n", (double)(now_us() - begin) / 1000);
	queue_reader_close(&reader);
	free(us);
}

int main(int argc, char **argv)
{
	static const size_t producers[] = { 1, 8, 50, 200 };
	const char *folder = argc > 1 ? argv[1] : "/tmp";
	size_t body_bytes = argc > 2 ? (size_t)strtoul(argv[2], NULL, 10) : 4096,
	       messages = argc > 3 ? (size_t)strtoul(argv[3], NULL, 10) : 4000;
	static const char *const leftovers[] = { "store/data.mdb", "store/lock.mdb", "store", "lock", "" };
	struct err_detail why;
	char *state = xasprintf("%s/bench-queue-XXXXXX", folder);
	struct queue *queue;

	must(mkdtemp(state));
	queue = queue_open(state, &(struct queue_options){ 0 }, &why);
	if (!queue) {
		fprintf(stderr, "bench_queue: %s\n", why.text);
		return 1;
	}
	lone_commits(folder, body_bytes);
	printf("accept and settle, durable answers; ms\n%9s %10s %8s %8s %8s %8s %12s %10s\n", "producers",
	    "messages/s", "acc p50", "acc p99", "set p50", "set p99", "msgs/commit", "pages/msg");
	for (size_t i = 0; i < ARRAY_LEN(producers); i++)
		measure(queue, producers[i], body_bytes, producers[i] == 1 ? messages / 20 : messages);
	measure_walk(queue, 10 * messages);
	queue_close(&queue);
	for (size_t i = 0; i < ARRAY_LEN(leftovers); i++) {
		char *path = xasprintf("%s/%s", state, leftovers[i]);

		(void)!remove(path);
		free(path);
	}
	free(state);
	return 0;
}
