/* relay/ops/letter.c - a message as an HTTP request brings it: JSON fields or a raw message, into envelope and content. */
#include "relay/ops/letter.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/wire/compose.h"
#include "relay/wire/mime.h"
#include "relay/wire/utf8.h"

#define ATTACHMENTS_MAX 1000
#define FIELDS_MAX      1000

/* A request being read. */
struct reading {
	const struct letter_env *env;
	json_t *root;
	struct letter *letter;
	struct err_detail *why;
	struct compose compose;
	struct compose_mailbox from, *to, *cc;
	struct compose_field *fields;
	struct compose_attachment *attachments;
	struct buf *contents; /* decoded attachments */
	char message_id[64 + DOMAIN_MAX];
};

/* --- the envelope -------------------------------------------------------------------------------------------------------- */

static enum err add_rcpt(const struct letter_env *env, struct letter *letter, const struct address *address, struct err_detail *why)
{
	if (letter->rcpt_count >= env->recipients)
		return err_set(why, ERR_LIMIT, "more than %" PRIu32 " recipients", env->recipients);
	if ((letter->rcpt_count & (letter->rcpt_count - 1)) == 0) /* full at powers of two */
		letter->rcpts = xrealloc(letter->rcpts, (letter->rcpt_count > 0 ? 2 * letter->rcpt_count : 1) * sizeof(*letter->rcpts));
	letter->rcpts[letter->rcpt_count++] = *address;
	letter->utf8 |= address->utf8;
	return OK;
}

enum err letter_from(struct letter *letter, const char *address, struct err_detail *why)
{
	struct compose_mailbox box;
	enum err err;

	if (address[0] == '\0' || strcmp(address, "<>") == 0) {
		letter->sender = (struct address){ .at = 0 };
		return OK;
	}
	err = compose_mailbox_parse(address, &box, why);
	letter->sender = box.address;
	letter->utf8 |= box.address.utf8;
	return err;
}

enum err letter_to(const struct letter_env *env, struct letter *letter, const char *addresses, struct err_detail *why)
{
	enum err err = OK;

	for (const char *end; err == OK; addresses = end + 1) {
		char one[ADDRESS_MAX + 64];
		struct compose_mailbox box;

		end = strchrnul(addresses, ',');
		if ((size_t)(end - addresses) >= sizeof(one))
			return err_set(why, ERR_INVALID, "an address is too long");
		(void)snprintf(one, sizeof(one), "%.*s", (int)(end - addresses), addresses);
		err = compose_mailbox_parse(one, &box, why);
		if (err == OK)
			err = add_rcpt(env, letter, &box.address, why);
		if (*end == '\0')
			break;
	}
	return err;
}

/* --- JSON values --------------------------------------------------------------------------------------------------------- */

static enum err wrong(const struct reading *r, const char *key, const char *want)
{
	return err_set(r->why, ERR_INVALID, "\"%s\" must be %s", key, want);
}

/* A text without NUL inside; *out NULL: the field is absent or null. */
static enum err get_text(const struct reading *r, const char *key, const char **out, size_t *len_out)
{
	json_t *value = json_object_get(r->root, key);

	*out = NULL;
	if (value == NULL || json_is_null(value))
		return OK;
	if (!json_is_string(value))
		return wrong(r, key, "a text");
	*out = json_string_value(value);
	if (len_out != NULL)
		*len_out = json_string_length(value);
	return OK;
}

/* The text that stands at place `i` of a value which is one text or an array of them. NULL: something else. */
static const char *text_at(json_t *value, size_t i)
{
	return json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
}

static size_t text_count(json_t *value)
{
	return value == NULL || json_is_null(value) ? 0 : json_is_array(value) ? json_array_size(value) : 1;
}

/* The mailboxes of a field: all become recipients; *boxes_out (NULL: not wanted) is malloc'ed. */
static enum err get_mailboxes(struct reading *r, const char *key, struct compose_mailbox **boxes_out, struct compose_mailboxes *list_out)
{
	json_t *value = json_object_get(r->root, key);
	size_t count = text_count(value);
	enum err err = OK;

	if (count > r->env->recipients)
		return err_set(r->why, ERR_LIMIT, "more than %" PRIu32 " recipients", r->env->recipients);
	if (boxes_out != NULL && count > 0)
		*boxes_out = xcalloc(count, sizeof(**boxes_out));
	for (size_t i = 0; i < count && err == OK; i++) {
		const char *text = text_at(value, i);
		struct compose_mailbox box;

		if (text == NULL)
			return wrong(r, key, "an address or an array of addresses");
		err = compose_mailbox_parse(text, &box, r->why);
		if (err == OK)
			err = add_rcpt(r->env, r->letter, &box.address, r->why);
		if (err == OK && boxes_out != NULL)
			(*boxes_out)[i] = box;
	}
	if (list_out != NULL && boxes_out != NULL)
		*list_out = (struct compose_mailboxes){ *boxes_out, count };
	return err;
}

static enum err check_known(const struct reading *r)
{
	static const char *const known[] = { "from", "to", "cc", "bcc", "subject", "text", "html", "headers", "attachments", "raw",
		"priority" };
	const char *key;
	json_t *value;

	json_object_foreach(r->root, key, value) {
		size_t i = 0;

		while (i < ARRAY_LEN(known) && strcmp(key, known[i]) != 0)
			i++;
		if (i == ARRAY_LEN(known))
			return err_set(r->why, ERR_INVALID, "unknown field \"%.80s\"", key);
	}
	return OK;
}

static enum err get_priority(struct reading *r)
{
	json_t *value = json_object_get(r->root, "priority");

	if (value == NULL || json_is_null(value))
		return OK;
	if (!json_is_integer(value) || json_integer_value(value) < -9 || json_integer_value(value) > 9)
		return wrong(r, "priority", "a whole number from -9 to 9");
	r->letter->priority = (int8_t)json_integer_value(value);
	return OK;
}

/* --- the parts ----------------------------------------------------------------------------------------------------------- */

static size_t field_total(json_t *headers)
{
	const char *name;
	json_t *value;
	size_t total = 0;

	json_object_foreach(headers, name, value)
		total += text_count(value);
	return total;
}

static enum err get_fields(struct reading *r)
{
	json_t *headers = json_object_get(r->root, "headers"), *value;
	const char *name;
	enum err err = OK;
	size_t total;

	if (headers == NULL || json_is_null(headers))
		return OK;
	if (!json_is_object(headers))
		return wrong(r, "headers", "an object of names and texts");
	total = field_total(headers);
	if (total > FIELDS_MAX)
		return err_set(r->why, ERR_LIMIT, "more than %d headers", FIELDS_MAX);
	r->fields = xcalloc(total + 1, sizeof(*r->fields));
	json_object_foreach(headers, name, value) {
		for (size_t i = 0; i < text_count(value) && err == OK; i++) {
			struct compose_field *field = &r->fields[r->compose.field_count];

			*field = (struct compose_field){ name, text_at(value, i) };
			if (field->value == NULL)
				return wrong(r, "headers", "an object of names and texts");
			err = compose_field_check(field, r->why);
			r->compose.field_count++;
		}
	}
	r->compose.fields = r->fields;
	return err;
}

static enum err decode(struct reading *r, json_t *content, struct buf *out, const char *what)
{
	enum err err;

	if (!json_is_string(content))
		return wrong(r, what, "base64");
	buf_init(out, r->env->message_bytes + 4);
	err = mime_base64_decode(json_string_value(content), json_string_length(content), out);
	if (err == ERR_INVALID)
		return wrong(r, what, "base64");
	return err == ERR_LIMIT ? err_set(r->why, ERR_LIMIT, "the message is larger than the limit") : err;
}

static enum err get_attachment(struct reading *r, json_t *object, size_t i)
{
	struct compose_attachment *a = &r->attachments[i];
	json_t *name = json_object_get(object, "name"), *type = json_object_get(object, "type");
	enum err err;

	if (!json_is_object(object) || (name != NULL && !json_is_string(name)) || (type != NULL && !json_is_string(type)))
		return wrong(r, "attachments", "an array of {name, type, content}");
	if (json_object_size(object) != (name != NULL) + (type != NULL) + (size_t)(json_object_get(object, "content") != NULL))
		return wrong(r, "attachments", "an array of {name, type, content}");
	err = decode(r, json_object_get(object, "content"), &r->contents[i], "content");
	*a = (struct compose_attachment){ json_string_value(name), json_string_value(type), r->contents[i].data, r->contents[i].len };
	return err == OK ? compose_attachment_check(a, r->why) : err;
}

static enum err get_attachments(struct reading *r)
{
	json_t *list = json_object_get(r->root, "attachments");
	size_t count = json_array_size(list);
	enum err err = OK;

	if (list == NULL || json_is_null(list))
		return OK;
	if (!json_is_array(list))
		return wrong(r, "attachments", "an array of {name, type, content}");
	if (count > ATTACHMENTS_MAX)
		return err_set(r->why, ERR_LIMIT, "more than %d attachments", ATTACHMENTS_MAX);
	r->attachments = xcalloc(count + 1, sizeof(*r->attachments));
	r->contents = xcalloc(count + 1, sizeof(*r->contents));
	r->compose.attachment_count = count;
	r->compose.attachments = r->attachments;
	for (size_t i = 0; i < count && err == OK; i++)
		err = get_attachment(r, json_array_get(list, i), i);
	return err;
}

static enum err get_texts(struct reading *r)
{
	enum err err = get_text(r, "subject", &r->compose.subject, NULL);

	if (err == OK)
		err = get_text(r, "text", &r->compose.text, &r->compose.text_len);
	if (err == OK)
		err = get_text(r, "html", &r->compose.html, &r->compose.html_len);
	if (err == OK && r->compose.text == NULL && r->compose.html == NULL && r->compose.attachment_count == 0)
		return err_set(r->why, ERR_INVALID, "there is neither \"text\" nor \"html\", \"attachments\" or \"raw\"");
	return err;
}

/* --- the whole ----------------------------------------------------------------------------------------------------------- */

static enum err write_message(struct reading *r)
{
	struct compose *c = &r->compose;

	(void)snprintf(r->message_id, sizeof(r->message_id), "%016" PRIx64 "%016" PRIx64 "@%.255s", r->env->seed[0], r->env->seed[1],
	    r->env->hostname);
	c->from = &r->from;
	c->date = r->env->now;
	c->message_id = r->message_id;
	c->seed = r->env->seed[0] ^ r->env->seed[1] << 1;
	return compose_message(c, &r->letter->message, r->why);
}

static enum err read_parts(struct reading *r)
{
	const char *from;
	enum err err = get_text(r, "from", &from, NULL);

	if (err == OK && from == NULL)
		err = wrong(r, "from", "an address");
	if (err == OK)
		err = compose_mailbox_parse(from, &r->from, r->why);
	if (err == OK)
		err = get_fields(r);
	if (err == OK)
		err = get_attachments(r);
	if (err == OK)
		err = get_texts(r);
	r->letter->sender = r->from.address;
	r->letter->utf8 |= r->from.address.utf8;
	r->letter->eight_bit = r->letter->utf8; /* all else is written in ASCII */
	return err == OK ? write_message(r) : err;
}

static enum err get_recipients(struct reading *r)
{
	enum err err = get_mailboxes(r, "to", &r->to, &r->compose.to);

	if (err == OK)
		err = get_mailboxes(r, "cc", &r->cc, &r->compose.cc);
	if (err == OK)
		err = get_mailboxes(r, "bcc", NULL, NULL);
	if (err == OK && r->letter->rcpt_count == 0)
		err = err_set(r->why, ERR_INVALID, "there are no recipients");
	return err;
}

static void note_bytes(struct letter *letter)
{
	const char *data = buf_str(&letter->message), *end = memmem(data, letter->message.len, "\r\n\r\n", 4);
	size_t header = end != NULL ? (size_t)(end - data) : letter->message.len;

	letter->utf8 |= !utf8_is_ascii(data, header); /* RFC 6532 */
	letter->eight_bit = !utf8_is_ascii(data, letter->message.len);
}

static enum err read_with_raw(struct reading *r, json_t *raw)
{
	static const char *const others[] = { "subject", "text", "html", "headers", "attachments" };
	const char *from;
	enum err err;

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (json_object_get(r->root, others[i]) != NULL)
			return err_set(r->why, ERR_INVALID, "\"%s\" cannot stand beside \"raw\"", others[i]);
	}
	err = get_text(r, "from", &from, NULL);
	if (err == OK && from == NULL)
		err = wrong(r, "from", "an address, or \"\"");
	if (err == OK)
		err = letter_from(r->letter, from, r->why);
	if (err == OK)
		err = decode(r, raw, &r->letter->message, "raw");
	note_bytes(r->letter);
	return err;
}

static void reading_free(struct reading *r)
{
	for (size_t i = 0; i < r->compose.attachment_count; i++)
		buf_fini(&r->contents[i]);
	free(r->contents);
	free(r->attachments);
	free(r->fields);
	free(r->to);
	free(r->cc);
	json_decref(r->root);
}

enum err letter_read_json(const struct letter_env *env, const char *text, size_t len, struct letter *out, struct err_detail *why)
{
	json_error_t error;
	struct reading r = { .env = env, .letter = out, .why = why };
	enum err err;
	json_t *raw;

	buf_init(&out->message, env->message_bytes);
	r.root = len > 0 ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &error) : NULL;
	if (r.root == NULL)
		return err_set(why, ERR_INVALID, "not JSON: %s", len > 0 ? error.text : "the body is empty");
	if (!json_is_object(r.root)) {
		json_decref(r.root);
		return err_set(why, ERR_INVALID, "the JSON is not an object");
	}
	raw = json_object_get(r.root, "raw");
	err = check_known(&r);
	if (err == OK)
		err = get_priority(&r);
	if (err == OK)
		err = get_recipients(&r);
	if (err == OK)
		err = raw != NULL ? read_with_raw(&r, raw) : read_parts(&r);
	reading_free(&r);
	return err;
}

enum err letter_read_raw(const struct letter_env *env, const char *text, size_t len, struct letter *out, struct err_detail *why)
{
	buf_init(&out->message, env->message_bytes);
	if (len == 0)
		return err_set(why, ERR_INVALID, "the body is empty");
	if (buf_add(&out->message, text, len) != OK)
		return err_set(why, ERR_LIMIT, "the message is larger than the limit");
	note_bytes(out);
	return OK;
}

void letter_free(struct letter *letter)
{
	free(letter->rcpts);
	buf_fini(&letter->message);
	memset(letter, 0, sizeof(*letter));
}
