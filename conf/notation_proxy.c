/* conf/notation_proxy.c - how a proxy is written: "socks5://[user:password@]address:port". */
#include <string.h>

#include "base/ascii.h"
#include "conf/notation.h"

#define SCHEME "socks5://"

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, ascii_lower(c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* A word of the user part, without its %XX (RFC 3986 section 2.1), 1 to 255 bytes. */
static bool take_word(const char *text, size_t len, char out[256])
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '%') {
			if (i + 2 >= len || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
				return false;
			c = (char)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
			i += 2;
		} else if (strchr(":/@?#[]", c)) {
			return false;
		}
		if (c == '\0' || used == 255)
			return false;
		out[used++] = c;
	}
	out[used] = '\0';
	return used > 0;
}

bool notation_proxy_split(const char *text, struct value_proxy *out)
{
	const char *at, *colon;

	memset(out, 0, sizeof(*out));
	if (strncmp(text, SCHEME, strlen(SCHEME)) != 0)
		return false;
	text += strlen(SCHEME);
	at = strrchr(text, '@');
	if (!at)
		return ip_port_parse(text, &out->at);
	colon = memchr(text, ':', (size_t)(at - text));
	return colon && take_word(text, (size_t)(colon - text), out->user) && take_word(colon + 1, (size_t)(at - colon - 1), out->password) &&
	    ip_port_parse(at + 1, &out->at);
}

bool notation_proxy(const char *text, struct value *out)
{
	struct value_proxy proxy;
	bool good = notation_string(text, out) && notation_proxy_split(text, &proxy);

	explicit_bzero(&proxy, sizeof(proxy));
	return good;
}
