/* relay/wire/unitext.c - addresses beyond ASCII where there is only ASCII. */
#include "relay/wire/unitext.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "relay/wire/utf8.h"

#define DIGITS_MAX 6
#define POINT_MAX  0x10ffff

/* Of a well-formed character. */
static uint32_t point_of(const char *text, size_t n)
{
	static const uint8_t masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t point = (uint8_t)text[0] & masks[n];

	for (size_t i = 1; i < n; i++)
		point = point << 6 | ((uint8_t)text[i] & 0x3f);
	return point;
}

/* Bytes written, 1..4. */
static size_t put_point(uint32_t point, char out[4])
{
	static const uint8_t marks[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	size_t n = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; point >>= 6)
		out[i] = (char)(0x80 | (point & 0x3f));
	out[0] = (char)(marks[n] | point);
	return n;
}

size_t unitext_char(const char *text, size_t n, char out[UNITEXT_CHAR])
{
	return (size_t)snprintf(out, UNITEXT_CHAR, "\\x{%02X}", (unsigned)point_of(text, n));
}

/* Capital letters alone; -1: no such digit. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* So many digits at `text` and what they mean; 0: too few or too many. */
static size_t digits_at(const char *text, size_t len, size_t least, size_t most, uint32_t *point_out)
{
	size_t n = 0;

	*point_out = 0;
	while (n < len && n < most && hex_value(text[n]) >= 0)
		*point_out = *point_out << 4 | (uint32_t)hex_value(text[n++]);
	return n >= least ? n : 0;
}

/* An escape at `text`: its length and what it means; 0: there is none, or a malformed one. */
static size_t escape_at(const char *text, size_t len, uint32_t *point_out)
{
	size_t digits;

	if (len >= 3 && text[0] == '+') {
		digits = digits_at(text + 1, len - 1, 2, 2, point_out);
		return digits > 0 ? 3 : 0;
	}
	if (len < 6 || memcmp(text, "\\x{", 3) != 0)
		return 0;
	digits = digits_at(text + 3, len - 3, 2, DIGITS_MAX, point_out);
	if (digits == 0 || 3 + digits >= len || text[3 + digits] != '}' || *point_out > POINT_MAX || (*point_out >= 0xd800 && *point_out < 0xe000))
		return 0;
	return digits + 4;
}

static bool is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != '+' && c != '=' && c != '\\';
}

bool unitext_is_valid(const char *text, size_t len)
{
	size_t used;

	for (size_t i = 0; i < len; i += used) {
		uint32_t point;

		used = (uint8_t)text[i] < 0x80 ? is_plain(text[i]) : utf8_char(text + i, len - i);
		if (used > 0)
			continue;
		used = escape_at(text + i, len - i, &point);
		if (used == 0 || point < ' ' || point == 0x7f)
			return false;
	}
	return len > 0;
}

size_t unitext_decode(const char *text, size_t len, char *out, size_t size)
{
	size_t n = 0, used;

	for (size_t i = 0; i < len; i += used) {
		uint32_t point;
		char piece[4];
		size_t count = 1;

		used = escape_at(text + i, len - i, &point);
		if (used > 0) {
			count = put_point(point, piece);
		} else {
			used = count = utf8_char(text + i, len - i) > 0 ? utf8_char(text + i, len - i) : 1;
			memcpy(piece, text + i, count);
		}
		if (n + count >= size)
			break;
		memcpy(out + n, piece, count);
		n += count;
	}
	out[n] = '\0';
	return n;
}

size_t unitext_encode(const char *text, size_t len, bool ascii, char *out, size_t size)
{
	size_t n = 0, all = 0, used;

	for (size_t i = 0; i < len; i += used) {
		char piece[UNITEXT_CHAR] = "?";
		size_t count = 1;

		used = utf8_char(text + i, len - i);
		if (used == 0)
			used = 1;
		else if (used == 1 ? is_plain(text[i]) : !ascii)
			memcpy(piece, text + i, count = used);
		else
			count = unitext_char(text + i, used, piece);
		if (n == all && n + count < size) {
			memcpy(out + n, piece, count);
			n += count;
		}
		all += count;
	}
	out[n] = '\0';
	return all;
}
