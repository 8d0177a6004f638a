/* relay/deliver/dispatch_warm.c - warm-up between scheduler and store: states at start, with claims and settles, and by the operator's word. */
#include "relay/deliver/dispatch_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/deliver/lane_news.h"

static enum lane_news news_of(const struct outcome *outcome)
{
	if (outcome->of_sender)
		return NEWS_DEFERRED;
	return lane_news_of(outcome->class_name, outcome->code >= 500);
}

void dispatch_warm_count(const struct delivery *delivery, struct sched_result *result)
{
	uint32_t *counts[] = { [NEWS_DEFERRED] = &result->deferred, [NEWS_THROTTLED] = &result->throttled,
		[NEWS_BLOCKED] = &result->blocked, [NEWS_UNKNOWN] = &result->unknown, [NEWS_REFUSED] = &result->refused };

	for (size_t i = 0; i < delivery->job->rcpt_count; i++) {
		const struct outcome *outcome = &delivery->outcomes[i];

		if (outcome->kind == OUTCOME_NONE || outcome->kind == OUTCOME_DELIVERED)
			continue;
		/* Nobody was spoken to about this mail: it does not count against the budget. */
		if (outcome->code == 0 && outcome->stage < STAGE_MAIL)
			continue;
		(*counts[news_of(outcome)])++;
		result->early += outcome->stage < STAGE_MAIL;
	}
}

void dispatch_warm_attach(struct dispatch *d, uint32_t lane, struct sched_warm *state, struct queue_warm *out)
{
	if (lane == LANE_NONE || !sched_warm_state(d->env.sched, lane, state))
		return;
	*out = (struct queue_warm){ .key = state->key, .data = state->data, .len = state->len };
}

/* --- at start ------------------------------------------------------------------------------------------------------------- */

static void restore(void *arg, const char *key, const void *data, size_t len)
{
	struct dispatch *d = arg;
	enum err e = sched_warm_restore(d->env.sched, key, data, len);

	if (e != OK && e != ERR_EXISTS)
		log_text(LOG_ERROR, "warmup-lost", "the state of \"%s\" cannot be read (%s); its warm-up begins anew", key, err_name(e));
}

enum err dispatch_warm_restore(struct dispatch *d, struct err_detail *why)
{
	return queue_warm_read(d->env.reader, restore, d, why);
}

/* --- the operator ----------------------------------------------------------------------------------------------------------- */

struct storing {
	struct queue_warm_put put;
	struct sched_warm state;
};

static void stored(struct queue_req *req)
{
	struct storing *s = CONTAINER_OF(req, struct storing, put.req);

	if (req->result != OK)
		log_text(LOG_ERROR, "warmup-unstored", "the change of \"%s\" holds until the next start only: %s", s->state.key, req->why);
	free(s);
}

static void store(void *arg, const struct sched_warm *state)
{
	struct dispatch *d = arg;
	struct storing *s = xcalloc(1, sizeof(*s));

	s->state = *state;
	s->put.req.kind = QUEUE_WARM_PUT;
	s->put.req.reply_to = loop_mailbox(d->env.loop);
	s->put.req.done = stored;
	s->put.warm = (struct queue_warm){ .key = s->state.key, .data = s->state.data, .len = s->state.len };
	queue_submit(d->env.queue, &s->put.req);
}

/* A claim that came to nothing. */
struct releasing {
	struct queue_settle settle;
	struct dispatch *dispatch;
	struct sched_warm state;
};

static void released(struct queue_req *req)
{
	struct releasing *r = CONTAINER_OF(req, struct releasing, settle.req);
	struct dispatch *d = r->dispatch;

	d->settles_open--;
	free(r);
	dispatch_check_drained(d);
}

void dispatch_warm_release(struct dispatch *d, const struct attempt *attempt)
{
	struct releasing *r = xcalloc(1, sizeof(*r));

	dispatch_warm_attach(d, attempt->lane, &r->state, &r->settle.warm);
	if (!r->settle.warm.key || attempt->delivery.load_error == ERR_NOT_FOUND) {
		/* With a message that is gone its claims have gone. */
		if (r->settle.warm.key)
			store(d, &r->state);
		free(r);
		return;
	}
	r->dispatch = d;
	r->settle.req.kind = QUEUE_SETTLE;
	r->settle.req.reply_to = loop_mailbox(d->env.loop);
	r->settle.req.done = released;
	r->settle.id = attempt->key.id;
	r->settle.job = attempt->key.first;
	r->settle.untried = true;
	d->settles_open++;
	queue_submit(d->env.queue, &r->settle.req);
}

void dispatch_warm_records(struct dispatch *d)
{
	sched_warm_records(d->env.sched, store, d);
}

uint32_t dispatch_warm_change(struct dispatch *d, enum sched_warm_verb verb, const char *source, const char *destination,
    uint32_t volume)
{
	uint32_t changed = sched_warm_change(d->env.sched, verb, source, destination, volume, dispatch_now(d), store, d);

	dispatch_pump_soon(d);
	return changed;
}
