/* sched/curve.c - how mail spreads over the hours of a day: counting, the mean over days, and its line. */
#include "sched/curve.h"

#include <string.h>

#include "base/bigend.h"

#define VERSION  1
#define DAY_MOST 1000000
#define MEMORY   6.0f       /* days that the mean remembers */
#define PLENTY   50         /* recipients of a day that say half of what a thousand say */
#define BASE     0.2        /* share of a day that is spread evenly whatever was seen: an hour without mail may have some tomorrow */
#define EVEN     (1.0 / CURVE_HOURS)

static int32_t day_of(wall_ms now)
{
	return (int32_t)(now / DAYS(1));
}

static uint8_t hour_of(wall_ms now)
{
	return (uint8_t)(now % DAYS(1) / HOURS(1));
}

static bool was_seen(const struct curve *curve, unsigned hour)
{
	return hour >= curve->from && hour <= curve->until;
}

/* The hours that were seen share among themselves what they were expected to have together: of the others nothing was learned. */
static void learn(struct curve *curve)
{
	float known[CURVE_HOURS], seen = 0, part;
	uint64_t sum = 0;

	for (unsigned hour = 0; hour < CURVE_HOURS; hour++) {
		known[hour] = curve->weight > 0 ? curve->share[hour] : (float)EVEN;
		seen += was_seen(curve, hour) ? known[hour] : 0;
		sum += curve->today[hour];
	}
	if (sum == 0)
		return;
	part = (float)sum / (float)(sum + PLENTY) * (float)(curve->until + 1 - curve->from) / CURVE_HOURS;
	for (unsigned hour = 0; hour < CURVE_HOURS; hour++) {
		float today = was_seen(curve, hour) ? seen * (float)curve->today[hour] / (float)sum : known[hour];

		curve->share[hour] = (curve->weight * known[hour] + part * today) / (curve->weight + part);
	}
	curve->weight = curve->weight + part < MEMORY ? curve->weight + part : MEMORY;
}

static void begin(struct curve *curve, int32_t day, uint8_t hour)
{
	memset(curve->today, 0, sizeof(curve->today));
	curve->day = day;
	curve->from = curve->until = hour;
}

bool curve_note(struct curve *curve, uint32_t rcpts, wall_ms now)
{
	int32_t day = day_of(now);
	uint8_t hour = hour_of(now);
	bool another = curve->day != 0 && day > curve->day;

	if (another) {
		bool next = day == curve->day + 1;

		if (next)
			curve->until = CURVE_HOURS - 1;
		learn(curve);
		begin(curve, day, next ? 0 : hour);
	} else if (day != curve->day) {
		begin(curve, day, hour);
	}
	if (hour > curve->until)
		curve->until = hour;
	if (hour < curve->from)
		curve->from = hour;
	curve->today[hour] += rcpts < UINT32_MAX - curve->today[hour] ? rcpts : UINT32_MAX - curve->today[hour];
	return another;
}

void curve_blend(const struct curve *curve, const double prior[CURVE_HOURS], double out[CURVE_HOURS])
{
	double sum = 0;

	for (unsigned hour = 0; hour < CURVE_HOURS; hour++) {
		out[hour] = curve->weight * (double)curve->share[hour] + (prior != NULL ? prior[hour] : EVEN);
		sum += out[hour];
	}
	for (unsigned hour = 0; hour < CURVE_HOURS; hour++)
		out[hour] /= sum;
}

/* Straight lines between the hours give each of them half of its own and a quarter of either neighbour's: mail that comes an hour earlier
 * or later, as when summer time begins, finds nearly what it needs. */
void curve_draw(const double shares[CURVE_HOURS], struct curve_line *out)
{
	for (unsigned hour = 0; hour <= CURVE_HOURS; hour++) {
		double mean = (shares[(hour + CURVE_HOURS - 1) % CURVE_HOURS] + shares[hour % CURVE_HOURS]) / 2;

		out->at[hour] = BASE + (1 - BASE) * mean * CURVE_HOURS;
		out->peak = hour == 0 || out->at[hour] > out->peak ? out->at[hour] : out->peak;
	}
	out->sum[0] = 0;
	for (unsigned hour = 0; hour < CURVE_HOURS; hour++)
		out->sum[hour + 1] = out->sum[hour] + (out->at[hour] + out->at[hour + 1]) / 2 * EVEN;
}

static wall_ms time_of_day(wall_ms when)
{
	return (when % DAYS(1) + DAYS(1)) % DAYS(1);
}

double curve_at(const struct curve_line *line, wall_ms when)
{
	wall_ms time = time_of_day(when);
	unsigned hour = (unsigned)(time / HOURS(1));
	double part = (double)(time % HOURS(1)) / (double)HOURS(1);

	return line == NULL ? 1 : line->at[hour] + (line->at[hour + 1] - line->at[hour]) * part;
}

/* Share of the day from its beginning until a time of it. */
static double before(const struct curve_line *line, wall_ms time)
{
	unsigned hour = (unsigned)(time / HOURS(1));
	double part = (double)(time % HOURS(1)) / (double)HOURS(1);

	return line->sum[hour] + (line->at[hour] + curve_at(line, time)) / 2 * part * EVEN;
}

double curve_over(const struct curve_line *line, wall_ms from, int64_t ms)
{
	wall_ms first = time_of_day(from), last = time_of_day(from + ms);
	double share;

	if (line == NULL || ms >= DAYS(1))
		return (double)ms / (double)DAYS(1);
	share = before(line, last) - before(line, first);
	return last < first ? share + line->sum[CURVE_HOURS] : share;
}

/* --- the stored form: version, day, the hours seen, weight, shares, counts; numbers big-endian ------------------------------------ */

static uint8_t *put_real(uint8_t *at, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bigend_put(at, bits, 4);
}

static float get_real(const uint8_t **at)
{
	uint32_t bits = (uint32_t)bigend_get(at, 4);
	float value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

void curve_encode(const struct curve *curve, uint8_t out[CURVE_ENCODED_LEN])
{
	uint8_t *at = out;

	*at++ = VERSION;
	at = bigend_put(at, (uint32_t)curve->day, 4);
	*at++ = curve->from;
	*at++ = curve->until;
	at = put_real(at, curve->weight);
	for (unsigned hour = 0; hour < CURVE_HOURS; hour++)
		at = put_real(at, curve->share[hour]);
	for (unsigned hour = 0; hour < CURVE_HOURS; hour++)
		at = bigend_put(at, curve->today[hour], 4);
	must(at == out + CURVE_ENCODED_LEN);
}

/* What the rest relies on, whoever wrote the bytes. */
static bool is_sane(const struct curve *curve)
{
	float sum = 0;

	for (unsigned hour = 0; hour < CURVE_HOURS; hour++) {
		if (!(curve->share[hour] >= 0 && curve->share[hour] <= 1))
			return false;
		sum += curve->share[hour];
	}
	return curve->day >= 0 && curve->day < DAY_MOST && curve->from <= curve->until && curve->until < CURVE_HOURS &&
	    curve->weight >= 0 && curve->weight <= MEMORY && (!(curve->weight > 0) || (sum > 0.99f && sum < 1.01f));
}

enum err curve_decode(const void *data, size_t len, struct curve *curve)
{
	const uint8_t *at = data;
	struct curve read;

	if (len == 0)
		return ERR_CORRUPT;
	if (*at++ != VERSION)
		return ERR_VERSION;
	if (len != CURVE_ENCODED_LEN)
		return ERR_CORRUPT;
	read = (struct curve){ .day = (int32_t)bigend_get(&at, 4) };
	read.from = *at++;
	read.until = *at++;
	read.weight = get_real(&at);
	for (unsigned hour = 0; hour < CURVE_HOURS; hour++)
		read.share[hour] = get_real(&at);
	for (unsigned hour = 0; hour < CURVE_HOURS; hour++)
		read.today[hour] = (uint32_t)bigend_get(&at, 4);
	if (!is_sane(&read))
		return ERR_CORRUPT;
	*curve = read;
	return OK;
}
