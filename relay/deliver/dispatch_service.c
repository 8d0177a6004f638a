/* relay/deliver/dispatch_service.c - sources that the operator took out of service or retires, kept over restarts: a memo for each that ever was. */
#include "relay/deliver/dispatch_int.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bigend.h"
#include "base/log.h"

/* Of the record. 1: version u8, drained u8. 2, of a retirement: version u8, since u64, until u64, the successor's name. */
#define VERSION    1
#define RETIREMENT 2
#define RETIRE_LEN (1 + 8 + 8)

/* What the memo says; never changed, for the writer thread reads it. */
struct service_record {
	struct service_record *older;
	bool drained;
	struct sched_retire retire; /* until 0: none */
};

struct service {
	struct queue_memo memo; /* its name is SERVICE_MEMO and the source's */
	struct service_record *_Atomic record;
	UT_hash_handle hh;      /* by the source's name */
	char memo_name[];
};

static const char *source_of(const struct service *service)
{
	return service->memo_name + strlen(SERVICE_MEMO);
}

static size_t write_memo(const struct queue_memo *memo, uint8_t out[QUEUE_MEMO_MAX])
{
	const struct service *service = CONTAINER_OF(memo, const struct service, memo);

	const struct service_record *record = atomic_load(&service->record);
	size_t into = strlen(record->retire.into);

	if (record->retire.until == 0) {
		out[0] = VERSION;
		out[1] = record->drained;
		return 2;
	}
	out[0] = RETIREMENT;
	(void)bigend_put(bigend_put(out + 1, (uint64_t)record->retire.since, 8), (uint64_t)record->retire.until, 8);
	memcpy(out + RETIRE_LEN, record->retire.into, into);
	return RETIRE_LEN + into;
}

bool service_memo_read(const void *data, size_t len)
{
	const uint8_t *record = data;

	return len == 2 && record[0] == VERSION && record[1] == 1;
}

bool service_memo_retires(const void *data, size_t len, struct sched_retire *out)
{
	const uint8_t *record = data, *at;

	*out = (struct sched_retire){ 0 };
	if (len < RETIRE_LEN || len - RETIRE_LEN >= sizeof(out->into) || record[0] != RETIREMENT)
		return false;
	at = record + 1;
	out->since = (wall_ms)bigend_get(&at, 8);
	out->until = (wall_ms)bigend_get(&at, 8);
	memcpy(out->into, record + RETIRE_LEN, len - RETIRE_LEN);
	return out->since >= 0 && out->since < out->until && out->until < WALL_NEVER;
}

/* The older ones stay: the writer may be reading. The operator makes few. */
static void note(struct service *service, bool drained, const struct sched_retire *retire)
{
	struct service_record *record = xcalloc(1, sizeof(*record));

	record->older = atomic_load(&service->record);
	record->drained = drained;
	if (retire)
		record->retire = *retire;
	atomic_store(&service->record, record);
}

static struct service *service_get(struct dispatch *d, const char *source)
{
	size_t len = strlen(source);
	struct service *service;

	HASH_FIND(hh, d->services, source, len, service);
	if (service)
		return service;
	service = xcalloc(1, sizeof(*service) + strlen(SERVICE_MEMO) + len + 1);
	memcpy(service->memo_name, SERVICE_MEMO, strlen(SERVICE_MEMO));
	memcpy(service->memo_name + strlen(SERVICE_MEMO), source, len + 1);
	note(service, false, NULL);
	service->memo = (struct queue_memo){ .name = service->memo_name, .write = write_memo };
	HASH_ADD_KEYPTR(hh, d->services, source_of(service), len, service);
	return service;
}

/* --- at start and after a reload --------------------------------------------------------------------------------------------- */

static void restore(void *arg, const char *name, const void *data, size_t len)
{
	struct dispatch *d = arg;

	struct sched_retire retire;
	bool retires = service_memo_retires(data, len, &retire);

	note(service_get(d, name + strlen(SERVICE_MEMO)), service_memo_read(data, len), retires ? &retire : NULL);
}

void dispatch_service_apply(struct dispatch *d)
{
	wall_ms now = dispatch_now(d);

	for (struct service *s = d->services; s; s = s->hh.next) {
		const struct service_record *record = atomic_load(&s->record);

		if (record->retire.until > now) {
			(void)sched_retire_source(d->env.sched, source_of(s), &record->retire, now);
			continue;
		}
		if (!(record->drained || record->retire.until > 0) || !sched_drain_source(d->env.sched, source_of(s), true, now))
			continue;
		log_text(LOG_WARN, "drained", "source \"%s\" is out of service; relayq source enable takes it back", source_of(s));
	}
}

enum err dispatch_service_restore(struct dispatch *d, struct err_detail *why)
{
	enum err e = d->env.reader ? queue_memos_read(d->env.reader, SERVICE_MEMO, restore, d, why) : OK;

	if (e == OK)
		dispatch_service_apply(d);
	return e;
}

void dispatch_service_fini(struct dispatch *d)
{
	struct service *service, *next;

	HASH_ITER (hh, d->services, service, next) {
		HASH_DEL(d->services, service);
		for (struct service_record *r = atomic_load(&service->record), *older; r; r = older) {
			older = r->older;
			free(r);
		}
		free(service);
	}
}

/* --- the operator ------------------------------------------------------------------------------------------------------------ */

struct serving {
	struct queue_warm_put put;
	struct dispatch *dispatch;
	service_fn fn;
	void *arg;
};

static void stored(struct queue_req *req)
{
	struct serving *s = CONTAINER_OF(req, struct serving, put.req);

	struct dispatch *d = s->dispatch;

	s->fn(s->arg, req->result, req->why);
	free(s);
	d->settles_open--;
	dispatch_check_drained(d);
}

static void keep(struct dispatch *d, struct service *service, service_fn fn, void *arg)
{
	struct serving *s = xcalloc(1, sizeof(*s));

	s->dispatch = d;
	s->fn = fn;
	s->arg = arg;
	s->put.req.kind = QUEUE_WARM_PUT;
	s->put.req.reply_to = loop_mailbox(d->env.loop);
	s->put.req.done = stored;
	s->put.memo = &service->memo;
	d->settles_open++; /* the memo must outlive the request */
	queue_submit(d->env.queue, &s->put.req);
	dispatch_pump_soon(d);
}

bool dispatch_serve(struct dispatch *d, const char *source, bool in_service, service_fn fn, void *arg)
{
	struct service *service;

	if (!sched_drain_source(d->env.sched, source, !in_service, dispatch_now(d)))
		return false;
	service = service_get(d, source);
	note(service, !in_service, NULL);
	keep(d, service, fn, arg);
	return true;
}

bool dispatch_retire(struct dispatch *d, const char *source, int64_t ms, const char *into, service_fn fn, void *arg)
{
	wall_ms now = dispatch_now(d);
	struct sched_retire retire = { .since = now, .until = now + ms };
	struct service *service;

	(void)snprintf(retire.into, sizeof(retire.into), "%s", into);
	if (!sched_retire_source(d->env.sched, source, &retire, now))
		return false;
	service = service_get(d, source);
	note(service, false, &retire);
	keep(d, service, fn, arg);
	return true;
}

void dispatch_retired(struct dispatch *d)
{
	const char *source;
	struct log_line line;

	while ((source = sched_retired_next(d->env.sched)) != NULL) {
		log_begin(&line, LOG_INFO, "retired");
		log_str(&line, "source", source);
		log_str(&line, "text", "its share has sunk to nothing: out of service; relayq source enable takes it back");
		log_end(&line);
	}
}
