/* relay/wire/xtext.c - text that survives a parameter of SMTP. */
#include "relay/wire/xtext.h"

#include <stdint.h>

#include "relay/wire/utf8.h"

/* Capital letters alone (RFC 3461 section 4); -1: no such digit. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte behind "+"; -1: there is none. */
static int hex_byte(const char *text, size_t len)
{
	int high = len > 2 ? hex_value(text[1]) : -1, low = len > 2 ? hex_value(text[2]) : -1;

	return high >= 0 && low >= 0 ? high * 16 + low : -1;
}

bool xtext_is_valid(const char *text, size_t len, bool utf8)
{
	size_t used;

	for (size_t i = 0; i < len; i += used) {
		uint8_t c = (uint8_t)text[i];
		int meant = c == '+' ? hex_byte(text + i, len - i) : c;

		used = c == '+' ? 3 : 1;
		if (meant < ' ' || meant == 0x7f || c == ' ' || c == '=')
			return false;
		if (c < 0x80)
			continue;
		used = utf8_char(text + i, len - i);
		if (!utf8 || used == 0)
			return false;
	}
	return len > 0;
}

size_t xtext_decode(const char *text, size_t len, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size; n++) {
		int byte = text[i] == '+' ? hex_byte(text + i, len - i) : -1;

		out[n] = byte >= 0 ? (char)byte : text[i];
		i += byte >= 0 ? 3 : 1;
	}
	out[n] = '\0';
	return n;
}
