/* relay/deliver/hostmap.h - addresses of receiving servers that are remembered as down or as unable to do TLS, for all jobs. Main thread. */
#ifndef DELIVER_HOSTMAP_H
#define DELIVER_HOSTMAP_H

#include "queue/queue.h"
#include "relay/deliver/route.h"

/* What an attempt found out about an address. */
enum host_news {
	HOST_UP,     /* it greeted us */
	HOST_DOWN,   /* no connection, or no greeting */
	HOST_TLS,    /* a handshake was done */
	HOST_NO_TLS, /* a handshake failed, and clear text was allowed */
};
struct host_note {
	struct ip_addr addr;
	enum host_news news;
};

struct hostmap;

/* Never NULL. */
struct hostmap *hostmap_create(void) MUST_USE;
void hostmap_destroy(struct hostmap **map); /* after the last request that carries its memo */

/* A source as the map knows it: a host that one source could not reach is down for that one alone until a second one could not either. */
uint32_t hostmap_source(const char *name);

/* Take news that `source` brought. Down: left to the last for a minute, twice as long each time in a row, `longest_ms` at most; then behind
 * those that nothing is held against, until it answers or some time has passed, so that a job's next attempt begins elsewhere. No TLS: spoken to in the clear for an hour, where
 * that is allowed. Returns whether anything changed that is worth keeping. */
bool hostmap_note(struct hostmap *map, const struct ip_port *at, enum host_news news, uint32_t source, int64_t longest_ms, wall_ms now);

/*
 * The route as `source` is to try it now: `route` itself, or a copy in which addresses that failed come behind the others and those that are down
 * last, and hosts of which no other is left behind other hosts; where one family alone has failed, a host's addresses of the other come first; it knows which addresses cannot do TLS. A reference for the caller. The key is that of `route`.
 */
struct route *hostmap_route(const struct hostmap *map, struct route *route, uint32_t source, wall_ms now) MUST_USE;

/* How many addresses are remembered. */
size_t hostmap_count(const struct hostmap *map);

/* What is kept in the store, to travel with a request; and its content read back at start. */
struct queue_memo *hostmap_memo(struct hostmap *map);
void hostmap_restore(struct hostmap *map, const void *data, size_t len, wall_ms now);
#define HOSTMAP_MEMO "hosts"

#endif
