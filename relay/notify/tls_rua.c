/* relay/notify/tls_rua.c - where a domain wants its TLS reports sent: the TXT record at _smtp._tls. */
#include "relay/notify/tls_rua.h"

#include <string.h>

#include "base/ascii.h"
#include "relay/wire/address.h"

static const char version[] = "v=TLSRPTv1";

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Is it one of ours? Others may stand beside it. */
static const char *behind_version(const char *record)
{
	size_t len = sizeof(version) - 1;

	if (strncmp(record, version, len) != 0)
		return NULL;
	for (record += len; is_blank(*record);)
		record++;
	return *record == ';' ? record : NULL;
}

static int hex_value(char c)
{
	c = ascii_lower(c);
	return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 section 2.1. False: malformed, too long, or a control. */
static bool decode(const char *text, size_t len, char *out, size_t size)
{
	size_t written = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)text[i];

		if (c == '%') {
			int high = i + 2 < len ? hex_value(text[i + 1]) : -1, low = i + 2 < len ? hex_value(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
		}
		if (c <= ' ' || c >= 0x7f || written + 1 >= size)
			return false;
		out[written++] = (char)c;
	}
	out[written] = '\0';
	return true;
}

/* RFC 6068, without what it says of header fields. */
static bool take_mailto(const char *uri, size_t len, char *out)
{
	const char *query = memchr(uri, '?', len);
	struct address address;
	char text[TLS_RUA_TEXT];

	if (!decode(uri, query ? (size_t)(query - uri) : len, text, sizeof(text)) || !strchr(text, '@') ||
	    address_parse(text, false, &address, NULL) != OK || address.at == 0)
		return false;
	memcpy(out, address.text, strlen(address.text) + 1);
	return true;
}

/* As it stands: it is asked as it was written. */
static bool take_https(const char *uri, size_t len, char *out)
{
	size_t host = strlen("https://");

	if (len <= host || len >= TLS_RUA_TEXT)
		return false;
	for (size_t i = 0; i < len; i++)
		if (uri[i] <= ' ' || uri[i] >= 0x7f || (uri[i] == '@' && !memchr(uri + host, '/', i - host)))
			return false;
	memcpy(out, uri, len);
	out[len] = '\0';
	return true;
}

static void take_uri(struct tls_rua *rua, const char *uri, size_t len)
{
	static const char mailto[] = "mailto:", https[] = "https://";
	char *out = rua->to[rua->count].text;
	bool is_https = len > sizeof(https) - 1 && ascii_equal_n(uri, sizeof(https) - 1, https);

	while (len > 0 && is_blank(uri[len - 1]))
		len--;
	if (is_https ? !take_https(uri, len, out) : len <= sizeof(mailto) - 1 || !ascii_equal_n(uri, sizeof(mailto) - 1, mailto) ||
	        !take_mailto(uri + sizeof(mailto) - 1, len - (sizeof(mailto) - 1), out))
		return;
	rua->to[rua->count++].https = is_https;
}

/* Places that we cannot send to are passed over. */
static void take_rua(struct tls_rua *rua, const char *list, size_t len)
{
	while (len > 0 && rua->count < TLS_RUA_MAX) {
		const char *comma = memchr(list, ',', len);
		size_t part = comma ? (size_t)(comma - list) : len, skip = 0;

		while (skip < part && is_blank(list[skip]))
			skip++;
		take_uri(rua, list + skip, part - skip);
		list += part + (comma != NULL);
		len -= part + (comma != NULL);
	}
}

static bool is_value(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((text[i] < ' ' && text[i] != '\t') || text[i] >= 0x7f)
			return false;
	return len > 0;
}

/* The field at `at`, behind its semicolon; its end. NULL: malformed. */
static const char *take_field(struct tls_rua *rua, const char *at, bool *found)
{
	size_t len, name;

	while (is_blank(*at))
		at++;
	len = strcspn(at, ";");
	if (len == 0)
		return at[0] == '\0' ? at : NULL;
	name = strcspn(at, "=");
	if (name == 0 || name >= len || !is_value(at + name + 1, len - name - 1))
		return NULL;
	if (name == 3 && memcmp(at, "rua", 3) == 0) {
		if (*found)
			return NULL;
		*found = true;
		take_rua(rua, at + 4, len - 4);
	}
	return at + len;
}

bool tls_rua_read(char *const *txt, size_t count, struct tls_rua *out)
{
	const char *at = NULL;
	size_t records = 0;
	bool found = false;

	*out = (struct tls_rua){ .count = 0 };
	for (size_t i = 0; i < count; i++) {
		const char *rest = behind_version(txt[i]);

		records += rest != NULL;
		at = rest ? rest : at;
	}
	if (records != 1)
		return false;
	while (at && *at == ';')
		at = take_field(out, at + 1, &found);
	return at && out->count > 0;
}
