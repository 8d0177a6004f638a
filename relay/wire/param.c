/* relay/wire/param.c - values of MAIL and RCPT parameters. */
#include "relay/wire/param.h"

#include <string.h>

#include "base/ascii.h"
#include "base/err.h"
#include "relay/wire/unitext.h"
#include "relay/wire/xtext.h"

/* One word of NOTIFY; 0: none of them. */
static uint8_t notify_bit(const char *text, size_t len)
{
	static const struct {
		const char *name;
		uint8_t bit;
	} names[] = { { "NEVER", TELL_NEVER }, { "SUCCESS", TELL_SUCCESS }, { "FAILURE", TELL_FAILURE }, { "DELAY", TELL_DELAY } };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (ascii_equal_n(text, len, names[i].name))
			return names[i].bit;
	return 0;
}

bool param_notify(const char *text, size_t len, uint8_t *out)
{
	const char *end = text + len;
	uint8_t bits = 0;

	for (;;) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		uint8_t bit = notify_bit(text, (size_t)((comma != NULL ? comma : end) - text));

		if (bit == 0)
			return false;
		bits |= bit;
		if (comma == NULL)
			break;
		text = comma + 1;
	}
	if ((bits & TELL_NEVER) && bits != TELL_NEVER)
		return false;
	*out = bits;
	return true;
}

bool param_ret(const char *text, size_t len, enum mail_ret *out)
{
	bool full = ascii_equal_n(text, len, "FULL");

	if (!full && !ascii_equal_n(text, len, "HDRS"))
		return false;
	*out = full ? RET_FULL : RET_HDRS;
	return true;
}

static void copy_to(char *out, const char *text, size_t len)
{
	memcpy(out, text, len);
	out[len] = '\0';
}

bool param_envid(const char *text, size_t len, char out[ENVID_MAX + 1])
{
	if (len > ENVID_MAX || !xtext_is_valid(text, len, false))
		return false;
	copy_to(out, text, len);
	return true;
}

/* An atom of RFC 5322, as far as types are made: letters, digits, hyphens. */
static bool is_type(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!ascii_is_alpha(text[i]) && !ascii_is_digit(text[i]) && text[i] != '-')
			return false;
	return len > 0;
}

static bool is_xtext(const char *text, size_t len)
{
	return xtext_is_valid(text, len, false);
}

bool param_orcpt(const char *text, size_t len, char out[ORCPT_MAX + 1])
{
	const char *semicolon = memchr(text, ';', len);
	size_t type_len = semicolon != NULL ? (size_t)(semicolon - text) : 0;

	if (len > ORCPT_MAX || !is_type(text, type_len))
		return false;
	if (!(ascii_equal_n(text, type_len, "utf-8") ? unitext_is_valid : is_xtext)(semicolon + 1, len - type_len - 1))
		return false;
	copy_to(out, text, len);
	return true;
}

bool param_orcpt_ascii(const char *orcpt, char out[ORCPT_MAX + 1])
{
	static const char type[] = "utf-8;";
	const size_t skip = sizeof(type) - 1;
	char address[ORCPT_MAX + 1];
	size_t len;

	if (!ascii_equal_n(orcpt, skip, type))
		return false;
	len = unitext_decode(orcpt + skip, strlen(orcpt + skip), address, sizeof(address));
	copy_to(out, orcpt, skip);
	return unitext_encode(address, len, true, out + skip, ORCPT_MAX + 1 - skip) <= ORCPT_MAX - skip;
}

/* `count` digits as a number; -1: others among them. */
static int digits(const char *text, size_t count)
{
	int value = 0;

	for (size_t i = 0; i < count; i++) {
		if (!ascii_is_digit(text[i]))
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

bool param_hold_for(const char *text, size_t len, uint32_t *out)
{
	int value = len > 0 && len <= 9 ? digits(text, len) : -1;

	if (value < 1)
		return false;
	*out = (uint32_t)value;
	return true;
}

/* Days since 1970 of a date in the Gregorian calendar; the year begins in March, so that the leap day is its last. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year, m = (month + 9) % 12;

	return 365 * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1 - 719468;
}

static bool is_date(int year, int month, int day)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= lengths[month - 1] + (month == 2 && leap);
}

/* "Z", "+01:00", "-05:30": minutes east of Greenwich. */
static bool offset_of(const char *text, size_t len, int *out)
{
	int hours, minutes;

	if (len == 1 && ascii_lower(text[0]) == 'z') {
		*out = 0;
		return true;
	}
	if (len != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':')
		return false;
	hours = digits(text + 1, 2);
	minutes = digits(text + 4, 2);
	*out = (text[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
	return hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60;
}

/* RFC 3339 section 5.6; a leap second counts as the first of the next minute, fractions do not count. */
bool param_hold_until(const char *text, size_t len, wall_ms *out)
{
	int year, month, day, hour, minute, second, east;
	size_t at = 19;

	if (len < 20 || text[4] != '-' || text[7] != '-' || ascii_lower(text[10]) != 't' || text[13] != ':' || text[16] != ':')
		return false;
	year = digits(text, 4);
	month = digits(text + 5, 2);
	day = digits(text + 8, 2);
	hour = digits(text + 11, 2);
	minute = digits(text + 14, 2);
	second = digits(text + 17, 2);
	if (!is_date(year, month, day) || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return false;
	if (text[at] == '.') {
		do
			at++;
		while (at < len && ascii_is_digit(text[at]));
		if (at == 20)
			return false;
	}
	if (!offset_of(text + at, len - at, &east))
		return false;
	*out = SECONDS(((days_of(year, month, day) * 24 + hour) * 60 + minute - east) * 60 + second);
	return true;
}

bool param_priority(const char *text, size_t len, int8_t *out)
{
	bool below = len == 2 && text[0] == '-';
	int value = len == 1 + (size_t)below ? digits(text + below, 1) : -1;

	if (value < 0 || (below && value == 0))
		return false;
	*out = (int8_t)(below ? -value : value);
	return true;
}
