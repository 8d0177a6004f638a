/* relay/deliver/dispatch_learned.c - what the scheduler learns, as notes in the store: written when it has changed, read before the first decision. */
#include "relay/deliver/dispatch_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define PREFIX "learned/"
_Static_assert(sizeof(PREFIX) + SCHED_LEARNED_KEY <= QUEUE_NOTE_NAME, "a key fits a note's name");

/* The operator waits for what was told to be in the store. */
struct telling {
	size_t open; /* rows on their way */
	enum err result;
	char why[160];
	service_fn fn;
	void *arg;
};

struct learning {
	struct queue_note_put put;
	struct dispatch *dispatch;
	struct telling *telling; /* NULL: nobody waits */
	struct sched_learned row;
	char name[QUEUE_NOTE_NAME + 1];
};

static void told(void *arg)
{
	struct telling *t = arg;

	t->fn(t->arg, t->result, t->why);
	free(t);
}

static void one_stored(struct telling *t, const struct queue_req *req)
{
	if (req->result != OK) {
		t->result = req->result;
		(void)snprintf(t->why, sizeof(t->why), "%s", req->why);
	}
	if (--t->open == 0)
		told(t);
}

static void stored(struct queue_req *req)
{
	struct learning *l = CONTAINER_OF(req, struct learning, put.req);
	struct dispatch *d = l->dispatch;

	d->settles_open--;
	if (req->result != OK && !d->learned_trouble)
		log_text(LOG_WARN, "learned-unstored", "what is known of \"%s\" holds until the next start only: %s", l->row.key, req->why);
	d->learned_trouble = req->result != OK;
	if (l->telling)
		one_stored(l->telling, req);
	free(l);
	dispatch_check_drained(d);
}

static void flush(struct dispatch *d, struct telling *telling)
{
	struct sched_learned row;

	while (sched_learned_next(d->env.sched, &row)) {
		struct learning *l = xcalloc(1, sizeof(*l));

		l->dispatch = d;
		l->telling = telling;
		if (telling)
			telling->open++;
		l->row = row;
		(void)snprintf(l->name, sizeof(l->name), PREFIX "%s", row.key);
		l->put.req.kind = QUEUE_NOTE_PUT;
		l->put.req.reply_to = loop_mailbox(d->env.loop);
		l->put.req.done = stored;
		l->put.name = l->name;
		l->put.data = l->row.data;
		l->put.len = l->row.len;
		d->settles_open++;
		queue_submit(d->env.queue, &l->put.req);
	}
}

void dispatch_learned_flush(struct dispatch *d)
{
	flush(d, NULL);
}

void dispatch_told(struct dispatch *d, service_fn fn, void *arg)
{
	struct telling *t = xcalloc(1, sizeof(*t));

	t->fn = fn;
	t->arg = arg;
	flush(d, t);
	if (t->open == 0) /* the store knows it already */
		loop_later(d->env.loop, told, t);
	dispatch_pump_soon(d);
}

static void restore(void *arg, const char *name, const void *data, size_t len)
{
	struct dispatch *d = arg;
	enum err e = sched_learned_restore(d->env.sched, name + strlen(PREFIX), data, len, dispatch_now(d));

	if (e != OK)
		log_text(LOG_WARN, "learned-lost", "what was known of \"%s\" cannot be read (%s); it is learnt anew", name + strlen(PREFIX),
		    err_name(e));
}

/* Without it everything is learnt anew: mail is not held back for that. */
void dispatch_learned_restore(struct dispatch *d)
{
	struct err_detail why;

	if (queue_notes_read(d->env.reader, PREFIX, restore, d, &why) != OK)
		log_text(LOG_ERROR, "learned-lost", "what was known of lanes and destinations cannot be read: %s", why.text);
}
