/* relay/ops/coldswap.c - warmup retire: an address on its way out, what it hands over to, and the end of that before its time. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/deliver/dispatch.h"
#include "relay/ops/coldlanes.h"
#include "relay/ops/fact.h"
#include "relay/ops/row.h"

#define DAYS_DEFAULT 14
#define DAYS_MOST    366

static void ignore_shut(void *arg, const char *destination, enum sched_reason reason, const char *words, wall_ms until)
{
}

static bool look(const struct task *task, const char *source, struct sched_source_view *out)
{
	return sched_source_read(task->env->sched, source, row_now(task->env), out, ignore_shut, NULL);
}

/* --- status -------------------------------------------------------------------------------------------------------------- */

static void put_swap(struct task *task, const char *source, const struct sched_source_view *view)
{
	char text[400];
	json_t *o = json_object();
	bool over = view->drained;

	if (over)
		(void)snprintf(text, sizeof(text), "retired: takes nothing more (relayq source enable takes it back)");
	else
		(void)snprintf(text, sizeof(text), "retires: takes %u %% of its share%s%s", (unsigned)(view->share * 100 + 0.5),
		    view->retire->into[0] ? ", hands over to " : "", view->retire->into);
	fact_text(o, "source", source);
	fact_text(o, "destination", "*");
	fact_text(o, "phase", over ? "retired" : "retiring");
	fact_number(o, "share_percent", over ? 0 : (uint64_t)(view->share * 100 + 0.5));
	fact_time(o, "since", view->retire->since);
	fact_time(o, "until", view->retire->until);
	fact_text(o, "into", view->retire->into[0] ? view->retire->into : NULL);
	fact_time(o, "next_step", over ? 0 : view->retire->until);
	fact_text(o, "obstacle", text);
	task_emit(task, o);
}

void coldswap_status(struct task *task)
{
	const struct conf *conf = task->env->conf ? task->env->conf(task->env->arg) : NULL;
	struct sched_source_view view;

	for (size_t i = 0; conf && i < conf->source_count; i++)
		if (look(task, conf->sources[i].name, &view) && view.retire)
			put_swap(task, conf->sources[i].name, &view);
}

/* --- beginning and end ----------------------------------------------------------------------------------------------------- */

static bool pool_has(const struct conf *conf, const struct conf_pool *pool, const char *name)
{
	for (size_t i = 0; i < pool->source_count; i++)
		if (strcmp(conf->sources[pool->sources[i]].name, name) == 0)
			return true;
	return false;
}

/* A pool of `source` in which `other` is, too; NULL `other`: one in which nobody else is. */
static const struct conf_pool *pool_with(const struct conf *conf, const char *source, const char *other)
{
	for (size_t i = 0; i < conf->pool_count; i++) {
		const struct conf_pool *pool = &conf->pools[i];

		if (pool_has(conf, pool, source) && (other ? pool_has(conf, pool, other) : pool->source_count == 1))
			return pool;
	}
	return NULL;
}

static void tell(const char *source, uint64_t days, const char *into)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "warmup-changed");
	log_str(&line, "source", source);
	log_str(&line, "change", "retire");
	log_num(&line, "days", days);
	if (into)
		log_str(&line, "into", into);
	log_str(&line, "by", "operator");
	log_end(&line);
}

static enum task_state finish(struct warm_task *w, const char *source, uint64_t days, const char *into)
{
	const struct conf *conf = w->storing.task.env->conf(w->storing.task.env->arg);
	const struct conf_pool *alone = conf ? pool_with(conf, source, NULL) : NULL;

	if (w->storing.why[0])
		return task_end(&w->storing.task, OPS_REFUSED, "\"%s\" retires, but only until the daemon restarts: %s", source, w->storing.why);
	if (alone)
		return task_end(&w->storing.task, OPS_DONE, "\"%s\" retires within %llu days; pool %s has no other source: its mail waits from then on", source,
		    (unsigned long long)days, alone->name);
	return task_end(&w->storing.task, OPS_DONE, "\"%s\" retires within %llu days%s%s", source, (unsigned long long)days,
	    into ? " in favour of " : ", the others of its pools take what it gives up", into ? into : "");
}

enum task_state coldswap_retire(struct warm_task *w, const char *const *words, size_t count)
{
	struct task *task = &w->storing.task;
	const json_t *given = json_object_get(task->args, "days");
	uint64_t days = given ? (uint64_t)json_integer_value(given) : DAYS_DEFAULT;
	const char *into = task_text(task, "into");
	const struct conf *conf = task->env->conf ? task->env->conf(task->env->arg) : NULL;
	struct sched_source_view view;

	if (count != 1)
		return task_end(task, OPS_USAGE, "warmup retire: expected SOURCE [--days N] [--into NAME]");
	if (w->storing.stored)
		return finish(w, words[0], days, into);
	if (days < 1 || days > DAYS_MOST)
		return task_end(task, OPS_USAGE, "warmup retire: --days is 1 to %d", DAYS_MOST);
	if (!conf || !conf_source_find(conf, words[0]) || !look(task, words[0], &view))
		return task_end(task, OPS_REFUSED, "no source \"%s\" is known", words[0]);
	if (view.drained)
		return task_end(task, OPS_REFUSED, "source \"%s\" is out of service already (relayq source enable takes it back)", words[0]);
	if (into && (!conf_source_find(conf, into) || strcmp(into, words[0]) == 0))
		return task_end(task, OPS_REFUSED, "warmup retire: --into \"%s\" is no other source", into);
	if (into && !pool_with(conf, words[0], into))
		return task_end(task, OPS_REFUSED, "warmup retire: \"%s\" is in no pool of \"%s\"; put it into one, then relayq reload", into, words[0]);
	tell(words[0], days, into);
	w->storing.under_way = dispatch_retire(task->env->dispatch, words[0], DAYS(days), into ? into : "", task_stored, w);
	return w->storing.under_way ? TASK_WAIT : task_end(task, OPS_REFUSED, "no source \"%s\" is known", words[0]);
}

bool coldswap_end(struct warm_task *w, const char *source)
{
	struct sched_source_view view;
	struct log_line line;

	if (!look(&w->storing.task, source, &view) || !view.retire ||
	    !dispatch_serve(w->storing.task.env->dispatch, source, true, task_stored, w))
		return false;
	w->storing.under_way = true;
	log_begin(&line, LOG_INFO, "enabled");
	log_str(&line, "source", source);
	log_str(&line, "by", "operator");
	log_end(&line);
	return true;
}
