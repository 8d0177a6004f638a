/* relay/deliver/session_hello.c - the SMTP client and the server get to know each other: greeting, EHLO or HELO, STARTTLS. No I/O. */
#include "relay/deliver/session_int.h"

#include <stdio.h>
#include <string.h>

static void say(struct session *s, const char *text)
{
	must(buf_add_str(&s->out, text) == OK);
}

static enum session_state refuse_address(struct session *s, const struct reply *r)
{
	struct outcome failure;

	outcome_from_reply(&failure, session_stage(s), r, s->relay);
	session_note_failure(s, &failure);
	return SESSION_RETRY;
}

void hello_send_ehlo(struct session *s)
{
	must(buf_printf(&s->out, "EHLO %s\r\n", s->ehlo) == OK);
}

void hello_send_helo(struct session *s)
{
	must(buf_printf(&s->out, "HELO %s\r\n", s->ehlo) == OK);
}

void hello_send_starttls(struct session *s)
{
	say(s, "STARTTLS\r\n");
}

/* RFC 5321 section 3.1: anything but 220 means to try elsewhere. */
enum session_state hello_on_greeting(struct session *s, const struct reply *r)
{
	s->polite = true;
	session_note_host(s, HOST_UP, "");
	return reply_class(r) == 2 ? SESSION_EHLO : refuse_address(s, r);
}

static enum session_state after_hello(struct session *s)
{
	struct outcome failure;

	if (s->secure || !s->trust.tls)
		return SESSION_IDLE;
	if (!(s->caps.bits & CAP_STARTTLS))
		session_note_tls(s, TLS_RESULT_NO_STARTTLS, "");
	if ((s->caps.bits & CAP_STARTTLS) && (!s->plain_only || s->trust.required))
		return SESSION_STARTTLS;
	if (!s->trust.required)
		return SESSION_IDLE;
	if (session_requires_tls(s))
		outcome_make(&failure, OUTCOME_REFUSED, SCOPE_MESSAGE, STAGE_STARTTLS, "5.7.30", s->relay,
		    "the message requires TLS all the way, and the server does not offer TLS");
	else
		outcome_make(&failure, OUTCOME_DEFERRED, SCOPE_HOST, STAGE_STARTTLS, "4.7.4", s->relay,
		    "TLS is required (%s), but the server does not offer STARTTLS", s->trust.demand);
	session_note_failure(s, &failure);
	return SESSION_RETRY;
}

enum session_state hello_on_ehlo(struct session *s, const struct reply *r)
{
	if (reply_class(r) == 5)
		return SESSION_HELO;
	if (reply_class(r) != 2)
		return refuse_address(s, r);
	capabilities_parse(buf_str(&r->text), &s->caps);
	return after_hello(s);
}

enum session_state hello_on_helo(struct session *s, const struct reply *r)
{
	if (reply_class(r) != 2)
		return refuse_address(s, r);
	s->caps = (struct capabilities){0};
	return after_hello(s);
}

/* Whatever its code: that TLS is not to be had here now is no verdict on the mail. */
static enum session_state refuse_starttls(struct session *s, const struct reply *r)
{
	struct outcome failure;
	char line[256];

	outcome_from_reply(&failure, STAGE_STARTTLS, r, s->relay);
	failure.kind = OUTCOME_DEFERRED;
	failure.enhanced[0] = '4';
	reply_line(r, line, sizeof(line));
	(void)snprintf(failure.reply, sizeof(failure.reply), "TLS is required (%s), but the server refuses STARTTLS: %s", s->trust.demand,
	    line);
	session_note_failure(s, &failure);
	return SESSION_RETRY;
}

enum session_state hello_on_starttls(struct session *s, const struct reply *r)
{
	char line[128];

	if (reply_class(r) == 2)
		return SESSION_TLS;
	session_note_tls(s, TLS_RESULT_NO_STARTTLS, reply_line(r, line, sizeof(line)));
	return s->trust.required ? refuse_starttls(s, r) : SESSION_IDLE;
}

/* RFC 3207 section 4.2: what was said in the clear is forgotten. */
void session_on_secured(struct session *s)
{
	struct outcome failure;

	s->secure = true;
	s->caps = (struct capabilities){0};
	session_note_host(s, HOST_TLS, "");
	if (trust_is_met(&s->trust, s->secure, s->verified)) {
		session_note_handshake(s, true, "");
		session_enter(s, SESSION_EHLO);
		return;
	}
	/* The handshake saw to that, unless it found none of the records to be of use. */
	outcome_make(&failure, OUTCOME_DEFERRED, SCOPE_HOST, STAGE_TLS, "4.7.5", s->relay, "TLS: the server is not authenticated (%s)",
	    s->trust.demand);
	session_note_failure(s, &failure);
	session_enter(s, SESSION_RETRY);
}
