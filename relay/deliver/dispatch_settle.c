/* relay/deliver/dispatch_settle.c - from outcomes to the store: what leaves the queue, what waits for how long, which DSN is owed.
 *
 * The scheduler hears of an outcome at once, the log only after the commit: a line is written when its fact is final. */
#include "relay/deliver/dispatch_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define SETTLE_AGAIN_MS 1000 /* pause before an outcome that could not be stored is handed to the writer again */

struct settling {
	struct queue_settle settle;
	struct dispatch *dispatch;
	struct attempt *attempt; /* owned */
	struct bounce *bounce;   /* owned, or NULL */
	struct sched_apart stays; /* when they are tried that stay */
	struct sched_apart apart; /* `mixed`: those that were refused for reasons of ours */
	bool mixed;
	struct settling *next;   /* dispatch.settle_again */
	struct sched_warm warm;  /* the lane's state after it */
	struct queue_settle_item items[];
};

/* --- attempts -------------------------------------------------------------------------------------------------------------- */

static struct job_key job_key(uint64_t id, uint32_t first)
{
	return (struct job_key){.id = id, .first = first};
}

struct attempt *attempt_find(struct dispatch *d, uint64_t id, uint32_t first)
{
	struct job_key key = job_key(id, first);
	struct attempt *attempt;

	HASH_FIND(hh, d->attempts, &key, sizeof(key), attempt);
	return attempt;
}

struct attempt *attempt_create(struct dispatch *d, const struct sched_decision *decision, wall_ms now)
{
	struct attempt *attempt = xcalloc(1, sizeof(*attempt));

	attempt->delivery.id = decision->id;
	attempt->delivery.first = decision->first & ~JOB_PART_BITS;
	attempt->delivery.apart = decision->first & JOB_APART_PART;
	attempt->delivery.queued_ms = now;
	attempt->delivery.limit = decision->warmup ? decision->rcpts : 0;
	attempt->key = job_key(decision->id, decision->first);
	attempt->lane = decision->kind == SCHED_START ? decision->lane : LANE_NONE;
	attempt->since = now;
	attempt->since_mono = clock_mono();
	attempt->destination = xstrdup(decision->destination ? decision->destination : decision->domain);
	attempt->domain = xstrdup(decision->domain);
	attempt->source = xstrdup(decision->source && attempt->lane != LANE_NONE ? decision->source : "");
	HASH_ADD(hh, d->attempts, key, sizeof(attempt->key), attempt);
	return attempt;
}

static void attempt_destroy(struct dispatch *d, struct attempt *attempt)
{
	HASH_DEL(d->attempts, attempt);
	dispatch_host_release(d, attempt);
	free(attempt->delivery.job);
	free(attempt->delivery.outcomes);
	free(attempt->delivery.transcript);
	free(attempt->delivery.notes);
	free(attempt->delivery.tls_notes);
	free(attempt->destination);
	free(attempt->domain);
	free(attempt->source);
	free(attempt);
}

void attempt_end(struct dispatch *d, struct attempt *attempt, wall_ms now)
{
	msg_id id = attempt->key.id;
	bool changed = attempt->changed;

	sched_settled(d->env.sched, id, attempt->key.first, now);
	attempt_destroy(d, attempt);
	if (changed)
		dispatch_adopt(d, id);
}

static const struct sched_apart *stay_of(const struct settling *s, const struct outcome *outcome)
{
	return s->mixed && outcome->barred ? &s->apart : &s->stays;
}

/* --- the log --------------------------------------------------------------------------------------------------------------- */

static void log_outcome(const struct settling *s, size_t i, const char *event)
{
	const struct attempt *attempt = s->attempt;
	const struct delivery *delivery = &attempt->delivery;
	const struct queue_message *message = &delivery->job->message;
	const struct queue_rcpt *rcpt = &delivery->job->rcpts[i];
	const struct outcome *outcome = &delivery->outcomes[i];
	mono_ms began = delivery->started ? delivery->started : delivery->done_at;
	mono_ms connected = delivery->connected ? delivery->connected : began;
	char id[MSG_ID_TEXT];
	struct log_line line;

	log_begin(&line, LOG_INFO, event);
	log_fmt(&line, "id", "%s.%u", msg_id_format(message->id, id), rcpt->n);
	log_str(&line, "tenant", message->tenant);
	log_str(&line, "destination", attempt->destination);
	log_str(&line, "source", attempt->source);
	log_str(&line, "relay", outcome->relay);
	log_str(&line, "reply", outcome->reply);
	if (outcome->class_name)
		log_str(&line, "class", outcome->class_name);
	log_str(&line, "rcpt", rcpt->address);
	log_str(&line, "sender", message->sender);
	log_num(&line, "size", (int64_t)message->size_bytes);
	log_num(&line, "attempt", rcpt->attempts + 1);
	log_str(&line, "stage", stage_name(outcome->stage));
	if (delivery->tls[0] || delivery->in_clear)
		log_str(&line, "tls", delivery->in_clear ? "no" : delivery->tls);
	if (delivery->tls_how[0])
		log_str(&line, "verified", delivery->tls_how);
	log_fmt(&line, "delays", "%.3f/%.3f/%.3f/%.3f", (double)(attempt->since - message->arrived) / 1000,
	    (double)(began - attempt->since_mono) / 1000, (double)(connected - began) / 1000, (double)(delivery->done_at - connected) / 1000);
	if (outcome->kind == OUTCOME_DEFERRED) {
		char next[CLOCK_TEXT];

		log_str(&line, "next", clock_rfc3339(stay_of(s, outcome)->due, next));
	}
	if (outcome->in_doubt)
		log_str(&line, "in_doubt", "yes");
	log_end(&line);
}

static void log_all(const struct settling *s)
{
	static const char *const EVENTS[] = {
	    [OUTCOME_DELIVERED] = "delivered", [OUTCOME_DEFERRED] = "deferred", [OUTCOME_REFUSED] = "bounced",
	};
	const struct queue_job *job = s->attempt->delivery.job;
	const struct outcome *outcomes = s->attempt->delivery.outcomes;

	for (size_t i = 0, n = 0; i < job->rcpt_count; i++) {
		if (outcomes[i].kind == OUTCOME_NONE)
			continue;
		log_outcome(s, i, outcomes[i].kind == OUTCOME_DEFERRED && stay_of(s, &outcomes[i])->blocked ? "blocked" : EVENTS[outcomes[i].kind]);
		if (s->items[n++].told) {
			struct report_rcpt about = report_of(s->attempt, i, s->settle.at);

			report_log(s->dispatch, &job->message, &about);
		}
	}
}

static void count_hops(const struct settling *s)
{
	const struct delivery *delivery = &s->attempt->delivery;
	uint64_t delivered = 0;

	for (size_t i = 0; i < delivery->job->rcpt_count; i++)
		delivered += delivery->outcomes[i].kind == OUTCOME_DELIVERED;
	hops_add(s->dispatch->hops, delivery->in_clear, delivery->tls_how, delivered);
}

const struct hops_counts *dispatch_hops(const struct dispatch *d)
{
	return hops_counts_of(d->hops);
}

/* --- handing to the writer ------------------------------------------------------------------------------------------------- */

static void settled(struct queue_req *req)
{
	struct settling *s = CONTAINER_OF(req, struct settling, settle.req);
	struct dispatch *d = s->dispatch;
	wall_ms now = dispatch_now(d);

	if (req->result != OK && req->result != ERR_NOT_FOUND) {
		if (!d->settle_trouble)
			log_text(LOG_ERROR, "settle-failed", "%s; outcomes are kept in memory and stored as soon as possible", req->why);
		d->settle_trouble = true;
		if (!d->settle_again)
			timer_start(&d->settle_timer, SETTLE_AGAIN_MS);
		s->next = d->settle_again;
		d->settle_again = s;
		return;
	}
	d->settle_trouble = false;
	if (req->result == OK) {
		log_all(s);
		count_hops(s);
	}
	if (s->bounce && req->result == OK)
		dispatch_add_bounce(d, bounce_accept(s->bounce), now);
	bounce_destroy(&s->bounce);
	attempt_end(d, s->attempt, now);
	free(s);
	d->settles_open--;
	dispatch_pump_soon(d);
	dispatch_check_drained(d);
}

void dispatch_settle_retry(void *arg)
{
	struct dispatch *d = arg;
	struct settling *s = d->settle_again;

	d->settle_again = NULL;
	while (s) {
		struct settling *next = s->next;

		/* The lane has gone on since: what is stored last must be what it is now. */
		dispatch_warm_attach(d, s->attempt->lane, &s->warm, &s->settle.warm);
		queue_submit(d->env.queue, &s->settle.req);
		s = next;
	}
}

/* --- from outcomes to rows ------------------------------------------------------------------------------------------------- */

static const char *reason_text(const struct settling *s, const struct outcome *outcome)
{
	if (stay_of(s, outcome)->blocked)
		return outcome->judged && outcome->class == CLASS_REPUTATION_BLOCK
		    ? "refused there for our reputation, not for its recipient; waits until its source is taken again, or for relayq retry"
		    : "refused there for how mail of ours is set up, not for its recipient; waits to be tried again, or for relayq retry";
	return outcome->in_doubt ? "the connection was lost after the message was sent: in doubt" : outcome->reply;
}

static void item_update(struct queue_settle_item *item, const struct settling *s, const struct queue_rcpt *rcpt,
    const struct outcome *outcome, wall_ms now)
{
	const struct sched_apart *stay = stay_of(s, outcome);

	item->op = SETTLE_UPDATE;
	item->rcpt = *rcpt;
	item->rcpt.state = rcpt->state == RCPT_HELD ? RCPT_HELD : stay->blocked ? RCPT_BLOCKED : RCPT_WAITING;
	item->rcpt.moved = stay->moved;
	if (s->mixed)
		item->rcpt.apart = outcome->barred;
	item->rcpt.attempts++;
	item->rcpt.next = stay->due;
	item->rcpt.last_attempt = now;
	item->rcpt.source = s->attempt->source;
	item->rcpt.relay = outcome->relay;
	item->rcpt.reply = outcome->reply;
	item->rcpt.reason = reason_text(s, outcome);
	item->rcpt.class_name = outcome->class_name ? outcome->class_name : "";
	item->rcpt.warned = rcpt->warned || item->told;
}

/* A refusal becomes a dead letter that tells of its last attempt; what expires has had that before. */
static void item_letter(struct queue_settle_item *item, const struct settling *s, const struct queue_rcpt *rcpt,
    const struct outcome *outcome, wall_ms now)
{
	bool expired = s->attempt->expired;

	if (!dispatch_keeps_letters(s->dispatch, s->attempt->delivery.job->message.tenant))
		return;
	if (!expired)
		item_update(item, s, rcpt, outcome, now);
	else
		item->rcpt = *rcpt;
	item->op = SETTLE_BOUNCED;
	item->letter = expired ? LETTER_EXPIRED : LETTER_REFUSED;
	item->rcpt.reason = outcome->reply;
}

static struct settling *settling_create(struct dispatch *d, struct attempt *attempt, size_t items)
{
	struct settling *s = xcalloc(1, sizeof(*s) + items * sizeof(s->items[0]));

	s->dispatch = d;
	s->attempt = attempt;
	s->settle.req.kind = QUEUE_SETTLE;
	s->settle.req.reply_to = loop_mailbox(d->env.loop);
	s->settle.req.done = settled;
	s->settle.id = attempt->key.id;
	s->settle.job = attempt->key.first & ~JOB_HELD_PART;
	s->settle.destination = attempt->destination;
	s->settle.at = dispatch_now(d);
	s->settle.items = s->items;
	return s;
}

static void items_fill(struct settling *s, wall_ms now)
{
	static const enum settle_op OPS[] = {[OUTCOME_DELIVERED] = SETTLE_DELIVERED, [OUTCOME_REFUSED] = SETTLE_BOUNCED};
	const struct delivery *delivery = &s->attempt->delivery;

	for (size_t i = 0; i < delivery->job->rcpt_count; i++) {
		const struct outcome *outcome = &delivery->outcomes[i];
		struct queue_settle_item *item = &s->items[s->settle.item_count];

		if (outcome->kind == OUTCOME_NONE)
			continue;
		s->settle.item_count++;
		item->rcpt.n = delivery->job->rcpts[i].n;
		item->told = report_is_wanted(s->dispatch, s->attempt, i, now);
		s->settle.in_doubt += outcome->in_doubt;
		if (outcome->kind == OUTCOME_DEFERRED)
			item_update(item, s, &delivery->job->rcpts[i], outcome, now);
		else
			item->op = OPS[outcome->kind];
		if (outcome->kind == OUTCOME_REFUSED)
			item_letter(item, s, &delivery->job->rcpts[i], outcome, now);
	}
}

/* How the attempt went, for whoever asks why they are still here. */
static void attach_transcript(struct settling *s)
{
	const struct delivery *delivery = &s->attempt->delivery;
	uint32_t before = 0;

	if (!delivery->transcript)
		return;
	for (size_t i = 0; i < delivery->job->rcpt_count; i++)
		if (delivery->outcomes[i].kind != OUTCOME_NONE && delivery->job->rcpts[i].attempts > before)
			before = delivery->job->rcpts[i].attempts;
	s->settle.trace = delivery->transcript;
	s->settle.attempt = before + 1;
}

/* A connection that was used again has no news: its server is there. */
static enum sched_reach reach_of(const struct delivery *delivery)
{
	enum sched_reach reach = REACH_UNTOLD;

	for (size_t i = 0; i < delivery->note_count; i++) {
		if (delivery->notes[i].news != HOST_DOWN)
			return REACH_ANSWERED;
		reach = REACH_NOBODY;
	}
	return reach;
}

/* Nothing to write: the job was not tried, or is gone from the store. */
static void finish_unwritten(struct dispatch *d, struct attempt *attempt, uint32_t rcpts_left, wall_ms now)
{
	struct sched_result result = {
	    .id = attempt->key.id, .first = attempt->key.first, .lane = attempt->lane, .attempted = false, .rcpts_left = rcpts_left,
	};

	(void)sched_done(d->env.sched, &result, now);
	dispatch_warm_release(d, attempt);
	attempt_end(d, attempt, now);
	dispatch_pump_soon(d);
}

static struct sched_heard heard_by(const struct tally_part *part, wall_ms now)
{
	return (struct sched_heard){
	    .judged = part->verdict, .class = part->verdict ? part->verdict->class : 0, .action = part->verdict ? part->verdict->action : 0,
	    .scope = part->scope, .not_before = part->wait_ms > 0 ? now + part->wait_ms : 0,
	};
}

static struct sched_result result_of(const struct attempt *attempt, const struct tally *tally, wall_ms now)
{
	size_t stay = tally->put_off.count + tally->barred.count;
	struct sched_result result = {
	    .id = attempt->key.id, .first = attempt->key.first, .lane = attempt->lane,
	    /* Recipients left over by a limit of the remote are tried again at once. */
	    .attempted = tally->untouched == 0 || stay > 0,
	    .rcpts_left = (uint32_t)(stay + tally->untouched),
	    .delivered = (uint32_t)tally->delivered, .scope = tally->scope,
	    .not_before = tally->wait_ms > 0 ? now + tally->wait_ms : 0,
	    .reach = reach_of(&attempt->delivery),
	};

	if (tally->verdict) {
		result.judged = true;
		result.class = tally->verdict->class;
		result.action = tally->verdict->action;
		result.barred = tally->barred.count > 0 && tally->put_off.count == 0;
		result.mixed = tally->barred.count > 0 && tally->put_off.count > 0;
	}
	if (result.mixed) {
		result.put_off = heard_by(&tally->put_off, now);
		result.barred_by = heard_by(&tally->barred, now);
	}
	dispatch_warm_count(&attempt->delivery, &result);
	return result;
}

/* The scheduler hears of it, and says what becomes of those that stay. */
static void settling_plan(struct settling *s, const struct tally *tally, wall_ms now)
{
	struct sched *sched = s->dispatch->env.sched;
	struct sched_result result = result_of(s->attempt, tally, now);

	s->stays.due = sched_done(sched, &result, now);
	s->stays.blocked = sched_is_blocked(sched, result.id, result.first);
	s->stays.moved = sched_has_moved(sched, result.id, result.first);
	s->mixed = result.mixed;
	if (!s->mixed)
		return;
	sched_apart(sched, &result, now, &s->apart);
	s->attempt->changed = true; /* in the end the parts are read anew */
}

void dispatch_settle(struct dispatch *d, struct attempt *attempt, wall_ms now)
{
	struct delivery *delivery = &attempt->delivery;
	struct settling *s;
	struct tally tally;
	size_t settled_count;

	if (delivery->load_error == ERR_NOT_FOUND) {
		finish_unwritten(d, attempt, 0, now);
		return;
	}
	if (!delivery->job || !delivery->outcomes) {
		finish_unwritten(d, attempt, RCPTS_AS_BEFORE, now);
		return;
	}
	dispatch_judge(d, attempt);
	dispatch_sender_learn(d, attempt, now);
	suppression_strike(d, attempt, now);
	tally = dispatch_tally(attempt);
	settled_count = tally.delivered + tally.refused + tally.put_off.count + tally.barred.count;
	if (settled_count == 0) {
		finish_unwritten(d, attempt, (uint32_t)tally.untouched, now);
		return;
	}
	s = settling_create(d, attempt, settled_count);
	settling_plan(s, &tally, now);
	dispatch_warm_attach(d, attempt->lane, &s->warm, &s->settle.warm);
	items_fill(s, now);
	attach_transcript(s);
	s->bounce = report_create(d, attempt, now);
	if (s->bounce)
		s->settle.bounce = bounce_accept(s->bounce);
	d->settles_open++;
	dispatch_learned_flush(d);
	queue_submit(d->env.queue, &s->settle.req);
}

/* --- jobs that no connection was opened for --------------------------------------------------------------------------------- */

/* Load the part of the job that the key names; the other part's recipients get no outcome. */
static bool load_unsent(struct dispatch *d, struct attempt *attempt)
{
	struct delivery *delivery = &attempt->delivery;
	struct err_detail why;

	delivery->done_at = clock_mono();
	delivery->load_error = queue_job_load(d->env.reader, delivery->id, delivery->first, &delivery->job, &why);
	if (delivery->load_error != OK) {
		if (delivery->load_error != ERR_NOT_FOUND)
			log_text(LOG_ERROR, "load-failed", "%s", why.text);
		return false;
	}
	delivery->outcomes = xcalloc(delivery->job->rcpt_count, sizeof(delivery->outcomes[0]));
	return true;
}

void dispatch_settle_unsent(struct dispatch *d, const struct sched_decision *decision, const struct outcome *outcome, wall_ms now)
{
	struct attempt *attempt = attempt_create(d, decision, now);

	if (load_unsent(d, attempt))
		for (size_t i = 0; i < attempt->delivery.job->rcpt_count; i++)
			if (attempt_has(attempt, &attempt->delivery.job->rcpts[i]))
				attempt->delivery.outcomes[i] = *outcome;
	dispatch_settle(d, attempt, now);
}

void dispatch_expire(struct dispatch *d, const struct sched_decision *decision, wall_ms now)
{
	struct attempt *attempt = attempt_create(d, decision, now);

	attempt->expired = true;
	if (load_unsent(d, attempt)) {
		for (size_t i = 0; i < attempt->delivery.job->rcpt_count; i++) {
			const struct queue_rcpt *rcpt = &attempt->delivery.job->rcpts[i];
			const char *last = rcpt->reply[0] ? rcpt->reply : rcpt->reason;

			if (attempt_has(attempt, rcpt))
				outcome_make(&attempt->delivery.outcomes[i], OUTCOME_REFUSED, SCOPE_NONE, STAGE_POLICY, "4.4.7", "",
				    "delivery time expired%s%s", last[0] ? "; last: " : "", last);
		}
	}
	dispatch_settle(d, attempt, now);
}
