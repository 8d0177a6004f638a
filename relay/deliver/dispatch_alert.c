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
#include "relay/notify/resend.h"

#define LOOK_MS        5000      /* how often trouble of our own is looked for */
#define HELD_EVERY     12        /* looks between two counts of what is held: it costs as much as there are destinations */
#define LATE_MS       MINUTES(5) /* what is no longer late ends then: a few looks */
#define UNSEEN_MS      DAYS(1)   /* an alert of an earlier run that nothing has renewed ends then */
#define NOTE_PREFIX    "alert/"

struct herald {
	struct dispatch *dispatch;
	struct alerts *alerts;
	struct timer timer;
	unsigned looks;
	struct hooks *hooks;
	struct mailing *mailings; /* that are not stored yet, in their order */
	struct timer mail_timer;
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

/* --- what is kept of them ------------------------------------------------------------------------------------------------------- */

/* One block, which the queue frees. */
struct noting {
	struct queue_note_put put;
	struct noting *next; /* until then, of a mailing */
	uint8_t data[ALERT_RECORD_MAX];
	char name[QUEUE_NOTE_NAME];
};

static struct noting *noting_create(const struct alert *alert, enum alert_news news)
{
	struct noting *noting = xcalloc(1, sizeof(*noting));

	(void)snprintf(noting->name, sizeof(noting->name), NOTE_PREFIX "%s/%s", alert_kind_name(alert->kind), alert->object);
	noting->put.req.kind = QUEUE_NOTE_PUT;
	noting->put.name = noting->name;
	noting->put.data = noting->data;
	noting->put.len = news == ALERT_ENDS ? 0 : alert_encode(alert, noting->data);
	return noting;
}

/* A restart does not tell again what was told. */
static void keep_all(struct dispatch *d, struct noting *notings)
{
	while (notings) {
		struct noting *next = notings->next;

		queue_submit(d->env.queue, &notings->put.req);
		notings = next;
	}
}

/* --- mail ------------------------------------------------------------------------------------------------------------------- */

/* One at a time is handed to the writer, in their order: the end of an alert must not be stored before its beginning. */
struct mailing {
	struct queue_accept accept; /* a copy: the notice's has no way back to us */
	struct herald *herald;
	struct notice *notice;
	struct noting *notings; /* to be kept once it is stored; owned */
	unsigned tries;
	struct mailing *next;
};

static void mailing_free(struct mailing *mailing)
{
	while (mailing->notings) {
		struct noting *next = mailing->notings->next;

		free(mailing->notings);
		mailing->notings = next;
	}
	notice_destroy(&mailing->notice);
	free(mailing);
}

/* The first of those that wait; nothing is begun any more once the daemon ends, it is told after the next start. */
static void submit_first(void *arg)
{
	struct herald *herald = arg;
	struct mailing *mailing = herald->mailings;

	if (!mailing || herald->dispatch->draining)
		return;
	herald->dispatch->settles_open++;
	queue_submit(herald->dispatch->env.queue, &mailing->accept.req);
}

/* True: it is over, one way or the other. */
static bool mailing_ended(struct mailing *mailing)
{
	struct dispatch *d = mailing->herald->dispatch;
	const struct queue_req *req = &mailing->accept.req;
	int64_t pause;

	if (req->result == OK) {
		dispatch_add_bounce(d, &mailing->accept, dispatch_now(d));
		return true;
	}
	pause = resend_pause(++mailing->tries, d->conf->alerts.retry_ms);
	if (mailing->tries == 1 || pause < 0)
		log_text(LOG_ERROR, "alert-failed", "the mail cannot be stored: %s; %s", req->why, pause < 0 ? "given up" : "it is tried again");
	if (pause >= 0)
		timer_start(&mailing->herald->mail_timer, pause);
	return pause < 0;
}

static void on_mailed(struct queue_req *req)
{
	struct mailing *mailing = CONTAINER_OF(req, struct mailing, accept.req);
	struct herald *herald = mailing->herald;
	struct dispatch *d = herald->dispatch;

	d->settles_open--;
	if (mailing_ended(mailing)) {
		herald->mailings = mailing->next;
		keep_all(d, mailing->notings);
		mailing->notings = NULL;
		mailing_free(mailing);
		submit_first(herald);
	}
	dispatch_pump_soon(d);
	dispatch_check_drained(d);
}

/* Takes both. */
static void mail(struct herald *herald, struct notice *notice, struct noting *notings, wall_ms now)
{
	struct dispatch *d = herald->dispatch;
	struct mailing *mailing = xcalloc(1, sizeof(*mailing)), **end = &herald->mailings;

	mailing->herald = herald;
	mailing->notice = notice;
	mailing->notings = notings;
	mailing->accept = *notice_accept(notice, d->env.queue, d->conf, now);
	mailing->accept.req.reply_to = loop_mailbox(d->env.loop);
	mailing->accept.req.done = on_mailed;
	while (*end)
		end = &(*end)->next;
	*end = mailing;
	if (herald->mailings == mailing)
		submit_first(herald);
}

/* --- telling ---------------------------------------------------------------------------------------------------------------- */

struct telling {
	struct notice *notice;
	struct noting *notings, **end;
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
	*telling->end = noting_create(alert, news);
	telling->end = &(*telling->end)->next;
}

static void tell_all(struct herald *herald, wall_ms now)
{
	struct dispatch *d = herald->dispatch;
	const struct conf_alerts *conf = &d->conf->alerts;
	struct telling telling = {.end = &telling.notings};

	if (d->draining || alerts_due(herald->alerts, conf->gather_ms, conf->every_ms) > now)
		return;
	telling.notice = notice_create();
	if (alerts_take(herald->alerts, conf->gather_ms, conf->every_ms, now, tell, &telling) > 0) {
		if (conf->webhook)
			dispatch_hook_post(herald->hooks, notice_json(telling.notice, d->conf));
		if (conf->mail) {
			mail(herald, telling.notice, telling.notings, now);
			return;
		}
	}
	keep_all(d, telling.notings);
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
	herald->hooks = dispatch_hooks_create(d);
	timer_init(&herald->mail_timer, d->env.loop, submit_first, herald);
	timer_init(&herald->timer, d->env.loop, on_look, herald);
	timer_start(&herald->timer, 1000);
	return herald;
}

void dispatch_alerts_destroy(struct herald **herald)
{
	struct herald *h = *herald;

	if (!h)
		return;
	dispatch_hooks_destroy(&h->hooks);
	while (h->mailings) {
		struct mailing *next = h->mailings->next;

		mailing_free(h->mailings);
		h->mailings = next;
	}
	timer_fini(&h->mail_timer);
	timer_fini(&h->timer);
	alerts_destroy(&h->alerts);
	free(h);
	*herald = NULL;
}
