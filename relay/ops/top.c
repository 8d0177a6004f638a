/* relay/ops/top.c - the verb top: lanes that do something, tenants and late mail. The rest of the screen is stats, source and alerts. */
#include "relay/intake/usage.h"
#include "relay/ops/fact.h"
#include "relay/ops/row.h"
#include "relay/ops/task.h"

#define SLICE_LANES 2000 /* looked at in one step */

struct top {
	struct task task;
	uint32_t lane; /* where to go on */
	wall_ms now;
};

static void put_lane(void *arg, const struct sched_lane_view *view)
{
	json_t *o;

	if (view->state == LANE_OPEN && view->connections == 0 && view->tried == 0)
		return;
	o = json_object();
	fact_text(o, "part", "lane");
	fact_text(o, "source", view->source);
	fact_text(o, "destination", view->destination);
	fact_text(o, "state", sched_lane_state_name(view->state));
	fact_time(o, "until", view->until);
	fact_number(o, "connections", view->connections);
	fact_number(o, "tried", view->tried);
	fact_number(o, "deferred", view->deferred);
	fact_number(o, "blocked", view->barred);
	fact_bool(o, "about_us", view->about_us);
	fact_text(o, "why", view->state == LANE_OPEN ? "" : view->why);
	task_emit(arg, o);
}

static void put_usage(json_t *o, const struct conf_tenant *tenant, wall_ms now)
{
	uint32_t connections;
	uint64_t hour, day;

	usage_read(tenant, now, &connections, &hour, &day);
	fact_number(o, "connections", connections);
	if (tenant->quota_hour > 0 || tenant->quota_day > 0) { /* nobody counts without a quota */
		fact_number(o, "quota_hour_used", hour);
		fact_number(o, "quota_day_used", day);
		fact_number(o, "quota_hour", tenant->quota_hour);
		fact_number(o, "quota_day", tenant->quota_day);
	}
}

static void put_tenant(void *arg, const struct sched_tenant_view *view)
{
	struct top *top = arg;
	const struct conf *conf = top->task.env->conf(top->task.env->arg);
	const struct conf_tenant *tenant = conf_tenant_find(conf, view->name);
	json_t *o = json_object();

	fact_text(o, "part", "tenant");
	fact_text(o, "tenant", view->name);
	fact_text(o, "state", !view->present ? "gone" : view->paused ? "paused" : "active");
	fact_number(o, "waiting", view->counts.waiting);
	fact_number(o, "active", view->counts.active);
	fact_number(o, "deferred", view->counts.deferred);
	fact_number(o, "held", view->counts.held);
	fact_number(o, "blocked", view->counts.blocked);
	row_put_sum(o, "hour", &view->hour);
	row_put_sum(o, "day", &view->day);
	if (tenant)
		put_usage(o, tenant, top->now);
	task_emit(&top->task, o);
}

static void put_late(void *arg, const struct sched_late *late)
{
	json_t *o = json_object();

	fact_text(o, "part", "late");
	fact_text(o, "destination", late->destination);
	fact_number(o, "waiting", late->waiting);
	fact_number(o, "daily", late->daily);
	fact_time(o, "gone_at", late->gone_at);
	task_emit(arg, o);
}

static enum task_state top_step(struct task *task)
{
	struct top *top = (struct top *)task;

	top->lane = sched_lanes_part(task->env->sched, top->lane, SLICE_LANES, row_now(task->env), put_lane, task);
	if (top->lane != 0)
		return TASK_MORE;
	top->now = row_now(task->env);
	sched_tenants_read(task->env->sched, top->now, put_tenant, top);
	sched_late_each(task->env->sched, top->now, put_late, task);
	return task_end(task, OPS_DONE, "%s", "");
}

const struct task_kind top_kind = { .verb = "top", .needs_daemon = true, .size = sizeof(struct top), .step = top_step };
