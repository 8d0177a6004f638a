/* relay/wire/compose.c - a message in the form of RFC 5322 and MIME out of its parts. */
#include "relay/wire/compose.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "relay/wire/mime.h"
#include "relay/wire/utf8.h"

#define BOUNDARY_TEXT 40

/* --- checks -------------------------------------------------------------------------------------------------------------- */

/* What a field may say: UTF-8 without controls; a tab is none. */
static bool is_line(const char *text)
{
	for (const char *at = text; *at != '\0'; at++) {
		if (((unsigned char)*at < ' ' && *at != '\t') || *at == 127)
			return false;
	}
	return utf8_is_valid(text, strlen(text));
}

/* Text of a body: tabs and line ends are its only controls. */
static bool is_body(const char *text, size_t len)
{
	return memchr(text, '\0', len) == NULL && utf8_is_valid(text, len);
}

enum field_kind {
	FIELD_TEXT,      /* unstructured: anything, in encoded words where needed */
	FIELD_ASCII,     /* structured: ASCII, as it is */
	FIELD_MAILBOXES, /* addresses, joined by commas */
	FIELD_OURS,      /* made here, or by the servers on the way */
};

static const struct {
	const char *name;
	enum field_kind kind;
} known_fields[] = {
	{ "Bcc", FIELD_OURS },
	{ "Cc", FIELD_OURS },
	{ "DKIM-Signature", FIELD_OURS },
	{ "Date", FIELD_ASCII },
	{ "Delivered-To", FIELD_OURS },
	{ "From", FIELD_OURS },
	{ "In-Reply-To", FIELD_ASCII },
	{ "MIME-Version", FIELD_OURS },
	{ "Message-ID", FIELD_ASCII },
	{ "Received", FIELD_OURS },
	{ "References", FIELD_ASCII },
	{ "Reply-To", FIELD_MAILBOXES },
	{ "Return-Path", FIELD_OURS },
	{ "Sender", FIELD_MAILBOXES },
	{ "Subject", FIELD_OURS },
	{ "To", FIELD_OURS },
};

static bool has_prefix(const char *text, const char *prefix)
{
	return strlen(text) >= strlen(prefix) && ascii_equal_n(text, strlen(prefix), prefix);
}

static enum field_kind kind_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(known_fields); i++) {
		if (ascii_equal(known_fields[i].name, name))
			return known_fields[i].kind;
	}
	if (has_prefix(name, "Content-") || has_prefix(name, "Resent-") || has_prefix(name, "ARC-"))
		return FIELD_OURS;
	return has_prefix(name, "List-") ? FIELD_ASCII : FIELD_TEXT;
}

/* RFC 5322 section 2.2: printable ASCII but the colon. */
static bool is_field_name(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		if (name[i] <= ' ' || name[i] > '~' || name[i] == ':')
			return false;
	}
	return len > 0 && len <= 76;
}

/* Addresses of a list: read the next one, up to a comma outside of quotes. */
static enum err next_mailbox(const char **at, struct compose_mailbox *out, struct err_detail *why)
{
	char one[COMPOSE_NAME_MAX + ADDRESS_MAX + 8];
	const char *end = *at;
	bool quoted = false;
	size_t len;

	for (; *end != '\0' && (quoted || *end != ','); end++) {
		if (*end == '"')
			quoted = !quoted;
		else if (*end == '\\' && end[1] != '\0')
			end++;
	}
	len = (size_t)(end - *at);
	if (len >= sizeof(one))
		return err_set(why, ERR_INVALID, "a mailbox of %zu bytes is too long", len);
	memcpy(one, *at, len);
	one[len] = '\0';
	*at = *end == ',' ? end + 1 : end;
	return compose_mailbox_parse(one, out, why);
}

static enum err check_mailboxes(const char *value, struct err_detail *why)
{
	struct compose_mailbox box;
	enum err err = OK;

	do
		err = next_mailbox(&value, &box, why);
	while (err == OK && *value != '\0');
	return err;
}

enum err compose_field_check(const struct compose_field *field, struct err_detail *why)
{
	enum field_kind kind;

	if (!is_field_name(field->name))
		return err_set(why, ERR_INVALID, "not the name of a header field: \"%.80s\"", field->name);
	if (!is_line(field->value))
		return err_set(why, ERR_INVALID, "the value of %s holds controls or is not UTF-8", field->name);
	kind = kind_of(field->name);
	if (kind == FIELD_OURS)
		return err_set(why, ERR_INVALID, "%s cannot be given among the headers", field->name);
	if (kind == FIELD_ASCII && !utf8_is_ascii(field->value, strlen(field->value)))
		return err_set(why, ERR_INVALID, "%s must be ASCII", field->name);
	if (kind == FIELD_ASCII && strlen(field->value) > 900) {
		for (const char *at = field->value; strlen(at) > 900; at++) {
			at = strchr(at, ' ');
			if (at == NULL)
				return err_set(why, ERR_INVALID, "%s is too long for a line", field->name);
		}
	}
	return kind == FIELD_MAILBOXES ? check_mailboxes(field->value, why) : OK;
}

enum err compose_attachment_check(const struct compose_attachment *attachment, struct err_detail *why)
{
	const char *type = attachment->type, *slash;

	if (attachment->name != NULL && (!is_line(attachment->name) || strlen(attachment->name) > COMPOSE_NAME_MAX))
		return err_set(why, ERR_INVALID, "the name of an attachment is too long, holds controls or is not UTF-8");
	if (type == NULL)
		return OK;
	slash = strchr(type, '/');
	if (slash == NULL || !mime_is_token(type, (size_t)(slash - type)) || !mime_is_token(slash + 1, strlen(slash + 1)) || strlen(type) > 200)
		return err_set(why, ERR_INVALID, "not a content type: \"%.80s\"", type);
	if (has_prefix(type, "multipart/") || has_prefix(type, "message/"))
		return err_set(why, ERR_INVALID, "an attachment cannot be of type %s", type);
	return OK;
}

/* --- mailboxes ----------------------------------------------------------------------------------------------------------- */

/* The name before "<", without blanks around it and without its quotes. False: too long, or no end of the quotes. */
static bool take_name(const char *text, size_t len, char out[COMPOSE_NAME_MAX + 1])
{
	size_t used = 0;
	bool quoted;

	while (len > 0 && strchr(" \t", text[len - 1]) != NULL)
		len--;
	quoted = len >= 2 && text[0] == '"' && text[len - 1] == '"';
	if (quoted) {
		text++;
		len -= 2;
	}
	for (size_t i = 0; i < len; i++) {
		if (quoted && text[i] == '\\' && i + 1 < len)
			i++;
		if (used == COMPOSE_NAME_MAX)
			return false;
		out[used++] = text[i];
	}
	out[used] = '\0';
	return quoted || memchr(text, '<', len) == NULL;
}

enum err compose_mailbox_parse(const char *text, struct compose_mailbox *out, struct err_detail *why)
{
	const char *open;
	char bare[ADDRESS_MAX + 1];
	size_t len;

	memset(out, 0, sizeof(*out));
	if (!is_line(text))
		return err_set(why, ERR_INVALID, "a mailbox holds controls or is not UTF-8");
	text += strspn(text, " \t");
	len = strlen(text);
	while (len > 0 && strchr(" \t", text[len - 1]) != NULL)
		len--;
	open = len > 0 && text[len - 1] == '>' ? memrchr(text, '<', len) : NULL;
	if (open != NULL) {
		if (!take_name(text, (size_t)(open - text), out->name))
			return err_set(why, ERR_INVALID, "the name of a mailbox is too long or holds \"<\" without quotes");
		len -= (size_t)(open - text) + 2;
		text = open + 1;
	}
	if (len == 0 || len > ADDRESS_MAX)
		return err_set(why, ERR_INVALID, "%s", len == 0 ? "an address is empty" : "an address is too long");
	memcpy(bare, text, len);
	bare[len] = '\0';
	if (address_parse(bare, true, &out->address, why) != OK)
		return ERR_INVALID;
	if (out->address.at == 0)
		return err_set(why, ERR_INVALID, "the address %.80s needs a domain", bare);
	return OK;
}

static void put_mailbox(struct mime_field *field, const struct compose_mailbox *box)
{
	char address[ADDRESS_MAX + 3];

	mime_field_phrase(field, box->name);
	(void)snprintf(address, sizeof(address), box->name[0] != '\0' ? "<%s>" : "%s", box->address.text);
	mime_field_word(field, address);
}

static enum err put_mailboxes(const char *name, const struct compose_mailboxes *boxes, struct buf *out)
{
	struct mime_field field;

	if (boxes->count == 0)
		return OK;
	mime_field_begin(&field, out, name);
	for (size_t i = 0; i < boxes->count; i++) {
		put_mailbox(&field, &boxes->at[i]);
		if (i + 1 < boxes->count)
			mime_field_more(&field, ",");
	}
	return mime_field_end(&field);
}

/* --- the header ---------------------------------------------------------------------------------------------------------- */

static enum err put_text_field(const char *name, const char *value, struct buf *out)
{
	struct mime_field field;

	mime_field_begin(&field, out, name);
	mime_field_text(&field, value);
	return mime_field_end(&field);
}

/* Words as they are: dates, message ids, lists. */
static enum err put_ascii_field(const char *name, const char *value, struct buf *out)
{
	struct mime_field field;

	mime_field_begin(&field, out, name);
	for (const char *end; *value != '\0'; value = end + strspn(end, " \t")) {
		char word[1000];

		end = value + strcspn(value, " \t");
		(void)snprintf(word, sizeof(word), "%.*s", (int)(end - value), value);
		if (word[0] != '\0')
			mime_field_word(&field, word);
	}
	return mime_field_end(&field);
}

static enum err put_mailbox_field(const char *name, const char *value, struct buf *out, struct err_detail *why)
{
	struct compose_mailbox box = { .name = "" };
	struct mime_field field;

	mime_field_begin(&field, out, name);
	for (;;) {
		enum err err = next_mailbox(&value, &box, why);

		if (err != OK)
			return err;
		put_mailbox(&field, &box);
		if (*value == '\0')
			return mime_field_end(&field);
		mime_field_more(&field, ",");
	}
}

static enum err put_field(const struct compose_field *field, struct buf *out, struct err_detail *why)
{
	enum err err = compose_field_check(field, why);

	if (err != OK)
		return err;
	switch (kind_of(field->name)) {
	case FIELD_ASCII:
		return put_ascii_field(field->name, field->value, out);
	case FIELD_MAILBOXES:
		return put_mailbox_field(field->name, field->value, out, why);
	case FIELD_TEXT:
	case FIELD_OURS:
		break;
	}
	return put_text_field(field->name, field->value, out);
}

static bool has_field(const struct compose *c, const char *name)
{
	for (size_t i = 0; i < c->field_count; i++) {
		if (ascii_equal(c->fields[i].name, name))
			return true;
	}
	return false;
}

static enum err put_defaults(const struct compose *c, struct buf *out)
{
	char date[CLOCK_TEXT];
	enum err err = OK;

	if (!has_field(c, "Date"))
		err = buf_printf(out, "Date: %s\r\n", clock_rfc5322(c->date, date));
	if (err == OK && !has_field(c, "Message-ID"))
		err = buf_printf(out, "Message-ID: <%s>\r\n", c->message_id);
	return err;
}

static enum err put_header(const struct compose *c, struct buf *out, struct err_detail *why)
{
	struct compose_mailboxes from = { c->from, 1 };
	enum err err = put_defaults(c, out);

	if (err == OK)
		err = put_mailboxes("From", &from, out);
	if (err == OK)
		err = put_mailboxes("To", &c->to, out);
	if (err == OK)
		err = put_mailboxes("Cc", &c->cc, out);
	/* RFC 5322 section 3.6.3 allows none at all; many who look at mail with suspicion do not. */
	if (err == OK && c->to.count == 0 && c->cc.count == 0)
		err = buf_add_str(out, "To: undisclosed-recipients:;\r\n");
	if (err == OK && c->subject != NULL)
		err = put_text_field("Subject", c->subject, out);
	for (size_t i = 0; i < c->field_count && err == OK; i++)
		err = put_field(&c->fields[i], out, why);
	return err == OK ? buf_add_str(out, "MIME-Version: 1.0\r\n") : err;
}

/* --- the parts ----------------------------------------------------------------------------------------------------------- */

static void boundary_of(const struct compose *c, unsigned level, char out[BOUNDARY_TEXT])
{
	/* "=_" is in no quoted-printable and no base64 text (RFC 2045 section 6.7). */
	(void)snprintf(out, BOUNDARY_TEXT, "=_%016" PRIx64 "_%u", c->seed, level);
}

static enum err put_text(const char *type, const char *text, size_t len, struct buf *out)
{
	enum mime_encoding encoding = mime_encoding_of(text, len);
	enum err err = buf_printf(out, "Content-Type: text/%s; charset=%s\r\nContent-Transfer-Encoding: %s\r\n\r\n", type,
	    encoding == MIME_7BIT ? "us-ascii" : "utf-8", mime_encoding_name(encoding));

	return err == OK ? mime_text(text, len, encoding, out) : err;
}

static enum err put_delimiter(const char *boundary, const char *end, struct buf *out)
{
	return buf_printf(out, "\r\n--%s%s\r\n", boundary, end);
}

static enum err put_multipart(const char *kind, const char *boundary, struct buf *out)
{
	return buf_printf(out, "Content-Type: multipart/%s; boundary=\"%s\"\r\n\r\n", kind, boundary);
}

/* Text, HTML, or both (RFC 2046 section 5.1.4: the richest comes last). */
static enum err put_texts(const struct compose *c, struct buf *out)
{
	char boundary[BOUNDARY_TEXT];
	enum err err;

	if (c->html == NULL)
		return put_text("plain", c->text != NULL ? c->text : "", c->text != NULL ? c->text_len : 0, out);
	if (c->text == NULL)
		return put_text("html", c->html, c->html_len, out);
	boundary_of(c, 1, boundary);
	err = put_multipart("alternative", boundary, out);
	if (err == OK)
		err = put_delimiter(boundary, "", out);
	if (err == OK)
		err = put_text("plain", c->text, c->text_len, out);
	if (err == OK)
		err = put_delimiter(boundary, "", out);
	if (err == OK)
		err = put_text("html", c->html, c->html_len, out);
	return err == OK ? put_delimiter(boundary, "--", out) : err;
}

static enum err put_attachment(const struct compose_attachment *a, struct buf *out, struct err_detail *why)
{
	struct mime_field field;
	enum err err = compose_attachment_check(a, why);

	if (err != OK)
		return err;
	mime_field_begin(&field, out, "Content-Type");
	mime_field_word(&field, a->type != NULL ? a->type : "application/octet-stream");
	if (a->name != NULL)
		mime_field_parameter(&field, "name", a->name); /* for readers that know no disposition */
	err = mime_field_end(&field);
	mime_field_begin(&field, out, "Content-Disposition");
	mime_field_word(&field, "attachment");
	if (a->name != NULL)
		mime_field_parameter(&field, "filename", a->name); /* RFC 2183 section 2.3 */
	if (err == OK)
		err = mime_field_end(&field);
	if (err == OK)
		err = buf_add_str(out, "Content-Transfer-Encoding: base64\r\n\r\n");
	return err == OK ? mime_base64(a->data, a->len, out) : err;
}

static enum err put_body(const struct compose *c, struct buf *out, struct err_detail *why)
{
	char boundary[BOUNDARY_TEXT];
	enum err err;

	if (c->attachment_count == 0)
		return put_texts(c, out);
	boundary_of(c, 0, boundary);
	err = put_multipart("mixed", boundary, out);
	if (err == OK)
		err = put_delimiter(boundary, "", out);
	if (err == OK)
		err = put_texts(c, out);
	for (size_t i = 0; i < c->attachment_count && err == OK; i++) {
		err = put_delimiter(boundary, "", out);
		if (err == OK)
			err = put_attachment(&c->attachments[i], out, why);
	}
	return err == OK ? put_delimiter(boundary, "--", out) : err;
}

enum err compose_message(const struct compose *c, struct buf *out, struct err_detail *why)
{
	enum err err;

	if (c->subject != NULL && !is_line(c->subject))
		return err_set(why, ERR_INVALID, "the subject holds controls or is not UTF-8");
	if ((c->text != NULL && !is_body(c->text, c->text_len)) || (c->html != NULL && !is_body(c->html, c->html_len)))
		return err_set(why, ERR_INVALID, "a text holds NUL or is not UTF-8");
	err = put_header(c, out, why);
	if (err == OK)
		err = put_body(c, out, why);
	return err == ERR_LIMIT ? err_set(why, ERR_LIMIT, "the message is larger than the limit") : err;
}
