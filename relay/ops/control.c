/* relay/ops/control.c - the verbs reload, pause and resume. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/ops/row.h"
#include "relay/ops/task.h"
#include "relay/ops/fact.h"

/* --- reload ----------------------------------------------------------------------------------------------------------------- */

static enum task_state reload_step(struct task *task)
{
	char *text = NULL;
	enum err err = task->env->reload(task->env->arg, &text);

	task->message = text; /* however long the list of faults is */
	task->exit = err == OK ? OPS_DONE : OPS_REFUSED;
	return TASK_END;
}

const struct task_kind reload_kind = { .verb = "reload", .needs_daemon = true, .size = sizeof(struct task), .step = reload_step };

/* --- pause and resume --------------------------------------------------------------------------------------------------------- */

static const char *const SCOPES[] = { "destination", "tenant", "source" };

static enum task_state pause_step(struct task *task)
{
	bool paused = task->kind == &pause_kind;
	const char *what = NULL, *name = NULL;
	struct log_line line;

	for (size_t i = 0; i < ARRAY_LEN(SCOPES); i++) {
		const char *value = task_text(task, SCOPES[i]);

		if (!value)
			continue;
		if (what)
			return task_end(task, OPS_USAGE, "%s: expected one of --destination, --tenant and --source", task->kind->verb);
		what = SCOPES[i];
		name = value;
	}
	if (!what)
		return task_end(task, OPS_USAGE, "%s what? expected --destination, --tenant or --source", task->kind->verb);
	if (sched_pause(task->env->sched, what, name, paused, row_now(task->env)) != OK)
		return task_end(task, OPS_REFUSED, "no %s \"%s\" is known", what, name);
	if (task->env->dispatch)
		dispatch_told(task->env->dispatch);
	log_begin(&line, LOG_INFO, paused ? "paused" : "resumed");
	log_str(&line, what, name);
	log_str(&line, "by", "operator");
	log_end(&line);
	return task_end(task, OPS_DONE, paused ? "%s \"%s\" is paused until it is resumed" : "%s \"%s\" is resumed",
	    what, name);
}

const struct task_kind pause_kind = { .verb = "pause", .needs_daemon = true, .size = sizeof(struct task), .step = pause_step };
const struct task_kind resume_kind = { .verb = "resume", .needs_daemon = true, .size = sizeof(struct task), .step = pause_step };
