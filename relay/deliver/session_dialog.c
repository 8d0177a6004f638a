/* relay/deliver/session_dialog.c - the SMTP client's state machine (RFC 5321 section 3): one row for each state.
 *
 * Pure: replies come in, commands are appended to s->out, outcomes are set. session.c owns the connection, session_body.c the message.
 * PIPELINING (RFC 2920) adds no states: the commands of a transaction are numbered, one cursor counts those sent, another those answered,
 * and the window between them is 1 when the server does not offer it. 421 and lost connections are handled once, not in each state. */
#include "relay/deliver/session_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW 100 /* commands on the way at once; bounds `out` */

typedef enum session_state (*reply_fn)(struct session *s, const struct reply *r);

static enum session_state on_rset(struct session *s, const struct reply *r);
static enum session_state on_mail(struct session *s, const struct reply *r);
static enum session_state on_rcpt(struct session *s, const struct reply *r);
static enum session_state on_data(struct session *s, const struct reply *r);
static enum session_state on_body(struct session *s, const struct reply *r);
static enum session_state on_dot(struct session *s, const struct reply *r);
static enum session_state on_unasked(struct session *s, const struct reply *r);
static void send_rset(struct session *s);
static void send_window(struct session *s);
static void send_bdat(struct session *s);
static void send_quit(struct session *s);

struct step {
	const char *name;             /* for failed tests and logs */
	enum stage stage;             /* what an outcome names */
	void (*send)(struct session *s); /* on entry; NULL: nothing is said */
	reply_fn on_reply;            /* NULL: no reply can come */
	size_t timeout;               /* offset in struct conf_timeouts (RFC 5321 section 4.5.3.2), or NO_TIMEOUT */
	unsigned next;                /* the states it may go to, but for CLOSED, which all may */
};

#define TO(state)   (1u << SESSION_##state)
#define AFTER(name) offsetof(struct conf_timeouts, name##_ms)
#define NO_TIMEOUT  SIZE_MAX
#define TX_STATES   (TO(MAIL) | TO(RCPT) | TO(DATA) | TO(IDLE))

/* clang-format off */
static const struct step steps[SESSION_STATES] = {
[SESSION_CONNECT]  = { "connect",  STAGE_CONNECT,  NULL,                NULL,              AFTER(connect),  TO(GREETING) | TO(RETRY) },
[SESSION_GREETING] = { "greeting", STAGE_GREETING, NULL,                hello_on_greeting, AFTER(greeting), TO(EHLO) | TO(RETRY) },
[SESSION_EHLO]     = { "ehlo",     STAGE_EHLO,     hello_send_ehlo,     hello_on_ehlo,     AFTER(helo),     TO(HELO) | TO(STARTTLS) | TO(IDLE) | TO(RETRY) },
[SESSION_HELO]     = { "helo",     STAGE_EHLO,     hello_send_helo,     hello_on_helo,     AFTER(helo),     TO(IDLE) | TO(RETRY) },
[SESSION_STARTTLS] = { "starttls", STAGE_STARTTLS, hello_send_starttls, hello_on_starttls, AFTER(helo),     TO(TLS) | TO(IDLE) | TO(RETRY) },
[SESSION_TLS]      = { "tls",      STAGE_TLS,      NULL,                NULL,              AFTER(helo),     TO(EHLO) | TO(RETRY) },
[SESSION_RSET]     = { "rset",     STAGE_MAIL,     send_rset,           on_rset,           AFTER(quit),     TO(MAIL) },
[SESSION_MAIL]     = { "mail",     STAGE_MAIL,     send_window,         on_mail,           AFTER(mail),     TX_STATES },
[SESSION_RCPT]     = { "rcpt",     STAGE_RCPT,     send_window,         on_rcpt,           AFTER(rcpt),     TX_STATES | TO(BODY) },
[SESSION_DATA]     = { "data",     STAGE_DATA,     send_window,         on_data,           AFTER(data),     TO(BODY) | TO(DOT) | TO(IDLE) },
[SESSION_BODY]     = { "body",     STAGE_BODY,     send_bdat,           on_body,           AFTER(block),    TO(DOT) },
[SESSION_DOT]      = { "dot",      STAGE_DOT,      NULL,                on_dot,            AFTER(dot),      TO(IDLE) },
[SESSION_IDLE]     = { "idle",     STAGE_QUIT,     NULL,                on_unasked,        NO_TIMEOUT,      TO(RSET) | TO(MAIL) | TO(QUIT) | TO(RETRY) },
[SESSION_QUIT]     = { "quit",     STAGE_QUIT,     send_quit,           on_unasked,        AFTER(quit),     0 },
[SESSION_RETRY]    = { "retry",    STAGE_CONNECT,  NULL,                NULL,              NO_TIMEOUT,      TO(CONNECT) },
[SESSION_CLOSED]   = { "closed",   STAGE_QUIT,     NULL,                NULL,              NO_TIMEOUT,      0 },
};
/* clang-format on */

enum stage session_stage(const struct session *s)
{
	return steps[s->state].stage;
}

int64_t session_timeout_ms(const struct session *s)
{
	size_t offset = steps[s->state].timeout;

	if (offset == NO_TIMEOUT)
		return 0;
	return *(const int64_t *)(const void *)((const char *)&s->conf->delivery.timeouts + offset);
}

void session_enter(struct session *s, enum session_state next)
{
	must((steps[s->state].next | TO(CLOSED)) & (1u << next));
	s->state = next;
	if (steps[next].send)
		steps[next].send(s);
}

/* --- failures -------------------------------------------------------------------------------------------------------------- */

/* Has the other end been asked to take anybody's mail? */
static bool in_transaction(const struct session *s)
{
	return s->state >= SESSION_MAIL && s->state <= SESSION_DOT;
}

void session_note_failure(struct session *s, const struct outcome *failure)
{
	s->all_refused = (!s->has_failure || s->all_refused) && failure->kind == OUTCOME_REFUSED;
	if (!s->has_failure || failure->stage >= s->failure.stage || failure->scope == SCOPE_SOURCE)
		s->failure = *failure;
	s->has_failure = true;
}

void session_note_host(struct session *s, enum host_news news, const char *why)
{
	struct delivery *d = s->delivery;

	if (!d)
		return;
	d->notes = xrealloc(d->notes, (d->note_count + 1) * sizeof(d->notes[0]));
	d->notes[d->note_count] = (struct host_note){.addr = s->remote, .news = news};
	(void)snprintf(d->notes[d->note_count].why, HOST_WHY, "%s", why);
	d->note_count++;
}

/* Whom the loss of a connection blames: in the middle of a message it may well be the message. */
static enum sched_scope scope_of_loss(const struct session *s, enum conn_end end)
{
	bool sending = s->state == SESSION_BODY || s->state == SESSION_DOT;

	return sending && end != CONN_DEADLINE ? SCOPE_MESSAGE : SCOPE_HOST;
}

static void describe_loss(const struct session *s, enum conn_end end, const char *text, struct outcome *out)
{
	const char *stage = stage_name(session_stage(s));
	enum sched_scope scope = scope_of_loss(s, end);

	switch (end) {
	case CONN_DEADLINE:
		outcome_make(out, OUTCOME_DEFERRED, scope, session_stage(s), s->state == SESSION_CONNECT ? "4.4.1" : "4.4.2", s->relay,
		    "timeout (stage %s)", stage);
		break;
	case CONN_REFUSED:
		outcome_make(out, OUTCOME_DEFERRED, scope, STAGE_CONNECT, "4.4.1", s->relay, "cannot connect: %s", text);
		break;
	case CONN_NO_ADDRESS:
		outcome_make(out, OUTCOME_DEFERRED, SCOPE_SOURCE, STAGE_CONNECT, "4.3.5", s->relay,
		    "the address of source %s is not on this host: %s", s->source, text);
		break;
	case CONN_PROXY_FAILED:
		outcome_make(out, OUTCOME_DEFERRED, SCOPE_SOURCE, STAGE_CONNECT, "4.3.5", s->relay, "the proxy of source %s cannot be used: %s",
		    s->source, text);
		break;
	case CONN_TLS_FAILED:
		outcome_make(out, OUTCOME_DEFERRED, scope, STAGE_TLS, "4.7.5", s->relay, "TLS handshake failed%s%s%s: %s",
		    s->trust.required ? " (" : "", s->trust.required ? s->trust.demand : "", s->trust.required ? ")" : "", text);
		break;
	case CONN_NO_MEANS: /* nobody is blamed: session_on_lost */
	case CONN_CLOSED:
	case CONN_LOST:
		outcome_make(out, OUTCOME_DEFERRED, scope, session_stage(s), "4.4.2", s->relay, "connection lost: %s (stage %s)", text, stage);
		break;
	}
}

/* The connection is of no use any more, `why` for whoever has no outcome yet. */
static void give_up(struct session *s, struct outcome *why)
{
	if (s->state < SESSION_RSET) {
		session_note_failure(s, why);
		session_enter(s, SESSION_RETRY);
		return;
	}
	/* Nobody's mail was at stake before the first reply on a connection that was used again: it had died while idle. */
	if (in_transaction(s) && !(s->state == SESSION_MAIL && s->transactions > 1)) {
		why->in_doubt = s->state == SESSION_DOT && s->tx.accepted > 0 && why->code == 0;
		tx_settle_open(s, why);
	}
	session_enter(s, SESSION_CLOSED);
}

void session_on_lost(struct session *s, enum conn_end end, const char *text)
{
	struct outcome why;

	s->polite = false;
	if (end == CONN_NO_MEANS) { /* the delivery is given back as if it had not begun */
		session_enter(s, SESSION_CLOSED);
		return;
	}
	describe_loss(s, end, text, &why);
	if ((s->state == SESSION_CONNECT || s->state == SESSION_GREETING) && why.scope != SCOPE_SOURCE)
		session_note_host(s, HOST_DOWN, why.reply);
	if (s->state == SESSION_TLS)
		session_note_handshake(s, false, text);
	/* A server that cannot do TLS after all is spoken to in the clear, unless that is forbidden. RFC 7435 */
	if (s->state == SESSION_TLS && !s->trust.required) {
		session_note_failure(s, &why);
		session_note_host(s, HOST_NO_TLS, "");
		s->plain_only = s->same_again = true;
		session_enter(s, SESSION_RETRY);
		return;
	}
	give_up(s, &why);
}

void session_on_garbage(struct session *s, const char *text)
{
	struct outcome why;

	outcome_make(&why, OUTCOME_DEFERRED, SCOPE_HOST, session_stage(s), "4.5.0", s->relay, "protocol error: %s (stage %s)", text,
	    stage_name(session_stage(s)));
	s->polite = false;
	give_up(s, &why);
}

/* A reply of a class that the command cannot have. */
static enum session_state strange(struct session *s, const struct reply *r)
{
	struct outcome why;
	char line[256];

	outcome_make(&why, OUTCOME_DEFERRED, SCOPE_HOST, session_stage(s), "4.5.0", s->relay, "protocol error: unexpected reply: %s (stage %s)",
	    reply_line(r, line, sizeof(line)), stage_name(session_stage(s)));
	why.in_doubt = s->state == SESSION_DOT && s->tx.accepted > 0;
	s->polite = false;
	tx_settle_open(s, &why);
	return SESSION_CLOSED;
}

/* RFC 5321 section 3.8: the server closes the channel. */
static void on_closing(struct session *s, const struct reply *r)
{
	struct outcome why;

	outcome_from_reply(&why, session_stage(s), r, s->relay);
	s->polite = false;
	give_up(s, &why);
}

void session_on_reply(struct session *s, const struct reply *r)
{
	must(steps[s->state].on_reply);
	if (r->code == 421)
		on_closing(s, r);
	else
		session_enter(s, steps[s->state].on_reply(s, r));
}

/* --- the transaction ---------------------------------------------------------------------------------------------------------- */

static void say(struct session *s, const char *text)
{
	must(buf_add_str(&s->out, text) == OK);
}

/* RFC 3030 section 2: all of the content in one chunk; body_pump sees to it that it is as long as was said. */
static void send_bdat(struct session *s)
{
	if (s->tx.bdat)
		must(buf_printf(&s->out, "BDAT %llu LAST\r\n", (unsigned long long)s->delivery->job->message.size_bytes) == OK);
}

static void send_quit(struct session *s)
{
	say(s, "QUIT\r\n");
}

/* This mail demands more than the connection has, which was opened for others: it gets one of its own. */
static void start_over(struct session *s)
{
	s->host = s->addr = 0;
	s->tried = 0;
	s->has_failure = s->all_refused = false;
	s->failure = (struct outcome){0};
	session_enter(s, SESSION_RETRY);
}

/* Other hosts may have what this one lacks (RFC 8689 section 4.2.1 says so of REQUIRETLS). On a connection that others opened all are tried. */
static void try_elsewhere(struct session *s, const struct outcome *why)
{
	if (s->transactions > 0) {
		start_over(s);
		return;
	}
	session_note_failure(s, why);
	session_enter(s, SESSION_RETRY);
}

static bool has_others(const struct route *route)
{
	return route->host_count > 1 || route->left_out;
}

void session_begin(struct session *s)
{
	struct outcome outcome;
	bool forbidden;

	if (!tx_load(s)) {
		s->begun = true;
		return;
	}
	session_decide_trust(s, &s->route->hosts[s->host]);
	if (!trust_is_met(&s->trust, s->secure, s->verified)) {
		start_over(s);
		return;
	}
	forbidden = tx_forbidden(s, &outcome);
	if (forbidden && has_others(s->route)) {
		try_elsewhere(s, &outcome);
		return;
	}
	s->begun = true;
	tx_select(s, forbidden ? 0 : s->caps.limit_rcpt);
	if (forbidden)
		tx_settle_open(s, &outcome);
	if (forbidden || s->tx.count == 0)
		return;
	tx_choose_form(s);
	s->transactions++;
	session_enter(s, s->needs_rset ? SESSION_RSET : SESSION_MAIL);
}

static void send_rset(struct session *s)
{
	say(s, "RSET\r\n");
}

static enum session_state on_rset(struct session *s, const struct reply *r)
{
	s->needs_rset = false;
	return reply_class(r) == 2 ? SESSION_MAIL : SESSION_CLOSED;
}

static bool is_data(const struct tx *tx, size_t command)
{
	return command == tx->count + 1;
}

/* DATA goes out while somebody was accepted or may yet be. */
static bool data_is_due(const struct tx *tx)
{
	return tx->accepted > 0 || tx->answered < tx->count + 1;
}

static void send_command(struct session *s, size_t command)
{
	if (command == 0)
		tx_write_mail(s);
	else if (is_data(&s->tx, command))
		say(s, "DATA\r\n");
	else
		tx_write_rcpt(s, command - 1);
}

/* Fill the window; it is filled up again when half of it is answered, so that commands leave in groups. */
static void send_window(struct session *s)
{
	size_t window = s->caps.bits & CAP_PIPELINING ? WINDOW : 1;
	struct tx *tx = &s->tx;

	if (tx->sent - tx->answered > window / 2)
		return;
	while (tx->sent < tx->end && tx->sent - tx->answered < window)
		send_command(s, tx->sent++);
}

/* One more command is answered: whose reply is next? */
static enum session_state next_command(struct session *s)
{
	struct tx *tx = &s->tx;

	tx->answered++;
	if (tx->answered == tx->sent && is_data(tx, tx->sent) && !data_is_due(tx))
		tx->end = tx->sent;
	if (tx->bdat && tx->accepted > 0 && tx->answered == tx->count + 1)
		return SESSION_BODY;
	if (tx->answered == tx->end) { /* the server still waits for recipients or DATA */
		s->needs_rset = true;
		return SESSION_IDLE;
	}
	return is_data(tx, tx->answered) ? SESSION_DATA : SESSION_RCPT;
}

/* Say no more than was said; what was still gets its replies. */
static void stop_sending(struct tx *tx)
{
	tx->end = tx->sent;
}

static enum session_state on_mail(struct session *s, const struct reply *r)
{
	struct outcome outcome;

	if (reply_class(r) == 3)
		return strange(s, r);
	if (reply_class(r) != 2) {
		outcome_from_reply(&outcome, STAGE_MAIL, r, s->relay);
		tx_settle_open(s, &outcome);
		stop_sending(&s->tx);
	}
	return next_command(s);
}

/* "Too many recipients" (RFC 5321 section 4.5.3.1.10; 552 is its code in RFC 821) behind some that were accepted: the rest goes in another transaction
 * at once. Where it meant a full mailbox after all, it says so again to the first one there. */
static bool is_too_many(const struct session *s, const struct reply *r)
{
	if (s->tx.accepted == 0)
		return false;
	if (r->enhanced[0])
		return strcmp(r->enhanced + 1, ".5.3") == 0;
	return r->code == 452 || r->code == 552;
}

static enum session_state on_rcpt(struct session *s, const struct reply *r)
{
	size_t i = s->tx.answered - 1;
	uint8_t *mark = &s->tx.marks[s->tx.rcpts[i]];
	struct outcome outcome;

	if (reply_class(r) == 3)
		return strange(s, r);
	if (*mark != TX_OPEN) /* MAIL was refused */
		return next_command(s);
	if (reply_class(r) == 2) {
		*mark = TX_ACCEPTED;
		s->tx.accepted++;
	} else if (is_too_many(s, r)) {
		*mark = TX_LATER;
	} else {
		outcome_from_reply(&outcome, STAGE_RCPT, r, s->relay);
		tx_settle(s, i, &outcome);
	}
	return next_command(s);
}

static enum session_state on_data(struct session *s, const struct reply *r)
{
	struct outcome outcome;

	if (r->code == 354 && s->tx.accepted > 0)
		return SESSION_BODY;
	if (r->code == 354) {
		/* RFC 2920 section 3.1: nobody was accepted, and yet it wants a message: an empty one. */
		say(s, ".\r\n");
		return SESSION_DOT;
	}
	if (reply_class(r) < 4)
		return strange(s, r);
	outcome_from_reply(&outcome, STAGE_DATA, r, s->relay);
	tx_settle_open(s, &outcome);
	s->needs_rset = true;
	return SESSION_IDLE;
}

/* A verdict before the end of the message. What is left of it must not be taken for commands, and no dot may end it: closed. */
static enum session_state on_body(struct session *s, const struct reply *r)
{
	struct outcome outcome;

	if (reply_class(r) < 4)
		return strange(s, r);
	outcome_from_reply(&outcome, STAGE_BODY, r, s->relay);
	tx_settle_open(s, &outcome);
	s->polite = false;
	return SESSION_CLOSED;
}

static enum session_state on_dot(struct session *s, const struct reply *r)
{
	struct outcome outcome;

	if (reply_class(r) == 3)
		return strange(s, r);
	outcome_from_reply(&outcome, STAGE_DOT, r, s->relay);
	tx_settle_open(s, &outcome);
	/* RFC 3030 section 2: a refused BDAT leaves the server where only RSET helps. */
	s->needs_rset = s->tx.bdat && reply_class(r) != 2;
	return SESSION_IDLE;
}

/* In IDLE: talk that nobody asked for; whose reply it will be taken for nobody knows. In QUIT: the good-bye. */
static enum session_state on_unasked(struct session *s, const struct reply *r)
{
	s->polite = false;
	return SESSION_CLOSED;
}
