/* relay/deliver/dispatch_report.c - whom the sender is told of: failures, delays, and what was handed on (RFC 3461 section 5.2). */
#include "relay/deliver/dispatch_int.h"

#include <stdlib.h>

#include "base/log.h"

static bool wants(const struct queue_rcpt *rcpt, enum rcpt_notify what, bool by_default)
{
	return rcpt->notify ? rcpt->notify & what : by_default;
}

bool report_wants_failure(const struct queue_rcpt *rcpt)
{
	return wants(rcpt, NOTIFY_FAILURE, true);
}

/* When it could first have been tried: the sender may have put it off (RFC 4865). */
static wall_ms began(const struct dispatch *d, const struct queue_message *message)
{
	const struct conf_tenant *tenant = conf_tenant_find(d->conf, message->tenant);
	wall_ms start = message->deadline - conf_expire_ms(d->conf, tenant, message->priority);

	return start > message->arrived ? start : message->arrived;
}

/* Nobody is told of a report of ours, so nothing needs to be noted for it. */
bool report_is_late(const struct dispatch *d, const struct queue_message *message, const struct queue_rcpt *rcpt, wall_ms now)
{
	return d->conf->retry.warnings && !rcpt->warned && message->sender[0] != '\0' && !(message->flags & MSG_BOUNCE) &&
	    now - began(d, message) >= d->conf->retry.warn_ms && wants(rcpt, NOTIFY_DELAY, true);
}

bool report_is_wanted(const struct dispatch *d, const struct attempt *attempt, size_t i, wall_ms now)
{
	const struct delivery *delivery = &attempt->delivery;
	const struct queue_rcpt *rcpt = &delivery->job->rcpts[i];

	switch (delivery->outcomes[i].kind) {
	case OUTCOME_DELIVERED:
		return !delivery->passes_dsn && wants(rcpt, NOTIFY_SUCCESS, false);
	case OUTCOME_REFUSED:
		return report_wants_failure(rcpt);
	case OUTCOME_DEFERRED:
		return report_is_late(d, &delivery->job->message, rcpt, now);
	case OUTCOME_NONE:
		break;
	}
	return false;
}

/* An expired recipient is told what the last attempt heard: those words stand in its row. */
static struct report_rcpt report_expired(const struct queue_rcpt *rcpt, const struct outcome *outcome)
{
	bool tried = rcpt->reply[0] != '\0';

	return (struct report_rcpt){
	    .kind = REPORT_EXPIRED,
	    .address = rcpt->address,
	    .status = outcome->enhanced,
	    .code = tried ? (int)strtol(rcpt->reply, NULL, 10) : 0,
	    .reply = tried ? rcpt->reply : outcome->reply,
	    .relay = rcpt->relay,
	    .last_attempt = rcpt->last_attempt,
	    .orcpt = rcpt->orcpt,
	};
}

/* What is known of one that waits stands in its row too; it may never have been tried. */
static struct report_rcpt report_waiting(const struct queue_message *message, const struct queue_rcpt *rcpt)
{
	bool tried = rcpt->reply[0] != '\0';

	return (struct report_rcpt){
	    .kind = REPORT_DELAYED,
	    .address = rcpt->address,
	    .status = "",
	    .code = tried ? (int)strtol(rcpt->reply, NULL, 10) : 0,
	    .reply = tried ? rcpt->reply : "the message waits for its turn",
	    .relay = rcpt->relay,
	    .last_attempt = rcpt->last_attempt,
	    .will_retry_until = message->deadline,
	    .orcpt = rcpt->orcpt,
	};
}

struct report_rcpt report_of(const struct attempt *attempt, size_t i, wall_ms now)
{
	static const enum report_kind KINDS[] = {
	    [OUTCOME_DELIVERED] = REPORT_RELAYED, [OUTCOME_REFUSED] = REPORT_FAILED, [OUTCOME_DEFERRED] = REPORT_DELAYED,
	};
	const struct queue_job *job = attempt->delivery.job;
	const struct outcome *outcome = &attempt->delivery.outcomes[i];

	if (attempt->late)
		return report_waiting(&job->message, &job->rcpts[i]);
	if (attempt->expired)
		return report_expired(&job->rcpts[i], outcome);
	return (struct report_rcpt){
	    .kind = KINDS[outcome->kind],
	    .address = job->rcpts[i].address,
	    .status = outcome->enhanced,
	    .code = outcome->code,
	    .reply = outcome->reply,
	    .relay = outcome->relay,
	    .last_attempt = now,
	    .will_retry_until = outcome->kind == OUTCOME_DEFERRED ? job->message.deadline : 0,
	    .orcpt = job->rcpts[i].orcpt,
	};
}

struct bounce *report_create(struct dispatch *d, const struct attempt *attempt, wall_ms now)
{
	const struct queue_job *job = attempt->delivery.job;
	struct report_rcpt *rcpts = xcalloc(job->rcpt_count, sizeof(*rcpts));
	struct bounce *bounce;
	size_t count = 0;

	for (size_t i = 0; i < job->rcpt_count; i++)
		if (report_is_wanted(d, attempt, i, now))
			rcpts[count++] = report_of(attempt, i, now);
	bounce = bounce_create(d->env.queue, d->env.reader, d->conf, job, rcpts, count, now);
	free(rcpts);
	return bounce;
}

void report_log(const struct dispatch *d, const struct queue_message *message, const struct report_rcpt *about)
{
	static const char *const KINDS[] = {
	    [REPORT_FAILED] = "failed", [REPORT_EXPIRED] = "expired", [REPORT_DELAYED] = "delayed", [REPORT_RELAYED] = "relayed",
	};
	const struct conf_tenant *tenant = conf_tenant_find(d->conf, message->tenant);
	struct log_line line;
	char id[MSG_ID_TEXT];

	if (!tenant || tenant->bounces != BOUNCES_EVENT || message->sender[0] == '\0' || (message->flags & MSG_BOUNCE))
		return;
	log_begin(&line, LOG_INFO, "report");
	log_str(&line, "id", msg_id_format(message->id, id));
	log_str(&line, "tenant", message->tenant);
	log_str(&line, "sender", message->sender);
	log_str(&line, "rcpt", about->address);
	log_str(&line, "action", KINDS[about->kind]);
	log_str(&line, "status", about->status);
	log_str(&line, "reply", about->reply);
	log_str(&line, "relay", about->relay);
	if (message->envid[0])
		log_str(&line, "envid", message->envid);
	log_end(&line);
}
