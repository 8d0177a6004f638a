/* relay/intake/quota.h - how many recipients a tenant has handed in, by the hour and by the day, and when the next one may be.
 *
 * Recipients are counted in slots of time: five minutes for the hour, two hours for the day. A sliding window is the slots of the last hour or
 * day, the oldest in full; a calendar window those since the clock's hour or day (UTC) began. Where mail is delayed it takes slots that lie
 * ahead, never one before what waits already.
 *
 * Any thread, without a lock: a recipient is counted first and taken back when that was one too many. */
#ifndef INTAKE_QUOTA_H
#define INTAKE_QUOTA_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

#define QUOTA_PERIOD      12 /* slots of an hour, and of a day */
#define QUOTA_HOUR_AHEAD  (24 * QUOTA_PERIOD) /* slots that may be taken in advance: a day */
#define QUOTA_DAY_AHEAD   (4 * QUOTA_PERIOD)  /* four days */
#define QUOTA_SLOTS(ahead) (QUOTA_PERIOD + 2 + (ahead))
#define QUOTA_RECORD_MAX  4096 /* bytes of a record */

/* A slot that counts: its number since 1970 in the upper half, recipients in the lower. Zero-filled at first. */
struct quota {
	_Atomic uint64_t hour[QUOTA_SLOTS(QUOTA_HOUR_AHEAD)], day[QUOTA_SLOTS(QUOTA_DAY_AHEAD)];
	_Atomic uint32_t hour_last, day_last; /* the latest slot that was taken */
};

/* What is allowed. */
struct quota_limits {
	uint64_t hour, day; /* recipients; 0: any number */
	bool calendar;      /* else sliding */
	bool delay;         /* take a slot ahead; else only now */
	wall_ms latest;     /* delay: not later */
};

/*
 * Count one recipient.
 *
 * OK: *when_out is when it may be delivered, `now` or later. ERR_LIMIT: nothing was counted; *when_out is when there will be room.
 */
MUST_USE enum err quota_take(struct quota *quota, const struct quota_limits *limits, wall_ms now, wall_ms *when_out);

/* Take one back that was to be delivered at `when`. */
void quota_give(struct quota *quota, wall_ms when);

/* Counted in the windows that end now, slots ahead not counted. */
void quota_used(const struct quota *quota, bool calendar, wall_ms now, uint64_t *hour_out, uint64_t *day_out);

/* The stored form, into QUOTA_RECORD_MAX bytes; slots that no window will ask for again are left out. Returns its length. */
size_t quota_encode(const struct quota *quota, wall_ms now, uint8_t *out);

/* Into an empty one. ERR_CORRUPT, ERR_VERSION: it stays empty. */
MUST_USE enum err quota_decode(struct quota *quota, const void *data, size_t len, struct err_detail *why);

#endif
