/* relay/deliver/dispatch_almanac.c - the past of cold lanes in the store: a row for each finished day, a year of them; and tenants' records. */
#include "relay/deliver/dispatch_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define RECORDS_MS MINUTES(1)
#define SWEPT_DAYS 30 /* beyond the year: a relay that stood still for so long still forgets what is old */

struct turning {
	struct queue_note_put put;
	struct dispatch *dispatch;
	char name[QUEUE_NOTE_NAME + 1];
	uint8_t data[SCHED_WARM_DAY_LEN];
};

static void turned(struct queue_req *req)
{
	struct turning *t = CONTAINER_OF(req, struct turning, put.req);
	struct dispatch *d = t->dispatch;

	if (req->result != OK)
		log_text(LOG_WARN, "warmup-unstored", "the history of \"%s\" is lost: %s", t->name, req->why);
	d->settles_open--;
	free(t);
	dispatch_check_drained(d);
}

/* Without `day` the row goes. */
static void put(struct dispatch *d, const char *name, const struct sched_warm_day *day)
{
	struct turning *t = xcalloc(1, sizeof(*t));

	t->dispatch = d;
	(void)snprintf(t->name, sizeof(t->name), "%s", name);
	if (day)
		sched_warm_day_encode(day, t->data);
	t->put.req.kind = QUEUE_NOTE_PUT;
	t->put.req.reply_to = loop_mailbox(d->env.loop);
	t->put.req.done = turned;
	t->put.name = t->name;
	t->put.data = t->data;
	t->put.len = day ? sizeof(t->data) : 0;
	d->settles_open++;
	queue_submit(d->env.queue, &t->put.req);
}

static void forget(void *arg, const char *name, const void *data, size_t len)
{
	(void)data;
	(void)len;
	put(arg, name, NULL);
}

/* Once a day. */
static void sweep(struct dispatch *d, int32_t today)
{
	struct err_detail why;
	char prefix[32];

	if (today == d->almanac_day)
		return;
	d->almanac_day = today;
	for (int32_t day = today - ALMANAC_DAYS - SWEPT_DAYS; day < today - ALMANAC_DAYS; day++) {
		(void)snprintf(prefix, sizeof(prefix), ALMANAC_DAY, day);
		if (queue_notes_read(d->env.reader, prefix, forget, d, &why) != OK)
			log_text(LOG_WARN, "warmup-unstored", "old rows of the history stay: %s", why.text);
	}
}

void dispatch_almanac_flush(struct dispatch *d, wall_ms now)
{
	struct sched_warm_day day;
	char name[QUEUE_NOTE_NAME + 1];

	while (sched_warm_day_next(d->env.sched, &day)) {
		/* Both names are free of spaces; a host's is shorter than the rest of the row's name. */
		(void)snprintf(name, sizeof(name), ALMANAC_DAY "%.100s %.255s", day.day, day.source, day.destination);
		put(d, name, &day);
		sweep(d, day.day);
	}
	dispatch_ledger_flush(d, false, now);
	if (now < d->records_at)
		return;
	d->records_at = now + RECORDS_MS;
	dispatch_warm_records(d);
}
