/* relay/intake/greet.c - the commands around a transaction: EHLO, STARTTLS, RSET, NOOP, VRFY, EXPN, HELP, QUIT. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "relay/intake/dialog.h"
#include "relay/intake/rights.h"

static bool can_starttls(const struct dialog *d)
{
	return d->listen.tls == LISTEN_TLS_STARTTLS && d->tls != NULL && !conn_is_secure(d->conn);
}

/* RFC 9422 section 4: what is not limited is not spoken of. */
static const char *mailmax(const struct dialog *d, char out[24])
{
	out[0] = '\0';
	if (d->conf->limits.messages > 0)
		snprintf(out, 24, " MAILMAX=%" PRIu32, d->conf->limits.messages);
	return out;
}

/* RFC 5321 section 4.1.1.1; the client address is for humans. */
void greet_hello(struct dialog *d, const struct command *c)
{
	char auth[LOGIN_KEYWORD], latest[CLOCK_TEXT], most_mails[24];

	free(d->helo);
	d->helo = xstrdup(d->told_helo != NULL ? d->told_helo : c->domain);
	d->esmtp = c->verb == VERB_EHLO;
	dialog_reset(d);
	if (!d->esmtp) {
		conn_printf(d->conn, "250 %s hello %s [%s]\r\n", d->conf->hostname, d->helo, d->client_text);
		return;
	}
	clock_rfc3339((clock_wall() + d->conf->limits.future_ms) / 1000 * 1000, latest);
	conn_printf(d->conn,
	    "250-%s hello %s [%s]\r\n"
	    "250-PIPELINING\r\n"
	    "250-SIZE %" PRIu64 "\r\n"
	    "250-8BITMIME\r\n"
	    "250-SMTPUTF8\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n"
	    "250-CHUNKING\r\n"
	    "250-BINARYMIME\r\n"
	    "250-DSN\r\n"
	    "250-LIMITS RCPTMAX=%" PRIu32 "%s\r\n"
	    "250-MT-PRIORITY\r\n"
	    "250-FUTURERELEASE %" PRId64 " %.19sZ\r\n"
	    "%s%s%s%s"
	    "250 HELP\r\n",
	    d->conf->hostname, d->helo, d->client_text, rights_message_bytes(d->conf, d->tenant),
	    rights_recipients(d->conf, d->tenant), mailmax(d, most_mails), d->conf->limits.future_ms / 1000, latest, d->tls_text[0] != '\0' ? "250-REQUIRETLS\r\n" : "",
	    behalf_is_offered(d) ? "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN\r\n" : "",
	    can_starttls(d) ? "250-STARTTLS\r\n" : "", login_keyword(d, auth));
}

bool greet_starttls_check(struct dialog *d, const struct command *c)
{
	if (c->arg_len > 0)
		dialog_refuse(d, "501 5.5.4 STARTTLS takes no parameters");
	else if (conn_is_secure(d->conn))
		dialog_refuse(d, "503 5.5.1 TLS is active already");
	else if (!can_starttls(d))
		dialog_refuse(d, "502 5.5.1 STARTTLS is not offered here");
	else
		return true;
	return false;
}

/* RFC 3207 section 4.2: all that was said before is forgotten, and the client starts over. */
void greet_starttls(struct dialog *d, const struct command *c)
{
	dialog_reply(d, "220 2.0.0 ready to start TLS");
	dialog_reset(d);
	free(d->helo);
	d->helo = NULL;
	d->esmtp = false;
	dialog_enter(d, DIALOG_SECURING);
	conn_secure_server(d->conn, d->tls);
}

void greet_rset(struct dialog *d, const struct command *c)
{
	dialog_reset(d);
	dialog_reply(d, "250 2.0.0 ok");
}

void greet_noop(struct dialog *d, const struct command *c)
{
	dialog_reply(d, "250 2.0.0 ok");
}

/* RFC 5321 section 3.5.3: a relay knows no mailboxes. */
void greet_vrfy(struct dialog *d, const struct command *c)
{
	dialog_reply(d, "252 2.0.0 cannot verify, but will take mail for it and try to deliver");
}

void greet_expn(struct dialog *d, const struct command *c)
{
	dialog_refuse(d, "502 5.5.1 EXPN is not implemented");
}

void greet_help(struct dialog *d, const struct command *c)
{
	dialog_reply(d, "214-2.0.0 warmrelay, an outbound relay for its tenants");
	dialog_reply(d, "214 2.0.0 EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT");
}

void greet_quit(struct dialog *d, const struct command *c)
{
	dialog_end(d, "221 2.0.0 bye");
}
