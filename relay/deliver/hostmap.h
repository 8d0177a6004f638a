/* relay/deliver/hostmap.h - addresses of receiving servers that are remembered as down or as unable to do TLS, for all jobs. Main thread.
 *
 * One that is down is left out of the routes of all jobs while another of the set is up. Once its pause is over one attempt at a time may try
 * it again; each failure makes the pause longer, an answer ends it at once. With all of them down the mail waits for that. */
#ifndef DELIVER_HOSTMAP_H
#define DELIVER_HOSTMAP_H

#include "base/clock.h"
#include "base/ip.h"

/* What an attempt found out about an address. */
enum host_news {
	HOST_UP,     /* it greeted us */
	HOST_DOWN,   /* no connection, or no greeting */
	HOST_TLS,    /* a handshake was done */
	HOST_NO_TLS, /* a handshake failed, and clear text was allowed */
};
#define HOST_WHY 80
struct host_note {
	struct ip_addr addr;
	enum host_news news;
	char why[HOST_WHY]; /* DOWN: in words */
};

struct hostmap;
struct route;

/* Keeps a row under a name, or removes it (len 0); all is borrowed for the call. */
typedef void (*hostmap_keep_fn)(void *arg, const char *name, const void *data, size_t len);

/* Never NULL. `keep` is called with each change that is worth keeping; NULL: nothing is kept. */
struct hostmap *hostmap_create(hostmap_keep_fn keep, void *arg) MUST_USE;
void hostmap_destroy(struct hostmap **map);

/* A source as the map knows it: a host that one source could not reach is down for that one alone until a second one could not either. */
uint32_t hostmap_source(const char *name);

/* News that a source brought of an address. */
struct host_report {
	enum host_news news;
	uint32_t source;
	const char *name;   /* of the host, "" not known; copied */
	const char *why;    /* DOWN: in words; copied */
	int64_t longest_ms; /* the longest pause */
};

/* Down: nobody tries it for a minute, twice as long each time in a row, longest_ms at most; then one attempt at a time does, and it is forgotten
 * when nobody has for a day. No TLS: spoken to in the clear for an hour, where that is allowed. */
void hostmap_note(struct hostmap *map, const struct ip_port *at, const struct host_report *report, wall_ms now);

/* The operator wants to see an attempt: what is down of the route may be tried now. */
void hostmap_lift(struct hostmap *map, const struct route *route, wall_ms now);

/* --- routes --------------------------------------------------------------------------------------------------------------------- */

enum { HOSTMAP_V4 = 1, HOSTMAP_V6 = 2 };

struct hostmap_ask {
	uint32_t source;
	unsigned families; /* that the source reaches, HOSTMAP_V4 | HOSTMAP_V6 */
	bool alone;        /* no other source of its pool could take the mail: what this one cannot reach is down */
	bool only;         /* nor could any other at all */
};

struct hostmap_wait {
	wall_ms until;
	bool everybody; /* no source has another address of the route to try */
};

/*
 * The route as a source is to try it now: `route` itself, or a copy without the addresses that are down, in which hosts of which none is left do
 * not appear. Where one family alone has failed, a host's addresses of the other come first. It knows which addresses cannot do TLS, and in words
 * what was left out (route.left_out). A reference for the caller; the key is that of `route`.
 *
 * An address whose pause is over is in the copies of one caller at a time: *lease_out is then above 0, and hostmap_release must follow. While
 * others are up that is one address; else all whose time has come, those that failed longest ago first.
 *
 * NULL: there is nothing to try before wait->until.
 */
struct route *hostmap_route(struct hostmap *map, struct route *route, const struct hostmap_ask *ask, wall_ms now, uint64_t *lease_out,
    struct hostmap_wait *wait) MUST_USE;

/* The same question without an attempt: false when there is nothing to try before wait->until. */
bool hostmap_may_try(const struct hostmap *map, const struct route *route, const struct hostmap_ask *ask, wall_ms now, struct hostmap_wait *wait);

/* The attempt with that lease is over, whatever it has found out. */
void hostmap_release(struct hostmap *map, const struct route *route, uint64_t lease);

/* --- for the operator ------------------------------------------------------------------------------------------------------------ */

/* An address that is down, or whose probe is due or under way; texts borrowed for the call. */
struct host_view {
	struct ip_port at;
	const char *name, *why;
	wall_ms since, until; /* down since; not tried before */
	unsigned failures;    /* in a row */
	bool probing, for_one; /* an attempt is finding out; for_one: one source alone could not reach it */
};
typedef void (*host_view_fn)(void *arg, const struct host_view *view);

/* Those of a route. */
void hostmap_walk_route(const struct hostmap *map, const struct route *route, host_view_fn fn, void *arg);

/* `count` of all that are remembered, from the one at `from` on, in the order of the last news. False: there are no more. */
bool hostmap_walk(const struct hostmap *map, size_t from, size_t count, host_view_fn fn, void *arg);

/* How many addresses are remembered, and how many of them because they are down. */
size_t hostmap_count(const struct hostmap *map);
size_t hostmap_count_down(const struct hostmap *map);

/* --- over a restart ---------------------------------------------------------------------------------------------------------------- */

/* Rows are kept as notes under this name and the address. What cannot be read, or is over, is removed. */
#define HOSTMAP_ROW "host/"
void hostmap_restore(struct hostmap *map, const char *name, const void *data, size_t len, wall_ms now);

/* One memo held what was known until rows did: read when it is there, and left empty. */
#define HOSTMAP_MEMO "hosts"
void hostmap_restore_memo(struct hostmap *map, const void *data, size_t len, wall_ms now);

#endif
