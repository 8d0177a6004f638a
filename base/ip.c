/* base/ip.c - IP addresses, networks and endpoints as values. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static unsigned family_bits(uint8_t family)
{
	return family == AF_INET ? 32 : 128;
}

bool ip_parse(const char *text, struct ip_addr *out)
{
	struct ip_addr addr = { .family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET };

	if (inet_pton(addr.family, text, addr.bytes) != 1)
		return false;
	*out = addr;
	return true;
}

/* Plain decimal without sign or leading zero, 0..max. */
static bool parse_number(const char *text, unsigned max, unsigned *out)
{
	unsigned value = 0;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return false;
	for (; *text != '\0'; text++) {
		if (!ascii_is_digit(*text))
			return false;
		value = value * 10 + (unsigned)(*text - '0');
		if (value > max)
			return false;
	}
	*out = value;
	return true;
}

static bool host_bits_are_zero(const struct ip_addr *addr, unsigned prefix)
{
	unsigned bits = family_bits(addr->family);

	for (unsigned bit = prefix; bit < bits; bit++)
		if (addr->bytes[bit / 8] & (0x80u >> (bit % 8)))
			return false;
	return true;
}

/* Copy text[0..len) into a C string of at most IP_TEXT bytes. */
static bool copy_part(const char *text, size_t len, char out[IP_TEXT])
{
	if (len >= IP_TEXT)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

bool ip_net_parse(const char *text, struct ip_net *out)
{
	const char *slash = strchr(text, '/');
	struct ip_net net;
	char part[IP_TEXT];
	unsigned prefix;

	if (!copy_part(text, slash != NULL ? (size_t)(slash - text) : strlen(text), part) || !ip_parse(part, &net.addr))
		return false;
	prefix = family_bits(net.addr.family);
	if (slash != NULL && !parse_number(slash + 1, prefix, &prefix))
		return false;
	if (!host_bits_are_zero(&net.addr, prefix))
		return false;
	net.prefix = (uint8_t)prefix;
	*out = net;
	return true;
}

bool ip_port_parse(const char *text, struct ip_port *out)
{
	const char *colon = strrchr(text, ':');
	const char *end = colon;
	struct ip_port at;
	char part[IP_TEXT];
	unsigned port;
	bool bracketed = text[0] == '[';

	if (colon == NULL || (bracketed && (colon == text || colon[-1] != ']')))
		return false;
	if (bracketed) {
		text++;
		end--;
	}
	if (!copy_part(text, (size_t)(end - text), part) || !ip_parse(part, &at.addr))
		return false;
	/* Brackets belong to IPv6 alone and are never left out there: "::1:25" could mean two things. */
	if (bracketed != (at.addr.family == AF_INET6))
		return false;
	if (!parse_number(colon + 1, UINT16_MAX, &port) || port == 0)
		return false;
	at.port = (uint16_t)port;
	*out = at;
	return true;
}

char *ip_format(const struct ip_addr *addr, char out[IP_TEXT])
{
	if (addr->family == 0 || inet_ntop(addr->family, addr->bytes, out, IP_TEXT) == NULL)
		memcpy(out, "none", 5);
	return out;
}

char *ip_port_format(const struct ip_port *at, char out[IP_PORT_TEXT])
{
	char text[IP_TEXT];
	bool bracketed = at->addr.family == AF_INET6;

	snprintf(out, IP_PORT_TEXT, "%s%s%s:%u", bracketed ? "[" : "", ip_format(&at->addr, text), bracketed ? "]" : "",
	    (unsigned)at->port);
	return out;
}

bool ip_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, family_bits(a->family) / 8) == 0;
}

void ip_unmap(struct ip_addr *addr)
{
	struct ip_addr v4 = { .family = AF_INET };

	if (addr->family != AF_INET6 || memcmp(addr->bytes, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return;
	memcpy(v4.bytes, addr->bytes + sizeof(mapped_prefix), 4);
	*addr = v4;
}

bool ip_net_contains(const struct ip_net *net, const struct ip_addr *addr)
{
	struct ip_addr inside = *addr, base = net->addr;
	unsigned prefix = net->prefix;
	unsigned whole, rest;

	ip_unmap(&inside);
	if (prefix >= 96 && base.family == AF_INET6) {
		ip_unmap(&base);
		if (base.family == AF_INET)
			prefix -= 96;
	}
	if (inside.family == 0 || inside.family != base.family)
		return false;
	whole = prefix / 8;
	rest = prefix % 8;
	if (memcmp(inside.bytes, base.bytes, whole) != 0)
		return false;
	return rest == 0 || ((inside.bytes[whole] ^ base.bytes[whole]) >> (8 - rest)) == 0;
}

socklen_t ip_to_sockaddr(const struct ip_addr *addr, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	must(addr->family == AF_INET || addr->family == AF_INET6);
	memset(out, 0, sizeof(*out));
	out->ss_family = addr->family;
	if (addr->family == AF_INET) {
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, addr->bytes, 4);
		return sizeof(*v4);
	}
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, addr->bytes, 16);
	return sizeof(*v6);
}

bool ip_from_sockaddr(const struct sockaddr *sa, struct ip_port *out)
{
	struct ip_port at = { 0 };
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	/* Copied, since a sockaddr need not be aligned for its real type. */
	if (sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		at.port = ntohs(v4.sin_port);
		memcpy(at.addr.bytes, &v4.sin_addr, 4);
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&v6, sa, sizeof(v6));
		at.port = ntohs(v6.sin6_port);
		memcpy(at.addr.bytes, &v6.sin6_addr, 16);
	} else {
		return false;
	}
	at.addr.family = (uint8_t)sa->sa_family;
	*out = at;
	return true;
}
