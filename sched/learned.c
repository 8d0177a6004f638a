/* sched/learned.c - the stored form of what was learned of lanes and destinations. */
#include "sched/learned.h"

#include <string.h>

#include "base/bigend.h"

#define VERSION 1

struct field {
	size_t at, size;
};

#define LANE(name)   { offsetof(struct learned_lane, name), sizeof(((struct learned_lane *)0)->name) }
#define BUCKET(n)    LANE(health.buckets[n].tried), LANE(health.buckets[n].deferred), LANE(health.buckets[n].blocked), \
	LANE(health.buckets[n].unknown), LANE(health.buckets[n].complained)
#define DEST(name)   { offsetof(struct learned_dest, name), sizeof(((struct learned_dest *)0)->name) }

/* The order is the format. */
static const struct field lane_fields[] = {
	LANE(pace.window), LANE(pace.threshold), LANE(pace.used_at), LANE(failures), LANE(blocks), LANE(paused_until), LANE(shut_by),
	LANE(shut_class), LANE(silent), LANE(silences), LANE(strained), LANE(refused), LANE(unheard_at), LANE(strained_at),
	LANE(health.newest), BUCKET(0), BUCKET(1), BUCKET(2), BUCKET(3), BUCKET(4), BUCKET(5),
};
static const struct field dest_fields[] = {
	DEST(operator_paused), DEST(down), DEST(failures), DEST(pauses), DEST(pause_until),
};
_Static_assert(HEALTH_BUCKETS == 6, "the format has six");

/* A field's bytes as a number, whatever its size. */
static uint64_t take(const void *from, size_t size)
{
	uint8_t narrow;
	uint16_t small;
	uint32_t mid;
	uint64_t wide;

	switch (size) {
	case 1:
		memcpy(&narrow, from, size);
		return narrow;
	case 2:
		memcpy(&small, from, size);
		return small;
	case 4:
		memcpy(&mid, from, size);
		return mid;
	default:
		memcpy(&wide, from, sizeof(wide));
		return wide;
	}
}

static void put(void *to, size_t size, uint64_t value)
{
	uint8_t narrow = (uint8_t)value;
	uint16_t small = (uint16_t)value;
	uint32_t mid = (uint32_t)value;

	switch (size) {
	case 1:
		memcpy(to, &narrow, size);
		break;
	case 2:
		memcpy(to, &small, size);
		break;
	case 4:
		memcpy(to, &mid, size);
		break;
	default:
		memcpy(to, &value, sizeof(value));
	}
}

static size_t encode(const void *from, const struct field *fields, size_t count, uint8_t out[LEARNED_MAX])
{
	uint8_t *to = out;

	*to++ = VERSION;
	for (size_t i = 0; i < count; i++) {
		uint64_t value = take((const char *)from + fields[i].at, fields[i].size);

		must((size_t)(to - out) + fields[i].size <= LEARNED_MAX);
		to = bigend_put(to, value, (unsigned)fields[i].size);
	}
	return (size_t)(to - out);
}

static enum err decode(const void *data, size_t len, const struct field *fields, size_t count, void *to)
{
	const uint8_t *at = data, *end = at + len;

	if (len == 0)
		return ERR_CORRUPT;
	if (*at++ != VERSION)
		return ERR_VERSION;
	for (size_t i = 0; i < count; i++) {
		if ((size_t)(end - at) < fields[i].size)
			return ERR_CORRUPT;
		put((char *)to + fields[i].at, fields[i].size, bigend_get(&at, (unsigned)fields[i].size));
	}
	return at == end ? OK : ERR_CORRUPT;
}

size_t learned_encode_lane(const struct learned_lane *lane, uint8_t out[LEARNED_MAX])
{
	return encode(lane, lane_fields, ARRAY_LEN(lane_fields), out);
}

size_t learned_encode_dest(const struct learned_dest *dest, uint8_t out[LEARNED_MAX])
{
	return encode(dest, dest_fields, ARRAY_LEN(dest_fields), out);
}

static bool is_time(wall_ms when)
{
	return when >= 0;
}

enum err learned_decode_lane(const void *data, size_t len, struct learned_lane *out)
{
	struct learned_lane read = { 0 };
	enum err e = decode(data, len, lane_fields, ARRAY_LEN(lane_fields), &read);

	if (e != OK)
		return e;
	if (!is_time(read.paused_until) || !is_time(read.pace.used_at) || !is_time(read.unheard_at) || !is_time(read.strained_at) ||
	    read.health.newest < 0 || read.pace.window > 1000000 * PACE_UNIT || read.pace.threshold > 1000000 * PACE_UNIT ||
	    (read.pace.window != 0 && read.pace.window < PACE_UNIT))
		return ERR_CORRUPT;
	*out = read;
	return OK;
}

enum err learned_decode_dest(const void *data, size_t len, struct learned_dest *out)
{
	struct learned_dest read = { 0 };
	enum err e = decode(data, len, dest_fields, ARRAY_LEN(dest_fields), &read);

	if (e != OK)
		return e;
	if (!is_time(read.pause_until))
		return ERR_CORRUPT;
	*out = read;
	return OK;
}
