/* relay/ops/hosts.c - the verb hosts: receiving addresses that are known as down, and until when nobody tries them. */
#include "relay/ops/hosts.h"

#include <stdio.h>

#include "relay/ops/fact.h"
#include "relay/ops/task.h"

#define SLICE 500 /* addresses looked at in one step */

struct hosts {
	struct task task;
	size_t at;
};

json_t *host_json(const struct host_view *view)
{
	json_t *o = json_object();
	char at[IP_PORT_TEXT];

	fact_text(o, "address", ip_port_format(&view->at, at));
	fact_text(o, "name", view->name);
	fact_time(o, "since", view->since);
	fact_time(o, "until", view->until);
	fact_number(o, "failures", view->failures);
	fact_bool(o, "probing", view->probing);
	fact_bool(o, "one_source", view->for_one);
	fact_text(o, "why", view->why);
	return o;
}

static void emit(void *arg, const struct host_view *view)
{
	task_emit(arg, host_json(view));
}

static enum task_state hosts_step(struct task *task)
{
	struct hosts *hosts = (struct hosts *)task;
	bool more = hostmap_walk(dispatch_hosts(task->env->dispatch), hosts->at, SLICE, emit, task);

	hosts->at += SLICE;
	return more ? TASK_MORE : task_end(task, OPS_DONE, "%s", "");
}

const struct task_kind hosts_kind = { .verb = "hosts", .needs_daemon = true, .size = sizeof(struct hosts), .step = hosts_step };
