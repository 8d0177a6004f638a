/* relay/notify/tls_rua.h - where a domain wants its TLS reports sent: the TXT record at _smtp._tls (RFC 8460 section 3). Pure. */
#ifndef NOTIFY_TLS_RUA_H
#define NOTIFY_TLS_RUA_H

#include "base/err.h"

#define TLS_RUA_MAX     4   /* places; further ones are not told */
#define TLS_RUA_TEXT    512 /* bytes of one */

struct tls_rua {
	struct {
		bool https; /* else an address for mail */
		char text[TLS_RUA_TEXT];
	} to[TLS_RUA_MAX];
	size_t count;
};

/* Read the records at the name. False: not exactly one begins with "v=TLSRPTv1", it is malformed, or names no place that we can send to. */
bool tls_rua_read(char *const *txt, size_t count, struct tls_rua *out);

#endif
