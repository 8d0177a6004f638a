/* relay/deliver/dispatch_lane.c - what becomes of lanes: each change of a state goes to the log. */
#include "base/log.h"
#include "relay/deliver/dispatch_int.h"

#include <stdlib.h>

/* Somebody is told of what asks for somebody's doing, not of a host that was away for a while. While it is probed the trouble is not known
 * to be over. */
static void alert(struct dispatch *d, const struct sched_lane_view *view)
{
	char *object = xasprintf("%s to %s", view->source, view->destination);

	if (view->state == LANE_CLOSED && view->about_us)
		dispatch_alert_raise(d, ALERT_BLOCK, 0, object, "%s", view->why);
	else if (view->state != LANE_PROBING)
		dispatch_alert_clear(d, ALERT_BLOCK, object);
	free(object);
}

static void on_lane(void *arg, const struct sched_lane_view *view)
{
	bool trouble = view->state == LANE_CLOSED;
	struct log_line line;

	alert(arg, view);
	log_begin(&line, trouble ? LOG_WARN : LOG_INFO, "lane-state");
	log_str(&line, "source", view->source);
	log_str(&line, "destination", view->destination);
	log_str(&line, "from", sched_lane_state_name(view->from));
	log_str(&line, "to", sched_lane_state_name(view->state));
	if (view->until != 0) {
		char until[CLOCK_TEXT];

		log_str(&line, "until", clock_rfc3339(view->until, until));
	}
	log_str(&line, "why", view->why);
	log_end(&line);
}

void dispatch_lane_listen(struct dispatch *d)
{
	sched_listen(d->env.sched, on_lane, d);
}
