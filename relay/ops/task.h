/* relay/ops/task.h - one request of the operator under way: works in slices and emits JSON objects.
 *
 * The same tasks answer on the control socket and, without a daemon, in the tool itself: then `loop`, `sched` and `dispatch` of the
 * environment are NULL and the store is read alone. */
#ifndef OPS_TASK_H
#define OPS_TASK_H

#include <jansson.h>

#include "relay/ops/ops.h"

/* Exit status of the tool, and of the last line of an answer. */
enum ops_exit { OPS_DONE, OPS_REFUSED, OPS_USAGE, OPS_UNREACHABLE };

enum task_state {
	TASK_MORE, /* call step again when the output has drained */
	TASK_WAIT, /* call step again after `wake` */
	TASK_END,  /* exit and message are final */
};

struct task;

struct task_kind {
	const char *verb;
	bool needs_daemon;
	size_t size; /* of the struct that begins with struct task */
	/* Read task->args (an object). False: task_end was called; fini follows, whatever start has done by then. May be NULL. */
	bool (*start)(struct task *task);
	enum task_state (*step)(struct task *task);
	/* Nobody wants the answer any more, or it is complete: free what start and step made. Requests under way may go on; then
	 * `fini` returns false and the task calls task_free itself when the last has ended. May be NULL. */
	bool (*fini)(struct task *task);
};

/* Where a task's results go. */
struct task_out {
	void (*emit)(void *arg, json_t *object); /* takes the reference */
	void (*wake)(void *arg);                 /* after TASK_WAIT, never from inside step */
	void *arg;
};

struct task {
	const struct task_kind *kind;
	const struct ops_env *env; /* borrowed; not to be used once abandoned */
	struct task_out out;
	json_t *args;
	enum ops_exit exit;
	char *message; /* for the operator, or NULL; owned */
	json_t *summary; /* further fields of the end line, or NULL; owned */
	bool abandoned;
};

/* Start `verb`; `args` is borrowed (an object or NULL). Never NULL: an unknown verb or bad arguments are a task that ends at its
 * first step with exit and message. */
struct task *task_create(const struct ops_env *env, const char *verb, json_t *args, const struct task_out *out) MUST_USE;
enum task_state task_step(struct task *task);

/* End it; nothing is emitted any more. Sets the pointer to NULL; NULL inside is accepted. */
void task_destroy(struct task **task);

/* The last object of an answer: {"end": true, "exit": N, "message": ...} with the summary's fields. A new reference. */
json_t *task_end_line(const struct task *task) MUST_USE;

/* Of a verb that changes something and answers once that is in the store, for whoever has read the answer may pull the plug. Its struct begins with
 * this one, and its `fini` returns task_is_stored. */
struct storing {
	struct task task;
	bool under_way; /* set by the verb when it has asked for it, with task_stored as what to call */
	bool stored;    /* it has ended, well or not; step is called again */
	enum err result;
	char why[200];  /* not stored because of this; "" when it is */
};

void task_stored(void *storing, enum err result, const char *why);
bool task_is_stored(const struct task *storing); /* nothing is under way */

/* --- for the verbs -------------------------------------------------------------------------------------------------------- */

void task_emit(struct task *task, json_t *object); /* takes the reference */
void task_wake(struct task *task);
void task_free(struct task *task); /* memory alone, see task_kind.fini */

/* Set exit and message; returns TASK_END. An empty message is none: say "%s", "". */
enum task_state task_end(struct task *task, enum ops_exit exit, const char *format, ...) PRINTF_LIKE(3, 4) __attribute__((nonnull(3)));

/* An argument that is a text; NULL: absent or something else. Borrowed. */
const char *task_text(const struct task *task, const char *key);

/* Wait for the thread of a check that is under way: before the queue is closed. */
void audit_finish(void);

/* One row for each verb, ending with verb NULL. */
extern const struct task_kind *const task_kinds[];
extern const struct task_kind list_kind, stats_kind, show_kind, cat_kind, why_kind, check_kind, source_kind, reload_kind, pause_kind,
    resume_kind, ban_kind, retry_kind, hold_kind, release_kind, drop_kind, bounce_kind, reroute_kind, warmup_kind, suppress_kind, alerts_kind, hosts_kind, tls_report_kind,
    top_kind, dead_list_kind, dead_show_kind, dead_cat_kind, dead_drop_kind, dead_replay_kind;

#endif
