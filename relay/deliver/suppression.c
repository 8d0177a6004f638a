/* relay/deliver/suppression.c - refusals of addresses as unknown go to the store, and what counts no more there is taken away.
 *
 * Only what a server says of the address itself counts, never a refusal for reasons of ours. Counting rides along with the outcomes and
 * costs no commit of its own; a count that is lost with the daemon is counted at the next refusal. */
#include "relay/deliver/dispatch_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "queue/suppress.h"

#define SWEEP_EVERY_MS MINUTES(1)
#define SWEEP_ROWS     2000 /* looked at in one turn */
#define SWEEP_MAX      200  /* of them that are taken away */

struct suppression {
	struct dispatch *dispatch;
	struct timer sweep_timer;
	struct suppress_cursor cursor;
};

/* A request with its texts behind its items: one block. */
struct suppressing {
	struct queue_suppress request;
	struct dispatch *dispatch;
	struct queue_suppress_item items[];
};

static void log_suppressed(const struct queue_suppress_item *item, wall_ms now)
{
	struct log_line line;
	char until[CLOCK_TEXT];

	log_begin(&line, LOG_INFO, "address-suppressed");
	log_str(&line, "rcpt", item->address);
	log_str(&line, "tenant", item->tenant[0] ? item->tenant : NULL);
	log_str(&line, "until", clock_rfc3339(now + item->keep_ms, until));
	log_str(&line, "reason", item->reason);
	log_end(&line);
}

static void on_done(struct queue_req *req)
{
	struct suppressing *s = CONTAINER_OF(req, struct suppressing, request.req);
	struct dispatch *d = s->dispatch;

	if (req->result != OK)
		log_text(LOG_WARN, "suppression-failed", "%s", req->why);
	for (size_t i = 0; i < s->request.item_count && req->result == OK; i++)
		if (s->items[i].changed && s->items[i].op == SUPPRESS_STRIKE)
			log_suppressed(&s->items[i], s->request.now);
	free(s);
	d->settles_open--;
	dispatch_check_drained(d);
}

static void submit(struct dispatch *d, struct suppressing *s)
{
	s->dispatch = d;
	s->request.req.kind = QUEUE_SUPPRESS;
	s->request.req.reply_to = loop_mailbox(d->env.loop);
	s->request.req.done = on_done;
	s->request.items = s->items;
	d->settles_open++;
	queue_submit(d->env.queue, &s->request.req);
}

static const char *copy_to(char **at, const char *text)
{
	const char *copy = *at;

	*at = stpcpy(*at, text) + 1;
	return copy;
}

/* --- refusals --------------------------------------------------------------------------------------------------------------- */

/* A refusal behind RCPT is about one of several recipients, and does not say which. */
static bool is_strike(const struct delivery *delivery, size_t i)
{
	const struct outcome *outcome = &delivery->outcomes[i];

	if (outcome->kind != OUTCOME_REFUSED || !outcome->judged || outcome->code / 100 != 5)
		return false;
	if (outcome->stage != STAGE_RCPT && delivery->job->rcpt_count > 1)
		return false;
	return outcome->class == CLASS_BAD_MAILBOX || (outcome->class == CLASS_MAILBOX_INACTIVE && outcome->action == ACTION_SUPPRESS);
}

/* The tenant whose row it is: "" for all. */
static const char *row_tenant(const struct conf *conf, const char *name)
{
	const struct conf_tenant *tenant = conf_tenant_find(conf, name);
	enum conf_scope scope = tenant && tenant->suppression_scope != SUPPRESS_UNSET ? tenant->suppression_scope : conf->suppression.scope;

	return scope == SUPPRESS_ALL ? "" : name;
}

void suppression_strike(struct dispatch *d, const struct attempt *attempt, wall_ms now)
{
	const struct conf_suppression *rule = &d->conf->suppression;
	const struct delivery *delivery = &attempt->delivery;
	const char *tenant = row_tenant(d->conf, delivery->job->message.tenant);
	size_t count = 0, bytes = strlen(tenant) + 1;
	struct suppressing *s;
	char *at;

	/* Reports go to whoever a message names as its sender. */
	if (rule->bounces == 0 || (delivery->job->message.flags & MSG_BOUNCE))
		return;
	for (size_t i = 0; i < delivery->job->rcpt_count && count < SUPPRESS_ITEMS_MAX; i++) {
		if (!is_strike(delivery, i))
			continue;
		count++;
		bytes += strlen(delivery->job->rcpts[i].address) + strlen(delivery->outcomes[i].reply) + 2;
	}
	if (count == 0)
		return;
	s = xcalloc(1, sizeof(*s) + count * sizeof(s->items[0]) + bytes);
	at = (char *)&s->items[count];
	tenant = copy_to(&at, tenant);
	for (size_t i = 0; s->request.item_count < count; i++) {
		if (!is_strike(delivery, i))
			continue;
		s->items[s->request.item_count++] = (struct queue_suppress_item){
		    .op = SUPPRESS_STRIKE, .tenant = tenant, .address = copy_to(&at, delivery->job->rcpts[i].address),
		    .reason = copy_to(&at, delivery->outcomes[i].reply), .bounces = rule->bounces, .within_ms = rule->within_ms,
		    .keep_ms = rule->keep_ms,
		};
	}
	s->request.now = now;
	submit(d, s);
}

/* --- what counts no more ---------------------------------------------------------------------------------------------------- */

struct sweeping {
	struct suppressing *s;
	char *at;
	wall_ms now;
	int64_t within_ms;
};

static void sweep_entry(void *arg, const struct suppress_entry *entry)
{
	struct sweeping *sweeping = arg;
	struct suppressing *s = sweeping->s;

	if (s->request.item_count == SWEEP_MAX || suppress_counts(entry, sweeping->now, sweeping->within_ms))
		return;
	s->items[s->request.item_count++] = (struct queue_suppress_item){
	    .op = SUPPRESS_EXPIRE, .tenant = copy_to(&sweeping->at, entry->tenant), .address = copy_to(&sweeping->at, entry->address),
	    .within_ms = sweeping->within_ms,
	};
}

static void on_sweep(void *arg)
{
	struct suppression *own = arg;
	struct dispatch *d = own->dispatch;
	struct suppressing *s = xcalloc(1, sizeof(*s) + SWEEP_MAX * (sizeof(s->items[0]) + SUPPRESS_KEY_MAX + 2));
	struct sweeping sweeping = {
	    .s = s, .at = (char *)&s->items[SWEEP_MAX], .now = dispatch_now(d), .within_ms = d->conf->suppression.within_ms,
	};
	struct err_detail why;

	timer_start(&own->sweep_timer, SWEEP_EVERY_MS);
	s->request.now = sweeping.now;
	if (queue_suppress_walk(d->env.reader, &own->cursor, SWEEP_ROWS, sweep_entry, &sweeping, &why) != OK || own->cursor.end)
		own->cursor = (struct suppress_cursor){.end = false};
	if (s->request.item_count > 0 && !d->draining)
		submit(d, s);
	else
		free(s);
}

struct suppression *suppression_create(struct dispatch *d)
{
	struct suppression *own = xcalloc(1, sizeof(*own));

	own->dispatch = d;
	timer_init(&own->sweep_timer, d->env.loop, on_sweep, own);
	timer_start(&own->sweep_timer, SWEEP_EVERY_MS);
	return own;
}

void suppression_destroy(struct suppression **own)
{
	if (!*own)
		return;
	timer_fini(&(*own)->sweep_timer);
	free(*own);
	*own = NULL;
}
