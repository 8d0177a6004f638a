/* sched/warmup.h - how much a cold lane may send: its budget of the day, its pace, and what the provider's answers make of both.
 *
 * Plain data and pure functions: no clock, no lane, no configuration. A lane's state is a `struct warmup`, which goes to the store as
 * opaque bytes with every claim. Volumes are recipients. */
#ifndef SCHED_WARMUP_H
#define SCHED_WARMUP_H

#include "base/clock.h"
#include "base/err.h"
#include "sched/curve.h"

#define WARMUP_ENCODED_MAX 256
#define WARMUP_DAY_MS      ((int64_t)86400000)

/* A plan as it holds for one lane. Borrowed from the configuration. */
struct warmup_plan {
	bool adapt;            /* the answers decide, within `start`, `growth` and `explore`; false: days (or start and growth) are a calendar */
	uint32_t start;        /* the first day's volume, at least 1 */
	double growth;         /* adapt: most that a day may be of the recent mean; else the factor from day to day */
	double explore;        /* adapt: most that a day may multiply while the provider has not shown any limit; below 2: no exploration */
	uint32_t ceiling;      /* a budget above that is none: the lane is warm */
	uint32_t idle_days;    /* so many without mail: start again */
	const uint32_t *days;  /* calendar; NULL: from start and growth */
	size_t day_count;
	const struct curve_line *curve; /* how the mail spreads over the day; NULL: evenly */
	wall_ms curve_shift;            /* from the wall clock to the clock of the lane's days */
	double hint; /* what other sources were taken of there on the day they met their first limit; 0: not known */
	bool wary;   /* its source was blocked elsewhere of late */
};

enum warmup_phase {
	WARMUP_EXPLORE, /* no limit was met yet: the pace grows with what was taken */
	WARMUP_CLIMB,   /* a limit was met: the budget follows the recent mean */
	WARMUP_WARM,    /* beyond the plan's ceiling, or adopted by the operator: no budget */
};

enum warmup_halt {
	WARMUP_GOING,
	WARMUP_RESTING, /* after a sign or a block: until pause_until, then one recipient is tried */
	WARMUP_PROBING, /* that one is under way */
	WARMUP_ENDED,   /* the day's limit was met: tomorrow */
};

struct warmup {
	int32_t day;       /* number since 1970 of the lane's own day */
	uint8_t phase, halt;
	uint8_t hour_wait; /* the rest ends with the clock hour: an hourly limit is suspected */
	uint8_t paused;    /* by the operator */
	uint8_t listed;    /* the rest follows a block, not a throttle */
	uint8_t limited;   /* the day's limit, or its neighbourhood, was met today */
	uint8_t started;   /* a day has begun: budget and day count */
	uint8_t forced;    /* the operator has set today's budget */
	uint32_t step;     /* days that counted */
	uint32_t budget, used;  /* today; used: claimed */
	uint32_t accepted, throttled, deferred, blocked, unknown, complained; /* today's answers */
	uint32_t refused;  /* today's refusals that count as for volume */
	uint32_t sign_refused; /* of the sign that led to this rest */
	uint32_t row, block_row; /* attempts in a row that brought nothing but 4xx; blocks in a row */
	uint8_t wordless;  /* the sign that led to this rest spoke of no volume */
	uint32_t row_deferred; /* in that row, by words that do not speak of volume */
	uint32_t probes;   /* failed ones of this rest */
	uint32_t blocks;   /* rests after blocks in a row */
	uint32_t idle;     /* days in a row without mail */
	uint32_t freeze;   /* days on which the budget stays */
	int32_t hour;      /* clock hour of hour_used */
	uint32_t hour_used;
	uint32_t hour_sign; /* hour_used when an hourly limit was suspected */
	uint32_t hour_cap; /* recipients an hour for the rest of the day: more was too much; 0: none */
	uint32_t last;     /* accepted on the day before */
	uint32_t before;   /* and attempted on it */
	wall_ms pause_until;
	wall_ms next_at;   /* pace: not before */
	uint8_t mute;      /* the rest follows lost connections */
	uint32_t unheard;  /* connections in a row that were lost before anything was said */
	uint32_t mutes;    /* rests after those in a row */
	int32_t limit_day; /* on which the first limit was met: `base` was taken on it; 0: not known */
	int32_t block_day; /* of the last block; 0: none */
	int32_t prior_day; /* the last day with mail before this one, */
	uint32_t prior_used; /* and what was claimed on it: a clock that was far ahead may come back to it */
	wall_ms seen;      /* the last claim or answer, by the clock of then */
	uint32_t beside;   /* recipients that all sources have had at the destination since the day began */
	double mean;       /* of accepted a day, exponential, half-life one day */
	double factor;     /* the budget's relation to the mean */
	double base;       /* what the provider takes whatever the mean */
	double pressure;   /* throttles, less what was taken since */
	double noise;      /* share of deferrals that mean nothing, of late */
	double hour_share; /* of the day's budget that one hour may take */
};

/* What came of an attempt, in recipients. */
struct warmup_answer {
	uint32_t delivered;
	uint32_t throttled;  /* 4xx about rate, volume or reputation */
	uint32_t deferred;   /* any other 4xx */
	uint32_t blocked;    /* 5xx about us */
	uint32_t unknown;    /* mailboxes that do not exist */
	uint32_t other;      /* refused for what the message is */
	uint32_t complained;
	bool unheard;        /* nothing was tried: the connection was lost or never came about */
};

/* A new lane. */
void warmup_init(struct warmup *w, const struct warmup_plan *plan);

/* What the calendar of a plan says for a step; for an adaptive one: what it would be at half its growth. Pure. */
uint32_t warmup_planned(const struct warmup_plan *plan, uint32_t step);

/*
 * How many recipients may be claimed at `local`, of `want`; 0: *when_out says when to ask again (WALL_NEVER: only an answer or the
 * operator helps). `local` is wall clock plus the offset of the lane's day. `out`: claims whose answer has not come yet. Pure.
 */
uint32_t warmup_may(const struct warmup *w, const struct warmup_plan *plan, uint32_t want, uint32_t out, wall_ms local,
    wall_ms *when_out);

/* `count` recipients are claimed. */
void warmup_claim(struct warmup *w, const struct warmup_plan *plan, uint32_t count, wall_ms local);

/* `count` of those claimed came back untried. */
void warmup_give_back(struct warmup *w, uint32_t count, wall_ms local);

/* An attempt has ended, untried ones given back already. */
void warmup_answer(struct warmup *w, const struct warmup_plan *plan, const struct warmup_answer *answer, wall_ms local);

/* Begin the day of `local` when it is another one; claim and answer do so by themselves. */
void warmup_tick(struct warmup *w, const struct warmup_plan *plan, wall_ms local);

/* It is `local`: a clock that was set back since the last claim or answer leaves no lane waiting for the old time, and gives none a second budget.
 * To be called when that is noticed and when a stored state is used again; the three above do it as well. */
void warmup_clock(struct warmup *w, wall_ms local);

/* The operator: today's budget, as if the ramp had come so far; begin anew; no budget any more. */
void warmup_step_to(struct warmup *w, const struct warmup_plan *plan, uint32_t volume, wall_ms local);
void warmup_restart(struct warmup *w, const struct warmup_plan *plan, wall_ms local);
void warmup_adopt(struct warmup *w);

/* Connections at once that fit the budget, at least 1; UINT32_MAX: no limit. Pure. */
uint32_t warmup_connections(const struct warmup *w);

/* The stored form; bytes written. decode: ERR_VERSION, ERR_CORRUPT; *w is then left alone. */
size_t warmup_encode(const struct warmup *w, uint8_t out[WARMUP_ENCODED_MAX]);
MUST_USE enum err warmup_decode(const void *data, size_t len, struct warmup *w);

/* Words for what stands in the way of more, "" nothing. Static text. */
const char *warmup_obstacle(const struct warmup *w, wall_ms local);

#endif
