/* relay/ops/row.h - one undelivered recipient as the operator sees it: what the store and the scheduler know, joined. */
#ifndef OPS_ROW_H
#define OPS_ROW_H

#include <jansson.h>

#include "relay/ops/ops.h"

#define ROW_ID (MSG_ID_TEXT + 11) /* "ID.n" */

enum row_state { ROW_WAITING, ROW_ACTIVE, ROW_DEFERRED, ROW_HELD, ROW_BLOCKED, ROW_STATES };
const char *row_state_name(enum row_state state); /* "waiting" */

/* All texts are borrowed: from the job, the configuration, the scheduler, or the row itself. Do not copy. */
struct row {
	const struct queue_message *message;
	const struct queue_rcpt *rcpt;
	char id[ROW_ID];
	enum row_state state;
	const char *destination; /* the scheduler's, else the provider's of the domain, else the domain */
	const char *reason;      /* why it is in its state; "" nothing to tell */
	const char *priority;    /* its class */
	const char *source;      /* of the attempt under way or the last one; "" none */
	wall_ms next;            /* 0: no attempt is planned (active, held) */
	wall_ms since;           /* ACTIVE: start of the attempt; else 0 */
	bool scheduled;          /* the scheduler knows it; then `view` counts */
	struct sched_view view;
	char text[SCHED_WHY_TEXT];
};

/* Fill `row` with recipient `i` of a job. */
void row_fill(struct row *row, const struct ops_env *env, const struct queue_job *job, size_t i, wall_ms now);

/* The scheduler's time with a daemon, else the clock. */
wall_ms row_now(const struct ops_env *env);

/* The class of a message in words. */
const char *row_priority(const struct ops_env *env, const struct queue_message *message);

/* The members of `list`: id rcpt sender tenant destination state reason priority attempts next deadline size source reply class. */
json_t *row_json(const struct row *row) MUST_USE;

/* What became of recipients, as a member {delivered, deferred, blocked, refused}. */
void row_put_sum(json_t *object, const char *key, const struct ledger_sum *sum);

/* The reasons of `bits` as an array of short names. */
json_t *row_reason_names(unsigned bits) MUST_USE;

#endif
