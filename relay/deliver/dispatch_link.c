/* relay/deliver/dispatch_link.c - the delivery connections as main sees them: opened, used again, kept idle for a while, ended. */
#include "relay/deliver/dispatch_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define PARKED_MS MINUTES(10) /* a source that was not found unusable again for so long is well; and as long as it rests */

/* --- idle links: by lane (to use one again) and by age (to end them) ------------------------------------------------------- */

static void idle_add(struct dispatch *d, struct link *link, wall_ms now)
{
	struct idle_lane *lane;

	HASH_FIND(hh, d->idle_lanes, &link->lane, sizeof(link->lane), lane);
	if (!lane) {
		lane = xcalloc(1, sizeof(*lane));
		lane->lane = link->lane;
		HASH_ADD(hh, d->idle_lanes, lane, sizeof(lane->lane), lane);
	}
	link->state = LINK_IDLE;
	link->idle_since = now;
	link->prev = NULL;
	link->next = lane->head;
	if (lane->head)
		lane->head->prev = link;
	lane->head = link;
	link->older = d->newest_idle;
	link->newer = NULL;
	if (d->newest_idle)
		d->newest_idle->newer = link;
	else
		d->oldest_idle = link;
	d->newest_idle = link;
	if (d->oldest_idle == link)
		timer_start(&d->idle_timer, d->conf->delivery.keepalive_ms);
}

static void idle_remove(struct dispatch *d, struct link *link)
{
	struct idle_lane *lane;

	HASH_FIND(hh, d->idle_lanes, &link->lane, sizeof(link->lane), lane);
	must(lane);
	if (link->prev)
		link->prev->next = link->next;
	else
		lane->head = link->next;
	if (link->next)
		link->next->prev = link->prev;
	if (!lane->head) {
		HASH_DEL(d->idle_lanes, lane);
		free(lane);
	}
	if (link->older)
		link->older->newer = link->newer;
	else
		d->oldest_idle = link->newer;
	if (link->newer)
		link->newer->older = link->older;
	else
		d->newest_idle = link->older;
}

static void link_quit(struct dispatch *d, struct link *link)
{
	if (link->state == LINK_IDLE)
		idle_remove(d, link);
	link->state = LINK_ENDING;
	worker_quit(link->worker, link->number);
}

void dispatch_idle_expired(void *arg)
{
	struct dispatch *d = arg;
	wall_ms now = dispatch_now(d);

	while (d->oldest_idle && d->oldest_idle->idle_since + d->conf->delivery.keepalive_ms <= now)
		link_quit(d, d->oldest_idle);
	if (d->oldest_idle)
		timer_start(&d->idle_timer, d->oldest_idle->idle_since + d->conf->delivery.keepalive_ms - now);
}

void dispatch_quit_idle(struct dispatch *d)
{
	while (d->oldest_idle)
		link_quit(d, d->oldest_idle);
}

/* An idle link of the lane: one with these hosts, else any (*same_out false: it must go so that another can be opened). */
static struct link *idle_find(struct dispatch *d, uint32_t lane_handle, uint64_t route_key, bool *same_out)
{
	struct idle_lane *lane;

	*same_out = false;
	HASH_FIND(hh, d->idle_lanes, &lane_handle, sizeof(lane_handle), lane);
	if (!lane)
		return NULL;
	for (struct link *link = lane->head; link; link = link->next) {
		if (link->route_key == route_key) {
			*same_out = true;
			return link;
		}
	}
	return lane->head;
}

/* --- links ------------------------------------------------------------------------------------------------------------------ */

static struct worker *least_loaded(struct dispatch *d)
{
	struct worker *best = d->env.workers[0];

	for (size_t i = 1; i < d->env.worker_count; i++)
		if (worker_load(d->env.workers[i]) < worker_load(best))
			best = d->env.workers[i];
	return best;
}

static struct link *link_create(struct dispatch *d)
{
	struct link *link = xcalloc(1, sizeof(*link));
	size_t number = d->link_first_free;

	while (number < d->link_slots && d->links[number])
		number++;
	if (number == d->link_slots) {
		size_t slots = d->link_slots ? 2 * d->link_slots : 64;

		d->links = xrealloc(d->links, slots * sizeof(d->links[0]));
		memset(d->links + d->link_slots, 0, (slots - d->link_slots) * sizeof(d->links[0]));
		d->link_slots = slots;
	}
	link->number = (uint32_t)number;
	d->links[number] = link;
	d->link_first_free = number + 1;
	d->link_count++;
	return link;
}

static void link_destroy(struct dispatch *d, struct link *link)
{
	d->links[link->number] = NULL;
	if (link->number < d->link_first_free)
		d->link_first_free = link->number;
	d->link_count--;
	free(link);
}

void dispatch_links_fini(struct dispatch *d)
{
	struct idle_lane *lane, *tmp;

	for (size_t i = 0; i < d->link_slots; i++)
		if (d->links[i])
			link_destroy(d, d->links[i]);
	free(d->links);
	HASH_ITER(hh, d->idle_lanes, lane, tmp) {
		HASH_DEL(d->idle_lanes, lane);
		free(lane);
	}
}

/* --- starting ---------------------------------------------------------------------------------------------------------------- */

static void link_open(struct dispatch *d, struct link *link, struct attempt *attempt, uint32_t messages)
{
	const struct conf_source *source = conf_source_find(d->conf, attempt->source);
	struct session_target target = {
	    .number = link->number, .destination = attempt->destination, .source = attempt->source, .local = source->ip,
	    .ehlo = source->ehlo, .route = attempt->way, .conf = d->conf, .tls = d->tls,
	};

	link->state = LINK_BUSY;
	link->worker = least_loaded(d);
	link->lane = attempt->lane;
	link->route_key = attempt->way->key;
	link->messages_left = messages;
	link->attempt = attempt;
	attempt->delivery.session = link->number;
	worker_open(link->worker, &target, &attempt->delivery);
}

static void link_reuse(struct link *link, struct attempt *attempt)
{
	link->state = LINK_BUSY;
	link->attempt = attempt;
	attempt->delivery.session = link->number;
	worker_next(link->worker, link->number, &attempt->delivery);
}

static void give_back(struct dispatch *d, struct attempt *attempt, wall_ms now)
{
	uint32_t lane = attempt->lane;

	attempt->delivery.attempted = false;
	dispatch_settle(d, attempt, now);
	if (lane != LANE_NONE)
		sched_release_connection(d->env.sched, lane, now);
}

/* The claim (if any) is in the store: put the job on an idle connection of its lane, or open one. */
static void launch(struct dispatch *d, struct attempt *attempt, uint32_t messages, wall_ms now)
{
	struct route *route = dispatch_route(d, attempt->domain);
	struct link *link;
	bool same;

	if (!route || d->draining || !conf_source_find(d->conf, attempt->source)) {
		give_back(d, attempt, now);
		return;
	}
	link = idle_find(d, attempt->lane, route->key, &same);
	if (link && same) {
		dispatch_host_release(d, attempt);
		idle_remove(d, link);
		link_reuse(link, attempt);
		return;
	}
	if (!dispatch_host_way(d, attempt, now)) {
		give_back(d, attempt, now);
		return;
	}
	if (link)
		link_quit(d, link);
	link_open(d, link_create(d), attempt, messages);
}

/* --- claims: a lane with a warm-up budget commits one before MAIL ------------------------------------------------------------- */

struct claiming {
	struct queue_claim claim;
	struct dispatch *dispatch;
	struct attempt *attempt;
	struct link *link; /* to go on with, or NULL: launch */
	uint32_t messages;
	struct sched_warm warm;
};

static void claim_done(struct queue_req *req)
{
	struct claiming *c = CONTAINER_OF(req, struct claiming, claim.req);
	struct dispatch *d = c->dispatch;
	wall_ms now = dispatch_now(d);

	d->settles_open--;
	if (req->result != OK) {
		if (req->result != ERR_NOT_FOUND)
			log_text(LOG_WARN, "claim-failed", "%s", req->why);
		if (c->link) {
			c->link->attempt = NULL;
			if (c->link->ended)
				link_destroy(d, c->link);
			else
				link_quit(d, c->link);
		}
		give_back(d, c->attempt, now);
	} else if (c->link) {
		link_reuse(c->link, c->attempt);
	} else {
		launch(d, c->attempt, c->messages, now);
	}
	free(c);
	dispatch_check_drained(d);
}

static void claim(struct dispatch *d, struct attempt *attempt, const struct sched_decision *decision, struct link *link, wall_ms now)
{
	struct claiming *c = xcalloc(1, sizeof(*c));

	c->claim.req.kind = QUEUE_CLAIM;
	c->claim.req.reply_to = loop_mailbox(d->env.loop);
	c->claim.req.done = claim_done;
	c->claim.id = decision->id;
	c->claim.job = decision->first;
	c->claim.rcpts = decision->rcpts;
	c->claim.at = now;
	c->claim.source = attempt->source;
	c->claim.destination = attempt->destination;
	dispatch_warm_attach(d, attempt->lane, &c->warm, &c->claim.warm);
	c->dispatch = d;
	c->attempt = attempt;
	c->link = link;
	c->messages = decision->messages_left;
	if (link) {
		link->state = LINK_BUSY;
		link->attempt = attempt;
	}
	d->settles_open++;
	queue_submit(d->env.queue, &c->claim.req);
}

void dispatch_start(struct dispatch *d, const struct sched_decision *decision, wall_ms now)
{
	const struct route *route = dispatch_route(d, decision->domain);
	struct attempt *attempt;
	bool same = false;

	if (dispatch_sender_waits(d, decision, now)) {
		sched_release_connection(d->env.sched, decision->lane, now);
		return;
	}
	if (route)
		(void)idle_find(d, decision->lane, route->key, &same);
	if (!same && dispatch_host_waits(d, decision, now)) {
		sched_release_connection(d->env.sched, decision->lane, now);
		return;
	}
	attempt = attempt_create(d, decision, now);
	if (decision->warmup)
		claim(d, attempt, decision, NULL, now);
	else
		launch(d, attempt, decision->messages_left, now);
}

/* --- what workers report ------------------------------------------------------------------------------------------------------- */

#define PUT_OFF_MAX 16 /* jobs without a turn that one connection is offered in a row */

static void next_for(struct dispatch *d, const struct link *link, const char *domain, wall_ms now, struct sched_decision *out)
{
	for (unsigned i = 0; i < PUT_OFF_MAX; i++) {
		sched_next_on(d->env.sched, link->lane, domain, now, out);
		if (out->kind != SCHED_START || !dispatch_sender_waits(d, out, now))
			return;
	}
	out->kind = SCHED_NOTHING;
}

/* The connection stands ready: the next job with the same hosts, else idle for a while. */
static void link_continue(struct dispatch *d, struct link *link, const char *domain, wall_ms now)
{
	struct sched_decision decision;

	if (link->messages_left > 0)
		link->messages_left--;
	if (link->messages_left == 0 || d->draining) {
		sched_release_connection(d->env.sched, link->lane, now);
		link_quit(d, link);
		return;
	}
	next_for(d, link, domain, now, &decision);
	if (decision.kind != SCHED_START) {
		sched_release_connection(d->env.sched, link->lane, now);
		idle_add(d, link, now);
		return;
	}
	struct attempt *attempt = attempt_create(d, &decision, now);

	if (decision.warmup)
		claim(d, attempt, &decision, link, now);
	else
		link_reuse(link, attempt);
}

static void ignore_shut(void *arg, const char *destination, enum sched_reason reason, const char *words, wall_ms until)
{
	(void)arg;
	(void)destination;
	(void)reason;
	(void)words;
	(void)until;
}

static bool is_parked(const struct dispatch *d, const char *source, wall_ms now)
{
	struct sched_source_view view;

	return sched_source_read(d->env.sched, source, now, &view, ignore_shut, NULL) && view.parked_until > now;
}

/* The mail is not to blame: it is given back as if it had not been tried, and waits or takes another source. */
static void park_source(struct dispatch *d, struct attempt *attempt, wall_ms now)
{
	struct delivery *delivery = &attempt->delivery;

	/* Attempts that were under way together are one fact. */
	if (!is_parked(d, attempt->source, now))
		log_text(LOG_ERROR, "source-parked", "%s; its mail waits or takes another source", delivery->source_trouble);
	sched_park_source(d->env.sched, attempt->source, now + d->conf->delivery.park_ms, delivery->source_trouble);
	dispatch_alert_raise(d, ALERT_SOURCE, now + d->conf->delivery.park_ms + PARKED_MS, attempt->source, "%s", delivery->source_trouble);
	delivery->attempted = false;
	if (delivery->job && delivery->outcomes)
		memset(delivery->outcomes, 0, delivery->job->rcpt_count * sizeof(delivery->outcomes[0]));
}

void dispatch_delivered(struct dispatch *d, struct delivery *delivery)
{
	struct attempt *attempt = CONTAINER_OF(delivery, struct attempt, delivery);
	struct link *link = d->links[delivery->session];
	wall_ms now = dispatch_now(d);
	bool reusable = delivery->reusable;
	char *domain = reusable ? xstrdup(attempt->domain) : NULL;

	must(link && link->attempt == attempt);
	link->attempt = NULL;
	dispatch_host_learn(d, attempt, now);
	dispatch_tls_notes(d, attempt);
	if (delivery->source_fails)
		park_source(d, attempt, now);
	dispatch_settle(d, attempt, now);
	if (link->ended) {
		sched_release_connection(d->env.sched, link->lane, now);
		link_destroy(d, link);
		dispatch_check_drained(d);
	} else if (reusable) {
		link_continue(d, link, domain, now);
	} else {
		link->state = LINK_ENDING;
		sched_release_connection(d->env.sched, link->lane, now);
	}
	free(domain);
	dispatch_pump_soon(d);
}

void dispatch_session_end(struct dispatch *d, uint32_t number)
{
	struct link *link = d->links[number];

	must(link);
	if (link->attempt) { /* it ended while a job was on its way to it: the report of that job follows */
		link->ended = true;
		return;
	}
	if (link->state == LINK_IDLE)
		idle_remove(d, link);
	link_destroy(d, link);
	dispatch_pump_soon(d);
	dispatch_check_drained(d);
}
