/* relay/deliver/dispatch_warn.c - the sender of a job that waits is told so, however far its next attempt lies ahead (RFC 3461 section 4.1, DELAY).
 *
 * The job is out of the scheduler's hands until that is stored; nothing is tried, and nothing of the recipients changes but that they were told of. */
#include "relay/deliver/dispatch_int.h"

#include <stdlib.h>

#include "base/log.h"

struct warning {
	struct queue_settle settle;
	struct dispatch *dispatch;
	struct attempt *attempt; /* owned */
	struct bounce *bounce;   /* owned, or NULL: nobody is told by mail */
	size_t count;
	struct report_rcpt *about; /* count of them, owned */
	struct queue_settle_item items[];
};

static void warning_free(struct warning *w)
{
	bounce_destroy(&w->bounce);
	free(w->about);
	free(w);
}

/* `left`: recipients that the job has. */
static void give_job_back(struct dispatch *d, struct attempt *attempt, uint32_t left, wall_ms now)
{
	struct sched_result result = {
	    .id = attempt->key.id, .first = attempt->key.first, .lane = LANE_NONE, .attempted = false, .rcpts_left = left,
	};

	(void)sched_done(d->env.sched, &result, now);
	attempt_end(d, attempt, now);
	dispatch_pump_soon(d);
}

/* A warning that could not be stored is given with the next deferral. */
static void warned(struct queue_req *req)
{
	struct warning *w = CONTAINER_OF(req, struct warning, settle.req);
	struct dispatch *d = w->dispatch;
	struct attempt *attempt = w->attempt;
	const struct queue_job *job = attempt->delivery.job;
	wall_ms now = dispatch_now(d);

	if (req->result != OK && req->result != ERR_NOT_FOUND)
		log_text(LOG_WARN, "warning-failed", "%s", req->why);
	if (req->result == OK && w->bounce)
		dispatch_add_bounce(d, bounce_accept(w->bounce), now);
	for (size_t i = 0; i < w->count && req->result == OK; i++)
		report_log(d, &job->message, &w->about[i]);
	give_job_back(d, attempt, req->result == ERR_NOT_FOUND ? 0 : attempt->delivery.limit, now);
	warning_free(w);
	d->settles_open--;
	dispatch_check_drained(d);
}

static struct warning *warning_create(struct dispatch *d, struct attempt *attempt, wall_ms now)
{
	const struct queue_job *job = attempt->delivery.job;
	struct warning *w = xcalloc(1, sizeof(*w) + job->rcpt_count * sizeof(w->items[0]));

	w->dispatch = d;
	w->attempt = attempt;
	w->about = xcalloc(job->rcpt_count, sizeof(w->about[0]));
	for (size_t i = 0; i < job->rcpt_count; i++) {
		const struct queue_rcpt *rcpt = &job->rcpts[i];

		if (!attempt_has(attempt, rcpt) || !report_is_late(d, &job->message, rcpt, now))
			continue;
		w->items[w->count] = (struct queue_settle_item){.op = SETTLE_UPDATE, .told = true, .rcpt = *rcpt};
		w->items[w->count].rcpt.warned = true;
		w->about[w->count++] = report_of(attempt, i, now);
	}
	return w;
}

static void store(struct dispatch *d, struct warning *w, wall_ms now)
{
	const struct queue_job *job = w->attempt->delivery.job;

	w->bounce = bounce_create(d->env.queue, d->env.reader, d->conf, job, w->about, w->count, now);
	w->settle.req.kind = QUEUE_SETTLE;
	w->settle.req.reply_to = loop_mailbox(d->env.loop);
	w->settle.req.done = warned;
	w->settle.id = w->attempt->key.id;
	w->settle.job = w->attempt->key.first & ~JOB_HELD_PART; /* no claim of another part ends with it */
	w->settle.destination = w->attempt->destination;
	w->settle.at = now;
	w->settle.items = w->items;
	w->settle.item_count = w->count;
	w->settle.bounce = w->bounce ? bounce_accept(w->bounce) : NULL;
	d->settles_open++;
	queue_submit(d->env.queue, &w->settle.req);
}

void dispatch_warn(struct dispatch *d, const struct sched_decision *decision, wall_ms now)
{
	struct attempt *attempt = attempt_create(d, decision, now);
	struct delivery *delivery = &attempt->delivery;
	struct err_detail why;
	struct warning *w;

	attempt->late = true;
	delivery->limit = decision->rcpts;
	delivery->load_error = queue_job_load(d->env.reader, delivery->id, delivery->first, &delivery->job, &why);
	if (delivery->load_error != OK) {
		if (delivery->load_error != ERR_NOT_FOUND)
			log_text(LOG_ERROR, "load-failed", "%s", why.text);
		give_job_back(d, attempt, delivery->load_error == ERR_NOT_FOUND ? 0 : decision->rcpts, now);
		return;
	}
	w = warning_create(d, attempt, now);
	if (w->count > 0) {
		store(d, w, now);
		return;
	}
	warning_free(w);
	give_job_back(d, attempt, decision->rcpts, now);
}
