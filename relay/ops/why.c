/* relay/ops/why.c - the verb why: all reasons why something waits, and when it is asked again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/deliver/route.h"
#include "relay/deliver/trust.h"
#include "relay/intake/usage.h"
#include "relay/ops/choice.h"
#include "relay/ops/fact.h"
#include "relay/ops/rule.h"
#include "relay/wire/address.h"

#define SLICE_MESSAGES 500

struct why {
	struct task task;
	const char *name; /* borrowed from the arguments */
	bool walking;     /* without a daemon: counting what the store knows of the name */
	struct queue_cursor cursor;
	uint64_t states[ROW_STATES], total;
	wall_ms now;
	bool known, asking;       /* the name is of something; its route was not known and is looked up */
	struct dispatch_ask *ask; /* under way */
	char *failure;            /* why there is no route; NULL: there is one, or nobody asked */
};

static bool why_start(struct task *task)
{
	struct why *why = (struct why *)task;

	why->name = task_text(task, "name");
	why->now = row_now(task->env);
	if (why->name)
		return true;
	(void)task_end(task, OPS_USAGE, "why what? expected an ID, a destination, a tenant or a source");
	return false;
}

/* --- a message or recipient ------------------------------------------------------------------------------------------------- */

static void emit_row(struct task *task, const struct row *row)
{
	unsigned bits = row->scheduled ? row->view.reasons : 0;
	char text[SCHED_WHY_TEXT];
	json_t *o = row_json(row);

	fact_json(o, "reasons", row_reason_names(bits));
	if (row->scheduled)
		fact_text(o, "why", sched_why_text(bits, text));
	else
		fact_text(o, "why", task->env->sched ? "it is being read back or written" : "no daemon is running");
	fact_time(o, "ask_again", row->scheduled ? row->view.ask_again : 0);
	fact_text(o, "relay", row->rcpt->relay);
	fact_time(o, "last_attempt", row->rcpt->last_attempt);
	task_emit(task, o);
}

/* False: it is no ID of what is queued. */
static bool explain_id(struct why *why)
{
	const char *dot = strchr(why->name, '.');
	struct queue_job *job;
	uint64_t told = 0;
	msg_id id;

	if (!msg_id_parse(why->name, dot ? (size_t)(dot - why->name) : strlen(why->name), &id) ||
	    queue_job_load(why->task.env->reader, id, UINT32_MAX, &job, NULL) != OK)
		return false;
	for (size_t i = 0; i < job->rcpt_count; i++) {
		struct row row;

		row_fill(&row, why->task.env, job, i, why->now);
		if (dot && strcmp(row.id, why->name) != 0)
			continue;
		told++;
		emit_row(&why->task, &row);
	}
	free(job);
	return told > 0;
}

/* --- a name ----------------------------------------------------------------------------------------------------------------- */

static void emit_line(void *arg, const char *text)
{
	struct why *why = arg;
	json_t *o = json_object();

	fact_text(o, "name", why->name);
	fact_text(o, "line", text);
	task_emit(&why->task, o);
}

static bool is_named(const struct row *row, const char *name)
{
	return strcmp(row->destination, name) == 0 || strcmp(row->rcpt->domain, name) == 0 || strcmp(row->message->tenant, name) == 0 ||
	    strcmp(row->source, name) == 0;
}

static bool count_row(void *arg, const struct queue_job *job)
{
	struct why *why = arg;

	for (size_t i = 0; i < job->rcpt_count; i++) {
		struct row row;

		row_fill(&row, why->task.env, job, i, why->now);
		if (!is_named(&row, why->name))
			continue;
		why->total++;
		why->states[row.state]++;
	}
	return true;
}

static enum task_state not_known(struct why *why)
{
	return task_end(&why->task, OPS_REFUSED, "%s: no such message, destination, tenant or source", why->name);
}

static enum task_state step_walk(struct why *why)
{
	struct task *task = &why->task;
	struct err_detail text;

	if (queue_scan(task->env->reader, &why->cursor, SLICE_MESSAGES, count_row, why, &text) != OK)
		return task_end(task, OPS_REFUSED, "%s", text.text);
	if (!why->cursor.end)
		return TASK_MORE;
	if (why->total == 0)
		return not_known(why);
	emit_line(why, "no daemon is running: nothing is being sent");
	for (enum row_state state = 0; state < ROW_STATES; state++) {
		char line[80];

		if (why->states[state] == 0)
			continue;
		(void)snprintf(line, sizeof(line), "%llu %s", (unsigned long long)why->states[state], row_state_name(state));
		emit_line(why, line);
	}
	return task_end(task, OPS_DONE, "%s", "");
}

static void emit_quota(struct why *why, const char *window, uint64_t used, uint64_t limit)
{
	char line[120];

	if (limit == 0)
		return;
	(void)snprintf(line, sizeof(line), "quota: %" PRIu64 " of %" PRIu64 " recipients in the last %s", used, limit, window);
	emit_line(why, line);
}

/* What a tenant uses of what it may. False: there is none of that name. */
static bool explain_usage(struct why *why)
{
	const struct ops_env *env = why->task.env;
	const struct conf_tenant *tenant = conf_tenant_find(env->conf(env->arg), why->name);
	uint64_t hour, day;
	uint32_t connections;
	char line[80];

	if (!tenant)
		return false;
	usage_read(tenant, clock_wall(), &connections, &hour, &day);
	(void)snprintf(line, sizeof(line), "connected %" PRIu32 " times", connections);
	emit_line(why, line);
	emit_quota(why, "hour", hour, tenant->quota_hour);
	emit_quota(why, "day", day, tenant->quota_day);
	return true;
}

/* --- the rule by which a recipient domain falls in its destination --------------------------------------------------------------- */

static void emit_host(void *arg, const struct host_view *view)
{
	char line[1000], at[IP_PORT_TEXT], since[CLOCK_TEXT], until[CLOCK_TEXT];
	struct why *why = arg;
	const char *when = view->probing ? "an attempt finds out now"
	    : view->until <= why->now ? "the next attempt finds out" : "not tried before ";

	(void)snprintf(line, sizeof(line), "host %.255s[%s] has been down since %s%s, %u failures in a row (%.255s); %s%s", view->name,
	    ip_port_format(&view->at, at), clock_rfc3339(view->since, since), view->for_one ? " for one source" : "", view->failures,
	    view->why, when, view->probing || view->until <= why->now ? "" : clock_rfc3339(view->until, until));
	emit_line(why, line);
}

/* What a delivery to each host demands, but for what a tenant or a message adds to that. */
static void tell_tls(struct why *why, const struct route *route)
{
	const char *trouble = dispatch_dnssec_trouble(why->task.env->dispatch);

	for (size_t i = 0; i < route->host_count; i++) {
		char words[TRUST_WORDS], line[TRUST_WORDS + 300];
		struct trust trust;

		trust_decide(&trust, route->tls, TLS_LEVEL_NONE, &route->hosts[i]);
		(void)snprintf(line, sizeof(line), "TLS with %.255s: %s", route->hosts[i].name, trust_words(&trust, &route->hosts[i], words));
		emit_line(why, line);
	}
	if (trouble)
		emit_line(why, trouble);
}

static void tell_hosts(struct why *why, const struct route *route)
{
	const char **hosts = xcalloc(route->host_count + 1, sizeof(hosts[0]));

	for (size_t i = 0; i < route->host_count; i++)
		hosts[i] = route->hosts[i].name;
	rule_by_hosts(why->task.env->conf(why->task.env->arg), why->name, hosts, route->host_count, route->from_mx, emit_line, why);
	hostmap_walk_route(dispatch_hosts(why->task.env->dispatch), route, emit_host, why);
	tell_tls(why, route);
	free(hosts);
}

static void heard(void *arg, const struct route *route, const char *failure)
{
	struct why *why = arg;

	why->ask = NULL;
	if (route) {
		why->known = true;
		tell_hosts(why, route);
	} else {
		why->failure = xstrdup(failure);
	}
	if (why->asking)
		task_wake(&why->task);
}

static bool is_other_name(const struct why *why)
{
	const struct conf *conf = why->task.env->conf(why->task.env->arg);

	return conf_provider_find(conf, why->name) || conf_source_find(conf, why->name) || conf_tenant_find(conf, why->name);
}

/* True: the answer comes by `heard`, later. */
static bool explain_domain(struct why *why)
{
	const struct ops_env *env = why->task.env;

	if (!domain_is_valid(why->name) || !strchr(why->name, '.') || is_other_name(why))
		return false;
	if (rule_by_domain(env->conf(env->arg), why->name, emit_line, why)) {
		why->known = true;
		if (env->dispatch)
			dispatch_hosts_of(env->dispatch, why->name, emit_host, why);
		return false;
	}
	if (!env->dispatch)
		return false;
	why->ask = dispatch_ask(env->dispatch, why->name, heard, why);
	why->asking = why->ask != NULL;
	return why->asking;
}

/* A name that mail is known under needs no DNS to be known. */
static enum task_state finish(struct why *why)
{
	char line[400];

	if (why->failure && why->known) {
		(void)snprintf(line, sizeof(line), "as a recipient domain: %s", why->failure);
		emit_line(why, line);
	}
	if (why->known)
		return task_end(&why->task, OPS_DONE, "%s", "");
	if (why->failure)
		return task_end(&why->task, OPS_REFUSED, "%s: no such message, destination, tenant or source; as a recipient domain: %s", why->name,
		    why->failure);
	return not_known(why);
}

static bool why_fini(struct task *task)
{
	struct why *why = (struct why *)task;

	dispatch_ask_cancel(&why->ask);
	free(why->failure);
	return true;
}

static enum task_state why_step(struct task *task)
{
	struct why *why = (struct why *)task;

	if (why->walking)
		return step_walk(why);
	if (why->asking)
		return why->ask ? TASK_WAIT : finish(why);
	if (explain_id(why))
		return task_end(task, OPS_DONE, "%s", "");
	if (!task->env->sched) {
		why->walking = true;
		return TASK_MORE;
	}
	why->known = explain_usage(why);
	if (task->env->dispatch)
		dispatch_blocklists_walk(task->env->dispatch, why->name, emit_line, why);
	if (sched_explain(task->env->sched, why->name, why->now, emit_line, why) == OK)
		why->known = true;
	return explain_domain(why) ? TASK_WAIT : finish(why);
}

const struct task_kind why_kind = { .verb = "why", .size = sizeof(struct why), .start = why_start, .step = why_step, .fini = why_fini };
