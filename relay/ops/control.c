/* relay/ops/control.c - the verbs reload, pause, resume and source. */
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
	log_begin(&line, LOG_INFO, paused ? "paused" : "resumed");
	log_str(&line, what, name);
	log_str(&line, "by", "operator");
	log_end(&line);
	return task_end(task, OPS_DONE, paused ? "%s \"%s\" is paused until it is resumed or the daemon restarts" : "%s \"%s\" is resumed",
	    what, name);
}

const struct task_kind pause_kind = { .verb = "pause", .needs_daemon = true, .size = sizeof(struct task), .step = pause_step };
const struct task_kind resume_kind = { .verb = "resume", .needs_daemon = true, .size = sizeof(struct task), .step = pause_step };

/* --- source list -------------------------------------------------------------------------------------------------------------- */

/* What is said of the source as a whole; its lanes ("source NAME to DESTINATION: ...") are for `why`. */
static void add_line(void *arg, const char *line)
{
	const char *colon = strncmp(line, "source ", 7) == 0 ? strstr(line, ": ") : NULL;
	const char *lane = strstr(line, " to ");
	json_t *text;

	if (colon && lane && lane < colon)
		return;
	text = json_string(colon ? colon + 2 : line);
	if (text)
		must(json_array_append_new(arg, text) == 0);
}

static json_t *pools_of(const struct conf *conf, uint32_t source)
{
	json_t *names = json_array();

	for (size_t i = 0; i < conf->pool_count; i++)
		for (size_t k = 0; k < conf->pools[i].source_count; k++)
			if (conf->pools[i].sources[k] == source)
				must(json_array_append_new(names, json_string(conf->pools[i].name)) == 0);
	return names;
}

static json_t *source_json(const struct ops_env *env, const struct conf *conf, uint32_t index)
{
	const struct conf_source *source = &conf->sources[index];
	json_t *o = json_object(), *lines = json_array();
	char ip[IP_TEXT], via[IP_PORT_TEXT];

	fact_text(o, "source", source->name);
	fact_text(o, "ip", source->ip.family ? ip_format(&source->ip, ip) : NULL);
	fact_text(o, "via", source->via ? ip_port_format(&source->via_at, via) : NULL);
	fact_text(o, "ehlo", source->ehlo);
	fact_text(o, "warmup", source->warmup_plan);
	fact_json(o, "pools", pools_of(conf, index));
	if (env->sched)
		(void)!sched_explain(env->sched, source->name, row_now(env), add_line, lines);
	fact_json(o, "status", lines);
	return o;
}

static enum task_state source_step(struct task *task)
{
	const struct conf *conf = task->env->conf ? task->env->conf(task->env->arg) : NULL;

	if (!conf)
		return task_end(task, OPS_REFUSED, "the configuration cannot be read");
	for (uint32_t i = 0; i < conf->source_count; i++)
		task_emit(task, source_json(task->env, conf, i));
	return task_end(task, OPS_DONE, "%s", "");
}

const struct task_kind source_kind = { .verb = "source", .size = sizeof(struct task), .step = source_step };
