/* relay/intake/login.c - AUTH PLAIN and LOGIN (RFC 4954, RFC 4616): the exchange here, the password hash on a helper thread. */
#include <crypt.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/intake/base64.h"
#include "relay/intake/admit.h"
#include "relay/intake/dialog.h"
#include "relay/intake/sessions.h"

#define USER_MAX     255 /* RFC 4616 section 2 */
#define PASSWORD_MAX 511 /* crypt(3) takes no more */
#define FAILURES_MAX 3

/* What an unknown user is checked against, so that it takes as long as a known one: yescrypt of the usual cost, of a text that was thrown away. */
static const char DUMMY_HASH[] = "$y$j9T$O.rlOZzBerLUc03z2vp1V/$x2GHzmunskgK.55ypPgNJThjsSm3zP.Nn67EOu8N/L6";

/* A check under way. `intake` and `dialog` are the loop's; all else is the helper's until the answer. */
struct login_check {
	struct mail_item item;
	struct intake *intake;
	struct dialog *dialog; /* NULL: it has ended meanwhile */
	struct mailbox *reply_to;
	char user[USER_MAX + 1], password[PASSWORD_MAX + 1];
	char hash[CRYPT_OUTPUT_SIZE];
	bool known, ok;
};

/* --- the helper's part --------------------------------------------------------------------------------------------------- */

static bool equal_in_constant_time(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	unsigned char difference = a_len != b_len;

	for (size_t i = 0; i < a_len && i < b_len; i++)
		difference |= (unsigned char)(a[i] ^ b[i]);
	return difference == 0;
}

static void on_answer(struct mail_item *item);

static void run_check(struct mail_item *item)
{
	struct login_check *check = CONTAINER_OF(item, struct login_check, item);
	struct crypt_data *data = xcalloc(1, sizeof(*data)); /* 32 KB */
	const char *got = crypt_r(check->password, check->hash, data);

	/* A failure text of crypt_r begins with '*' and equals no hash. */
	check->ok = got != NULL && equal_in_constant_time(got, check->hash) && check->known;
	explicit_bzero(data, sizeof(*data));
	free(data);
	explicit_bzero(check->password, sizeof(check->password));
	check->item.run = on_answer;
	mailbox_post(check->reply_to, &check->item);
}

/* --- the outcome --------------------------------------------------------------------------------------------------------- */

static void log_failure(const struct dialog *d, const char *user)
{
	const struct conf_tenant *tenant = conf_tenant_by_login(d->conf, user, NULL);
	struct log_line line;

	log_begin(&line, LOG_WARN, "auth-failed");
	log_str(&line, "ip", d->client_text);
	log_str(&line, "user", user);
	log_str(&line, "tenant", tenant != NULL ? tenant->name : NULL);
	log_end(&line);
}

static void fail(struct dialog *d, const char *user)
{
	atomic_fetch_add_explicit(&d->intake->env->figures.auth_failures, 1, memory_order_relaxed);
	log_failure(d, user);
	dialog_reset(d);
	if (++d->auth_failures >= FAILURES_MAX)
		dialog_end(d, "421 4.7.0 too many failed logins");
	else
		dialog_refuse(d, "535 5.7.8 authentication failed");
}

static void succeed(struct dialog *d, const char *user)
{
	d->login = xstrdup(user);
	if (!admit_enter(d)) {
		dialog_end(d, "421 4.7.0 " ADMIT_BUSY);
		return;
	}
	dialog_reset(d);
	dialog_reply(d, "235 2.7.0 authentication successful");
}

static void on_answer(struct mail_item *item)
{
	struct login_check *check = CONTAINER_OF(item, struct login_check, item);
	struct intake *intake = check->intake;
	struct dialog *d = check->dialog;

	if (d != NULL) {
		d->check = NULL;
		if (check->ok)
			succeed(d, check->user);
		else
			fail(d, check->user);
		dialog_go_on(d);
	}
	explicit_bzero(check, sizeof(*check));
	free(check);
	intake->pending--;
	sessions_one_less(intake);
}

void login_detach(struct dialog *d)
{
	if (d->check != NULL)
		d->check->dialog = NULL;
	d->check = NULL;
}

/* --- the exchange -------------------------------------------------------------------------------------------------------- */

static void login_end(struct dialog *d)
{
	d->login_step = LOGIN_NONE;
	free(d->login_user);
	d->login_user = NULL;
}

static void verify(struct dialog *d, const char *user, const char *password)
{
	struct login_check *check = xcalloc(1, sizeof(*check));
	const struct conf_login *login = NULL;

	check->known = conf_tenant_by_login(d->conf, user, &login) != NULL && login->hash != NULL && strlen(login->hash) < sizeof(check->hash);
	memcpy(check->user, user, strlen(user));
	memcpy(check->password, password, strlen(password));
	if (check->known)
		memcpy(check->hash, login->hash, strlen(login->hash));
	else
		memcpy(check->hash, DUMMY_HASH, sizeof(DUMMY_HASH));
	check->intake = d->intake;
	check->dialog = d;
	check->reply_to = loop_mailbox(d->intake->env->loop);
	check->item.run = run_check;
	d->intake->pending++;
	d->check = check;
	login_end(d);
	dialog_enter(d, DIALOG_VERIFY);
	dialog_wait(d);
	mailbox_post(d->intake->env->helpers, &check->item);
}

void login_abandon(struct dialog *d, const char *reply)
{
	login_end(d);
	dialog_reset(d);
	dialog_refuse(d, reply);
}

static void malformed(struct dialog *d)
{
	login_abandon(d, "501 5.5.2 malformed authentication response");
}

static bool is_text(const char *text, size_t len, size_t max)
{
	return len > 0 && len <= max && memchr(text, 0, len) == NULL;
}

static void refuse_authzid(struct dialog *d, const char *user)
{
	login_end(d);
	fail(d, user);
}

/* RFC 4616 section 2: [authzid] NUL authcid NUL passwd. Acting for somebody else is not possible. */
static void take_plain(struct dialog *d, char *message, size_t len)
{
	char *user = memchr(message, 0, len), *password;
	size_t authzid_len, user_len;

	if (user == NULL) {
		malformed(d);
		return;
	}
	authzid_len = (size_t)(user++ - message);
	password = memchr(user, 0, len - authzid_len - 1);
	user_len = password != NULL ? (size_t)(password++ - user) : 0;
	if (user_len == 0 || user_len > USER_MAX || !is_text(password, len - authzid_len - user_len - 2, PASSWORD_MAX)) {
		malformed(d);
		return;
	}
	if (authzid_len > 0 && strcmp(message, user) != 0)
		refuse_authzid(d, user);
	else
		verify(d, user, password); /* the caller has put a NUL behind */
}

static void take_user(struct dialog *d, const char *text, size_t len)
{
	if (!is_text(text, len, USER_MAX)) {
		malformed(d);
		return;
	}
	d->login_user = xstrdup(text);
	d->login_step = LOGIN_PASSWORD;
	if (d->state != DIALOG_LOGIN)
		dialog_enter(d, DIALOG_LOGIN);
	dialog_reply(d, "334 UGFzc3dvcmQ6"); /* "Password:" */
}

static void take_decoded(struct dialog *d, char *text, size_t len)
{
	char *user;

	text[len] = '\0';
	if (d->login_step == LOGIN_PLAIN) {
		take_plain(d, text, len);
	} else if (d->login_step == LOGIN_USER) {
		take_user(d, text, len);
	} else if (!is_text(text, len, PASSWORD_MAX)) {
		malformed(d);
	} else {
		user = d->login_user;
		d->login_user = NULL;
		verify(d, user, text);
		free(user);
	}
}

static void take_response(struct dialog *d, const char *text, size_t len)
{
	char decoded[LOGIN_LINE_MAX + 1];
	size_t decoded_len;

	if (len > LOGIN_LINE_MAX || base64_decode(text, len, decoded, &decoded_len) != OK)
		malformed(d);
	else
		take_decoded(d, decoded, decoded_len);
	explicit_bzero(decoded, sizeof(decoded));
}

void login_response(struct dialog *d, const char *text, size_t len)
{
	if (len == 1 && text[0] == '*') {
		login_abandon(d, "501 5.7.0 authentication cancelled");
		return;
	}
	take_response(d, text, len);
}

/* --- the command --------------------------------------------------------------------------------------------------------- */

bool login_is_offered(const struct dialog *d)
{
	return d->listen.auth != AUTH_NONE && d->tls_text[0] != '\0';
}

bool login_could_help(const struct dialog *d)
{
	return d->listen.auth != AUTH_NONE && d->login == NULL && (login_is_offered(d) || (d->listen.tls == LISTEN_TLS_STARTTLS && d->tls != NULL));
}

bool login_check_command(struct dialog *d, const struct command *c)
{
	if (d->login != NULL)
		dialog_refuse(d, "503 5.5.1 authenticated already");
	else if (!d->esmtp)
		dialog_refuse(d, "503 5.5.1 EHLO first");
	else if (!login_could_help(d))
		dialog_refuse(d, "502 5.5.1 AUTH is not offered here");
	else if (!login_is_offered(d))
		dialog_refuse(d, "538 5.7.11 encryption is required: STARTTLS first");
	else if (strcmp(c->mechanism, "PLAIN") != 0 && strcmp(c->mechanism, "LOGIN") != 0)
		dialog_refuse(d, "504 5.5.4 unknown authentication mechanism");
	else
		return true;
	return false;
}

void login_begin(struct dialog *d, const struct command *c)
{
	bool plain = strcmp(c->mechanism, "PLAIN") == 0;

	d->login_step = plain ? LOGIN_PLAIN : LOGIN_USER;
	if (c->initial != NULL) {
		take_response(d, c->initial, c->initial_len);
		return;
	}
	dialog_enter(d, DIALOG_LOGIN);
	dialog_reply(d, plain ? "334 " : "334 VXNlcm5hbWU6"); /* "Username:" */
}
