/* relay/deliver/dispatch_hook.c - alerts on their way to the webhook: tried again for hours, over restarts too.
 *
 * A receiver may have taken one whose answer was lost: Idempotency-Key is the same in each try of it. */
#include "relay/deliver/dispatch_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/deliver/keep.h"
#include "relay/notify/resend.h"

#define NOTE_PREFIX "hook/"
#define VERSION     1
#define ANSWER_MAX  4096
#define HOOKS_MAX   200 /* that wait; the oldest goes for another one */

struct hook {
	struct hooks *hooks;
	struct fetch *fetch; /* under way; NULL: it waits for the timer */
	struct timer timer;
	unsigned tries;
	struct hook *prev, *next;
	char name[sizeof(NOTE_PREFIX) + MSG_ID_TEXT]; /* of what is kept of it */
	char body[];
};

struct hooks {
	struct dispatch *dispatch;
	struct hook *list; /* newest first */
	size_t count;
};

/* --- what is kept ----------------------------------------------------------------------------------------------------------- */

/* Version, body. "" removes it. A body that is too long is not kept: a restart forgets it. */
static void keep(const struct hook *hook, const char *body)
{
	size_t len = strlen(body);
	char *record;

	if (len >= QUEUE_NOTE_MAX)
		return;
	record = xasprintf("%c%s", VERSION, body);
	keep_note(hook->hooks->dispatch->env.queue, hook->name, record, len > 0 ? 1 + len : 0);
	free(record);
}

/* --- posts ------------------------------------------------------------------------------------------------------------------ */

static void hook_unlink(struct hook *hook)
{
	if (hook->prev)
		hook->prev->next = hook->next;
	else
		hook->hooks->list = hook->next;
	if (hook->next)
		hook->next->prev = hook->prev;
	hook->hooks->count--;
	timer_fini(&hook->timer);
}

static void hook_free(void *arg)
{
	free(arg);
}

/* Maybe from a callback of its own. */
static void hook_end(struct hook *hook)
{
	keep(hook, "");
	hook_unlink(hook);
	loop_later(hook->hooks->dispatch->env.loop, hook_free, hook);
}

/* The URL may hold a secret: it is not logged. */
static void on_hooked(void *arg, const struct fetch_answer *answer)
{
	struct hook *hook = arg;
	int64_t pause;

	hook->fetch = NULL;
	if (answer->status / 100 == 2) {
		hook_end(hook);
		return;
	}
	pause = resend_pause(++hook->tries, hook->hooks->dispatch->conf->alerts.retry_ms);
	if (hook->tries == 1 || pause < 0)
		log_text(LOG_WARN, "alert-failed", "alerts.webhook: status %d %s; %s", answer->status, answer->why,
		    pause < 0 ? "given up" : "it is tried again");
	if (pause >= 0)
		timer_start(&hook->timer, pause);
	else
		hook_end(hook);
}

static void hook_start(void *arg)
{
	struct hook *hook = arg;
	struct dispatch *d = hook->hooks->dispatch;
	char key[64];
	const char *const headers[] = {key};
	struct fetch_request request = {
	    .url = d->conf->alerts.webhook, .plain = true, .ca = d->conf->delivery.ca, .body = hook->body, .body_len = strlen(hook->body),
	    .type = "application/json", .max_bytes = ANSWER_MAX, .timeout_ms = d->conf->alerts.timeout_ms, .headers = headers, .header_count = 1,
	};

	(void)snprintf(key, sizeof(key), "Idempotency-Key: %s", hook->name + strlen(NOTE_PREFIX));
	if (request.url)
		hook->fetch = fetch_start(d->fetcher, &request, on_hooked, hook);
	else
		hook_end(hook);
}

static void drop_oldest(struct hooks *hooks)
{
	struct hook *oldest = hooks->list;

	while (oldest->next)
		oldest = oldest->next;
	log_text(LOG_WARN, "alert-failed", "alerts.webhook: %d calls wait, the oldest is given up", HOOKS_MAX);
	if (oldest->fetch)
		fetch_cancel(oldest->fetch);
	hook_end(oldest);
}

static struct hook *hook_create(struct hooks *hooks, const char *id, const char *body, size_t len)
{
	struct hook *hook = xcalloc(1, sizeof(*hook) + len + 1);

	hook->hooks = hooks;
	memcpy(hook->body, body, len);
	(void)snprintf(hook->name, sizeof(hook->name), NOTE_PREFIX "%.*s", MSG_ID_TEXT - 1, id);
	hook->next = hooks->list;
	if (hook->next)
		hook->next->prev = hook;
	hooks->list = hook;
	hooks->count++;
	timer_init(&hook->timer, hooks->dispatch->env.loop, hook_start, hook);
	return hook;
}

void dispatch_hook_post(struct hooks *hooks, const char *body)
{
	char id[MSG_ID_TEXT];
	struct hook *hook;

	if (hooks->count == HOOKS_MAX)
		drop_oldest(hooks);
	hook = hook_create(hooks, msg_id_format(queue_new_id(hooks->dispatch->env.queue), id), body, strlen(body));
	keep(hook, body);
	timer_start(&hook->timer, 0);
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

/* In the order of their names, which is that of time. */
static void restore(void *arg, const char *name, const void *data, size_t len)
{
	struct hooks *hooks = arg;
	const char *text = data;

	if (hooks->count < HOOKS_MAX && len > 1 && text[0] == VERSION && !memchr(text, '\0', len))
		timer_start(&hook_create(hooks, name + strlen(NOTE_PREFIX), text + 1, len - 1)->timer, 0);
}

struct hooks *dispatch_hooks_create(struct dispatch *d)
{
	struct hooks *hooks = xcalloc(1, sizeof(*hooks));
	struct err_detail why;

	hooks->dispatch = d;
	if (d->env.reader && queue_notes_read(d->env.reader, NOTE_PREFIX, restore, hooks, &why) != OK)
		log_text(LOG_WARN, "alert-failed", "%s", why.text);
	return hooks;
}

void dispatch_hooks_destroy(struct hooks **hooks)
{
	struct hooks *h = *hooks;

	*hooks = NULL;
	while (h->list) {
		struct hook *hook = h->list;

		if (hook->fetch)
			fetch_cancel(hook->fetch);
		hook_unlink(hook);
		free(hook);
	}
	free(h);
}
