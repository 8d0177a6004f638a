/* relay/ops/tlsreport.c - the verb tls-report: how TLS with domains that want to hear of it went today, and sending that now. */
#include <string.h>

#include "relay/deliver/tlsrpt.h"
#include "relay/notify/tls_json.h"
#include "relay/ops/fact.h"
#include "relay/ops/task.h"

static void emit_figures(void *arg, const struct tls_figures *figures, wall_ms send_at)
{
	json_t *o = json_object();

	fact_text(o, "domain", figures->domain);
	fact_time(o, "start", figures->start);
	fact_time(o, "end", figures->end);
	fact_time(o, "send_at", send_at);
	fact_number(o, "good", tls_figures_good(figures));
	fact_number(o, "failed", tls_figures_bad(figures));
	fact_json(o, "policies", tls_json_policies(figures));
	task_emit(arg, o);
}

static enum task_state send_now(struct task *task, const char *domain)
{
	unsigned count = tlsrpt_send(dispatch_tlsrpt(task->env->dispatch), domain);

	if (count == 0)
		return task_end(task, OPS_REFUSED, "there is nothing to report%s%s", domain ? " to " : "", domain ? domain : "");
	return task_end(task, OPS_DONE, "%u report%s %s being sent", count, count == 1 ? "" : "s", count == 1 ? "is" : "are");
}

static enum task_state tls_report_step(struct task *task)
{
	const struct conf *conf = task->env->conf(task->env->arg);
	const json_t *words = json_object_get(task->args, "words");
	const char *first = json_string_value(json_array_get(words, 0)), *second = json_string_value(json_array_get(words, 1));
	size_t count = json_array_size(words);
	bool sends = first && strcmp(first, "send") == 0;

	if (count > (sends ? 2u : 1u) || (count > 0 && !first) || (count > 1 && !second))
		return task_end(task, OPS_USAGE, "tls-report: expected nothing, a domain, or send with a domain or nothing");
	if (!conf || !conf->tls_rpt.contact || !conf->tls_rpt.enabled)
		return task_end(task, OPS_REFUSED, "no reports are made: tls_rpt.contact is not set, or tls_rpt.enabled is false");
	if (sends)
		return send_now(task, second);
	tlsrpt_walk(dispatch_tlsrpt(task->env->dispatch), first, emit_figures, task);
	return task_end(task, OPS_DONE, "%s", "");
}

const struct task_kind tls_report_kind = { .verb = "tls-report", .needs_daemon = true, .size = sizeof(struct task), .step = tls_report_step };
