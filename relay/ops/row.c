/* relay/ops/row.c - one undelivered recipient as the operator sees it: what the store and the scheduler know, joined. */
#include "relay/ops/row.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "relay/ops/fact.h"

const char *row_state_name(enum row_state state)
{
	static const char *const NAMES[ROW_STATES] = {
		[ROW_WAITING] = "waiting", [ROW_ACTIVE] = "active", [ROW_DEFERRED] = "deferred", [ROW_HELD] = "held",
		[ROW_BLOCKED] = "blocked",
	};

	return NAMES[state];
}

wall_ms row_now(const struct ops_env *env)
{
	return env->dispatch ? dispatch_now(env->dispatch) : clock_wall();
}

/* The scheduler's entry: that of the recipient's part of its job. */
static uint32_t entry_of(const struct queue_rcpt *rcpt)
{
	return rcpt->job | job_part(rcpt);
}

static const char *destination_of(const struct row *row, const struct ops_env *env)
{
	const struct conf *conf = env->conf ? env->conf(env->arg) : NULL;
	const struct conf_provider *provider;

	if (row->scheduled && row->view.destination)
		return row->view.destination;
	provider = conf ? conf_provider_by_domain(conf, row->rcpt->domain) : NULL;
	return provider ? provider->name : row->rcpt->domain;
}

/* The scheduler holds, for reasons of its own, what the store has as waiting: a pool that is gone. */
static enum row_state state_of(const struct row *row)
{
	if (row->rcpt->state == RCPT_HELD || (row->scheduled && row->view.state == JOB_HELD))
		return ROW_HELD;
	/* A part of a job is blocked as a whole: what its other recipients heard counts. */
	if (row->scheduled ? row->view.state == JOB_BLOCKED : row->rcpt->state == RCPT_BLOCKED)
		return ROW_BLOCKED;
	return row->rcpt->attempts > 0 ? ROW_DEFERRED : ROW_WAITING;
}

static const char *reason_of(struct row *row)
{
	bool is_moved_by_sched = row->state == ROW_HELD && row->rcpt->state != RCPT_HELD;

	if (row->state == ROW_ACTIVE)
		return "being delivered now";
	if (row->rcpt->reason[0] && !is_moved_by_sched)
		return row->rcpt->reason;
	if (row->scheduled)
		return sched_why_text(is_moved_by_sched ? row->view.reasons & ~(unsigned)WHY_HELD : row->view.reasons, row->text);
	return "";
}

static wall_ms next_of(const struct row *row)
{
	if (row->state == ROW_ACTIVE || row->state == ROW_HELD)
		return 0;
	if (row->scheduled)
		return row->view.due;
	return row->rcpt->next > 0 ? row->rcpt->next : row->message->arrived;
}

void row_fill(struct row *row, const struct ops_env *env, const struct queue_job *job, size_t i, wall_ms now)
{
	const struct queue_rcpt *rcpt = &job->rcpts[i];
	const char *source = NULL;
	char id[MSG_ID_TEXT];

	row->message = &job->message;
	row->rcpt = rcpt;
	(void)snprintf(row->id, sizeof(row->id), "%s.%" PRIu32, msg_id_format(job->message.id, id), rcpt->n);
	row->scheduled = env->sched && sched_find(env->sched, job->message.id, entry_of(rcpt), now, &row->view);
	row->priority = row_priority(env, &job->message);
	row->since = 0;
	row->state = state_of(row);
	if (env->dispatch && dispatch_is_active(env->dispatch, job->message.id, entry_of(rcpt), &source, &row->since))
		row->state = ROW_ACTIVE;
	row->source = source && source[0] ? source : rcpt->source;
	row->destination = destination_of(row, env);
	row->reason = reason_of(row);
	row->next = next_of(row);
}

const char *row_priority(const struct ops_env *env, const struct queue_message *message)
{
	const struct conf *conf = env->conf ? env->conf(env->arg) : NULL;

	return conf_priority_name(conf_priority_of(conf ? conf_tenant_find(conf, message->tenant) : NULL, message->priority));
}

json_t *row_json(const struct row *row)
{
	json_t *o = json_object();

	fact_text(o, "id", row->id);
	fact_text(o, "rcpt", row->rcpt->address);
	fact_text(o, "sender", row->message->sender);
	fact_text(o, "tenant", row->message->tenant);
	fact_text(o, "destination", row->destination);
	fact_text(o, "state", row_state_name(row->state));
	fact_text(o, "reason", row->reason);
	fact_text(o, "priority", row->priority);
	fact_number(o, "attempts", row->rcpt->attempts);
	fact_time(o, "next", row->next);
	fact_time(o, "deadline", row->message->deadline);
	fact_number(o, "size", row->message->size_bytes);
	fact_text(o, "source", row->source);
	fact_text(o, "reply", row->rcpt->reply);
	fact_text(o, "class", row->rcpt->class_name);
	return o;
}

void row_put_sum(json_t *object, const char *key, const struct ledger_sum *sum)
{
	json_t *figures = json_object();

	fact_number(figures, "delivered", sum->delivered);
	fact_number(figures, "deferred", sum->deferred);
	fact_number(figures, "blocked", sum->blocked);
	fact_number(figures, "refused", sum->refused);
	fact_json(object, key, figures);
}

json_t *row_reason_names(unsigned bits)
{
	json_t *names = json_array();

	for (unsigned bit = 1; bit != 0 && bit <= bits; bit <<= 1)
		if (bits & bit)
			must(json_array_append_new(names, json_string(sched_why_name((enum sched_reason)bit))) == 0);
	return names;
}
