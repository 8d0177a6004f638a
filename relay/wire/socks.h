/* relay/wire/socks.h - the client's half of SOCKS 5 (RFC 1928) with user name and password (RFC 1929): bytes in, bytes out. Pure. */
#ifndef WIRE_SOCKS_H
#define WIRE_SOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"

#define SOCKS_SAY_MAX 513 /* bytes said in one go: a login with two words of 255 */

enum socks_state { SOCKS_METHOD, SOCKS_LOGIN, SOCKS_REQUEST, SOCKS_OVER };

/* What a step came to. */
enum socks_result {
	SOCKS_MORE,         /* the answer is not whole yet, or there is more to say */
	SOCKS_OPEN,         /* what follows is the remote's */
	SOCKS_REMOTE_FAILS, /* the proxy works, the remote cannot be reached from it */
	SOCKS_PROXY_FAILS,  /* the proxy speaks something else, wants another login, or will not serve us */
};

struct socks {
	enum socks_state state;
	struct ip_port to;
	const char *user, *password; /* borrowed while state is not OVER; NULL: no login */
	uint8_t say[SOCKS_SAY_MAX];  /* to be sent now, say_len bytes */
	size_t say_len;
	const char *why;             /* of a failure; static words */
};

/* Begin: the greeting is in `say`. The address is handed on as such, IPv4 or IPv6; names are never left to the proxy. `user` and `password` of
 * 1 to 255 bytes each, or both NULL. */
void socks_begin(struct socks *socks, const struct ip_port *to, const char *user, const char *password);

/* Look at what the proxy has sent. *used_out: so many bytes of it belong to the answers; after OPEN the rest is the remote's. `say` holds what
 * is to be sent next, say_len may be 0. */
enum socks_result socks_take(struct socks *socks, const uint8_t *data, size_t len, size_t *used_out);

#endif
