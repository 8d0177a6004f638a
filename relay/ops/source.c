/* relay/ops/source.c - the verb source: the addresses that mail is sent from, and taking one out of service or back. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/ops/fact.h"
#include "relay/ops/row.h"
#include "relay/ops/task.h"

struct source_task {
	struct storing storing;
	const char *name; /* of drain and enable; borrowed from the arguments */
	bool in_service;  /* enable */
};

/* --- list ---------------------------------------------------------------------------------------------------------------------- */

static json_t *pools_of(const struct conf *conf, uint32_t source)
{
	json_t *names = json_array();

	for (size_t i = 0; i < conf->pool_count; i++)
		for (size_t k = 0; k < conf->pools[i].source_count; k++)
			if (conf->pools[i].sources[k] == source)
				must(json_array_append_new(names, json_string(conf->pools[i].name)) == 0);
	return names;
}

static void add_shut(void *arg, const char *destination, enum sched_reason reason, const char *words, wall_ms until)
{
	json_t *o = json_object();

	fact_text(o, "destination", destination);
	fact_text(o, "reason", sched_why_name(reason));
	fact_text(o, "class", words);
	fact_time(o, "until", until);
	must(json_array_append_new(arg, o) == 0);
}

static const char *state_of(const struct sched_source_view *view)
{
	if (view->drained)
		return view->connections > 0 ? "draining" : "drained";
	return view->parked_until > 0 ? "parked" : view->paused ? "paused" : view->retire ? "retiring" : "active";
}

static void put_live(const struct ops_env *env, const char *name, json_t *o)
{
	json_t *shut = json_array();
	struct sched_source_view view;

	if (!sched_source_read(env->sched, name, row_now(env), &view, add_shut, shut)) {
		json_decref(shut);
		return;
	}
	fact_text(o, "state", state_of(&view));
	fact_number(o, "connections", view.connections);
	fact_time(o, "parked_until", view.parked_until);
	fact_text(o, "parked", view.parked_until > 0 ? view.park_why : "");
	row_put_sum(o, "hour", &view.hour);
	row_put_sum(o, "day", &view.day);
	fact_json(o, "shut", shut);
}

struct lookup {
	const char *memo;
	wall_ms now;
	bool drained, retiring;
};

/* Names that only begin like it come by, too. */
static void note_drained(void *arg, const char *memo, const void *data, size_t len)
{
	struct lookup *lookup = arg;

	struct sched_retire retire;

	if (strcmp(memo, lookup->memo) != 0)
		return;
	lookup->drained = service_memo_read(data, len);
	if (service_memo_retires(data, len, &retire)) {
		lookup->retiring = lookup->now < retire.until;
		lookup->drained = !lookup->retiring;
	}
}

/* Without a daemon: what the store remembers. */
static void put_stored(const struct ops_env *env, const char *name, json_t *o)
{
	char *memo = xasprintf(SERVICE_MEMO "%s", name);
	struct lookup lookup = { .memo = memo, .now = row_now(env) };

	if (env->reader && queue_memos_read(env->reader, memo, note_drained, &lookup, NULL) == OK)
		fact_text(o, "state", lookup.drained ? "drained" : lookup.retiring ? "retiring" : "active");
	free(memo);
}

static void add_listing(void *arg, const char *line)
{
	json_t *text = json_string(line);

	if (text)
		must(json_array_append_new(arg, text) == 0);
}

static json_t *listings_of(const struct ops_env *env, const char *name)
{
	json_t *lines = json_array();

	if (env->dispatch)
		dispatch_blocklists_walk(env->dispatch, name, add_listing, lines);
	return lines;
}

static json_t *source_json(const struct ops_env *env, const struct conf *conf, uint32_t index)
{
	const struct conf_source *source = &conf->sources[index];
	char ip[IP_TEXT], via[IP_PORT_TEXT];
	json_t *o = json_object();

	fact_text(o, "source", source->name);
	fact_text(o, "ip", source->ip.family ? ip_format(&source->ip, ip) : NULL);
	fact_text(o, "via", source->via ? ip_port_format(&source->via_at, via) : NULL);
	fact_text(o, "ehlo", source->ehlo);
	fact_number(o, "weight", source->weight > 0 ? source->weight : 1);
	fact_text(o, "warmup", source->warmup_plan);
	fact_json(o, "pools", pools_of(conf, index));
	fact_json(o, "listed", listings_of(env, source->name));
	if (env->sched)
		put_live(env, source->name, o);
	else
		put_stored(env, source->name, o);
	return o;
}

static enum task_state list(struct task *task, const struct conf *conf)
{
	for (uint32_t i = 0; i < conf->source_count; i++)
		task_emit(task, source_json(task->env, conf, i));
	return task_end(task, OPS_DONE, "%s", "");
}

/* --- drain and enable ------------------------------------------------------------------------------------------------------------ */

static void ignore_shut(void *arg, const char *destination, enum sched_reason reason, const char *words, wall_ms until)
{
}

static bool is_in_service(const struct task *task, const char *name, uint32_t *connections_out)
{
	struct sched_source_view view = { .drained = true };

	if (!sched_source_read(task->env->sched, name, row_now(task->env), &view, ignore_shut, NULL))
		return false;
	*connections_out = view.connections;
	return !view.drained && !view.paused && view.parked_until == 0;
}

static bool pool_has(const struct conf *conf, const struct conf_pool *pool, const char *name)
{
	for (size_t i = 0; i < pool->source_count; i++)
		if (strcmp(conf->sources[pool->sources[i]].name, name) == 0)
			return true;
	return false;
}

static bool pool_serves(const struct task *task, const struct conf *conf, const struct conf_pool *pool)
{
	uint32_t connections;

	for (size_t i = 0; i < pool->source_count; i++)
		if (is_in_service(task, conf->sources[pool->sources[i]].name, &connections))
			return true;
	return false;
}

/* Pools of the source in which nothing is left in service, joined by ", "; "" none. */
static void stranded(const struct task *task, const struct conf *conf, const char *name, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < conf->pool_count && len < size; i++)
		if (pool_has(conf, &conf->pools[i], name) && !pool_serves(task, conf, &conf->pools[i]))
			len += (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "", conf->pools[i].name);
}

static enum task_state finish(struct source_task *s, const struct conf *conf)
{
	struct task *task = &s->storing.task;
	uint32_t connections = 0;
	char pools[300];

	if (s->storing.result != OK)
		return task_end(task, OPS_REFUSED, "source \"%s\" is %s, but only until the daemon restarts: %s", s->name,
		    s->in_service ? "in service" : "out of service", s->storing.why);
	if (s->in_service)
		return task_end(task, OPS_DONE, "source \"%s\" is in service", s->name);
	(void)is_in_service(task, s->name, &connections);
	stranded(task, conf, s->name, pools, sizeof(pools));
	if (pools[0])
		return task_end(task, OPS_DONE, "source \"%s\" is out of service; no other source is left in pool %s: its mail waits until one is",
		    s->name, pools);
	return task_end(task, OPS_DONE, "source \"%s\" is out of service, its mail takes the others of its pools%s", s->name,
	    connections > 0 ? "; what is in flight finishes" : "");
}

static enum task_state serve(struct source_task *s, const struct conf *conf)
{
	struct task *task = &s->storing.task;
	struct log_line line;

	if (!task->env->dispatch)
		return task_end(task, OPS_UNREACHABLE, "source %s needs a running daemon", s->in_service ? "enable" : "drain");
	if (!conf_source_find(conf, s->name) || !dispatch_serve(task->env->dispatch, s->name, s->in_service, task_stored, s))
		return task_end(task, OPS_REFUSED, "no source \"%s\" is known", s->name);
	s->storing.under_way = true;
	log_begin(&line, LOG_INFO, s->in_service ? "enabled" : "drained");
	log_str(&line, "source", s->name);
	log_str(&line, "by", "operator");
	log_end(&line);
	return TASK_WAIT;
}

/* --- the verb -------------------------------------------------------------------------------------------------------------------- */

static enum task_state source_step(struct task *task)
{
	const struct conf *conf = task->env->conf ? task->env->conf(task->env->arg) : NULL;
	const json_t *words = json_object_get(task->args, "words");
	const char *verb = json_string_value(json_array_get(words, 0)), *name = json_string_value(json_array_get(words, 1));
	struct source_task *s = (struct source_task *)task;
	size_t count = json_array_size(words);

	if (!conf)
		return task_end(task, OPS_REFUSED, "the configuration cannot be read");
	if (s->storing.stored)
		return finish(s, conf);
	if (count == 0 || (count == 1 && verb && strcmp(verb, "list") == 0))
		return list(task, conf);
	if (count != 2 || !verb || !name || (strcmp(verb, "drain") != 0 && strcmp(verb, "enable") != 0))
		return task_end(task, OPS_USAGE, "source: expected list, or drain or enable with the name of a source");
	s->name = name;
	s->in_service = strcmp(verb, "enable") == 0;
	return serve(s, conf);
}

static bool source_fini(struct task *task)
{
	return task_is_stored(task);
}

const struct task_kind source_kind = { .verb = "source", .size = sizeof(struct source_task), .step = source_step, .fini = source_fini };
