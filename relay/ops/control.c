/* relay/ops/control.c - the verbs reload, pause and resume. */
#include <stdio.h>
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

struct pause_task {
	struct storing storing;
	const char *what, *name; /* borrowed from the arguments */
};

static const char *const SCOPES[] = { "destination", "tenant", "source" };

/* One scope and its name. False: task_end was called. */
static bool pause_start(struct task *task)
{
	struct pause_task *p = (struct pause_task *)task;

	for (size_t i = 0; i < ARRAY_LEN(SCOPES); i++) {
		const char *value = task_text(task, SCOPES[i]);

		if (!value)
			continue;
		if (p->what) {
			(void)task_end(task, OPS_USAGE, "%s: expected one of --destination, --tenant and --source", task->kind->verb);
			return false;
		}
		p->what = SCOPES[i];
		p->name = value;
	}
	if (p->what)
		return true;
	(void)task_end(task, OPS_USAGE, "%s what? expected --destination, --tenant or --source", task->kind->verb);
	return false;
}

static enum task_state pause_finish(struct pause_task *p, bool paused)
{
	if (p->storing.result != OK)
		return task_end(&p->storing.task, OPS_REFUSED, "%s \"%s\" is %s, but only until the daemon restarts: %s", p->what, p->name,
		    paused ? "paused" : "resumed", p->storing.why);
	return task_end(&p->storing.task, OPS_DONE, paused ? "%s \"%s\" is paused until it is resumed" : "%s \"%s\" is resumed", p->what, p->name);
}

static enum task_state pause_step(struct task *task)
{
	struct pause_task *p = (struct pause_task *)task;
	bool paused = task->kind == &pause_kind;
	struct log_line line;

	if (p->storing.stored)
		return pause_finish(p, paused);
	if (sched_pause(task->env->sched, p->what, p->name, paused, row_now(task->env)) != OK)
		return task_end(task, OPS_REFUSED, "no %s \"%s\" is known", p->what, p->name);
	log_begin(&line, LOG_INFO, paused ? "paused" : "resumed");
	log_str(&line, p->what, p->name);
	log_str(&line, "by", "operator");
	log_end(&line);
	if (!task->env->dispatch)
		return pause_finish(p, paused);
	dispatch_told(task->env->dispatch, task_stored, p);
	p->storing.under_way = true;
	return TASK_WAIT;
}

static bool pause_fini(struct task *task)
{
	return task_is_stored(task);
}

const struct task_kind pause_kind = {
	.verb = "pause", .needs_daemon = true, .size = sizeof(struct pause_task), .start = pause_start, .step = pause_step, .fini = pause_fini,
};
const struct task_kind resume_kind = {
	.verb = "resume", .needs_daemon = true, .size = sizeof(struct pause_task), .start = pause_start, .step = pause_step, .fini = pause_fini,
};
