/* relay/deliver/dispatch.c - the dispatcher's face: the pump that asks the scheduler, rebuild, reconfiguration and drain. */
#include "relay/deliver/dispatch_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/deliver/tlsrpt.h"

#define PUMP_SLICE     256   /* decisions in one turn of the loop */
#define SETTLES_MAX    8192  /* outcomes that wait for the store; beyond, nothing new is started */
#define REBUILD_SLICE  256   /* messages read back in one turn */
#define CLOCK_STEP_MS  2000  /* a wall clock that moved further against the monotonic one was set by somebody */
#define PUMP_LONGEST   60000 /* ms; also re-checks the wall clock */

wall_ms dispatch_now(struct dispatch *d)
{
	return clock_mono() + d->wall_offset;
}

/* The wall clock is followed only when it was set: decisions must not see it jitter. */
static void clock_check(struct dispatch *d)
{
	wall_ms offset = clock_wall() - clock_mono();
	wall_ms step = offset - d->wall_offset;

	if (step > -CLOCK_STEP_MS && step < CLOCK_STEP_MS)
		return;
	log_text(LOG_WARN, "clock-stepped", "the wall clock was set by %+lld ms", (long long)step);
	d->wall_offset = offset;
}

/* --- the pump ---------------------------------------------------------------------------------------------------------- */

static void pump(struct dispatch *d)
{
	struct sched_decision decision;

	dispatch_learned_flush(d);
	dispatch_almanac_flush(d, dispatch_now(d));
	dispatch_retired(d);
	for (unsigned i = 0; i < PUMP_SLICE; i++) {
		wall_ms now = dispatch_now(d);

		if (d->draining || d->settles_open >= SETTLES_MAX)
			return; /* the end of a settle pumps again */
		sched_next(d->env.sched, now, &decision);
		switch (decision.kind) {
		case SCHED_NOTHING: {
			int64_t wait = decision.when == WALL_NEVER ? PUMP_LONGEST : decision.when - now;

			timer_start(&d->pump_timer, wait < 1 ? 1 : wait > PUMP_LONGEST ? PUMP_LONGEST : wait);
			return;
		}
		case SCHED_RESOLVE:
			dispatch_resolve(d, decision.domain, now);
			break;
		case SCHED_START:
			dispatch_start(d, &decision, now);
			break;
		case SCHED_WARN:
			dispatch_warn(d, &decision, now);
			break;
		case SCHED_EXPIRE:
			dispatch_expire(d, &decision, now);
			break;
		}
	}
	timer_start(&d->pump_timer, 0);
}

static void pump_on_timer(void *arg)
{
	struct dispatch *d = arg;

	clock_check(d);
	pump(d);
}

static void pump_later(void *arg)
{
	struct dispatch *d = arg;

	d->pump_soon = false;
	pump(d);
}

/* Once a turn, however many events there were. */
void dispatch_pump_soon(struct dispatch *d)
{
	if (d->pump_soon || d->draining)
		return;
	d->pump_soon = true;
	loop_later(d->env.loop, pump_later, d);
}

void dispatch_add(struct dispatch *d, struct intake_job *job)
{
	struct sched_job entry = {
	    .id = job->id, .first = job->first | (job->held ? JOB_HELD_PART : 0), .held = job->held, .rcpts = job->rcpts,
	    .domain = job->domain, .tenant = job->tenant, .pool = job->pool, .due = job->due, .deadline = job->deadline,
	    .priority = job->priority,
	    .warns = job->warns, .fresh = true,
	};

	(void)sched_add(d->env.sched, &entry, dispatch_now(d));
	free(job);
	dispatch_pump_soon(d);
}

/* --- rebuild: the waiting entries from the store ------------------------------------------------------------------------- */

static bool rebuild_message(void *arg, const struct queue_job *job)
{
	struct dispatch *d = arg;

	if (job->message.id >= d->rebuild_before) {
		d->rebuild.end = true;
		return false;
	}
	if (job->in_doubt) {
		char id[MSG_ID_TEXT];

		log_text(LOG_WARN, "in-doubt", "message %s was being delivered when the relay stopped; it is tried again",
		    msg_id_format(job->message.id, id));
	}
	dispatch_add_job(d, job, false, dispatch_now(d));
	return true;
}

static void rebuild_slice(void *arg)
{
	struct dispatch *d = arg;
	struct err_detail why;

	if (queue_scan(d->env.reader, &d->rebuild, REBUILD_SLICE, rebuild_message, d, &why) != OK) {
		log_text(LOG_ERROR, "rebuild-failed", "%s; trying again", why.text);
		timer_start(&d->rebuild_timer, 1000);
		return;
	}
	dispatch_pump_soon(d);
	if (!d->rebuild.end && d->rebuild.id < d->rebuild_before) {
		timer_start(&d->rebuild_timer, 0);
		return;
	}
	d->complete = true;
	log_text(LOG_INFO, "rebuilt", "%zu jobs are waiting", sched_job_count(d->env.sched));
}

void dispatch_rebuild(struct dispatch *d)
{
	d->rebuild_before = queue_new_id(d->env.queue);
	timer_start(&d->rebuild_timer, 0);
}

bool dispatch_complete(const struct dispatch *d)
{
	return d->complete;
}

/* --- drain ---------------------------------------------------------------------------------------------------------------- */

void dispatch_check_drained(struct dispatch *d)
{
	if (!d->draining || !d->drained || d->link_count > 0 || d->settles_open > 0)
		return;
	timer_stop(&d->drain_timer);
	dispatch_ledger_flush(d, true, dispatch_now(d));
	loop_later(d->env.loop, d->drained, d->drained_arg);
	d->drained = NULL;
}

static void drain_expired(void *arg)
{
	struct dispatch *d = arg;

	log_text(LOG_WARN, "drain", "%zu deliveries are given up and stay queued", d->link_count);
	for (size_t i = 0; i < d->link_slots; i++)
		if (d->links[i])
			worker_abort(d->links[i]->worker, d->links[i]->number);
}

void dispatch_drain(struct dispatch *d, int64_t ms, void (*done)(void *arg), void *arg)
{
	d->draining = true;
	d->drained = done;
	d->drained_arg = arg;
	timer_stop(&d->pump_timer);
	timer_stop(&d->rebuild_timer);
	dispatch_quit_idle(d);
	dispatch_learned_flush(d); /* no pump comes that would */
	timer_start(&d->drain_timer, ms);
	dispatch_check_drained(d);
}

/* --- life ----------------------------------------------------------------------------------------------------------------- */

struct dispatch *dispatch_create(const struct dispatch_env *env, struct conf *conf, uint64_t seed, struct err_detail *why)
{
	struct dispatch *d;
	struct tls_client *tls = tls_client_load(conf->delivery.ca, why);
	struct resolver *resolver = tls ? resolver_create(env->loop, conf, why) : NULL;

	if (!resolver) {
		tls_client_unref(&tls);
		return NULL;
	}
	d = xcalloc(1, sizeof(*d));
	d->env = *env;
	d->resolver = resolver;
	d->conf = conf_ref(conf);
	d->tls = tls;
	d->verdicts = verdict_rules_create(conf->reply_rules, NULL);
	rand_seed(&d->rand, seed);
	d->wall_offset = clock_wall() - clock_mono();
	timer_init(&d->pump_timer, env->loop, pump_on_timer, d);
	timer_init(&d->idle_timer, env->loop, dispatch_idle_expired, d);
	timer_init(&d->settle_timer, env->loop, dispatch_settle_retry, d);
	timer_init(&d->drain_timer, env->loop, drain_expired, d);
	timer_init(&d->rebuild_timer, env->loop, rebuild_slice, d);
	dispatch_host_restore(d);
	d->hops = hops_create(env->loop, env->queue, env->reader);
	dispatch_lane_listen(d);
	dispatch_learned_restore(d);
	dispatch_ledger_restore(d);
	d->senders = senders_create();
	dispatch_sender_restore(d);
	d->suppression = suppression_create(d);
	d->fetcher = fetcher_create(env->loop, resolver);
	d->herald = dispatch_alerts_create(d);
	d->watch = dispatch_blocklists_create(d);
	d->sts = sts_create(env->loop, d->fetcher, env->queue, env->reader, d->conf, resolver, dispatch_now(d));
	dispatch_tlsrpt_start(d);
	dispatch_dnssec_listen(d);
	if (dispatch_warm_restore(d, why) != OK || dispatch_service_restore(d, why) != OK)
		dispatch_destroy(&d);
	return d;
}

void dispatch_destroy(struct dispatch **dispatch)
{
	struct dispatch *d = *dispatch;

	if (!d)
		return;
	timer_fini(&d->pump_timer);
	timer_fini(&d->idle_timer);
	timer_fini(&d->settle_timer);
	timer_fini(&d->drain_timer);
	timer_fini(&d->rebuild_timer);
	dispatch_routes_fini(d);
	dispatch_links_fini(d);
	suppression_destroy(&d->suppression);
	sched_listen(d->env.sched, NULL, NULL);
	senders_destroy(&d->senders);
	hops_destroy(&d->hops);
	tlsrpt_destroy(&d->tlsrpt);
	sts_destroy(&d->sts);
	dispatch_blocklists_destroy(&d->watch);
	dispatch_alerts_destroy(&d->herald);
	fetcher_destroy(&d->fetcher);
	resolver_destroy(&d->resolver);
	tls_client_unref(&d->tls);
	hostmap_destroy(&d->hosts);
	dispatch_service_fini(d);
	verdict_rules_destroy(&d->verdicts);
	conf_unref(&d->conf);
	free(d);
	*dispatch = NULL;
}

enum err dispatch_reconfigure(struct dispatch *d, struct conf *conf, struct err_detail *why)
{
	struct tls_client *tls = tls_client_load(conf->delivery.ca, why);
	struct resolver *resolver = tls ? resolver_create(d->env.loop, conf, why) : NULL;

	if (!resolver) {
		tls_client_unref(&tls);
		return ERR_INVALID;
	}
	tls_client_unref(&d->tls);
	d->tls = tls;
	verdict_rules_destroy(&d->verdicts);
	d->verdicts = verdict_rules_create(conf->reply_rules, NULL);
	conf_unref(&d->conf);
	d->conf = conf_ref(conf);
	sched_reconfigure(d->env.sched, conf, dispatch_now(d));
	dispatch_service_apply(d);
	/* Look-ups under way start anew with the new resolver; connections that stand keep the settings they were opened with. */
	struct resolver *old = d->resolver;

	d->resolver = resolver;
	dispatch_dnssec_listen(d);
	fetcher_use(d->fetcher, resolver);
	sts_use(d->sts, d->conf, resolver);
	dispatch_blocklists_use(d);
	tlsrpt_use(d->tlsrpt, d->conf, resolver);
	dispatch_routes_restart(d);
	resolver_destroy(&old);
	dispatch_quit_idle(d);
	dispatch_pump_soon(d);
	return OK;
}
