/* tests/disk/store_driver.c - drives a queue for the tests of full, failing and vanishing disks.
 *
 * usage: store_driver load STATE LOG MS      producers accept, claim and settle for MS ms; each promise is written to LOG
 *        store_driver verify STATE LOG       every acknowledged message is stored whole, every settled one is gone
 *        store_driver full STATE BALLAST     somebody else's file fills the disk, and vanishes again
 *        store_driver quota STATE BYTES      our own limit is reached
 *        store_driver failing STATE          commits fail by the hand of somebody outside; once is survived
 *        store_driver dying STATE            the same, again and again: the store must be given up
 * `full` and `quota` print "ok NAME" and "not ok NAME"; the others a line of figures. Exit 0: all well, 1: not. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/table.h"
#include "queue/queue.h"

#define PRODUCERS 4
#define BODY_MAX  (8 * QUEUE_CHUNK)
#define NAME      MSG_ID_TEXT
#define KEPT      24 /* messages that a scene looks after */

static int failures;

static void result(bool good, const char *name)
{
	printf("%sok %s\n", good ? "" : "not ", name);
	fflush(stdout);
	failures += !good;
}

static _Atomic int fatal_calls;

static void on_fatal(void *arg, const char *text)
{
	fatal_calls++;
}

static struct queue *open_or_die(const char *state, uint64_t quota)
{
	struct err_detail why;
	struct queue_options options = { .quota_bytes = quota, .reserve_bytes = 1 << 20, .on_fatal = on_fatal };
	struct queue *queue = queue_open(state, &options, &why);

	if (!queue) {
		printf("not ok open: %s: %s\n", err_name(why.code), why.text);
		exit(1);
	}
	return queue;
}

/* --- requests that wait ------------------------------------------------------------------------------------------------ */

/* One producer: its mailbox and the body it sends. */
struct producer {
	struct queue *queue;
	struct mailbox *box;
	bool answered;
	int log; /* -1: none */
	unsigned seed;
	char body[BODY_MAX];
};

static _Thread_local struct producer *self;

static void on_answer(struct queue_req *req)
{
	self->answered = true;
}

static enum err ask(struct producer *p, enum queue_kind kind, struct queue_req *req)
{
	req->kind = kind;
	req->reply_to = p->box;
	req->done = on_answer;
	p->answered = false;
	queue_submit(p->queue, req);
	while (!p->answered)
		if (mailbox_wait(p->box, -1))
			mailbox_run(p->box, 0);
	return req->result;
}

static char body_byte(msg_id id, size_t at)
{
	return (char)('a' + (id + at + at / 251) % 26);
}

static enum err stream(struct producer *p, msg_id id, uint32_t chunks)
{
	enum err e = OK;

	for (uint32_t n = 0; n < chunks && e == OK; n++) {
		struct queue_chunk chunk = {
			.id = id, .n = n, .blob = { p->body + (size_t)n * QUEUE_CHUNK, QUEUE_CHUNK }
		};

		e = ask(p, QUEUE_CHUNK_PUT, &chunk.req);
	}
	return e;
}

/* Accept a message of that size to one recipient; bodies of more than four chunks stream in first. */
static enum err accept_one(struct producer *p, size_t size, msg_id *id_out)
{
	msg_id id = queue_new_id(p->queue);
	struct queue_rcpt rcpt = { .address = "ann@example.com" };
	struct queue_blob blobs[BODY_MAX / QUEUE_CHUNK];
	struct queue_accept accept = { .rcpts = &rcpt, .rcpt_count = 1, .blobs = blobs };
	uint32_t chunks = (uint32_t)((size + QUEUE_CHUNK - 1) / QUEUE_CHUNK);
	enum err e;

	must(size > 0 && size <= BODY_MAX);
	for (size_t i = 0; i < size; i++)
		p->body[i] = body_byte(id, i);
	if (chunks > 4)
		accept.first_blob = chunks - 1;
	for (size_t at = (size_t)accept.first_blob * QUEUE_CHUNK; at < size; at += QUEUE_CHUNK)
		blobs[accept.blob_count++] = (struct queue_blob){ p->body + at,
			size - at < QUEUE_CHUNK ? size - at : QUEUE_CHUNK };
	accept.message = (struct queue_message){
		.id = id,
		.arrived = clock_wall(),
		.deadline = WALL_NEVER,
		.size_bytes = size,
		.chunks = chunks,
		.rcpt_count = 1,
		.sender = "from@shop.example",
		.tenant = "shop",
		.pool = "main",
	};
	*id_out = id;
	e = stream(p, id, accept.first_blob);
	return e == OK ? ask(p, QUEUE_ACCEPT, &accept.req) : e;
}

static enum err settle_one(struct producer *p, msg_id id, enum settle_op op)
{
	struct queue_settle_item item = { .op = op, .rcpt = { .attempts = 1, .next = 1, .reply = "450 later" } };
	struct queue_settle settle = { .id = id, .destination = "example.com", .items = &item, .item_count = 1 };

	return ask(p, QUEUE_SETTLE, &settle.req);
}

static void producer_init(struct producer *p, struct queue *queue, int log, unsigned seed)
{
	p->queue = queue;
	p->box = mailbox_create();
	p->log = log;
	p->seed = seed;
	self = p;
}

/* --- load: promises are logged after they are given, intentions before ---------------------------------------------------- */

static void note(struct producer *p, char what, msg_id id, size_t size)
{
	char line[64], name[NAME];
	int len = snprintf(line, sizeof(line), "%c %s %zu\n", what, msg_id_format(id, name), size);

	must(write(p->log, line, (size_t)len) == len);
}

static mono_ms end_at;

static size_t next_random(struct producer *p, size_t bound)
{
	return (size_t)rand_r(&p->seed) % bound;
}

static void live_once(struct producer *p)
{
	size_t size = 1 + next_random(p, next_random(p, 4) ? 9000 : BODY_MAX);
	struct queue_claim claim = { .rcpts = 1, .source = "a", .destination = "example.com" };
	msg_id id;
	enum err e = accept_one(p, size, &id);

	if (e != OK) {
		usleep(2000);
		return;
	}
	note(p, 'A', id, size);
	if (next_random(p, 4) == 0)
		return;
	claim.id = id;
	if (next_random(p, 2) == 0)
		(void)ask(p, QUEUE_CLAIM, &claim.req);
	if (next_random(p, 2) == 0)
		(void)settle_one(p, id, SETTLE_UPDATE);
	note(p, 'S', id, size);
	if (settle_one(p, id, SETTLE_DELIVERED) == OK)
		note(p, 'D', id, size);
}

static void *live(void *arg)
{
	self = arg;
	while (clock_mono() < end_at && fatal_calls == 0)
		live_once(self);
	return NULL;
}

static int load(const char *state, const char *log, int ms)
{
	static struct producer producers[PRODUCERS];
	struct queue *queue = open_or_die(state, 0);
	pthread_t threads[PRODUCERS];
	int fd = open(log, O_WRONLY | O_APPEND | O_CREAT, 0600);

	must(fd >= 0);
	end_at = clock_mono() + ms;
	for (unsigned i = 0; i < PRODUCERS; i++) {
		producer_init(&producers[i], queue, fd, (unsigned)getpid() * PRODUCERS + i);
		must(pthread_create(&threads[i], NULL, live, &producers[i]) == 0);
	}
	for (size_t i = 0; i < PRODUCERS; i++) {
		pthread_join(threads[i], NULL);
		mailbox_destroy(&producers[i].box);
	}
	close(fd);
	queue_close(&queue);
	return fatal_calls ? 1 : 0;
}

/* --- verify -------------------------------------------------------------------------------------------------------------- */

struct promise {
	UT_hash_handle hh;
	char name[NAME];
	size_t size;
	bool accepted, settling, settled;
};

static struct promise *read_promises(const char *log)
{
	struct promise *all = NULL, *p;
	FILE *file = fopen(log, "r");
	char what, name[NAME];
	size_t size;

	while (file && fscanf(file, "%c %13s %zu\n", &what, name, &size) == 3) {
		HASH_FIND(hh, all, name, NAME - 1, p);
		if (!p) {
			p = xcalloc(1, sizeof(*p));
			memcpy(p->name, name, NAME);
			p->size = size;
			HASH_ADD(hh, all, name[0], NAME - 1, p);
		}
		p->accepted |= what == 'A';
		p->settling |= what == 'S';
		p->settled |= what == 'D';
	}
	if (file)
		fclose(file);
	return all;
}

static bool is_whole(struct queue_reader *reader, msg_id id, size_t size)
{
	static char chunk[QUEUE_CHUNK];
	size_t at = 0, len;

	for (uint32_t n = 0; at < size; n++) {
		if (queue_body_read(reader, id, n, chunk, &len, NULL) != OK)
			return false;
		for (size_t i = 0; i < len; i++)
			if (chunk[i] != body_byte(id, at + i))
				return false;
		at += len;
	}
	return at == size;
}

struct verdict {
	size_t acknowledged, stored, settled, lost, damaged, undead;
};

static void judge(struct queue_reader *reader, const struct promise *p, struct verdict *v)
{
	struct queue_job *job = NULL;
	msg_id id;
	bool stored;

	must(msg_id_parse(p->name, NAME - 1, &id));
	stored = queue_job_load(reader, id, 0, &job, NULL) == OK;
	v->acknowledged += p->accepted;
	v->settled += p->settled;
	v->stored += stored;
	v->lost += p->accepted && !p->settling && !stored;
	v->undead += p->settled && stored;
	v->damaged += stored && (job->message.size_bytes != p->size || !is_whole(reader, id, p->size));
	free(job);
}

static int verify(const char *state, const char *log)
{
	struct queue *queue = open_or_die(state, 0);
	struct queue_reader *reader = queue_reader_open(queue);
	struct queue_check_totals totals = { 0 };
	struct verdict v = { 0 };
	struct promise *all = read_promises(log), *p, *next;
	enum err e = queue_check(reader, NULL, NULL, &totals, NULL);

	HASH_ITER (hh, all, p, next) {
		judge(reader, p, &v);
		HASH_DEL(all, p);
		free(p);
	}
	printf("acknowledged=%zu settled=%zu stored=%zu messages=%lu lost=%zu damaged=%zu undead=%zu findings=%lu\n",
	    v.acknowledged, v.settled, v.stored, (unsigned long)totals.messages, v.lost, v.damaged, v.undead,
	    (unsigned long)totals.findings);
	queue_reader_close(&reader);
	queue_close(&queue);
	return e != OK || v.lost || v.damaged || v.undead || totals.findings;
}

/* --- scenes -------------------------------------------------------------------------------------------------------------- */

/* Try to accept until it works; false when it does not within ten seconds. */
static bool accepts_again(struct producer *p, size_t size, msg_id *id)
{
	for (int i = 0; i < 200; i++) {
		if (queue_has_room(p->queue, size, NULL) == OK && accept_one(p, size, id) == OK)
			return true;
		usleep(50000);
	}
	return false;
}

static bool are_whole(struct producer *p, const msg_id *ids, size_t count, size_t size)
{
	struct queue_reader *reader = queue_reader_open(p->queue);
	bool whole = true;

	for (size_t i = 0; i < count; i++)
		whole = is_whole(reader, ids[i], size) && whole;
	queue_reader_close(&reader);
	return whole;
}

static void fill(int fd)
{
	static const char block[65536];
	size_t len = sizeof(block);

	must(fd >= 0);
	while (len > 0)
		if (write(fd, block, len) < 0)
			len /= 2;
	must(fsync(fd) == 0 || errno == ENOSPC);
}

/* Does a large acceptance fail for want of space, and nothing else? */
static bool is_refused_as_full(struct producer *p)
{
	msg_id id;

	for (int i = 0; i < 2000; i++) {
		enum err e = accept_one(p, 300000, &id);

		if (e != OK)
			return e == ERR_FULL;
	}
	return false;
}

static int full(const char *state, const char *ballast)
{
	static struct producer p;
	struct queue *queue = open_or_die(state, 0);
	msg_id ids[KEPT], again;
	bool settled = true;
	int fd;

	producer_init(&p, queue, -1, 1);
	for (size_t i = 0; i < KEPT; i++)
		must(accept_one(&p, 70000, &ids[i]) == OK);
	fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fill(fd);
	result(is_refused_as_full(&p), "new mail is refused as full");
	result(queue_has_room(queue, 1000, NULL) == ERR_FULL, "there is no room");
	result(are_whole(&p, ids, KEPT, 70000), "nothing acknowledged is lost");
	for (size_t i = 0; i < KEPT / 2; i++)
		settled = settle_one(&p, ids[i], i % 2 ? SETTLE_DELIVERED : SETTLE_UPDATE) == OK && settled;
	result(settled, "settles go on while the disk is full");
	queue_close(&queue);
	p.queue = queue = open_or_die(state, 0);
	result(are_whole(&p, ids + KEPT / 2, KEPT / 2, 70000), "a restart on the full disk finds all of it");
	result(settle_one(&p, ids[0], SETTLE_DELIVERED) == OK, "and settles");
	close(fd);
	must(unlink(ballast) == 0);
	result(accepts_again(&p, 70000, &again), "new mail comes in by itself once there is space");
	result(are_whole(&p, ids + KEPT / 2, KEPT / 2, 70000) && are_whole(&p, &again, 1, 70000),
	    "and all is still there");
	result(fatal_calls == 0, "the store was never given up");
	mailbox_destroy(&p.box);
	queue_close(&queue);
	return failures > 0;
}

static int quota(const char *state, uint64_t bytes)
{
	static struct producer p;
	struct queue *queue = open_or_die(state, bytes);
	static msg_id ids[10000];
	size_t count = 0;
	bool settled = true;
	struct queue_figures figures;
	enum err e;

	producer_init(&p, queue, -1, 1);
	for (;;) {
		msg_id id;

		e = accept_one(&p, 60000, &id);
		if (e != OK || count == ARRAY_LEN(ids))
			break;
		ids[count++] = id;
	}
	queue_figures(queue, &figures);
	result(e == ERR_FULL && figures.used_bytes <= bytes, "the quota is never exceeded");
	result(count * 60000 > bytes / 2, "most of it can be used");
	result(queue_has_room(queue, 60000, NULL) == ERR_FULL, "there is no room");
	result(are_whole(&p, ids, count, 60000), "nothing acknowledged is lost");
	for (size_t i = 0; i < count; i++)
		settled = settle_one(&p, ids[i], SETTLE_DELIVERED) == OK && settled;
	result(settled, "what is queued can leave");
	result(accepts_again(&p, 60000, &ids[0]), "new mail comes in by itself");
	mailbox_destroy(&p.box);
	queue_close(&queue);
	return failures > 0;
}

/* Accept until a commit has failed, then until it works again. */
static int failing(const char *state)
{
	static struct producer p;
	struct queue *queue = open_or_die(state, 0);
	msg_id ids[KEPT], id;
	size_t count = 0;
	enum err e = OK;

	producer_init(&p, queue, -1, 1);
	for (int i = 0; i < 2000 && e == OK; i++) {
		e = accept_one(&p, 3000, &id);
		if (e == OK)
			ids[count++ % KEPT] = id;
	}
	result(e == ERR_IO, "a failed sync is told to who waits for it");
	if (count > KEPT)
		count = KEPT;
	result(accepts_again(&p, 3000, &id), "the store is opened anew and goes on");
	result(are_whole(&p, ids, count, 3000), "nothing acknowledged is lost");
	result(fatal_calls == 0, "the store was not given up");
	mailbox_destroy(&p.box);
	queue_close(&queue);
	return failures > 0;
}

static int dying(const char *state)
{
	static struct producer p;
	struct queue *queue = open_or_die(state, 0);
	msg_id id;

	producer_init(&p, queue, -1, 1);
	for (int i = 0; i < 2000 && fatal_calls == 0; i++)
		(void)!accept_one(&p, 3000, &id);
	result(fatal_calls == 1, "a disk that keeps failing ends the daemon");
	result(queue_has_room(queue, 1, NULL) == ERR_FULL, "and takes nothing in");
	mailbox_destroy(&p.box);
	queue_close(&queue);
	return failures > 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";

	if (strcmp(verb, "load") == 0 && argc == 5)
		return load(argv[2], argv[3], (int)strtol(argv[4], NULL, 10));
	if (strcmp(verb, "verify") == 0 && argc == 4)
		return verify(argv[2], argv[3]);
	if (strcmp(verb, "full") == 0 && argc == 4)
		return full(argv[2], argv[3]);
	if (strcmp(verb, "quota") == 0 && argc == 4)
		return quota(argv[2], strtoull(argv[3], NULL, 10));
	if (strcmp(verb, "failing") == 0)
		return failing(argv[2]);
	if (strcmp(verb, "dying") == 0)
		return dying(argv[2]);
	fprintf(stderr, "usage: store_driver load|verify|full|quota|failing|dying STATE ...\n");
	return 2;
}
