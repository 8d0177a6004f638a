/* relay/intake/login.c - AUTH (RFC 4954): the exchange of PLAIN (RFC 4616), LOGIN and EXTERNAL (RFC 4422), and client certificates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/intake/admit.h"
#include "relay/intake/base64.h"
#include "relay/intake/dialog.h"
#include "relay/net/scram.h"

/* --- mechanisms ---------------------------------------------------------------------------------------------------------- */

static bool always(const struct dialog *d)
{
	return true;
}

static bool has_verifiers(const struct dialog *d)
{
	return d->conf->scram;
}

static bool has_certificate(const struct dialog *d)
{
	return d->fingerprint[0] != '\0' && conf_tenant_by_cert(d->conf, d->fingerprint, NULL) != NULL;
}

static const struct mechanism {
	const char *name;
	bool (*is_offered)(const struct dialog *d);
	enum login_step first;
	const char *challenge; /* when the command brings no initial response */
} mechanisms[] = {
	{ "PLAIN", always, LOGIN_PLAIN, "334 " },
	{ "LOGIN", always, LOGIN_USER, "334 VXNlcm5hbWU6" }, /* "Username:" */
	{ "SCRAM-SHA-256", has_verifiers, LOGIN_SCRAM_FIRST, "334 " },
	{ "EXTERNAL", has_certificate, LOGIN_EXTERNAL, "334 " },
};

static const struct mechanism *mechanism_find(const struct dialog *d, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (strcmp(mechanisms[i].name, name) == 0 && mechanisms[i].is_offered(d))
			return &mechanisms[i];
	return NULL;
}

bool login_is_offered(const struct dialog *d)
{
	return d->listen.auth != AUTH_NONE && (d->tls_text[0] != '\0' || d->inner != NULL);
}

const char *login_keyword(const struct dialog *d, char out[LOGIN_KEYWORD])
{
	size_t used;

	out[0] = '\0';
	if (!login_is_offered(d))
		return out;
	used = (size_t)snprintf(out, LOGIN_KEYWORD, "250-AUTH");
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (mechanisms[i].is_offered(d))
			used += (size_t)snprintf(out + used, LOGIN_KEYWORD - used, " %s", mechanisms[i].name);
	snprintf(out + used, LOGIN_KEYWORD - used, "\r\n");
	return out;
}

bool login_could_help(const struct dialog *d)
{
	return d->listen.auth != AUTH_NONE && (d->login == NULL || d->by_certificate) &&
	    (login_is_offered(d) || (d->listen.tls == LISTEN_TLS_STARTTLS && d->tls != NULL));
}

/* --- what comes of it ------------------------------------------------------------------------------------------------------ */

/* False: the tenant has too many connections. */
static bool take_identity(struct dialog *d, const char *user, bool by_certificate)
{
	free(d->login);
	d->login = xstrdup(user);
	d->by_certificate = by_certificate;
	return admit_enter(d);
}

const struct conf_tenant *login_tenant(const struct dialog *d)
{
	return d->by_certificate ? conf_tenant_by_cert(d->conf, d->fingerprint, NULL) : conf_tenant_by_login(d->conf, d->login, NULL);
}

void login_succeed(struct dialog *d, const char *user, bool by_certificate)
{
	login_forget(d);
	if (!take_identity(d, user, by_certificate)) {
		dialog_end(d, "421 4.7.0 " ADMIT_BUSY);
		return;
	}
	dialog_reset(d);
	dialog_reply(d, "235 2.7.0 authentication successful");
}

/* The handshake alone is login enough, as relays use it that know no AUTH EXTERNAL; another login may still follow. */
bool login_by_certificate(struct dialog *d)
{
	const struct conf_login *login;

	if (!conn_tls_fingerprint(d->conn, d->fingerprint) || d->listen.auth == AUTH_NONE ||
	    conf_tenant_by_cert(d->conf, d->fingerprint, &login) == NULL)
		return true;
	return take_identity(d, login->user, true);
}

void login_forget(struct dialog *d)
{
	d->login_step = LOGIN_NONE;
	free(d->login_user);
	d->login_user = NULL;
	login_scram_free(&d->scram);
}

void login_abandon(struct dialog *d, const char *reply)
{
	login_forget(d);
	dialog_reset(d);
	dialog_refuse(d, reply);
}

static void malformed(struct dialog *d)
{
	login_abandon(d, "501 5.5.2 malformed authentication response");
}

/* --- the exchange -------------------------------------------------------------------------------------------------------- */

static void await(struct dialog *d, enum login_step step)
{
	d->login_step = step;
	if (d->state != DIALOG_LOGIN)
		dialog_enter(d, DIALOG_LOGIN);
}

void login_challenge(struct dialog *d, enum login_step next, const char *text)
{
	char encoded[LOGIN_CHALLENGE_MAX / 3 * 4 + 5];
	size_t len = strlen(text);

	must(len <= LOGIN_CHALLENGE_MAX);
	scram_encode(text, len, encoded);
	await(d, next);
	conn_printf(d->conn, "334 %s\r\n", encoded);
}

static bool is_text(const char *text, size_t len, size_t max)
{
	return len > 0 && len <= max && memchr(text, 0, len) == NULL;
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
	if (user_len == 0 || user_len > LOGIN_USER_MAX || !is_text(password, len - authzid_len - user_len - 2, LOGIN_PASSWORD_MAX)) {
		malformed(d);
		return;
	}
	if (authzid_len > 0 && strcmp(message, user) != 0)
		login_check_decided(d, user, false);
	else
		login_check_password(d, user, password); /* the caller has put a NUL behind */
}

static void take_user(struct dialog *d, char *text, size_t len)
{
	if (!is_text(text, len, LOGIN_USER_MAX)) {
		malformed(d);
		return;
	}
	d->login_user = xstrdup(text);
	await(d, LOGIN_PASSWORD);
	dialog_reply(d, "334 UGFzc3dvcmQ6"); /* "Password:" */
}

static void take_password(struct dialog *d, char *text, size_t len)
{
	if (is_text(text, len, LOGIN_PASSWORD_MAX))
		login_check_password(d, d->login_user, text);
	else
		malformed(d);
}

/* RFC 4422 appendix A: the identity to act as, or nothing. */
static void take_external(struct dialog *d, char *text, size_t len)
{
	const struct conf_login *login;

	if (conf_tenant_by_cert(d->conf, d->fingerprint, &login) == NULL)
		login_abandon(d, "535 5.7.8 authentication failed");
	else if (len > 0 && strcmp(text, login->user) != 0)
		login_check_decided(d, login->user, false);
	else
		login_succeed(d, login->user, true);
}

static void (*const takers[LOGIN_STEPS])(struct dialog *d, char *text, size_t len) = {
	[LOGIN_PLAIN] = take_plain, [LOGIN_USER] = take_user, [LOGIN_PASSWORD] = take_password, [LOGIN_EXTERNAL] = take_external,
	[LOGIN_SCRAM_FIRST] = login_scram_first, [LOGIN_SCRAM_FINAL] = login_scram_final, [LOGIN_SCRAM_END] = login_scram_end,
};

static void take_response(struct dialog *d, const char *text, size_t len)
{
	char decoded[LOGIN_LINE_MAX + 1];
	size_t decoded_len;

	if (len > LOGIN_LINE_MAX || base64_decode(text, len, decoded, &decoded_len) != OK) {
		malformed(d);
	} else {
		decoded[decoded_len] = '\0';
		takers[d->login_step](d, decoded, decoded_len);
	}
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

bool login_check_command(struct dialog *d, const struct command *c)
{
	if (d->login != NULL && !d->by_certificate)
		dialog_refuse(d, "503 5.5.1 authenticated already");
	else if (!d->esmtp)
		dialog_refuse(d, "503 5.5.1 EHLO first");
	else if (!login_could_help(d))
		dialog_refuse(d, "502 5.5.1 AUTH is not offered here");
	else if (!login_is_offered(d))
		dialog_refuse(d, "538 5.7.11 encryption is required: STARTTLS first");
	else if (mechanism_find(d, c->mechanism) == NULL)
		dialog_refuse(d, "504 5.5.4 unknown authentication mechanism");
	else
		return true;
	return false;
}

void login_begin(struct dialog *d, const struct command *c)
{
	const struct mechanism *mechanism = mechanism_find(d, c->mechanism);

	d->login_step = mechanism->first;
	if (c->initial != NULL) {
		take_response(d, c->initial, c->initial_len);
		return;
	}
	await(d, mechanism->first);
	dialog_reply(d, mechanism->challenge);
}
