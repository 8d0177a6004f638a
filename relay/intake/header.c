/* relay/intake/header.c - the header section of a message: what is wrong with it, what is missing, and how it goes on. */
#include "relay/intake/header.h"

#include <string.h>

#include "base/ascii.h"
#include "relay/sign/author.h"

/* --- fields -------------------------------------------------------------------------------------------------------------- */

/* The fields that are looked at. */
enum kind {
	KIND_OTHER, KIND_DATE, KIND_FROM, KIND_SENDER, KIND_REPLY_TO, KIND_TO, KIND_CC, KIND_BCC, KIND_MESSAGE_ID, KIND_IN_REPLY_TO,
	KIND_REFERENCES, KIND_SUBJECT, KIND_RETURN_PATH, KIND_RESENT_BCC, KIND_TLS_REQUIRED, KIND_DKIM, KINDS
};

#define TWICE(name) "550 5.6.0 more than one " name " field in the header"

/* `twice`: the reply where RFC 5322 section 3.6 allows one; those that a trace or resending brings may come again. */
static const struct {
	const char *name, *twice;
} kinds[KINDS] = {
	[KIND_DATE] = { "Date", TWICE("Date") },
	[KIND_FROM] = { "From", TWICE("From") },
	[KIND_SENDER] = { "Sender", TWICE("Sender") },
	[KIND_REPLY_TO] = { "Reply-To", TWICE("Reply-To") },
	[KIND_TO] = { "To", TWICE("To") },
	[KIND_CC] = { "Cc", TWICE("Cc") },
	[KIND_BCC] = { "Bcc", TWICE("Bcc") },
	[KIND_MESSAGE_ID] = { "Message-ID", TWICE("Message-ID") },
	[KIND_IN_REPLY_TO] = { "In-Reply-To", TWICE("In-Reply-To") },
	[KIND_REFERENCES] = { "References", TWICE("References") },
	[KIND_SUBJECT] = { "Subject", TWICE("Subject") },
	[KIND_RETURN_PATH] = { "Return-Path", NULL },
	[KIND_RESENT_BCC] = { "Resent-Bcc", NULL },
	[KIND_TLS_REQUIRED] = { "TLS-Required", NULL },
	[KIND_DKIM] = { "DKIM-Signature", NULL },
};

#define SHORT_FROM 60 /* bytes of name and address that go on one line */

/* A field with its continuation lines, or a line that is none: `value` is NULL then. */
struct field {
	const char *start, *value, *end; /* end: behind its CRLF; value: behind the colon */
	enum kind kind;
};

static const char *line_end(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	return lf != NULL ? lf + 1 : end;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The name before the colon, blanks behind it allowed (RFC 5322 section 4.5); its length, 0: this line is no field. */
static size_t name_len(const char *p, const char *colon)
{
	size_t len = 0;

	while (p + len < colon && p[len] > ' ' && p[len] < 0x7f)
		len++;
	for (const char *rest = p + len; rest < colon; rest++)
		if (!is_blank(*rest))
			return 0;
	return len;
}

static enum kind kind_of(const char *name, size_t len)
{
	for (enum kind kind = KIND_OTHER + 1; kind < KINDS; kind++)
		if (ascii_equal_n(name, len, kinds[kind].name))
			return kind;
	return KIND_OTHER;
}

/* The next one at `p`, which is before `end`. */
static struct field field_at(const char *p, const char *end)
{
	const char *stop = line_end(p, end), *colon = memchr(p, ':', (size_t)(stop - p));
	struct field field = { .start = p, .kind = KIND_OTHER };
	size_t len = colon != NULL && !is_blank(*p) ? name_len(p, colon) : 0;

	if (len > 0) {
		field.value = colon + 1;
		field.kind = kind_of(p, len);
		while (stop < end && is_blank(*stop))
			stop = line_end(stop, end);
	}
	field.end = stop;
	return field;
}

/* Without the CRLF at its end. */
static size_t value_len(const struct field *field)
{
	size_t len = (size_t)(field->end - field->value);

	while (len > 0 && (field->value[len - 1] == '\r' || field->value[len - 1] == '\n'))
		len--;
	return len;
}

static bool says_no(const struct field *field)
{
	size_t len = value_len(field), from = 0;

	while (from < len && is_blank(field->value[from]))
		from++;
	while (len > from && is_blank(field->value[len - 1]))
		len--;
	return ascii_equal_n(field->value + from, len - from, "no");
}

/* --- authors ------------------------------------------------------------------------------------------------------------- */

struct ownership {
	const struct conf_tenant *tenant;
	bool all;
};

static void check_author(void *arg, const char *domain)
{
	struct ownership *ownership = arg;
	const struct conf_tenant *tenant = ownership->tenant;

	for (size_t i = 0; i < tenant->domain_count; i++)
		if (ascii_equal(tenant->domains[i], domain))
			return;
	ownership->all = false;
}

/* Every address of the field is of a domain that the tenant may use. */
static bool owns(const struct conf_tenant *tenant, const struct field *from)
{
	struct ownership ownership = { tenant, true };

	if (tenant == NULL || tenant->domain_count == 0)
		return true;
	return author_each(from->value, value_len(from), check_author, &ownership) > 0 && ownership.all;
}

static bool is_rewritten(const struct header_rules *rules, const struct field *field)
{
	return field->kind == KIND_FROM && rules->tenant != NULL && rules->tenant->others_from == OTHERS_REWRITE &&
	    !owns(rules->tenant, field);
}

static bool is_removed(const struct header_rules *rules, const struct field *field, size_t before)
{
	const struct conf_hygiene *hygiene = rules->hygiene;

	if (hygiene->return_path && field->kind == KIND_RETURN_PATH)
		return true;
	if (hygiene->bcc && (field->kind == KIND_BCC || field->kind == KIND_RESENT_BCC))
		return true;
	return hygiene->duplicates == DUPLICATES_FIRST && kinds[field->kind].twice != NULL && before > 0;
}

/* --- the verdict --------------------------------------------------------------------------------------------------------- */

static const char *judge_from(const struct header_rules *rules, const struct field *field, struct header_verdict *out)
{
	if (owns(rules->tenant, field))
		return NULL;
	switch (rules->tenant->others_from) {
	case OTHERS_ALLOW:
		break;
	case OTHERS_HOLD:
		out->hold = "the From field is of a domain that this tenant may not use";
		break;
	case OTHERS_REWRITE:
		if (value_len(field) > HEADER_VALUE_MAX)
			return "550 5.6.0 From field is too long";
		out->rewritten = out->changed = true;
		break;
	case OTHERS_REFUSE:
		return "550 5.7.1 this client may not send with that domain in the From field";
	}
	return NULL;
}

/* BINARYMIME content may have any bytes (RFC 3030 section 3), its header may not. */
static const char *judge_lines(const char *data, size_t len)
{
	const char *end = data + len;

	if (memchr(data, '\0', len) != NULL)
		return "550 5.6.0 NUL in the header";
	for (const char *cr = data, *lf; cr < end; cr = lf + 1) {
		lf = memchr(cr, '\n', (size_t)(end - cr));
		cr = memchr(cr, '\r', (size_t)((lf != NULL ? lf : end) - cr));
		if (lf == NULL)
			return cr != NULL ? "550 5.6.0 bare CR in the header; lines must end in CRLF" : NULL;
		if (cr == NULL || cr + 1 != lf)
			return cr == NULL ? "550 5.6.0 bare LF in the header; lines must end in CRLF" :
			    "550 5.6.0 bare CR in the header; lines must end in CRLF";
	}
	return NULL;
}

static const char *judge_bytes(const struct header_rules *rules, const char *data, size_t len)
{
	const char *broken = judge_lines(data, len);
	bool controls = rules->hygiene->malformed == RULE_REFUSE;
	bool eight_bit = rules->hygiene->eight_bit == RULE_REFUSE && !rules->utf8;

	if (broken != NULL || (!controls && !eight_bit))
		return broken;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		if (eight_bit && c > 0x7f)
			return "550 5.6.7 header has bytes above 127; that needs SMTPUTF8 or encoded words";
		if (controls && ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 0x7f))
			return "550 5.6.0 control character in the header";
	}
	return NULL;
}

static const char *judge_field(
    const struct header_rules *rules, const struct field *field, size_t before, struct header_verdict *out)
{
	bool removed = is_removed(rules, field, before);

	if (field->value == NULL)
		return rules->hygiene->malformed == RULE_REFUSE ? "550 5.6.0 line in the header that is no field" : NULL;
	out->changed = out->changed || removed;
	if (field->kind == KIND_TLS_REQUIRED)
		out->tls_optional = out->tls_optional || says_no(field);
	if (before > 0 && !removed && rules->hygiene->duplicates == DUPLICATES_REFUSE && kinds[field->kind].twice != NULL)
		return kinds[field->kind].twice;
	return field->kind == KIND_FROM && !removed ? judge_from(rules, field, out) : NULL;
}

void header_judge(const char *data, size_t len, const struct header_rules *rules, struct header_verdict *out)
{
	const char *end = data + len;
	size_t seen[KINDS] = { 0 };

	*out = (struct header_verdict){ .refusal = judge_bytes(rules, data, len) };
	for (const char *p = data; p < end && out->refusal == NULL;) {
		struct field field = field_at(p, end);

		out->refusal = judge_field(rules, &field, seen[field.kind], out);
		seen[field.kind]++;
		p = field.end;
	}
	out->is_signed = seen[KIND_DKIM] > 0;
	/* A line that continues a field would continue ours, if one stood above it. */
	if (len > 0 && is_blank(data[0]))
		return;
	out->needs_date = rules->hygiene->date && seen[KIND_DATE] == 0;
	out->needs_message_id = rules->hygiene->message_id && seen[KIND_MESSAGE_ID] == 0;
}

/* --- writing ------------------------------------------------------------------------------------------------------------- */

/* A name in front of the only address, as "The shop <shop@example.net>"; its length in the value, 0: none that can stay as it is. */
static size_t display_len(const char *value, size_t len)
{
	char domain[AUTHOR_DOMAIN];
	const char *angle;
	bool quoted = false;

	if (author_domain(value, len, domain) != OK)
		return 0;
	for (angle = value; angle < value + len && (quoted || *angle != '<'); angle++) {
		if (*angle == '(' || *angle == ':')
			return 0;
		if (quoted && *angle == '\\' && angle + 1 < value + len)
			angle++;
		else if (*angle == '"')
			quoted = !quoted;
	}
	if (angle == value + len)
		return 0;
	while (angle > value && (is_blank(angle[-1]) || angle[-1] == '\r' || angle[-1] == '\n'))
		angle--;
	return (size_t)(angle - value);
}

static bool has_reply_to(const char *data, const char *end)
{
	for (const char *p = data; p < end;) {
		struct field field = field_at(p, end);

		if (field.kind == KIND_REPLY_TO)
			return true;
		p = field.end;
	}
	return false;
}

/* The name stays, the address is ours: on a line of its own where it would make a long one. */
static enum err write_from(const struct header_rules *rules, const struct field *from, bool keep_reply, struct buf *out)
{
	const char *address = rules->tenant->others_address;
	size_t len = value_len(from), display = display_len(from->value, len);
	char domain[AUTHOR_DOMAIN];
	enum err err;

	if (display > 0)
		err = buf_printf(out, "From:%.*s%s <%s>\r\n", (int)display, from->value,
		    display + strlen(address) > SHORT_FROM ? "\r\n" : "", address);
	else
		err = buf_printf(out, "From: %s\r\n", address);
	if (err == OK && keep_reply && author_domain(from->value, len, domain) != ERR_NOT_FOUND)
		err = buf_printf(out, "Reply-To:%.*s\r\n", (int)len, from->value);
	return err;
}

enum err header_write(const char *data, size_t len, const struct header_rules *rules, struct buf *out)
{
	const char *end = data + len;
	size_t seen[KINDS] = { 0 };
	bool keep_reply = !has_reply_to(data, end);
	enum err err = OK;

	for (const char *p = data; p < end && err == OK;) {
		struct field field = field_at(p, end);
		bool removed = is_removed(rules, &field, seen[field.kind]++);

		if (!removed && is_rewritten(rules, &field)) {
			err = write_from(rules, &field, keep_reply, out);
			keep_reply = false;
		} else if (!removed) {
			err = buf_add(out, field.start, (size_t)(field.end - field.start));
		}
		p = field.end;
	}
	return err;
}

enum err header_add(const struct header_verdict *verdict, wall_ms when, const char *id, const char *hostname, struct buf *out)
{
	char date[CLOCK_TEXT];
	enum err err = OK;

	if (verdict->needs_date)
		err = buf_printf(out, "Date: %s\r\n", clock_rfc5322(when, date));
	if (err == OK && verdict->needs_message_id)
		err = buf_printf(out, "Message-ID: <%s@%s>\r\n", id, hostname);
	return err;
}
