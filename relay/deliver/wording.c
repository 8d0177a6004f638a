/* relay/deliver/wording.c - a reply on one line, taken apart for the rules: codes, and the words without what differs from one reply to the
 * next. */
#include "relay/deliver/wording.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Length of "5.1.1" at `p`; 0: no enhanced code. Four numbers are an address. RFC 3463 section 2. */
static size_t enhanced_len(const char *p)
{
	size_t len = 1;

	if ((p[0] != '4' && p[0] != '5') || p[1] != '.')
		return 0;
	for (int part = 0; part < 2; part++) {
		size_t digits = 0;

		if (p[len] != '.')
			return 0;
		while (digits < 4 && is_digit(p[len + 1 + digits]))
			digits++;
		if (digits == 0 || digits == 4)
			return 0;
		len += 1 + digits;
	}
	return is_digit(p[len]) || (p[len] == '.' && is_digit(p[len + 1])) ? 0 : len;
}

/* The first one that begins a word, which brackets and "#" may precede. */
static void find_enhanced(struct wording *out, const char *reply)
{
	for (const char *p = reply; *p; p++) {
		size_t len = enhanced_len(p);

		if (len == 0 || len >= sizeof(out->enhanced) || (p > reply && !strchr(" #([;:-,\t", p[-1])))
			continue;
		memcpy(out->enhanced, p, len);
		out->enhanced[len] = '\0';
		return;
	}
}

static const char *skip_codes(struct wording *out, const char *p)
{
	size_t len;

	while (is_blank(*p))
		p++;
	if (is_digit(p[0]) && is_digit(p[1]) && is_digit(p[2]) && !is_digit(p[3])) {
		out->code = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
		for (p += 3; is_blank(*p) || *p == '-' || *p == ';'; p++)
			;
	}
	p += p[0] == '#';
	len = enhanced_len(p);
	for (p += len; len > 0 && (is_blank(*p) || *p == ':' || *p == ';'); p++)
		;
	return p;
}

static void add(struct wording *out, char c)
{
	if (is_blank(c) && (out->len == 0 || out->text[out->len - 1] == ' '))
		return;
	if (out->len + 1 < sizeof(out->text))
		out->text[out->len++] = is_blank(c) ? ' ' : c;
}

/* Bytes of a mailbox address at `p`, which begins a word; 0: none. Longer ones than any address are left as they are. */
static size_t address_len(const char *p)
{
	size_t local = strcspn(p, " \t\r\n@<>()[]{},;:/?&'\""), domain;

	if (local == 0 || local > 128 || p[local] != '@' || memmem(p, local, "..", 2))
		return 0;
	domain = strspn(p + local + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
	while (domain > 0 && (p[local + domain] == '.' || p[local + domain] == '-'))
		domain--;
	return domain > 0 ? local + 1 + domain : 0;
}

/* Behind the mark between two lines, and an enhanced code that is said again (RFC 2034 section 4). 0: no such mark here. */
static size_t line_mark_len(const char *p)
{
	size_t len = p[0] == '\n' ? 1 : strncmp(p, " / ", 3) == 0 ? 3 : 0;

	return len > 0 ? len + enhanced_len(p + len) : 0;
}

void wording_read(struct wording *out, const char *reply)
{
	bool word_begins = true;
	size_t len;

	out->code = 0;
	out->len = 0;
	out->enhanced[0] = '\0';
	find_enhanced(out, reply);
	for (const char *p = skip_codes(out, reply); *p; p += len) {
		if ((len = line_mark_len(p)) > 0) {
			add(out, ' ');
			word_begins = true;
		} else if (word_begins && (len = address_len(p)) > 0) {
			add(out, '@');
			word_begins = false;
		} else if (strncmp(p, "\xe2\x80\x99", 3) == 0) {
			len = 3;
			add(out, '\'');
			word_begins = true;
		} else {
			len = 1;
			add(out, *p);
			word_begins = is_blank(*p) || strchr("<(['\":;,=.", *p); /* "denied...user@example.com" */
		}
	}
	out->text[out->len] = '\0';
}
