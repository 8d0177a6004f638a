/* relay/wire/xclient.h - the argument of XCLIENT, by which a proxy tells whom it speaks for (postfix.org/XCLIENT_README.html). Pure. */
#ifndef WIRE_XCLIENT_H
#define WIRE_XCLIENT_H

#include "base/err.h"
#include "base/ip.h"
#include "relay/wire/address.h"

#define XCLIENT_LOGIN_MAX 255

/* What was told; what the proxy does not know ([UNAVAILABLE], [TEMPUNAVAIL]) is not. NAME and PROTO are read and not kept: they
 * decide nothing. */
struct xclient {
	bool has_addr, has_port, has_helo, has_login;
	bool no_login;             /* LOGIN=[UNAVAILABLE]: nobody has logged in */
	struct ip_addr addr;
	uint16_t port;
	char helo[DOMAIN_MAX + 1]; /* printable, without blanks */
	char login[XCLIENT_LOGIN_MAX + 1];
};

/* Parse "NAME=... ADDR=... PORT=... PROTO=... HELO=... LOGIN=...", values in xtext, each at most once. ERR_INVALID with a text for a 501 reply. */
MUST_USE enum err xclient_parse(const char *text, size_t len, struct xclient *out, struct err_detail *why);

#endif
