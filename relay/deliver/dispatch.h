/* relay/deliver/dispatch.h - on the main loop: asks the scheduler, looks up routes, claims, hands jobs to workers, settles outcomes.
 *
 * The only writer of job state besides intake: the store is the truth, the scheduler's entries are rebuilt from it. */
#ifndef DELIVER_DISPATCH_H
#define DELIVER_DISPATCH_H

#include "conf/conf.h"
#include "queue/queue.h"
#include "relay/deliver/hops.h"
#include "relay/deliver/hostmap.h"
#include "relay/intake/intake.h"
#include "relay/net/resolver.h"
#include "relay/notify/alert.h"
#include "sched/sched.h"

struct delivery;
struct dispatch;
struct route;
struct worker;

/* The recipients of a job are in up to three parts, each with an entry in the scheduler: those that are held, those that are tried apart from the
 * others since they were refused for reasons of ours, and all others. An entry has the job's number, and in the first two one of these bits. */
#define JOB_HELD_PART  0x80000000u
#define JOB_APART_PART QUEUE_APART
#define JOB_PART_BITS  (JOB_HELD_PART | JOB_APART_PART)

/* The bits of the part that a recipient is in. */
static inline uint32_t job_part(const struct queue_rcpt *rcpt)
{
	return rcpt->state == RCPT_HELD ? JOB_HELD_PART : rcpt->apart ? JOB_APART_PART : 0;
}

struct dispatch_env {
	struct loop *loop;
	struct queue *queue;
	struct queue_reader *reader; /* of the main thread */
	struct sched *sched;
	struct worker **workers;
	size_t worker_count;
};

/* Starts a resolver for conf->dns and reads delivery.ca; NULL with the cause in `why` when that fails. Takes a reference to `conf`. */
struct dispatch *dispatch_create(const struct dispatch_env *env, struct conf *conf, uint64_t seed, struct err_detail *why) MUST_USE;
void dispatch_destroy(struct dispatch **dispatch);

/* New routes, limits, authorities and a new resolver. ERR_INVALID: the last two could not be made; nothing was changed. */
MUST_USE enum err dispatch_reconfigure(struct dispatch *dispatch, struct conf *conf, struct err_detail *why);

/* Workers call these on the main loop (struct worker_ops). */
void dispatch_delivered(struct dispatch *dispatch, struct delivery *delivery);
void dispatch_session_end(struct dispatch *dispatch, uint32_t number);

/* Start to read the waiting entries back from the store, in slices, while everything runs. */
void dispatch_rebuild(struct dispatch *dispatch);
bool dispatch_complete(const struct dispatch *dispatch); /* all entries are there */

/* A job has just become durable (takes it). */
void dispatch_add(struct dispatch *dispatch, struct intake_job *job);

/* No new deliveries; `done` when the last connection has ended or `ms` are over (then what is under way is aborted and settled first). */
void dispatch_drain(struct dispatch *dispatch, int64_t ms, void (*done)(void *arg), void *arg);

/* Recipients delivered, by what protected the last hop. */
const struct hops_counts *dispatch_hops(const struct dispatch *dispatch);

/* Whether answers of DNS are validated, and what is wrong with that (NULL: nothing). */
enum dns_validation dispatch_dnssec(const struct dispatch *dispatch);
const char *dispatch_dnssec_trouble(const struct dispatch *dispatch);

/* Open alerts, in the order in which they began. */
void dispatch_alerts_walk(const struct dispatch *dispatch, alert_walk_fn fn, void *arg);

/* A line for each blocklist that names the source; borrowed for the call. */
void dispatch_blocklists_walk(const struct dispatch *dispatch, const char *source, void (*fn)(void *arg, const char *line), void *arg);

/*
 * The route of a recipient domain, for the operator: `fn` is called once, before dispatch_ask returns when the route is known. Look-ups are those that
 * the domain's mail would make, and serve it. Exactly one of `route` (borrowed) and `failure` (why there is none) is given.
 * Returns NULL when it has answered, else what dispatch_ask_cancel takes until `fn` is called.
 */
struct dispatch_ask;
typedef void (*dispatch_ask_fn)(void *arg, const struct route *route, const char *failure);
struct dispatch_ask *dispatch_ask(struct dispatch *dispatch, const char *domain, dispatch_ask_fn fn, void *arg);
void dispatch_ask_cancel(struct dispatch_ask **ask); /* NULL inside is accepted */

/* The steady wall clock that all decisions of the main loop use. */
wall_ms dispatch_now(struct dispatch *dispatch);

/* Finished days of cold lanes are notes under this name, with the day's number, and behind it "SOURCE DESTINATION". So many are kept. */
#define ALMANAC_DAY  "warmday/%07d "
#define ALMANAC_DAYS 366

/* --- the operator's changes (relay/ops) ------------------------------------------------------------------------------ */

enum change_verb { CHANGE_RETRY, CHANGE_HOLD, CHANGE_RELEASE, CHANGE_DROP, CHANGE_BOUNCE, CHANGE_REROUTE };

/* How a change of one message ended. */
struct change_result {
	enum err result;   /* OK, ERR_NOT_FOUND: none of them is queued any more, ERR_FULL, ERR_IO: nothing was changed */
	uint32_t changed;  /* recipients */
	uint32_t busy;     /* recipients that are being delivered right now: left alone */
	const char *why;   /* text for a failed one; borrowed */
};
typedef void (*change_fn)(void *arg, const struct change_result *result);

/* Change recipients ns[] of message `id` (count 0: all of it). In one transaction with the DSNs owed (BOUNCE). `fn` is called once, after the
 * commit, never from inside. `reason`: the operator's words, stored with HOLD and told in a BOUNCE; with REROUTE the name of the
 * pool that the message takes from now on: all of it, unless part of it is being delivered. */
void dispatch_change(struct dispatch *dispatch, msg_id id, const uint32_t *ns, size_t count, enum change_verb verb,
    const char *reason, change_fn fn, void *arg);

/* A message has come into the store by another way than a client; schedule its recipients. */
void dispatch_adopt(struct dispatch *dispatch, msg_id id);

/* Is this recipient being delivered right now? With source and since when. */
bool dispatch_is_active(struct dispatch *dispatch, msg_id id, uint32_t job, const char **source_out, wall_ms *since_out);

/* What the operator asked for is in the store (OK), or cannot be and holds until the next start alone: `why`, borrowed. Called once. */
typedef void (*service_fn)(void *arg, enum err result, const char *why);

/* The operator has told the scheduler something: it goes to the store, and what may start now does. `fn` is never called from inside. */
void dispatch_told(struct dispatch *dispatch, service_fn fn, void *arg);

/* Take a source out of service (in flight finishes, waiting and blocked mail takes the others of its pools) or back into it, forgetting what
 * was held against it; kept over restarts. False: no such source. */
bool dispatch_serve(struct dispatch *dispatch, const char *source, bool in_service, service_fn fn, void *arg);

/* Retire a source: what it takes of its pools' mail sinks to nothing in `ms`, more than 0; then it is out of service. `into`: the source that takes it
 * over, "" any. dispatch_serve ends it. Otherwise as dispatch_serve. */
bool dispatch_retire(struct dispatch *dispatch, const char *source, int64_t ms, const char *into, service_fn fn, void *arg);

#define SERVICE_MEMO "service/" /* and the source's name: what the store keeps of that */
bool service_memo_read(const void *data, size_t len); /* out of service? */
bool service_memo_retires(const void *data, size_t len, struct sched_retire *out); /* since when and until? */

/* Receiving addresses that are down: all, and those of a recipient domain's route as it was known last. */
const struct hostmap *dispatch_hosts(const struct dispatch *dispatch);
void dispatch_hosts_of(struct dispatch *dispatch, const char *domain, host_view_fn fn, void *arg);

/* What is known for TLS reports (tlsrpt.h). */
struct tlsrpt *dispatch_tlsrpt(struct dispatch *dispatch);

/* Change the warm-up of a source's lanes (destination NULL: all), in the scheduler and in the store. Returns how many there are. */
uint32_t dispatch_warm_change(struct dispatch *dispatch, enum sched_warm_verb verb, const char *source, const char *destination,
    uint32_t volume);

#endif
