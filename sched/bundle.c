/* sched/bundle.c - what one pool may send to one destination: which sources are open, and whose turn it is.
 *
 * Which sources cannot start now is a bit set, so that choosing among a thousand costs a few words. A bit is set by whoever finds the lane
 * closed and cleared by the event that opens it: no decision looks at a closed lane twice. */
#include "sched/parts.h"

#include <string.h>

#define WORD_BITS 64u

size_t bundle_size(uint32_t words)
{
	return sizeof(struct bundle) + 2 * words * sizeof(uint64_t);
}

static uint64_t *closed(struct bundle *bundle)
{
	return bundle->bits;
}

static uint64_t *shaky(struct bundle *bundle)
{
	return bundle->bits + bundle->words;
}

static void set_bit(uint64_t *bits, uint32_t at, bool value)
{
	uint64_t bit = UINT64_C(1) << (at % WORD_BITS);

	if (value)
		bits[at / WORD_BITS] |= bit;
	else
		bits[at / WORD_BITS] &= ~bit;
}

static bool can_reach(const struct bundle *bundle, const struct source *source)
{
	return (source->families & bundle->families) != 0;
}

struct bundle *bundle_get(struct sched *sched, struct dest *dest, struct pool *pool, unsigned families)
{
	uint32_t words = (pool->source_count + WORD_BITS - 1) / WORD_BITS;
	struct bundle *b;

	for (b = dest->bundles; b != NULL; b = b->dest_next)
		if (b->pool == pool && b->families == families)
			return b;
	b = model_alloc(sched, bundle_size(words));
	b->dest = dest;
	b->pool = pool;
	b->families = families;
	b->words = words;
	b->cursor = pool->source_count > 0 ? rand_below(&sched->rand, pool->source_count) : 0;
	memset(closed(b), 0xff, words * sizeof(uint64_t));
	for (uint32_t i = 0; i < pool->source_count; i++) {
		if (can_reach(b, slots_get(&sched->sources, pool->sources[i]))) {
			set_bit(closed(b), i, false);
			b->open++;
		}
	}
	b->dest_next = dest->bundles;
	dest->bundles = b;
	return b;
}

void bundle_refresh(struct sched *sched, struct bundle *bundle)
{
	unsigned waiting = share_waiting(bundle);
	bool runnable = waiting != 0 && bundle->open > 0 && !bundle->dest->blocked && !bundle->dest->crowded &&
	    !bundle->dest->sated && !bundle->keeping;
	enum conf_priority ring = runnable ? (enum conf_priority)__builtin_ctz(waiting) : bundle->ring;

	if (runnable == bundle->runnable && ring == bundle->ring)
		return;
	if (bundle->runnable)
		DL_DELETE2(sched->runnable[bundle->ring], bundle, prev, next);
	bundle->runnable = runnable;
	bundle->ring = ring;
	if (runnable)
		DL_APPEND2(sched->runnable[ring], bundle, prev, next);
}

void bundle_close(struct sched *sched, struct bundle *bundle, uint32_t place)
{
	if (bundle_is_closed(bundle, place))
		return;
	set_bit(closed(bundle), place, true);
	bundle->open--;
	bundle_refresh(sched, bundle);
}

void bundle_mark(struct bundle *bundle, uint32_t place, bool value)
{
	set_bit(shaky(bundle), place, value);
}

void bundle_reopen(struct sched *sched, struct bundle *bundle, const struct source *source)
{
	uint32_t place;

	if (!name_pool_has(bundle->pool, source, &place) || !can_reach(bundle, source) ||
	    !bundle_is_closed(bundle, place))
		return;
	set_bit(closed(bundle), place, false);
	bundle->open++;
	overflow_release(sched, bundle);
	bundle_refresh(sched, bundle);
}

/* Beyond, the next open source takes the turn, so that a choice among a thousand costs no more: exact in pools of so many turns, and in larger ones
 * as long as not so many in a row are of sources that cannot start. */
#define TURNS_TRIED 256

/* First clear bit of a | b at or after `from`, going round; UINT32_MAX: none. */
static uint32_t next_clear(const uint64_t *a, const uint64_t *b, uint32_t words, uint32_t from)
{
	uint32_t start = from / WORD_BITS;

	for (uint32_t i = 0; i <= words; i++) {
		uint32_t word = (start + i) % words;
		uint64_t clear = ~(a[word] | b[word]);

		if (i == 0)
			clear &= UINT64_MAX << (from % WORD_BITS);
		if (clear != 0)
			return word * WORD_BITS + (uint32_t)__builtin_ctzll(clear);
	}
	return UINT32_MAX;
}

/* A heavier source has more turns; whose turn it is and who cannot start loses it. */
static void take_turn(struct bundle *bundle)
{
	const struct pool *pool = bundle->pool;

	for (unsigned i = 0; i < TURNS_TRIED && i < pool->turn_count; i++) {
		uint32_t place = pool->turns[bundle->turn % pool->turn_count];

		bundle->turn = (bundle->turn + 1) % pool->turn_count;
		bundle->cursor = place;
		if (!bundle_is_closed(bundle, place) && !bundle_is_shaky(bundle, place))
			return;
	}
}

uint32_t bundle_choose(struct bundle *bundle)
{
	const uint64_t *shut = bundle->bits, *weak = bundle->bits + bundle->words;
	uint32_t place;

	if (bundle->open == 0)
		return UINT32_MAX;
	take_turn(bundle);
	place = next_clear(shut, weak, bundle->words, bundle->cursor);
	return place != UINT32_MAX ? place : next_clear(shut, shut, bundle->words, bundle->cursor);
}

void bundle_free_all(struct sched *sched, struct dest *dest)
{
	struct bundle *b;

	while ((b = dest->bundles) != NULL) {
		must(b->shares == NULL);
		overflow_release(sched, b);
		bundle_refresh(sched, b);
		dest->bundles = b->dest_next;
		model_free(sched, b, bundle_size(b->words));
	}
}
