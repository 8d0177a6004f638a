/* relay/deliver/dispatch_change.c - the store's rows as scheduler entries, and the operator's changes to them.
 *
 * A change takes the entries of its recipients out of the scheduler, changes the rows, and then reads the message back: the store is the
 * truth, so nothing has to be kept in step by hand. */
#include "relay/deliver/dispatch_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* --- rows into entries ------------------------------------------------------------------------------------------------------ */

/* Greylisting wants the same source again; who was throttled or blocked had better take another. */
static bool wants_its_source(const struct queue_rcpt *rcpt)
{
	static const enum replies_class OTHERS[] = { CLASS_THROTTLE, CLASS_REPUTATION_BLOCK };

	if (!rcpt->source[0])
		return false;
	for (size_t i = 0; i < ARRAY_LEN(OTHERS) && rcpt->state != RCPT_BLOCKED; i++)
		if (strcmp(rcpt->class_name, replies_class_name(OTHERS[i])) == 0)
			return false;
	return true;
}

/* An entry that is out stays as it is; whoever joins its job meanwhile is found when it comes back. */
static void replace_entry(struct dispatch *d, const struct sched_job *entry)
{
	struct attempt *attempt;

	if (sched_drop(d->env.sched, entry->id, entry->first) != ERR_BUSY)
		return;
	attempt = attempt_find(d, entry->id, entry->first);
	if (attempt && entry->rcpts > 0)
		attempt->changed = true;
}

/* One part of the job that starts at rcpts[at]; counts 0 recipients when there is none. */
static struct sched_job part_of(const struct queue_job *job, size_t at, size_t end, uint32_t part)
{
	const struct queue_message *message = &job->message;
	struct sched_job entry = {
	    .id = message->id, .first = job->rcpts[at].job | part, .domain = job->rcpts[at].domain,
	    .tenant = message->tenant, .pool = message->pool, .due = WALL_NEVER, .deadline = message->deadline,
	    .held = part == JOB_HELD_PART,
	    .priority = message->priority,
	};

	for (size_t i = at; i < end; i++) {
		const struct queue_rcpt *rcpt = &job->rcpts[i];

		if (job_part(rcpt) != part)
			continue;
		entry.rcpts++;
		if (rcpt->next < entry.due)
			entry.due = rcpt->next;
		if (rcpt->attempts > entry.attempts)
			entry.attempts = rcpt->attempts;
		if (wants_its_source(rcpt))
			entry.source = rcpt->source;
		entry.warns = entry.warns || (!rcpt->warned && message->sender[0] != '\0' && !(message->flags & MSG_BOUNCE));
		entry.blocked = entry.blocked || rcpt->state == RCPT_BLOCKED;
		entry.moved = entry.moved || rcpt->moved;
	}
	return entry;
}

void dispatch_add_job(struct dispatch *d, const struct queue_job *job, bool replace, wall_ms now)
{
	static const uint32_t PARTS[] = {0, JOB_HELD_PART, JOB_APART_PART};

	for (size_t at = 0, end; at < job->rcpt_count; at = end) {
		for (end = at + 1; end < job->rcpt_count && job->rcpts[end].job == job->rcpts[at].job; end++)
			;
		for (size_t i = 0; i < ARRAY_LEN(PARTS); i++) {
			struct sched_job entry = part_of(job, at, end, PARTS[i]);

			if (replace)
				replace_entry(d, &entry);
			if (entry.rcpts > 0)
				(void)sched_add(d->env.sched, &entry, now);
		}
	}
}

void dispatch_add_bounce(struct dispatch *d, const struct queue_accept *accept, wall_ms now)
{
	const struct queue_message *message = &accept->message;
	struct sched_job entry = {
	    .id = message->id, .rcpts = 1, .domain = accept->rcpts[0].domain, .tenant = message->tenant, .pool = message->pool,
	    .due = now, .deadline = message->deadline,
	};

	(void)sched_add(d->env.sched, &entry, now);
}

static void reload_message(struct dispatch *d, msg_id id, wall_ms now)
{
	struct queue_job *job;

	if (queue_job_load(d->env.reader, id, UINT32_MAX, &job, NULL) != OK)
		return; /* all of it has left the queue */
	dispatch_add_job(d, job, true, now);
	free(job);
}

bool dispatch_keeps_letters(const struct dispatch *d, const char *tenant)
{
	const struct conf_tenant *found = conf_tenant_find(d->conf, tenant);

	return d->conf->dead_keep_ms > 0 && d->conf->dead_size_bytes > 0 && (!found || found->dead);
}

void dispatch_adopt(struct dispatch *d, msg_id id)
{
	reload_message(d, id, dispatch_now(d));
	dispatch_pump_soon(d);
}

/* --- changes ---------------------------------------------------------------------------------------------------------------- */

struct changing {
	struct queue_settle settle;
	struct dispatch *dispatch;
	struct queue_job *job;
	struct bounce *bounce;
	char *reason;
	enum change_verb verb;
	change_fn fn;
	void *arg;
	struct change_result result;
	char why[200];
	struct queue_settle_item items[];
};

static void changing_finish(void *arg)
{
	struct changing *c = arg;

	c->result.why = c->why;
	c->fn(c->arg, &c->result);
	bounce_destroy(&c->bounce);
	free(c->job);
	free(c->reason);
	free(c);
}

static void log_change(const struct changing *c)
{
	static const char *const EVENTS[] = {
	    [CHANGE_RETRY] = "retried", [CHANGE_HOLD] = "held", [CHANGE_RELEASE] = "released", [CHANGE_DROP] = "dropped",
	    [CHANGE_BOUNCE] = "bounced", [CHANGE_REROUTE] = "rerouted",
	};
	char id[MSG_ID_TEXT];

	for (size_t i = 0; i < c->settle.item_count; i++) {
		struct log_line line;

		if (!c->items[i].found)
			continue;
		log_begin(&line, LOG_INFO, EVENTS[c->verb]);
		log_fmt(&line, "id", "%s.%u", msg_id_format(c->settle.id, id), c->items[i].rcpt.n);
		log_str(&line, "tenant", c->job->message.tenant);
		log_str(&line, "by", "operator");
		log_str(&line, "reason", c->reason);
		log_end(&line);
	}
}

static struct report_rcpt report_by_hand(const struct changing *c, const struct queue_rcpt *rcpt)
{
	return (struct report_rcpt){
	    .kind = REPORT_FAILED, .address = rcpt->address, .status = "5.7.0", .reply = c->reason, .relay = "",
	    .last_attempt = rcpt->last_attempt, .orcpt = rcpt->orcpt,
	};
}

static void log_reports(const struct changing *c)
{
	for (size_t i = 0; i < c->settle.item_count; i++) {
		struct report_rcpt about = report_by_hand(c, &c->items[i].rcpt);

		if (report_wants_failure(&c->items[i].rcpt))
			report_log(c->dispatch, &c->job->message, &about);
	}
}

static void changed(struct queue_req *req)
{
	struct changing *c = CONTAINER_OF(req, struct changing, settle.req);
	struct dispatch *d = c->dispatch;
	wall_ms now = dispatch_now(d);

	d->settles_open--;
	c->result.result = req->result;
	if (req->result != OK) {
		(void)snprintf(c->why, sizeof(c->why), "%.159s", req->why);
	} else {
		for (size_t i = 0; i < c->settle.item_count; i++)
			c->result.changed += c->items[i].found;
		log_change(c);
		if (c->bounce)
			dispatch_add_bounce(d, bounce_accept(c->bounce), now);
		if (c->verb == CHANGE_BOUNCE)
			log_reports(c);
	}
	reload_message(d, c->settle.id, now);
	dispatch_pump_soon(d);
	dispatch_check_drained(d);
	changing_finish(c);
}

static bool is_chosen(uint32_t n, const uint32_t *ns, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ns[i] == n)
			return true;
	return count == 0;
}

static void item_of(struct changing *c, const struct queue_rcpt *rcpt, wall_ms now)
{
	static const enum settle_op OPS[] = {
	    [CHANGE_RETRY] = SETTLE_RETRY, [CHANGE_HOLD] = SETTLE_HOLD, [CHANGE_RELEASE] = SETTLE_RELEASE, [CHANGE_DROP] = SETTLE_DROPPED,
	    [CHANGE_BOUNCE] = SETTLE_BOUNCED, [CHANGE_REROUTE] = SETTLE_RETRY,
	};
	struct queue_settle_item *item = &c->items[c->settle.item_count++];

	item->op = OPS[c->verb];
	item->rcpt = *rcpt;
	/* Another pool does not change when it is due, but for what only waited for its source. */
	if (c->verb != CHANGE_REROUTE || rcpt->state == RCPT_BLOCKED)
		item->rcpt.next = now;
	if (c->verb == CHANGE_BOUNCE) {
		item->letter = dispatch_keeps_letters(c->dispatch, c->job->message.tenant) ? LETTER_OPERATOR : LETTER_NONE;
		item->told = report_wants_failure(rcpt);
		item->rcpt.reason = c->reason;
	}
	if (c->verb == CHANGE_HOLD) {
		item->rcpt.state = RCPT_HELD;
		item->rcpt.reason = c->reason;
	}
}

/* Recipients of jobs that are out keep their pool until the end, and a message has one pool. */
static bool is_out(const struct changing *c)
{
	for (size_t i = 0; i < c->job->rcpt_count; i++) {
		const struct queue_rcpt *rcpt = &c->job->rcpts[i];

		if (attempt_find(c->dispatch, c->job->message.id, rcpt->job | job_part(rcpt)))
			return true;
	}
	return false;
}

/* Take the chosen recipients' entries out of the scheduler; those being delivered are left alone. */
static size_t choose(struct changing *c, const uint32_t *ns, size_t count, wall_ms now)
{
	struct dispatch *d = c->dispatch;
	size_t chosen = 0;

	if (c->verb == CHANGE_REROUTE && is_out(c)) {
		c->result.busy = (uint32_t)(count > 0 ? count : c->job->rcpt_count);
		return c->job->rcpt_count;
	}
	if (c->verb == CHANGE_REROUTE)
		count = 0;
	for (size_t i = 0; i < c->job->rcpt_count; i++) {
		const struct queue_rcpt *rcpt = &c->job->rcpts[i];
		uint32_t first = rcpt->job | job_part(rcpt);

		if (!is_chosen(rcpt->n, ns, count))
			continue;
		chosen++;
		if (attempt_find(d, c->job->message.id, first)) {
			c->result.busy++;
			continue;
		}
		if (c->verb != CHANGE_RETRY) {
			(void)!sched_drop(d->env.sched, c->job->message.id, first);
		} else {
			dispatch_host_lift(d, rcpt->domain, now);
			(void)!sched_retry(d->env.sched, c->job->message.id, first, now);
		}
		item_of(c, rcpt, now);
	}
	return chosen;
}

static void owe_bounce(struct changing *c, wall_ms now)
{
	struct dispatch *d = c->dispatch;
	struct report_rcpt *rcpts = xcalloc(c->settle.item_count, sizeof(*rcpts));
	size_t count = 0;

	for (size_t i = 0; i < c->settle.item_count; i++) {
		const struct queue_rcpt *rcpt = &c->items[i].rcpt;

		if (!report_wants_failure(rcpt))
			continue;
		rcpts[count++] = report_by_hand(c, rcpt);
	}
	c->bounce = bounce_create(d->env.queue, d->env.reader, d->conf, c->job, rcpts, count, now);
	free(rcpts);
	if (c->bounce)
		c->settle.bounce = bounce_accept(c->bounce);
}

void dispatch_change(struct dispatch *d, msg_id id, const uint32_t *ns, size_t count, enum change_verb verb, const char *reason,
    change_fn fn, void *arg)
{
	struct queue_job *job = NULL;
	struct err_detail why = {.text = ""};
	enum err err = queue_job_load(d->env.reader, id, UINT32_MAX, &job, &why);
	struct changing *c = xcalloc(1, sizeof(*c) + (job ? job->rcpt_count : 0) * sizeof(c->items[0]));
	wall_ms now = dispatch_now(d);

	c->dispatch = d;
	c->job = job;
	c->verb = verb;
	c->fn = fn;
	c->arg = arg;
	c->reason = xstrdup(reason && reason[0] ? reason : "by the operator");
	if (job && choose(c, ns, count, now) == 0)
		err = ERR_NOT_FOUND;
	if (err != OK || c->settle.item_count == 0) {
		c->result.result = err;
		(void)snprintf(c->why, sizeof(c->why), "%.199s", why.text);
		loop_later(d->env.loop, changing_finish, c);
		return;
	}
	if (verb == CHANGE_BOUNCE)
		owe_bounce(c, now);
	if (verb == CHANGE_REROUTE)
		c->settle.pool = c->reason;
	c->settle.req.kind = QUEUE_SETTLE;
	c->settle.req.reply_to = loop_mailbox(d->env.loop);
	c->settle.req.done = changed;
	c->settle.id = id;
	c->settle.job = UINT32_MAX;
	c->settle.items = c->items;
	c->settle.urgent = true;
	c->settle.at = now;
	d->settles_open++;
	queue_submit(d->env.queue, &c->settle.req);
}

bool dispatch_is_active(struct dispatch *d, msg_id id, uint32_t job, const char **source_out, wall_ms *since_out)
{
	struct attempt *attempt = attempt_find(d, id, job);

	if (!attempt)
		return false;
	*source_out = attempt->source;
	*since_out = attempt->since;
	return true;
}
