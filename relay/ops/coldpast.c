/* relay/ops/coldpast.c - warmup history: what each cold lane was allowed, sent and was answered, day by day. A day a slice. */
#include <stdio.h>
#include <string.h>

#include "relay/deliver/dispatch.h"
#include "relay/ops/coldlanes.h"
#include "relay/ops/fact.h"
#include "relay/ops/row.h"

#define DAY_MS DAYS(1)

static bool is_wanted(const struct warm_task *w, const struct sched_warm_day *day)
{
	const char *source = task_text(&w->storing.task, "from"), *destination = task_text(&w->storing.task, "provider");

	return (!source || strcmp(source, day->source) == 0) && (!destination || strcmp(destination, day->destination) == 0);
}

static void put_day(void *arg, const struct sched_warm_day *day)
{
	struct warm_task *w = arg;
	json_t *o;

	if (!is_wanted(w, day))
		return;
	o = json_object();
	fact_time(o, "day", (wall_ms)day->day * DAY_MS);
	fact_text(o, "source", day->source);
	fact_text(o, "destination", day->destination);
	fact_number(o, "planned", day->planned);
	if (day->budget > 0)
		fact_number(o, "budget", day->budget);
	fact_number(o, "used", day->used);
	fact_number(o, "delivered", day->accepted);
	fact_number(o, "deferred", day->deferred);
	fact_number(o, "blocked", day->blocked);
	fact_number(o, "unknown", day->unknown);
	fact_number(o, "complaints", day->complained);
	fact_number(o, "all_sources", day->total);
	task_emit(&w->storing.task, o);
}

bool coldpast_row(const char *name, const void *data, size_t len, struct sched_warm_day *out)
{
	return sscanf(name, ALMANAC_DAY "%255s %255s", &out->day, out->source, out->destination) == 3 &&
	    sched_warm_day_decode(data, len, out) == OK;
}

static void stored_day(void *arg, const char *name, const void *data, size_t len)
{
	struct sched_warm_day day;

	if (coldpast_row(name, data, len, &day))
		put_day(arg, &day);
}

enum task_state coldpast_step(struct warm_task *w)
{
	struct task *task = &w->storing.task;
	struct err_detail why;
	char prefix[32];

	if (!w->begun) {
		json_t *days = json_object_get(task->args, "days");
		uint64_t count = days ? (uint64_t)json_integer_value(days) : 30;

		if (count == 0 || count > ALMANAC_DAYS)
			return task_end(task, OPS_USAGE, "warmup history: --days is 1 to %d", ALMANAC_DAYS);
		w->begun = true;
		w->last = (int32_t)(row_now(task->env) / DAY_MS) + 1;
		w->day = w->last - (int32_t)count;
	}
	if (w->day > w->last) {
		sched_warm_today(task->env->sched, row_now(task->env), put_day, w);
		return task_end(task, OPS_DONE, "%s", "");
	}
	(void)snprintf(prefix, sizeof(prefix), ALMANAC_DAY, w->day++);
	if (queue_notes_read(task->env->reader, prefix, stored_day, w, &why) != OK)
		return task_end(task, OPS_REFUSED, "the history cannot be read: %s", why.text);
	return TASK_MORE;
}
