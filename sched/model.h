/* sched/model.h - the structures inside the scheduler and who points to whom. For the files of sched/ alone.
 *
 *     entry ─▶ domain ─▶ destination ◀─ lane ─▶ source          lane: one source towards one destination
 *     line    the due jobs of one (domain, tenant, pool, urgency), first come first served; hangs on its domain
 *     share   the lines of one tenant and class in a bundle; shares of a class take turns by weight (share.c)
 *     bundle  what one pool may send to one destination with the same address families; runnable bundles take turns
 *     route   the domains with the same set of hosts: one connection serves them all
 *
 * A domain's lines hang in shares only while its route is known; else they wait for the look-up. */
#ifndef SCHED_MODEL_H
#define SCHED_MODEL_H

#include <utlist.h>

#include "base/rand.h"
#include "base/crate.h"
#include "base/table.h"
#include "sched/curve.h"
#include "sched/entry.h"
#include "sched/health.h"
#include "sched/heap.h"
#include "sched/pace.h"
#include "sched/sched.h"
#include "sched/slots.h"
#include "sched/ledger.h"
#include "sched/warmup.h"

#define ID_TIME_SHIFT     20   /* a message id holds the milliseconds of its arrival above these bits */
#define RESOLVES_MAX      512  /* look-ups out at once */
#define IDLE_DOMAINS_MAX  4096 /* domains without jobs whose route is remembered */
#define LOST_MAX          5    /* connections lost in a row that do not count as an attempt */
#define FAILURES_TO_PAUSE 3    /* failed connections in a row, on all lanes, until a destination counts as down */
#define NEAR_MAX          8    /* so few of a kind are found by walking; a hash table costs more misses of the cache */
#define LANE_NONE         UINT32_MAX
#define SOURCE_NONE       UINT16_MAX

enum { FAMILY_V4 = 1, FAMILY_V6 = 2, FAMILY_ANY = 3 };

/* The warm-up of a source towards a destination; it outlives the lane. */
struct cold {
	struct sched *sched;
	char *key;
	struct warmup state;
	struct warmup_plan plan; /* borrows from sched->conf */
	bool known;          /* state counts */
	const struct conf_source *conf; /* borrowed from sched->conf; NULL: its source has no plan now */
	struct source *source; /* NULL: not looked for yet */
	wall_ms offset;      /* from the wall clock to the clock of its days */
	wall_ms since;       /* not before */
	uint32_t out;        /* claims whose end has not come yet */
	wall_ms began;       /* when the day of its state did, as far as this run knows: older claims are not of it */
	uint64_t base;       /* dest->started when the lane's day began; wraps around after a restart */
	struct lane *lane;   /* NULL: none now, or its source has no plan */
	UT_hash_handle hh;
};

struct tenant {
	uint32_t handle;
	char *name;
	double tried, bad; /* recipients of late, and those of them unknown (or complaining, which counts more) */
	int64_t risky_earned; /* while it is a risk, from cold sources alone: what others were given in its place, less what it had for that */
	char *key;            /* of its stored record; NULL: not made yet */
	bool noted;           /* its record has changed since it was stored */
	bool present; /* in the configuration */
	bool paused;  /* by the operator */
	uint64_t rcpts[JOB_STATES];
	struct ledger *ledger; /* NULL: nothing was tried yet */
	enum conf_priority priority; /* of its mail that asks for nothing else */
	uint32_t weight;
	uint32_t rate_count; /* recipients in rate_period_ms to each destination; 0: no limit */
	int64_t rate_period_ms;
	struct share *shares;
	UT_hash_handle hh;
};

struct source {
	uint32_t handle;
	char *name;
	bool present, paused, drained; /* drained: out of service by the operator */
	bool retired;                  /* its retirement has ended, and nobody has been told yet */
	struct sched_retire *retire;   /* NULL: it does not retire */
	const struct conf_source *conf; /* borrowed from sched->conf; NULL: not present */
	unsigned families; /* which it can reach */
	wall_ms parked_until;
	char *park_why; /* NULL: never parked */
	uint32_t connections; /* on all its lanes */
	int64_t rate_full_us; /* of sources[].rate */
	struct ledger ledger;   /* of all its lanes, those forgotten too */
	struct lane *lanes;
	struct lane *waiters;           /* closed by a limit of the source alone can open */
	uint32_t waiter_count, looks;   /* of them; so many are still to be looked at */
	wall_ms wake_at;                /* when the first of those looked at may start */
	const struct cold *refusers[2]; /* that blocked it last, the last one first; NULL */
	bool roomy;                     /* on the list of sources whose waiters are to be looked at */
	struct source *prev, *next;     /* of that list */
	UT_hash_handle hh;
};

struct pool {
	uint32_t handle;
	char *name;
	bool present;
	uint32_t *sources; /* handles, in the order of the configuration */
	uint32_t source_count;
	uint32_t *cold_places; /* of the sources with a warm-up: index into sources */
	uint32_t cold_count;
	uint32_t *turns; /* indices into sources in the order of their turns, each as often as its weight says; NULL: all weigh the same */
	uint32_t turn_count;
	uint64_t weight; /* of all its sources */
	int64_t overflow_ms; /* its mail waits so long for cold sources; 0: not at all */
	uint32_t *places; /* by source handle: index into sources, UINT32_MAX */
	uint32_t place_count;
	UT_hash_handle hh;
};

struct route_key {
	uint64_t hosts; /* what the resolver calls key */
	uint64_t dest;  /* handle */
};

struct route {
	struct route_key key;
	struct dest *dest;
	uint32_t domains; /* that hang on it */
	struct line *lines[PRIORITIES];
	UT_hash_handle hh;
};

struct domain {
	uint32_t handle;
	char *name;
	struct dest *dest;   /* never NULL: the last known, at first one named by the domain */
	struct route *route; /* NULL until the first answer */
	unsigned families;   /* of the route */
	wall_ms expires;     /* of the route */
	bool routed;         /* the route counts: lines hang in shares */
	bool wanted;         /* on the list of look-ups to do */
	bool resolving;      /* its look-up is out */
	bool idle;           /* no jobs, no look-up: on the list of idle ones */
	unsigned failed_lookups;
	wall_ms lookup_after; /* no look-up before; 0: at once */
	bool resting;         /* until then, for all of its hosts are known as down */
	uint64_t rcpts[JOB_STATES];
	uint32_t jobs;
	uint32_t oldest[2],
	    youngest[2]; /* jobs in order of arrival: those that came in, those put back from the store */
	struct line *lines;        /* those that are not in sched->line_keys first */
	uint32_t near_lines, far_lines; /* found by walking; by sched->line_keys */
	struct domain *prev, *next; /* of look-ups to do, or of idle domains */
	struct domain *dest_prev, *dest_next;
	UT_hash_handle hh;
};

struct dest {
	uint32_t handle;
	char *key;                            /* identity: "p:" provider, or "h:" sorted host names */
	char *name;                           /* shown and typed by the operator */
	const struct conf_provider *provider; /* borrowed from sched->conf; NULL: limits of lanes */
	struct domain *domains;
	uint32_t routes;           /* different ones of its domains */
	struct bundle *bundles;
	struct lane *lanes;        /* those that are not in sched->lane_keys first */
	uint32_t near_lanes, far_lanes; /* found by walking; by sched->lane_keys */
	uint64_t rcpts[JOB_STATES];
	uint32_t connections;
	uint64_t started;      /* recipients, since it is known */
	bool operator_paused;
	bool down;         /* paused after failures; one probe once pause_until has passed */
	bool blocked;      /* operator_paused, or down and no probe may start */
	bool crowded;      /* has all the connections that all sources together may have */
	bool sated;        /* has had its rate of all sources together, until sated_until */
	enum conf_priority waits_as; /* while sated: the class that waits; one above it need not */
	uint32_t yielding; /* lanes with a waits_as below the highest */
	wall_ms sated_until;
	int64_t rate_full_us; /* of providers[].total_rate */
	uint32_t probe;    /* entry of the probe that is out, ENTRY_NONE */
	unsigned failures; /* in a row */
	unsigned pauses;   /* in a row */
	wall_ms pause_until;
	wall_ms lifted_at;  /* sched_retry lifted its pauses */
	uint64_t saved;     /* sum of what the store has of it; 0: no row */
	wall_ms heard_at;   /* it answered; 0: never */
	uint32_t heard_by;  /* handle of the source that it answered */
	uint32_t rations;   /* of tenants with a limit */
	bool suspects;      /* some lane was not answered, and nobody was asked since */
	wall_ms oldest;     /* scratch of sched_counts_read */
	uint32_t resolving; /* scratch of sched_counts_read */
	UT_hash_handle hh_key, hh_name;
};

/* Shares of one class in a bundle. */
struct tier {
	struct share *open;  /* they may still send in this round, in the order of their turns */
	struct share *spent; /* they have had their part of it */
	uint32_t round;
};

struct bundle {
	struct dest *dest;
	struct pool *pool;
	unsigned families;
	bool runnable;
	struct share *shares;       /* all of them, those that are not in sched->share_keys first */
	uint32_t near_shares, far_shares; /* found by walking; by sched->share_keys */
	enum conf_priority ring;    /* the ring of runnable ones it is in: of its highest class that waits */
	struct tier tiers[PRIORITIES]; /* of tenants that are not paused */
	uint32_t passed[PRIORITIES];   /* turns of higher classes since one of this one */
	uint32_t strayed;           /* turns that open connections have taken out of order, for their route was another */
	uint64_t served;            /* sched->turns at its last turn */
	uint32_t cursor;            /* place in the pool where the next source is looked for */
	uint32_t turn;              /* index into the pool's turns */
	enum conf_priority waits_as; /* of the job in turn: yield_class */
	struct share *second;       /* whose turn it is, a risk, while all sources are cold; NULL */
	uint32_t cold_cursor;       /* index into the pool's cold_places */
	uint32_t open;              /* sources whose bit in `closed` is clear */
	struct bundle *prev, *next; /* runnable ones */
	bool keeping;               /* all that is in sight waits for cold lanes */
	struct bundle *keep_prev, *keep_next;
	struct bundle *dest_next;
	uint32_t words;
	uint64_t bits[]; /* closed[words]: cannot start now; shaky[words]: failed the last time */
};

struct share_key {
	const struct bundle *bundle;
	const struct tenant *tenant;
	uint64_t priority;
};

enum share_place { SHARE_RESTING, SHARE_OPEN, SHARE_SPENT }; /* resting: the tenant is paused, or has had its ration there */

struct share {
	struct share_key key;
	struct bundle *bundle;
	struct tenant *tenant;
	enum conf_priority priority;
	enum share_place place;
	bool far;       /* its bundle has many: it is in sched->share_keys */
	uint32_t round; /* of its tier, in which it got credit last */
	int64_t credit; /* recipients that it may send in this round; below 0: a debt of the rounds before */
	struct line *lines;
	struct share *prev, *next;
	struct share *tenant_prev, *tenant_next;
	struct share *bundle_prev, *bundle_next;
	UT_hash_handle hh;
};

struct ration_key {
	uint32_t tenant, dest; /* handles */
};

/* What a tenant has sent to a destination of late, where it has a limit. */
struct ration {
	struct ration_key key;
	uint32_t handle;
	struct tenant *tenant;
	struct dest *dest;
	int64_t full_us; /* of its token bucket */
	bool rests;      /* its shares there are out of the turns */
	enum conf_priority waits_as; /* while it rests: the class that waits */
	UT_hash_handle hh;
};

struct line_key {
	uint32_t domain, tenant, pool, urgency;
};

struct line {
	struct line_key key;
	struct domain *domain;
	struct share *share;      /* NULL: the domain has no route now */
	enum conf_priority priority; /* counts while it hangs in a share */
	bool far;                 /* its domain has many: it is in sched->line_keys */
	uint32_t head, tail;      /* entries, never empty */
	struct line *prev, *next; /* of the share */
	struct line *domain_prev, *domain_next;
	struct line *route_prev, *route_next;
	UT_hash_handle hh;
};

struct lane_key {
	uint32_t dest, source;
};

/* A lane exists while it has something to remember. */
struct lane {
	struct lane_key key;
	uint32_t handle;
	struct dest *dest;
	struct source *source;
	uint32_t connections;
	uint32_t active;   /* jobs handed out on it */
	unsigned failures; /* in a row; above 0: others are chosen first */
	unsigned blocks;   /* refusals of the source in a row; above 0: one connection at most */
	wall_ms paused_until;
	unsigned shut_by;        /* why until then: WHY_LANE_PAUSED, WHY_LANE_BLOCKED */
	const char *shut_words;  /* more of it for the operator; static, NULL: nothing to add */
	wall_ms kept_until;   /* its handle may still be in use by an idle connection */
	int64_t rate_full_us; /* microseconds since 1970: when the token bucket is full again */
	bool far;             /* its destination has many: it is in sched->lane_keys */
	bool closed;          /* cannot start now; its bits are set in the bundles that have tried it */
	unsigned reasons;     /* why it is closed */
	enum conf_priority waits_as; /* closed for want of tokens alone: the class that waits for them; else the highest */
	bool waiting;         /* closed, and on the list of its source's waiters */
	uint8_t state;        /* enum sched_lane_state that was told last */
	bool silent;          /* not answered where another source is */
	bool strained;        /* its record says: go slowly */
	bool refused;         /* its record said: stop; nothing was delivered since */
	uint8_t silences;     /* pauses in a row for being silent */
	wall_ms unheard_at;   /* the last attempt that nobody answered; 0: it is heard */
	wall_ms strained_at;
	struct pace pace;
	struct health health;
	uint64_t saved;       /* sum of what the store has of it; 0: no row */
	uint64_t share_base;  /* while its source retires: dest->started when counting began */
	uint64_t share_used;  /* and its own recipients since */
	struct cold *cold;    /* NULL: its source is warm */
	struct lane *dest_prev, *dest_next;
	struct lane *source_prev, *source_next;
	struct lane *wait_prev, *wait_next;
	UT_hash_handle hh;
};

enum timer_kind { TIMER_LANE, TIMER_DEST, TIMER_DOMAIN, TIMER_SOURCE, TIMER_RATION, TIMER_KINDS };
#define TIMER_KIND_BITS 3

struct sched {
	struct conf *conf;
	struct rand rand;
	wall_ms now; /* last one seen, for the few calls that bring none */
	struct entries entries;
	struct heap times;  /* jobs: due time of those that wait, deadline of the others */
	struct heap timers; /* what may let something start: handle * 4 + enum timer_kind */
	struct heap chores; /* lanes that may be forgotten, by handle: nobody needs to wake up for them */
	struct tenant *tenant_names;
	struct source *source_names;
	struct pool *pool_names;
	struct tenant *last_tenant; /* of the job that came in last: most of the time the next one's too. Never forgotten before the end */
	struct pool *last_pool;
	struct domain *domain_names;
	struct dest *dest_keys, *dest_names;
	struct route *routes;
	struct line *line_keys;
	struct share *share_keys;
	struct lane *lane_keys;
	struct cold *colds;
	struct habit *habits; /* daily curves, by the key of their destination; "": of all mail */
	struct ration *ration_keys;
	struct slots rations;
	uint32_t rations_resting;
	struct leaf *leaves; /* finished days of cold lanes */
	struct bundle *keeping; /* bundles whose mail waits for cold lanes */
	wall_ms keep_at;        /* when to look at them again; WALL_NEVER */
	bool retired;        /* some retirement has ended and was not told yet */
	wall_ms retire_at;   /* when the next retirement ends; WALL_NEVER */
	struct recall *unsaved;    /* keys whose rows have changed */
	struct recall *remembered; /* rows of the store that nobody has asked for yet */
	struct slots tenants, sources, pools, domains, dests, lanes;
	struct bundle *runnable[PRIORITIES]; /* bundles that take turns, by their highest class that waits */
	uint32_t passed[PRIORITIES]; /* turns of higher classes since one of this one */
	uint64_t turns;
	struct source *roomy;
	struct domain *wanted; /* look-ups to do */
	struct domain *idle;   /* domains without jobs, longest idle first */
	uint32_t idle_count;
	uint32_t lookups;               /* out */
	uint32_t expired, expired_tail; /* jobs to hand out as EXPIRE */
	uint32_t connections;
	bool sweeping;                  /* looking for blocked jobs whose lane has opened */
	uint32_t sweep;                 /* the entry looked at last */
	uint64_t rcpts[JOB_STATES];
	uint32_t places[PLACES];              /* jobs */
	uint32_t dests_down, operator_pauses; /* for the reasons of NOTHING */
	uint32_t lane_states[LANE_STATES];    /* lanes, by the state told last */
	sched_lane_fn on_lane;
	void *on_lane_arg;
	uint32_t dests_crowded, dests_sated;  /* the same */
	uint32_t lanes_closed[32];            /* by bit of enum sched_reason */
	struct crate crate;                    /* of the small structures */
	size_t objects;                       /* bytes of them */
};

#endif
