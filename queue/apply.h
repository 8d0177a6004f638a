/* queue/apply.h - what each kind of request does inside a write transaction. Writer thread only.
 *
 * A request is checked as far as possible before it writes, so that a bad one leaves the transaction of its neighbours clean. */
#ifndef QUEUE_APPLY_H
#define QUEUE_APPLY_H

#include "queue/counts.h"
#include "queue/dead_sum.h"
#include "queue/memo.h"
#include "queue/txn.h"

/* What requests do to the size of the store, in the order in which a full disk sheds them. */
enum apply_tier {
	APPLY_GROWS, /* new mail */
	APPLY_STAYS, /* claims, updates, settles that bring a bounce */
	APPLY_FREES,
	APPLY_TIERS
};

struct apply_cost {
	uint64_t rows;  /* at least 1 */
	uint64_t bytes; /* of bodies */
};

/* Bodies whose rows are left for later slices, because deleting them at once would be too much for one transaction. */
struct apply_left {
	msg_id *ids; /* malloc'ed */
	size_t count, cap;
};

/* One transaction under way. */
struct apply {
	struct txn txn;
	struct counts counts;
	struct memos memos;
	struct apply_left left; /* by this transaction: void when it aborts */
	uint64_t chunk_bytes;
	msg_id run;     /* first id of this run, for claims */
	msg_id last_id; /* highest that was stored */
	bool dirty;     /* the current request has written something */
	struct dead_sum dead; /* of the store, with this transaction's letters */
	bool dead_changed;
	wall_ms died;       /* of the last letter, and its number among those of the same moment; over transactions */
	uint32_t died_seq;
	uint8_t record[CODEC_RECORD_MAX];
};

enum apply_tier apply_tier(const struct queue_req *req);
struct apply_cost apply_cost(const struct queue_req *req);
/* Does the request start a commit at once? */
bool apply_rushes(const struct queue_req *req);

/* Without the store: is the request well-formed? ERR_INVALID, ERR_LIMIT. Pure. */
MUST_USE enum err apply_check(const struct queue_req *req, struct err_detail *why);

int apply_begin(struct apply *apply, const struct txn_env *env);
/*
 * Carry out a request that passed apply_check. Results for the asker that leave the transaction usable (apply_is_refusal):
 * ERR_NOT_FOUND, ERR_EXISTS, ERR_INVALID. After any other the transaction must be aborted and done without this request.
 */
MUST_USE enum err apply_request(struct apply *apply, struct queue_req *req, struct err_detail *why);
bool apply_is_refusal(const struct apply *apply, enum err e);
/* Write counters, memos and the last id. LMDB's codes. */
int apply_finish(struct apply *apply);

/* Leave the chunks of `id` to the sweeper once the transaction has committed. */
void apply_leave(struct apply_left *left, msg_id id);
/* Delete up to a transaction's share of the chunks of `id`, leave the rest to the sweeper. */
MUST_USE enum err apply_drop_body(struct apply *apply, msg_id id, struct err_detail *why);

/* The last id that was stored, 0: none yet. */
int apply_last_id(struct txn *txn, msg_id *out);

/* What a claim of the job says of crashes before this run: CLAIM_DOUBT or 0. A doubt that no settle has ended outlives other claims. An LMDB code. */
int apply_doubt(struct apply *apply, msg_id id, uint32_t job, uint8_t *flags_out);

#endif
