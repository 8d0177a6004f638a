/* sched/health.h - how a lane has fared of late: answers counted in sliding windows, and what they say of it. Plain data, pure functions. */
#ifndef SCHED_HEALTH_H
#define SCHED_HEALTH_H

#include "base/clock.h"
#include "base/err.h"

#define HEALTH_BUCKETS   6
#define HEALTH_BUCKET_MS MINUTES(10)
#define HEALTH_WORDS     160

/* Recipients of ten minutes. When one would overflow, all of its bucket count half. */
struct health_bucket {
	uint16_t tried, deferred, blocked, unknown, complained;
};

struct health {
	int32_t newest; /* number of the newest bucket: time / HEALTH_BUCKET_MS */
	struct health_bucket buckets[HEALTH_BUCKETS]; /* by number % HEALTH_BUCKETS */
};

struct health_answer {
	uint32_t tried, deferred, blocked, unknown, complained;
};

/* Count an answer; a clock that was set back counts into the newest bucket. */
void health_note(struct health *health, const struct health_answer *answer, wall_ms now);

/* Of the newest `buckets` buckets. */
struct health_answer health_sum(const struct health *health, unsigned buckets, wall_ms now);

/* What the windows say of a lane that is `strained` already or not: a sign needs a number of recipients and a share that is higher for becoming
 * strained than for staying it. HEALTH_REFUSED: most are refused for reasons of ours. `words` (NULL: not wanted): the figures that decide; "" when GOOD. */
enum health_sign { HEALTH_GOOD, HEALTH_STRAINED, HEALTH_REFUSED };
enum health_sign health_judge(const struct health *health, bool strained, wall_ms now, char words[HEALTH_WORDS]);

#endif
