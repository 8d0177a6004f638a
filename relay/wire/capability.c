/* relay/wire/capability.c - EHLO keywords of a server (RFC 5321 section 4.1.1.1). */
#include "relay/wire/capability.h"

#include <string.h>

#include "base/ascii.h"

static const struct keyword {
	const char *name;
	unsigned bit;
} keywords[] = {
	{ "PIPELINING", CAP_PIPELINING },
	{ "8BITMIME", CAP_8BITMIME },
	{ "SMTPUTF8", CAP_SMTPUTF8 },
	{ "STARTTLS", CAP_STARTTLS },
	{ "SIZE", CAP_SIZE },
	{ "CHUNKING", CAP_CHUNKING },
	{ "DSN", CAP_DSN },
	{ "ENHANCEDSTATUSCODES", CAP_ENHANCED },
	{ "BINARYMIME", CAP_BINARYMIME },
	{ "REQUIRETLS", CAP_REQUIRETLS },
	{ "LIMITS", CAP_LIMITS },
	{ "AUTH", CAP_AUTH },
};

/* A decimal number at the start of `text`; what is no number or too large is 0, which means "none given". */
static uint64_t parse_number(const char *text, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len && ascii_is_digit(text[i]); i++) {
		unsigned digit = (unsigned)(text[i] - '0');

		if (value > (UINT64_MAX - digit) / 10)
			return 0;
		value = value * 10 + digit;
	}
	return value;
}

static uint32_t parse_limit(const char *text, size_t len)
{
	uint64_t value = parse_number(text, len);

	return value <= UINT32_MAX ? (uint32_t)value : 0;
}

static bool has_prefix(const char *text, size_t len, const char *prefix)
{
	return len >= strlen(prefix) && ascii_equal_n(text, strlen(prefix), prefix);
}

/* "MAILMAX=20 RCPTMAX=100" (RFC 9422 section 4); what we do not know is none of our concern. */
static void parse_limits(const char *text, size_t len, struct capabilities *out)
{
	static const char mail[] = "MAILMAX=", rcpt[] = "RCPTMAX=";

	while (len > 0) {
		const char *blank = memchr(text, ' ', len);
		size_t word = blank != NULL ? (size_t)(blank - text) : len;

		if (has_prefix(text, word, mail))
			out->limit_mail = parse_limit(text + strlen(mail), word - strlen(mail));
		else if (has_prefix(text, word, rcpt))
			out->limit_rcpt = parse_limit(text + strlen(rcpt), word - strlen(rcpt));
		text += word;
		len -= word;
		while (len > 0 && *text == ' ') {
			text++;
			len--;
		}
	}
}

/* "AUTH=" is the form of servers older than RFC 4954. */
static size_t keyword_len(const char *line, size_t len)
{
	size_t n = 0;

	while (n < len && line[n] != ' ' && line[n] != '=')
		n++;
	return n;
}

static void parse_line(const char *line, size_t len, struct capabilities *out)
{
	size_t name_len = keyword_len(line, len);
	const char *rest = line + name_len;
	size_t rest_len = len - name_len;

	while (rest_len > 0 && *rest == ' ') {
		rest++;
		rest_len--;
	}
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		if (!ascii_equal_n(line, name_len, keywords[i].name))
			continue;
		out->bits |= keywords[i].bit;
		if (keywords[i].bit == CAP_SIZE)
			out->size_max = parse_number(rest, rest_len);
		if (keywords[i].bit == CAP_LIMITS)
			parse_limits(rest, rest_len, out);
	}
}

void capabilities_parse(const char *text, struct capabilities *out)
{
	const char *line = strchr(text, '\n');

	memset(out, 0, sizeof(*out));
	while (line != NULL) {
		const char *start = line + 1;

		line = strchr(start, '\n');
		parse_line(start, line != NULL ? (size_t)(line - start) : strlen(start), out);
	}
}
