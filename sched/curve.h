/* sched/curve.h - how mail spreads over the hours of a day: learned from what comes in, day by day.
 *
 * Plain data and pure functions. Hours are those of UTC: another warmup.zone moves the days of the lanes and nothing here. */
#ifndef SCHED_CURVE_H
#define SCHED_CURVE_H

#include "base/clock.h"
#include "base/err.h"

#define CURVE_HOURS       24
#define CURVE_ENCODED_LEN 203

struct curve {
	int32_t day;                  /* number since 1970 of the day that is being counted; 0: none was */
	uint8_t from, until;          /* its hours that were seen */
	float weight;                 /* of the days behind `share`: 1 for one with plenty of mail, of about a week at most */
	float share[CURVE_HOURS];     /* of a day's mail, in all 1; counts while weight is above 0 */
	uint32_t today[CURVE_HOURS];  /* recipients */
};

/* A day's line for reading: straight between the hours, never at nothing, in all 1. */
struct curve_line {
	double at[CURVE_HOURS + 1];  /* of the even pace, at the beginning of each hour */
	double sum[CURVE_HOURS + 1]; /* share of the day until then */
	double peak;                 /* the highest of `at` */
};

/* `rcpts` have come in. True: that was the first of another day, and what is known has changed. A clock that was set costs the day it was set on. */
bool curve_note(struct curve *curve, uint32_t rcpts, wall_ms now);

/* The shares of a day by what is known, and by `prior` (NULL: even) as far as little is. */
void curve_blend(const struct curve *curve, const double prior[CURVE_HOURS], double out[CURVE_HOURS]);

/* The line through shares that add up to 1. */
void curve_draw(const double shares[CURVE_HOURS], struct curve_line *out);

/* At that moment, of the even pace: 1 is even. line NULL: even. */
double curve_at(const struct curve_line *line, wall_ms when);

/* Share of a day's mail from `from` on, over `ms` of at most a day. line NULL: even. */
double curve_over(const struct curve_line *line, wall_ms from, int64_t ms);

/* The stored form. decode: ERR_VERSION, ERR_CORRUPT; *curve is then left alone. */
void curve_encode(const struct curve *curve, uint8_t out[CURVE_ENCODED_LEN]);
MUST_USE enum err curve_decode(const void *data, size_t len, struct curve *curve);

#endif
