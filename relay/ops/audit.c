/* relay/ops/audit.c - the verb check: do the store's rows fit together, and do the scheduler's counts add up to what is stored?
 *
 * The store is walked on a thread of its own with a reader of its own: queue_check takes as long as the queue is big. The comparison
 * is made beside running deliveries, so a difference counts only when what has changed in the meantime cannot explain it, twice. */
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "relay/ops/row.h"
#include "relay/ops/task.h"
#include "relay/ops/fact.h"

#define FINDINGS_MAX   1000 /* told; all are counted */
#define SLICE_MESSAGES 200
#define COMPARISONS    3    /* the last one counts */
#define PAUSE_MS       300  /* between two of them: what is on its way between threads arrives */

struct walk {
	struct mail_item item; /* posted when the thread is done */
	pthread_t thread;
	struct queue *queue;
	struct loop *loop;
	struct check *check; /* NULL: nobody waits any more */
	json_t *findings;
	struct queue_check_totals totals;
	enum err result;
	struct err_detail why;
	bool joined;
};

/* Recipients by state, from either side. */
struct tally {
	uint64_t waiting, held; /* waiting: also deferred, active and blocked ones */
	uint64_t active;        /* the store may have settled them already */
	uint64_t changes;       /* of the counters that survive restarts: how much has moved */
};

enum phase { PHASE_WALK, PHASE_WALKING, PHASE_TELL, PHASE_BEGIN, PHASE_COMPARE };

struct check {
	struct task task;
	struct walk *walk;
	enum phase phase;
	size_t told;
	uint64_t findings;
	struct queue_check_totals totals;
	struct queue_cursor cursor;
	struct tally stored, before;
	unsigned comparisons;
	struct timer pause;
};

/* One at a time: main thread alone. */
static struct walk *running;

/* --- rows against rows ------------------------------------------------------------------------------------------------------ */

static void add_finding(void *arg, const char *finding)
{
	struct walk *walk = arg;

	if (json_array_size(walk->findings) < FINDINGS_MAX) {
		json_t *o = json_object();

		fact_text(o, "finding", finding);
		must(json_array_append_new(walk->findings, o) == 0);
	}
}

static void walk_run(struct walk *walk)
{
	struct queue_reader *reader = queue_reader_open(walk->queue);

	walk->result = queue_check(reader, add_finding, walk, &walk->totals, &walk->why);
	queue_reader_close(&reader);
}

static void *walk_main(void *arg)
{
	struct walk *walk = arg;

	walk_run(walk);
	loop_post(walk->loop, &walk->item);
	return NULL;
}

static void walk_free(struct walk *walk)
{
	json_decref(walk->findings);
	free(walk);
}

static void walk_done(struct mail_item *item)
{
	struct walk *walk = CONTAINER_OF(item, struct walk, item);

	if (!walk->joined)
		(void)pthread_join(walk->thread, NULL);
	running = NULL;
	if (!walk->check) {
		walk_free(walk);
		return;
	}
	walk->check->phase = PHASE_TELL;
	task_wake(&walk->check->task);
}

static enum task_state step_walk(struct check *check)
{
	struct task *task = &check->task;
	struct walk *walk;

	if (running)
		return task_end(task, OPS_REFUSED, "another check is running");
	walk = xcalloc(1, sizeof(*walk));
	*walk = (struct walk){
		.item.run = walk_done, .queue = task->env->queue, .loop = task->env->loop, .check = check, .findings = json_array(),
	};
	check->walk = walk;
	check->phase = PHASE_TELL;
	if (!task->env->loop) {
		walk_run(walk);
		return TASK_MORE;
	}
	check->phase = PHASE_WALKING;
	if (pthread_create(&walk->thread, NULL, walk_main, walk) != 0)
		return task_end(task, OPS_REFUSED, "no thread can be started");
	running = walk;
	return TASK_WAIT;
}

void audit_finish(void)
{
	if (!running || running->joined)
		return;
	(void)pthread_join(running->thread, NULL);
	running->joined = true;
}

static enum task_state step_tell(struct check *check)
{
	struct task *task = &check->task;
	struct walk *walk = check->walk;
	json_t *finding;
	size_t i;

	if (walk->result != OK)
		return task_end(task, OPS_REFUSED, "%s", walk->why.text);
	json_array_foreach(walk->findings, i, finding)
		task_emit(task, json_incref(finding));
	check->findings = walk->totals.findings;
	check->totals = walk->totals;
	check->phase = PHASE_BEGIN;
	return TASK_MORE;
}

/* --- the scheduler against rows --------------------------------------------------------------------------------------------- */

static void add_total(void *arg, const char *destination, const struct sched_counts *counts, unsigned reasons, wall_ms ask_again)
{
	struct tally *tally = arg;

	if (destination[0])
		return;
	tally->waiting = counts->waiting + counts->deferred + counts->active + counts->blocked;
	tally->active = counts->active;
	tally->held = counts->held;
}

static void add_changes(void *arg, const char *destination, const struct queue_counts *counts)
{
	if (!destination[0])
		((struct tally *)arg)->changes = counts->accepted + counts->delivered + counts->bounced + counts->dropped;
}

static bool tally_sched(struct check *check, struct tally *tally)
{
	const struct ops_env *env = check->task.env;
	struct err_detail why;

	*tally = (struct tally){ .waiting = 0 };
	sched_counts_read(env->sched, row_now(env), add_total, tally);
	if (queue_counts_read(env->reader, add_changes, tally, &why) == OK)
		return true;
	(void)task_end(&check->task, OPS_REFUSED, "%s", why.text);
	return false;
}

static bool tally_job(void *arg, const struct queue_job *job)
{
	struct check *check = arg;

	for (size_t i = 0; i < job->rcpt_count; i++) {
		struct row row;

		row_fill(&row, check->task.env, job, i, 0);
		if (row.state == ROW_HELD)
			check->stored.held++;
		else
			check->stored.waiting++;
	}
	return true;
}

static void tell_difference(struct check *check, const char *what, uint64_t sched, uint64_t stored)
{
	char text[160];
	json_t *o = json_object();

	(void)snprintf(text, sizeof(text), "the scheduler counts %" PRIu64 " %s recipients, the store has %" PRIu64, sched, what, stored);
	fact_text(o, "finding", text);
	task_emit(&check->task, o);
	check->findings++;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* OK: nothing to tell; otherwise the differences are findings when this was the last comparison. */
static bool compare(struct check *check, const struct tally *after)
{
	/* Holding and releasing move recipients between the two sides without a counter. */
	uint64_t slack = after->active + distance(after->changes, check->before.changes) + distance(after->held, check->before.held) +
	    distance(after->waiting, check->before.waiting);
	bool waiting_differs = distance(after->waiting, check->stored.waiting) > slack;
	bool held_differs = distance(after->held, check->stored.held) > slack;

	if (check->comparisons < COMPARISONS)
		return !waiting_differs && !held_differs;
	if (waiting_differs)
		tell_difference(check, "waiting", after->waiting, check->stored.waiting);
	if (held_differs)
		tell_difference(check, "held", after->held, check->stored.held);
	return true;
}

static void pause_over(void *arg)
{
	task_wake(&((struct check *)arg)->task);
}

static enum task_state finish(struct check *check)
{
	struct task *task = &check->task;
	bool complete = task->env->dispatch && dispatch_complete(task->env->dispatch);

	task->summary = json_object();
	fact_number(task->summary, "messages", check->totals.messages);
	fact_number(task->summary, "recipients", check->totals.rcpts);
	fact_number(task->summary, "chunks", check->totals.chunks);
	fact_number(task->summary, "letters", check->totals.letters);
	fact_number(task->summary, "findings", check->findings);
	fact_bool(task->summary, "compared", complete);
	return task_end(task, check->findings > 0 ? OPS_REFUSED : OPS_DONE,
	    "%" PRIu64 " messages, %" PRIu64 " recipients, %" PRIu64 " body chunks: %" PRIu64 " finding%s%s", check->totals.messages,
	    check->totals.rcpts, check->totals.chunks, check->findings, check->findings == 1 ? "" : "s",
	    !task->env->sched || complete ? "" : "; entries are still being read back, so they were not compared");
}

static enum task_state step_begin(struct check *check)
{
	if (!check->task.env->dispatch || !dispatch_complete(check->task.env->dispatch))
		return finish(check);
	check->comparisons++;
	check->cursor = (struct queue_cursor){ .id = 0 };
	check->stored = (struct tally){ .waiting = 0 };
	check->phase = PHASE_COMPARE;
	return tally_sched(check, &check->before) ? TASK_MORE : TASK_END;
}

static enum task_state step_compare(struct check *check)
{
	struct tally after;
	struct err_detail why;

	if (queue_scan(check->task.env->reader, &check->cursor, SLICE_MESSAGES, tally_job, check, &why) != OK)
		return task_end(&check->task, OPS_REFUSED, "%s", why.text);
	if (!check->cursor.end)
		return TASK_MORE;
	if (!tally_sched(check, &after))
		return TASK_END;
	if (compare(check, &after))
		return finish(check);
	check->phase = PHASE_BEGIN;
	timer_start(&check->pause, PAUSE_MS);
	return TASK_WAIT;
}

/* --- the verb --------------------------------------------------------------------------------------------------------------- */

static bool check_start(struct task *task)
{
	struct check *check = (struct check *)task;

	if (task->env->loop)
		timer_init(&check->pause, task->env->loop, pause_over, check);
	return true;
}

static enum task_state check_step(struct task *task)
{
	struct check *check = (struct check *)task;

	switch (check->phase) {
	case PHASE_WALK:
		return step_walk(check);
	case PHASE_WALKING:
		return TASK_WAIT;
	case PHASE_TELL:
		return step_tell(check);
	case PHASE_BEGIN:
		return step_begin(check);
	case PHASE_COMPARE:
		break;
	}
	return step_compare(check);
}

static bool check_fini(struct task *task)
{
	struct check *check = (struct check *)task;

	if (check->walk && check->walk == running)
		check->walk->check = NULL; /* walk_done frees it */
	else if (check->walk)
		walk_free(check->walk);
	timer_fini(&check->pause);
	return true;
}

const struct task_kind check_kind = {
	.verb = "check", .size = sizeof(struct check), .start = check_start, .step = check_step, .fini = check_fini,
};
