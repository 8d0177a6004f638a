/* relay/intake/base64.c - strict base64 decoding (RFC 4648 section 4) for SASL responses. */
#include "relay/intake/base64.h"

#include "base/ascii.h"

/* 0..63, or -1. */
static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_is_digit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum err base64_decode(const char *text, size_t len, char *out, size_t *out_len)
{
	size_t digits = len, n = 0;
	uint32_t word = 0;

	if (len % 4 != 0)
		return ERR_INVALID;
	for (int pad = 0; pad < 2 && digits > 0 && text[digits - 1] == '='; pad++)
		digits--;
	for (size_t i = 0; i < digits; i++) {
		int value = digit(text[i]);

		if (value < 0)
			return ERR_INVALID;
		word = word << 6 | (uint32_t)value;
		if (i % 4 > 0)
			out[n++] = (char)(word >> (6 - i % 4 * 2));
	}
	/* The bits behind the last byte must be zero, or two texts would mean the same. */
	if (digits % 4 != 0 && (word & ((1U << (digits % 4 == 2 ? 4 : 2)) - 1)) != 0)
		return ERR_INVALID;
	*out_len = n;
	return OK;
}
