/* relay/intake/quota.c - how many recipients a tenant has handed in, by the hour and by the day, and when the next one may be. */
#include "relay/intake/quota.h"

#include <stdatomic.h>

#include "queue/codec.h"

#define VERSION      1
#define HOUR_SLOT_MS (HOURS(1) / QUOTA_PERIOD)
#define DAY_SLOT_MS  (DAYS(1) / QUOTA_PERIOD)
#define TRIES        8 /* against others who count at the same moment */
#define NO_SLOT      UINT32_MAX

_Static_assert(1 + 2 * 4 + (QUOTA_SLOTS(QUOTA_HOUR_AHEAD) + QUOTA_SLOTS(QUOTA_DAY_AHEAD)) * 8 <= QUOTA_RECORD_MAX, "a record fits");

/* One of the two windows with its limit. */
struct ring {
	_Atomic uint64_t *slots;
	_Atomic uint32_t *last;
	uint32_t size, ahead;
	int64_t slot_ms;
	uint64_t limit;
};

static void rings_of(struct quota *quota, const struct quota_limits *limits, struct ring out[2])
{
	out[0] = (struct ring){ quota->hour, &quota->hour_last, ARRAY_LEN(quota->hour), QUOTA_HOUR_AHEAD, HOUR_SLOT_MS, limits->hour };
	out[1] = (struct ring){ quota->day, &quota->day_last, ARRAY_LEN(quota->day), QUOTA_DAY_AHEAD, DAY_SLOT_MS, limits->day };
}

static uint32_t slot_of(const struct ring *ring, wall_ms when)
{
	return when > 0 ? (uint32_t)(when / ring->slot_ms) : 0;
}

static uint64_t packed(uint32_t slot, uint32_t count)
{
	return (uint64_t)slot << 32 | count;
}

static uint32_t count_at(const struct ring *ring, uint32_t slot)
{
	uint64_t value = atomic_load_explicit(&ring->slots[slot % ring->size], memory_order_relaxed);

	return value >> 32 == slot ? (uint32_t)value : 0;
}

/* Recipients in the window that ends with `slot`. */
static uint64_t window(const struct ring *ring, bool calendar, uint32_t slot)
{
	uint32_t first = calendar ? slot - slot % QUOTA_PERIOD : slot < QUOTA_PERIOD ? 0 : slot - QUOTA_PERIOD;
	uint64_t sum = 0;

	for (uint32_t i = first; i <= slot; i++)
		sum += count_at(ring, i);
	return sum;
}

/* False: the place belongs to a later slot by now. */
static bool count(const struct ring *ring, uint32_t slot, int change)
{
	_Atomic uint64_t *place = &ring->slots[slot % ring->size];
	uint64_t old = atomic_load_explicit(place, memory_order_relaxed), next;

	do {
		uint32_t now = old >> 32 == slot ? (uint32_t)old : 0;

		if (old >> 32 > slot || (change < 0 && now == 0))
			return false;
		next = packed(slot, now + (uint32_t)change);
	} while (!atomic_compare_exchange_weak_explicit(place, &old, next, memory_order_relaxed, memory_order_relaxed));
	return true;
}

static void note_last(const struct ring *ring, uint32_t slot)
{
	uint32_t last = atomic_load_explicit(ring->last, memory_order_relaxed);

	while (last < slot && !atomic_compare_exchange_weak_explicit(ring->last, &last, slot, memory_order_relaxed, memory_order_relaxed))
		continue;
}

/* The first slot from `from` on that has room for one more; beyond `ahead` all are empty but for what they look back on. */
static uint32_t slot_with_room(const struct ring *ring, bool calendar, uint32_t from)
{
	for (uint32_t slot = from; slot <= from + ring->ahead + 2 * QUOTA_PERIOD; slot++)
		if (window(ring, calendar, slot) < ring->limit)
			return slot;
	return NO_SLOT;
}

/* The first moment from `from` on at which both windows have room. WALL_NEVER: not in sight. */
static wall_ms time_with_room(const struct ring rings[2], const struct quota_limits *limits, wall_ms from)
{
	wall_ms when = from, before;

	do {
		before = when;
		for (int i = 0; i < 2; i++) {
			const struct ring *ring = &rings[i];
			uint32_t slot = slot_of(ring, when), last = atomic_load_explicit(ring->last, memory_order_relaxed);

			if (ring->limit == 0)
				continue;
			/* Behind what waits already; a slot out of reach is that of a clock which was wrong. */
			if (limits->delay && last > slot && last <= slot_of(ring, from) + ring->ahead + QUOTA_PERIOD)
				slot = last;
			slot = slot_with_room(ring, limits->calendar, slot);
			if (slot == NO_SLOT)
				return WALL_NEVER;
			if (slot > slot_of(ring, when))
				when = (wall_ms)slot * ring->slot_ms;
		}
	} while (when != before);
	return when;
}

static wall_ms latest_of(const struct ring rings[2], const struct quota_limits *limits, wall_ms now)
{
	wall_ms latest = limits->delay ? limits->latest : now;

	for (int i = 0; i < 2; i++) {
		wall_ms most = now + rings[i].ahead * rings[i].slot_ms;

		if (rings[i].limit > 0 && most < latest)
			latest = most;
	}
	return latest;
}

/* Count it there, unless others have just taken the room. */
static bool take_at(const struct ring rings[2], const struct quota_limits *limits, wall_ms when)
{
	for (int i = 0; i < 2; i++) {
		uint32_t slot = slot_of(&rings[i], when);
		bool counted = count(&rings[i], slot, 1);

		if (rings[i].limit > 0 && window(&rings[i], limits->calendar, slot) > rings[i].limit) {
			for (int back = i; back >= 0; back--)
				if (back < i || counted)
					(void)count(&rings[back], slot_of(&rings[back], when), -1);
			return false;
		}
	}
	for (int i = 0; i < 2; i++)
		note_last(&rings[i], slot_of(&rings[i], when));
	return true;
}

enum err quota_take(struct quota *quota, const struct quota_limits *limits, wall_ms now, wall_ms *when_out)
{
	struct ring rings[2];
	wall_ms latest, when = now;

	rings_of(quota, limits, rings);
	latest = latest_of(rings, limits, now);
	for (int i = 0; i < TRIES; i++) {
		when = time_with_room(rings, limits, now);
		if (when > latest)
			break;
		if (take_at(rings, limits, when)) {
			*when_out = when;
			return OK;
		}
	}
	/* Where mail is delayed there is room again as soon as the wait is short enough. */
	*when_out = limits->delay && when > latest && when != WALL_NEVER ? now + (when - latest) : when;
	return ERR_LIMIT;
}

void quota_give(struct quota *quota, wall_ms when)
{
	struct ring rings[2];

	rings_of(quota, &(struct quota_limits){ .hour = 0 }, rings);
	for (int i = 0; i < 2; i++)
		(void)count(&rings[i], slot_of(&rings[i], when), -1);
}

void quota_used(const struct quota *quota, bool calendar, wall_ms now, uint64_t *hour_out, uint64_t *day_out)
{
	struct ring rings[2];

	rings_of((struct quota *)(uintptr_t)quota, &(struct quota_limits){ .hour = 0 }, rings);
	*hour_out = window(&rings[0], calendar, slot_of(&rings[0], now));
	*day_out = window(&rings[1], calendar, slot_of(&rings[1], now));
}

/* --- the stored form ------------------------------------------------------------------------------------------------------ */

static void put_ring(const struct ring *ring, wall_ms now, struct codec_out *out)
{
	uint32_t first = slot_of(ring, now), entries = 0;
	struct codec_out head = *out;

	first = first < QUOTA_PERIOD ? 0 : first - QUOTA_PERIOD;
	codec_put_u32(out, 0);
	for (uint32_t slot = first; slot < first + ring->size; slot++) {
		uint32_t number = count_at(ring, slot);

		if (number == 0)
			continue;
		codec_put_u32(out, slot);
		codec_put_u32(out, number);
		entries++;
	}
	codec_put_u32(&head, entries);
}

size_t quota_encode(const struct quota *quota, wall_ms now, uint8_t *out)
{
	struct codec_out o = { .at = out, .end = out + QUOTA_RECORD_MAX };
	struct ring rings[2];

	rings_of((struct quota *)(uintptr_t)quota, &(struct quota_limits){ .hour = 0 }, rings);
	codec_put_u8(&o, VERSION);
	for (int i = 0; i < 2; i++)
		put_ring(&rings[i], now, &o);
	must(!o.failed);
	return (size_t)(o.at - out);
}

static void get_ring(const struct ring *ring, struct codec_in *in)
{
	for (uint32_t entries = codec_get_u32(in); entries > 0 && !in->failed; entries--) {
		uint32_t slot = codec_get_u32(in), number = codec_get_u32(in);

		if (in->failed)
			return;
		ring->slots[slot % ring->size] = packed(slot, number);
		note_last(ring, slot);
	}
}

enum err quota_decode(struct quota *quota, const void *data, size_t len, struct err_detail *why)
{
	struct ring rings[2];
	struct codec_in in;
	enum err err = codec_begin(&in, data, len, VERSION, "quota", why);

	if (err != OK)
		return err;
	rings_of(quota, &(struct quota_limits){ .hour = 0 }, rings);
	for (int i = 0; i < 2; i++)
		get_ring(&rings[i], &in);
	err = codec_end(&in, "quota", why);
	if (err != OK)
		*quota = (struct quota){ 0 };
	return err;
}
