/* relay/deliver/hostmap_int.h - what the files of the map of hosts share; included by hostmap*.c alone.
 *
 *   hostmap.c       the table and the news
 *   hostmap_plan.c  what of a route may be tried now
 *   hostmap_row.c   rows of the store
 */
#ifndef DELIVER_HOSTMAP_INT_H
#define DELIVER_HOSTMAP_INT_H

#include "base/table.h"
#include "relay/deliver/hostmap.h"
#include "relay/deliver/route.h"

#define ANYBODY 0

struct host {
	struct ip_port at;  /* the key: zeroed before it is filled */
	char *name, *why;   /* owned */
	uint8_t failures;   /* in a row; 0: it is not down */
	uint32_t down_for;  /* the one source that could not reach it, or ANYBODY */
	wall_ms since, down_until, no_tls_until;
	uint64_t lease;     /* of the attempt that finds out whether it is up again; 0: none */
	UT_hash_handle hh;  /* in the order of the last news */
};

struct hostmap {
	struct host *table;
	size_t down;       /* hosts with failures */
	uint64_t leases;   /* given so far */
	wall_ms sweep_at;
	hostmap_keep_fn keep;
	void *arg;
};

/* --- hostmap.c ----------------------------------------------------------------------------------------------------------------- */

struct host *hostmap_find(const struct hostmap *map, const struct ip_addr *addr, uint16_t port); /* NULL: nothing is known */
struct host *hostmap_add(struct hostmap *map, const struct ip_port *at);
void hostmap_drop(struct hostmap *map, struct host *host);
void hostmap_set_text(char **text, const char *value);
bool hostmap_is_over(const struct host *host, wall_ms now); /* it need not be remembered any more */

/* --- hostmap_row.c --------------------------------------------------------------------------------------------------------------- */

/* The row of a host is written; goes. */
void hostmap_keep(struct hostmap *map, const struct host *host);
void hostmap_unkeep(struct hostmap *map, const struct host *host);

#endif
