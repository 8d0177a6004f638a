/* relay/deliver/session_trust.c - what a delivery demands of a host, whether the host may be used at all, and how TLS with it went. */
#include "relay/deliver/session_int.h"

#include <stdio.h>
#include <stdlib.h>

/* --- for reports ------------------------------------------------------------------------------------------------------------- */

void session_note_tls(struct session *s, enum tls_result result, const char *why)
{
	struct delivery *d = s->delivery;
	struct tls_note *note;

	if (!d || d->tls_note_count == TLS_NOTES_MAX)
		return;
	d->tls_notes = xrealloc(d->tls_notes, (d->tls_note_count + 1) * sizeof(d->tls_notes[0]));
	note = &d->tls_notes[d->tls_note_count++];
	*note = (struct tls_note){.result = result, .local = s->local, .remote = s->remote};
	(void)snprintf(note->host, sizeof(note->host), "%s", s->route->hosts[s->host].name);
	(void)snprintf(note->why, sizeof(note->why), "%s", why);
}

/* How a handshake went: what was found wrong with the certificate, or what else broke it. */
void session_note_handshake(struct session *s, bool done, const char *text)
{
	static const enum tls_result results[] = {
	    [TLS_FAULT_NAME] = TLS_RESULT_NAME, [TLS_FAULT_EXPIRED] = TLS_RESULT_EXPIRED, [TLS_FAULT_UNTRUSTED] = TLS_RESULT_UNTRUSTED,
	    [TLS_FAULT_OTHER] = TLS_RESULT_VALIDATION, [TLS_FAULT_NONE] = TLS_RESULT_VALIDATION,
	};

	if (done && s->fault == TLS_FAULT_NONE)
		session_note_tls(s, TLS_RESULT_GOOD, "");
	else if (!done && s->trust.auth == TLS_AUTH_DANE && s->fault != TLS_FAULT_NONE)
		session_note_tls(s, TLS_RESULT_TLSA, text);
	else
		session_note_tls(s, results[s->fault], text);
}

/* --- what is demanded ------------------------------------------------------------------------------------------------------- */

/* RFC 8689 section 5: of a report, which has no reverse-path, it is a wish: it shall not be lost because its way cannot fulfil it. */
bool session_requires_tls(const struct session *s)
{
	const struct queue_message *message = &s->delivery->job->message;

	return (message->flags & MSG_REQUIRETLS) && message->sender[0] != '\0';
}

/* RFC 8460 section 3: it is delivered whatever is wrong with TLS there, in the clear if need be: of that it tells. */
static bool is_tls_report(const struct queue_message *message)
{
	const uint32_t both = MSG_BOUNCE | MSG_TLS_OPTIONAL;

	return (message->flags & both) == both;
}

void session_decide_trust(struct session *s, const struct route_host *host)
{
	const struct queue_message *message = &s->delivery->job->message;
	enum conf_tls_level tenant = trust_tenant_level(s->conf, message->tenant);
	const struct route_host unbound = {.name = host->name};

	if (session_requires_tls(s)) {
		trust_decide(&s->trust, s->route->tls, tenant, host);
		trust_require(&s->trust, s->route, host);
	} else if (is_tls_report(message)) {
		trust_decide(&s->trust, s->route->tls == TLS_LEVEL_NONE ? TLS_LEVEL_NONE : TLS_LEVEL_OPPORTUNISTIC, TLS_LEVEL_NONE, &unbound);
	} else {
		/* RFC 8689 section 3: "TLS-Required: No" sets aside what the domain demands, not what we demand ourselves. */
		trust_decide(&s->trust, s->route->tls, tenant, message->flags & MSG_TLS_OPTIONAL ? &unbound : host);
	}
}

/* RFC 7672 section 2.1.3: a host whose records cannot be looked up is not there; RFC 8461 section 4.1: nor one that the policy does not name. */
static void refuse_host(struct session *s, const struct route_host *host, struct outcome *why)
{
	if (s->trust.unproven) {
		outcome_make(why, OUTCOME_REFUSED, SCOPE_MESSAGE, STAGE_TLS, "5.7.30", "",
		    "the message requires TLS all the way (REQUIRETLS), but neither DNSSEC nor an MTA-STS policy vouches for %s as a mail server of %s",
		    host->name, s->route->domain);
	} else if (s->trust.excluded) {
		outcome_make(why, OUTCOME_DEFERRED, SCOPE_NONE, STAGE_TLS, "4.7.5", "", "MTA-STS: %s is not among the mail servers that the policy of %s names",
		    host->name, s->route->domain);
		session_note_tls(s, TLS_RESULT_VALIDATION, "the policy does not name this MX host");
	} else {
		outcome_make(why, OUTCOME_DEFERRED, SCOPE_NONE, STAGE_TLS, "4.7.5", "", "DANE: it cannot be told how %s is to be authenticated: %s",
		    host->name, host->dane.why);
		session_note_tls(s, TLS_RESULT_DNSSEC, host->dane.why);
	}
}

bool session_may_use(struct session *s, const struct route_host *host)
{
	struct outcome why;

	session_decide_trust(s, host);
	if (!s->trust.unreachable && !s->trust.excluded && !s->trust.unproven)
		return true;
	s->remote = (struct ip_addr){0};
	refuse_host(s, host, &why);
	transcript_note(&s->transcript, loop_now(s->env->loop), "%s", why.reply);
	session_note_failure(s, &why);
	return false;
}
