/* relay/wire/utf8.c - is it well-formed UTF-8 (RFC 3629)? */
#include "relay/wire/utf8.h"

#include <stdint.h>

/* First bytes and what may follow them, as the table in RFC 3629 section 4 has it: the bounds of the second byte keep out overlong forms,
 * surrogates and all above U+10FFFF; the others are 80..BF. */
static const struct utf8_form {
	uint8_t first_min, first_max, second_min, second_max, length;
} forms[] = {
	{ 0xC2, 0xDF, 0x80, 0xBF, 2 },
	{ 0xE0, 0xE0, 0xA0, 0xBF, 3 },
	{ 0xE1, 0xEC, 0x80, 0xBF, 3 },
	{ 0xED, 0xED, 0x80, 0x9F, 3 },
	{ 0xEE, 0xEF, 0x80, 0xBF, 3 },
	{ 0xF0, 0xF0, 0x90, 0xBF, 4 },
	{ 0xF1, 0xF3, 0x80, 0xBF, 4 },
	{ 0xF4, 0xF4, 0x80, 0x8F, 4 },
};

static bool is_continuation(uint8_t byte)
{
	return (byte & 0xC0) == 0x80;
}

size_t utf8_char(const char *text, size_t len)
{
	const uint8_t *byte = (const uint8_t *)text;

	if (len == 0)
		return 0;
	if (byte[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const struct utf8_form *form = &forms[i];

		if (byte[0] < form->first_min || byte[0] > form->first_max)
			continue;
		if (len < form->length || byte[1] < form->second_min || byte[1] > form->second_max)
			return 0;
		for (size_t n = 2; n < form->length; n++)
			if (!is_continuation(byte[n]))
				return 0;
		return form->length;
	}
	return 0;
}

bool utf8_is_valid(const char *text, size_t len)
{
	for (size_t used = 0, n; used < len; used += n) {
		n = utf8_char(text + used, len - used);
		if (n == 0)
			return false;
	}
	return true;
}

bool utf8_is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)text[i] >= 0x80)
			return false;
	return true;
}

size_t utf8_cut(const char *text, size_t len, size_t max)
{
	size_t cut = max;

	if (len <= max)
		return len;
	/* A character has three continuation bytes at most; more of them is not UTF-8, and then any place is as good. */
	while (cut > 0 && max - cut < 3 && is_continuation((uint8_t)text[cut]))
		cut--;
	return cut;
}
