/* relay/deliver/outcome.c - what happened to a recipient: plain data, made from a reply or a lost connection. */
#include "relay/deliver/outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "relay/wire/utf8.h"

/* One row for each stage: its name, whom a refusal there blames, and the enhanced code that is made up when the remote gave none, without
 * its class (RFC 3463). */
static const struct {
	const char *name;
	enum sched_scope scope;
	const char *subject;
} stages[STAGES] = {
	[STAGE_DNS]      = { "dns",      SCOPE_NONE,      "4.3" },
	[STAGE_CONNECT]  = { "connect",  SCOPE_HOST,      "4.1" },
	[STAGE_GREETING] = { "greeting", SCOPE_LANE,      "3.2" },
	[STAGE_EHLO]     = { "ehlo",     SCOPE_LANE,      "5.0" },
	[STAGE_STARTTLS] = { "starttls", SCOPE_HOST,      "7.0" },
	[STAGE_TLS]      = { "tls",      SCOPE_HOST,      "7.5" },
	[STAGE_MAIL]     = { "mail",     SCOPE_MESSAGE,   "1.0" },
	[STAGE_RCPT]     = { "rcpt",     SCOPE_RECIPIENT, "1.1" },
	[STAGE_DATA]     = { "data",     SCOPE_MESSAGE,   "0.0" },
	[STAGE_BODY]     = { "body",     SCOPE_MESSAGE,   "0.0" },
	[STAGE_DOT]      = { "dot",      SCOPE_MESSAGE,   "0.0" },
	[STAGE_QUIT]     = { "quit",     SCOPE_NONE,      "0.0" },
	[STAGE_POLICY]   = { "policy",   SCOPE_NONE,      "7.1" },
};

const char *stage_name(enum stage stage)
{
	return stages[stage].name;
}

static enum outcome_kind kind_of(const struct reply *reply)
{
	switch (reply_class(reply)) {
	case 2:
		return OUTCOME_DELIVERED;
	case 5:
		return OUTCOME_REFUSED;
	default: /* 4xx, and the 3xx that nobody asked for */
		return OUTCOME_DEFERRED;
	}
}

static enum sched_scope scope_of(enum stage stage, const struct reply *reply)
{
	if (reply_class(reply) == 2)
		return SCOPE_NONE;
	/* RFC 5321 section 3.8: the service closes the channel, whatever the command was. */
	if (reply->code == 421)
		return SCOPE_LANE;
	return stages[stage].scope;
}

static void set_relay(struct outcome *out, const char *relay)
{
	(void)snprintf(out->relay, sizeof(out->relay), "%s", relay);
}

void outcome_from_reply(struct outcome *out, enum stage stage, const struct reply *reply, const char *relay)
{
	static const char classes[] = { [OUTCOME_DELIVERED] = '2', [OUTCOME_DEFERRED] = '4', [OUTCOME_REFUSED] = '5' };

	*out = (struct outcome){ .kind = kind_of(reply), .scope = scope_of(stage, reply), .stage = stage, .code = reply->code };
	if (reply->enhanced[0])
		(void)snprintf(out->enhanced, sizeof(out->enhanced), "%s", reply->enhanced);
	else
		(void)snprintf(out->enhanced, sizeof(out->enhanced), "%c.%s", classes[out->kind],
		    out->kind == OUTCOME_DELIVERED ? "0.0" : reply->code == 421 ? "3.2" : stages[stage].subject);
	reply_line(reply, out->reply, sizeof(out->reply));
	set_relay(out, relay);
}

void outcome_make(struct outcome *out, enum outcome_kind kind, enum sched_scope scope, enum stage stage, const char *enhanced,
    const char *relay, const char *format, ...)
{
	va_list args;
	int len;

	*out = (struct outcome){ .kind = kind, .scope = scope, .stage = stage };
	(void)snprintf(out->enhanced, sizeof(out->enhanced), "%s", enhanced);
	va_start(args, format);
	len = vsnprintf(out->reply, sizeof(out->reply), format, args);
	va_end(args);
	if (len >= (int)sizeof(out->reply))
		out->reply[utf8_cut(out->reply, sizeof(out->reply) - 1, sizeof(out->reply) - 2)] = '\0';
	set_relay(out, relay);
}
