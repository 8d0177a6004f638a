/* relay/ops/alerts.c - the verb alerts: what somebody was told of, or is about to be, and lasts. */
#include "relay/ops/fact.h"
#include "relay/ops/task.h"

static void emit_alert(void *arg, const struct alert *alert)
{
	json_t *o = json_object();

	fact_text(o, "kind", alert_kind_name(alert->kind));
	fact_text(o, "object", alert->object);
	fact_text(o, "text", alert->text);
	fact_time(o, "since", alert->since);
	fact_time(o, "told", alert->told);
	task_emit(arg, o);
}

static enum task_state alerts_step(struct task *task)
{
	dispatch_alerts_walk(task->env->dispatch, emit_alert, task);
	return task_end(task, OPS_DONE, "%s", "");
}

const struct task_kind alerts_kind = { .verb = "alerts", .needs_daemon = true, .size = sizeof(struct task), .step = alerts_step };
