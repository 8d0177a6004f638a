/* relay/notify/words.c - text of a report in lines: words wrapped, fields folded, strangers' bytes cleaned. */
#include "relay/notify/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "relay/wire/unitext.h"
#include "relay/wire/utf8.h"

#define COLUMNS     76  /* where text is wrapped */
#define ESCAPED_MAX 240 /* bytes of a word whose characters may each become four times as many */
#define LINE_BYTES  900 /* of a word, cleaned; RFC 5322 allows a line 998 */

void words_put_bytes(struct words *words, const char *data, size_t len)
{
	if (words->err == OK)
		words->err = buf_add(words->out, data, len);
}

void words_put(struct words *words, const char *text)
{
	words_put_bytes(words, text, strlen(text));
}

void words_format(struct words *words, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	words_put(words, text);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "?" for what may not stand in a word. `out` holds LINE_BYTES; what would not fit is left out. */
static size_t clean(const char *text, size_t len, bool utf8, char *out)
{
	size_t written = 0;

	for (size_t used = 0, n; used < len && written + UNITEXT_CHAR < LINE_BYTES; used += n) {
		n = utf8_char(text + used, len - used);
		if (n > 1 && utf8) {
			memcpy(out + written, text + used, n);
			written += n;
		} else if (n > 1) {
			written += unitext_char(text + used, n, out + written);
		} else {
			n = 1;
			out[written++] = (uint8_t)text[used] < ' ' || (uint8_t)text[used] >= 0x7f ? '?' : text[used];
		}
	}
	return written;
}

void words_word(struct words *words, const char *word, size_t len, const char *indent)
{
	char cleaned[LINE_BYTES];
	size_t cleaned_len = clean(word, len, words->utf8, cleaned);

	if (words->column > strlen(indent) && words->column + 1 + cleaned_len > COLUMNS) {
		words_put(words, "\r\n");
		words_put(words, indent);
		words->column = strlen(indent);
	} else if (words->column > strlen(indent)) {
		words_put(words, " ");
		words->column++;
	}
	words_put_bytes(words, cleaned, cleaned_len);
	words->column += cleaned_len;
}

void words_add(struct words *words, const char *text, const char *indent)
{
	size_t len = strlen(text);

	while (len > 0) {
		size_t word = 0;

		while (word < len && !is_blank(text[word]))
			word++;
		word = utf8_cut(text, word, words->utf8 || utf8_is_ascii(text, word) ? WORDS_LONGEST : ESCAPED_MAX);
		if (word > 0)
			words_word(words, text, word, indent);
		text += word;
		len -= word;
		while (len > 0 && is_blank(*text)) {
			text++;
			len--;
		}
	}
}

void words_field(struct words *words, const char *name, const char *value)
{
	words_put(words, name);
	words_put(words, ":");
	words->column = strlen(name) + 1;
	words_add(words, value, " ");
	words_put(words, "\r\n");
}

void words_type(struct words *words, const char *name, const char *type)
{
	words_format(words, "%s: %s;", name, type);
	words->column = strlen(name) + strlen(type) + 3;
}

void words_typed_field(struct words *words, const char *name, const char *type, const char *value)
{
	words_type(words, name, type);
	words_add(words, value, " ");
	words_put(words, "\r\n");
}

void words_date_field(struct words *words, const char *name, wall_ms when)
{
	char date[CLOCK_TEXT];

	words_field(words, name, clock_rfc5322(when, date));
}

void words_paragraph(struct words *words, const char *text, const char *indent)
{
	words_put(words, indent);
	words->column = strlen(indent);
	words_add(words, text, indent);
	words_put(words, "\r\n");
}
