/* relay/ops/choice.h - which recipients the operator means: IDs and filters, and the walk over the store that finds them. */
#ifndef OPS_CHOICE_H
#define OPS_CHOICE_H

#include "relay/ops/row.h"
#include "relay/ops/task.h"

/* One ID as given: a message, or one recipient of it. */
struct chosen {
	msg_id id;
	uint32_t n;
	bool whole; /* all recipients of the message */
	bool found; /* it is (or was, when the walk came by) in the queue */
};

struct choice {
	struct chosen *ids; /* sorted by id; explicit ones */
	size_t id_count, id_at;
	json_t *patterns;       /* wildcards over IDs; owned */
	const json_t *args;     /* borrowed */
	int64_t older_ms;       /* 0: any age */
	bool is_open;           /* the arguments name no IDs: all of the store is walked */
	struct queue_cursor cursor;
	msg_id end;             /* what came in later is not meant */
};

/* Read "ids" (array of texts: ID, ID.n, or wildcards over them), the filters destination tenant sender rcpt reply state source class (a text
 * or an array of texts of which one must match; shell wildcards, without regard to case) and "older" (ms). False: task ended with
 * OPS_USAGE. The arguments must outlive the choice. */
bool choice_init(struct choice *choice, struct task *task);

/* The argument "limit" of a listing; 0 when it was not given. False: task ended with OPS_USAGE. */
bool choice_limit(struct task *task, uint64_t *limit_out);
void choice_fini(struct choice *choice);

/* Is anything chosen at all, by ID or filter? */
bool choice_is_given(const struct choice *choice);

/* Called with each chosen recipient, inside a read transaction of env->reader: that reader must not be used. False: the slice ends after
 * this message. */
typedef bool (*choice_row_fn)(void *arg, const struct row *row);
/* Called after the rows of a message of which at least one was chosen; otherwise as above. */
typedef bool (*choice_message_fn)(void *arg, const struct queue_job *job);

/* Visit up to `max` messages more; either function may be NULL. *end_out: there are no more. */
MUST_USE enum err choice_walk(struct choice *choice, const struct ops_env *env, size_t max, choice_row_fn row_fn,
    choice_message_fn message_fn, void *arg, bool *end_out, struct err_detail *why);

/* After the walk: emit {"id": ..., "error": ...} for each explicit ID that was not found; returns how many. */
size_t choice_tell_missing(const struct choice *choice, struct task *task);
/* The same in other words than "not in the queue". */
size_t choice_tell_lost(const struct choice *choice, struct task *task, const char *words);

/* Does a text match a shell wildcard, without regard to case? `within`: a pattern without wildcards may stand anywhere in it. Pure. */
bool choice_text_matches(const char *pattern, const char *text, bool within);

/* --- for other walks ------------------------------------------------------------------------------------------------------- */

/* Is recipient `n` of the message among the explicit IDs, or are there none? Notes that it was found. */
bool choice_names(struct choice *choice, msg_id id, uint32_t n);
/* Do the filters let it pass? `since`: what "older" counts from. */
bool choice_passes(const struct choice *choice, const struct row *row, wall_ms since, wall_ms now);

#endif
