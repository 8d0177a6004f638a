/* relay/wire/proxy.h - the header by which a load balancer tells whom it speaks for: HAProxy's PROXY protocol, versions 1 and 2. Pure. */
#ifndef WIRE_PROXY_H
#define WIRE_PROXY_H

#include "base/err.h"
#include "base/ip.h"

#define PROXY_HEADER_MAX 2064 /* bytes: version 2 with 2 KB of addresses and extras. Version 1 has 107 */

enum proxy_status { PROXY_MORE, PROXY_DONE, PROXY_BAD };

struct proxy_reader {
	char data[PROXY_HEADER_MAX];
	size_t len;
	bool has_client;       /* out: false: the proxy speaks for itself (LOCAL, UNKNOWN) */
	struct ip_port client; /* out */
};

void proxy_reader_init(struct proxy_reader *reader);

/*
 * Take bytes of the header. *used_out: how many were; what follows them is not the header's.
 *
 * MORE: all were taken, and it goes on. DONE: the header is whole. BAD: not a header, cut or too long, another transport than TCP, or addresses
 * that do not fit it; `why` says what. Strict: nothing is guessed.
 */
enum proxy_status proxy_read(struct proxy_reader *reader, const char *in, size_t len, size_t *used_out, struct err_detail *why);

#endif
