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
#define ID_TIME_SHIFT  20 /* a message id holds the milliseconds of its arrival above these bits */
#define SCHED_MODEL_H

#include <utlist.h>

#include "base/rand.h"
#include "base/table.h"
#include "sched/entry.h"
#include "sched/health.h"
#include "sched/heap.h"
#include "sched/pace.h"
#include "sched/sched.h"
#include "sched/slots.h"
#include "sched/warmup.h"

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
	wall_ms offset;      /* from the wall clock to the clock of its days */
	wall_ms since;       /* not before */
	uint32_t out;        /* claims whose end has not come yet */
	uint64_t base;       /* dest->started when the lane's day began; wraps around after a restart */
	struct lane *lane;   /* NULL: none now, or its source has no plan */
	UT_hash_handle hh;
};

struct tenant {
	uint32_t handle;
	char *name;
	double tried, bad; /* recipients of late, and those of them unknown (or complaining, which counts more) */
	uint32_t risky_turns; /* while it is a risk, of those from cold sources alone */
	char *key;            /* of its stored record; NULL: not made yet */
	bool noted;           /* its record has changed since it was stored */
	bool present; /* in the configuration */
	bool paused;  /* by the operator */
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
	const struct conf_source *conf; /* borrowed from sched->conf; NULL: not present */
	unsigned families; /* which it can reach */
	wall_ms parked_until;
	char *park_why; /* NULL: never parked */
	uint32_t connections; /* on all its lanes */
	int64_t rate_full_us; /* of sources[].rate */
	struct lane *lanes;
	struct lane *waiters;           /* closed by a limit of the source alone can open */
	uint32_t waiter_count, looks;   /* of them; so many are still to be looked at */
	wall_ms wake_at;                /* when the first of those looked at may start */
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
	struct tenant *second;      /* whose turn it is, a risk, while all sources are cold; NULL */
	uint32_t cold_cursor;       /* index into the pool's cold_places */
	uint32_t open;              /* sources whose bit in `closed` is clear */
	struct bundle *prev, *next; /* runnable ones */
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
	struct domain *domain_names;
	struct dest *dest_keys, *dest_names;
	struct route *routes;
	struct line *line_keys;
	struct share *share_keys;
	struct lane *lane_keys;
	struct cold *colds;
	struct ration *ration_keys;
	struct slots rations;
	uint32_t rations_resting;
	struct leaf *leaves; /* finished days of cold lanes */
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
	size_t objects;                       /* bytes of the small structures */
};

/* Memory of the small structures is counted, so that sched_memory can tell. */
void *model_alloc(struct sched *sched, size_t size) MUST_USE;
void model_free(struct sched *sched, void *object, size_t size);

/* --- name.c: tenants, pools, sources ---------------------------------------------------------------------------------- */

struct tenant *name_tenant(
    struct sched *sched, const char *name); /* found or made; not in the configuration: present is false */
struct pool *name_pool(struct sched *sched, const char *name);
struct source *name_source(struct sched *sched, const char *name);
struct tenant *name_tenant_of(const struct sched *sched, const struct entry *e);
struct pool *name_pool_of(const struct sched *sched, const struct entry *e);
bool name_pool_has(const struct pool *pool, const struct source *source, uint32_t *place_out);
/* Places in a pool in the order of their turns: `weights` (1.., one for each place) divided by their common divisor, each place's turns spread
 * evenly. malloc'ed; NULL: all weigh the same. */
uint32_t *turns_make(const uint32_t *weights, uint32_t count, uint32_t *turn_count_out) MUST_USE;
void name_load(struct sched *sched); /* presence and members from sched->conf */
void name_fini(struct sched *sched);

/* --- domain.c ---------------------------------------------------------------------------------------------------------- */

struct domain *domain_get(struct sched *sched, const char *name, wall_ms now);
struct domain *domain_find(const struct sched *sched, const char *name);
struct domain *domain_of(const struct sched *sched, const struct entry *e);
void domain_add_job(struct sched *sched, struct domain *domain, uint32_t number); /* into the order of arrival */
void domain_remove_job(struct sched *sched, struct domain *domain, uint32_t number, wall_ms now);
uint64_t domain_oldest(const struct sched *sched, const struct domain *domain); /* message id; UINT64_MAX: no jobs */
void domain_move(struct sched *sched, struct domain *domain, struct dest *dest, wall_ms now);
void domain_route(struct sched *sched, struct domain *domain, uint64_t key, unsigned families, wall_ms expires);
void domain_unroute(struct sched *sched, struct domain *domain, wall_ms now); /* its lines wait for a look-up */
void domain_want(
    struct sched *sched, struct domain *domain, wall_ms now); /* ask for a look-up when due jobs wait for one */
void domain_unwant(struct sched *sched, struct domain *domain);
void domain_tidy(struct sched *sched, struct domain *domain, wall_ms now); /* forget one that nothing needs */
void domain_free(struct sched *sched, struct domain *domain, wall_ms now);

/* --- destination.c ------------------------------------------------------------------------------------------------------ */

struct dest *dest_of_provider(struct sched *sched, const struct conf_provider *provider);
struct dest *dest_of_hosts(struct sched *sched, const char *const *hosts, size_t count);
void dest_refresh(struct sched *sched, struct dest *dest, wall_ms now); /* after any change of its pauses */
void dest_tidy(struct sched *sched, struct dest *dest, wall_ms now);    /* forget one that nothing needs */
void dest_free(struct sched *sched, struct dest *dest);
uint32_t dest_connection_limit(const struct sched *sched, const struct dest *dest);
uint32_t dest_message_limit(const struct sched *sched, const struct dest *dest);

/* --- bundle.c ------------------------------------------------------------------------------------------------------------ */

struct bundle *bundle_get(struct sched *sched, struct dest *dest, struct pool *pool, unsigned families);
void bundle_refresh(struct sched *sched, struct bundle *bundle); /* runnable or not */
void bundle_close(struct sched *sched, struct bundle *bundle, uint32_t place);
void bundle_mark(struct bundle *bundle, uint32_t place, bool shaky);
bool bundle_is_closed(const struct bundle *bundle, uint32_t place);
bool bundle_is_shaky(const struct bundle *bundle, uint32_t place);
void bundle_reopen(struct sched *sched, struct bundle *bundle, const struct source *source);
uint32_t bundle_choose(struct bundle *bundle); /* next place in turn, healthy ones first; UINT32_MAX: none is open */
void bundle_free_all(struct sched *sched, struct dest *dest);
size_t bundle_size(uint32_t words);

/* --- share.c: whose turn it is ---------------------------------------------------------------------------------------- */

/* The class whose turn it is among those in `waiting` (bits), and that a turn of `taken` was had. */
enum conf_priority share_class_in_turn(const uint32_t passed[PRIORITIES], unsigned waiting);
void share_class_served(uint32_t passed[PRIORITIES], unsigned waiting, enum conf_priority taken);
unsigned share_waiting(const struct bundle *bundle); /* classes with mail of tenants that are not paused, as bits */
/* The share in turn of a bundle with waiting mail; grants what the round gives it. */
struct share *share_in_turn(struct bundle *bundle);
void share_served(struct share *share, uint32_t rcpts); /* its place in the round moves */
void share_add_line(struct sched *sched, struct bundle *bundle, struct line *line);
void share_remove_line(struct sched *sched, struct line *line); /* forgets a share without lines */
void share_tenant_paused(struct sched *sched, struct tenant *tenant, bool paused);
void share_rest(struct sched *sched, struct share *share, bool rest); /* out of the turns, or back at their end */

/* --- ration.c: a tenant at a destination ------------------------------------------------------------------------------------ */

/* May `rcpts` recipients of the tenant start there? If not, its shares there rest until they may. */
bool ration_open(struct sched *sched, struct tenant *tenant, struct dest *dest, uint32_t rcpts, wall_ms now);
bool ration_rests(const struct sched *sched, const struct tenant *tenant, const struct dest *dest);
wall_ms ration_when(
    const struct sched *sched, const struct tenant *tenant, const struct dest *dest, uint32_t rcpts, wall_ms now);
void ration_charge(struct sched *sched, struct tenant *tenant, struct dest *dest, uint32_t rcpts, wall_ms now);
void ration_due(struct sched *sched, uint32_t handle, wall_ms now); /* its time has come */
void ration_reload(struct sched *sched, wall_ms now);
void ration_fini(struct sched *sched);

/* --- line.c --------------------------------------------------------------------------------------------------------------- */

enum conf_priority line_priority(const struct tenant *tenant, enum urgency urgency);
void line_push(struct sched *sched, uint32_t number, wall_ms now);
void line_remove(struct sched *sched, uint32_t number);
void line_attach(struct sched *sched, struct line *line);
void line_detach(struct sched *sched, struct line *line);
void line_turn(struct sched *sched, struct line *line, uint32_t rcpts); /* others of its share, bundle and route are next */
/* A line of the share whose mail a connection to `route` can take, of `domain` first; NULL: none near the head. */
struct line *line_on_route(const struct sched *sched, const struct share *share, const struct domain *domain);

/* --- lane.c --------------------------------------------------------------------------------------------------------------- */

struct lane *lane_find(const struct sched *sched, const struct dest *dest, const struct source *source);
struct lane *lane_get(struct sched *sched, struct dest *dest, struct source *source);
/* Reasons why `rcpts` recipients cannot start now, and when they can (WALL_NEVER: only an event helps). lane NULL: one that has nothing to
 * remember. connect: a new connection is needed. */
unsigned lane_check(const struct sched *sched, const struct dest *dest, const struct source *source,
    const struct lane *lane, bool connect, uint32_t rcpts, wall_ms now, wall_ms *when_out);
/* The one way to keep a lane from starting anything for a time; `reason` is what is told meanwhile, `words` (static, may be NULL) add to it. The
 * later of two ends counts, with its reason. Connections that are open finish what they carry. */
void lane_shut(struct sched *sched, struct lane *lane, wall_ms until, unsigned reason, const char *words);
/* The end of that, before its time. */
void lane_unshut(struct sched *sched, struct lane *lane);
void lane_close(struct sched *sched, struct lane *lane, unsigned reasons, uint32_t rcpts, wall_ms when, wall_ms now);
uint32_t lane_limit(const struct sched *sched, const struct lane *lane); /* connections, but for its pace */
void lane_reopen(struct sched *sched, struct lane *lane);
void lane_charge(struct sched *sched, struct lane *lane, uint32_t rcpts, wall_ms now);
void lane_set_failures(struct sched *sched, struct lane *lane, unsigned failures);
void lane_used(
    struct sched *sched, struct lane *lane, wall_ms now); /* its handle stays valid for a while from now on */
void lane_tidy(struct sched *sched, struct lane *lane, wall_ms now); /* forget one that has nothing to remember */
void lane_free(struct sched *sched, struct lane *lane);
/* The lane from which the first job of a bundle's turn may start now; NULL: none, and the bundle is no longer runnable. */
struct lane *lane_choose(struct sched *sched, struct bundle *bundle, const struct entry *e, wall_ms now);

/* Recipients that may be claimed on an open lane, of `rcpts`. */
uint32_t lane_part(const struct lane *lane, uint32_t rcpts, wall_ms now);

/* --- limit.c: what all sources of a destination, and all destinations of a source, have in common ------------------------- */

#define WHY_SOURCE_LIMITS ((unsigned)(WHY_SOURCE_CONNECTIONS | WHY_SOURCE_RATE))

/* May `rcpts` recipients start there? If not, the destination's bundles rest until it may. */
bool limit_dest_open(struct sched *sched, struct dest *dest, uint32_t rcpts, wall_ms now);
/* When the rate of all sources together lets `rcpts` recipients start; <= now: at once. */
wall_ms limit_dest_rate(const struct sched *sched, const struct dest *dest, uint32_t rcpts, wall_ms now);
bool limit_dest_is_crowded(const struct dest *dest);
bool limit_source_is_crowded(const struct source *source, bool connect);
wall_ms limit_source_rate(const struct source *source, uint32_t rcpts, wall_ms now);
/* Recipients were started on the lane; a connection of it was opened or has ended. */
void limit_charge(struct sched *sched, struct lane *lane, uint32_t rcpts, wall_ms now);
void limit_connected(struct sched *sched, struct lane *lane, wall_ms now);
void limit_released(struct sched *sched, struct lane *lane, wall_ms now);
/* A lane that is closed for its source's sake waits for its turn; `lane` no longer does. */
void limit_wait(struct sched *sched, struct lane *lane, wall_ms when); /* when the rate lets it start, where that is what it waits for */
void limit_unwait(struct lane *lane);
/* A source may have room: its waiters are looked at, one for each decision, so that a thousand of them cost no more than one. */
void limit_offer(struct sched *sched, struct source *source);
bool limit_wake(struct sched *sched, wall_ms now); /* true: a lane was reopened */

/* --- silence.c: silent blocks -------------------------------------------------------------------------------------------- */

/* No host there answered the lane. True: it is the source that is not heard, and the lane rests; false: it may be the destination. */
bool silence_met(struct sched *sched, struct lane *lane, wall_ms now);
void silence_broken(struct sched *sched, struct lane *lane, wall_ms now); /* somebody answered it */
void silence_forgive(struct sched *sched, struct dest *dest, wall_ms now); /* nobody reaches it: no source is to blame */
/* May a job that reached nobody go on at once from another source of its pool? */
bool silence_may_move(const struct sched *sched, const struct entry *e, wall_ms now);

/* --- state.c: what all that is known of a lane adds up to ------------------------------------------------------------------- */

enum sched_lane_state state_of(const struct lane *lane, wall_ms now);
void state_words(const struct lane *lane, wall_ms now, char out[SCHED_LANE_WORDS]);
void state_tell(struct sched *sched, struct lane *lane, wall_ms now); /* whoever listens, when it has changed */
void state_recalled(struct sched *sched, struct lane *lane, wall_ms now); /* it has had its state before: nobody is told */
void state_answer(struct sched *sched, struct lane *lane, const struct sched_result *result, wall_ms now); /* into its record */
bool state_is_worth(const struct lane *lane); /* there is something that must not be forgotten soon */
void state_forget(struct sched *sched, struct lane *lane, wall_ms now);

/* --- recall.c: what is learned, in and out of the store ------------------------------------------------------------------- */

void recall_note_lane(struct sched *sched, struct lane *lane); /* after whatever may have changed it */
void recall_note_dest(struct sched *sched, struct dest *dest);
void recall_note_pause(struct sched *sched, char kind, const char *name); /* 't' tenant, 's' source */
void recall_forget_lane(struct sched *sched, struct lane *lane);          /* it ends: its row goes */
void recall_forget_dest(struct sched *sched, struct dest *dest);
void recall_lane(struct sched *sched, struct lane *lane); /* at its making: what the store knew */
void recall_dest(struct sched *sched, struct dest *dest);
void recall_fini(struct sched *sched);

/* --- repute.c: what became of a tenant's mail, and whether that makes it a risk for an address without a reputation ---------- */

#define REPUTE_MARK 't' /* its stored states are under " t NAME" */
void repute_note(struct tenant *tenant, uint32_t tried, uint32_t unknown, uint32_t complained);
bool repute_is_risky(const struct tenant *tenant);
bool repute_has_turn(const struct tenant *tenant); /* one of the few that a risky one has among good ones */
void repute_count_turn(struct tenant *tenant);
bool repute_state(struct tenant *tenant, struct sched_warm *out); /* false: nothing to store */
MUST_USE enum err repute_restore(struct tenant *tenant, const void *data, size_t len);

/* --- cold.c --------------------------------------------------------------------------------------------------------------- */

struct warmup_plan cold_plan(const struct conf_plan *from, const struct conf_provider *provider);
void cold_attach(struct sched *sched, struct lane *lane); /* at its making and after a reload */
void cold_detach(struct lane *lane);
void cold_reload(struct sched *sched); /* plans of another configuration */
void cold_fini(struct sched *sched);
uint32_t cold_may(const struct cold *cold, uint32_t rcpts, wall_ms now, wall_ms *when_out);
void cold_claim(struct cold *cold, uint32_t rcpts, wall_ms now);
void cold_answer(struct cold *cold, uint32_t untried, const struct warmup_answer *answer, wall_ms now);

const char *cold_destination(const struct cold *cold); /* as the operator knows it */

/* --- almanac.c: finished days --------------------------------------------------------------------------------------------- */

/* Before whatever may begin another day; `claimed` recipients are counted at the destination already and belong to that. */
void almanac_close(struct cold *cold, uint32_t claimed, wall_ms now);
void almanac_fini(struct sched *sched);

/* --- cold_choice.c --------------------------------------------------------------------------------------------------------- */

#define COLD_TRIED 16 /* cold lanes that one choice looks at */
/* The open cold place whose turn it is; UINT32_MAX: none, warm ones come first. */
uint32_t cold_choose(struct sched *sched, struct bundle *bundle, wall_ms now);
void cold_day_began(struct cold *cold, const struct dest *dest, uint32_t rcpts); /* with a first claim of so many */
void cold_beside(struct cold *cold);                                          /* into its state, to be stored */

/* --- job.c: the only place that changes entry.place --------------------------------------------------------------------- */

enum sched_state job_state(const struct entry *e);
/* When the heap of times has to look at a job that waits. */
wall_ms job_time(const struct sched *sched, const struct entry *e);
void job_enter(struct sched *sched, uint32_t number, wall_ms now); /* a new one, to wherever it belongs */
void job_move(struct sched *sched, uint32_t number, enum place place, wall_ms now);
void job_rest(struct sched *sched, uint32_t number, wall_ms now); /* to wherever a job belongs that is not out */
void job_set_flags(struct sched *sched, struct entry *e, unsigned set, unsigned clear); /* enum entry_flag; keeps the counts right */
void job_set_rcpts(struct sched *sched, struct entry *e, uint32_t rcpts);
void job_forget(struct sched *sched, uint32_t number, wall_ms now);
bool job_advance(struct sched *sched, wall_ms now); /* what has become due moves; false: more is to do */

/* --- decide.c, onward.c ------------------------------------------------------------------------------------------------------ */

/* The first job of `line` goes out on `lane`. */
void decide_start(struct sched *sched, struct line *line, struct lane *lane, wall_ms now, struct sched_decision *out);

/* --- timer.c ---------------------------------------------------------------------------------------------------------------- */

void timer_set(struct sched *sched, enum timer_kind kind, uint32_t handle, wall_ms when); /* WALL_NEVER: none */
void timer_chore(struct sched *sched, const struct lane *lane, wall_ms when);             /* WALL_NEVER: none */
void timer_run(struct sched *sched, wall_ms now);

/* --- blocked.c --------------------------------------------------------------------------------------------------------------- */

/* After a refusal for reasons of ours: one other source at once, or a time until which the job waits as blocked. */
void blocked_plan(struct sched *sched, struct entry *e, const struct sched_result *result, wall_ms now);
/* The one lane that a job may take; NULL: any of its pool. */
const struct lane *blocked_lane(const struct sched *sched, const struct entry *e);
/* A due job whose lane is shut gets the time of its opening. */
void blocked_hold_back(struct sched *sched, struct entry *e, wall_ms now);
/* The same for one whose turn it is, and for one that was greylisted by a source that is busy: true when it has left its line. */
bool blocked_put_off(struct sched *sched, uint32_t number, wall_ms now);
/* Jobs that waited for a lane need not any more: they become due, some with each decision. */
void blocked_sweep(struct sched *sched);
bool blocked_advance(struct sched *sched, wall_ms now); /* false: more is to do */

/* --- backoff.c: pure ------------------------------------------------------------------------------------------------------- */

/* Pauses of jobs after a reply of a class, towards a destination. */
struct backoff {
	int64_t first_ms, max_ms;
};
struct backoff backoff_of(const struct sched *sched, const struct dest *dest, enum replies_class class);

/* first doubling to max with `failures` (1..), +-20 % by chance, never above max. */
int64_t backoff_delay(int64_t first_ms, int64_t max_ms, unsigned failures, struct rand *rand);

/* --- rate.c: a token bucket as one number, the time at which it is full; pure ---------------------------------------------- */

/* When `units` may start: a time <= now means now. count units in period_ms; count 0: no limit. */
wall_ms rate_next(int64_t full_us, uint32_t count, int64_t period_ms, uint32_t units, wall_ms now);
int64_t rate_take(int64_t full_us, uint32_t count, int64_t period_ms, uint32_t units, wall_ms now);

/* --- reason.c ----------------------------------------------------------------------------------------------------------------- */

/* All gates before a job, and the time at which they could all be open. */
unsigned reason_of_job(const struct sched *sched, const struct entry *e, wall_ms now, wall_ms *when_out);
unsigned reason_of_dest(const struct sched *sched, const struct dest *dest, wall_ms now, wall_ms *when_out);
unsigned reason_of_all(const struct sched *sched);
const char *reason_words(unsigned bit); /* of one bit */

#endif
