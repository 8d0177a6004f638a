/* relay/relayq/encoded.c - header texts as their readers see them: encoded words (RFC 2047). */
#include "relay/relayq/encoded.h"

#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/intake/base64.h"

#define WORD_MAX 1024 /* bytes of an encoded word; RFC 2047 section 2 allows 75 */

static int hex_value(char c)
{
	const char *digits = "0123456789ABCDEFabcdef", *at = c ? strchr(digits, c) : NULL;

	return !at ? -1 : at - digits < 16 ? (int)(at - digits) : (int)(at - digits) - 6;
}

/* RFC 2047 section 4.2. */
static bool decode_q(const char *text, size_t len, char *out, size_t *len_out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '=') {
			int high = i + 2 < len ? hex_value(text[i + 1]) : -1, low = high >= 0 ? hex_value(text[i + 2]) : -1;

			if (low < 0)
				return false;
			out[n++] = (char)(high << 4 | low);
			i += 2;
		} else {
			out[n++] = (char)(text[i] == '_' ? ' ' : text[i]);
		}
	}
	*len_out = n;
	return true;
}

/* Append bytes of `charset` to `out` as UTF-8, which holds four times as many more. False: unknown, or not of that charset. */
static bool append_utf8(const char *charset, char *bytes, size_t len, char *out, size_t *at)
{
	iconv_t cd = iconv_open("UTF-8", charset);
	char *in = bytes, *to = out + *at;
	size_t room = len * 4, before = room;
	bool fine;

	if (cd == (iconv_t)-1)
		return false;
	fine = iconv(cd, &in, &len, &to, &room) != (size_t)-1 && iconv(cd, NULL, NULL, &to, &room) != (size_t)-1;
	(void)iconv_close(cd);
	if (fine)
		*at += before - room;
	return fine;
}

/* An encoded word at `text`: its length, and what it says appended to `out`; 0: none that can be read. */
static size_t read_word(const char *text, char *out, size_t *at)
{
	char charset[40], bytes[WORD_MAX];
	const char *encoding, *body, *end;
	size_t len = 0;
	bool fine = false;

	if (strncmp(text, "=?", 2) != 0)
		return 0;
	encoding = strchr(text + 2, '?');
	if (!encoding || (size_t)(encoding - text) >= sizeof(charset) || !encoding[1] || encoding[2] != '?')
		return 0;
	body = encoding + 3;
	end = strstr(body, "?=");
	if (!end || (size_t)(end - body) >= sizeof(bytes))
		return 0;
	(void)snprintf(charset, sizeof(charset), "%.*s", (int)strcspn(text + 2, "?*"), text + 2); /* RFC 2231: "*language" may follow */
	if (encoding[1] == 'Q' || encoding[1] == 'q')
		fine = decode_q(body, (size_t)(end - body), bytes, &len);
	else if (encoding[1] == 'B' || encoding[1] == 'b')
		fine = base64_decode(body, (size_t)(end - body), bytes, &len) == OK;
	return fine && append_utf8(charset, bytes, len, out, at) ? (size_t)(end + 2 - text) : 0;
}

char *encoded_read(const char *text)
{
	char *out = xcalloc(strlen(text) * 4 + 8, 1);
	size_t at = 0;
	bool after_word = false;

	while (*text) {
		/* White space between two encoded words is not shown. */
		size_t gap = after_word ? strspn(text, " \t") : 0, word = read_word(text + gap, out, &at);

		after_word = word > 0;
		if (word > 0)
			text += gap + word;
		else
			out[at++] = *text++;
	}
	return out;
}
