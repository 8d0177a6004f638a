/* sched/health.c - sliding windows of answers, and the shares at which a lane is strained or refused. */
#include "sched/health.h"

#include <stdio.h>
#include <string.h>

#define SHORT 2 /* buckets: the last ten to twenty minutes */
#define LONG  HEALTH_BUCKETS

/* clang-format off */
static const struct rule {
	size_t figure;        /* offset in struct health_answer */
	unsigned buckets;
	uint32_t least;       /* recipients until the share says something */
	double enter, leave;  /* share at which it begins, and below which it ends */
	enum health_sign sign;
	const char *words;
} rules[] = {
	{ offsetof(struct health_answer, blocked),    SHORT, 10,  0.50,  0.50,  HEALTH_REFUSED,  "refused for reasons of ours" },
	{ offsetof(struct health_answer, blocked),    LONG,  50,  0.03,  0.01,  HEALTH_STRAINED, "refused for reasons of ours" },
	{ offsetof(struct health_answer, deferred),   SHORT, 20,  0.30,  0.10,  HEALTH_STRAINED, "deferred" },
	{ offsetof(struct health_answer, unknown),    LONG,  50,  0.20,  0.10,  HEALTH_STRAINED, "unknown there" },
	{ offsetof(struct health_answer, complained), LONG,  500, 0.003, 0.001, HEALTH_STRAINED, "complained about" },
};
/* clang-format on */

static int32_t number_of(wall_ms now)
{
	return (int32_t)(now / HEALTH_BUCKET_MS);
}

static void move_on(struct health *health, wall_ms now)
{
	int32_t number = number_of(now), ahead = number - health->newest;

	if (ahead <= 0) /* a clock that was set back counts into the newest */
		return;
	for (int32_t i = 1; i <= ahead && i <= HEALTH_BUCKETS; i++)
		memset(&health->buckets[(health->newest + i) % HEALTH_BUCKETS], 0, sizeof(health->buckets[0]));
	if (ahead >= HEALTH_BUCKETS)
		memset(health->buckets, 0, sizeof(health->buckets));
	health->newest = number;
}

static void halve(struct health_bucket *bucket)
{
	bucket->tried /= 2;
	bucket->deferred /= 2;
	bucket->blocked /= 2;
	bucket->unknown /= 2;
	bucket->complained /= 2;
}

static uint16_t at_most(uint32_t value)
{
	return (uint16_t)(value < UINT16_MAX / 2 ? value : UINT16_MAX / 2);
}

void health_note(struct health *health, const struct health_answer *answer, wall_ms now)
{
	struct health_bucket *bucket;

	move_on(health, now);
	bucket = &health->buckets[health->newest % HEALTH_BUCKETS];
	/* No figure is above `tried` but complaints, which come later and are few. */
	while (bucket->tried > UINT16_MAX / 2 || bucket->complained > UINT16_MAX / 2)
		halve(bucket);
	bucket->tried += at_most(answer->tried);
	bucket->deferred += at_most(answer->deferred);
	bucket->blocked += at_most(answer->blocked);
	bucket->unknown += at_most(answer->unknown);
	bucket->complained += at_most(answer->complained);
}

/* Adds the buckets from number *at down to `oldest`. */
static void add_up(const struct health *health, int32_t *at, int32_t oldest, struct health_answer *sum)
{
	for (; *at >= oldest && *at >= 0; --*at) {
		const struct health_bucket *bucket = &health->buckets[*at % HEALTH_BUCKETS];

		sum->tried += bucket->tried;
		sum->deferred += bucket->deferred;
		sum->blocked += bucket->blocked;
		sum->unknown += bucket->unknown;
		sum->complained += bucket->complained;
	}
}

/* The oldest of the newest `buckets` that are still there; all of them after a clock was set back. */
static int32_t oldest_of(const struct health *health, unsigned buckets, wall_ms now)
{
	int32_t oldest = number_of(now) - (int32_t)buckets + 1, last = health->newest - HEALTH_BUCKETS + 1;

	return oldest > last ? oldest : last;
}

struct health_answer health_sum(const struct health *health, unsigned buckets, wall_ms now)
{
	struct health_answer sum = { 0 };
	int32_t at = health->newest;

	add_up(health, &at, oldest_of(health, buckets, now), &sum);
	return sum;
}

enum health_sign health_judge(const struct health *health, bool strained, wall_ms now, char words[HEALTH_WORDS])
{
	struct health_answer latest = { 0 }, all;
	int32_t at = health->newest;

	if (words != NULL)
		words[0] = '\0';
	add_up(health, &at, oldest_of(health, SHORT, now), &latest);
	all = latest;
	add_up(health, &at, oldest_of(health, LONG, now), &all);
	if (all.deferred + all.blocked + all.unknown + all.complained == 0)
		return HEALTH_GOOD;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		const struct rule *rule = &rules[i];
		const struct health_answer *sum = rule->buckets == SHORT ? &latest : &all;
		uint32_t count;

		memcpy(&count, (const char *)sum + rule->figure, sizeof(count));
		if (sum->tried < rule->least || count < (strained ? rule->leave : rule->enter) * sum->tried)
			continue;
		if (words != NULL)
			(void)snprintf(words, HEALTH_WORDS, "%u of %u recipients of the last %u minutes were %s", count,
			    sum->tried, rule->buckets * (unsigned)(HEALTH_BUCKET_MS / 60000), rule->words);
		return rule->sign;
	}
	return HEALTH_GOOD;
}
