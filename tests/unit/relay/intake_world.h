/* tests/unit/relay/intake_world.h - a client, a session and a queue that remembers, all on one loop, for tests of relay/intake/.
 *
 * The queue's functions that intake calls are defined here, so that the archive's are not linked: answers can be held back and can
 * fail. test_intake_store.c uses the real queue instead. */
#ifndef TEST_INTAKE_WORLD_H
#define TEST_INTAKE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "relay/intake/intake.h"
#include "relay/net/conn.h"

/* --- the queue that remembers -------------------------------------------------------------------------------------------- */

#define STORED_MAX (4 << 20)

struct stored {
	msg_id id;
	char sender[400], tenant[100], login[100], client[400], rcpts[8000]; /* rcpts: "n/job address" joined by blanks */
	char envid[101], asked[8000]; /* asked: NOTIFY as a number and ORCPT of each */
	uint32_t flags, chunks, rcpt_count;
	wall_ms arrived, deadline, next; /* next: of the first recipient */
	int priority;
	size_t size;
	bool held; /* the first recipient */
};

static struct {
	msg_id last_id;
	struct stored message; /* the last accepted */
	char body[STORED_MAX + 1]; /* chunks of the transaction under way, then of the accepted message */
	size_t body_len;
	unsigned accepted, chunks_put, discarded, in_flight, in_flight_max;
	bool hold;          /* answer when asked to */
	bool full;          /* queue_has_room says no */
	enum err put_result, accept_result;
	msg_id earlier;     /* what goes with an accept_result of ERR_EXISTS */
	char key[QUEUE_KEY_MAX + 1]; /* of the last message that was handed in */
	uint64_t fingerprint;
	struct queue_req *held[64];
	size_t held_count;
	const struct queue_memo *memo; /* of the last accepted message */
	wall_ms next[16];              /* of its recipients */
} store;

msg_id queue_new_id(struct queue *queue)
{
	return store.last_id = store.last_id == 0 ? (msg_id)clock_wall() << 20 : store.last_id + 1;
}

enum err queue_has_room(struct queue *queue, uint64_t bytes, struct err_detail *why)
{
	return store.full ? err_set(why, ERR_FULL, "the disk is full") : OK;
}

static void append(const struct queue_blob *blob)
{
	assert_true(store.body_len + blob->len <= STORED_MAX);
	memcpy(store.body + store.body_len, blob->data, blob->len);
	store.body_len += blob->len;
}

/* Chunk 0, which comes last when the others were streamed. */
static void prepend(const struct queue_blob *blob)
{
	assert_true(store.body_len + blob->len <= STORED_MAX);
	memmove(store.body + blob->len, store.body, store.body_len);
	if (blob->len > 0)
		memcpy(store.body, blob->data, blob->len);
	store.body_len += blob->len;
}

static void remember(const struct queue_accept *accept)
{
	const struct queue_message *message = &accept->message;
	struct stored *s = &store.message;
	int at = 0, asked_at = 0;

	*s = (struct stored){ .id = message->id, .flags = message->flags, .chunks = message->chunks, .rcpt_count = message->rcpt_count,
		.priority = message->priority, .arrived = message->arrived, .deadline = message->deadline, .next = accept->rcpts[0].next, .size = message->size_bytes };
	snprintf(s->sender, sizeof(s->sender), "%s", message->sender);
	snprintf(s->tenant, sizeof(s->tenant), "%s", message->tenant);
	snprintf(s->login, sizeof(s->login), "%s", message->login);
	snprintf(s->client, sizeof(s->client), "%s", message->client);
	snprintf(s->envid, sizeof(s->envid), "%s", message->envid);
	store.memo = accept->memo;
	for (size_t i = 0; i < accept->rcpt_count && i < ARRAY_LEN(store.next); i++)
		store.next[i] = accept->rcpts[i].next;
	s->held = accept->rcpts[0].state == RCPT_HELD;
	assert_int_equal(s->held, accept->rcpts[0].reason[0] != '\0');
	for (size_t i = 0; i < accept->rcpt_count; i++) {
		const struct queue_rcpt *rcpt = &accept->rcpts[i];

		at += snprintf(s->rcpts + at, sizeof(s->rcpts) - (size_t)at, "%s%u/%u %s", i > 0 ? " " : "", rcpt->n, rcpt->job,
		    rcpt->address);
		asked_at += snprintf(s->asked + asked_at, sizeof(s->asked) - (size_t)asked_at, "%s%u %s", i > 0 ? " " : "", rcpt->notify,
		    rcpt->orcpt);
		assert_string_equal(rcpt->domain, strrchr(rcpt->address, '@') + 1);
	}
	assert_int_equal(accept->first_blob + accept->blob_count, message->chunks);
	if (accept->first_blob == 0)
		store.body_len = 0;
	prepend(&accept->head);
	for (size_t i = 0; i < accept->blob_count; i++)
		append(&accept->blobs[i]);
	store.body[store.body_len] = '\0';
	assert_int_equal(store.body_len, message->size_bytes);
	store.accepted++;
}

static void run_done(struct mail_item *item)
{
	struct queue_req *req = CONTAINER_OF(item, struct queue_req, item);

	req->done(req);
}

static void note_key(const struct queue_accept *accept)
{
	snprintf(store.key, sizeof(store.key), "%s", accept->key);
	store.fingerprint = accept->fingerprint;
}

static void answer(struct queue_req *req)
{
	if (req->kind == QUEUE_CHUNK_PUT) {
		store.in_flight--;
		req->result = store.put_result;
	} else {
		req->result = store.accept_result;
		CONTAINER_OF(req, struct queue_accept, req)->earlier = store.earlier;
	}
	req->item.run = run_done;
	mailbox_post(req->reply_to, &req->item);
}

static inline void answer_held(void)
{
	for (size_t i = 0; i < store.held_count; i++)
		answer(store.held[i]);
	store.held_count = 0;
}

void queue_submit(struct queue *queue, struct queue_req *req)
{
	if (req->kind == QUEUE_DISCARD) {
		assert_int_equal(store.in_flight, 0);
		store.discarded++;
		free(req);
		return;
	}
	if (req->kind == QUEUE_CHUNK_PUT) {
		struct queue_chunk *chunk = CONTAINER_OF(req, struct queue_chunk, req);

		assert_int_not_equal(chunk->n, 0);
		if (chunk->n == 1)
			store.body_len = 0;
		append(&chunk->blob);
		assert_int_equal(chunk->blob.len, QUEUE_CHUNK);
		store.chunks_put++;
		if (++store.in_flight > store.in_flight_max)
			store.in_flight_max = store.in_flight;
	} else {
		note_key(CONTAINER_OF(req, struct queue_accept, req));
		if (store.accept_result == OK)
			remember(CONTAINER_OF(req, struct queue_accept, req));
	}
	if (store.hold) {
		assert_true(store.held_count < ARRAY_LEN(store.held));
		store.held[store.held_count++] = req;
	} else {
		answer(req);
	}
}

/* --- the world ----------------------------------------------------------------------------------------------------------- */

static struct {
	struct loop *loop;
	struct conf *conf, *newer; /* newer: what conf_latest hands out when set */
	struct tls_server *tls;
	struct tls_client *tls_client;
	struct mailbox *helpers;
	struct intake *intake;
	struct intake_env env;
	_Atomic uint64_t memory;
	struct conn *client;
	char got[1 << 20];
	size_t got_len, read_to; /* what came from the session, and how much of it the test has looked at */
	bool client_ended, client_secured, drained;
	unsigned ended;
	bool held; /* the last job */
	char jobs[4000]; /* "domain first+count" joined by blanks */
} world;

static void client_secured(void *arg)
{
	world.client_secured = true;
}

static void client_data(void *arg)
{
	const char *data;
	size_t len;

	while ((len = conn_peek(world.client, &data)) > 0) {
		assert_true(world.got_len + len < sizeof(world.got));
		memcpy(world.got + world.got_len, data, len);
		world.got_len += len;
		conn_consume(world.client, len);
	}
}

static void client_end(void *arg, enum conn_end end, const char *text)
{
	world.client_ended = true;
	conn_close(&world.client, false);
}

static const struct conn_ops client_ops = { .on_secured = client_secured, .on_data = client_data, .on_end = client_end };

static void on_job(void *arg, struct intake_job *job)
{
	size_t at = strlen(world.jobs);

	snprintf(world.jobs + at, sizeof(world.jobs) - at, "%s%s %u+%u", at > 0 ? " " : "", job->domain, job->first, job->rcpts);
	world.held = job->held;
	free(job);
}

static void on_session_end(void *arg, const struct ip_port *client)
{
	world.ended++;
}

static struct conf *conf_latest(void *arg)
{
	return world.newer != NULL ? world.newer : world.conf;
}

static void stop(void *arg)
{
	loop_stop(arg);
}

/* Let everything happen that can happen at once. */
static void turns(void)
{
	for (int i = 0; i < 6; i++) {
		struct timer timer;

		timer_init(&timer, world.loop, stop, world.loop);
		timer_start(&timer, 0);
		loop_run(world.loop);
		timer_fini(&timer);
		mailbox_run(world.helpers, 0);
	}
}

/* The same, but wait for timers of the session's too. */
static inline void turns_waiting(void)
{
	struct timer timer;

	timer_init(&timer, world.loop, stop, world.loop);
	timer_start(&timer, 20);
	loop_run(world.loop);
	timer_fini(&timer);
}

/* Settings that do not say otherwise leave messages alone. */
static inline struct conf *load(const char *settings)
{
	char *text = xasprintf("%s%s", settings, strstr(settings, "hygiene:") != NULL ? "" : "hygiene: {date: false, message_id: false}\n");
	struct conf_faults faults;
	struct conf *conf = conf_load_text("relay.yaml", text, strlen(text), &faults);

	if (conf == NULL)
		fail_msg("%s", faults.text);
	conf_faults_free(&faults);
	free(text);
	return conf;
}

static inline void world_create(const char *conf)
{
	memset(&world, 0, sizeof(world));
	memset(&store, 0, sizeof(store));
	log_set_level(LOG_ERROR);
	world.conf = load(conf);
	world.loop = loop_create("test");
	world.helpers = mailbox_create();
	world.env = (struct intake_env){ .loop = world.loop, .helpers = world.helpers, .on_job = on_job,
		.on_session_end = on_session_end, .conf_latest = conf_latest, .memory_used = &world.memory };
	world.intake = intake_create(&world.env);
}

static void on_world_drained(void *arg)
{
	world.drained = true;
}

static inline void world_destroy(void)
{
	conn_close(&world.client, false);
	turns();
	intake_drain(world.intake, on_world_drained, NULL);
	turns();
	assert_true(world.drained);
	assert_int_equal(world.memory, 0);
	intake_destroy(&world.intake);
	loop_destroy(&world.loop);
	mailbox_destroy(&world.helpers);
	tls_client_unref(&world.tls_client);
	tls_server_unref(&world.tls);
	conf_unref(&world.newer);
	conf_unref(&world.conf);
}

/* A client from `address` at listener number `listen`. */
static inline void hello_from(const char *address, size_t listen, const char *busy)
{
	struct ip_port peer = { .port = 40000 };
	int fds[2];

	conn_close(&world.client, false);
	turns();
	assert_true(ip_parse(address, &peer.addr));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	world.got_len = world.read_to = 0;
	world.client_ended = world.client_secured = false;
	world.client = conn_accept(world.loop, fds[1], &client_ops, NULL);
	intake_start(world.intake, fds[0], &peer, world.conf, &world.conf->listen[listen], world.tls, busy);
	turns();
}

static inline void say(const void *data, size_t len)
{
	assert_non_null(world.client);
	conn_write(world.client, data, len);
	turns();
}

#define SAY(literal) say(literal, sizeof(literal) - 1)

static inline void client_tls(void)
{
	if (world.tls_client == NULL)
		world.tls_client = tls_client_create();
	conn_secure_client(world.client, world.tls_client, "relay.test");
	turns();
	assert_true(world.client_secured);
}

/* The next line that came, without its CRLF; NULL: none. */
static const char *next_reply(void)
{
	static char line[2000];
	const char *start = world.got + world.read_to, *end = memmem(start, world.got_len - world.read_to, "\r\n", 2);

	if (end == NULL)
		return NULL;
	snprintf(line, sizeof(line), "%.*s", (int)(end - start), start);
	world.read_to += (size_t)(end - start) + 2;
	return line;
}

static inline void expect(const char *label, const char *want)
{
	const char *line = next_reply();

	if (line == NULL || strncmp(line, want, strlen(want)) != 0)
		fail_msg("%s: got \"%s\", want \"%s\"", label, line != NULL ? line : "(nothing)", want);
}

/*
 * Play a dialogue, lines joined by "\n": "> text" is sent with CRLF, and "+ text" along with what follows (pipelining); "< text" is
 * what the next reply line begins with, "~ text" the same after any other lines; "tls" begins a handshake; "closed": the session has closed. At the end nothing may be unread.
 */
static inline void play(const char *label, const char *script)
{
	char pending[8000];
	size_t pending_len = 0;

	for (const char *line = script, *end; *line != '\0'; line = *end != '\0' ? end + 1 : end) {
		int len;

		end = strchrnul(line, '\n');
		len = (int)(end - line);
		if (line[0] == '>' || line[0] == '+') {
			pending_len += (size_t)snprintf(pending + pending_len, sizeof(pending) - pending_len, "%.*s\r\n", len - 2, line + 2);
			if (line[0] == '+')
				continue;
			say(pending, pending_len);
			pending_len = 0;
		} else if (line[0] == '<') {
			char want[1000];

			snprintf(want, sizeof(want), "%.*s", len - 2, line + 2);
			expect(label, want);
		} else if (line[0] == '~') {
			char want[1000];
			const char *got;

			snprintf(want, sizeof(want), "%.*s", len - 2, line + 2);
			while ((got = next_reply()) != NULL && strncmp(got, want, strlen(want)) != 0)
				continue;
			if (got == NULL)
				fail_msg("%s: nothing begins with \"%s\"", label, want);
		} else if (strncmp(line, "tls", 3) == 0) {
			client_tls();
		} else if (strncmp(line, "closed", 6) == 0) {
			if (!world.client_ended)
				fail_msg("%s: not closed", label);
		} else {
			fail_msg("%s: no such line: %.*s", label, len, line);
		}
	}
	if (world.read_to != world.got_len)
		fail_msg("%s: unexpected: %.*s", label, (int)(world.got_len - world.read_to), world.got + world.read_to);
}

/* The stored body behind our Received field. */
static inline const char *body(void)
{
	const char *at = store.body;

	assert_int_equal(strncmp(at, "Received: ", 10), 0);
	while ((at = strstr(at, "\r\n")) != NULL) {
		at += 2;
		if (*at != ' ' && *at != '\t')
			return at;
	}
	fail_msg("no end of our Received field: %s", store.body);
	return NULL;
}

#endif
