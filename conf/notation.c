/* conf/notation.c - how texts, numbers, times, rates and addresses are written. */
#include "conf/notation.h"

#include <crypt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"

#define NAME_MAX_LEN  64
#define DOMAIN_MAX    253 /* RFC 1035 section 2.3.4, without the root's dot */
#define LABEL_MAX     63
#define LOCAL_MAX     64 /* RFC 5321 section 4.5.3.1.1 */
#define NUMBER_MAX    (INT64_MAX / 2)

struct unit {
	char letter;
	int64_t factor;
};

/* Largest first: printing takes the first that divides. */
static const struct unit time_units[] = { { 'd', DAYS(1) }, { 'h', HOURS(1) }, { 'm', MINUTES(1) }, { 's', SECONDS(1) } };
static const struct unit size_units[] = {
	{ 'T', INT64_C(1) << 40 }, { 'G', INT64_C(1) << 30 }, { 'M', INT64_C(1) << 20 }, { 'K', INT64_C(1) << 10 },
};

static const struct unit *unit_find(const struct unit *units, size_t count, char letter)
{
	for (size_t i = 0; i < count; i++)
		if (units[i].letter == letter)
			return &units[i];
	return NULL;
}

/* Digits at *text, which moves behind them. False: none, or more than NUMBER_MAX. */
static bool digits(const char **text, int64_t *out)
{
	const char *p = *text;

	*out = 0;
	for (; ascii_is_digit(*p); p++) {
		if (*out > (NUMBER_MAX - 9) / 10)
			return false;
		*out = *out * 10 + (*p - '0');
	}
	if (p == *text)
		return false;
	*text = p;
	return true;
}

static bool scale(int64_t *number, int64_t factor)
{
	if (*number > NUMBER_MAX / factor)
		return false;
	*number *= factor;
	return true;
}

/* Control characters, and the line breaks and non-characters of Unicode that YAML would not give back as they are. */
static bool is_control(const char *text)
{
	static const char *const sequences[] = { "\xe2\x80\xa8", "\xe2\x80\xa9", "\xef\xbb\xbf", "\xef\xbf\xbe", "\xef\xbf\xbf" };
	const unsigned char *bytes = (const unsigned char *)text;

	if (bytes[0] < 0x20 || bytes[0] == 0x7f || (bytes[0] == 0xc2 && bytes[1] < 0xa0))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(sequences); i++)
		if (strncmp(text, sequences[i], 3) == 0)
			return true;
	return false;
}

bool notation_string(const char *text, struct value *out)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (is_control(text + i))
			return false;
	out->text = text;
	return len > 0 && len < 256;
}

bool notation_name(const char *text, struct value *out)
{
	size_t len = strlen(text);

	if (len == 0 || len > NAME_MAX_LEN || !(ascii_is_alpha(text[0]) || ascii_is_digit(text[0])))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!ascii_is_alpha(text[i]) && !ascii_is_digit(text[i]) && !strchr("-_.", text[i]))
			return false;
	out->text = text;
	return true;
}

/* Labels of letters, digits, '-' and '_' (which hosts of real mail systems carry), no dot at either end. All digits and dots is
 * an address that somebody mistyped, never a domain (RFC 3696 section 2). */
static bool is_domain(const char *text, size_t len)
{
	size_t label = 0;
	bool alpha = false;

	if (len == 0 || len > DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '.') {
			if (label == 0 || text[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && c != '_' && !(c == '-' && label > 0))
			return false;
		alpha = alpha || !ascii_is_digit(c);
		if (++label > LABEL_MAX)
			return false;
	}
	return label > 0 && alpha && text[len - 1] != '-';
}

bool notation_host(const char *text, struct value *out)
{
	size_t len = strlen(text);

	if (!is_domain(text, len))
		return false;
	memcpy(out->held, text, len + 1);
	ascii_lower_str(out->held);
	out->text = out->held;
	return true;
}

/* A dot-atom and a domain (RFC 5321 section 4.1.2), without what only quoted strings can carry. */
bool notation_mailbox(const char *text, struct value *out)
{
	const char *at = strrchr(text, '@');
	size_t local = at ? (size_t)(at - text) : 0, len = strlen(text);

	if (local == 0 || local > LOCAL_MAX || len >= sizeof(out->held) || !is_domain(at + 1, len - local - 1))
		return false;
	for (size_t i = 0; i < local; i++)
		if (!ascii_is_alpha(text[i]) && !ascii_is_digit(text[i]) && !strchr("!#$%&'*+-/=?^_`{|}~.", text[i]))
			return false;
	memcpy(out->held, text, len + 1);
	ascii_lower_str(out->held + local);
	out->text = out->held;
	return true;
}

bool notation_route(const char *text, struct value *out)
{
	if (strcmp(text, "*") == 0) {
		out->text = text;
		return true;
	}
	return notation_host(text, out);
}

static bool port_parse(const char *text, uint16_t *out)
{
	int64_t number;

	if (!digits(&text, &number) || *text != '\0' || number < 1 || number > 65535)
		return false;
	*out = (uint16_t)number;
	return true;
}

bool notation_host_port(const char *text, struct value *out)
{
	const char *colon = strrchr(text, ':');
	struct ip_addr addr;
	char host[256];

	if (!colon || colon - text >= (ptrdiff_t)sizeof(host) || !port_parse(colon + 1, &out->port))
		return false;
	notation_host_of(text, host);
	out->text = text;
	if (text[0] == '[')
		return ip_parse(host, &addr) && addr.family == AF_INET6;
	return is_domain(host, strlen(host)) || (ip_parse(host, &addr) && addr.family == AF_INET);
}

void notation_host_of(const char *text, char out[256])
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	must(len < 256);
	memcpy(out, text, len);
	out[len] = '\0';
	ascii_lower_str(out);
}

static size_t base64_span(const char *text)
{
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
}

/* 32 bytes in base64. Returns what follows them, or NULL. */
static const char *skip_sha256(const char *text)
{
	return base64_span(text) == 43 && text[43] == '=' ? text + 44 : NULL;
}

/* SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY in base64, as PostgreSQL and others keep it. RFC 7677 section 4: 4096 iterations or
 * more; a salt of 8 bytes or more. */
static bool is_scram(const char *text)
{
	int64_t iterations;
	size_t salt;

	text += strlen("SCRAM-SHA-256$");
	if (!digits(&text, &iterations) || iterations < 4096 || iterations > 10000000 || *text++ != ':')
		return false;
	salt = base64_span(text);
	if (salt < 11 || salt > 128)
		return false;
	for (text += salt; *text == '='; text++)
		salt++;
	if (salt % 4 != 0 || *text++ != '$')
		return false;
	text = skip_sha256(text);
	if (!text || *text++ != ':')
		return false;
	text = skip_sha256(text);
	return text && *text == '\0';
}

bool notation_fingerprint(const char *text, struct value *out)
{
	size_t used = 0;

	for (; *text != '\0'; text++) {
		if (*text == ':' && used > 0 && used % 2 == 0 && text[1] != '\0' && text[1] != ':')
			continue;
		if (!strchr("0123456789abcdefABCDEF", *text) || used == 64)
			return false;
		out->held[used++] = *text;
	}
	out->held[used] = '\0';
	ascii_lower_str(out->held);
	out->text = out->held;
	return used == 64;
}

/* Schemes of crypt(5) that resist guessing, with the length of what follows the last '$'. */
bool notation_hash(const char *text, struct value *out)
{
	static const struct { const char *prefix; size_t tail; } schemes[] = {
		{ "$y$", 43 }, { "$gy$", 43 }, { "$7$", 43 }, { "$2b$", 53 }, { "$2a$", 53 }, { "$2y$", 53 },
		{ "$6$", 86 }, { "$5$", 43 },
	};
	const char *last = strrchr(text, '$');

	if (strncmp(text, "SCRAM-SHA-256$", 14) == 0) {
		out->text = text;
		return is_scram(text);
	}
	if (strlen(text) >= CRYPT_OUTPUT_SIZE || crypt_checksalt(text) == CRYPT_SALT_INVALID)
		return false;
	out->text = text;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strncmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
			return strlen(last + 1) == schemes[i].tail;
	return false;
}

bool notation_count(const char *text, struct value *out)
{
	return digits(&text, &out->number) && *text == '\0';
}

bool notation_duration(const char *text, struct value *out)
{
	const struct unit *unit;

	if (strcmp(text, "none") == 0 || strcmp(text, "0") == 0)
		return true;
	if (!digits(&text, &out->number))
		return false;
	unit = unit_find(time_units, ARRAY_LEN(time_units), *text);
	return unit && text[1] == '\0' && scale(&out->number, unit->factor);
}

bool notation_days(const char *text, struct value *out)
{
	return digits(&text, &out->number) && strcmp(text, "d") == 0;
}

bool notation_size(const char *text, struct value *out)
{
	const struct unit *unit;

	if (!digits(&text, &out->number))
		return false;
	if (*text == '\0')
		return true;
	unit = unit_find(size_units, ARRAY_LEN(size_units), *text);
	return unit && text[1] == '\0' && scale(&out->number, unit->factor);
}

/* The number is recipients a day, whatever the period, so that rates can be compared. */
bool notation_rate(const char *text, struct value *out)
{
	const struct unit *unit;

	if (strcmp(text, "none") == 0)
		return true;
	if (!digits(&text, &out->number) || *text != '/' || out->number == 0)
		return false;
	unit = unit_find(time_units, ARRAY_LEN(time_units), text[1]);
	if (!unit || text[2] != '\0')
		return false;
	out->period_ms = unit->factor;
	return scale(&out->number, DAYS(1) / unit->factor);
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

bool notation_date(const char *text, struct value *out)
{
	int year, month, day;
	int64_t days = 0;

	for (size_t i = 0; i < 10; i++)
		if (i == 4 || i == 7 ? text[i] != '-' : !ascii_is_digit(text[i]))
			return false;
	if (text[10] != '\0' || sscanf(text, "%4d-%2d-%2d", &year, &month, &day) != 3)
		return false;
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
		return false;
	for (int y = 1970; y < year; y++)
		days += is_leap(y) ? 366 : 365;
	for (int m = 1; m < month; m++)
		days += days_in_month(year, m);
	out->number = DAYS(days + day - 1);
	return true;
}

/* An offset and no name of a zone: those change with the season, and a budget's day must not. */
bool notation_zone(const char *text, struct value *out)
{
	int hours, minutes;

	if (strcmp(text, "UTC") == 0)
		return true;
	for (size_t i = 0; i < 6; i++)
		if (i == 0 ? text[0] != '+' && text[0] != '-' : i == 3 ? text[3] != ':' : !ascii_is_digit(text[i]))
			return false;
	if (text[6] != '\0' || sscanf(text + 1, "%2d:%2d", &hours, &minutes) != 2 || hours > 14 || minutes > 59)
		return false;
	out->number = (HOURS(hours) + MINUTES(minutes)) * (text[0] == '-' ? -1 : 1);
	return true;
}

bool notation_address(const char *text, struct value *out)
{
	return ip_parse(text, &out->net.addr);
}

bool notation_network(const char *text, struct value *out)
{
	return ip_net_parse(text, &out->net);
}

static bool keep_endpoint(const struct ip_port *at, struct value *out)
{
	out->net.addr = at->addr;
	out->port = at->port;
	return at->port > 0;
}

bool notation_endpoint(const char *text, struct value *out)
{
	struct ip_port at;

	return ip_port_parse(text, &at) && keep_endpoint(&at, out);
}

bool notation_resolver(const char *text, struct value *out)
{
	const char *sign = strchr(text, '@');
	char address[IP_TEXT];
	struct ip_port at = { .port = 53 };
	size_t len = sign ? (size_t)(sign - text) : strlen(text);

	if (len >= sizeof(address) || (sign && !port_parse(sign + 1, &at.port)))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	return ip_parse(address, &at.addr) && keep_endpoint(&at, out);
}

static void put_units(int64_t number, const struct unit *units, size_t count, char *out)
{
	for (size_t i = 0; i < count; i++) {
		if (number != 0 && number % units[i].factor == 0) {
			snprintf(out, VALUE_TEXT_MAX, "%" PRId64 "%c", number / units[i].factor, units[i].letter);
			return;
		}
	}
	snprintf(out, VALUE_TEXT_MAX, "%" PRId64, number);
}

void notation_put_count(const struct value *value, char *out)
{
	snprintf(out, VALUE_TEXT_MAX, "%" PRId64, value->number);
}

void notation_put_days(const struct value *value, char *out)
{
	snprintf(out, VALUE_TEXT_MAX, "%" PRId64 "d", value->number);
}

void notation_put_size(const struct value *value, char *out)
{
	put_units(value->number, size_units, ARRAY_LEN(size_units), out);
}

void notation_put_duration(const struct value *value, char *out)
{
	if (value->number == 0)
		snprintf(out, VALUE_TEXT_MAX, "0s");
	else
		put_units(value->number, time_units, ARRAY_LEN(time_units), out);
}

void notation_put_date(const struct value *value, char *out)
{
	char text[CLOCK_TEXT];

	snprintf(out, VALUE_TEXT_MAX, "%.10s", clock_rfc3339(value->number, text));
}

void notation_put_rate(const struct value *value, char *out)
{
	char letter = 's';

	if (value->period_ms == 0) {
		snprintf(out, VALUE_TEXT_MAX, "none");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(time_units); i++)
		if (time_units[i].factor == value->period_ms)
			letter = time_units[i].letter;
	snprintf(out, VALUE_TEXT_MAX, "%" PRId64 "/%c", value->number / (DAYS(1) / value->period_ms), letter);
}

void notation_put_zone(const struct value *value, char *out)
{
	int64_t minutes = value->number / MINUTES(1), size = minutes < 0 ? -minutes : minutes;

	if (minutes == 0)
		snprintf(out, VALUE_TEXT_MAX, "UTC");
	else
		snprintf(out, VALUE_TEXT_MAX, "%c%02d:%02d", minutes < 0 ? '-' : '+', (int)(size / 60), (int)(size % 60));
}

void notation_put_address(const struct value *value, char *out)
{
	ip_format(&value->net.addr, out);
}

void notation_put_network(const struct value *value, char *out)
{
	char text[IP_TEXT];

	snprintf(out, VALUE_TEXT_MAX, "%s/%u", ip_format(&value->net.addr, text), value->net.prefix);
}

void notation_put_endpoint(const struct value *value, char *out)
{
	struct ip_port at = { value->net.addr, value->port };

	ip_port_format(&at, out);
}

void notation_put_resolver(const struct value *value, char *out)
{
	char text[IP_TEXT];

	snprintf(out, VALUE_TEXT_MAX, "%s@%u", ip_format(&value->net.addr, text), value->port);
}
