/* relay/wire/command.c - parse the SMTP commands that a server receives (RFC 5321 section 4.1). */
#include "relay/wire/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "relay/wire/utf8.h"

/* A stretch of the line. */
struct span {
	const char *text;
	size_t len;
};

typedef enum err parse_arg(struct span arg, struct command *out, struct command_fault *fault);
static parse_arg parse_helo, parse_mail, parse_rcpt, parse_bdat, parse_auth;

enum arg_rule { ARG_NONE, ARG_OPTIONAL, ARG_REQUIRED };

static const struct verb_row {
	const char *name;
	enum arg_rule rule;
	parse_arg *parse; /* NULL: the argument is only handed on */
} verbs[VERBS] = {
	[VERB_UNKNOWN]  = { "unknown",  ARG_OPTIONAL, NULL },
	[VERB_EHLO]     = { "EHLO",     ARG_REQUIRED, parse_helo },
	[VERB_HELO]     = { "HELO",     ARG_REQUIRED, parse_helo },
	[VERB_MAIL]     = { "MAIL",     ARG_REQUIRED, parse_mail },
	[VERB_RCPT]     = { "RCPT",     ARG_REQUIRED, parse_rcpt },
	[VERB_DATA]     = { "DATA",     ARG_NONE,     NULL },
	[VERB_BDAT]     = { "BDAT",     ARG_REQUIRED, parse_bdat },
	[VERB_RSET]     = { "RSET",     ARG_NONE,     NULL },
	[VERB_NOOP]     = { "NOOP",     ARG_OPTIONAL, NULL },
	[VERB_VRFY]     = { "VRFY",     ARG_REQUIRED, NULL },
	[VERB_EXPN]     = { "EXPN",     ARG_REQUIRED, NULL },
	[VERB_HELP]     = { "HELP",     ARG_OPTIONAL, NULL },
	[VERB_QUIT]     = { "QUIT",     ARG_NONE,     NULL },
	[VERB_STARTTLS] = { "STARTTLS", ARG_NONE,     NULL },
	[VERB_AUTH]     = { "AUTH",     ARG_REQUIRED, parse_auth },
	[VERB_XCLIENT]  = { "XCLIENT",  ARG_REQUIRED, NULL },
};

typedef enum err parse_value(struct span value, struct command *out, struct command_fault *fault);
static parse_value value_size, value_body, value_smtputf8, value_auth, value_requiretls, value_ret, value_envid, value_hold_for,
    value_hold_until, value_priority, value_notify, value_orcpt;

/* ESMTP parameters. `seen` is a bit of its own for each, so that none is given twice (RFC 1869 section 6.1). */
static const struct param_row {
	enum verb verb;
	const char *name;
	unsigned seen;
	bool has_value;
	parse_value *parse;
} params[] = {
	{ VERB_MAIL, "SIZE",     1 << 0, true,  value_size },
	{ VERB_MAIL, "BODY",     1 << 1, true,  value_body },
	{ VERB_MAIL, "SMTPUTF8", 1 << 2, false, value_smtputf8 },
	{ VERB_MAIL, "AUTH",     1 << 3, true,  value_auth },
	{ VERB_MAIL, "REQUIRETLS", 1 << 4, false, value_requiretls },
	{ VERB_MAIL, "RET",      1 << 5, true,  value_ret },
	{ VERB_MAIL, "ENVID",    1 << 6, true,  value_envid },
	/* RFC 4865 section 4: one of the two */
	{ VERB_MAIL, "HOLDFOR",  1 << 7, true,  value_hold_for },
	{ VERB_MAIL, "HOLDUNTIL", 1 << 7, true, value_hold_until },
	{ VERB_MAIL, "MT-PRIORITY", 1 << 8, true, value_priority },
	{ VERB_RCPT, "NOTIFY",   1 << 0, true,  value_notify },
	{ VERB_RCPT, "ORCPT",    1 << 1, true,  value_orcpt },
};

static enum err fault_set(struct command_fault *fault, int code, const char *enhanced, const char *format, ...) PRINTF_LIKE(4, 5);

static enum err fault_set(struct command_fault *fault, int code, const char *enhanced, const char *format, ...)
{
	va_list args;

	fault->code = code;
	fault->enhanced = enhanced;
	va_start(args, format);
	vsnprintf(fault->text, sizeof(fault->text), format, args);
	va_end(args);
	return ERR_INVALID;
}

const char *verb_name(enum verb verb)
{
	return verbs[verb].name;
}

static struct span span_trim(struct span span)
{
	while (span.len > 0 && (span.text[0] == ' ' || span.text[0] == '\t')) {
		span.text++;
		span.len--;
	}
	while (span.len > 0 && (span.text[span.len - 1] == ' ' || span.text[span.len - 1] == '\t'))
		span.len--;
	return span;
}

/* Take the first word off `rest`; "" at the end. */
static struct span span_word(struct span *rest)
{
	const char *blank = memchr(rest->text, ' ', rest->len);
	struct span word = { rest->text, blank != NULL ? (size_t)(blank - rest->text) : rest->len };

	*rest = span_trim((struct span){ word.text + word.len, rest->len - word.len });
	return word;
}

/* One to twenty digits. A number that does not fit is UINT64_MAX: larger than any limit, and refused as such. */
static bool parse_number(struct span span, uint64_t *out)
{
	uint64_t value = 0;

	if (span.len == 0 || span.len > 20)
		return false;
	for (size_t i = 0; i < span.len; i++) {
		unsigned digit = (unsigned)(span.text[i] - '0');

		if (!ascii_is_digit(span.text[i]))
			return false;
		if (value > (UINT64_MAX - digit) / 10)
			value = UINT64_MAX;
		else
			value = value * 10 + digit;
	}
	*out = value;
	return true;
}

/* Any name without blanks is taken, for clients say what they are called at home (RFC 5321 section 4.1.4: not a reason to refuse). */
static enum err parse_helo(struct span arg, struct command *out, struct command_fault *fault)
{
	const char *name = verb_name(out->verb);

	if (arg.len > DOMAIN_MAX)
		return fault_set(fault, 501, "5.5.4", "%s name is longer than %d bytes", name, DOMAIN_MAX);
	if (memchr(arg.text, ' ', arg.len) != NULL || !utf8_is_valid(arg.text, arg.len))
		return fault_set(fault, 501, "5.5.4", "%s takes one host name or address literal", name);
	memcpy(out->domain, arg.text, arg.len);
	out->domain[arg.len] = '\0';
	return OK;
}

static enum err value_size(struct span value, struct command *out, struct command_fault *fault)
{
	if (!parse_number(value, &out->size))
		return fault_set(fault, 501, "5.5.4", "SIZE takes 1 to 20 digits");
	out->has_size = true;
	return OK;
}

static enum err value_body(struct span value, struct command *out, struct command_fault *fault)
{
	static const char *const names[] = { [BODY_7BIT] = "7BIT", [BODY_8BITMIME] = "8BITMIME", [BODY_BINARYMIME] = "BINARYMIME" };

	for (size_t i = BODY_7BIT; i < ARRAY_LEN(names); i++) {
		if (ascii_equal_n(value.text, value.len, names[i])) {
			out->body = (enum mail_body)i;
			return OK;
		}
	}
	return fault_set(fault, 501, "5.5.4", "BODY takes 7BIT, 8BITMIME or BINARYMIME");
}

static enum err value_smtputf8(struct span value, struct command *out, struct command_fault *fault)
{
	out->smtputf8 = true;
	return OK;
}

static enum err value_auth(struct span value, struct command *out, struct command_fault *fault)
{
	out->has_auth = true;
	return OK;
}

static enum err value_requiretls(struct span value, struct command *out, struct command_fault *fault)
{
	out->requiretls = true;
	return OK;
}

static enum err value_ret(struct span value, struct command *out, struct command_fault *fault)
{
	if (!param_ret(value.text, value.len, &out->ret))
		return fault_set(fault, 501, "5.5.4", "RET takes FULL or HDRS");
	return OK;
}

static enum err value_envid(struct span value, struct command *out, struct command_fault *fault)
{
	if (!param_envid(value.text, value.len, out->envid))
		return fault_set(fault, 501, "5.5.4", "ENVID takes xtext of at most %d bytes", ENVID_MAX);
	return OK;
}

static enum err value_hold_for(struct span value, struct command *out, struct command_fault *fault)
{
	if (!param_hold_for(value.text, value.len, &out->hold_for))
		return fault_set(fault, 501, "5.5.4", "HOLDFOR takes 1 to 999999999 seconds");
	return OK;
}

static enum err value_hold_until(struct span value, struct command *out, struct command_fault *fault)
{
	if (!param_hold_until(value.text, value.len, &out->hold_until))
		return fault_set(fault, 501, "5.5.4", "HOLDUNTIL takes a time such as 2026-11-24T21:00:00Z");
	return OK;
}

static enum err value_priority(struct span value, struct command *out, struct command_fault *fault)
{
	if (!param_priority(value.text, value.len, &out->priority))
		return fault_set(fault, 501, "5.5.4", "MT-PRIORITY takes -9 to 9");
	return OK;
}

static enum err value_notify(struct span value, struct command *out, struct command_fault *fault)
{
	if (!param_notify(value.text, value.len, &out->notify))
		return fault_set(fault, 501, "5.5.4", "NOTIFY takes NEVER, or SUCCESS, FAILURE and DELAY");
	return OK;
}

static enum err value_orcpt(struct span value, struct command *out, struct command_fault *fault)
{
	if (!param_orcpt(value.text, value.len, out->orcpt))
		return fault_set(fault, 501, "5.5.4", "ORCPT takes type;xtext of at most %d bytes", ORCPT_MAX);
	return OK;
}

/* esmtp-keyword of RFC 5321 section 4.1.2 */
static bool is_keyword(struct span name)
{
	for (size_t i = 0; i < name.len; i++) {
		char c = name.text[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && (c != '-' || i == 0))
			return false;
	}
	return name.len > 0;
}

static enum err parse_param(struct span word, unsigned *seen, struct command *out, struct command_fault *fault)
{
	const char *equals = memchr(word.text, '=', word.len);
	struct span name = { word.text, equals != NULL ? (size_t)(equals - word.text) : word.len };
	struct span value = { name.text + name.len + 1, equals != NULL ? word.len - name.len - 1 : 0 };
	int shown = (int)(name.len < 40 ? name.len : 40);

	if (!is_keyword(name))
		return fault_set(fault, 501, "5.5.4", "malformed %s parameter", verb_name(out->verb));
	for (size_t i = 0; i < ARRAY_LEN(params); i++) {
		const struct param_row *row = &params[i];

		if (row->verb != out->verb || !ascii_equal_n(name.text, name.len, row->name))
			continue;
		if (row->has_value != (value.len > 0) || (equals != NULL && !row->has_value))
			return fault_set(fault, 501, "5.5.4", "%s takes %s value", row->name, row->has_value ? "a" : "no");
		if (*seen & row->seen)
			return fault_set(fault, 501, "5.5.4", "%s is given twice", row->name);
		*seen |= row->seen;
		return row->parse(value, out, fault);
	}
	return fault_set(fault, 555, "5.5.4", "%s parameter %.*s is not recognized", verb_name(out->verb), shown, name.text);
}

/* `keyword` and its path, then parameters. Blanks behind the colon are no SMTP, but common enough. */
static enum err parse_path(struct span arg, const char *keyword, const char *enhanced, struct command *out,
    struct command_fault *fault)
{
	size_t keyword_len = strlen(keyword), used;
	struct err_detail why;
	unsigned seen = 0;
	struct span rest;

	if (arg.len < keyword_len || !ascii_equal_n(arg.text, keyword_len, keyword))
		return fault_set(fault, 501, "5.5.4", "say %s %s<address>", verb_name(out->verb), keyword);
	rest = span_trim((struct span){ arg.text + keyword_len, arg.len - keyword_len });
	if (rest.len == 0)
		return fault_set(fault, 501, "5.5.4", "say %s %s<address>", verb_name(out->verb), keyword);
	if (address_parse_path(rest.text, rest.len, true, &out->path, &used, &why) != OK)
		return fault_set(fault, 501, enhanced, "%.150s", why.text);
	rest.text += used;
	rest.len -= used;
	if (rest.len > 0 && rest.text[0] != ' ')
		return fault_set(fault, 501, "5.5.4", "garbage after the path");
	rest = span_trim(rest);
	while (rest.len > 0)
		if (parse_param(span_word(&rest), &seen, out, fault) != OK)
			return ERR_INVALID;
	return OK;
}

static enum err parse_mail(struct span arg, struct command *out, struct command_fault *fault)
{
	if (parse_path(arg, "FROM:", "5.1.7", out, fault) != OK)
		return ERR_INVALID;
	if (out->path.text[0] != '\0' && out->path.at == 0)
		return fault_set(fault, 501, "5.1.7", "sender address has no domain");
	if (out->path.utf8 && !out->smtputf8)
		return fault_set(fault, 550, "5.6.7", "non-ASCII sender address needs SMTPUTF8");
	return OK;
}

static enum err parse_rcpt(struct span arg, struct command *out, struct command_fault *fault)
{
	if (parse_path(arg, "TO:", "5.1.3", out, fault) != OK)
		return ERR_INVALID;
	if (out->path.text[0] == '\0')
		return fault_set(fault, 501, "5.1.3", "the null path is no recipient");
	return OK;
}

/* RFC 3030 section 2 */
static enum err parse_bdat(struct span arg, struct command *out, struct command_fault *fault)
{
	struct span size = span_word(&arg);

	if (!parse_number(size, &out->chunk_size) || out->chunk_size == UINT64_MAX)
		return fault_set(fault, 501, "5.5.4", "say BDAT size [LAST]");
	out->chunk_last = ascii_equal_n(arg.text, arg.len, "LAST");
	if (arg.len > 0 && !out->chunk_last)
		return fault_set(fault, 501, "5.5.4", "say BDAT size [LAST]");
	return OK;
}

/* sasl-mech of RFC 4422 section 3.1, then an initial response in base64 or "=" (RFC 4954 section 4). */
static enum err parse_auth(struct span arg, struct command *out, struct command_fault *fault)
{
	struct span name = span_word(&arg);

	if (name.len >= sizeof(out->mechanism))
		return fault_set(fault, 501, "5.5.4", "malformed AUTH mechanism");
	for (size_t i = 0; i < name.len; i++) {
		char c = name.text[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_')
			return fault_set(fault, 501, "5.5.4", "malformed AUTH mechanism");
		out->mechanism[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
	if (memchr(arg.text, ' ', arg.len) != NULL)
		return fault_set(fault, 501, "5.5.4", "AUTH takes a mechanism and at most one initial response");
	if (arg.len == 0)
		return OK;
	out->initial = arg.text;
	out->initial_len = arg.len == 1 && arg.text[0] == '=' ? 0 : arg.len;
	return OK;
}

static enum verb find_verb(struct span name)
{
	for (int verb = VERB_UNKNOWN + 1; verb < VERBS; verb++)
		if (ascii_equal_n(name.text, name.len, verbs[verb].name))
			return (enum verb)verb;
	return VERB_UNKNOWN;
}

/* A control character in a command is never meant well: it could end the line for a less careful reader. Tabs are blanks. */
static bool has_control(struct span line)
{
	for (size_t i = 0; i < line.len; i++)
		if (((uint8_t)line.text[i] < ' ' && line.text[i] != '\t') || line.text[i] == 0x7f)
			return true;
	return false;
}

enum err command_parse(const char *line, size_t len, struct command *out, struct command_fault *fault)
{
	struct span arg = { line, len }, name;
	const struct verb_row *row;

	memset(out, 0, sizeof(*out));
	name = span_word(&arg);
	out->verb = find_verb(name);
	out->arg = arg.text;
	out->arg_len = arg.len;
	row = &verbs[out->verb];
	if (has_control((struct span){ line, len }))
		return fault_set(fault, 500, "5.5.2", "control character in command line");
	if (out->verb == VERB_UNKNOWN)
		return fault_set(fault, 500, "5.5.2", "command not recognized");
	if (row->rule == ARG_NONE && arg.len > 0)
		return fault_set(fault, 501, "5.5.4", "%s takes no argument", row->name);
	if (row->rule == ARG_REQUIRED && arg.len == 0)
		return fault_set(fault, 501, "5.5.4", "%s needs an argument", row->name);
	return row->parse != NULL ? row->parse(arg, out, fault) : OK;
}
