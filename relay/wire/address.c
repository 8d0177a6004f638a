/* relay/wire/address.c - SMTP paths and mailboxes (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
 *
 * Departures, because mail of real people depends on them: a local part may be longer than 64 bytes (VERP and SRS senders are; RFC 5321 section
 * 4.5.3.1 asks for no needless limits), and dots may stand anywhere in it (mobile carriers gave out "a..b@" and "a.@"). */
#include "relay/wire/address.h"

#include <string.h>

#include "base/ascii.h"
#include "base/ip.h"
#include "relay/wire/utf8.h"

#define LABEL_MAX 63

/* What is still to be read of the text. */
struct cursor {
	const char *next, *end;
	bool allow_utf8;
	bool saw_utf8;
};

static bool cursor_at(const struct cursor *cursor, char c)
{
	return cursor->next < cursor->end && *cursor->next == c;
}

static bool cursor_skip(struct cursor *cursor, char c)
{
	if (!cursor_at(cursor, c))
		return false;
	cursor->next++;
	return true;
}

/* Step over one well-formed character above ASCII. */
static bool skip_utf8(struct cursor *cursor)
{
	size_t n = utf8_char(cursor->next, (size_t)(cursor->end - cursor->next));

	if (n < 2 || !cursor->allow_utf8)
		return false;
	cursor->saw_utf8 = true;
	cursor->next += n;
	return true;
}

static bool is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

/* atext of RFC 5322 section 3.2.3, and the dot. */
static bool is_atom_char(char c)
{
	return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

static bool is_domain_char(char c)
{
	return is_alnum(c) || c == '-' || c == '_';
}

static bool is_above_ascii(const struct cursor *cursor)
{
	return cursor->next < cursor->end && (uint8_t)*cursor->next >= 0x80;
}

static enum err fail_at(const struct cursor *cursor, const char *what, struct err_detail *why)
{
	if (is_above_ascii(cursor) && !cursor->allow_utf8)
		return err_set(why, ERR_INVALID, "non-ASCII address needs SMTPUTF8");
	if (is_above_ascii(cursor) && utf8_char(cursor->next, (size_t)(cursor->end - cursor->next)) == 0)
		return err_set(why, ERR_INVALID, "address is not valid UTF-8");
	return err_set(why, ERR_INVALID, "%s", what);
}

/* Quoted-string: qtextSMTP and quoted-pairSMTP (RFC 5321 section 4.1.2), the first quote being next. */
static bool skip_quoted(struct cursor *cursor)
{
	cursor->next++;
	while (cursor->next < cursor->end && *cursor->next != '"') {
		if (cursor_skip(cursor, '\\') && is_above_ascii(cursor))
			return false;
		if (is_above_ascii(cursor)) {
			if (!skip_utf8(cursor))
				return false;
			continue;
		}
		if (cursor->next == cursor->end || *cursor->next < ' ' || *cursor->next == 0x7f)
			return false;
		cursor->next++;
	}
	return cursor_skip(cursor, '"');
}

static bool skip_atoms(struct cursor *cursor)
{
	const char *start = cursor->next;

	while (cursor->next < cursor->end) {
		if (is_atom_char(*cursor->next))
			cursor->next++;
		else if (!skip_utf8(cursor))
			break;
	}
	return cursor->next > start;
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3), the bracket being next. */
static bool skip_literal(struct cursor *cursor)
{
	static const char tag[] = "IPv6:";
	const char *start = cursor->next + 1;
	const char *close = memchr(start, ']', (size_t)(cursor->end - start));
	struct ip_addr addr;
	char text[IP_TEXT];
	bool six;

	if (close == NULL)
		return false;
	six = (size_t)(close - start) >= strlen(tag) && ascii_equal_n(start, strlen(tag), tag);
	if (six)
		start += strlen(tag);
	if ((size_t)(close - start) >= sizeof(text) || memchr(start, '\0', (size_t)(close - start)) != NULL)
		return false;
	memcpy(text, start, (size_t)(close - start));
	text[close - start] = '\0';
	if (!ip_parse(text, &addr) || (addr.family == AF_INET6) != six)
		return false;
	cursor->next = close + 1;
	return true;
}

/* One label. A U-label's bytes say nothing about the length of its A-label, which is checked where names are looked up. */
static bool skip_label(struct cursor *cursor)
{
	const char *start = cursor->next;
	bool ascii = true;

	while (cursor->next < cursor->end) {
		if (is_domain_char(*cursor->next))
			cursor->next++;
		else if (skip_utf8(cursor))
			ascii = false;
		else
			break;
	}
	return cursor->next > start && (!ascii || cursor->next - start <= LABEL_MAX);
}

static bool skip_domain(struct cursor *cursor)
{
	const char *start = cursor->next;

	if (cursor_at(cursor, '['))
		return skip_literal(cursor);
	do {
		if (!skip_label(cursor))
			return false;
	} while (cursor_skip(cursor, '.'));
	return cursor->next - start <= DOMAIN_MAX;
}

/* "@a,@b:" before a mailbox: read and dropped (RFC 5321 appendix C). */
static bool skip_route(struct cursor *cursor)
{
	do {
		if (!cursor_skip(cursor, '@') || !skip_domain(cursor))
			return false;
	} while (cursor_skip(cursor, ','));
	return cursor_skip(cursor, ':');
}

static bool is_postmaster(const char *text, size_t len)
{
	return ascii_equal_n(text, len, "postmaster");
}

/* Is what follows the end of a bare or bracketed mailbox? */
static bool mailbox_ends(const struct cursor *cursor)
{
	return cursor->next == cursor->end || cursor_at(cursor, '>') || cursor_at(cursor, ' ');
}

static enum err store(const struct cursor *cursor, const char *start, size_t at, struct address *out, struct err_detail *why)
{
	size_t len = (size_t)(cursor->next - start);

	if (len > ADDRESS_MAX)
		return err_set(why, ERR_INVALID, "address is longer than %d bytes", ADDRESS_MAX);
	memset(out, 0, sizeof(*out));
	memcpy(out->text, start, len);
	out->at = (uint16_t)at;
	out->utf8 = cursor->saw_utf8;
	if (at > 0)
		ascii_lower_str(out->text + out->at + 1);
	return OK;
}

/* Local-part "@" ( Domain / address-literal ), or the bare "postmaster" of RFC 5321 section 4.1.1.3. */
static enum err parse_mailbox(struct cursor *cursor, struct address *out, struct err_detail *why)
{
	const char *start = cursor->next;
	size_t at;

	if (!(cursor_at(cursor, '"') ? skip_quoted(cursor) : skip_atoms(cursor)))
		return fail_at(cursor, "bad local part of address", why);
	if (mailbox_ends(cursor) && is_postmaster(start, (size_t)(cursor->next - start)))
		return store(cursor, start, 0, out, why);
	at = (size_t)(cursor->next - start);
	if (!cursor_skip(cursor, '@'))
		return fail_at(cursor, mailbox_ends(cursor) ? "address has no domain" : "bad local part of address", why);
	if (!skip_domain(cursor))
		return fail_at(cursor, "bad domain of address", why);
	return store(cursor, start, at, out, why);
}

/* What stands between "<" and ">". */
static enum err parse_bracketed(struct cursor *cursor, struct address *out, struct err_detail *why)
{
	if (cursor_skip(cursor, '>')) {
		memset(out, 0, sizeof(*out));
		return OK;
	}
	if (cursor_at(cursor, '@') && !skip_route(cursor))
		return fail_at(cursor, "bad source route in path", why);
	cursor->saw_utf8 = false;
	if (parse_mailbox(cursor, out, why) != OK)
		return ERR_INVALID;
	if (!cursor_skip(cursor, '>'))
		return fail_at(cursor, cursor->next == cursor->end ? "no \">\" at the end of path" : "bad domain of address", why);
	return OK;
}

enum err address_parse_path(const char *text, size_t len, bool allow_utf8, struct address *out, size_t *used_out,
    struct err_detail *why)
{
	struct cursor cursor = { .next = text, .end = text + len, .allow_utf8 = allow_utf8 };
	struct address address;

	if (cursor_skip(&cursor, '<')) {
		if (parse_bracketed(&cursor, &address, why) != OK)
			return ERR_INVALID;
	} else {
		if (parse_mailbox(&cursor, &address, why) != OK)
			return ERR_INVALID;
		if (!mailbox_ends(&cursor) || cursor_at(&cursor, '>'))
			return fail_at(&cursor, "bad domain of address", why);
	}
	*out = address;
	*used_out = (size_t)(cursor.next - text);
	return OK;
}

enum err address_parse(const char *text, bool allow_utf8, struct address *out, struct err_detail *why)
{
	struct cursor cursor = { .next = text, .end = text + strlen(text), .allow_utf8 = allow_utf8 };
	struct address address;

	if (parse_mailbox(&cursor, &address, why) != OK)
		return ERR_INVALID;
	if (cursor.next != cursor.end)
		return fail_at(&cursor, "bad domain of address", why);
	*out = address;
	return OK;
}

const char *address_domain(const struct address *address)
{
	return address->at == 0 ? "" : address->text + address->at + 1;
}

bool domain_is_valid(const char *domain)
{
	struct cursor cursor = { .next = domain, .end = domain + strlen(domain) };

	return !cursor_at(&cursor, '[') && skip_domain(&cursor) && cursor.next == cursor.end;
}
