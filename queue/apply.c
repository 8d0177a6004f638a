/* queue/apply.c - what each kind of request does inside a write transaction. */
#include "queue/apply.h"

#include <stdlib.h>
#include <string.h>

#include "queue/accept.h"
#include "queue/claim.h"
#include "queue/dead_store.h"
#include "queue/note.h"
#include "queue/recipient.h"
#include "queue/settle.h"
#include "queue/suppress_row.h"
#include "queue/warm.h"

#define LAST_ID_KEY "@last_id" /* sorts beside the total of the counters: mostly the same page */
#define BODY_ROWS   64         /* chunks of one body that a transaction deletes; 4 MB */
#define LETTER_ROWS 2          /* of a dead letter: itself, and its place in the order of time */
#define TXN_ROWS    2000       /* a transaction that has come so far deletes no more bodies */

/* One row per kind of request. */
struct kind {
	enum err (*check)(const struct queue_req *req, struct err_detail *why);
	enum err (*apply)(struct apply *apply, struct queue_req *req, struct err_detail *why);
	enum apply_tier (*tier)(const struct queue_req *req);
	struct apply_cost (*cost)(const struct queue_req *req);
	bool (*rushes)(const struct queue_req *req);
};

#define AS(type, req) CONTAINER_OF((req), struct type, req)

static bool yes(const struct queue_req *req)
{
	return true;
}
static bool no(const struct queue_req *req)
{
	return false;
}
static enum apply_tier grows(const struct queue_req *req)
{
	return APPLY_GROWS;
}
static enum apply_tier stays(const struct queue_req *req)
{
	return APPLY_STAYS;
}
static enum apply_tier frees(const struct queue_req *req)
{
	return APPLY_FREES;
}

static enum err fold(struct apply *apply, int rc, const char *doing, struct err_detail *why)
{
	return txn_fold(apply->txn.env, rc, doing, why);
}

/* --- claims ---------------------------------------------------------------------------------------------------------- */

static struct apply_cost one_row(const struct queue_req *req)
{
	return (struct apply_cost){ 1, 0 };
}

static struct claim claim_of(const struct queue_claim *c)
{
	return (struct claim){ .rcpts = c->rcpts, .at = c->at, .source = c->source, .destination = c->destination };
}

static enum err claim_req_check(const struct queue_req *req, struct err_detail *why)
{
	const struct queue_claim *c = (const struct queue_claim *)req;
	struct claim claim = claim_of(c);
	enum err e = claim_check(&claim, why);

	return e == OK ? warm_check(&c->warm, why) : e;
}

int apply_doubt(struct apply *apply, msg_id id, uint32_t job, uint8_t *flags_out)
{
	char text[CODEC_RECORD_MAX];
	struct codec_texts room = { text, text + sizeof(text) };
	struct claim old;
	MDB_val value;
	int rc = txn_get(&apply->txn, TXN_CLAIM, id, job, &value);

	*flags_out = 0;
	if (rc == 0 && claim_decode(value.mv_data, value.mv_size, &old, &room, NULL) == OK)
		*flags_out = claim_is_doubtful(&old, apply->run) ? CLAIM_DOUBT : 0;
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static enum err claim_apply(struct apply *apply, struct queue_req *req, struct err_detail *why)
{
	const struct queue_claim *c = AS(queue_claim, req);
	struct claim claim = claim_of(c);
	MDB_val message;
	int rc = txn_get(&apply->txn, TXN_MSG, c->id, 0, &message);

	if (rc == MDB_NOTFOUND)
		return err_set(why, ERR_NOT_FOUND, "message is not in the queue");
	if (rc == 0)
		rc = apply_doubt(apply, c->id, c->job, &claim.flags);
	if (rc == 0) {
		size_t len;

		claim.run = apply->run;
		len = claim_encode(&claim, apply->record);
		apply->dirty = true;
		rc = txn_put(&apply->txn, TXN_CLAIM, c->id, c->job, apply->record, len, false);
	}
	if (rc == 0)
		rc = warm_store(&apply->txn, &c->warm);
	return fold(apply, rc, "put claim", why);
}

/* --- settles and discards -------------------------------------------------------------------------------------------- */

static struct apply_cost settle_cost(const struct queue_req *req)
{
	const struct queue_settle *settle = (const struct queue_settle *)req;
	struct apply_cost cost = { 3 + settle->item_count, settle->trace ? strlen(settle->trace) : 0 };

	for (size_t i = 0; i < settle->item_count; i++)
		cost.rows += settle->items[i].letter != LETTER_NONE ? LETTER_ROWS : 0;
	if (settle->bounce) {
		struct apply_cost bounce = accept_cost(&settle->bounce->req);

		cost.rows += bounce.rows;
		cost.bytes += bounce.bytes;
	}
	return cost;
}

static enum apply_tier settle_tier(const struct queue_req *req)
{
	const struct queue_settle *settle = (const struct queue_settle *)req;

	if (settle->bounce)
		return APPLY_STAYS;
	for (size_t i = 0; i < settle->item_count; i++)
		if (!recipient_leaves(settle->items[i].op) || settle->items[i].letter != LETTER_NONE)
			return APPLY_STAYS;
	return APPLY_FREES;
}

static enum err settle_req_check(const struct queue_req *req, struct err_detail *why)
{
	const struct queue_settle *settle = (const struct queue_settle *)req;
	enum err e = settle_check(settle, why);

	if (e == OK)
		e = warm_check(&settle->warm, why);
	return e == OK && settle->bounce ? accept_check(&settle->bounce->req, why) : e;
}

static enum err settle_req_apply(struct apply *apply, struct queue_req *req, struct err_detail *why)
{
	const struct queue_settle *settle = AS(queue_settle, req);
	enum err e = settle_apply(apply, AS(queue_settle, req), why);

	if (e != OK || !settle->warm.key)
		return e;
	apply->dirty = true;
	return fold(apply, warm_store(&apply->txn, &settle->warm), "put lane", why);
}

static enum err warm_req_check(const struct queue_req *req, struct err_detail *why)
{
	return warm_check(&((const struct queue_warm_put *)req)->warm, why);
}

static enum err warm_req_apply(struct apply *apply, struct queue_req *req, struct err_detail *why)
{
	const struct queue_warm_put *put = AS(queue_warm_put, req);

	apply->dirty = true;
	if (put->memo)
		memos_add(&apply->memos, put->memo);
	return fold(apply, warm_store(&apply->txn, &put->warm), "put lane", why);
}

static struct apply_cost suppress_cost(const struct queue_req *req)
{
	return (struct apply_cost){ 1 + ((const struct queue_suppress *)req)->item_count, 0 };
}

static enum err suppress_req_check(const struct queue_req *req, struct err_detail *why)
{
	return suppress_check((const struct queue_suppress *)req, why);
}

static enum err suppress_req_apply(struct apply *apply, struct queue_req *req, struct err_detail *why)
{
	apply->dirty = true;
	return fold(apply, suppress_apply(&apply->txn, AS(queue_suppress, req)), "put suppression", why);
}

static bool suppress_rushes(const struct queue_req *req)
{
	return ((const struct queue_suppress *)req)->urgent;
}

static bool settle_rushes(const struct queue_req *req)
{
	return ((const struct queue_settle *)req)->urgent;
}

void apply_leave(struct apply_left *left, msg_id id)
{
	if (left->count == left->cap) {
		left->cap = left->cap ? 2 * left->cap : 16;
		left->ids = xrealloc(left->ids, left->cap * sizeof(left->ids[0]));
	}
	left->ids[left->count++] = id;
}

enum err apply_drop_body(struct apply *apply, msg_id id, struct err_detail *why)
{
	size_t count = 0, max = apply->txn.rows < TXN_ROWS ? BODY_ROWS : 0;
	int rc;

	apply->dirty = true;
	rc = txn_del_all(&apply->txn, TXN_BODY, id, max, &count);
	if (rc == 0 && count == max)
		apply_leave(&apply->left, id);
	return fold(apply, rc, "delete body", why);
}

static enum err discard_check(const struct queue_req *req, struct err_detail *why)
{
	return OK;
}

static enum err discard_apply(struct apply *apply, struct queue_req *req, struct err_detail *why)
{
	const struct queue_discard *discard = AS(queue_discard, req);
	enum err e = accept_must_be_unfinished(apply, discard->id, why);

	if (e == OK && txn_has(&apply->txn, TXN_DEAD, discard->id) == 0)
		return err_set(why, ERR_EXISTS, "message has dead letters");
	return e == OK ? apply_drop_body(apply, discard->id, why) : e;
}

static enum err note_req_check(const struct queue_req *req, struct err_detail *why)
{
	return note_check((const struct queue_note_put *)req, why);
}

static enum err note_req_apply(struct apply *apply, struct queue_req *req, struct err_detail *why)
{
	const struct queue_note_put *put = AS(queue_note_put, req);

	return fold(apply, note_store(&apply->txn, put), "put note", why);
}

static struct apply_cost note_cost(const struct queue_req *req)
{
	return (struct apply_cost){ 1, ((const struct queue_note_put *)req)->len };
}

static enum apply_tier note_tier(const struct queue_req *req)
{
	return ((const struct queue_note_put *)req)->len > 0 ? APPLY_STAYS : APPLY_FREES;
}

/* --- dead letters ---------------------------------------------------------------------------------------------------- */

static struct apply_cost drop_cost(const struct queue_req *req)
{
	return (struct apply_cost){ 1 + LETTER_ROWS * ((const struct queue_dead_drop *)req)->count, 0 };
}

static enum err drop_check(const struct queue_req *req, struct err_detail *why)
{
	return OK;
}

static enum err drop_apply(struct apply *apply, struct queue_req *req, struct err_detail *why)
{
	return dead_store_drop(apply, AS(queue_dead_drop, req), why);
}

static struct apply_cost replay_cost(const struct queue_req *req)
{
	const struct queue_replay *replay = (const struct queue_replay *)req;
	struct apply_cost cost = accept_cost(&replay->accept->req);

	cost.rows += replay->count;
	return cost;
}

static enum err replay_check(const struct queue_req *req, struct err_detail *why)
{
	const struct queue_replay *replay = (const struct queue_replay *)req;

	if (replay->count == 0)
		return err_set(why, ERR_INVALID, "a replay of no letters");
	return accept_check(&replay->accept->req, why);
}

static enum err replay_apply(struct apply *apply, struct queue_req *req, struct err_detail *why)
{
	return dead_store_replay(apply, AS(queue_replay, req), why);
}

/* --- the table ------------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct kind kinds[] = {
[QUEUE_CHUNK_PUT] = { chunk_check,      chunk_apply,      grows,       chunk_cost,  yes },
[QUEUE_ACCEPT]    = { accept_check,     accept_apply,     accept_tier, accept_cost, yes },
[QUEUE_CLAIM]     = { claim_req_check,  claim_apply,      stays,       one_row,     yes },
[QUEUE_SETTLE]    = { settle_req_check, settle_req_apply, settle_tier, settle_cost, settle_rushes },
[QUEUE_DISCARD]   = { discard_check,    discard_apply,    frees,       one_row,     no },
[QUEUE_WARM_PUT]  = { warm_req_check,   warm_req_apply,   stays,       one_row,     yes },
[QUEUE_NOTE_PUT]  = { note_req_check,   note_req_apply,   note_tier,   note_cost,   no },
[QUEUE_SUPPRESS]  = { suppress_req_check, suppress_req_apply, stays,   suppress_cost, suppress_rushes },
[QUEUE_DEAD_DROP] = { drop_check,       drop_apply,       frees,       drop_cost,   yes },
[QUEUE_REPLAY]    = { replay_check,     replay_apply,     grows,       replay_cost, yes },
};
/* clang-format on */

enum apply_tier apply_tier(const struct queue_req *req)
{
	return kinds[req->kind].tier(req);
}
struct apply_cost apply_cost(const struct queue_req *req)
{
	return kinds[req->kind].cost(req);
}
bool apply_rushes(const struct queue_req *req)
{
	return kinds[req->kind].rushes(req);
}
enum err apply_check(const struct queue_req *req, struct err_detail *why)
{
	return kinds[req->kind].check(req, why);
}

enum err apply_request(struct apply *apply, struct queue_req *req, struct err_detail *why)
{
	apply->dirty = false;
	return kinds[req->kind].apply(apply, req, why);
}

bool apply_is_refusal(const struct apply *apply, enum err e)
{
	return !apply->dirty && (e == ERR_NOT_FOUND || e == ERR_EXISTS || e == ERR_INVALID);
}

int apply_begin(struct apply *apply, const struct txn_env *env)
{
	int rc;

	counts_reset(&apply->counts);
	memos_reset(&apply->memos);
	apply->left.count = 0;
	apply->chunk_bytes = 0;
	apply->last_id = 0;
	apply->dead_changed = false;
	rc = txn_begin(&apply->txn, env, true);
	if (rc == 0) {
		rc = dead_sum_read(&apply->txn, &apply->dead);
		if (rc != 0)
			txn_abort(&apply->txn);
	}
	return rc;
}

int apply_last_id(struct txn *txn, msg_id *out)
{
	MDB_val value;
	struct codec_in in;
	int rc = txn_meta_get(txn, LAST_ID_KEY, &value);

	*out = 0;
	if (rc != 0)
		return rc == MDB_NOTFOUND ? 0 : rc;
	in = (struct codec_in){ .at = value.mv_data, .end = (uint8_t *)value.mv_data + value.mv_size };
	*out = codec_get_u64(&in);
	return 0;
}

int apply_finish(struct apply *apply)
{
	uint8_t data[8];
	struct codec_out out = { .at = data, .end = data + sizeof(data) };
	msg_id stored = 0;
	int rc = counts_store(&apply->counts, &apply->txn);

	if (rc == 0)
		rc = memos_store(&apply->memos, &apply->txn);
	if (rc == 0 && apply->dead_changed)
		rc = dead_sum_write(&apply->txn, &apply->dead);
	if (rc == 0 && apply->last_id)
		rc = apply_last_id(&apply->txn, &stored);
	if (rc != 0 || apply->last_id <= stored)
		return rc;
	codec_put_u64(&out, apply->last_id);
	return txn_meta_put(&apply->txn, LAST_ID_KEY, data, sizeof(data));
}
