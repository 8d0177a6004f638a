/* relay/wire/mime.c - how MIME writes bytes as lines of ASCII: quoted-printable, base64, encoded words, parameters. */
#include "relay/wire/mime.h"

#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "relay/wire/utf8.h"

#define BODY_COLUMNS  76 /* RFC 2045 sections 6.7 and 6.8 */
#define TEXT_COLUMNS  78 /* RFC 5322 section 2.1.1 */
#define FIELD_COLUMNS 76 /* RFC 2047 section 2: of a line with an encoded word */
#define WORD_BYTES    45 /* of text in an encoded word: 60 characters of base64, and 12 around them */
#define PIECE_BYTES   54 /* of a parameter's value in one piece, percent signs counted */

static const char hex_digits[] = "0123456789ABCDEF";

/* --- bodies -------------------------------------------------------------------------------------------------------------- */

enum mime_encoding mime_encoding_of(const char *text, size_t len)
{
	size_t foreign = 0, line = 0, longest = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		foreign += c >= 127 || (c < ' ' && c != '\t' && c != '\r' && c != '\n');
		line = c == '\r' || c == '\n' ? 0 : line + 1;
		if (line > longest)
			longest = line;
	}
	if (foreign == 0 && longest <= TEXT_COLUMNS)
		return MIME_7BIT;
	/* A byte costs three characters quoted, a third more in base64; what is mostly ASCII stays readable for people. */
	return foreign > len / 4 ? MIME_BASE64 : MIME_QUOTED;
}

const char *mime_encoding_name(enum mime_encoding encoding)
{
	static const char *const names[] = { [MIME_7BIT] = "7bit", [MIME_QUOTED] = "quoted-printable", [MIME_BASE64] = "base64" };

	return names[encoding];
}

/* Returns the length with the CRLF. */
static size_t put_end(char *line, size_t used)
{
	line[used++] = '\r';
	line[used++] = '\n';
	return used;
}

static size_t base64_group(const unsigned char *in, size_t len, char out[4])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = len < 3 ? len : 3;
	unsigned bits = (unsigned)in[0] << 16 | (n > 1 ? (unsigned)in[1] << 8 : 0) | (n > 2 ? in[2] : 0);

	for (unsigned i = 0; i < 4; i++)
		out[i] = i <= n ? digits[bits >> (18 - 6 * i) & 63] : '=';
	return n;
}

enum err mime_base64(const void *data, size_t len, struct buf *out)
{
	const unsigned char *in = data;

	while (len > 0) {
		char line[BODY_COLUMNS + 2];
		size_t used = 0;

		while (len > 0 && used < BODY_COLUMNS) {
			size_t n = base64_group(in, len, line + used);

			in += n;
			len -= n;
			used += 4;
		}
		used = put_end(line, used);
		if (buf_add(out, line, used) != OK)
			return ERR_LIMIT;
	}
	return OK;
}

enum err mime_base64_flat(const void *data, size_t len, struct buf *out)
{
	const unsigned char *in = data;

	while (len > 0) {
		char group[4];
		size_t n = base64_group(in, len, group);

		if (buf_add(out, group, sizeof(group)) != OK)
			return ERR_LIMIT;
		in += n;
		len -= n;
	}
	return OK;
}

static int base64_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0' + 52;
	if (ascii_is_alpha(c))
		return c <= 'Z' ? c - 'A' : c - 'a' + 26;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum err mime_base64_decode(const char *text, size_t len, struct buf *out)
{
	uint32_t bits = 0;
	unsigned digits = 0, padding = 0;
	unsigned char *at = buf_extend(out, len / 4 * 3 + 3); /* what it takes at most; the rest is given back */
	unsigned char *start = at;

	if (at == NULL)
		return ERR_LIMIT;
	out->len -= len / 4 * 3 + 3;
	for (size_t i = 0; i < len; i++) {
		int value = base64_value(text[i]);

		if (strchr(" \t\r\n", text[i]) != NULL && text[i] != '\0')
			continue;
		if (text[i] == '=' && digits + padding < 4 && digits >= 2) {
			padding++;
			continue;
		}
		if (value < 0 || padding > 0)
			return ERR_INVALID;
		bits = bits << 6 | (uint32_t)value;
		if (++digits < 4)
			continue;
		*at++ = (unsigned char)(bits >> 16);
		*at++ = (unsigned char)(bits >> 8);
		*at++ = (unsigned char)bits;
		digits = 0;
	}
	if (digits == 1 || (digits > 0 && digits + padding != 4))
		return ERR_INVALID;
	if (digits > 0)
		*at++ = (unsigned char)(bits >> (digits == 2 ? 4 : 10));
	if (digits == 3)
		*at++ = (unsigned char)(bits >> 2);
	out->len += (size_t)(at - start);
	*at = '\0'; /* as everywhere in a buffer */
	return OK;
}

/* The next line of a text: its length; *next_out begins behind its end. */
static size_t line_of(const char *text, const char *end, const char **next_out)
{
	const char *at = text;

	while (at < end && *at != '\r' && *at != '\n')
		at++;
	*next_out = at;
	if (at < end)
		*next_out = at + (at[0] == '\r' && at + 1 < end && at[1] == '\n' ? 2 : 1);
	return (size_t)(at - text);
}

/* RFC 2045 section 6.7: one line of the text, in as many lines as it takes. */
static enum err quote_line(const char *text, size_t len, struct buf *out)
{
	char line[BODY_COLUMNS + 2];
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = (c > ' ' && c < 127 && c != '=') || ((c == ' ' || c == '\t') && i + 1 < len);

		if (used + (plain ? 1 : 3) > BODY_COLUMNS - 1) {
			line[used++] = '=';
			used = put_end(line, used);
			if (buf_add(out, line, used) != OK)
				return ERR_LIMIT;
			used = 0;
		}
		if (plain) {
			line[used++] = (char)c;
		} else {
			line[used++] = '=';
			line[used++] = hex_digits[c >> 4];
			line[used++] = hex_digits[c & 15];
		}
	}
	used = put_end(line, used);
	return buf_add(out, line, used);
}

static enum err plain_line(const char *text, size_t len, struct buf *out)
{
	enum err err = buf_add(out, text, len);

	return err == OK ? buf_add(out, "\r\n", 2) : err;
}

/* Base64 covers line ends too: they have to be CRLF inside (RFC 2045 section 6.8). */
static enum err base64_text(const char *text, size_t len, struct buf *out)
{
	const char *end = text + len;
	struct buf lines;
	enum err err = OK;

	buf_init(&lines, out->max);
	for (const char *next; text < end && err == OK; text = next)
		err = plain_line(text, line_of(text, end, &next), &lines);
	if (err == OK)
		err = mime_base64(lines.data, lines.len, out);
	buf_fini(&lines);
	return err;
}

enum err mime_text(const char *text, size_t len, enum mime_encoding encoding, struct buf *out)
{
	const char *end = text + len;
	enum err err = OK;

	if (len == 0)
		return buf_add(out, "\r\n", 2);
	if (encoding == MIME_BASE64)
		return base64_text(text, len, out);
	for (const char *next; text < end && err == OK; text = next) {
		size_t line = line_of(text, end, &next);

		err = encoding == MIME_QUOTED ? quote_line(text, line, out) : plain_line(text, line, out);
	}
	return err;
}

/* --- header fields ------------------------------------------------------------------------------------------------------- */

static void field_add(struct mime_field *field, const char *text, size_t len)
{
	if (field->err == OK)
		field->err = buf_add(field->out, text, len);
	field->column += len;
}

void mime_field_begin(struct mime_field *field, struct buf *out, const char *name)
{
	*field = (struct mime_field){ .out = out };
	field_add(field, name, strlen(name));
	field_add(field, ":", 1);
}

enum err mime_field_end(struct mime_field *field)
{
	field_add(field, "\r\n", 2);
	return field->err;
}

/* A blank before `len` bytes, or a new line. */
static void field_blank(struct mime_field *field, size_t len)
{
	/* Not before the first word: a line of the name alone is legal, and yet more than some readers take. */
	bool full = field->words > 0 && field->column + 1 + len > FIELD_COLUMNS;

	if (full)
		field_add(field, "\r\n", 2);
	if (full)
		field->column = 0;
	field_add(field, " ", 1);
	field->words++;
}

void mime_field_word(struct mime_field *field, const char *word)
{
	field_blank(field, strlen(word));
	field_add(field, word, strlen(word));
}

void mime_field_more(struct mime_field *field, const char *text)
{
	field_add(field, text, strlen(text));
}

/* As many encoded words as it takes; no character is cut in two (RFC 2047 section 5). */
static void field_encoded(struct mime_field *field, const char *text)
{
	size_t len = strlen(text);

	for (size_t n; len > 0; text += n, len -= n) {
		char word[12 + WORD_BYTES / 3 * 4 + 3];
		size_t used = 10, taken = field->column + 1 + 12, room = taken + 20 < FIELD_COLUMNS ? (FIELD_COLUMNS - taken) / 4 * 3 : WORD_BYTES;

		n = utf8_cut(text, len, room < WORD_BYTES ? room : WORD_BYTES);
		memcpy(word, "=?utf-8?B?", used);
		for (size_t i = 0; i < n; i += 3, used += 4)
			(void)base64_group((const unsigned char *)text + i, n - i, word + used);
		memcpy(word + used, "?=", 3);
		mime_field_word(field, word);
	}
}

/* Can a reader that knows encoded words take the text as it is, and does it survive folding? */
static bool is_plain_text(const char *text)
{
	size_t word = 0;

	if (text[0] == ' ' || text[0] == '\t' || strstr(text, "=?") != NULL)
		return false;
	for (const char *at = text; *at != '\0'; at++) {
		unsigned char c = (unsigned char)*at;

		if (c < ' ' || c >= 127 || (c == ' ' && (at[1] == ' ' || at[1] == '\0')))
			return false;
		word = c == ' ' ? 0 : word + 1;
		if (word > FIELD_COLUMNS * 5)
			return false;
	}
	return true;
}

void mime_field_text(struct mime_field *field, const char *text)
{
	if (!is_plain_text(text)) {
		field_encoded(field, text);
		return;
	}
	for (const char *end; *text != '\0'; text = *end == ' ' ? end + 1 : end) {
		end = strchrnul(text, ' ');
		field_blank(field, (size_t)(end - text));
		field_add(field, text, (size_t)(end - text));
	}
}

/* A value in double quotes; `text` is ASCII without controls. */
static void field_quoted(struct mime_field *field, const char *text)
{
	field_add(field, "\"", 1);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			field_add(field, "\\", 1);
		field_add(field, text, 1);
	}
	field_add(field, "\"", 1);
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < ' ' || *text > '~')
			return false;
	}
	return true;
}

/* RFC 5322 section 3.2.3: words of atext and blanks. */
static bool is_atoms(const char *text)
{
	if (text[0] == ' ' || strstr(text, "  ") != NULL || text[strlen(text) - 1] == ' ')
		return false;
	for (; *text != '\0'; text++) {
		if (!ascii_is_digit(*text) && !ascii_is_alpha(*text) && strchr(" !#$%&'*+-/=?^_`{|}~", *text) == NULL)
			return false;
	}
	return true;
}

void mime_field_phrase(struct mime_field *field, const char *text)
{
	if (text[0] == '\0')
		return;
	if (!is_printable(text) || strstr(text, "=?") != NULL || strlen(text) > FIELD_COLUMNS * 5) {
		field_encoded(field, text);
	} else if (is_atoms(text)) {
		mime_field_text(field, text);
	} else {
		field_blank(field, strlen(text) + 2);
		field_quoted(field, text);
	}
}

static bool is_token_byte(char c)
{
	return c > ' ' && c < 127 && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

bool mime_is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!is_token_byte(text[i]))
			return false;
	}
	return len > 0;
}

/* RFC 2231 section 7: what may stand in a value as it is; the rest is "%XX". Returns the characters of the byte. */
static size_t percent(char c, char out[3])
{
	if (is_token_byte(c) && c != '*' && c != '\'' && c != '%') {
		out[0] = c;
		return 1;
	}
	out[0] = '%';
	out[1] = hex_digits[(unsigned char)c >> 4];
	out[2] = hex_digits[(unsigned char)c & 15];
	return 3;
}

/* RFC 2231 sections 3 and 4: pieces name*0*=utf-8''..., name*1*=..., or name*=utf-8''... when one is enough. */
static void field_extended(struct mime_field *field, const char *name, const char *value)
{
	bool single = strlen(value) * 3 <= PIECE_BYTES;

	for (unsigned n = 0; *value != '\0'; n++) {
		char piece[PIECE_BYTES + 1], head[64];
		size_t used = 0;

		while (*value != '\0' && used + 3 <= PIECE_BYTES)
			used += percent(*value++, piece + used);
		piece[used] = '\0';
		if (single)
			(void)snprintf(head, sizeof(head), "%.32s*=utf-8''", name);
		else
			(void)snprintf(head, sizeof(head), "%.32s*%u*=%s", name, n, n == 0 ? "utf-8''" : "");
		field_add(field, ";", 1);
		field_blank(field, strlen(head) + used);
		mime_field_more(field, head);
		mime_field_more(field, piece);
	}
}

void mime_field_parameter(struct mime_field *field, const char *name, const char *value)
{
	size_t len = strlen(value);

	if (!is_printable(value) || len > PIECE_BYTES) {
		field_extended(field, name, value);
		return;
	}
	field_add(field, ";", 1);
	field_blank(field, strlen(name) + len + 3);
	mime_field_more(field, name);
	mime_field_more(field, "=");
	if (mime_is_token(value, len))
		mime_field_more(field, value);
	else
		field_quoted(field, value);
}
