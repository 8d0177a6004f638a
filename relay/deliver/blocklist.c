/* relay/deliver/blocklist.c - DNS blocklists (RFC 5782): the name to ask about an address, and what an answer means. */
#include "relay/deliver/blocklist.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

char *blocklist_name(const struct ip_addr *addr, const char *zone, char out[BLOCKLIST_NAME_MAX])
{
	const uint8_t *b = addr->bytes;
	size_t at = 0;

	if (addr->family == AF_INET) {
		(void)snprintf(out, BLOCKLIST_NAME_MAX, "%u.%u.%u.%u.%.300s", b[3], b[2], b[1], b[0], zone);
		return out;
	}
	for (int i = 15; i >= 0; i--)
		at += (size_t)snprintf(out + at, BLOCKLIST_NAME_MAX - at, "%x.%x.", b[i] & 15, b[i] >> 4);
	(void)snprintf(out + at, BLOCKLIST_NAME_MAX - at, "%.300s", zone);
	return out;
}

static enum blocklist_verdict trouble(char words[BLOCKLIST_WORDS], const char *what, const char *address)
{
	(void)snprintf(words, BLOCKLIST_WORDS, "%s%s", what, address);
	return BLOCKLIST_TROUBLE;
}

enum blocklist_verdict blocklist_read(const struct dns_answer *answer, char words[BLOCKLIST_WORDS])
{
	char text[IP_TEXT];
	size_t at = 0;

	words[0] = '\0';
	if (answer->status == DNS_NO_NAME || answer->status == DNS_NO_DATA)
		return BLOCKLIST_CLEAN;
	if (answer->status != DNS_FOUND || answer->addr_count == 0)
		return trouble(words, "no answer: ", answer->why[0] ? answer->why : dns_status_text(answer->status));
	for (size_t i = 0; i < answer->addr_count; i++) {
		const uint8_t *b = answer->addrs[i].bytes;

		ip_format(&answer->addrs[i], text);
		if (answer->addrs[i].family != AF_INET || b[0] != 127)
			return trouble(words, "no list answers so: ", text);
		if (b[1] == 255 && b[2] == 255)
			return trouble(words, "the list does not serve this resolver: ", text);
		at += (size_t)snprintf(words + at, BLOCKLIST_WORDS - at, "%s%s", at ? " " : "", text);
		if (at > BLOCKLIST_WORDS - IP_TEXT - 2)
			break;
	}
	return BLOCKLIST_LISTED;
}
