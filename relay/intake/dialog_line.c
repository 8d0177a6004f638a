/* relay/intake/dialog_line.c - the lines of an SMTP session: commands, what else a client may say, and what is no SMTP.
 *
 * Commands are rows of a table: the states that allow them, a check that may refuse, and what to do. */
#include "relay/intake/dialog.h"

#include <string.h>

#include "base/ascii.h"
#include "base/log.h"

#define AT(state)      (1U << DIALOG_##state)
#define GREETED        (AT(START) | AT(READY) | AT(MAIL) | AT(RCPT) | AT(BDAT))
#define HELLO_SAID     (AT(READY) | AT(MAIL) | AT(RCPT) | AT(BDAT))

struct rule {
	unsigned states;       /* where it is allowed */
	const char *elsewhere; /* the reply where it is not, once EHLO was said */
	dialog_check check;    /* NULL: nothing to check */
	dialog_proceed proceed;
	bool mail;             /* belongs to handing in mail: not counted by limits.commands */
};

/* clang-format off */
static const struct rule rules[VERBS] = {
[VERB_EHLO]     = { GREETED,               NULL, NULL, greet_hello, false },
[VERB_HELO]     = { GREETED,               NULL, NULL, greet_hello, false },
[VERB_MAIL]     = { AT(READY),             "503 5.5.1 a transaction is open already; RSET ends it", envelope_mail_check, envelope_mail, false },
[VERB_RCPT]     = { AT(MAIL) | AT(RCPT),   "503 5.5.1 RCPT belongs between MAIL and the content", envelope_rcpt_check, envelope_rcpt, true },
[VERB_DATA]     = { HELLO_SAID,            NULL, receive_data_check, receive_data, true },
[VERB_BDAT]     = { GREETED,               NULL, NULL, receive_bdat, true }, /* its bytes follow in any case */
[VERB_RSET]     = { GREETED,               NULL, NULL, greet_rset, false },
[VERB_NOOP]     = { GREETED,               NULL, NULL, greet_noop, false },
[VERB_VRFY]     = { GREETED,               NULL, NULL, greet_vrfy, false },
[VERB_EXPN]     = { GREETED,               NULL, NULL, greet_expn, false },
[VERB_HELP]     = { GREETED,               NULL, NULL, greet_help, false },
[VERB_QUIT]     = { GREETED,               NULL, NULL, greet_quit, true },
[VERB_STARTTLS] = { AT(READY),             "503 5.5.1 STARTTLS is not possible within a transaction", greet_starttls_check, greet_starttls, false },
[VERB_AUTH]     = { AT(READY),             "503 5.5.1 AUTH is not possible within a transaction", login_check_command, login_begin, false },
[VERB_XCLIENT]  = { AT(START) | AT(READY), "503 5.5.1 XCLIENT is not possible within a transaction", behalf_check, behalf_take, false },
};
/* clang-format on */

/* --- lines --------------------------------------------------------------------------------------------------------------- */

static bool starts_with(const char *line, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && memcmp(line, word, n) == 0;
}

/* Browsers can be made to send such to any port; what follows is the attacker's text. */
static bool is_http(const char *line, size_t len)
{
	static const char *const words[] = { "GET ", "POST ", "PUT ", "HEAD ", "OPTIONS ", "CONNECT ", "PRI " };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (starts_with(line, len, words[i]))
			return true;
	}
	return false;
}

void dialog_end_foreign(struct dialog *d, const char *protocol)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "wrong-protocol");
	log_str(&line, "client", d->client_text);
	log_str(&line, "protocol", protocol);
	log_end(&line);
	dialog_end(d, "500 5.5.1 this is an SMTP server");
}

static void answer_fault(struct dialog *d, const struct command *c, const struct command_fault *fault)
{
	conn_printf(d->conn, "%d %s %s\r\n", fault->code, fault->enhanced, fault->text);
	d->errors++;
	/* How many bytes follow is unknown: they must not be taken for commands. */
	if (c->verb == VERB_BDAT)
		dialog_end(d, "421 4.5.0 lost track of the content");
}

static void obey(struct dialog *d, const struct command *c)
{
	const struct rule *rule = &rules[c->verb];

	if (!(rule->states & (1U << d->state))) {
		dialog_refuse(d, d->state == DIALOG_START ? "503 5.5.1 EHLO or HELO first" : rule->elsewhere);
		return;
	}
	if (!rule->mail && ++d->commands > d->conf->limits.commands) {
		dialog_end(d, "421 4.7.0 too many commands without mail");
		return;
	}
	if (rule->check == NULL || rule->check(d, c))
		rule->proceed(d, c);
}

/* The one command that may be longer than limits.command_line. */
static bool is_auth(const struct conn_line *line)
{
	return line->len > 5 && ascii_equal_n(line->text, 5, "AUTH ");
}

static void take_command(struct dialog *d, const struct conn_line *line)
{
	struct command_fault fault;
	struct command c;

	if (line->too_long || (line->len + 2 > d->conf->limits.command_line && !is_auth(line)))
		dialog_refuse(d, "500 5.5.2 line too long");
	else if (line->bare)
		dialog_refuse(d, "500 5.5.2 bare CR, LF or NUL in a command; lines end in CRLF");
	else if (command_parse(line->text, line->len, &c, &fault) == OK)
		obey(d, &c);
	else if (is_http(line->text, line->len))
		dialog_end_foreign(d, "http");
	else
		answer_fault(d, &c, &fault);
}

static size_t line_max(const struct dialog *d)
{
	size_t max = d->conf->limits.command_line;

	return max < LOGIN_LINE_MAX && login_is_offered(d) ? LOGIN_LINE_MAX : max;
}

/* Is there a LF that no CR precedes? A client that ends its lines so would wait for an answer for ever. */
static bool has_lone_lf(struct dialog *d)
{
	const char *data, *lf;
	size_t len = conn_peek(d->conn, &data);

	lf = len > 0 ? memchr(data, '\n', len) : NULL;
	return lf != NULL && (lf == data || lf[-1] != '\r');
}

bool dialog_take_line(struct dialog *d)
{
	struct conn_line line;

	if (!conn_read_line(d->conn, line_max(d), true, &line)) {
		if (!line.too_long && has_lone_lf(d))
			dialog_end(d, "521 5.5.2 bare LF received; lines end in CRLF");
		return false;
	}
	if (d->state != DIALOG_LOGIN) {
		bool secret = is_auth(&line);

		take_command(d, &line);
		if (secret) /* only then: others may have let go of the input */
			conn_line_wipe(&line);
	} else if (line.too_long || line.bare) {
		login_abandon(d, "500 5.5.6 authentication exchange line is too long or malformed");
	} else {
		login_response(d, line.text, line.len);
		conn_line_wipe(&line);
	}
	if (d->errors >= d->conf->limits.errors)
		dialog_end(d, "421 4.7.0 too many errors");
	return true;
}
