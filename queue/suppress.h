/* queue/suppress.h - addresses that nothing is taken for: who was refused as unknown, how often, and until when that counts.
 *
 * One row for each address and tenant, with the refusals that count towards it and, once there are enough, the time until which it is
 * suppressed. The tenant "" is all of them. Addresses are compared without regard to the case of ASCII letters. */
#ifndef QUEUE_SUPPRESS_H
#define QUEUE_SUPPRESS_H

#include "queue/queue.h"

#define SUPPRESS_STRIKES    16  /* refusals that one row remembers at most */
#define SUPPRESS_REASON_MAX 300 /* bytes; a longer one is cut */
#define SUPPRESS_TENANT_MAX 64
#define SUPPRESS_KEY_MAX    511 /* bytes of tenant, slash and address */
#define SUPPRESS_ITEMS_MAX  1000 /* of one request: a transaction's share */

enum suppress_op {
	SUPPRESS_STRIKE, /* the address was refused as unknown; enough of them suppress it */
	SUPPRESS_PUT,    /* suppress it until `until`, whatever there was */
	SUPPRESS_DELETE, /* forget it and its refusals */
	SUPPRESS_EXPIRE, /* likewise, if nothing in it counts any more */
};

enum suppress_origin { SUPPRESS_BY_BOUNCE, SUPPRESS_BY_OPERATOR, SUPPRESS_BY_IMPORT, SUPPRESS_ORIGINS };
const char *suppress_origin_name(enum suppress_origin origin); /* "bounce" */

/* A row. */
struct suppress_entry {
	const char *tenant, *address; /* address: ASCII letters in lower case */
	wall_ms since, until;         /* suppressed; until 0: not */
	enum suppress_origin origin;
	const char *reason;           /* words: the last refusal, or the operator's */
	uint32_t strikes;             /* refusals that count towards it */
	wall_ms strike_at[SUPPRESS_STRIKES]; /* oldest first */
};

struct queue_suppress_item {
	enum suppress_op op;
	const char *tenant, *address, *reason; /* reason: NULL or "" for none */
	/* STRIKE: so many within that time suppress for that long. EXPIRE looks at within_ms alone. */
	uint32_t bounces;
	int64_t within_ms, keep_ms;
	/* PUT */
	wall_ms since, until;
	enum suppress_origin origin;
	bool changed; /* out: STRIKE: it is suppressed from now on; PUT: it is new; DELETE, EXPIRE: there was one */
};

/* QUEUE_SUPPRESS: changes of rows, in order, in one transaction. */
struct queue_suppress {
	struct queue_req req;
	wall_ms now;
	struct queue_suppress_item *items;
	size_t item_count; /* SUPPRESS_ITEMS_MAX at most */
	bool urgent;       /* start a commit at once */
};

/* What RCPT asks: is the address suppressed for the tenant, or for all? */
struct suppress_found {
	char tenant[SUPPRESS_TENANT_MAX + 1]; /* of the row: his or "" */
	char reason[SUPPRESS_REASON_MAX + 1];
	wall_ms since, until;
	enum suppress_origin origin;
};
/* ERR_NOT_FOUND: it is not. Two look-ups at most, none while no address is suppressed. */
MUST_USE enum err queue_suppress_find(struct queue_reader *reader, const char *tenant, const char *address, wall_ms now,
    struct suppress_found *out, struct err_detail *why);

/* Where a walk stands; zero at first. */
struct suppress_cursor {
	char key[SUPPRESS_KEY_MAX + 1]; /* the next row is the first one behind it */
	bool end;
};
/* Borrowed for the call; it must not read from the store. */
typedef void (*suppress_fn)(void *arg, const struct suppress_entry *entry);
/* Visit up to `max` rows by tenant and address, expired ones too, in one short read transaction. Rows that cannot be read are passed over. */
MUST_USE enum err queue_suppress_walk(
    struct queue_reader *reader, struct suppress_cursor *cursor, size_t max, suppress_fn fn, void *arg, struct err_detail *why);

/* Does anything in the row count at `now`? */
bool suppress_counts(const struct suppress_entry *entry, wall_ms now, int64_t within_ms);

#endif
