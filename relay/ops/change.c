/* relay/ops/change.c - the verbs that change recipients: retry, hold, release, drop, bounce, reroute; a message at a time, in slices.
 *
 * Whoever goes away in the middle has changed what was done until then; what is under way is finished. */
#include <stdlib.h>
#include <string.h>

#include "relay/ops/choice.h"
#include "relay/ops/fact.h"

#define SLICE_MESSAGES 64
#define UNDER_WAY_MAX  200 /* messages at the writer: one transaction takes about as many */
#define REASON_MAX     400 /* bytes that a row keeps of the operator's words */

struct pending {
	msg_id id;
	size_t first, count; /* in change.ns */
};

struct change {
	struct task task;
	const struct change_row *row;
	struct choice choice;
	const char *reason; /* of the arguments, or NULL */
	bool dry_run, all_walked;
	size_t under_way;
	uint64_t matched, changed, busy, unfit, failed;
	bool waits;            /* for `wake` */
	struct pending *found; /* of this slice */
	size_t found_count;
	uint32_t *ns;
	size_t n_count, n_cap;
	char why[200];         /* of the first failure */
};

static bool is_not_held(const struct row *row) { return row->rcpt->state != RCPT_HELD; }
static bool is_held(const struct row *row) { return row->rcpt->state != RCPT_WAITING; }
static bool is_any(const struct row *row) { return true; }

static const struct change_row {
	const struct task_kind *kind;
	enum change_verb verb;
	bool (*fits)(const struct row *row);
	const char *unfit; /* what those are that do not fit */
	bool is_refusal;   /* an ID that does not fit has been refused, not just done already */
} rows[] = {
	{ &retry_kind, CHANGE_RETRY, is_not_held, "held (release comes first)", true },
	{ &hold_kind, CHANGE_HOLD, is_not_held, "held already", false },
	{ &release_kind, CHANGE_RELEASE, is_held, "not held", false },
	{ &drop_kind, CHANGE_DROP, is_any, "", false },
	{ &bounce_kind, CHANGE_BOUNCE, is_any, "", false },
	{ &reroute_kind, CHANGE_REROUTE, is_any, "", false },
};

/* "" fine, else what is wrong with the pool that is asked for. */
static const char *fault_of_pool(const struct task *task)
{
	const struct conf *conf = task->env->conf ? task->env->conf(task->env->arg) : NULL;
	const char *pool = task_text(task, "pool");

	if (task->kind != &reroute_kind)
		return "";
	if (!pool)
		return "reroute to which pool? expected --pool NAME";
	return conf && conf_pool_find(conf, pool) ? "" : "--pool: no pool of that name is in the configuration";
}

static bool change_start(struct task *task)
{
	struct change *change = (struct change *)task;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].kind == task->kind)
			change->row = &rows[i];
	change->reason = task_text(task, task->kind == &reroute_kind ? "pool" : "reason");
	change->dry_run = json_is_true(json_object_get(task->args, "dry_run"));
	if (!change->dry_run && !task->env->dispatch) {
		(void)task_end(task, OPS_UNREACHABLE, "%s needs a running daemon", task->kind->verb);
		return false;
	}
	if (fault_of_pool(task)[0]) {
		(void)task_end(task, OPS_USAGE, "%s", fault_of_pool(task));
		return false;
	}
	if (change->reason && strlen(change->reason) > REASON_MAX) {
		(void)task_end(task, OPS_USAGE, "reason: expected at most %d bytes", REASON_MAX);
		return false;
	}
	if (!choice_init(&change->choice, task))
		return false;
	if (!choice_is_given(&change->choice)) {
		(void)task_end(task, OPS_USAGE, "%s whom? expected IDs or a filter; '*' is all", task->kind->verb);
		return false;
	}
	change->found = xcalloc(SLICE_MESSAGES, sizeof(change->found[0]));
	return true;
}

/* --- a slice of the store --------------------------------------------------------------------------------------------------- */

static bool change_row(void *arg, const struct row *row)
{
	struct change *change = arg;

	change->matched++;
	if (!change->row->fits(row)) {
		change->unfit++;
		return true;
	}
	if (change->dry_run) {
		if (row->state == ROW_ACTIVE)
			change->busy++;
		else
			change->changed++;
		task_emit(&change->task, row_json(row));
		return true;
	}
	if (change->n_count == change->n_cap) {
		change->n_cap = change->n_cap ? 2 * change->n_cap : 256;
		change->ns = xrealloc(change->ns, change->n_cap * sizeof(change->ns[0]));
	}
	change->ns[change->n_count++] = row->rcpt->n;
	return true;
}

static bool change_message(void *arg, const struct queue_job *job)
{
	struct change *change = arg;
	size_t first = change->found_count > 0 ?
	    change->found[change->found_count - 1].first + change->found[change->found_count - 1].count : 0;

	if (change->n_count > first)
		change->found[change->found_count++] = (struct pending){ job->message.id, first, change->n_count - first };
	return true;
}

static void tell_failure(struct change *change, const struct change_result *result)
{
	change->failed++;
	if (!change->why[0])
		(void)snprintf(change->why, sizeof(change->why), "%s", result->why && result->why[0] ? result->why : err_name(result->result));
}

static void changed(void *arg, const struct change_result *result)
{
	struct change *change = arg;

	change->under_way--;
	change->changed += result->changed;
	change->busy += result->busy;
	/* Gone by now: delivered or changed by somebody else since the walk came by. */
	if (result->result != OK && result->result != ERR_NOT_FOUND)
		tell_failure(change, result);
	if (change->task.abandoned) {
		if (change->under_way == 0)
			task_free(&change->task);
		return;
	}
	if (change->waits && change->under_way <= UNDER_WAY_MAX - SLICE_MESSAGES && (!change->all_walked || change->under_way == 0)) {
		change->waits = false;
		task_wake(&change->task);
	}
}

static void submit(struct change *change)
{
	for (size_t i = 0; i < change->found_count; i++) {
		const struct pending *found = &change->found[i];

		change->under_way++;
		dispatch_change(change->task.env->dispatch, found->id, change->ns + found->first, found->count, change->row->verb,
		    change->reason, changed, change);
	}
}

/* --- the end ---------------------------------------------------------------------------------------------------------------- */

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

static enum ops_exit exit_of(const struct change *change, size_t missing)
{
	if (change->failed > 0 || missing > 0)
		return OPS_REFUSED;
	if (change->choice.is_open || change->changed > 0)
		return OPS_DONE;
	return change->busy > 0 || (change->unfit > 0 && change->row->is_refusal) ? OPS_REFUSED : OPS_DONE;
}

static enum task_state finish(struct change *change)
{
	struct task *task = &change->task;
	size_t missing = choice_tell_missing(&change->choice, task);
	char text[600];
	int len = snprintf(text, sizeof(text), "%llu recipient%s %schanged", (unsigned long long)change->changed,
	    plural(change->changed), change->dry_run ? "would be " : "");

	if (change->busy > 0)
		len += snprintf(text + len, sizeof(text) - (size_t)len, ", %llu being delivered %s left alone",
		    (unsigned long long)change->busy, change->busy == 1 ? "was" : "were");
	if (change->unfit > 0)
		len += snprintf(text + len, sizeof(text) - (size_t)len, ", %llu %s %s", (unsigned long long)change->unfit,
		    change->unfit == 1 ? "is" : "are", change->row->unfit);
	if (change->failed > 0)
		(void)snprintf(text + len, sizeof(text) - (size_t)len, ", %llu message%s failed: %s", (unsigned long long)change->failed,
		    plural(change->failed), change->why);
	task->summary = json_object();
	fact_number(task->summary, "matched", change->matched);
	fact_number(task->summary, "changed", change->changed);
	fact_number(task->summary, "busy", change->busy);
	fact_number(task->summary, "failed", change->failed);
	return task_end(task, exit_of(change, missing), "%s", text);
}

static enum task_state change_step(struct task *task)
{
	struct change *change = (struct change *)task;
	struct err_detail why;

	if (!change->all_walked && change->under_way <= UNDER_WAY_MAX - SLICE_MESSAGES) {
		change->found_count = 0;
		change->n_count = 0;
		if (choice_walk(&change->choice, task->env, SLICE_MESSAGES, change_row, change_message, change, &change->all_walked, &why) !=
		    OK)
			return task_end(task, OPS_REFUSED, "%s", why.text);
		submit(change);
		return TASK_MORE;
	}
	if (change->under_way == 0)
		return finish(change);
	change->waits = true;
	return TASK_WAIT;
}

static bool change_fini(struct task *task)
{
	struct change *change = (struct change *)task;

	choice_fini(&change->choice);
	free(change->found);
	free(change->ns);
	return change->under_way == 0;
}

#define CHANGE_KIND(name) \
	const struct task_kind name##_kind = { \
		.verb = #name, .size = sizeof(struct change), .start = change_start, .step = change_step, .fini = change_fini, \
	}
CHANGE_KIND(retry);
CHANGE_KIND(hold);
CHANGE_KIND(release);
CHANGE_KIND(drop);
CHANGE_KIND(bounce);
CHANGE_KIND(reroute);
