/* relay/ops/stats.c - the verb stats: an object for each destination and one for the total, in recipients.
 *
 * With a daemon the scheduler's own counts are read, in proportion to destinations. Without one the store is walked. */
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "base/version.h"
#include "queue/dead.h"
#include "relay/ops/row.h"
#include "relay/ops/task.h"
#include "relay/ops/fact.h"

#define SLICE_MESSAGES 500 /* walked in one step, without a daemon */
#define SLICE_LINES    500 /* emitted in one step */

struct figures {
	char *name; /* "" is the total */
	UT_hash_handle hh;
	uint64_t states[ROW_STATES];
	struct queue_counts counts;
	uint64_t connections;
	wall_ms oldest;
	unsigned reasons;
	wall_ms ask_again;
};

enum phase { PHASE_STORE, PHASE_COUNTS, PHASE_EMIT };

struct stats {
	struct task task;
	struct figures *table;
	struct figures total;
	struct figures *next; /* to emit */
	enum phase phase;
	struct queue_cursor cursor;
	uint64_t messages;
	wall_ms now;
};

static struct figures *figures_of(struct stats *stats, const char *name)
{
	struct figures *f;

	if (!name[0])
		return &stats->total;
	HASH_FIND_STR(stats->table, name, f);
	if (f)
		return f;
	f = xcalloc(1, sizeof(*f));
	f->name = xstrdup(name);
	f->ask_again = WALL_NEVER;
	HASH_ADD_KEYPTR(hh, stats->table, f->name, strlen(f->name), f);
	return f;
}

/* --- from the scheduler ----------------------------------------------------------------------------------------------------- */

static void add_scheduled(void *arg, const char *destination, const struct sched_counts *counts, unsigned reasons, wall_ms ask_again)
{
	struct figures *f = figures_of(arg, destination);

	f->states[ROW_WAITING] += counts->waiting;
	f->states[ROW_DEFERRED] += counts->deferred;
	f->states[ROW_ACTIVE] += counts->active;
	f->states[ROW_HELD] += counts->held;
	f->states[ROW_BLOCKED] += counts->blocked;
	f->connections += counts->connections;
	f->oldest = counts->oldest;
	f->reasons |= reasons;
	f->ask_again = ask_again;
}

/* --- from the store alone --------------------------------------------------------------------------------------------------- */

static void count_row(struct figures *f, const struct row *row)
{
	f->states[row->state]++;
	if (f->oldest == 0 || row->message->arrived < f->oldest)
		f->oldest = row->message->arrived;
}

static bool add_stored(void *arg, const struct queue_job *job)
{
	struct stats *stats = arg;

	stats->messages++;
	for (size_t i = 0; i < job->rcpt_count; i++) {
		struct row row;

		row_fill(&row, stats->task.env, job, i, stats->now);
		count_row(figures_of(stats, row.destination), &row);
		count_row(&stats->total, &row);
	}
	return true;
}

static enum task_state step_store(struct stats *stats)
{
	struct task *task = &stats->task;
	struct err_detail why;

	if (task->env->sched) {
		sched_counts_read(task->env->sched, stats->now, add_scheduled, stats);
		stats->phase = PHASE_COUNTS;
		return TASK_MORE;
	}
	if (queue_scan(task->env->reader, &stats->cursor, SLICE_MESSAGES, add_stored, stats, &why) != OK)
		return task_end(task, OPS_REFUSED, "%s", why.text);
	if (stats->cursor.end)
		stats->phase = PHASE_COUNTS;
	return TASK_MORE;
}

/* --- counters --------------------------------------------------------------------------------------------------------------- */

static void add_counts(void *arg, const char *destination, const struct queue_counts *counts)
{
	figures_of(arg, destination)->counts = *counts;
}

static uint64_t still_to_go(const struct figures *f)
{
	return f->states[ROW_WAITING] + f->states[ROW_DEFERRED];
}

/* What waits most comes first. */
static int by_waiting(struct figures *a, struct figures *b)
{
	uint64_t x = still_to_go(a), y = still_to_go(b);

	return x != y ? (x < y ? 1 : -1) : strcmp(a->name, b->name);
}

static enum task_state step_counts(struct stats *stats)
{
	struct task *task = &stats->task;
	struct err_detail why;

	if (queue_counts_read(task->env->reader, add_counts, stats, &why) != OK)
		return task_end(task, OPS_REFUSED, "%s", why.text);
	HASH_SORT(stats->table, by_waiting);
	stats->next = stats->table;
	stats->phase = PHASE_EMIT;
	return TASK_MORE;
}

/* --- the answer ------------------------------------------------------------------------------------------------------------- */

static void put_figures(json_t *o, const struct figures *f)
{
	char why[SCHED_WHY_TEXT];

	for (enum row_state state = 0; state < ROW_STATES; state++)
		fact_number(o, row_state_name(state), f->states[state]);
	fact_number(o, "delivered", f->counts.delivered);
	fact_number(o, "bounced", f->counts.bounced);
	fact_number(o, "dropped", f->counts.dropped);
	fact_number(o, "in_doubt", f->counts.in_doubt);
	fact_number(o, "connections", f->connections);
	fact_time(o, "oldest", f->oldest);
	fact_json(o, "reasons", row_reason_names(f->reasons));
	fact_text(o, "why", sched_why_text(f->reasons, why));
	fact_time(o, "ask_again", f->ask_again);
}

static void put_guard(json_t *o, const struct guard *guard)
{
	struct guard_figures figures;

	guard_figures_read(guard, &figures);
	fact_number(o, "auth_failures", figures.failures);
	fact_number(o, "bans", figures.bans);
	fact_number(o, "locks", figures.locks);
	fact_number(o, "banned", figures.banned);
	fact_number(o, "locked", figures.locked);
	fact_number(o, "banned_connections", figures.refused);
}

/* With the daemon down what it has last written counts. */
static void put_hops(json_t *o, const struct ops_env *env)
{
	struct hops_counts hops;

	if (env->dispatch)
		hops = *dispatch_hops(env->dispatch);
	else
		hops_read(env->reader, &hops);
	fact_number(o, "plaintext", hops.plaintext);
	fact_number(o, "tls", hops.tls);
	fact_number(o, "dane", hops.dane);
	fact_number(o, "verified", hops.verified);
}

static void emit_total(struct stats *stats)
{
	const struct ops_env *env = stats->task.env;
	struct queue_figures figures;
	struct queue_dead dead = { 0 };
	json_t *o = json_object();

	queue_figures(env->queue, &figures);
	(void)!queue_dead_read(env->reader, &dead, NULL); /* a figure that cannot be read leaves the others as they are */
	fact_bool(o, "total", true);
	put_figures(o, &stats->total);
	fact_number(o, "accepted", stats->total.counts.accepted);
	fact_number(o, "dead", dead.letters);
	fact_number(o, "dead_bytes", dead.bytes);
	fact_bool(o, "daemon", env->sched != NULL);
	fact_bool(o, "complete", env->dispatch ? dispatch_complete(env->dispatch) : stats->cursor.end);
	put_hops(o, env);
	if (env->dispatch) {
		fact_number(o, "hosts_down", hostmap_count_down(dispatch_hosts(env->dispatch)));
		fact_text(o, "dnssec", dns_validation_name(dispatch_dnssec(env->dispatch)));
		if (dispatch_dnssec_trouble(env->dispatch))
			fact_text(o, "dnssec_trouble", dispatch_dnssec_trouble(env->dispatch));
	}
	if (env->sched) {
		fact_number(o, "jobs", sched_job_count(env->sched));
		fact_number(o, "entry_bytes", sched_memory(env->sched));
		fact_number(o, "used_bytes", figures.used_bytes);
		fact_number(o, "quota_bytes", figures.quota_bytes);
		fact_number(o, "free_bytes", figures.free_bytes);
		fact_number(o, "commits", figures.commits);
		fact_number(o, "writes_waiting", figures.pending);
		fact_time(o, "started", env->started);
	} else {
		fact_number(o, "messages", stats->messages);
	}
	if (env->guard)
		put_guard(o, env->guard);
	fact_text(o, "version", WARMRELAY_VERSION);
	task_emit(&stats->task, o);
}

static enum task_state step_emit(struct stats *stats)
{
	for (unsigned i = 0; i < SLICE_LINES && stats->next; i++) {
		json_t *o = json_object();

		fact_text(o, "destination", stats->next->name);
		put_figures(o, stats->next);
		task_emit(&stats->task, o);
		stats->next = stats->next->hh.next;
	}
	if (stats->next)
		return TASK_MORE;
	emit_total(stats);
	return task_end(&stats->task, OPS_DONE, "%s", "");
}

static bool stats_start(struct task *task)
{
	struct stats *stats = (struct stats *)task;

	stats->now = row_now(task->env);
	stats->total.ask_again = WALL_NEVER;
	return true;
}

static enum task_state stats_step(struct task *task)
{
	struct stats *stats = (struct stats *)task;

	switch (stats->phase) {
	case PHASE_STORE:
		return step_store(stats);
	case PHASE_COUNTS:
		return step_counts(stats);
	case PHASE_EMIT:
		break;
	}
	return step_emit(stats);
}

static bool stats_fini(struct task *task)
{
	struct stats *stats = (struct stats *)task;
	struct figures *f, *next;

	HASH_ITER(hh, stats->table, f, next) {
		HASH_DEL(stats->table, f);
		free(f->name);
		free(f);
	}
	return true;
}

const struct task_kind stats_kind = {
	.verb = "stats", .size = sizeof(struct stats), .start = stats_start, .step = stats_step, .fini = stats_fini,
};
