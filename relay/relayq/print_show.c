/* relay/relayq/print_show.c - show as paragraphs: the message, its header fields, its recipients, what was said in the last attempt. */
#include <stdlib.h>
#include <string.h>

#include "relay/relayq/encoded.h"
#include "relay/relayq/field.h"
#include "relay/relayq/print.h"
#include "relay/relayq/text.h"

#define LABEL "  %-12s "

/* Takes `text`. */
static void put(struct print *print, const char *label, char *text)
{
	char *clean = text_clean(text);

	(void)fprintf(print->out, LABEL "%s\n", label, clean);
	free(clean);
	free(text);
}

static void put_moment(struct print *print, const char *label, wall_ms when)
{
	char date[TEXT_SHORT], relative[TEXT_SHORT];

	put(print, label, xasprintf("%s (%s)", text_date(when, date), text_relative(when, print->now, relative)));
}

static void put_envelope(struct print *print, const json_t *row)
{
	const char *sender = field_text(row, "sender"), *login = field_text(row, "login");
	uint64_t bytes = field_number(row, "size");
	char size[TEXT_SHORT];

	put(print, "sender", xstrdup(sender[0] ? sender : "<> (the null sender)"));
	put(print, "tenant", xasprintf("%s%s%s%s", field_text(row, "tenant"), login[0] ? ", login " : "", login,
	    field_bool(row, "bounce") ? ", a delivery report of ours" : ""));
	if (field_text(row, "client")[0])
		put(print, "client", xasprintf("%s, %s", field_text(row, "client"), field_bool(row, "tls") ? "TLS" : "no TLS"));
	put_moment(print, "arrived", field_time(row, "arrived"));
	put_moment(print, "expires", field_time(row, "deadline"));
	put(print, "size", xasprintf("%s%s%s%s", text_size(bytes, size), bytes < 1024 ? " bytes" : "", field_bool(row, "eight_bit") ? ", 8-bit" : "",
	    field_bool(row, "smtputf8") ? ", SMTPUTF8" : ""));
	put(print, "pool", xstrdup(field_text(row, "pool")));
	put(print, "priority", xstrdup(field_text(row, "priority")));
	if (field_bool(row, "in_doubt"))
		put(print, "in doubt", xstrdup("a crash fell into an attempt: it may have been delivered already"));
}

/* What the sender wants to hear, and how the mail is to travel (RFC 3461, 8689). */
static void put_wishes(struct print *print, const json_t *row)
{
	const char *envid = field_text(row, "envid"), *ret = field_text(row, "ret");

	if (envid[0] || ret[0])
		put(print, "report", xasprintf("%s%s%s%s", ret[0] ? "RET=" : "", ret, envid[0] ? " ENVID=" : "", envid));
	if (field_bool(row, "requiretls"))
		put(print, "requires", xstrdup("verified TLS on every hop (REQUIRETLS)"));
}

static void put_headers(struct print *print, json_t *headers)
{
	const char *key;
	json_t *value;

	if (json_object_size(headers) > 0)
		(void)fputc('\n', print->out);
	json_object_foreach(headers, key, value)
		put(print, key, encoded_read(json_string_value(value)));
}

static void put_attempts(struct print *print, const json_t *rcpt)
{
	const char *source = field_text(rcpt, "source"), *relay = field_text(rcpt, "relay");
	uint64_t attempts = field_number(rcpt, "attempts");
	char counted[TEXT_SHORT + 24], relative[TEXT_SHORT];

	if (field_time(rcpt, "since") > 0)
		put(print, "under way", xasprintf("since %s", text_relative(field_time(rcpt, "since"), print->now, relative)));
	if (attempts == 0)
		return;
	put(print, "tried", xasprintf("%s, the last %s%s%s%s%s", text_counted(attempts, "time", counted),
	    text_relative(field_time(rcpt, "last_attempt"), print->now, relative), source[0] ? " from " : "", source,
	    relay[0] ? " to " : "", relay));
}

static void put_hosts(struct print *print, const json_t *hosts)
{
	const json_t *host;
	size_t i;

	json_array_foreach(hosts, i, host) {
		char since[TEXT_SHORT], until[TEXT_SHORT];
		bool waits = field_time(host, "until") > print->now && !field_bool(host, "probing");

		put(print, "host down", xasprintf("%s[%s] since %s, %s%s", field_text(host, "name"), field_text(host, "address"),
		    text_relative(field_time(host, "since"), print->now, since), waits ? "tried again " : "the next attempt finds out",
		    waits ? text_relative(field_time(host, "until"), print->now, until) : ""));
	}
}

static void put_rcpt(struct print *print, const json_t *rcpt)
{
	const char *reason = field_text(rcpt, "reason"), *reply = field_text(rcpt, "reply"), *class_name = field_text(rcpt, "class");
	char *head = xasprintf("%s  %s", field_text(rcpt, "id"), field_text(rcpt, "rcpt")), *clean = text_clean(head);

	(void)fprintf(print->out, "\n%s\n", clean);
	free(clean);
	free(head);
	put(print, "state", xasprintf("%s, to %s", field_text(rcpt, "state"), field_text(rcpt, "destination")));
	if (field_time(rcpt, "died") > 0)
		put_moment(print, "died", field_time(rcpt, "died"));
	if (field_text(rcpt, "dsn")[0])
		put(print, "told", xasprintf("the sender, by the report %s", field_text(rcpt, "dsn")));
	if (field_text(rcpt, "replayed")[0])
		put(print, "replayed", xasprintf("as %s", field_text(rcpt, "replayed")));
	if (field_time(rcpt, "next") > 0)
		put_moment(print, "next", field_time(rcpt, "next"));
	put_attempts(print, rcpt);
	if (field_text(rcpt, "notify")[0] || field_text(rcpt, "orcpt")[0])
		put(print, "report", xasprintf("%s%s%s%s", field_text(rcpt, "notify")[0] ? "NOTIFY=" : "", field_text(rcpt, "notify"),
		    field_text(rcpt, "orcpt")[0] ? " ORCPT=" : "", field_text(rcpt, "orcpt")));
	if (field_bool(rcpt, "warned"))
		put(print, "warned", xstrdup("the sender has been told that it is late"));
	if (reply[0])
		put(print, "reply", xasprintf("%s%s%s%s", reply, class_name[0] ? " (" : "", class_name, class_name[0] ? ")" : ""));
	if (reason[0] && strcmp(reason, reply) != 0 && field_time(rcpt, "since") == 0)
		put(print, "reason", xstrdup(reason));
	put_hosts(print, json_object_get(rcpt, "hosts_down"));
}

/* Of its job. */
static bool is_last(const json_t *traces, const json_t *trace)
{
	const json_t *other;
	size_t i;

	json_array_foreach(traces, i, other)
		if (field_number(other, "job") == field_number(trace, "job") && field_number(other, "attempt") > field_number(trace, "attempt"))
			return false;
	return true;
}

static void put_lines(struct print *print, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		char *line = xasprintf("%.*s", (int)len, text), *clean = text_clean(line);

		(void)fprintf(print->out, "  %s\n", clean);
		free(clean);
		free(line);
		text += len + (text[len] == '\n');
	}
}

/* The last attempt of each job; --json has those before too. */
static void put_transcripts(struct print *print, const json_t *traces, const char *id)
{
	const json_t *trace;
	size_t i;

	json_array_foreach(traces, i, trace) {
		if (!is_last(traces, trace))
			continue;
		(void)fprintf(print->out, "\nattempt %llu of %s.%llu: seconds, > said, < heard\n",
		    (unsigned long long)field_number(trace, "attempt"), id, (unsigned long long)field_number(trace, "job"));
		put_lines(print, field_text(trace, "text"));
	}
}

static void show_row(struct print *print, const json_t *row)
{
	json_t *rcpts = json_object_get(row, "recipients"), *rcpt;
	uint64_t accepted = field_number(row, "accepted_recipients"), dead = field_number(row, "dead_recipients");
	size_t i;

	(void)fprintf(print->out, "%s  %llu of %llu recipient%s %s\n\n", field_text(row, "id"),
	    (unsigned long long)(dead > 0 ? dead : field_number(row, "queued_recipients")), (unsigned long long)accepted,
	    accepted == 1 ? "" : "s", dead > 0 ? "among the dead letters" : "in the queue");
	put_envelope(print, row);
	put_wishes(print, row);
	put_headers(print, json_object_get(row, "headers"));
	json_array_foreach(rcpts, i, rcpt)
		put_rcpt(print, rcpt);
	put_transcripts(print, json_object_get(row, "transcripts"), field_text(row, "id"));
}

const struct printer print_show = { .row = show_row };
