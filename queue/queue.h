/* queue/queue.h - the durable queue: messages, bodies and recipients in LMDB. Never loses a message.
 *
 * One writer thread owns every write transaction and gathers what is ready into one commit (group commit). Requests are
 * handed to it from any thread and answered through the asker's mailbox. Readers are one per thread; a read transaction
 * lives only inside one call. No LMDB memory leaves this folder. */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "base/clock.h"
#include "base/err.h"
#include "base/mailbox.h"

/* --- names ----------------------------------------------------------------------------------------------------------- */

typedef uint64_t msg_id; /* milliseconds since 1970 << 20 | counter; grows over restarts; 0: none */

#define MSG_ID_TEXT 14 /* 13 characters of base 32 (Crockford, lower case), fixed width, sorts as the number; and NUL */

/* The text form; returns `out`. Parsing takes capitals too; false for anything that is not an id, and for 0. */
char *msg_id_format(msg_id id, char out[MSG_ID_TEXT]);
bool msg_id_parse(const char *text, size_t len, msg_id *out);
static inline wall_ms msg_id_time(msg_id id)
{
	return (wall_ms)(id >> 20);
}

/* --- records, decoded ------------------------------------------------------------------------------------------------- */

#define QUEUE_CHUNK 65520 /* bytes of a body chunk; the last one is shorter, and the first may be. 16 LMDB pages less their header */

enum message_flag {
	MSG_8BIT = 1 << 0,     /* BODY=8BITMIME was given or 8-bit bytes were seen */
	MSG_SMTPUTF8 = 1 << 1, /* RFC 6531 */
	MSG_BOUNCE = 1 << 2,   /* a DSN of ours */
	MSG_TLS = 1 << 3,      /* came in over TLS */
	MSG_BINARY = 1 << 4,   /* BODY=BINARYMIME (RFC 3030): its lines need not be lines */
	MSG_REQUIRETLS = 1 << 5, /* RFC 8689 */
	MSG_RET_FULL = 1 << 6, /* RET= (RFC 3461 section 4.3): a report of failure returns all of it; */
	MSG_RET_HDRS = 1 << 7, /* ...the header alone. Neither: as we like */
	MSG_SIGNED = 1 << 10,  /* a DKIM signature stands in its header, ours or another's */
	MSG_HIGH_BYTES = 1 << 11, /* 8-bit bytes were seen; absent in records of before it was noted */
	MSG_TLS_OPTIONAL = 1 << 8, /* "TLS-Required: No" (RFC 8689 section 5): what the recipient's domain demands of TLS does not count */
};

/* One accepted transaction. */
struct queue_message {
	msg_id id;
	wall_ms arrived;
	wall_ms deadline;    /* recipients that are still waiting then expire */
	uint64_t size_bytes; /* stored body, our own fields included */
	uint32_t chunks;
	uint32_t rcpt_count; /* at acceptance */
	uint32_t flags;
	int8_t priority;    /* MT-PRIORITY (RFC 6710), -9..9; 0: the usual one */
	const char *sender; /* "" is the null reverse-path */
	const char *tenant;
	const char *pool;
	const char *client; /* address and HELO name, for show */
	const char *login;  /* "" without one */
	const char *envid;  /* ENVID= (RFC 3461 section 4.4), as given: xtext; "" without one */
};

/* NOTIFY= (RFC 3461 section 4.1). None of them: not given, which means failures and delays. */
enum rcpt_notify { NOTIFY_NEVER = 1 << 0, NOTIFY_SUCCESS = 1 << 1, NOTIFY_FAILURE = 1 << 2, NOTIFY_DELAY = 1 << 3, NOTIFY_ALL = 15 };

enum rcpt_state { RCPT_WAITING, RCPT_HELD, RCPT_BLOCKED, RCPT_STATES };

/* One recipient that is still in the queue. n counts 0.. in a message, recipients of one domain side by side; `job` is the
 * n of the first recipient of its domain (at acceptance). */
struct queue_rcpt {
	uint32_t n;
	uint32_t job;
	enum rcpt_state state;
	uint8_t notify;         /* enum rcpt_notify; never changes */
	bool warned;            /* the sender has been told that it is late */
	bool moved;             /* refused for reasons of ours, it has had its one other source */
	bool apart;             /* it was refused for reasons of ours when others of its job were not: tried apart from them since */
	uint32_t attempts;
	wall_ms next;           /* not before */
	wall_ms last_attempt;   /* 0: none yet */
	const char *address;    /* local part as given, domain lower case (A-label unless MSG_SMTPUTF8 needs it) */
	const char *domain;     /* on decoding: points into address */
	const char *reason;     /* why it is in its state, words for the operator; "" at first */
	const char *source;     /* of the last attempt; "" none */
	const char *relay;      /* host[address] of the last attempt; "" none */
	const char *reply;      /* the last reply, enhanced code and words; "" none */
	const char *class_name; /* verdict of the last reply; "" none */
	const char *orcpt;      /* ORCPT= (RFC 3461 section 4.2), as given: "type;xtext"; "" without one. Never changes */
};

/* In the job of a claim: it is of those recipients of the job that are apart. */
#define QUEUE_APART 0x40000000u

/* A message with (some of) its recipients. One malloc'ed block: release with free(). */
struct queue_job {
	struct queue_message message;
	bool in_doubt; /* a claim row without a settle: a crash fell into its attempt */
	size_t rcpt_count;
	struct queue_rcpt rcpts[];
};

/* --- opening ---------------------------------------------------------------------------------------------------------- */

struct queue;

struct queue_options {
	uint64_t quota_bytes; /* our own limit for the store; 0: none */
	uint64_t
	    reserve_bytes; /* free space that intake leaves on the file system, scaled down to 5 % of a small one */
	/* Called on the writer thread when the store is beyond repair: the daemon must end with a non-zero status. */
	void (*on_fatal)(void *arg, const char *text);
	void *arg;
	/* Dead letters (queue/dead.h) go when they are that old, and the oldest when all of them together are bigger. */
	int64_t dead_keep_ms;
	uint64_t dead_bytes;
};

/*
 * Open or create STATE/store, take STATE/lock, verify the version, start the writer thread.
 *
 * ERR_BUSY: another daemon holds the lock; ERR_VERSION: written by a newer program; ERR_CORRUPT, ERR_IO, ERR_FULL with the
 * cause in `why`. Unfinished bodies of earlier runs are swept in the background.
 */
struct queue *queue_open(const char *state, const struct queue_options *options, struct err_detail *why) MUST_USE;

/* Quota and reserve of a new configuration. Main thread. */
void queue_reconfigure(struct queue *queue, const struct queue_options *options);

/* Open for reading only, without a daemon: creates nothing and leaves nothing behind. ERR_BUSY: a daemon runs, ask it;
 * ERR_NOT_FOUND: no store there yet. */
struct queue *queue_open_readonly(const char *state, struct err_detail *why) MUST_USE;

/* Finish what was handed in, stop the writer, close. All readers must be closed. Sets the pointer to NULL. */
void queue_close(struct queue **queue);

/* A fresh id, greater than every id before. Any thread. */
msg_id queue_new_id(struct queue *queue);

/* May new mail come in? OK, or ERR_FULL with the reason (quota, disk, watermark). Any thread, cheap (one atomic load when OK). */
MUST_USE enum err queue_has_room(struct queue *queue, uint64_t bytes, struct err_detail *why);

/* --- writing: requests to the writer thread --------------------------------------------------------------------------- */

enum queue_kind { QUEUE_CHUNK_PUT, QUEUE_ACCEPT, QUEUE_CLAIM, QUEUE_SETTLE, QUEUE_DISCARD, QUEUE_WARM_PUT, QUEUE_NOTE_PUT,
	QUEUE_SUPPRESS, QUEUE_DEAD_DROP, QUEUE_REPLAY };

/* Head of every request. The asker owns the object and all that it points to, must leave it alone until `done` has run
 * on the thread that owns `reply_to`, and then frees it. */
struct queue_req {
	struct mail_item item; /* the queue's while under way */
	enum queue_kind kind;
	struct mailbox *reply_to; /* NULL: no answer wanted; the queue frees the request with free() */
	void (*done)(struct queue_req *req);
	struct queue_req *also; /* the queue's: answers for one mailbox travel together */
	enum err result; /* ERR_FULL: nothing of it is stored; ERR_IO likewise; ERR_NOT_FOUND: the message is gone */
	char why[160];
};

/* Hand a request in. Any thread. Requests of one sender for one message are carried out in order. */
void queue_submit(struct queue *queue, struct queue_req *req);

struct queue_blob {
	const void *data;
	size_t len; /* QUEUE_CHUNK, but for the last and for chunk 0 */
};

/* QUEUE_CHUNK_PUT: store one chunk of a body whose message row does not exist yet. */
struct queue_chunk {
	struct queue_req req;
	msg_id id;
	uint32_t n; /* 0.. */
	struct queue_blob blob;
};

#define QUEUE_MEMO_MAX 4096 /* bytes of a memo */

/* What another part keeps in the store under a name, rewritten as a whole in the transaction of any request that brings it: it costs no commit
 * of its own. The object belongs to that part and stays until every request that brings it has been answered. */
struct queue_memo {
	const char *name; /* at most 255 bytes */
	size_t (*write)(const struct queue_memo *memo, uint8_t out[QUEUE_MEMO_MAX]); /* its present content; writer thread, right before the commit */
	struct queue_memo *next; /* the writer's */
	bool listed;             /* the writer's */
};

#define QUEUE_KEY_MAX 255 /* bytes of a message's key */
#define QUEUE_KEY_MS  DAYS(1)

/* QUEUE_ACCEPT: the rest of the body and the rows, in one transaction: the commit point of a message. */
struct queue_accept {
	struct queue_req req;
	struct queue_message message;   /* id, chunks and size_bytes filled in */
	const struct queue_rcpt *rcpts; /* by n; same domain side by side */
	size_t rcpt_count;
	struct queue_blob head; /* chunk 0 of a body whose chunks 1.. up to first_blob are stored already; len 0: that one is, too */
	const struct queue_blob *blobs; /* chunks first_blob.. of the body */
	size_t blob_count;
	uint32_t first_blob;
	struct queue_memo *memo; /* to be written along; NULL: none */
	/* A key that the client gives its message, so that it can hand it in again after a lost answer; NULL or "": none. For QUEUE_KEY_MS after
	 * it was accepted a message of the same tenant with the same key is not: ERR_EXISTS, nothing of it is stored, and `earlier` is the
	 * id of the first one, or 0 when the fingerprint was another. */
	const char *key;
	uint64_t fingerprint;
	msg_id earlier; /* out */
};

/* What somebody wants kept under a name, in the same transaction as a request's rows; replaces what was there. */
#define QUEUE_WARM_MAX 512
struct queue_warm {
	const char *key; /* at most 480 bytes; NULL: nothing */
	const void *data;
	size_t len;      /* QUEUE_WARM_MAX at most */
};

/* QUEUE_WARM_PUT: that alone, or a memo, or both. */
struct queue_warm_put {
	struct queue_req req;
	struct queue_warm warm;
	struct queue_memo *memo; /* NULL: none */
};

#define QUEUE_NOTE_NAME 400   /* bytes of its name */
#define QUEUE_NOTE_MAX  60000 /* bytes of a note */

/* QUEUE_NOTE_PUT: a row of another part, under a name of its own; data of length 0 removes it. It rides along like an outcome: without a commit
 * at once. How many there are is that part's to bound. */
struct queue_note_put {
	struct queue_req req;
	const char *name;
	const void *data;
	size_t len;
};

/* QUEUE_CLAIM: recipients of a job are about to be tried on a lane with a warm-up budget. */
struct queue_claim {
	struct queue_req req;
	msg_id id;
	uint32_t job;
	uint32_t rcpts; /* how many */
	wall_ms at;
	const char *source, *destination;
	struct queue_warm warm; /* the lane's state with this claim in it */
};

enum settle_op {
	SETTLE_DELIVERED, /* leaves the queue */
	SETTLE_BOUNCED,   /* leaves the queue; its DSN, if owed, is in the same request */
	SETTLE_DROPPED,   /* leaves the queue by the operator's word, without a DSN */
	SETTLE_UPDATE,    /* stays, with the fields of `rcpt` (all but those that never change) */
	SETTLE_HOLD,      /* stays; state and reason only */
	SETTLE_RELEASE,   /* stays; waiting again, next = rcpt.next */
	SETTLE_RETRY,     /* stays; next = rcpt.next, a held one stays held */
};

/* Why a recipient has become a dead letter. */
enum letter_cause { LETTER_NONE, LETTER_REFUSED, LETTER_EXPIRED, LETTER_OPERATOR, LETTER_CAUSES };

struct queue_settle_item {
	enum settle_op op;
	struct queue_rcpt rcpt; /* n always; the rest as `op` says */
	bool found;             /* out: the recipient was in the queue */
	bool told;              /* the DSN of the request tells of it; always so with SETTLE_BOUNCED */
	enum letter_cause letter; /* with SETTLE_BOUNCED: it becomes a dead letter; `rcpt` says how the last attempt went. LETTER_NONE: it does not */
};

/* QUEUE_SETTLE: outcomes or changes of recipients of one message, in one transaction with the DSN that they owe. Ends the claim
 * of `job`. The last recipient takes message and body with it. Counts outcomes by `destination`. */
struct queue_settle {
	struct queue_req req;
	msg_id id;
	uint32_t job;            /* whose claim ends, see QUEUE_APART; UINT32_MAX: none */
	const char *destination; /* for the counters and dead letters; NULL: not counted there */
	wall_ms at;              /* when; needed for dead letters alone */
	struct queue_settle_item *items;
	size_t item_count;
	struct queue_warm warm;      /* the lane's state after it */
	struct queue_accept *bounce; /* DSN, or NULL; its req part is not used. Stored when a recipient that it tells of was found */
	bool urgent;                 /* start a commit at once (an operator waits) */
	struct queue_memo *memo;     /* to be written along; NULL: none */
	const char *trace;           /* transcript of the attempt, cut at QUEUE_TRACE_MAX; NULL: none. Kept as long as the message or a dead letter of it */
	uint32_t attempt;            /* its number, from 1 */
	const char *pool;            /* the message's from now on; NULL: as it is */
	bool untried;                /* no items: the claim came to nothing. A doubt that a crash has left stays */
	uint32_t in_doubt;           /* recipients that may have the message already; for the counters alone */
};

#define QUEUE_TRACE_MAX 8000 /* bytes of a transcript */
#define QUEUE_TRACES    5    /* how many of a job are kept: those of the last attempts */

/* QUEUE_DISCARD: drop the chunks of a body that will not be finished. */
struct queue_discard {
	struct queue_req req;
	msg_id id;
};

/* --- reading ---------------------------------------------------------------------------------------------------------- */

/* One thread's view; not to be shared. */
struct queue_reader;

struct queue_reader *queue_reader_open(struct queue *queue) MUST_USE; /* never NULL */
void queue_reader_close(struct queue_reader **reader);

/* Message and those recipients of `job` that are still queued (UINT32_MAX: of all jobs). ERR_NOT_FOUND: none left. */
MUST_USE enum err queue_job_load(
    struct queue_reader *reader, msg_id id, uint32_t job, struct queue_job **out, struct err_detail *why);

/* Copy chunk `n` of a body into `data` (QUEUE_CHUNK bytes); *len_out is its length. ERR_NOT_FOUND: no such chunk. */
MUST_USE enum err queue_body_read(
    struct queue_reader *reader, msg_id id, uint32_t n, void *data, size_t *len_out, struct err_detail *why);

/* The transcripts of a message, job by job, in no order within one; `text` is borrowed for the call and not terminated. */
typedef void (*queue_trace_fn)(void *arg, uint32_t job, uint32_t attempt, const char *text, size_t len);
MUST_USE enum err queue_traces_read(
    struct queue_reader *reader, msg_id id, queue_trace_fn fn, void *arg, struct err_detail *why);

/* Where a scan stands: start with the id to begin at (0: the oldest); `id` is moved on. */
struct queue_cursor {
	msg_id id;
	bool end; /* nothing more */
};

/* Called with each message and all its queued recipients; borrowed for the call. False: stop after this one. It must not call
 * functions that read: the read transaction of the walk is open. */
typedef bool (*queue_scan_fn)(void *arg, const struct queue_job *job);

/* Visit up to `max` messages in the order of ids, in one short read transaction; go on until cursor->end.
 * Damaged messages are passed over here and told by queue_check. ERR_VERSION: the cursor stands behind a message of a newer
 * program; it is safe to go on. */
MUST_USE enum err queue_scan(struct queue_reader *reader, struct queue_cursor *cursor, size_t max, queue_scan_fn fn,
    void *arg, struct err_detail *why);

/* Counters that survive restarts, by destination and "" for the total. */
struct queue_counts {
	uint64_t accepted, delivered, bounced, dropped, in_doubt;
};
typedef void (*queue_counts_fn)(void *arg, const char *destination, const struct queue_counts *counts);
MUST_USE enum err queue_counts_read(struct queue_reader *reader, queue_counts_fn fn, void *arg, struct err_detail *why);

/* Everything that was kept with claims and settles; borrowed for the call. */
typedef void (*queue_warm_fn)(void *arg, const char *key, const void *data, size_t len);
MUST_USE enum err queue_warm_read(struct queue_reader *reader, queue_warm_fn fn, void *arg, struct err_detail *why);

/* Figures for metrics, stats and bench; relaxed atomics, any thread. */
struct queue_figures {
	uint64_t commits, rows, chunk_bytes;          /* since start */
	uint64_t used_bytes, quota_bytes, free_bytes; /* store in use, our limit (0 none), file system */
	uint64_t pending;                             /* requests waiting for the writer */
	uint64_t dead_letters, dead_bytes;            /* recipients; what they keep in the store */
};
void queue_figures(struct queue *queue, struct queue_figures *out);

/* The memos whose names begin with `prefix`; borrowed for the call. */
typedef void (*queue_memo_fn)(void *arg, const char *name, const void *data, size_t len);
MUST_USE enum err queue_memos_read(
    struct queue_reader *reader, const char *prefix, queue_memo_fn fn, void *arg, struct err_detail *why);

/* The notes whose names begin with `prefix`, in the order of names; borrowed for the call. */
typedef void (*queue_note_fn)(void *arg, const char *name, const void *data, size_t len);
MUST_USE enum err queue_notes_read(
    struct queue_reader *reader, const char *prefix, queue_note_fn fn, void *arg, struct err_detail *why);

/* Compare rows with each other: messages without recipients, recipients without message, bodies incomplete, orphans, rows that do
 * not decode. Each finding is told to `fn`; returns OK when the walk was done. Bounded slices; may be run beside the writer. */
typedef void (*queue_check_fn)(void *arg, const char *finding);
struct queue_check_totals {
	uint64_t messages, rcpts, rcpts_by_state[RCPT_STATES], chunks, claims, letters, findings;
};
MUST_USE enum err queue_check(
    struct queue_reader *reader, queue_check_fn fn, void *arg, struct queue_check_totals *out, struct err_detail *why);

#endif
