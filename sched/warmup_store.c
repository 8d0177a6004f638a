/* sched/warmup_store.c - the stored form of a cold lane's state. Version first; numbers big-endian, as everywhere in the store. */
#include <string.h>

#include "base/bigend.h"
#include "sched/warmup.h"

#define VERSION  4
#define DAY_MOST 1000000 /* no clock comes so far: counting days does not overflow */

struct field {
	size_t at, size;
};

#define FIELD(name) { offsetof(struct warmup, name), sizeof(((struct warmup *)0)->name) }

/* The order is the format: a new field goes to the end, with another version. */
static const struct field fields[] = {
	FIELD(day), FIELD(phase), FIELD(halt), FIELD(hour_wait), FIELD(paused), FIELD(listed), FIELD(limited),
	FIELD(started), FIELD(forced), FIELD(step), FIELD(budget), FIELD(used), FIELD(accepted), FIELD(throttled),
	FIELD(deferred), FIELD(blocked), FIELD(unknown), FIELD(complained), FIELD(refused), FIELD(sign_refused), FIELD(row),
	FIELD(block_row), FIELD(probes), FIELD(blocks), FIELD(idle), FIELD(freeze), FIELD(hour),
	FIELD(hour_used), FIELD(last), FIELD(before), FIELD(row_deferred), FIELD(hour_sign), FIELD(wordless), FIELD(noise), FIELD(hour_cap), FIELD(pause_until), FIELD(next_at), FIELD(mean), FIELD(factor), FIELD(base),
	FIELD(pressure), FIELD(hour_share),
	/* since version 2 */
	FIELD(mute), FIELD(unheard), FIELD(mutes), FIELD(beside),
	/* since version 3 */
	FIELD(limit_day), FIELD(block_day),
	/* since version 4 */
	FIELD(prior_day), FIELD(prior_used), FIELD(seen),
};

/* How many of them a version has. */
static const size_t counts[VERSION + 1] = { 0, 42, 46, 48, ARRAY_LEN(fields) };

/* A field's bytes as a number, whatever its size. */
static uint64_t take(const struct field *field, const struct warmup *w)
{
	const char *at = (const char *)w + field->at;
	uint64_t wide;
	uint32_t mid;

	switch (field->size) {
	case 1:
		return *(const uint8_t *)at;
	case 4:
		memcpy(&mid, at, sizeof(mid));
		return mid;
	default:
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
}

static void put(const struct field *field, struct warmup *w, uint64_t value)
{
	char *at = (char *)w + field->at;
	uint32_t mid = (uint32_t)value;

	switch (field->size) {
	case 1:
		*(uint8_t *)at = (uint8_t)value;
		break;
	case 4:
		memcpy(at, &mid, sizeof(mid));
		break;
	default:
		memcpy(at, &value, sizeof(value));
	}
}

size_t warmup_encode(const struct warmup *w, uint8_t out[WARMUP_ENCODED_MAX])
{
	uint8_t *to = out;

	*to++ = VERSION;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		uint64_t value = take(&fields[i], w);

		must((size_t)(to - out) + fields[i].size <= WARMUP_ENCODED_MAX);
		to = bigend_put(to, value, (unsigned)fields[i].size);
	}
	return (size_t)(to - out);
}

/* What the rest of the code relies on, whoever wrote the bytes. */
static bool is_sane(const struct warmup *w)
{
	return w->day >= 0 && w->day < DAY_MOST && w->limit_day >= 0 && w->limit_day <= DAY_MOST && w->block_day >= 0 && w->block_day <= DAY_MOST &&
	    w->prior_day >= 0 && w->prior_day <= DAY_MOST && w->seen >= 0 && w->seen <= DAY_MOST * WARMUP_DAY_MS && w->phase <= WARMUP_WARM && w->halt <= WARMUP_ENDED && w->mean >= 0 && w->mean < 1e12 && w->factor >= 1 &&
	    w->factor <= 1000 && w->base >= 0 && w->base < 1e12 && w->pressure >= 0 && w->pressure < 1e12 && w->noise >= 0 && w->noise <= 1 && w->hour_share > 0 &&
	    w->hour_share <= 1;
}

enum err warmup_decode(const void *data, size_t len, struct warmup *w)
{
	const uint8_t *at = data, *end = at + len;
	struct warmup read = { 0 };
	size_t count;

	if (len == 0)
		return ERR_CORRUPT;
	if (*at == 0 || *at > VERSION)
		return ERR_VERSION;
	count = counts[*at++];
	for (size_t i = 0; i < count; i++) {
		if ((size_t)(end - at) < fields[i].size)
			return ERR_CORRUPT;
		put(&fields[i], &read, bigend_get(&at, (unsigned)fields[i].size));
	}
	if (at != end || !is_sane(&read))
		return ERR_CORRUPT;
	/* An answer that a stop has swallowed: the probe is tried again. */
	if (read.halt == WARMUP_PROBING)
		read.halt = WARMUP_RESTING;
	*w = read;
	return OK;
}
