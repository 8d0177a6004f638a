/* bench/warmup/provider.c - the provider's side: tolerance that grows with good mail, a limit a day, warnings before it, blocks beyond. */
#include <math.h>

#include "sim.h"

#define SOFT_MAX   0.05 /* share of warnings at the limit */
#define CROSS_MIN  3.0  /* refusals of a day that are no crossing, */
#define CROSS_PART 0.01 /* or that share of what was taken */
#define LIST_DAYS  3

static void new_limit(struct provider_lane *lane)
{
	const double *k = lane->k;
	double base = fmin(lane->tolerance, fmax(k[KEY_TOLERANCE], k[KEY_BURST] * lane->mean));

	lane->today = (struct lane_day){ .limit = base * (1 + k[KEY_NOISE] * (2 * rand_unit(&lane->rand) - 1)) };
	lane->hour = -1;
}

void provider_init(struct provider_lane *lane, const double keys[KEYS], unsigned days, uint64_t seed)
{
	*lane = (struct provider_lane){ .day = 1 };
	for (unsigned i = 0; i < KEYS; i++)
		lane->k[i] = keys[i];
	rand_seed(&lane->rand, seed);
	lane->tolerance = keys[KEY_TOLERANCE];
	if (rand_unit(&lane->rand) < keys[KEY_LISTED])
		lane->listed_from = 1 + (int)rand_below(&lane->rand, days);
	new_limit(lane);
}

/* How many of n, each with probability p. */
static uint32_t some(struct rand *rand, uint32_t n, double p)
{
	uint32_t hits = 0;
	double mean = n * p, spread;

	if (p <= 0 || n == 0)
		return 0;
	if (n > 64 && mean > 16 && mean < n - 16.0) {
		spread = (rand_unit(rand) + rand_unit(rand) + rand_unit(rand) + rand_unit(rand) - 2) *
		    sqrt(3 * mean * (1 - p));
		return (uint32_t)fmax(0, fmin(n, mean + spread + 0.5));
	}
	/* Gaps between hits are geometric: the work is that of the hits. */
	for (double at = floor(log(1 - rand_unit(rand)) / log1p(-fmin(p, 0.999999))); at < n;
	     at += 1 + floor(log(1 - rand_unit(rand)) / log1p(-fmin(p, 0.999999))))
		hits++;
	return hits;
}

static uint32_t part(uint32_t *left, uint32_t count)
{
	count = count < *left ? count : *left;
	*left -= count;
	return count;
}

static bool is_shut(const struct provider_lane *lane)
{
	return lane->day < lane->blocked_until ||
	    (lane->listed_from > 0 && lane->day >= lane->listed_from && lane->day < lane->listed_from + LIST_DAYS);
}

static void take(struct provider_lane *lane, uint32_t count, bool dirty, struct reply_counts *r)
{
	const double *k = lane->k;
	struct lane_day *t = &lane->today;
	double from = k[KEY_WARN] * t->limit, middle = t->accepted + count / 2.0, p = 0;
	uint32_t left = count, unknown;

	if (middle > from && k[KEY_WARN] < 1)
		p = SOFT_MAX * fmin(1, (middle - from) / (t->limit - from));
	r->unknown = part(&left, some(&lane->rand, count, k[dirty ? KEY_UNKNOWN_DIRTY : KEY_UNKNOWN_CLEAN]));
	unknown = r->unknown;
	texts_say(&lane->rand, TOPIC_TROUBLE, part(&left, some(&lane->rand, left, k[KEY_DEFERRAL])), r);
	texts_say(&lane->rand, TOPIC_WARNING, part(&left, some(&lane->rand, left, p)), r);
	r->delivered = left;
	r->complained = some(&lane->rand, left, k[dirty ? KEY_COMPLAINT_DIRTY : KEY_COMPLAINT_CLEAN]);
	t->accepted += left;
	lane->hour_taken += left;
	t->unknown += unknown;
	t->complained += r->complained;
	t->put_off += count - left - unknown;
}

/* A share of them in words that speak of something else. */
static void say(struct provider_lane *lane, enum topic topic, enum topic misled, uint32_t count, struct reply_counts *r)
{
	uint32_t misleading = some(&lane->rand, count, lane->k[KEY_MISLEADING]);

	texts_say(&lane->rand, misled, misleading, r);
	texts_say(&lane->rand, topic, count - misleading, r);
}

static void refuse(struct provider_lane *lane, uint32_t count, struct reply_counts *r)
{
	struct lane_day *t = &lane->today;

	say(lane, TOPIC_LIMIT, TOPIC_LIMIT_MISLED, count, r);
	t->refused += count;
	t->put_off += count;
	if (t->refused > lane->k[KEY_BLOCK_AFTER] * t->limit && count > 0) {
		lane->blocked_until = lane->day + (int)lane->k[KEY_BLOCK_DAYS];
		lane->tolerance *= 1 - lane->k[KEY_BLOCK_CUT];
		lane->blocks++;
	}
}

struct reply_counts provider_offer(struct provider_lane *lane, uint32_t count, bool dirty, int hour)
{
	struct reply_counts r = { 0 };
	struct lane_day *t = &lane->today;
	double room;

	if (hour != lane->hour)
		lane->hour_taken = 0;
	lane->hour = hour;
	if (is_shut(lane)) {
		r.silent = lane->k[KEY_SILENT] != 0;
		if (!r.silent)
			say(lane, TOPIC_BLOCK, TOPIC_BLOCK_MISLED, count, &r);
		return r;
	}
	t->offered += count;
	room = t->limit - t->accepted;
	if (lane->k[KEY_HOURLY] > 0)
		room = fmin(room, lane->k[KEY_HOURLY] * t->limit - lane->hour_taken);
	room = fmax(0, floor(room));
	if (room > 0)
		take(lane, count < room ? count : (uint32_t)room, dirty, &r);
	if (count > room)
		refuse(lane, count - (uint32_t)room, &r);
	return r;
}

struct reply_counts provider_welcome(struct provider_lane *lane, uint32_t count, bool dirty)
{
	struct reply_counts r = { 0 };
	uint32_t left = count;

	r.unknown = part(&left, some(&lane->rand, count, lane->k[dirty ? KEY_UNKNOWN_DIRTY : KEY_UNKNOWN_CLEAN]));
	r.delivered = left;
	r.complained = some(&lane->rand, left, lane->k[dirty ? KEY_COMPLAINT_DIRTY : KEY_COMPLAINT_CLEAN]);
	return r;
}

static void idle(struct provider_lane *lane)
{
	const double *k = lane->k;

	lane->idle = lane->today.accepted > 0 ? 0 : lane->idle + 1;
	if (lane->idle >= k[KEY_IDLE_RESET])
		lane->tolerance = k[KEY_TOLERANCE];
	else if (lane->idle > k[KEY_IDLE_GRACE])
		lane->tolerance *= 1 - k[KEY_IDLE_DECAY];
}

void provider_day_end(struct provider_lane *lane)
{
	const double *k = lane->k;
	const struct lane_day *t = &lane->today;

	if (t->refused > fmax(CROSS_MIN, CROSS_PART * t->accepted)) {
		lane->crossings++;
		lane->tolerance *= 1 - fmin(0.5, k[KEY_CROSS_CUT] * t->refused / t->limit);
		lane->tolerance = fmax(lane->tolerance, k[KEY_TOLERANCE] / 2);
	} else {
		lane->tolerance *= 1 + k[KEY_GROWTH] * fmin(1, t->accepted / (lane->tolerance / 2));
	}
	if (t->offered >= 100 && t->unknown > k[KEY_UNKNOWN_LIMIT] * t->offered)
		lane->tolerance *= 0.7;
	if (t->offered >= 100 && t->complained > k[KEY_COMPLAINT_LIMIT] * t->offered)
		lane->tolerance *= 0.7;
	idle(lane);
	lane->mean = (lane->mean + t->accepted) / 2;
	lane->day++;
	new_limit(lane);
}
