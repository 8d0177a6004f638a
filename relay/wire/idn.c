/* relay/wire/idn.c - domain names in ASCII. */
#include "relay/wire/idn.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

#include "relay/wire/utf8.h"

char *idn_ascii(const char *name)
{
	char *ascii;

	if (utf8_is_ascii(name, strlen(name)))
		return xstrdup(name);
	return idn2_to_ascii_8z(name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK ? ascii : NULL;
}

char *idn_ascii_address(const char *address)
{
	const char *at = strrchr(address, '@');
	char *domain, *whole;

	if (!at || !utf8_is_ascii(address, (size_t)(at - address)))
		return xstrdup(address);
	domain = idn_ascii(at + 1);
	whole = domain ? xasprintf("%.*s@%s", (int)(at - address), address, domain) : xstrdup(address);
	free(domain);
	return whole;
}
