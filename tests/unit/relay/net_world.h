/* tests/unit/relay/net_world.h - time, DNS, HTTPS and the store's notes as a test says: linked in place of relay/net and of deliver/keep.c.
 *
 * Days pass in no time. An answer comes when the world turns, never from inside a call. Include once, in the file with main(). */
#ifndef TESTS_NET_WORLD_H
#define TESTS_NET_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/deliver/keep.h"
#include "relay/net/fetch.h"
#include "relay/net/loop.h"
#include "relay/net/resolver.h"

#define WORLD_START 1772366400000 /* 2026-03-01T12:00:00Z */
#define WORLD_MAX   64
#define WORLD_LOOP  ((struct loop *)&world)

struct world_timer {
	struct timer *timer;
	bool on;
	mono_ms due;
};

struct dns_query {
	char name[300];
	dns_fn fn;
	void *arg;
	bool open;
};

/* What a name server says; status FOUND needs txt. */
struct world_record {
	char name[300];
	enum dns_status status;
	char txt[400];
};

struct fetch {
	char url[300];
	fetch_fn fn;
	void *arg;
	bool open, is_post;
	uint16_t port;
	size_t max_bytes;
	int64_t timeout_ms;
};

/* What a web server says; status 0: no answer, for the reason in `body`. */
struct world_page {
	char url[300];
	int status;
	bool untrusted;
	char type[60];
	char body[600];
};

struct world_note {
	char name[300];
	uint8_t data[8000];
	size_t len;
};

static struct world {
	mono_ms now;       /* since WORLD_START */
	bool deaf;         /* DNS answers nothing */
	bool slow;         /* web servers answer nothing yet */
	struct world_timer timers[WORLD_MAX];
	struct dns_query queries[WORLD_MAX];
	struct fetch fetches[WORLD_MAX];
	struct world_record records[WORLD_MAX];
	struct world_page pages[WORLD_MAX];
	struct world_note notes[WORLD_MAX];
	unsigned asked, fetched, posted, kept;
} world;

static inline wall_ms world_wall(void)
{
	return WORLD_START + world.now;
}

/* --- what the test says -------------------------------------------------------------------------------------------------------- */

/* The first row of `rows` that has this text at its start, or a free one. */
#define WORLD_ROW(rows, field, text) world_row((rows), sizeof((rows)[0]), (size_t)((char *)(rows)[0].field - (char *)&(rows)[0]), (text))

static void *world_row(void *rows, size_t size, size_t offset, const char *text)
{
	for (size_t i = 0; i < WORLD_MAX; i++)
		if (strcmp((char *)rows + i * size + offset, text) == 0)
			return (char *)rows + i * size;
	for (size_t i = 0; i < WORLD_MAX; i++)
		if (*((char *)rows + i * size + offset) == '\0')
			return (char *)rows + i * size;
	must(false);
	return NULL;
}

static inline void world_txt(const char *name, enum dns_status status, const char *txt)
{
	struct world_record *record = WORLD_ROW(world.records, name, name);

	*record = (struct world_record){ .status = status };
	snprintf(record->name, sizeof(record->name), "%s", name);
	snprintf(record->txt, sizeof(record->txt), "%s", txt ? txt : "");
}

static inline void world_page(const char *url, int status, const char *type, const char *body)
{
	struct world_page *page = WORLD_ROW(world.pages, url, url);

	*page = (struct world_page){ .status = status };
	snprintf(page->url, sizeof(page->url), "%s", url);
	snprintf(page->type, sizeof(page->type), "%s", type);
	snprintf(page->body, sizeof(page->body), "%s", body);
}

static inline size_t world_notes(void)
{
	size_t count = 0;

	for (size_t i = 0; i < WORLD_MAX; i++)
		count += world.notes[i].name[0] != '\0';
	return count;
}

/* --- turning ------------------------------------------------------------------------------------------------------------------- */

static bool world_answer_dns(void)
{
	for (size_t i = 0; i < WORLD_MAX && !world.deaf; i++) {
		struct dns_query query = world.queries[i];
		struct dns_answer answer = { .status = DNS_NO_NAME };
		const struct world_record *record;
		char *txt[1];

		if (!query.open)
			continue;
		world.queries[i].open = false;
		record = WORLD_ROW(world.records, name, query.name);
		if (record->name[0]) {
			txt[0] = (char *)record->txt;
			answer.status = record->status;
			answer.txt = txt;
			answer.txt_count = record->status == DNS_FOUND;
		}
		query.fn(query.arg, &answer);
		return true;
	}
	return false;
}

static bool world_answer_fetch(void)
{
	for (size_t i = 0; i < WORLD_MAX && !world.slow; i++) {
		struct fetch fetch = world.fetches[i];
		struct fetch_answer answer = { .status = 404, .type = "", .body = "" };
		const struct world_page *page;

		if (!fetch.open)
			continue;
		world.fetches[i].open = false;
		page = WORLD_ROW(world.pages, url, fetch.url);
		if (page->url[0])
			answer = (struct fetch_answer){ .status = page->status, .untrusted = page->untrusted, .type = page->type, .body = page->body,
				.len = strlen(page->body) };
		snprintf(answer.why, sizeof(answer.why), "%s", page->status ? "" : "no answer");
		fetch.fn(fetch.arg, &answer);
		return true;
	}
	return false;
}

static bool world_fire(mono_ms until)
{
	struct world_timer *first = NULL;

	for (size_t i = 0; i < WORLD_MAX; i++)
		if (world.timers[i].on && (!first || world.timers[i].due < first->due))
			first = &world.timers[i];
	if (!first || first->due > until)
		return false;
	world.now = first->due > world.now ? first->due : world.now;
	first->on = false;
	first->timer->fn(first->timer->arg);
	return true;
}

/* Let so much time pass, with all that falls into it. */
static inline void world_pass(int64_t ms)
{
	mono_ms until = world.now + ms;

	while (world_answer_dns() || world_answer_fetch() || world_fire(until))
		;
	world.now = until;
}

/* --- what is linked instead ----------------------------------------------------------------------------------------------------- */

mono_ms loop_now(struct loop *loop)
{
	return world.now;
}

static struct world_timer *world_timer(const struct timer *timer)
{
	for (size_t i = 0; i < WORLD_MAX; i++)
		if (world.timers[i].timer == timer)
			return &world.timers[i];
	must(false);
	return NULL;
}

void timer_init(struct timer *timer, struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct world_timer *slot = world_timer(NULL);

	*timer = (struct timer){ .loop = loop, .fn = fn, .arg = arg };
	*slot = (struct world_timer){ .timer = timer };
}

void timer_start(struct timer *timer, int64_t ms)
{
	struct world_timer *slot = world_timer(timer);

	slot->on = true;
	slot->due = world.now + ms;
}

void timer_stop(struct timer *timer)
{
	world_timer(timer)->on = false;
}

void timer_fini(struct timer *timer)
{
	*world_timer(timer) = (struct world_timer){ .on = false };
}

struct dns_query *resolver_ask(struct resolver *resolver, const char *name, enum dns_type type, dns_fn fn, void *arg)
{
	struct dns_query *query = world.queries;

	must(type == DNS_TXT);
	while (query->open)
		query++;
	*query = (struct dns_query){ .fn = fn, .arg = arg, .open = true };
	snprintf(query->name, sizeof(query->name), "%s", name);
	world.asked++;
	return query;
}

void resolver_cancel(struct dns_query *query)
{
	query->open = false;
}

const char *dns_status_text(enum dns_status status)
{
	return "no answer of DNS";
}

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request, fetch_fn fn, void *arg)
{
	struct fetch *fetch = world.fetches;

	while (fetch->open)
		fetch++;
	*fetch = (struct fetch){ .fn = fn, .arg = arg, .open = true, .is_post = request->body, .port = request->port, .max_bytes = request->max_bytes,
		.timeout_ms = request->timeout_ms };
	snprintf(fetch->url, sizeof(fetch->url), "%s", request->url);
	*(request->body ? &world.posted : &world.fetched) += 1;
	return fetch;
}

void fetch_cancel(struct fetch *fetch)
{
	fetch->open = false;
}

void keep_note(struct queue *queue, const char *name, const void *data, size_t len)
{
	struct world_note *note = WORLD_ROW(world.notes, name, name);

	must(len <= sizeof(note->data));
	world.kept++;
	*note = (struct world_note){ .len = len };
	if (len == 0)
		return;
	memcpy(note->data, data, len);
	snprintf(note->name, sizeof(note->name), "%s", name);
}

enum err queue_notes_read(struct queue_reader *reader, const char *prefix, queue_note_fn fn, void *arg, struct err_detail *why)
{
	for (size_t i = 0; i < WORLD_MAX; i++)
		if (world.notes[i].name[0] && strncmp(world.notes[i].name, prefix, strlen(prefix)) == 0)
			fn(arg, world.notes[i].name, world.notes[i].data, world.notes[i].len);
	return OK;
}

#endif
