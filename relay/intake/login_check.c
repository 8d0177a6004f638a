/* relay/intake/login_check.c - whether a login is good: main is asked whether it may be tried, a helper computes the hash, main is told.
 *
 * One object goes the whole way, from thread to thread, and outlives its session: a guess counts even if the guesser has not waited for the
 * answer. Checks of the same credentials under way at the same time share one hash. */
#include <crypt.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/intake/dialog.h"
#include "relay/intake/sessions.h"

#define FAILURES_MAX 3   /* in one session */
#define RUNNING_MAX  200 /* checks of one worker at once: more would wait for seconds */

/* What an unknown user is checked against, so that it takes as long as a known one: yescrypt of the usual cost, of a text that was thrown away. */
static const char DUMMY_HASH[] = "$y$j9T$O.rlOZzBerLUc03z2vp1V/$x2GHzmunskgK.55ypPgNJThjsSm3zP.Nn67EOu8N/L6";

/* `intake` and `dialog` are the loop's; what a helper or main has in hand is theirs until the answer. */
struct login_check {
	struct mail_item item;
	struct login_question question;
	struct intake *intake;
	struct dialog *dialog;       /* NULL: it has ended meanwhile */
	struct login_check *next;    /* of intake->checking, or of the followers of another */
	struct login_check *followers; /* the same credentials: they wait for this one */
	struct timer delay;
	bool delaying;
	bool decided;                /* no password to check: `ok` is known from the start */
	bool known, ok, cached;
	int64_t cache_ms;
	uint8_t tag[CREDENTIAL_TAG];
	char password[LOGIN_PASSWORD_MAX + 1];
	char hash[CRYPT_OUTPUT_SIZE];
};

/* --- the end ------------------------------------------------------------------------------------------------------------ */

static void finish(struct login_check *check)
{
	struct intake *intake = check->intake;

	if (check->dialog != NULL)
		check->dialog->check = NULL;
	timer_fini(&check->delay);
	explicit_bzero(check, sizeof(*check));
	free(check);
	intake->pending--;
	sessions_one_less(intake);
}

/* The session hears `reply`, and goes on or ends. */
static void refuse(struct login_check *check, const char *reply, bool is_end)
{
	struct dialog *d = check->dialog;

	finish(check);
	if (d == NULL)
		return;
	login_forget(d);
	dialog_reset(d);
	if (is_end)
		dialog_end(d, reply);
	else
		dialog_refuse(d, reply);
	dialog_go_on(d);
}

static void hear_failure(void *arg)
{
	struct login_check *check = arg;
	struct dialog *d = check->dialog;

	check->delaying = false;
	if (check->question.verdict == LOGIN_BANNED)
		refuse(check, "421 4.7.0 too many failed logins from your address; try again later", true);
	else if (d != NULL && ++d->auth_failures >= FAILURES_MAX)
		refuse(check, "421 4.7.0 too many failed logins", true);
	else
		refuse(check, "535 5.7.8 authentication failed", false);
}

/* --- main --------------------------------------------------------------------------------------------------------------- */

static void ask(struct login_check *check, enum login_event event, void (*answered)(struct mail_item *item))
{
	struct intake_env *env = check->intake->env;
	struct login_question *q = &check->question;

	q->event = event;
	q->verdict = LOGIN_ALLOWED;
	q->delay_ms = 0;
	q->answered = answered;
	q->reply_to = loop_mailbox(env->loop);
	if (env->ask != NULL)
		env->ask(env->arg, q);
	else
		answered(&q->item);
}

static struct login_check *check_of(struct mail_item *item)
{
	return CONTAINER_OF(item, struct login_check, question.item);
}

static void on_failure_counted(struct mail_item *item)
{
	struct login_check *check = check_of(item);

	if (check->dialog == NULL || check->question.delay_ms == 0) {
		hear_failure(check);
		return;
	}
	check->delaying = true;
	timer_start(&check->delay, check->question.delay_ms);
}

static void on_success_noted(struct mail_item *item)
{
	finish(check_of(item));
}

/* --- the outcome --------------------------------------------------------------------------------------------------------- */

/* Fit for fail2ban: keys and their order stay. */
static void log_refused(const struct login_check *check, const char *event)
{
	struct log_line line;

	log_begin(&line, LOG_WARN, event);
	log_str(&line, "ip", check->question.client_text);
	log_str(&line, "user", check->question.user);
	log_str(&line, "tenant", check->question.tenant);
	log_end(&line);
}

static void fail(struct login_check *check)
{
	atomic_fetch_add_explicit(&check->intake->env->figures.auth_failures, 1, memory_order_relaxed);
	log_refused(check, "auth-failed");
	ask(check, LOGIN_FAILED, on_failure_counted);
}

static void succeed(struct login_check *check)
{
	struct dialog *d = check->dialog;

	if (d != NULL) {
		d->check = NULL;
		check->dialog = NULL;
		if (d->scram != NULL)
			login_scram_prove(d);
		else
			login_succeed(d, check->question.user, false);
		dialog_go_on(d);
	}
	if (d != NULL && !check->cached)
		ask(check, LOGIN_SUCCEEDED, on_success_noted);
	else
		finish(check);
}

static void conclude(struct login_check *check)
{
	explicit_bzero(check->password, sizeof(check->password));
	if (check->ok)
		succeed(check);
	else
		fail(check);
}

/* --- the hash ------------------------------------------------------------------------------------------------------------ */

static void on_computed(struct mail_item *item);

/* On a helper thread. */
static void run_check(struct mail_item *item)
{
	struct login_check *check = CONTAINER_OF(item, struct login_check, item);

	check->ok = credential_check(check->hash, check->password) && check->known;
	check->item.run = on_computed;
	mailbox_post(check->question.reply_to, &check->item);
}

static void on_computed(struct mail_item *item)
{
	struct login_check *check = CONTAINER_OF(item, struct login_check, item), *follower = check->followers;
	struct intake *intake = check->intake;
	struct login_check **link = &intake->checking;
	bool ok = check->ok;

	while (*link != check)
		link = &(*link)->next;
	*link = check->next;
	intake->checking_count--;
	if (ok)
		login_cache_put(&intake->logins, check->tag, loop_now(intake->env->loop) + check->cache_ms);
	conclude(check);
	while (follower != NULL) {
		struct login_check *next = follower->next;

		follower->ok = ok;
		intake->checking_count--;
		conclude(follower);
		follower = next;
	}
}

/* The check under way of the same credentials, or NULL. */
static struct login_check *find_same(const struct login_check *check)
{
	struct login_check *other = check->intake->checking;

	while (other != NULL && !credential_tag_equal(other->tag, check->tag))
		other = other->next;
	return other;
}

static void compute(struct login_check *check)
{
	struct intake *intake = check->intake;
	struct login_check *same;

	credential_tag(check->question.user, check->hash, check->password, check->tag);
	if (check->known && login_cache_has(&intake->logins, check->tag, loop_now(intake->env->loop))) {
		check->ok = check->cached = true;
		conclude(check);
		return;
	}
	if (intake->checking_count >= RUNNING_MAX) {
		refuse(check, "454 4.7.0 too many logins at once; try again later", false);
		return;
	}
	intake->checking_count++;
	same = find_same(check);
	if (same != NULL) {
		check->next = same->followers;
		same->followers = check;
		return;
	}
	check->next = intake->checking;
	intake->checking = check;
	check->item.run = run_check;
	mailbox_post(intake->env->helpers, &check->item);
}

static void on_asked(struct mail_item *item)
{
	struct login_check *check = check_of(item);

	if (check->question.verdict == LOGIN_BANNED) {
		refuse(check, "421 4.7.0 too many failed logins from your address; try again later", true);
	} else if (check->question.verdict == LOGIN_LOCKED) {
		log_refused(check, "auth-locked");
		refuse(check, "454 4.7.0 this login is locked for a while after too many failures; try again later", false);
	} else if (check->decided) {
		conclude(check);
	} else {
		compute(check);
	}
}

/* --- the start ----------------------------------------------------------------------------------------------------------- */

static struct login_check *create(struct dialog *d, const char *user)
{
	struct login_check *check = xcalloc(1, sizeof(*check));
	const struct conf_login *login = NULL;
	const struct conf_tenant *tenant = conf_tenant_by_login(d->conf, user, &login);
	struct login_question *q = &check->question;

	check->intake = d->intake;
	check->dialog = d;
	check->cache_ms = d->conf->auth.cache_ms;
	check->known = login != NULL && login->hash != NULL && strlen(login->hash) < sizeof(check->hash);
	memcpy(check->hash, check->known ? login->hash : DUMMY_HASH, strlen(check->known ? login->hash : DUMMY_HASH));
	memcpy(q->user, user, strnlen(user, LOGIN_USER_MAX));
	memcpy(q->client_text, d->client_text, sizeof(q->client_text));
	q->client = d->client.addr;
	if (tenant != NULL)
		memcpy(q->tenant, tenant->name, strnlen(tenant->name, sizeof(q->tenant) - 1));
	timer_init(&check->delay, d->intake->env->loop, hear_failure, check);
	d->intake->pending++;
	d->check = check;
	return check;
}

static void start(struct dialog *d, struct login_check *check)
{
	dialog_enter(d, DIALOG_VERIFY);
	dialog_wait(d);
	ask(check, LOGIN_ASKED, on_asked);
}

void login_check_password(struct dialog *d, const char *user, const char *password)
{
	struct login_check *check = create(d, user);

	memcpy(check->password, password, strnlen(password, LOGIN_PASSWORD_MAX));
	start(d, check);
}

void login_check_decided(struct dialog *d, const char *user, bool ok)
{
	struct login_check *check = create(d, user);

	check->decided = true;
	check->ok = ok;
	start(d, check);
}

void login_detach(struct dialog *d)
{
	struct login_check *check = d->check;

	d->check = NULL;
	if (check == NULL)
		return;
	check->dialog = NULL;
	if (check->delaying)
		finish(check);
}
