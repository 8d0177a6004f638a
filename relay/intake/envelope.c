/* relay/intake/envelope.c - MAIL and RCPT: who may send, as whom, to how many. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "relay/intake/dialog.h"
#include "relay/intake/rights.h"
#include "relay/intake/sessions.h"
#include "relay/intake/suppressed.h"

static const char *sender_of(const struct dialog *d)
{
	return d->tx->strings.data + d->tx->sender;
}

static bool refuse_mail(struct dialog *d, const struct command *c, const char *reply)
{
	dialog_log_refusal(d, c->path.text, NULL, reply);
	dialog_refuse(d, reply);
	return false;
}

/* RFC 4954 section 6; without a tenant, but where a login could not help, the recipients are refused. */
static bool may_send(struct dialog *d, const struct command *c)
{
	if (d->tenant == NULL && (d->listen.auth == AUTH_REQUIRED || login_could_help(d)))
		return refuse_mail(d, c, "530 5.7.0 authentication required");
	if (rights_of_sender(d->tenant, &c->path) == OTHERS_REFUSE)
		return refuse_mail(d, c, "553 5.7.1 this client may not send as that domain");
	return true;
}

/* When the message may be delivered; 0: at once. */
static wall_ms release_of(const struct command *c)
{
	return c->hold_for > 0 ? clock_wall() + SECONDS(c->hold_for) : c->hold_until;
}

bool envelope_mail_check(struct dialog *d, const struct command *c)
{
	struct err_detail why;

	dialog_refresh(d); /* the session may have been idle since the last transaction */
	if (d->conf->limits.messages > 0 && d->mails >= d->conf->limits.messages) {
		dialog_end(d, "421 4.7.0 too many messages in one session, go on in another");
		return false;
	}
	if (!may_send(d, c))
		return false;
	if (c->path.at == 0 && c->path.text[0] != '\0')
		return refuse_mail(d, c, "553 5.1.7 the sender needs a domain");
	/* RFC 8689 section 4.1: the message has to come over TLS itself. */
	if (c->requiretls && d->tls_text[0] == '\0')
		return refuse_mail(d, c, "555 5.5.4 REQUIRETLS is not offered without TLS");
	/* RFC 4865 section 4 */
	if (release_of(c) > clock_wall() + d->conf->limits.future_ms)
		return refuse_mail(d, c, "501 5.5.4 the time of release is too far off");
	if (c->has_size && c->size > rights_message_bytes(d->conf, d->tenant))
		return refuse_mail(d, c, "552 5.3.4 message is larger than the limit");
	if (queue_has_room(d->intake->env->queue, c->size, &why) == OK)
		return true;
	dialog_log_refusal(d, c->path.text, NULL, why.text);
	dialog_reply(d, dialog_trouble_reply(ERR_FULL));
	return false;
}

/* The sender that goes on. */
static void use_sender(const struct conf_tenant *tenant, struct address *sender)
{
	if (rights_of_sender(tenant, sender) == OTHERS_REWRITE)
		must(address_parse(tenant->others_address, false, sender, NULL) == OK);
}

void envelope_mail(struct dialog *d, const struct command *c)
{
	struct command own = *c;

	use_sender(d->tenant, &own.path);
	d->mails++;
	d->tx = transaction_create(d, &own);
	d->tx->release = release_of(c);
	d->tx->priority = rights_priority(d->tenant, c->priority);
	if (rights_of_sender(d->tenant, &c->path) == OTHERS_HOLD)
		d->tx->hold = "the sender is of a domain that this tenant may not use";
	dialog_enter(d, DIALOG_MAIL);
	/* RFC 6710: mail that may not be raised is taken all the same, and the client is told. */
	dialog_reply(d, d->tx->priority == c->priority ? "250 2.1.0 ok" : "250 2.3.6 0 is the priority, this tenant may not raise it");
}

static bool refuse_rcpt(struct dialog *d, const struct command *c, const char *reply)
{
	atomic_fetch_add_explicit(&d->intake->env->figures.refused_rcpts, 1, memory_order_relaxed);
	dialog_log_refusal(d, sender_of(d), c->path.text, reply);
	dialog_refuse(d, reply);
	return false;
}

/* A list with many dead addresses is no error of the client's: it may go on with the others. */
static bool is_refused_as_suppressed(struct dialog *d, const struct command *c)
{
	char reply[SUPPRESSED_REPLY];

	switch (suppressed_answer(d, &c->path, reply)) {
	case ANSWER_UNSET:
		return false;
	case ANSWER_DROP:
		d->tx->dropping = true;
		return false;
	case ANSWER_REFUSE:
		break;
	}
	atomic_fetch_add_explicit(&d->intake->env->figures.refused_rcpts, 1, memory_order_relaxed);
	dialog_log_refusal(d, sender_of(d), c->path.text, reply);
	dialog_reply(d, reply);
	return true;
}

bool envelope_rcpt_check(struct dialog *d, const struct command *c)
{
	if (d->tx->tenant == NULL)
		return refuse_rcpt(d, c, "550 5.7.1 relaying denied");
	/* RFC 5321 section 4.5.1 asks for postmaster of those who deliver; nothing is delivered here. */
	if (c->path.at == 0)
		return refuse_rcpt(d, c, "550 5.1.3 there are no mailboxes here; the recipient needs a domain");
	/* RFC 6531 section 3.4 */
	if (c->path.utf8 && !(d->tx->flags & MSG_SMTPUTF8))
		return refuse_rcpt(d, c, "553 5.6.7 this address needs SMTPUTF8 in MAIL");
	return !is_refused_as_suppressed(d, c);
}

/* It shall try again, so it is no error of the client's. */
static void tell_quota(struct dialog *d, const struct command *c, wall_ms opens)
{
	char when[CLOCK_TEXT], reply[128];

	snprintf(reply, sizeof(reply), "450 4.7.1 the quota of this tenant is used up; it opens again at %s", clock_rfc3339(opens, when));
	atomic_fetch_add_explicit(&d->intake->env->figures.refused_rcpts, 1, memory_order_relaxed);
	dialog_log_refusal(d, sender_of(d), c->path.text, reply);
	dialog_reply(d, reply);
}

void envelope_rcpt(struct dialog *d, const struct command *c)
{
	wall_ms opens;
	enum err err = transaction_add(d->tx, c, &opens);

	if (err == ERR_BUSY) {
		tell_quota(d, c, opens);
		return;
	}
	/* RFC 5321 section 4.5.3.1.10: the client sends the others in another transaction; no error of its. */
	if (err != OK) {
		dialog_reply(d, "452 4.5.3 too many recipients");
		return;
	}
	if (d->state == DIALOG_MAIL)
		dialog_enter(d, DIALOG_RCPT);
	dialog_reply(d, "250 2.1.5 ok");
}
