/* relay/wire/xclient.c - the argument of XCLIENT. */
#include "relay/wire/xclient.h"

#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "relay/wire/xtext.h"

#define VALUE_MAX 255 /* bytes, decoded */

typedef bool take_value(struct xclient *out, const char *value);

static bool take_name(struct xclient *out, const char *value)
{
	return true;
}

/* IPv6 addresses are marked as such; nginx does not. */
static bool take_addr(struct xclient *out, const char *value)
{
	bool marked = ascii_equal_n(value, strlen(value) < 5 ? strlen(value) : 5, "IPV6:");

	out->has_addr = ip_parse(marked ? value + 5 : value, &out->addr) && (!marked || out->addr.family == AF_INET6);
	ip_unmap(&out->addr);
	return out->has_addr;
}

static bool take_port(struct xclient *out, const char *value)
{
	size_t digits = strspn(value, "0123456789");
	long port = digits <= 5 ? strtol(value, NULL, 10) : -1;

	if (digits == 0 || value[digits] != '\0' || port < 0 || port > UINT16_MAX)
		return false;
	out->port = (uint16_t)port;
	out->has_port = true;
	return true;
}

static bool take_proto(struct xclient *out, const char *value)
{
	return ascii_equal(value, "ESMTP") || ascii_equal(value, "SMTP");
}

static bool take_helo(struct xclient *out, const char *value)
{
	if (strlen(value) > DOMAIN_MAX || strchr(value, ' ') != NULL)
		return false;
	memcpy(out->helo, value, strlen(value) + 1);
	out->has_helo = true;
	return true;
}

static bool take_login(struct xclient *out, const char *value)
{
	memcpy(out->login, value, strlen(value) + 1); /* no longer than VALUE_MAX */
	out->has_login = true;
	return true;
}

static const struct attribute {
	const char *name;
	take_value *take;
} attributes[] = {
	{ "NAME", take_name }, { "ADDR", take_addr }, { "PORT", take_port }, { "PROTO", take_proto }, { "HELO", take_helo }, { "LOGIN", take_login },
};

_Static_assert(XCLIENT_LOGIN_MAX >= VALUE_MAX, "a login may not fit");

static bool is_unknown(const char *value)
{
	return ascii_equal(value, "[UNAVAILABLE]") || ascii_equal(value, "[TEMPUNAVAIL]");
}

static enum err take_attribute(size_t i, const char *value, size_t len, struct xclient *out, struct err_detail *why)
{
	char decoded[VALUE_MAX + 2];

	if (!xtext_is_valid(value, len, false) || xtext_decode(value, len, decoded, sizeof(decoded)) > VALUE_MAX)
		return err_set(why, ERR_INVALID, "%s is no xtext of at most %d bytes", attributes[i].name, VALUE_MAX);
	if (is_unknown(decoded)) {
		out->no_login = out->no_login || attributes[i].take == take_login;
		return OK;
	}
	if (!attributes[i].take(out, decoded))
		return err_set(why, ERR_INVALID, "bad value of %s", attributes[i].name);
	return OK;
}

static enum err take_word(const char *word, size_t len, unsigned *seen, struct xclient *out, struct err_detail *why)
{
	const char *equals = memchr(word, '=', len);
	size_t name_len = equals != NULL ? (size_t)(equals - word) : len;

	for (size_t i = 0; equals != NULL && i < ARRAY_LEN(attributes); i++) {
		if (!ascii_equal_n(word, name_len, attributes[i].name))
			continue;
		if (*seen & 1U << i)
			return err_set(why, ERR_INVALID, "%s is given twice", attributes[i].name);
		*seen |= 1U << i;
		return take_attribute(i, equals + 1, len - name_len - 1, out, why);
	}
	return err_set(why, ERR_INVALID, "XCLIENT takes NAME, ADDR, PORT, PROTO, HELO and LOGIN");
}

enum err xclient_parse(const char *text, size_t len, struct xclient *out, struct err_detail *why)
{
	unsigned seen = 0;

	*out = (struct xclient){ .has_addr = false };
	while (len > 0) {
		const char *blank = memchr(text, ' ', len);
		size_t word = blank != NULL ? (size_t)(blank - text) : len;
		enum err err = word > 0 ? take_word(text, word, &seen, out, why) : OK;

		if (err != OK)
			return err;
		text += word;
		len -= word;
		if (len > 0) {
			text++;
			len--;
		}
	}
	return seen != 0 ? OK : err_set(why, ERR_INVALID, "XCLIENT needs an attribute");
}
