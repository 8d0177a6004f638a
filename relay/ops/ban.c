/* relay/ops/ban.c - the verb ban: bans of addresses and networks, locks of logins, and how to lift one. */
#include <string.h>

#include "relay/ops/fact.h"
#include "relay/ops/task.h"

static void emit_ban(void *arg, const struct guard_ban *ban)
{
	static const char *const kinds[GUARD_KINDS] = { [GUARD_ADDRESS] = "address", [GUARD_NETWORK] = "network", [GUARD_LOGIN] = "login" };
	json_t *o = json_object();

	fact_text(o, "kind", kinds[ban->kind]);
	fact_text(o, "name", ban->name);
	fact_time(o, "until", clock_wall() + ban->until - clock_mono());
	fact_number(o, "failures", ban->failures);
	fact_number(o, "times", ban->times);
	task_emit(arg, o);
}

static enum task_state list(struct task *task)
{
	guard_walk(task->env->guard, clock_mono(), emit_ban, task);
	return task_end(task, OPS_DONE, "%s", "");
}

static enum task_state lift(struct task *task, const char *name)
{
	if (!guard_lift(task->env->guard, name, clock_mono()))
		return task_end(task, OPS_REFUSED, "\"%s\" is not banned", name);
	return task_end(task, OPS_DONE, "\"%s\" may try again", name);
}

static enum task_state ban_step(struct task *task)
{
	const json_t *words = json_object_get(task->args, "words");
	const char *verb = json_string_value(json_array_get(words, 0)), *name = json_string_value(json_array_get(words, 1));
	size_t count = json_array_size(words);

	if (!task->env->guard)
		return task_end(task, OPS_REFUSED, "nobody counts failed logins here");
	if (count == 0 || (count == 1 && verb && strcmp(verb, "list") == 0))
		return list(task);
	if (count == 2 && verb && name && strcmp(verb, "lift") == 0)
		return lift(task, name);
	return task_end(task, OPS_USAGE, "ban: expected list, or lift with an address, network or login");
}

const struct task_kind ban_kind = { .verb = "ban", .needs_daemon = true, .size = sizeof(struct task), .step = ban_step };
