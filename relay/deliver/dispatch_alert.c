/* relay/deliver/dispatch_alert.c - alerts on their way: by mail through our own queue and to a webhook, and what is open kept over restarts.
 *
 * Lanes and sources tell by themselves; the store's room and what waits for the operator are looked at now and then. */
#include "relay/deliver/dispatch_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/notify/notice.h"

#define LOOK_MS        5000      /* how often trouble of our own is looked for */
#define HELD_EVERY     12        /* looks between two counts of what is held: it costs as much as there are destinations */
#define LATE_MS       MINUTES(5) /* what is no longer late ends then: a few looks */
#define UNSEEN_MS      DAYS(1)   /* an alert of an earlier run that nothing has renewed ends then */
#define NOTE_PREFIX    "alert/"
#define HOOK_MS        SECONDS(30)
#define HOOK_TRIES     12        /* some six hours */
#define HOOK_AGAIN_MS  MINUTES(1) /* twice as long each time */
#define HOOK_PAUSE_MAX HOURS(1)
#define HOOK_ANSWER    4096

struct herald {
	struct dispatch *dispatch;
	struct alerts *alerts;
	struct timer timer;
	unsigned looks;
	struct hook *hooks; /* posts that are under way or wait */
};

/* A post to the webhook. */
struct hook {
	struct herald *herald;
	struct fetch *fetch; /* under way; NULL: it waits for the timer */
	struct timer timer;
	unsigned tries;
	struct hook *prev, *next;
	char body[];
};

/* --- raising ---------------------------------------------------------------------------------------------------------------- */

void dispatch_alert_raise(struct dispatch *d, enum alert_kind kind, wall_ms until, const char *object, const char *format, ...)
{
	char text[ALERT_TEXT_MAX + 1];
	va_list args;

	if (!d->herald)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	alerts_raise(d->herald->alerts, kind, object, text, until, dispatch_now(d));
}

void dispatch_alert_clear(struct dispatch *d, enum alert_kind kind, const char *object)
{
	if (d->herald)
		alerts_clear(d->herald->alerts, kind, object, dispatch_now(d));
}

void dispatch_alerts_walk(const struct dispatch *d, alert_walk_fn fn, void *arg)
{
	alerts_walk(d->herald->alerts, fn, arg);
}

/* --- mail ------------------------------------------------------------------------------------------------------------------- */

struct mailing {
	struct queue_accept accept; /* a copy: the notice's has no way back to us */
	struct dispatch *dispatch;
	struct notice *notice;
};

static void on_mailed(struct queue_req *req)
{
	struct mailing *mailing = CONTAINER_OF(req, struct mailing, accept.req);
	struct dispatch *d = mailing->dispatch;

	if (req->result == OK)
		dispatch_add_bounce(d, &mailing->accept, dispatch_now(d));
	else
		log_text(LOG_ERROR, "alert-failed", "the mail cannot be stored: %s", req->why);
	notice_destroy(&mailing->notice);
	free(mailing);
	d->settles_open--;
	dispatch_pump_soon(d);
	dispatch_check_drained(d);
}

static void mail(struct dispatch *d, struct notice *notice, wall_ms now)
{
	struct mailing *mailing = xcalloc(1, sizeof(*mailing));

	mailing->dispatch = d;
	mailing->notice = notice;
	mailing->accept = *notice_accept(notice, d->env.queue, d->conf, now);
	mailing->accept.req.reply_to = loop_mailbox(d->env.loop);
	mailing->accept.req.done = on_mailed;
	d->settles_open++;
	queue_submit(d->env.queue, &mailing->accept.req);
}

/* --- webhook ---------------------------------------------------------------------------------------------------------------- */

static void hook_unlink(struct hook *hook)
{
	if (hook->prev)
		hook->prev->next = hook->next;
	else
		hook->herald->hooks = hook->next;
	if (hook->next)
		hook->next->prev = hook->prev;
	timer_fini(&hook->timer);
}

static void hook_free(void *arg)
{
	free(arg);
}

/* From a callback of its own. */
static void hook_end(struct hook *hook)
{
	hook_unlink(hook);
	loop_later(hook->herald->dispatch->env.loop, hook_free, hook);
}

static int64_t hook_pause(unsigned tries)
{
	int64_t ms = HOOK_AGAIN_MS << (tries - 1);

	return ms < HOOK_PAUSE_MAX ? ms : HOOK_PAUSE_MAX;
}

/* The URL may hold a secret: it is not logged. */
static void on_hooked(void *arg, const struct fetch_answer *answer)
{
	struct hook *hook = arg;

	hook->fetch = NULL;
	if (answer->status / 100 == 2) {
		hook_end(hook);
	} else if (++hook->tries < HOOK_TRIES) {
		timer_start(&hook->timer, hook_pause(hook->tries));
	} else {
		log_text(LOG_WARN, "alert-failed", "alerts.webhook: status %d %s; given up after %u tries", answer->status, answer->why, hook->tries);
		hook_end(hook);
	}
}

static void hook_start(void *arg)
{
	struct hook *hook = arg;
	struct dispatch *d = hook->herald->dispatch;
	struct fetch_request request = {
	    .url = d->conf->alerts.webhook, .plain = true, .ca = d->conf->delivery.ca, .body = hook->body, .body_len = strlen(hook->body),
	    .type = "application/json", .max_bytes = HOOK_ANSWER, .timeout_ms = HOOK_MS,
	};

	if (request.url)
		hook->fetch = fetch_start(d->fetcher, &request, on_hooked, hook);
	else
		hook_end(hook);
}

static void post(struct herald *herald, const char *body)
{
	struct hook *hook = xcalloc(1, sizeof(*hook) + strlen(body) + 1);

	hook->herald = herald;
	memcpy(hook->body, body, strlen(body) + 1);
	hook->next = herald->hooks;
	if (hook->next)
		hook->next->prev = hook;
	herald->hooks = hook;
	timer_init(&hook->timer, herald->dispatch->env.loop, hook_start, hook);
	timer_start(&hook->timer, 0);
}

/* --- telling ---------------------------------------------------------------------------------------------------------------- */

/* One block, which the queue frees. */
struct noting {
	struct queue_note_put put;
	uint8_t data[ALERT_RECORD_MAX];
	char name[QUEUE_NOTE_NAME];
};

/* A restart does not tell again what was told. */
static void keep(struct dispatch *d, const struct alert *alert, enum alert_news news)
{
	struct noting *noting = xcalloc(1, sizeof(*noting));

	(void)snprintf(noting->name, sizeof(noting->name), NOTE_PREFIX "%s/%s", alert_kind_name(alert->kind), alert->object);
	noting->put.req.kind = QUEUE_NOTE_PUT;
	noting->put.name = noting->name;
	noting->put.data = noting->data;
	noting->put.len = news == ALERT_ENDS ? 0 : alert_encode(alert, noting->data);
	queue_submit(d->env.queue, &noting->put.req);
}

struct telling {
	struct dispatch *dispatch;
	struct notice *notice;
};

static void tell(void *arg, const struct alert *alert, enum alert_news news)
{
	struct telling *telling = arg;
	struct log_line line;

	log_begin(&line, news == ALERT_ENDS ? LOG_INFO : LOG_WARN, "alert");
	log_str(&line, "news", alert_news_name(news));
	log_str(&line, "kind", alert_kind_name(alert->kind));
	log_str(&line, "object", alert->object);
	log_str(&line, "text", alert->text);
	log_end(&line);
	notice_add(telling->notice, alert, news);
	keep(telling->dispatch, alert, news);
}

static void tell_all(struct herald *herald, wall_ms now)
{
	struct dispatch *d = herald->dispatch;
	const struct conf_alerts *conf = &d->conf->alerts;
	struct telling telling = {.dispatch = d};

	if (d->draining || alerts_due(herald->alerts, conf->gather_ms, conf->every_ms) > now)
		return;
	telling.notice = notice_create();
	if (alerts_take(herald->alerts, conf->gather_ms, conf->every_ms, now, tell, &telling) > 0) {
		if (conf->webhook)
			post(herald, notice_json(telling.notice, d->conf));
		if (conf->mail) {
			mail(d, telling.notice, now);
			return;
		}
	}
	notice_destroy(&telling.notice);
}

/* --- looking ---------------------------------------------------------------------------------------------------------------- */

static void look_at_store(struct dispatch *d)
{
	struct err_detail why;

	if (queue_has_room(d->env.queue, 0, &why) == OK)
		dispatch_alert_clear(d, ALERT_DISK, "store");
	else
		dispatch_alert_raise(d, ALERT_DISK, 0, "store", "new mail is refused with 452: %s", why.text);
	if (d->settle_trouble)
		dispatch_alert_raise(d, ALERT_STORE, 0, "outcomes", "they cannot be stored and are kept in memory");
	else
		dispatch_alert_clear(d, ALERT_STORE, "outcomes");
}

static void sum_held(void *arg, const char *destination, const struct sched_counts *counts, unsigned reasons, wall_ms ask_again)
{
	(void)reasons;
	(void)ask_again;
	if (destination[0] == '\0')
		*(uint64_t *)arg = counts->held;
}

static void look_at_held(struct dispatch *d)
{
	uint64_t held = 0;

	sched_counts_read(d->env.sched, dispatch_now(d), sum_held, &held);
	if (held > 0)
		dispatch_alert_raise(d, ALERT_HELD, 0, "mail", "%llu recipients wait for relayq release", (unsigned long long)held);
	else if (d->complete)
		dispatch_alert_clear(d, ALERT_HELD, "mail");
}

static void raise_late(void *arg, const struct sched_late *late)
{
	struct dispatch *d = arg;
	char when[CLOCK_TEXT];

	dispatch_alert_raise(d, ALERT_LATE, dispatch_now(d) + LATE_MS, late->destination,
	    "%llu recipients wait for cold addresses that may send %llu a day: the last leave about %s", (unsigned long long)late->waiting,
	    (unsigned long long)late->daily, clock_rfc3339(late->gone_at, when));
}

static void on_look(void *arg)
{
	struct herald *herald = arg;
	const struct conf_alerts *conf = &herald->dispatch->conf->alerts;
	int64_t next = conf->gather_ms < LOOK_MS ? conf->gather_ms : LOOK_MS;

	look_at_store(herald->dispatch);
	dispatch_dnssec_look(herald->dispatch);
	if (herald->looks++ % HELD_EVERY == 0) {
		look_at_held(herald->dispatch);
		sched_late_each(herald->dispatch->env.sched, dispatch_now(herald->dispatch), raise_late, herald->dispatch);
	}
	tell_all(herald, dispatch_now(herald->dispatch));
	timer_start(&herald->timer, next);
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

static void restore(void *arg, const char *name, const void *data, size_t len)
{
	struct herald *herald = arg;

	if (!alerts_restore(herald->alerts, data, len, dispatch_now(herald->dispatch) + UNSEEN_MS))
		log_text(LOG_WARN, "alert-failed", "what is kept of %s cannot be read: it is told again", name);
}

struct herald *dispatch_alerts_create(struct dispatch *d)
{
	struct herald *herald = xcalloc(1, sizeof(*herald));
	struct err_detail why;

	herald->dispatch = d;
	herald->alerts = alerts_create();
	if (d->env.reader && queue_notes_read(d->env.reader, NOTE_PREFIX, restore, herald, &why) != OK)
		log_text(LOG_WARN, "alert-failed", "%s", why.text);
	timer_init(&herald->timer, d->env.loop, on_look, herald);
	timer_start(&herald->timer, 1000);
	return herald;
}

void dispatch_alerts_destroy(struct herald **herald)
{
	struct herald *h = *herald;
	struct hook *hook;

	if (!h)
		return;
	while (h->hooks) {
		if (h->hooks->fetch)
			fetch_cancel(h->hooks->fetch);
		hook = h->hooks;
		hook_unlink(hook);
		free(hook);
	}
	timer_fini(&h->timer);
	alerts_destroy(&h->alerts);
	free(h);
	*herald = NULL;
}
