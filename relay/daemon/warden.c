/* relay/daemon/warden.c - who is kept out: joins the guard to the clock, the log, the gate and the workers' questions. */
#include "relay/daemon/warden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/deliver/keep.h"

#define RECORDS_MAX 16384       /* of each kind: addresses, networks, logins, successes */
#define EXPIRE_MS   SECONDS(10) /* how late the end of a ban may be told */

struct warden {
	struct loop *loop;
	struct conf *conf; /* a reference: the guard looks into it */
	struct guard *guard;
	struct queue *queue; /* NULL: nothing is kept yet */
	struct timer expire;
	bool expire_set;
};

static const char *const kinds[GUARD_KINDS] = { [GUARD_ADDRESS] = "ip", [GUARD_NETWORK] = "network", [GUARD_LOGIN] = "user" };

static void set_expire(struct warden *warden)
{
	struct guard_figures figures;

	guard_figures_read(warden->guard, &figures);
	if (warden->expire_set || figures.banned + figures.locked == 0)
		return;
	warden->expire_set = true;
	timer_start(&warden->expire, EXPIRE_MS);
}

static void on_expire(void *arg)
{
	struct warden *warden = arg;

	warden->expire_set = false;
	guard_expire(warden->guard, clock_mono());
	set_expire(warden);
}

/* --- bans outlive the program --------------------------------------------------------------------------------------------- */

#define NOTE_PREFIX  "guard/"
#define NOTE_VERSION 1

/* What the store keeps of a ban, under its kind and name; of this machine alone, as the whole store is. */
struct note {
	uint32_t version, times;
	uint64_t failures;
	wall_ms until;
};

static void keep(const struct warden *warden, bool stays, const struct guard_ban *ban, mono_ms now)
{
	struct note note = { .version = NOTE_VERSION, .times = ban->times, .failures = ban->failures, .until = clock_wall() + ban->until - now };
	char name[sizeof(NOTE_PREFIX) + 512];

	snprintf(name, sizeof(name), NOTE_PREFIX "%s/%s", kinds[ban->kind], ban->name);
	keep_note(warden->queue, name, &note, stays ? sizeof(note) : 0);
}

static void restore(void *arg, const char *name, const void *data, size_t len)
{
	struct warden *warden = arg;
	const char *kind = name + sizeof(NOTE_PREFIX) - 1, *slash = strchr(kind, '/');
	struct note note;

	if (len != sizeof(note) || !slash)
		return;
	memcpy(&note, data, sizeof(note));
	for (enum guard_kind k = 0; k < GUARD_KINDS && note.version == NOTE_VERSION; k++) {
		struct guard_ban ban = { .kind = k, .name = slash + 1, .until = clock_mono() + note.until - clock_wall(),
			.failures = note.failures, .times = note.times };

		if (strlen(kinds[k]) != (size_t)(slash - kind) || strncmp(kinds[k], kind, (size_t)(slash - kind)) != 0)
			continue;
		if (ban.until > clock_mono())
			guard_restore(warden->guard, &ban, clock_mono());
		else
			keep(warden, false, &ban, clock_mono());
	}
}

void warden_attach(struct warden *warden, struct queue *queue, struct queue_reader *reader)
{
	struct err_detail why;

	warden->queue = queue;
	if (queue_notes_read(reader, NOTE_PREFIX, restore, warden, &why) != OK)
		log_text(LOG_ERROR, "bans-lost", "bans of earlier runs cannot be read: %s", why.text);
	set_expire(warden);
}

static void on_notice(void *arg, enum guard_change change, const struct guard_ban *ban, mono_ms now)
{
	const char *events[2][3] = { { "banned", "ban-lifted", "ban-lifted" }, { "login-locked", "login-unlocked", "login-unlocked" } };
	struct log_line line;
	char until[CLOCK_TEXT];

	log_begin(&line, change == GUARD_BEGINS ? LOG_WARN : LOG_INFO, events[ban->kind == GUARD_LOGIN][change]);
	log_str(&line, kinds[ban->kind], ban->name);
	if (change == GUARD_BEGINS)
		log_str(&line, "until", clock_rfc3339(clock_wall() + ban->until - now, until));
	else
		log_str(&line, "by", change == GUARD_IS_LIFTED ? "operator" : "time");
	log_num(&line, "failures", (int64_t)ban->failures);
	log_end(&line);
	keep(arg, change == GUARD_BEGINS, ban, now);
}

static void judge(struct warden *warden, struct login_question *q)
{
	mono_ms now = clock_mono();
	struct guard *guard = warden->guard;

	switch (q->event) {
	case LOGIN_ASKED:
		if (guard_is_banned(guard, &q->client, now))
			q->verdict = LOGIN_BANNED;
		else if (guard_is_locked(guard, &q->client, q->user, now))
			q->verdict = LOGIN_LOCKED;
		break;
	case LOGIN_FAILED:
		q->delay_ms = guard_fail(guard, &q->client, q->user, now);
		if (guard_is_banned(guard, &q->client, now))
			q->verdict = LOGIN_BANNED;
		set_expire(warden);
		break;
	case LOGIN_SUCCEEDED:
		guard_succeed(guard, &q->client, q->user, now);
		break;
	}
}

void warden_answer(struct warden *warden, struct login_question *q)
{
	judge(warden, q);
	q->item.run = q->answered;
	mailbox_post(q->reply_to, &q->item);
}

bool warden_refuses(struct warden *warden, const struct ip_addr *client)
{
	return guard_refuses(warden->guard, client, clock_mono());
}

struct guard *warden_guard(struct warden *warden)
{
	return warden->guard;
}

void warden_reconfigure(struct warden *warden, struct conf *conf)
{
	guard_configure(warden->guard, &conf->bruteforce);
	conf_unref(&warden->conf);
	warden->conf = conf_ref(conf);
}

struct warden *warden_create(struct loop *loop, struct conf *conf)
{
	struct warden *warden = xcalloc(1, sizeof(*warden));

	warden->loop = loop;
	warden->conf = conf_ref(conf);
	warden->guard = guard_create(RECORDS_MAX, on_notice, warden);
	guard_configure(warden->guard, &conf->bruteforce);
	timer_init(&warden->expire, loop, on_expire, warden);
	return warden;
}

void warden_destroy(struct warden **warden)
{
	struct warden *w = *warden;

	*warden = NULL;
	if (!w)
		return;
	timer_fini(&w->expire);
	guard_destroy(&w->guard);
	conf_unref(&w->conf);
	free(w);
}
