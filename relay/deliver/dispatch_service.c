/* relay/deliver/dispatch_service.c - sources that the operator took out of service, kept over restarts: a memo for each that ever was. */
#include "relay/deliver/dispatch_int.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define VERSION 1 /* of the record: version u8, drained u8 */

struct service {
	struct queue_memo memo; /* its name is SERVICE_MEMO and the source's */
	atomic_bool drained;    /* the writer thread reads it */
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

	out[0] = VERSION;
	out[1] = atomic_load(&service->drained);
	return 2;
}

bool service_memo_read(const void *data, size_t len)
{
	const uint8_t *record = data;

	return len == 2 && record[0] == VERSION && record[1] == 1;
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
	service->memo = (struct queue_memo){ .name = service->memo_name, .write = write_memo };
	HASH_ADD_KEYPTR(hh, d->services, source_of(service), len, service);
	return service;
}

/* --- at start and after a reload --------------------------------------------------------------------------------------------- */

static void restore(void *arg, const char *name, const void *data, size_t len)
{
	struct dispatch *d = arg;

	atomic_store(&service_get(d, name + strlen(SERVICE_MEMO))->drained, service_memo_read(data, len));
}

void dispatch_service_apply(struct dispatch *d)
{
	wall_ms now = dispatch_now(d);

	for (struct service *s = d->services; s; s = s->hh.next) {
		if (!atomic_load(&s->drained) || !sched_drain_source(d->env.sched, source_of(s), true, now))
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

bool dispatch_serve(struct dispatch *d, const char *source, bool in_service, service_fn fn, void *arg)
{
	struct service *service;
	struct serving *s;

	if (!sched_drain_source(d->env.sched, source, !in_service, dispatch_now(d)))
		return false;
	service = service_get(d, source);
	atomic_store(&service->drained, !in_service);
	s = xcalloc(1, sizeof(*s));
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
	return true;
}
