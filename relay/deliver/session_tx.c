/* relay/deliver/session_tx.c - the transaction of one job: which recipients, what is said of them, what became of each. */
#include "relay/deliver/session_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/wire/param.h"
#include "relay/wire/utf8.h"

#define BDAT_PAYS QUEUE_CHUNK /* bytes */

bool tx_load(struct session *s)
{
	struct delivery *d = s->delivery;
	struct err_detail why;

	if (d->job || d->load_error != OK)
		return d->job != NULL;
	d->load_error = queue_job_load(s->env->reader, d->id, d->first, &d->job, &why);
	if (d->load_error == OK) {
		d->outcomes = xcalloc(d->job->rcpt_count, sizeof(d->outcomes[0]));
		return true;
	}
	if (d->load_error != ERR_NOT_FOUND)
		log_text(LOG_ERROR, "load-failed", "%s", why.text);
	return false;
}

void tx_select(struct session *s, uint32_t limit)
{
	const struct queue_job *job = s->delivery->job;
	struct tx *tx = &s->tx;
	uint32_t most = s->delivery->limit;

	if (most > 0 && (limit == 0 || most < limit))
		limit = most;
	tx_fini(s);
	tx->rcpts = xcalloc(job->rcpt_count, sizeof(tx->rcpts[0]));
	tx->marks = xcalloc(job->rcpt_count, sizeof(tx->marks[0]));
	for (size_t i = 0; i < job->rcpt_count && (limit == 0 || tx->count < limit); i++) {
		if (job->rcpts[i].state == RCPT_HELD || job->rcpts[i].apart != s->delivery->apart)
			continue;
		tx->marks[i] = TX_OPEN;
		tx->rcpts[tx->count++] = (uint32_t)i;
	}
	tx->end = tx->count + 2;
	dot_writer_init(&tx->dot);
}

static bool is_ascii(const char *text)
{
	return utf8_is_ascii(text, strlen(text));
}

/* RFC 6531 section 3.2: an address is not ASCII, or the message was handed in with SMTPUTF8 and has 8-bit bytes. What was handed in so and has none
 * needs no more than others. */
static bool needs_utf8(const struct queue_job *job)
{
	const uint32_t both = MSG_SMTPUTF8 | MSG_HIGH_BYTES;

	if ((job->message.flags & both) == both || !is_ascii(job->message.sender))
		return true;
	for (size_t i = 0; i < job->rcpt_count; i++)
		if (job->rcpts[i].state != RCPT_HELD && !is_ascii(job->rcpts[i].address))
			return true;
	return false;
}

/* BDAT saves looking at every line for dots; it pays where there is much to look at, or no lines to rely on. */
void tx_choose_form(struct session *s)
{
	const struct queue_message *message = &s->delivery->job->message;
	bool pays = (message->flags & (MSG_8BIT | MSG_BINARY)) || message->size_bytes >= BDAT_PAYS;

	s->tx.bdat = pays && (s->caps.bits & CAP_CHUNKING) && (s->conf->delivery.chunking || (message->flags & MSG_BINARY));
	s->tx.end = s->tx.count + (s->tx.bdat ? 1 : 2);
	s->tx.utf8 = needs_utf8(s->delivery->job);
}

void tx_fini(struct session *s)
{
	free(s->tx.rcpts);
	free(s->tx.marks);
	s->tx = (struct tx){0};
}

/* --- outcomes -------------------------------------------------------------------------------------------------------------- */

void tx_settle(struct session *s, size_t i, const struct outcome *outcome)
{
	uint32_t n = s->tx.rcpts[i];

	s->delivery->outcomes[n] = *outcome;
	s->tx.marks[n] = TX_OVER;
}

void tx_settle_open(struct session *s, const struct outcome *outcome)
{
	for (size_t i = 0; i < s->tx.count; i++) {
		uint8_t mark = s->tx.marks[s->tx.rcpts[i]];

		if (mark == TX_OPEN || mark == TX_ACCEPTED)
			tx_settle(s, i, outcome);
	}
}

bool tx_any_outcome(const struct session *s)
{
	const struct delivery *d = s->delivery;

	for (size_t i = 0; d->job && i < d->job->rcpt_count; i++)
		if (d->outcomes[i].kind != OUTCOME_NONE)
			return true;
	return false;
}

/* --- what the server can take ------------------------------------------------------------------------------------------------ */

/* RFC 8689 section 4.2.1; that the connection is good enough has been seen to (trust.h). */
static bool lacks_requiretls(const struct session *s, struct outcome *out)
{
	if (!session_requires_tls(s) || (s->caps.bits & CAP_REQUIRETLS))
		return false;
	outcome_make(out, OUTCOME_REFUSED, SCOPE_MESSAGE, STAGE_EHLO, "5.7.30", s->relay,
	    "the message requires TLS all the way, and the server does not offer REQUIRETLS");
	return true;
}

/* RFC 6152 section 3 leaves two ways: to convert it, which would break the signature and is not done here, or to give it back. Departure: what
 * nobody has signed goes as it is, which nearly all servers take; and so do our own reports, rather than telling nobody. */
static bool lacks_8bit(const struct session *s, struct outcome *out)
{
	const uint32_t both = MSG_SIGNED | MSG_HIGH_BYTES;

	if ((s->caps.bits & CAP_8BITMIME) || (s->delivery->job->message.flags & both) != both)
		return false;
	outcome_make(out, OUTCOME_REFUSED, SCOPE_MESSAGE, STAGE_MAIL, "5.6.3", s->relay,
	    "the message has 8-bit bytes and is signed, and the server does not offer 8BITMIME; a conversion would break the signature");
	return true;
}

/* RFC 3030 section 3: or to convert it, which is not done here. */
static bool lacks_binary(const struct session *s, struct outcome *out)
{
	if (!(s->delivery->job->message.flags & MSG_BINARY) || !(~s->caps.bits & (CAP_BINARYMIME | CAP_CHUNKING)))
		return false;
	outcome_make(out, OUTCOME_REFUSED, SCOPE_MESSAGE, STAGE_MAIL, "5.6.3", s->relay,
	    "the message is BINARYMIME, which the server does not offer");
	return true;
}

/* RFC 1870 section 6.1 */
static bool is_too_big(const struct session *s, struct outcome *out)
{
	uint64_t size = s->delivery->job->message.size_bytes;

	if (s->caps.size_max == 0 || size <= s->caps.size_max)
		return false;
	outcome_make(out, OUTCOME_REFUSED, SCOPE_MESSAGE, STAGE_MAIL, "5.3.4", s->relay,
	    "the message has %llu bytes, the server takes %llu at most", (unsigned long long)size, (unsigned long long)s->caps.size_max);
	return true;
}

/* RFC 6531 section 3.5 */
static bool lacks_utf8(const struct session *s, struct outcome *out)
{
	if ((s->caps.bits & CAP_SMTPUTF8) || !needs_utf8(s->delivery->job))
		return false;
	outcome_make(out, OUTCOME_REFUSED, SCOPE_MESSAGE, STAGE_MAIL, "5.6.7", s->relay,
	    "the message needs SMTPUTF8, which the server does not offer");
	return true;
}

bool tx_forbidden(const struct session *s, struct outcome *out)
{
	static bool (*const lacks[])(const struct session *s, struct outcome *out) = {
	    lacks_requiretls, lacks_8bit, lacks_binary, is_too_big, lacks_utf8,
	};

	for (size_t i = 0; i < ARRAY_LEN(lacks); i++)
		if (lacks[i](s, out))
			return true;
	return false;
}

/* --- commands ---------------------------------------------------------------------------------------------------------------- */

/* Addresses of one job are bounded by the limits of intake; `out` holds a window of them at most. */
static void say(struct session *s, const char *text)
{
	must(buf_add_str(&s->out, text) == OK);
}

/* RFC 3461 section 5.2.1: handed on as they came. */
static void write_mail_dsn(struct session *s, const struct queue_message *message)
{
	if (message->flags & (MSG_RET_FULL | MSG_RET_HDRS))
		say(s, message->flags & MSG_RET_FULL ? " RET=FULL" : " RET=HDRS");
	if (message->envid[0])
		must(buf_printf(&s->out, " ENVID=%s", message->envid) == OK);
}

/* RFC 6533 section 3: in ASCII alone where SMTPUTF8 is not in use; what gets longer than the parameter may be is left out. */
static void write_orcpt(struct session *s, const char *orcpt)
{
	char text[ORCPT_MAX + 1];

	if (is_ascii(orcpt) || s->tx.utf8)
		must(buf_printf(&s->out, " ORCPT=%s", orcpt) == OK);
	else if (param_orcpt_ascii(orcpt, text))
		must(buf_printf(&s->out, " ORCPT=%s", text) == OK);
}

static void write_rcpt_dsn(struct session *s, const struct queue_rcpt *rcpt)
{
	static const struct {
		unsigned bit;
		const char *name;
	} names[] = { { NOTIFY_NEVER, "NEVER" }, { NOTIFY_SUCCESS, "SUCCESS" }, { NOTIFY_FAILURE, "FAILURE" }, { NOTIFY_DELAY, "DELAY" } };
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!(rcpt->notify & names[i].bit))
			continue;
		must(buf_printf(&s->out, "%s%s", before, names[i].name) == OK);
		before = ",";
	}
	if (rcpt->orcpt[0])
		write_orcpt(s, rcpt->orcpt);
}

void tx_write_mail(struct session *s)
{
	const struct queue_message *message = &s->delivery->job->message;

	must(buf_printf(&s->out, "MAIL FROM:<%s>", message->sender) == OK);
	if (s->caps.bits & CAP_SIZE)
		must(buf_printf(&s->out, " SIZE=%llu", (unsigned long long)message->size_bytes) == OK);
	if (message->flags & MSG_BINARY)
		say(s, " BODY=BINARYMIME");
	else if ((message->flags & MSG_8BIT) && (s->caps.bits & CAP_8BITMIME))
		say(s, " BODY=8BITMIME");
	if (s->tx.utf8)
		say(s, " SMTPUTF8");
	if ((message->flags & MSG_REQUIRETLS) && s->secure && (s->caps.bits & CAP_REQUIRETLS))
		say(s, " REQUIRETLS");
	s->delivery->passes_dsn = s->caps.bits & CAP_DSN;
	if (s->delivery->passes_dsn)
		write_mail_dsn(s, message);
	say(s, "\r\n");
}

void tx_write_rcpt(struct session *s, size_t i)
{
	const struct queue_rcpt *rcpt = &s->delivery->job->rcpts[s->tx.rcpts[i]];

	must(buf_printf(&s->out, "RCPT TO:<%s>", rcpt->address) == OK);
	if (s->delivery->passes_dsn)
		write_rcpt_dsn(s, rcpt);
	say(s, "\r\n");
}
