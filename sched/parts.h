/* sched/parts.h - what the files of sched/ offer one another, file by file, over the structures of model.h. For the files of sched/ alone. */
#ifndef SCHED_PARTS_H
#define SCHED_PARTS_H

#include "sched/model.h"

/* Memory of the small structures is counted, so that sched_memory can tell. */
void *model_alloc(struct sched *sched, size_t size) MUST_USE;
void model_free(struct sched *sched, void *object, size_t size);
/* A copy of a text beside the structure it belongs to. */
char *model_text(struct sched *sched, const char *text) MUST_USE;
void model_text_free(struct sched *sched, char *text); /* NULL: nothing */

/* --- name.c: tenants, pools, sources ---------------------------------------------------------------------------------- */

struct tenant *name_tenant(
    struct sched *sched, const char *name); /* found or made; not in the configuration: present is false */
struct pool *name_pool(struct sched *sched, const char *name);
struct source *name_source(struct sched *sched, const char *name);
/* What a job that is known belongs to is never gone, so there is nothing to check. */
static inline struct tenant *name_tenant_of(const struct sched *sched, const struct entry *e)
{
	return sched->tenants.items[e->tenant];
}
static inline struct pool *name_pool_of(const struct sched *sched, const struct entry *e)
{
	return sched->pools.items[e->pool];
}
bool name_pool_has(const struct pool *pool, const struct source *source, uint32_t *place_out);
/* Places in a pool in the order of their turns: `weights` (1.., one for each place) divided by their common divisor, each place's turns spread
 * evenly. malloc'ed; NULL: all weigh the same. */
uint32_t *turns_make(const uint32_t *weights, uint32_t count, uint32_t *turn_count_out) MUST_USE;
void name_load(struct sched *sched); /* presence and members from sched->conf */
void name_fini(struct sched *sched);

/* --- domain.c ---------------------------------------------------------------------------------------------------------- */

struct domain *domain_get(struct sched *sched, const char *name, wall_ms now);
struct domain *domain_find(const struct sched *sched, const char *name);
static inline struct domain *domain_of(const struct sched *sched, const struct entry *e)
{
	return sched->domains.items[e->domain];
}
void domain_add_job(struct sched *sched, struct domain *domain, uint32_t number); /* into the order of arrival */
void domain_remove_job(struct sched *sched, struct domain *domain, uint32_t number, wall_ms now);
uint64_t domain_oldest(const struct sched *sched, const struct domain *domain); /* message id; UINT64_MAX: no jobs */
void domain_move(struct sched *sched, struct domain *domain, struct dest *dest, wall_ms now);
void domain_route(struct sched *sched, struct domain *domain, uint64_t key, unsigned families, wall_ms expires);
void domain_unroute(struct sched *sched, struct domain *domain, wall_ms now); /* its lines wait for a look-up */
/* No host of it can be reached by anybody: its mail waits, and its route is looked up anew at `until`. */
void domain_rest(struct sched *sched, struct domain *domain, wall_ms until, wall_ms now);
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
static inline bool bundle_is_closed(const struct bundle *bundle, uint32_t place)
{
	return bundle->bits[place / 64] >> (place % 64) & 1;
}
static inline bool bundle_is_shaky(const struct bundle *bundle, uint32_t place)
{
	return bundle->bits[bundle->words + place / 64] >> (place % 64) & 1;
}
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
/* A risk among cold sources alone, while better mail waits: not its turn. */
bool share_yields(const struct share *share);
void share_served(struct share *share, uint32_t rcpts); /* its place in the round moves */
/* The tenant whose turn it is, a risk, while all sources are cold; NULL. Then: `rcpts` have started, its own or in its place others'. */
struct tenant *share_second(const struct bundle *bundle);
void share_count_turn(struct bundle *bundle, struct tenant *second, bool own, uint32_t rcpts);
void share_add_line(struct sched *sched, struct bundle *bundle, struct line *line);
void share_remove_line(struct sched *sched, struct line *line); /* forgets a share without lines */
void share_tenant_paused(struct sched *sched, struct tenant *tenant, bool paused);
void share_rest(struct sched *sched, struct share *share, bool rest); /* out of the turns, or back at their end */

/* --- yield.c: tokens go to the higher class -------------------------------------------------------------------------------- */

/* As what class the first job of a line waits when it lacks tokens: its own; the highest, which yields to nobody, when its turn is owed. */
enum conf_priority yield_class(const struct line *line);
void yield_closed(struct lane *lane, enum conf_priority class); /* its reasons are set */
void yield_reopened(struct lane *lane);
/* Mail of the share has come in: what a lower class waits for tokens of is open to it. Work: 16 lanes at most. */
void yield_to(struct sched *sched, const struct share *share);

/* --- ration.c: a tenant at a destination ------------------------------------------------------------------------------------ */

/* May `rcpts` recipients of the tenant start there? If not, its shares there rest until they may, or until ration_yield to a class above `as`. */
bool ration_open(
    struct sched *sched, struct tenant *tenant, struct dest *dest, uint32_t rcpts, enum conf_priority as, wall_ms now);
void ration_yield(
    struct sched *sched, const struct tenant *tenant, const struct dest *dest, enum conf_priority class, wall_ms now);
bool ration_rests(const struct sched *sched, const struct tenant *tenant, const struct dest *dest);
wall_ms ration_when(
    const struct sched *sched, const struct tenant *tenant, const struct dest *dest, uint32_t rcpts, wall_ms now);
void ration_charge(struct sched *sched, struct tenant *tenant, struct dest *dest, uint32_t rcpts, wall_ms now);
void ration_refund(struct sched *sched, const struct tenant *tenant, const struct dest *dest, uint32_t rcpts, wall_ms now);
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
/* as: for what class; one above it opens the lane when tokens alone are missing. */
void lane_close(struct sched *sched, struct lane *lane, unsigned reasons, enum conf_priority as, uint32_t rcpts, wall_ms when, wall_ms now);
uint32_t lane_limit(const struct sched *sched, const struct lane *lane); /* connections, but for its pace */
void lane_reopen(struct sched *sched, struct lane *lane);
void lane_charge(struct sched *sched, struct lane *lane, uint32_t rcpts, wall_ms now);
void lane_refund(struct sched *sched, struct lane *lane, uint32_t rcpts, wall_ms now); /* a charge is taken back; but not the connection */
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

/* May `rcpts` recipients start there? If not, the destination's bundles rest until it may, or mail of a class above `as` comes. */
bool limit_dest_open(struct sched *sched, struct dest *dest, uint32_t rcpts, enum conf_priority as, wall_ms now);
/* When the rate of all sources together lets `rcpts` recipients start; <= now: at once. */
wall_ms limit_dest_rate(const struct sched *sched, const struct dest *dest, uint32_t rcpts, wall_ms now);
bool limit_dest_is_crowded(const struct dest *dest);
bool limit_source_is_crowded(const struct source *source, bool connect);
wall_ms limit_source_rate(const struct source *source, uint32_t rcpts, wall_ms now);
/* Recipients were started on the lane; a connection of it was opened or has ended. */
void limit_charge(struct sched *sched, struct lane *lane, uint32_t rcpts, wall_ms now);
void limit_refund(struct sched *sched, struct lane *lane, uint32_t rcpts, wall_ms now);
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

/* --- tally.c: figures to the store and back --------------------------------------------------------------------------------- */

struct ledger *tally_of_tenant(struct sched *sched, struct tenant *tenant); /* made when it is needed: most tenants of many send nothing */

/* --- repute.c: what became of a tenant's mail, and whether that makes it a risk for an address without a reputation ---------- */

#define REPUTE_MARK 't' /* its stored states are under " t NAME" */
void repute_note(struct tenant *tenant, uint32_t tried, uint32_t unknown, uint32_t complained);
bool repute_is_risky(const struct tenant *tenant);
bool repute_has_turn(const struct tenant *tenant); /* one of the few that a risky one has among good ones */
uint32_t repute_part(const struct tenant *tenant, uint32_t rcpts); /* so many of them it has earned, at least 1 */
/* A turn of the tenant went to itself, or to a better one in its place. */
void repute_count_turn(struct tenant *tenant, bool own, uint32_t rcpts);
bool repute_state(struct tenant *tenant, struct sched_warm *out); /* false: nothing to store */
MUST_USE enum err repute_restore(struct tenant *tenant, const void *data, size_t len);

/* --- cold.c --------------------------------------------------------------------------------------------------------------- */

void cold_attach(struct sched *sched, struct lane *lane); /* at its making and after a reload */
void cold_detach(struct lane *lane);
void cold_clock(struct sched *sched);  /* the clock was set back */
void cold_reload(struct sched *sched); /* plans of another configuration */
void cold_fini(struct sched *sched);
uint32_t cold_may(const struct cold *cold, uint32_t rcpts, wall_ms now, wall_ms *when_out);
void cold_claim(struct cold *cold, uint32_t rcpts, wall_ms now);
/* `untried` of those that were claimed at `claimed_at` come back. */
void cold_answer(struct cold *cold, uint32_t untried, wall_ms claimed_at, const struct warmup_answer *answer, wall_ms now);

const char *cold_destination(const struct cold *cold); /* as the operator knows it */

/* --- habit.c: how mail spreads over the day --------------------------------------------------------------------------------------- */

#define HABIT_MARK 'h' /* its stored states are under " h DESTINATION-KEY", " h " is that of all mail */
void habit_note(struct sched *sched, const struct dest *dest, uint32_t rcpts, wall_ms now); /* they have come in */
/* The line of a destination by its key; it lives as long as the scheduler, and changes. */
const struct curve_line *habit_line(struct sched *sched, const char *dest);
void habit_each(struct sched *sched, sched_warm_changed_fn fn, void *arg);    /* all, for the store */
void habit_records(struct sched *sched, sched_warm_changed_fn fn, void *arg); /* those that have changed, not too often */
MUST_USE enum err habit_restore(struct sched *sched, const char *dest, const void *data, size_t len);
void habit_fini(struct sched *sched);

/* --- kin.c: what a cold lane learns from its relatives ------------------------------------------------------------------------------- */

/* What relatives go by; taken before a state may change. */
struct kin_mark {
	int32_t day, block_day;
	uint8_t phase;
	double base;
};
struct kin_mark kin_mark(const struct cold *cold);
void kin_tell(struct sched *sched, struct cold *cold, const struct kin_mark *before, wall_ms now); /* and after it has */
void kin_known(struct cold *cold);                                                              /* it has got its state from the store */
void kin_refresh(struct sched *sched, struct cold *cold, wall_ms now);                         /* what its plan says of them */

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

/* What time it is. A clock that was set back: cold lanes say anew when they may go on. */
void timer_now(struct sched *sched, wall_ms now);
void timer_set(struct sched *sched, enum timer_kind kind, uint32_t handle, wall_ms when); /* WALL_NEVER: none */
void timer_chore(struct sched *sched, const struct lane *lane, wall_ms when);             /* WALL_NEVER: none */
void timer_run(struct sched *sched, wall_ms now);

/* --- overflow.c: mail that waits for cold sources although warm ones are open ---------------------------------------------------- */

bool overflow_waits(const struct sched *sched, const struct dest *dest, const struct entry *e, wall_ms now);
/* It is of a tenant with a bad record, and a warm source of its pool is in service: it takes no cold one. */
bool overflow_shuns(const struct sched *sched, const struct dest *dest, const struct entry *e, wall_ms now);
bool overflow_is_cold(const struct sched *sched, const struct dest *dest, const struct source *source);
wall_ms overflow_until(const struct sched *sched, const struct entry *e); /* when it does no longer */
/* A line of the bundle whose next job need not wait; NULL: none is in sight, and the bundle takes no turns for a while. */
struct line *overflow_line(struct sched *sched, struct bundle *bundle, wall_ms now);
void overflow_release(struct sched *sched, struct bundle *bundle); /* it takes turns again */
void overflow_run(struct sched *sched, wall_ms now);               /* those whose time has come do */

/* --- retire.c: sources on their way out ------------------------------------------------------------------------------------------ */

void retire_end(struct sched *sched, struct source *source); /* forgets it */
void retire_run(struct sched *sched, wall_ms now);           /* those whose time has come are out of service */
double retire_share(const struct source *source, wall_ms now); /* 0..1 of what it had */
uint32_t retire_connections(const struct lane *lane, uint32_t limit, wall_ms now); /* at least 1 */
void retire_charge(struct lane *lane, uint32_t rcpts);       /* dest->started has them already */
bool retire_had_share(const struct pool *pool, const struct lane *lane, wall_ms now); /* others come first */
/* The open place of the one it hands over to; UINT32_MAX: none. */
uint32_t retire_successor(const struct sched *sched, const struct bundle *bundle, const struct source *source);

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
int64_t rate_give(int64_t full_us, uint32_t count, int64_t period_ms, uint32_t units); /* units that were taken come back */

/* --- reason.c ----------------------------------------------------------------------------------------------------------------- */

/* All gates before a job, and the time at which they could all be open. */
unsigned reason_of_job(const struct sched *sched, const struct entry *e, wall_ms now, wall_ms *when_out);
unsigned reason_of_dest(const struct sched *sched, const struct dest *dest, wall_ms now, wall_ms *when_out);
unsigned reason_of_all(const struct sched *sched);
const char *reason_words(unsigned bit); /* of one bit */

#endif
