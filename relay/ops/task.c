/* relay/ops/task.c - one request of the operator under way: works in slices and emits JSON objects. */
#include "relay/ops/task.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/ops/fact.h"

const struct task_kind *const task_kinds[] = {
	&list_kind,   &stats_kind,  &show_kind, &cat_kind,  &why_kind,     &check_kind, &source_kind, &reload_kind, &pause_kind,
	&resume_kind, &retry_kind,  &hold_kind, &drop_kind, &release_kind, &bounce_kind, &reroute_kind, &warmup_kind, &ban_kind,
	&suppress_kind, &alerts_kind, &hosts_kind, &top_kind,
	&tls_report_kind, &dead_list_kind, &dead_show_kind, &dead_cat_kind, &dead_drop_kind, &dead_replay_kind, NULL,
};

static enum task_state step_refused(struct task *task)
{
	return TASK_END;
}

/* What start has refused: exit and message are there. */
static const struct task_kind refused_kind = { .verb = "", .size = sizeof(struct task), .step = step_refused };

static const struct task_kind *find_kind(const char *verb)
{
	for (size_t i = 0; task_kinds[i]; i++)
		if (strcmp(task_kinds[i]->verb, verb) == 0)
			return task_kinds[i];
	return NULL;
}

static struct task *task_alloc(const struct task_kind *kind, const struct ops_env *env, json_t *args, const struct task_out *out)
{
	struct task *task = xcalloc(1, kind->size);

	task->kind = kind;
	task->env = env;
	task->out = *out;
	task->args = args ? json_incref(args) : json_object();
	return task;
}

struct task *task_create(const struct ops_env *env, const char *verb, json_t *args, const struct task_out *out)
{
	const struct task_kind *kind = find_kind(verb);
	struct task *task = task_alloc(kind ? kind : &refused_kind, env, args, out);

	if (!kind)
		(void)task_end(task, OPS_USAGE, "\"%s\" is not known here", verb);
	else if (kind->needs_daemon && !env->sched)
		(void)task_end(task, OPS_UNREACHABLE, "%s needs a running daemon", verb);
	else if (!kind->start || kind->start(task))
		return task;
	else if (kind->fini)
		(void)kind->fini(task);
	task->kind = &refused_kind;
	return task;
}

enum task_state task_step(struct task *task)
{
	return task->kind->step(task);
}

void task_free(struct task *task)
{
	json_decref(task->args);
	json_decref(task->summary);
	free(task->message);
	free(task);
}

void task_destroy(struct task **task)
{
	struct task *t = *task;

	*task = NULL;
	if (!t)
		return;
	t->abandoned = true;
	if (!t->kind->fini || t->kind->fini(t))
		task_free(t);
}

json_t *task_end_line(const struct task *task)
{
	json_t *line = json_pack("{s:b, s:i}", "end", 1, "exit", (int)task->exit);

	must(line != NULL);
	if (task->message)
		fact_text(line, "message", task->message);
	if (task->summary)
		must(json_object_update_missing(line, task->summary) == 0);
	return line;
}

void task_emit(struct task *task, json_t *object)
{
	if (task->abandoned)
		json_decref(object);
	else
		task->out.emit(task->out.arg, object);
}

void task_wake(struct task *task)
{
	if (!task->abandoned)
		task->out.wake(task->out.arg);
}

void task_stored(void *arg, enum err result, const char *why)
{
	struct storing *storing = arg;

	storing->under_way = false;
	if (storing->task.abandoned) {
		task_free(&storing->task);
		return;
	}
	storing->stored = true;
	storing->result = result;
	(void)snprintf(storing->why, sizeof(storing->why), "%s", result == OK ? "" : why);
	task_wake(&storing->task);
}

bool task_is_stored(const struct task *task)
{
	return !((const struct storing *)task)->under_way;
}

enum task_state task_end(struct task *task, enum ops_exit status, const char *format, ...)
{
	char text[2048];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	free(task->message);
	task->message = text[0] ? xstrdup(text) : NULL;
	task->exit = status;
	return TASK_END;
}

const char *task_text(const struct task *task, const char *key)
{
	return json_string_value(json_object_get(task->args, key));
}
