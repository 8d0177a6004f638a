/* queue/writer.c - the thread that owns every write transaction: gathers requests, commits them together, repairs, sweeps. */
#include "queue/writer.h"

#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "queue/batch.h"
#include "queue/reap.h"
#include "queue/reader.h"

#define RIDE_MS       20   /* the longest that a settle waits for company */
#define TICK_MS       1000 /* how often room is looked at when nothing happens */
#define ROOM_SLICES   16   /* deletions that a batch with new mail waits for at most, some MB each */
#define CHECK_READERS 5    /* ticks between two looks for readers that died */
#define AHEAD_MAX     (4u << 20)
#define TWICE_WITHIN  MINUTES(1)

struct writer {
	struct queue *queue;
	pthread_t thread;
	struct mailbox *inbox;
	struct mail_item stop; /* posted when the queue closes */

	/* Taken from the inbox, oldest first. */
	struct mail_item *first, **end;
	size_t waiting, rushing; /* how many; those that start a commit at once */
	mono_ms since;           /* when the oldest came */
	bool stopping;

	struct batch batch;
	struct apply apply;
	uint64_t allotted; /* bytes of the data file that the file system holds for us */
	mono_ms next_tick;
	unsigned ticks;
	mono_ms next_sweep; /* after a slice that failed */
	bool reap;          /* dead letters have to go */
	mono_ms next_reap;  /* after a slice that failed */
	mono_ms last_failure;
	bool has_failed, broken;
};

static void run_stop(struct mail_item *item)
{
	must(!"the writer runs no items");
}

/* --- requests in ----------------------------------------------------------------------------------------------------- */

static void take_inbox(struct writer *w, mono_ms now)
{
	struct mail_item *item = mailbox_take(w->inbox), *next;

	for (; item; item = next) {
		next = item->next;
		if (item->run == run_stop) {
			w->stopping = true;
			continue;
		}
		if (!w->first)
			w->since = now;
		item->next = NULL;
		*w->end = item;
		w->end = &item->next;
		w->waiting++;
		w->rushing += apply_rushes(CONTAINER_OF(item, struct queue_req, item));
	}
}

static bool is_due(const struct writer *w, mono_ms now)
{
	return w->first && (w->rushing > 0 || w->stopping || w->waiting >= BATCH_ROWS || now - w->since >= RIDE_MS);
}

static void fill_batch(struct writer *w)
{
	batch_init(&w->batch);
	while (w->first) {
		struct mail_item *item = w->first;
		struct queue_req *req = CONTAINER_OF(item, struct queue_req, item);

		if (!batch_add(&w->batch, req))
			break;
		w->first = item->next;
		w->waiting--;
		w->rushing -= apply_rushes(req);
	}
	if (!w->first)
		w->end = &w->first;
}

/* --- a failed store -------------------------------------------------------------------------------------------------- */

static void give_up(struct writer *w, const char *text)
{
	w->broken = true;
	room_break(&w->queue->room);
	log_text(LOG_ERROR, "store-broken", "%s", text);
	if (w->queue->on_fatal)
		w->queue->on_fatal(w->queue->arg, text);
}

/*
 * After a failed sync or meta write the state of the page cache is unknown: close everything, open anew and prove with a sync that
 * the disk takes data again. *committed_out: the transaction `txn_id` turned out to be in the store and is durable now.
 */
static enum err reopen(struct writer *w, uint64_t txn_id, bool *committed_out, struct err_detail *why)
{
	struct queue *queue = w->queue;
	enum err e;

	pthread_rwlock_wrlock(&queue->env_lock);
	reader_drop_all(queue);
	txn_env_close(&queue->env);
	e = txn_env_open(&queue->env, queue->state, false, why);
	if (e == OK)
		e = txn_fold(&queue->env, mdb_env_sync(queue->env.env, 1), "sync after reopening", why);
	*committed_out = e == OK && txn_id != 0 && txn_env_last(&queue->env) >= txn_id;
	pthread_rwlock_unlock(&queue->env_lock);
	return e;
}

/* The store failed with `why`; *committed_out as in reopen. */
static void recover(struct writer *w, uint64_t txn_id, bool *committed_out, const struct err_detail *why)
{
	mono_ms now = clock_mono();
	struct err_detail again;
	char *text;

	*committed_out = false;
	log_text(LOG_ERROR, "store-failed", "%s", why->text);
	if (w->has_failed && now - w->last_failure < TWICE_WITHIN) {
		text = xasprintf("the store failed twice within a minute: %s", why->text);
		give_up(w, text);
		free(text);
		return;
	}
	w->has_failed = true;
	w->last_failure = now;
	if (reopen(w, txn_id, committed_out, &again) == OK) {
		log_text(LOG_WARN, "store-reopened", "opened anew after: %s", why->text);
		return;
	}
	text = xasprintf("the store failed (%s) and cannot be opened anew: %s", why->text, again.text);
	give_up(w, text);
	free(text);
}

/* --- work ------------------------------------------------------------------------------------------------------------ */

/* Blocks that the file system holds for us behind the file's pages: a 64th of what is free, 4 MB at most, renewed when half is used. */
static void keep_ahead(struct writer *w)
{
	struct queue *queue = w->queue;
	uint64_t end = txn_env_file_bytes(&queue->env);
	uint64_t ahead = atomic_load_explicit(&queue->room.disk_free, memory_order_relaxed) / 64;

	if (ahead > AHEAD_MAX)
		ahead = AHEAD_MAX;
	if (ahead == 0 || end + ahead / 2 < w->allotted)
		return;
	txn_env_keep_ahead(&queue->env, ahead);
	w->allotted = end + ahead;
}

static void sweep_some(struct writer *w, mono_ms now)
{
	struct queue *queue = w->queue;
	struct sweep_mark mark;
	struct err_detail why;
	struct txn txn;
	bool committed;
	enum err e;
	int rc = txn_begin(&txn, &queue->env, true);

	if (rc == 0) {
		rc = sweep_slice(&queue->sweep, &txn, &mark);
		if (rc == 0)
			rc = txn_commit(&txn);
		else
			txn_abort(&txn);
	}
	e = txn_fold(&queue->env, rc, "sweep", &why);
	if (e == OK) {
		sweep_advance(&queue->sweep, &mark);
		return;
	}
	/* A damaged page must not take the daemon down for the sake of tidiness. */
	w->next_sweep = now + (e == ERR_CORRUPT ? HOURS(1) : TICK_MS);
	if (e == ERR_CORRUPT)
		log_text(LOG_ERROR, "sweep-failed", "%s", why.text);
	else if (e != ERR_FULL)
		recover(w, 0, &committed, &why);
}

static bool can_sweep(struct writer *w, mono_ms now)
{
	return !w->broken && !w->stopping && now >= w->next_sweep && !sweep_is_done(&w->queue->sweep);
}

/* One slice of dead letters that have to go; w->reap tells whether there are more. */
static void reap_some(struct writer *w, uint64_t want, mono_ms now)
{
	struct queue *queue = w->queue;
	struct err_detail why;
	bool committed;
	enum err e = reap_slice(queue, &w->apply, want, clock_wall(), &w->reap, &why);

	if (e == OK)
		return;
	/* As with sweeping: damage or a full disk must not keep mail from moving. */
	w->reap = false;
	w->next_reap = now + (e == ERR_CORRUPT ? HOURS(1) : TICK_MS);
	if (e == ERR_CORRUPT)
		log_text(LOG_ERROR, "reap-failed", "%s", why.text);
	else if (e != ERR_FULL)
		recover(w, 0, &committed, &why);
}

static bool can_reap(const struct writer *w, mono_ms now)
{
	return w->reap && !w->broken && !w->stopping && now >= w->next_reap;
}

/* Bytes that the batch brings for new mail. */
static uint64_t new_bytes(const struct batch *batch)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < batch->count; i++)
		if (apply_tier(batch->reqs[i]) == APPLY_GROWS)
			bytes += apply_cost(batch->reqs[i]).bytes;
	return bytes;
}

/* Dead letters go before new mail is refused: until the batch fits, there are none, or the others in it have waited long enough. */
static void make_room(struct writer *w)
{
	struct queue *queue = w->queue;
	uint64_t bytes = new_bytes(&w->batch);
	mono_ms now = clock_mono();

	for (int i = 0; i < ROOM_SLICES && bytes > 0 && !w->broken && room_lack(&queue->room, bytes) > 0; i++) {
		w->reap = atomic_load_explicit(&queue->dead_letters, memory_order_relaxed) > 0;
		if (queue->sweep.left.count > 0 && now >= w->next_sweep)
			sweep_some(w, now);
		else if (can_reap(w, now))
			reap_some(w, bytes, now);
		else
			return;
	}
}

static void run_batch(struct writer *w)
{
	struct err_detail why = { 0 };
	bool committed = false;

	fill_batch(w);
	make_room(w);
	if (w->broken)
		batch_fail(&w->batch, ERR_IO, "the store has failed");
	else if (batch_run(&w->batch, w->queue, &w->apply, &why) != OK) {
		recover(w, w->batch.txn_id, &committed, &why);
		if (committed)
			sweep_add(&w->queue->sweep, &w->apply.left);
		else
			batch_fail(&w->batch, ERR_IO, why.text);
	}
	batch_answer(&w->batch, w->queue);
	if (!w->broken)
		keep_ahead(w);
}

/* Look at the disk without writing, so that a full one is noticed and its recovery too. */
static void tick(struct writer *w, mono_ms now)
{
	struct queue *queue = w->queue;
	struct txn txn;
	int dead;

	w->next_tick = now + TICK_MS;
	if (w->broken || txn_begin(&txn, &queue->env, false) != 0)
		return;
	room_update(&queue->room, txn_used_bytes(&txn), txn_env_file_bytes(&queue->env), now);
	w->reap = reap_is_due(queue, &txn, clock_wall());
	txn_abort(&txn);
	keep_ahead(w);
	if (++w->ticks % CHECK_READERS == 0)
		(void)mdb_reader_check(queue->env.env, &dead);
}

static int wait_ms(const struct writer *w, mono_ms now)
{
	mono_ms until = w->next_tick;

	if (w->first && w->since + RIDE_MS < until)
		until = w->since + RIDE_MS;
	return until > now ? (int)(until - now) : 0;
}

static void *writer_main(void *arg)
{
	struct writer *w = arg;

	for (;;) {
		mono_ms now = clock_mono();

		take_inbox(w, now);
		if (is_due(w, now))
			run_batch(w);
		else if (w->stopping)
			break;
		else if (can_sweep(w, now))
			sweep_some(w, now);
		else if (can_reap(w, now))
			reap_some(w, reap_margin(w->queue), now);
		else if (!mailbox_wait(w->inbox, wait_ms(w, now)))
			now = clock_mono();
		if (now >= w->next_tick)
			tick(w, now);
	}
	return NULL;
}

/* --- face ------------------------------------------------------------------------------------------------------------ */

struct writer *writer_start(struct queue *queue)
{
	struct writer *w = xcalloc(1, sizeof(*w));
	sigset_t all, old;

	w->queue = queue;
	w->inbox = mailbox_create();
	w->end = &w->first;
	w->apply.run = queue->first_id;
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	must(pthread_create(&w->thread, NULL, writer_main, w) == 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_setname_np(w->thread, "writer");
	return w;
}

void writer_post(struct writer *writer, struct queue_req *req)
{
	req->item.run = NULL;
	mailbox_post(writer->inbox, &req->item);
}

void writer_stop(struct writer **writer)
{
	struct writer *w = *writer;

	w->stop.run = run_stop;
	mailbox_post(w->inbox, &w->stop);
	pthread_join(w->thread, NULL);
	mailbox_destroy(&w->inbox);
	counts_fini(&w->apply.counts);
	free(w->apply.left.ids);
	free(w);
	*writer = NULL;
}
