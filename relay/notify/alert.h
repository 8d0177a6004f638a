/* relay/notify/alert.h - what somebody must be told of: open alerts, and which of them are to be told now.
 *
 * An alert is a kind and an object. It is told when it has lasted for a moment, again after a long time while it lasts, and once when it has
 * ended. What begins and ends within the moment is not told, nor is one that ends and comes back at once. Pure: time is handed in. */
#ifndef NOTIFY_ALERT_H
#define NOTIFY_ALERT_H

#include "base/buf.h"
#include "base/clock.h"

enum alert_kind {
	ALERT_BLOCK,     /* a lane is closed: source to destination */
	ALERT_BLOCKLIST, /* a DNS blocklist names a source: source in zone */
	ALERT_SOURCE,    /* a source cannot be used */
	ALERT_HELD,      /* mail waits for the operator */
	ALERT_DISK,      /* no room for new mail */
	ALERT_STORE,     /* outcomes cannot be stored */
	ALERT_LATE,      /* cold addresses cannot send what waits in time: to destination */
	ALERT_DNSSEC,    /* DNSSEC is not in force though it is wanted */
	ALERT_KINDS
};
const char *alert_kind_name(enum alert_kind kind); /* "block" */

#define ALERT_OBJECT_MAX 300 /* bytes; longer ones are cut */
#define ALERT_TEXT_MAX   400
#define ALERT_OPEN_MAX   500 /* open at once; more are only logged */
#define ALERT_RECORD_MAX (1 + 1 + 8 + 8 + 2 * 2 + ALERT_OBJECT_MAX + ALERT_TEXT_MAX)

struct alert {
	enum alert_kind kind;
	char object[ALERT_OBJECT_MAX + 1];
	char text[ALERT_TEXT_MAX + 1];
	wall_ms since;
	wall_ms told;  /* last time; 0: not yet */
	wall_ms ended; /* 0: it lasts */
	wall_ms until; /* ends by itself then, unless it is raised again; 0: it does not */
};

struct alerts;
/* None open; never NULL. */
struct alerts *alerts_create(void) MUST_USE;
void alerts_destroy(struct alerts **alerts);

/* `until`: see struct alert. An open one gets the new text. */
void alerts_raise(struct alerts *alerts, enum alert_kind kind, const char *object, const char *text, wall_ms until, wall_ms now);
void alerts_clear(struct alerts *alerts, enum alert_kind kind, const char *object, wall_ms now);

/* Why one is told. */
enum alert_news { ALERT_BEGINS, ALERT_LASTS, ALERT_ENDS };
const char *alert_news_name(enum alert_news news); /* "begins" */
typedef void (*alert_fn)(void *arg, const struct alert *alert, enum alert_news news);

/* When there is something to tell: a time, maybe past; WALL_NEVER. */
wall_ms alerts_due(struct alerts *alerts, int64_t gather_ms, int64_t every_ms);

/* If that time has come, call `fn` with everything that is to be told, and count it as told; ended ones are forgotten afterwards. Returns how many. */
size_t alerts_take(struct alerts *alerts, int64_t gather_ms, int64_t every_ms, wall_ms now, alert_fn fn, void *arg);

/* All that last, in the order in which they began. */
typedef void (*alert_walk_fn)(void *arg, const struct alert *alert);
void alerts_walk(const struct alerts *alerts, alert_walk_fn fn, void *arg);

/* Stored form of one that was told; returns its length. Giving it back: it counts as told, and ends at `until` unless it is raised again by
 * then. False: it cannot be read. */
size_t alert_encode(const struct alert *alert, uint8_t out[ALERT_RECORD_MAX]);
bool alerts_restore(struct alerts *alerts, const void *data, size_t len, wall_ms until);

#endif
