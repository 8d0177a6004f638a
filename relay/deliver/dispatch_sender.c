/* relay/deliver/dispatch_sender.c - a destination that throttles a sender's domain slows that domain's mail there, and nobody else's. */
#include "relay/deliver/dispatch_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/deliver/senders.h"

#define PREFIX "sender/" /* destination, newline, domain */

struct storing {
	struct queue_note_put put;
	struct dispatch *dispatch;
	uint8_t data[SENDERS_ROW];
	char name[];
};

static const char *domain_of(const char *sender)
{
	const char *at = strrchr(sender, '@');

	return at != NULL ? at + 1 : "";
}

static void stored(struct queue_req *req)
{
	struct storing *s = CONTAINER_OF(req, struct storing, put.req);
	struct dispatch *d = s->dispatch;

	d->settles_open--;
	if (req->result != OK)
		log_text(LOG_WARN, "learned-unstored", "the limit of a sender's domain holds until the next start only: %s", req->why);
	free(s);
	dispatch_check_drained(d);
}

static void store(struct dispatch *d, const char *destination, const char *domain)
{
	size_t size = sizeof(PREFIX) + strlen(destination) + 1 + strlen(domain) + 1;
	struct storing *s;

	if (size > QUEUE_NOTE_NAME) /* a set of hosts with endless names: learnt anew after a restart */
		return;
	s = xcalloc(1, sizeof(*s) + size);
	s->dispatch = d;
	(void)snprintf(s->name, size, PREFIX "%s\n%s", destination, domain);
	s->put.req.kind = QUEUE_NOTE_PUT;
	s->put.req.reply_to = loop_mailbox(d->env.loop);
	s->put.req.done = stored;
	s->put.name = s->name;
	s->put.data = s->data;
	s->put.len = senders_encode(d->senders, destination, domain, s->data);
	d->settles_open++;
	queue_submit(d->env.queue, &s->put.req);
}

void dispatch_sender_learn(struct dispatch *d, const struct attempt *attempt, wall_ms now)
{
	const struct delivery *delivery = &attempt->delivery;
	const char *domain = domain_of(delivery->job->message.sender);
	bool changed = false;

	if (domain[0] == '\0')
		return;
	for (size_t i = 0; i < delivery->job->rcpt_count; i++) {
		const struct outcome *outcome = &delivery->outcomes[i];

		if (outcome->kind == OUTCOME_DEFERRED && outcome->of_sender) {
			if (senders_throttled(d->senders, attempt->destination, domain, outcome->wait_ms, now)) {
				changed = true;
				log_text(LOG_WARN, "sender-slowed", "%s wants less mail of %s: its mail there waits, then goes one by one",
				    attempt->destination, domain);
			}
		} else if (outcome->kind == OUTCOME_DELIVERED && senders_delivered(d->senders, attempt->destination, domain)) {
			changed = true;
			log_text(LOG_INFO, "sender-free", "%s takes the mail of %s as before", attempt->destination, domain);
		}
	}
	if (changed)
		store(d, attempt->destination, domain);
}

bool dispatch_sender_waits(struct dispatch *d, const struct sched_decision *decision, wall_ms now)
{
	struct queue_job *job;
	wall_ms turn;

	if (!senders_any(d->senders, decision->destination) ||
	    queue_job_load(d->env.reader, decision->id, decision->first & ~JOB_PART_BITS, &job, NULL) != OK)
		return false;
	turn = senders_turn(d->senders, decision->destination, domain_of(job->message.sender), now);
	free(job);
	if (turn == 0)
		return false;
	sched_put_off(d->env.sched, decision->id, decision->first, turn, now);
	return true;
}

static void restore(void *arg, const char *name, const void *data, size_t len)
{
	struct dispatch *d = arg;
	char destination[QUEUE_NOTE_NAME + 1];
	const char *rest = name + strlen(PREFIX), *line = strchr(rest, '\n');

	if (line == NULL)
		return;
	(void)snprintf(destination, sizeof(destination), "%.*s", (int)(line - rest), rest);
	if (senders_restore(d->senders, destination, line + 1, data, len, dispatch_now(d)) != OK)
		log_text(LOG_WARN, "learned-lost", "the limit of %s at %s cannot be read; it is learnt anew", line + 1, destination);
}

void dispatch_sender_restore(struct dispatch *d)
{
	struct err_detail why;

	if (queue_notes_read(d->env.reader, PREFIX, restore, d, &why) != OK)
		log_text(LOG_ERROR, "learned-lost", "limits of sender domains cannot be read: %s", why.text);
}
