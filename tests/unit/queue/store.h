/* tests/unit/queue/store.h - a temporary store and requests that wait for their answer, for the tests of the queue. */
#ifndef TESTS_UNIT_QUEUE_STORE_H
#define TESTS_UNIT_QUEUE_STORE_H

#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "queue/queue.h"

#define ALL_JOBS UINT32_MAX

struct store {
	char dir[64];
	struct queue *queue;
	struct queue_reader *reader;
	struct mailbox *box;
	struct queue_options options;
};

static inline void store_open(struct store *s)
{
	struct err_detail why = { 0 };

	s->queue = queue_open(s->dir, &s->options, &why);
	if (!s->queue)
		fail_msg("open %s: %s", s->dir, why.text);
	s->reader = queue_reader_open(s->queue);
}

static inline void store_close(struct store *s)
{
	queue_reader_close(&s->reader);
	queue_close(&s->queue);
}

static inline void store_reopen(struct store *s)
{
	store_close(s);
	store_open(s);
}

static inline int store_setup(void **state)
{
	struct store *s = xcalloc(1, sizeof(*s));

	snprintf(s->dir, sizeof(s->dir), "/tmp/test-queue-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	s->box = mailbox_create();
	store_open(s);
	*state = s;
	return 0;
}

static inline int store_remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void store_remove(const char *dir)
{
	assert_int_equal(nftw(dir, store_remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline int store_teardown(void **state)
{
	struct store *s = *state;

	if (s->queue)
		store_close(s);
	mailbox_destroy(&s->box);
	store_remove(s->dir);
	free(s);
	return 0;
}

/* --- requests ----------------------------------------------------------------------------------------------------------- */

static _Thread_local size_t store_answers;

static inline void store_done(struct queue_req *req)
{
	store_answers++;
}

static inline void store_submit(struct store *s, struct mailbox *box, enum queue_kind kind, struct queue_req *req)
{
	req->kind = kind;
	req->reply_to = box;
	req->done = store_done;
	req->result = ERR_CODES;
	queue_submit(s->queue, req);
}

/* Wait until this thread has had `count` answers since the last reset. */
static inline void store_await(struct mailbox *box, size_t count)
{
	while (store_answers < count) {
		if (!mailbox_wait(box, 30000))
			fail_msg("no answer from the writer after 30 s: %zu of %zu", store_answers, count);
		mailbox_run(box, 0);
	}
	store_answers = 0;
}

static inline enum err store_do(struct store *s, enum queue_kind kind, struct queue_req *req)
{
	store_answers = 0;
	store_submit(s, s->box, kind, req);
	store_await(s->box, 1);
	return req->result;
}

/* A message to `rcpt_count` recipients out of `rcpts` (job and n filled in from the domains) with a body of `size` bytes that
 * body_byte() gives. The blobs point into `body`, malloc'ed. */
struct store_mail {
	struct queue_accept accept;
	struct queue_rcpt rcpts[8];
	struct queue_blob blobs[64];
	char *body;
};

static inline char body_byte(msg_id id, size_t at)
{
	return (char)('a' + (id + at + at / 251) % 26);
}

static inline void store_mail_init(struct store_mail *m, msg_id id, size_t size, const char *const *addresses)
{
	*m = (struct store_mail){ 0 };
	m->body = xcalloc(1, size + 1);
	for (size_t i = 0; i < size; i++)
		m->body[i] = body_byte(id, i);
	for (size_t at = 0; at < size; at += QUEUE_CHUNK)
		m->blobs[m->accept.blob_count++] = (struct queue_blob){
			m->body + at,
			size - at < QUEUE_CHUNK ? size - at : QUEUE_CHUNK,
		};
	for (uint32_t n = 0; addresses[n]; n++) {
		struct queue_rcpt *rcpt = &m->rcpts[n];

		rcpt->n = n;
		rcpt->job = n;
		rcpt->address = addresses[n];
		if (n > 0 && strcmp(strchr(addresses[n - 1], '@'), strchr(addresses[n], '@')) == 0)
			rcpt->job = m->rcpts[n - 1].job;
		m->accept.rcpt_count++;
	}
	m->accept.rcpts = m->rcpts;
	m->accept.blobs = m->blobs;
	m->accept.message = (struct queue_message){
		.id = id,
		.arrived = 1700000000000,
		.deadline = 1700000000000 + DAYS(5),
		.size_bytes = size,
		.chunks = (uint32_t)m->accept.blob_count,
		.rcpt_count = (uint32_t)m->accept.rcpt_count,
		.flags = MSG_8BIT,
		.sender = "from@shop.example",
		.tenant = "shop",
		.pool = "main",
		.client = "10.1.2.3 web.shop.example",
		.login = "",
	};
}

/* Accept one, body with the rows; returns its id. */
static inline msg_id store_accept(struct store *s, size_t size, const char *const *addresses)
{
	struct store_mail m;
	msg_id id = queue_new_id(s->queue);

	store_mail_init(&m, id, size, addresses);
	if (store_do(s, QUEUE_ACCEPT, &m.accept.req) != OK)
		fail_msg("accept: %s: %s", err_name(m.accept.req.result), m.accept.req.why);
	free(m.body);
	return id;
}

static inline enum err store_settle(
    struct store *s, msg_id id, uint32_t job, struct queue_settle_item *items, size_t count)
{
	struct queue_settle settle = {
		.id = id,
		.job = job,
		.destination = "example.com",
		.items = items,
		.item_count = count,
	};

	return store_do(s, QUEUE_SETTLE, &settle.req);
}

/* Every stored byte of the body is as store_mail_init made it. */
static inline void store_assert_body(struct store *s, msg_id id, size_t size)
{
	static _Thread_local char chunk[QUEUE_CHUNK];
	size_t at = 0, len;

	for (uint32_t n = 0; at < size; n++) {
		assert_int_equal(queue_body_read(s->reader, id, n, chunk, &len, NULL), OK);
		for (size_t i = 0; i < len; i++)
			if (chunk[i] != body_byte(id, at + i))
				fail_msg("byte %zu of the body differs", at + i);
		at += len;
	}
	assert_int_equal(at, size);
	assert_int_equal(
	    queue_body_read(s->reader, id, (uint32_t)((size + QUEUE_CHUNK - 1) / QUEUE_CHUNK), chunk, &len, NULL),
	    ERR_NOT_FOUND);
}

static inline void store_print_finding(void *arg, const char *finding)
{
	print_message("finding: %s\n", finding);
}

/* queue_check finds nothing; returns its totals. */
static inline struct queue_check_totals store_check(struct store *s)
{
	struct queue_check_totals totals;

	assert_int_equal(queue_check(s->reader, store_print_finding, NULL, &totals, NULL), OK);
	assert_int_equal(totals.findings, 0);
	return totals;
}

static inline void store_add_counts(void *arg, const char *destination, const struct queue_counts *counts)
{
	if (destination[0] == '\0')
		*(struct queue_counts *)arg = *counts;
}

static inline struct queue_counts store_totals(struct store *s)
{
	struct queue_counts counts = { 0 };

	assert_int_equal(queue_counts_read(s->reader, store_add_counts, &counts, NULL), OK);
	return counts;
}

#endif
