/* relay/deliver/dispatch_int.h - what the dispatcher's files share; included by dispatch*.c alone. */
#ifndef DELIVER_DISPATCH_INT_H
#define DELIVER_DISPATCH_INT_H

#include "base/rand.h"
#include "base/table.h"
#include "relay/daemon/worker.h"
#include "relay/deliver/dispatch.h"
#include "relay/deliver/outcome.h"
#include "relay/deliver/route.h"
#include "relay/deliver/senders.h"
#include "relay/deliver/verdict.h"
#include "relay/notify/alert.h"
#include "relay/notify/bounce.h"

#define LANE_NONE UINT32_MAX

/* Key of a job's entry in the scheduler and of its attempt. */
struct job_key {
	uint64_t id;
	uint32_t first; /* with the bits of its part */
	uint32_t zero;  /* padding, hashed: always 0 */
};

/* A job that is out of the scheduler's hands: being delivered, expired or bounced, until its settle is in the store. */
struct attempt {
	struct delivery delivery; /* first of all what travels to the worker and back */
	struct job_key key;
	UT_hash_handle hh;        /* dispatch.attempts */
	uint32_t lane;            /* charged, or LANE_NONE */
	struct route *way;        /* what of its domain's route it is to try; NULL: not chosen, or over */
	uint64_t lease;           /* of addresses that it finds out about; 0: none */
	bool late;                /* handed out for its sender to be told that it waits */
	bool expired;             /* handed out because its deadline has passed */
	bool changed;             /* the operator has changed rows beside it: its job is read anew at its end */
	wall_ms since;
	mono_ms since_mono;
	char *destination, *source, *domain; /* owned; source "" without a lane */
};

enum link_state { LINK_BUSY, LINK_IDLE, LINK_ENDING };

/* A delivery connection. Busy ones are charged to their lane; idle ones are not, but one of them goes for each that is opened. */
struct link {
	uint32_t number; /* index into dispatch.links, and the worker's name for it */
	enum link_state state;
	struct worker *worker;
	uint32_t lane;
	uint64_t route_key;
	uint32_t messages_left;
	wall_ms idle_since;
	struct attempt *attempt;       /* BUSY */
	bool ended;                    /* the worker has forgotten it; it waits for the report of its attempt */
	struct link *prev, *next;      /* idle ones of one lane */
	struct link *older, *newer;    /* idle ones by age */
};

struct idle_lane {
	uint32_t lane;
	struct link *head;
	UT_hash_handle hh;
};

/* What is known of a recipient domain's way. */
struct domain_route {
	char *domain;
	struct route *route;         /* last one, or NULL */
	struct route_lookup *lookup; /* under way, or NULL */
	bool stale;                  /* `route` is not to be relied on any more */
	struct dispatch *dispatch;
	struct dispatch_ask *asks;   /* who wants to hear of the look-up under way */
	UT_hash_handle hh;
};

struct settling;
struct suppression;
struct herald;
struct hooks;
struct watch;
struct service;

struct dispatch {
	struct dispatch_env env;
	struct conf *conf;
	struct tls_client *tls;
	struct hops *hops;
	struct hostmap *hosts;
	struct queue_memo hosts_memo; /* what earlier versions kept, emptied */
	struct fetcher *fetcher;
	struct sts *sts;
	struct service *services; /* sources that were ever out of service, by name */
	struct tlsrpt *tlsrpt;
	struct senders *senders;   /* domains under a limit somewhere */
	struct verdict_rules *verdicts; /* of conf, which they borrow from */
	struct resolver *resolver;
	struct suppression *suppression;
	struct watch *watch;      /* of blocklists */
	struct herald *herald;    /* of alerts; NULL only at start and end */
	struct rand rand;
	wall_ms wall_offset;      /* wall clock less monotonic clock */
	struct timer pump_timer, idle_timer, settle_timer, drain_timer;
	bool pump_soon;
	struct attempt *attempts; /* by key */
	struct link **links;
	size_t link_slots, link_count, link_first_free;
	struct idle_lane *idle_lanes;
	struct link *oldest_idle, *newest_idle;
	struct domain_route *routes; /* by domain */
	size_t routes_sweep_at;   /* so many are known before the expired ones are forgotten */
	size_t settles_open;
	struct settling *settle_again; /* failed ones that wait for another try */
	bool settle_trouble;      /* told already */
	int32_t almanac_day;      /* whose old rows have been swept */
	wall_ms ledger_at;        /* figures are stored next */
	wall_ms records_at;       /* tenants' records are stored next */
	bool learned_trouble;     /* the same of what was learned */
	struct timer rebuild_timer;
	struct queue_cursor rebuild;
	msg_id rebuild_before;    /* ids from here on came in during this run */
	bool complete, draining;
	void (*drained)(void *arg);
	void *drained_arg;
};

/* dispatch.c */
void dispatch_pump_soon(struct dispatch *d);
void dispatch_check_drained(struct dispatch *d);

/* dispatch_link.c: connections */
void dispatch_start(struct dispatch *d, const struct sched_decision *decision, wall_ms now);
void dispatch_idle_expired(void *arg);
void dispatch_quit_idle(struct dispatch *d);
void dispatch_links_fini(struct dispatch *d);

/* dispatch_host.c: what is known of receiving hosts */
bool dispatch_host_waits(struct dispatch *d, const struct sched_decision *decision, wall_ms now); /* true: its start was taken back */
bool dispatch_host_way(struct dispatch *d, struct attempt *attempt, wall_ms now); /* attempt->way; false: all of them are down */
void dispatch_host_release(struct dispatch *d, struct attempt *attempt);
void dispatch_host_learn(struct dispatch *d, struct attempt *attempt, wall_ms now);
void dispatch_host_lift(struct dispatch *d, const char *domain, wall_ms now); /* what is down may be tried at once */
void dispatch_host_restore(struct dispatch *d); /* before the first decision */

/* dispatch_settle.c: attempts and their outcomes */
struct attempt *attempt_create(struct dispatch *d, const struct sched_decision *decision, wall_ms now);
/* The job is the scheduler's again, after sched_done; frees the attempt. */
void attempt_end(struct dispatch *d, struct attempt *attempt, wall_ms now);
struct attempt *attempt_find(struct dispatch *d, uint64_t id, uint32_t first);
/* Write the outcomes of attempt->delivery back; takes the attempt. attempted: false leaves the store alone. */
void dispatch_settle(struct dispatch *d, struct attempt *attempt, wall_ms now);
/* The same outcome for each recipient of a job that no connection was opened for: loads the job on main; takes the decision's job. */
void dispatch_settle_unsent(struct dispatch *d, const struct sched_decision *decision, const struct outcome *outcome, wall_ms now);
void dispatch_expire(struct dispatch *d, const struct sched_decision *decision, wall_ms now);
void dispatch_settle_retry(void *arg);

/* dispatch_judge.c: what replies mean */
/* How the recipients fared. */
struct tally {
	size_t delivered, refused, untouched;
	struct tally_part {
		size_t count;
		const struct outcome *verdict; /* as below, of these */
		enum sched_scope scope;
		int64_t wait_ms;
	} put_off, barred;             /* those that stay; barred: refused for good, for reasons of ours */
	enum sched_scope scope;        /* the widest */
	const struct outcome *verdict; /* of the judged ones the first with the widest scope; NULL: none */
	int64_t wait_ms;               /* the longest that one of those that stay was asked to */
};
void dispatch_judge(struct dispatch *d, struct attempt *attempt);
struct tally dispatch_tally(const struct attempt *attempt);

/* Is the recipient of its job one that the attempt is about? */
static inline bool attempt_has(const struct attempt *attempt, const struct queue_rcpt *rcpt)
{
	return job_part(rcpt) == (attempt->key.first & JOB_PART_BITS);
}

/* suppression.c: addresses that do not exist */
struct suppression *suppression_create(struct dispatch *d) MUST_USE;
void suppression_destroy(struct suppression **suppression);
void suppression_strike(struct dispatch *d, const struct attempt *attempt, wall_ms now); /* after dispatch_judge */

/* dispatch_alert.c: what somebody must be told of, see relay/notify/alert.h */
struct herald *dispatch_alerts_create(struct dispatch *d) MUST_USE;
void dispatch_alerts_destroy(struct herald **herald);
void dispatch_alert_raise(struct dispatch *d, enum alert_kind kind, wall_ms until, const char *object, const char *format, ...)
    PRINTF_LIKE(5, 6);
void dispatch_alert_clear(struct dispatch *d, enum alert_kind kind, const char *object);

/* dispatch_hook.c: alerts.webhook */
struct hooks *dispatch_hooks_create(struct dispatch *d) MUST_USE; /* what an earlier run has left is posted again */
void dispatch_hooks_destroy(struct hooks **hooks);
void dispatch_hook_post(struct hooks *hooks, const char *body); /* JSON; copied */

/* dispatch_blocklist.c: whether our sources are listed */
struct watch *dispatch_blocklists_create(struct dispatch *d) MUST_USE;
void dispatch_blocklists_destroy(struct watch **watch);
void dispatch_blocklists_use(struct dispatch *d); /* d->conf is another one */

/* dispatch_report.c: what the sender is told (RFC 3461) */
bool report_is_wanted(const struct dispatch *d, const struct attempt *attempt, size_t i, wall_ms now); /* of rcpts[i] of its job */
struct bounce *report_create(struct dispatch *d, const struct attempt *attempt, wall_ms now); /* NULL: nothing is owed */
/* Do recipients of this tenant that bounce become dead letters? */
bool dispatch_keeps_letters(const struct dispatch *d, const char *tenant);
/* Is the sender of a message that waits due to be told of this recipient? Once, when it has got old enough. */
bool report_is_late(const struct dispatch *d, const struct queue_message *message, const struct queue_rcpt *rcpt, wall_ms now);
/* Log what the sender would have been told of rcpts[i], where that is all that its tenant wants (tenants[].bounces). After the commit. */
void report_log(const struct dispatch *d, const struct queue_message *message, const struct report_rcpt *about);
struct report_rcpt report_of(const struct attempt *attempt, size_t i, wall_ms now);
bool report_wants_failure(const struct queue_rcpt *rcpt);

/* dispatch_warn.c: the sender of a job that waits is told so; takes the decision's job */
void dispatch_warn(struct dispatch *d, const struct sched_decision *decision, wall_ms now);

/* dispatch_route.c: look-ups */
void dispatch_resolve(struct dispatch *d, const char *domain, wall_ms now);
struct route *dispatch_route(struct dispatch *d, const char *domain);
void dispatch_routes_fini(struct dispatch *d);
void dispatch_routes_restart(struct dispatch *d);
void dispatch_routes_expire(struct dispatch *d); /* all must be looked up anew before they are used */

/* dispatch_dnssec.c: whether DNSSEC is in force */
void dispatch_dnssec_listen(struct dispatch *d); /* to d->resolver, which is new */
void dispatch_dnssec_look(struct dispatch *d);   /* raises and clears its alert */

/* dispatch_learned.c: what the scheduler learns */
void dispatch_learned_flush(struct dispatch *d); /* what has changed goes to the store, along with the next outcome */
void dispatch_learned_restore(struct dispatch *d); /* before the first decision */

/* dispatch_ledger.c: figures of sources and tenants */
void dispatch_ledger_flush(struct dispatch *d, bool at_once, wall_ms now); /* what has changed goes to the store; else now and then */
void dispatch_ledger_restore(struct dispatch *d); /* before the first decision */

/* dispatch_sender.c: limits of sender domains */
void dispatch_sender_learn(struct dispatch *d, const struct attempt *attempt, wall_ms now); /* from its outcomes, judged */
bool dispatch_sender_waits(struct dispatch *d, const struct sched_decision *decision, wall_ms now); /* true: its start was taken back */
void dispatch_sender_restore(struct dispatch *d); /* before the first decision */

/* dispatch_almanac.c, dispatch_warm.c: finished days of cold lanes, and tenants' records, go to the store */
void dispatch_almanac_flush(struct dispatch *d, wall_ms now);
void dispatch_warm_records(struct dispatch *d);

/* dispatch_lane.c: lanes */
void dispatch_lane_listen(struct dispatch *d); /* tell the log what becomes of them */

/* dispatch_tlsrpt.c: TLS reports */
void dispatch_tlsrpt_start(struct dispatch *d);
void dispatch_tls_notes(struct dispatch *d, const struct attempt *attempt);

/* dispatch_warm.c: warm-up */
MUST_USE enum err dispatch_warm_restore(struct dispatch *d, struct err_detail *why); /* before the first decision */
/* The lane's state as of now, to travel with a request; nothing for a warm lane. `state` must live as long as the request. */
void dispatch_warm_attach(struct dispatch *d, uint32_t lane, struct sched_warm *state, struct queue_warm *out);
/* Nothing was tried of a claim: what it took is given back in the store too, and its row goes. */
void dispatch_warm_release(struct dispatch *d, const struct attempt *attempt);
void dispatch_warm_count(const struct delivery *delivery, struct sched_result *result); /* what the replies say */

/* dispatch_service.c: sources out of service */
MUST_USE enum err dispatch_service_restore(struct dispatch *d, struct err_detail *why); /* before the first decision */
void dispatch_service_apply(struct dispatch *d); /* after a reload */
void dispatch_service_fini(struct dispatch *d);
void dispatch_retired(struct dispatch *d); /* tells which retirements have ended */

/* dispatch_change.c: the store's rows into scheduler entries */
void dispatch_add_job(struct dispatch *d, const struct queue_job *job, bool replace, wall_ms now);
void dispatch_add_bounce(struct dispatch *d, const struct queue_accept *accept, wall_ms now);

#endif
