/* sched/sched.h - all waiting jobs and their order: who is sent when, from which source, and if not now, why and when.
 *
 * A pure model: it is handed time and events and answers with decisions. No I/O, no LMDB, no libevent, no clock, no thread.
 * Words: a job is the recipients of one message in one domain; a domain hangs on a destination (a provider, or a set of MX hosts); a
 * lane is one source towards one destination. */
#ifndef SCHED_SCHED_H
#define SCHED_SCHED_H

#include "base/clock.h"
#include "base/err.h"
#include "conf/conf.h"
#include "conf/meaning.h"
#include "sched/ledger.h"

struct sched;

/* Start empty with a configuration; `seed` makes jitter and choice repeatable. Takes its own reference to `conf`. */
struct sched *sched_create(struct conf *conf, uint64_t seed) MUST_USE;
void sched_destroy(struct sched **sched);

/* A new configuration: lanes, pools and providers are matched by name; counts and pauses are kept. Jobs of a pool or tenant that is gone
 * become held with that reason (they are counted as held; nothing is written to the store for it), and return when it is back. */
void sched_reconfigure(struct sched *sched, struct conf *conf, wall_ms now);

/* The tenant of our own mail (delivery reports): never in the configuration, and yet its jobs are not held for that. */
#define SCHED_TENANT_INTERNAL "internal"

/* --- jobs ---------------------------------------------------------------------------------------------------------- */

struct sched_job {
	uint64_t id;     /* msg_id */
	uint32_t first;  /* job number: n of its first recipient */
	uint32_t rcpts;  /* recipients still queued */
	const char *domain, *tenant, *pool; /* copied (interned) */
	wall_ms due;     /* not before */
	wall_ms deadline;
	uint32_t attempts; /* of the recipient that has most */
	int8_t priority;   /* MT-PRIORITY (RFC 6710): above 0 transactional, below 0 bulk, 0: its tenant's own class */
	bool fresh;      /* it has just come in, and is not put back from the store: counts for the daily curve of the mail */
	bool held;
	bool warns;      /* its sender is to be told when it is late */
	bool blocked;       /* refused for reasons of ours the last time */
	bool moved;         /* it has had its one other source after such a refusal (sched_has_moved) */
	const char *source; /* of the last attempt, where the next one should come from the same; may be NULL or "" */
};

/* Put a job in. A job (id, first) that is known already is left as it is (rebuild meets intake): returns false. */
bool sched_add(struct sched *sched, const struct sched_job *job, wall_ms now);

enum sched_state { JOB_WAITING, JOB_DEFERRED, JOB_ACTIVE, JOB_HELD, JOB_BLOCKED, JOB_STATES };

/* Where a job is; false: not known. `due`, `deadline`, `attempts`, `why` bits of the last refusal to start. */
struct sched_view {
	enum sched_state state;
	wall_ms due, deadline;
	uint32_t attempts;
	unsigned reasons; /* enum sched_reason bits that keep it from starting now */
	wall_ms ask_again;
	const char *destination; /* name, or NULL when the domain was never resolved; borrowed */
};
bool sched_find(struct sched *sched, uint64_t id, uint32_t first, wall_ms now, struct sched_view *out);

/* The operator's words. Unknown job: ERR_NOT_FOUND. An active job: hold takes effect when it comes back, drop and retry are ERR_BUSY. */
MUST_USE enum err sched_hold(struct sched *sched, uint64_t id, uint32_t first);
MUST_USE enum err sched_release(struct sched *sched, uint64_t id, uint32_t first, wall_ms now);
MUST_USE enum err sched_retry(struct sched *sched, uint64_t id, uint32_t first, wall_ms now); /* due at once; also lifts its destination's backoff for one probe */
MUST_USE enum err sched_drop(struct sched *sched, uint64_t id, uint32_t first); /* forgets a job that is not active */

/* --- decisions ------------------------------------------------------------------------------------------------------ */

/* Why something does not start now; several may hold at once. */
enum sched_reason {
	WHY_NOT_DUE = 1 << 0,             /* its next attempt lies ahead */
	WHY_HELD = 1 << 1,
	WHY_ACTIVE = 1 << 2,              /* it is being delivered */
	WHY_LANE_CONNECTIONS = 1 << 3,    /* every connection that the lane may have is busy */
	WHY_LANE_RATE = 1 << 4,
	WHY_LANE_PAUSED = 1 << 5,         /* after failures of this source there */
	WHY_DESTINATION_PAUSED = 1 << 6,  /* the destination is down; one probe at a time */
	WHY_TOTAL_CONNECTIONS = 1 << 7,   /* delivery.connections */
	WHY_RESOLVING = 1 << 8,           /* its route is being looked up */
	WHY_NO_SOURCE = 1 << 9,           /* no source of the pool can be used (parked, wrong family) */
	WHY_SOURCE_PARKED = 1 << 10,      /* its address is not on this host, or its proxy is down */
	WHY_NO_POOL = 1 << 11,            /* pool or tenant is gone from the configuration */
	WHY_OPERATOR = 1 << 12,           /* paused by the operator */
	WHY_QUEUED_BEHIND = 1 << 13,      /* nothing but its turn */
	WHY_LANE_WARMUP = 1 << 14,        /* the warm-up of its source there: budget, pace, rest or pause */
	WHY_LANE_BLOCKED = 1 << 15,       /* the destination refuses its source for reasons of ours */
	WHY_BLOCKED = 1 << 16,            /* it was refused for reasons of ours and waits for its lane, or its time */
	WHY_SOURCE_DRAINED = 1 << 17,     /* its source was taken out of service */
	WHY_LANE_SLOW = 1 << 20,          /* slow start, or fewer connections after a throttle */
	WHY_DESTINATION_CONNECTIONS = 1 << 21, /* providers[].total_connections, all sources together */
	WHY_DESTINATION_RATE = 1 << 22,   /* providers[].total_rate */
	WHY_SOURCE_CONNECTIONS = 1 << 23, /* sources[].connections, all destinations together */
	WHY_SOURCE_RATE = 1 << 24,        /* sources[].rate */
	WHY_LANE_SILENT = 1 << 25,        /* it answers other sources and not this one */
	WHY_SENDER = 1 << 28,             /* the destination wants less mail of its sender's domain */
	WHY_TENANT_RATE = 1 << 27,        /* tenants[].destination_rate */
	WHY_HOSTS_DOWN = 1 << 29,         /* every host that it could go to is down; one attempt at a time finds out whether it still is */
	WHY_LANE_HEALTH = 1 << 26,        /* most of what its source sent there was refused */
};
#define SCHED_WHY_TEXT 2048
/* Words for a set of reasons, joined by "; ". Returns `out`. */
char *sched_why_text(unsigned reasons, char out[SCHED_WHY_TEXT]);
/* Short key of one bit, such as "lane-connections", for JSON. */
const char *sched_why_name(enum sched_reason bit);

enum sched_kind {
	SCHED_NOTHING, /* nothing can start now: ask again at `when`, or after the next event */
	SCHED_RESOLVE, /* look up `domain`, then call sched_resolved or sched_unresolved */
	SCHED_START,   /* open a connection (or use an idle one) and deliver the job */
	SCHED_WARN,    /* the job is as old as retry.warn: handed out as active for its sender to be told; settle it with sched_done, no lane is charged */
	SCHED_EXPIRE,  /* the job's deadline has passed: it is handed out as active; settle it with sched_done */
};

struct sched_decision {
	enum sched_kind kind;
	wall_ms when;           /* NOTHING: WALL_NEVER when only an event can help */
	unsigned reasons;       /* NOTHING: of all that waits */
	const char *domain;     /* RESOLVE, START, EXPIRE: borrowed while the job or look-up is out */
	uint64_t id;            /* START, EXPIRE */
	uint32_t first, rcpts;  /* rcpts: so many of the job's may be tried now, fewer than all on a cold lane */
	uint32_t attempts;
	const char *tenant, *pool;
	const char *destination; /* START, EXPIRE: name for logs and counters ("?" unresolved) */
	uint32_t lane;          /* START: handle of the lane that was charged */
	const char *source;     /* START: name */
	bool warmup;            /* START: the lane has a warm-up budget: commit a claim before MAIL */
	uint32_t messages_left; /* START: how many messages this connection may carry in all (this one included) */
};

/* What next? Call until it answers NOTHING. A START has taken one connection of its lane and, where a rate counts, its recipients. */
void sched_next(struct sched *sched, wall_ms now, struct sched_decision *out);

/* More for a connection that is open on `lane` and has just finished a job of `domain`: another due job with the same route
 * (same route_key), charged to the same connection. START or NOTHING. */
void sched_next_on(struct sched *sched, uint32_t lane, const char *domain, wall_ms now, struct sched_decision *out);

/* The look-up of a domain has ended well. `key` identifies the set of hosts (equal keys: same connections will do), `hosts` are the names
 * of its MX hosts (or the route's), good until `expires`: later jobs ask for RESOLVE again. families: bit 0 IPv4, bit 1 IPv6 addresses exist. */
void sched_resolved(struct sched *sched, const char *domain, uint64_t key, const char *const *hosts, size_t host_count,
    unsigned families, wall_ms expires, wall_ms now);

/* What is known of routes is not to be relied on any more: whatever is due next asks for RESOLVE first. */
void sched_routes_expire(struct sched *sched, wall_ms now);

/* The look-up failed in a way that may pass: the waiting jobs of the domain must each be settled (deferred). Takes one due job out
 * per call as active: EXPIRE-like decision of kind SCHED_START with lane UINT32_MAX; NOTHING when no due job is left. The caller settles
 * each with sched_done. Used for permanent failures too (the caller's outcome decides). */
void sched_unresolved(struct sched *sched, const char *domain, wall_ms now, struct sched_decision *out);

/* --- what came of it ------------------------------------------------------------------------------------------------ */

enum sched_scope { SCOPE_NONE, SCOPE_RECIPIENT, SCOPE_MESSAGE, SCOPE_LANE, SCOPE_HOST, SCOPE_DESTINATION, SCOPE_SOURCE };

/* Whether any host there answered at all. */
enum sched_reach { REACH_UNTOLD, REACH_ANSWERED, REACH_NOBODY };

#define RCPTS_AS_BEFORE UINT32_MAX

/* The end of an attempt (or of an EXPIRE, or of an unresolved one). */
struct sched_result {
	uint64_t id;
	uint32_t first;
	uint32_t lane;      /* UINT32_MAX: none was charged */
	bool attempted;     /* false: the connection was lost before MAIL was answered; try again without blame */
	uint32_t rcpts_left; /* recipients that stay in the queue; 0: the job is forgotten; RCPTS_AS_BEFORE: nobody had a look at them */
	uint32_t delivered;  /* recipients taken by the remote */
	/* The others that were tried, for the warm-up: tried less than was claimed gives the rest back. Only cold lanes look at them. */
	uint32_t throttled;  /* 4xx about rate, volume or reputation */
	uint32_t deferred;   /* any other 4xx */
	uint32_t blocked;    /* 5xx about us: reputation, policy */
	uint32_t unknown;    /* no such mailbox */
	uint32_t refused;    /* any other 5xx */
	uint32_t early;      /* of these, so many were told before MAIL: the answer counts, and the budget gets them back */
	uint32_t complained; /* reported by the provider since; not among the others */
	enum sched_reach reach;
	enum sched_scope scope; /* whom the trouble blames: slows or pauses lane, destination or source */
	wall_ms not_before;  /* the reply itself names a time; 0: none */
	/* Of those that stay some were refused for good, for reasons of ours, and others merely put off: sched_done plans for these, `put_off` says what
	 * they heard; sched_apart for the others, by `barred_by`. */
	bool mixed;
	struct sched_heard { /* by those with the widest scope */
		bool judged;
		enum replies_class class;
		enum replies_action action;
		enum sched_scope scope;
		wall_ms not_before;
	} put_off, barred_by;
	/* All that stay were refused for good, for reasons of ours (reputation, set-up): the job takes one other healthy source of its pool at once,
	 * or waits as blocked (sched_is_blocked). */
	bool barred;
	/* What the rules say of the reply that blames `scope`; they count when `judged`. */
	bool judged;
	enum replies_class class;
	enum replies_action action;
};

/* Returns when the job will be tried next (with jittered backoff: retry.first doubling to retry.max), for the store and the log; 0 when it is
 * gone. The connection stays charged to its lane until sched_release_connection. Call it before the settle is committed; the job is
 * active until sched_settled. */
wall_ms sched_done(struct sched *sched, const struct sched_result *result, wall_ms now);

/* After sched_done of a mixed result: when those are tried that were refused for reasons of ours. They take one other healthy source at once, or wait
 * as blocked; an entry of their own is the caller's to add once that is stored. */
struct sched_apart {
	wall_ms due;
	bool blocked, moved;
};
void sched_apart(struct sched *sched, const struct sched_result *result, wall_ms now, struct sched_apart *out);

/* After sched_done: it waits as blocked. */
bool sched_is_blocked(const struct sched *sched, uint64_t id, uint32_t first);

/* After sched_done: refused for reasons of ours, it has taken its one other source, or is about to. To be stored with it. */
bool sched_has_moved(const struct sched *sched, uint64_t id, uint32_t first);

/* A START is taken back before anything was sent: the job waits until `until`, because its sender's domain has no turn there yet. No attempt is
 * counted, nobody is blamed, and the rates get back what it has taken of them. Its connection stays charged until sched_release_connection. */
void sched_put_off(struct sched *sched, uint64_t id, uint32_t first, wall_ms until, wall_ms now);

/* The same, for every host that the job could have gone to is known as down. `everybody`: and to no source of any pool is another one left; then
 * its domain rests as a whole until then, or the destination where that has those hosts alone. */
void sched_hosts_down(struct sched *sched, uint64_t id, uint32_t first, wall_ms until, bool everybody, wall_ms now);

/* The settle is in the store: the job may be started again when due (or is forgotten). */
void sched_settled(struct sched *sched, uint64_t id, uint32_t first, wall_ms now);

/* A connection of the lane has ended, or idles and no longer counts. The handle stays that lane's for at least twice delivery.keepalive. */
void sched_release_connection(struct sched *sched, uint32_t lane, wall_ms now);

/* A source cannot be used until `until` (its address is not on this host, its proxy is down): no lane of it starts. */
void sched_park_source(struct sched *sched, const char *source, wall_ms until, const char *why);

/* Operator: a source out of service (nothing starts on it; its waiting and blocked mail takes the others of its pool) or back in service, with
 * what was held against it forgotten. False: no such source. */
bool sched_drain_source(struct sched *sched, const char *source, bool drained, wall_ms now);

/* Operator: a source retires. Its share of the mail of its pools sinks from all of it at `since` to nothing at `until`, later than that; from then on it
 * is out of service. What it gives up goes to source `into` of its pool first, where that can take it; "" to any. Ended by
 * sched_drain_source. Restored at a start the same way. False: no such source. */
struct sched_retire {
	wall_ms since, until;
	char into[256];
};
bool sched_retire_source(struct sched *sched, const char *source, const struct sched_retire *retire, wall_ms now);

/* Each destination whose waiting mail has cold sources alone and cannot all leave within warmup.late (or before it expires) at today's budgets.
 * Work in proportion to destinations and lanes. */
struct sched_late {
	const char *destination; /* borrowed */
	uint64_t waiting, daily; /* recipients; what its lanes may send in a day, 0: nothing */
	wall_ms gone_at;         /* when the last would leave */
};
typedef void (*sched_late_fn)(void *arg, const struct sched_late *late);
void sched_late_each(struct sched *sched, wall_ms now, sched_late_fn fn, void *arg);

/* A source whose retirement has ended by itself, each once; NULL: none. The name is the scheduler's. */
const char *sched_retired_next(struct sched *sched);

/* Operator: pause or resume a destination, tenant or source by name (what: "destination" "tenant" "source"). Resuming a source or destination
 * also ends what its lanes have been shut for and forgets what was held against them. ERR_NOT_FOUND. */
MUST_USE enum err sched_pause(struct sched *sched, const char *what, const char *name, bool paused, wall_ms now);

/* --- warm-up ---------------------------------------------------------------------------------------------------------- */

/* A cold lane's state for the store: opaque bytes under a key, to be written with the claim and the settle. */
#define SCHED_WARM_MAX 256
struct sched_warm {
	const char *key; /* borrowed while the scheduler lives */
	uint8_t data[SCHED_WARM_MAX];
	size_t len;
};

/* The state of a lane as it is now; false: the lane is not cold. Call it after a START and after sched_done. */
bool sched_warm_state(struct sched *sched, uint32_t lane, struct sched_warm *out);

/* All states as they are now, the records of the tenants and the daily curves of the mail: for the store, or for a copy that looks ahead. */
typedef void (*sched_warm_changed_fn)(void *arg, const struct sched_warm *state);
void sched_warm_each(struct sched *sched, sched_warm_changed_fn fn, void *arg);

/* Give a stored state back, before the first decision. ERR_EXISTS: the lane has gone on already; ERR_VERSION, ERR_CORRUPT. */
MUST_USE enum err sched_warm_restore(struct sched *sched, const char *key, const void *data, size_t len);

/* The records of tenants and the daily curves that have changed since they were asked for last: to be stored as other states are, now and then. */
void sched_warm_records(struct sched *sched, sched_warm_changed_fn fn, void *arg);

/* A day of a cold lane, in recipients; `day` is its number since 1970 in warmup.zone. budget 0: none, it was warm. total: what all sources
 * together sent to the destination in that time. */
#define SCHED_WARM_NAME    256
#define SCHED_WARM_DAY_LEN 37
struct sched_warm_day {
	char source[SCHED_WARM_NAME], destination[SCHED_WARM_NAME];
	int32_t day;
	uint32_t planned, budget, used, accepted, deferred, blocked, unknown, complained, total;
};
typedef void (*sched_warm_day_fn)(void *arg, const struct sched_warm_day *day);

/* The next finished day; false: none. A day is finished by the first claim or answer after it. */
bool sched_warm_day_next(struct sched *sched, struct sched_warm_day *out);
/* The days that are not finished. */
void sched_warm_today(struct sched *sched, wall_ms now, sched_warm_day_fn fn, void *arg);
/* The numbers for the store. decode leaves day and names alone; ERR_VERSION, ERR_CORRUPT. */
void sched_warm_day_encode(const struct sched_warm_day *day, uint8_t out[SCHED_WARM_DAY_LEN]);
MUST_USE enum err sched_warm_day_decode(const void *data, size_t len, struct sched_warm_day *day);

/* The days to come of a cold lane, today first. `volume`: taken each day; full_at: when the share of the volume is taken in a day for the first
 * time, 0: not within SCHED_WARM_AHEAD days; waits: what could not be sent from the lane until then. */
#define SCHED_WARM_AHEAD  90
#define SCHED_WARM_GROWTH 1.15 /* a day, of what a provider takes, while nothing is known of it: few take less */
struct sched_warm_path {
	unsigned days; /* of volume */
	uint32_t volume[SCHED_WARM_AHEAD];
	wall_ms full_at;
	double waits;
};
struct sched_warm_outlook {
	double share;     /* recipients a day that fall to the lane: the sources of its largest pool share evenly */
	bool is_warm, warm_beside; /* no budget; its pool has a warm source, which takes what is over */
	struct sched_warm_path early, late; /* if the provider goes on as well as it may, and as slowly as it may */
};
/* Names of the lane at `index`, from 0; false: no more. */
bool sched_warm_lane(const struct sched *sched, size_t index, char source[SCHED_WARM_NAME], char destination[SCHED_WARM_NAME]);
/* `daily`: recipients a day wanted at its destination, all sources together. growth: of what was taken from day to day of late, 0: not known.
 * Takes a few milliseconds. */
void sched_warm_look_ahead(
    const struct sched *sched, size_t index, double daily, double growth, wall_ms now, struct sched_warm_outlook *out);

/* One cold lane as the operator sees it; texts borrowed for the call. Volumes are recipients, of today where nothing else is said. */
struct sched_warm_view {
	const char *source, *destination, *plan;
	bool warm;      /* beyond its plan, or adopted: no budget */
	bool exploring; /* no limit was met yet */
	uint32_t step;  /* 1: the first day that counts */
	uint32_t planned, budget, used, accepted, deferred, blocked, unknown, complained;
	uint32_t yesterday; /* accepted */
	double mean;    /* accepted a day, recent days count most */
	wall_ms next_step;
	wall_ms resting_until; /* 0: not resting */
	const char *obstacle;  /* what stands in the way of more, "" nothing */
};
typedef void (*sched_warm_fn)(void *arg, const struct sched_warm_view *view);
void sched_warm_read(struct sched *sched, wall_ms now, sched_warm_fn fn, void *arg);

/* The operator's words about the cold lanes of a source (destination NULL: all). volume: of STEP, recipients a day; of COMPLAINED, complaints that
 * came in since. `fn` (may be NULL) is called
 * with each changed state, which is to be stored. Returns how many. */
enum sched_warm_verb { WARM_PAUSE, WARM_RESUME, WARM_STEP, WARM_RESTART, WARM_ADOPT, WARM_COMPLAINED };
uint32_t sched_warm_change(struct sched *sched, enum sched_warm_verb verb, const char *source, const char *destination,
    uint32_t volume, wall_ms now, sched_warm_changed_fn fn, void *arg);

/* --- lanes -------------------------------------------------------------------------------------------------------------- */

/* OPEN: within its limits. SLOW: with fewer connections, after a throttle or because of its record. PROBING: one connection finds out whether a
 * trouble is over. CLOSED: nothing until a time. */
enum sched_lane_state { LANE_OPEN, LANE_SLOW, LANE_PROBING, LANE_CLOSED, LANE_STATES };
const char *sched_lane_state_name(enum sched_lane_state state); /* "probing" */

#define SCHED_LANE_WORDS 320
struct sched_lane_view { /* texts are borrowed for the call */
	const char *source, *destination;
	enum sched_lane_state from, state; /* from: told last */
	wall_ms until;  /* CLOSED; else 0 */
	uint32_t connections;
	bool about_us;  /* not open because of our reputation, set-up or record, or because the source is not heard; not by a mere failure */
	const char *why;
	uint32_t tried, deferred, barred; /* recipients within the last hour; barred: refused for reasons of ours. 0 when a change is told */
};
typedef void (*sched_lane_fn)(void *arg, const struct sched_lane_view *view);

/* `fn` hears of each change of a lane's state, from within the call that brings it; it must not call the scheduler. NULL: nobody. */
void sched_listen(struct sched *sched, sched_lane_fn fn, void *arg);

/* Every lane that exists. Work in proportion to lanes. */
void sched_lanes_read(struct sched *sched, wall_ms now, sched_lane_fn fn, void *arg);

/* A part of them, for who must not take long: `count` places from `from` on, which begins with 0. Returns where to go on; 0: there are no more.
 * Lanes that come or go between two parts may be missing. */
uint32_t sched_lanes_part(struct sched *sched, uint32_t from, uint32_t count, wall_ms now, sched_lane_fn fn, void *arg);

/* How many lanes there are, by state. */
const uint32_t *sched_lane_states(const struct sched *sched);

/* --- what is learned ------------------------------------------------------------------------------------------------------- */

/* Pauses, windows and records of lanes, pauses of destinations, and what the operator has paused: small rows under keys, to be kept and given
 * back at start. */
#define SCHED_LEARNED_MAX 160
#define SCHED_LEARNED_KEY 384 /* bytes, with the NUL */
struct sched_learned {
	char key[SCHED_LEARNED_KEY];
	uint8_t data[SCHED_LEARNED_MAX];
	size_t len; /* 0: the row of that key goes */
};

/* The next row that has changed since it was taken last; false: none. Call it after sched_done and the operator's words. */
bool sched_learned_next(struct sched *sched, struct sched_learned *out);

/* Give a stored row back, before the first decision. ERR_VERSION, ERR_CORRUPT: it is left alone, and what it knew is learnt anew. */
MUST_USE enum err sched_learned_restore(struct sched *sched, const char *key, const void *data, size_t len, wall_ms now);

/* Figures of sources and tenants (ledger.h), bucket by bucket, likewise. `fn` is called with each that has changed since it was last; borrowed. */
#define SCHED_LEDGER_KEY 320 /* bytes, with the NUL */
typedef void (*sched_ledger_fn)(void *arg, const char *key, const void *data, size_t len);
void sched_ledgers_changed(struct sched *sched, sched_ledger_fn fn, void *arg);

/* Give one back, before the first decision. ERR_NOT_FOUND: it is of no use any more, and may go; ERR_VERSION, ERR_CORRUPT. */
MUST_USE enum err sched_ledger_restore(struct sched *sched, const char *key, const void *data, size_t len, wall_ms now);

/* --- figures --------------------------------------------------------------------------------------------------------- */

struct sched_counts { /* in recipients */
	uint64_t waiting, deferred, active, held, blocked;
	uint64_t connections;
	wall_ms oldest; /* arrival of the oldest waiting job (from its id); 0: none */
};
/* Each destination that has jobs, connections or a pause; then name "" for the total. Work in proportion to destinations, not jobs. */
typedef void (*sched_counts_fn)(void *arg, const char *destination, const struct sched_counts *counts, unsigned reasons,
    wall_ms ask_again);
void sched_counts_read(struct sched *sched, wall_ms now, sched_counts_fn fn, void *arg);

/* All reasons for a destination, a source or a tenant by name, a line each (text borrowed for the call). ERR_NOT_FOUND. */
typedef void (*sched_line_fn)(void *arg, const char *line);
MUST_USE enum err sched_explain(struct sched *sched, const char *name, wall_ms now, sched_line_fn fn, void *arg);

/* A source as the operator sees it, and its lanes that are shut for a time; texts borrowed. False: no such source. */
struct sched_source_view {
	bool paused, drained;
	wall_ms parked_until; /* 0: it is not */
	const char *park_why; /* "" nothing to tell */
	uint32_t connections, shut;
	struct ledger_sum hour, day; /* what became of its recipients */
	const struct sched_retire *retire; /* NULL: it does not; borrowed */
	double share;         /* of its mail that it still takes: 1 all, 0 nothing */
};
typedef void (*sched_shut_fn)(void *arg, const char *destination, enum sched_reason reason, const char *words, wall_ms until);
bool sched_source_read(
    const struct sched *sched, const char *name, wall_ms now, struct sched_source_view *out, sched_shut_fn fn, void *arg);

/* Each tenant that is known: its recipients in the queue. */
struct sched_tenant_view {
	const char *name; /* borrowed for the call */
	bool present, paused; /* in the configuration; by the operator */
	struct sched_counts counts; /* without connections and oldest */
	struct ledger_sum hour, day; /* what became of its recipients */
};
typedef void (*sched_tenant_fn)(void *arg, const struct sched_tenant_view *view);
void sched_tenants_read(const struct sched *sched, wall_ms now, sched_tenant_fn fn, void *arg);

/* Jobs known, entries' memory in bytes (bench, metrics). */
size_t sched_job_count(const struct sched *sched);
size_t sched_memory(const struct sched *sched);

/* Every invariant of the structure; aborts through must() when one is broken. For tests; cost grows with the jobs. */
void sched_verify(const struct sched *sched);

#endif
