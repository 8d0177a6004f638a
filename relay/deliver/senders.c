/* relay/deliver/senders.c - sender domains under a limit at a destination. */
#include "relay/deliver/senders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bigend.h"
#include "base/table.h"

#define PAUSE_FIRST_MS MINUTES(1) /* doubles with each throttle in a row */
#define PAUSE_MAX_MS   HOURS(1)
#define GAP_FIRST_MS   SECONDS(10) /* between messages after the pause; halves with each that is taken */
#define GAP_MAX_MS     MINUTES(10)
#define GAP_LEAST_MS   SECONDS(1) /* below, the limit is forgotten */
#define KEEP_MS        DAYS(1)    /* so long after its last turn it is forgotten in any case */
#define LIMITS_MAX     10000      /* beyond, the oldest goes */
#define KEY_MAX        600
#define VERSION        1

struct limit {
	char *key; /* "DESTINATION\nDOMAIN" */
	struct place *place;
	uint32_t throttles; /* in a row */
	int64_t gap_ms;
	wall_ms next_at;
	UT_hash_handle hh; /* in the order of their making */
};

/* A destination that limits somebody. */
struct place {
	char *name;
	uint32_t limits;
	UT_hash_handle hh;
};

struct senders {
	struct limit *limits;
	struct place *places;
};

struct senders *senders_create(void)
{
	return xcalloc(1, sizeof(struct senders));
}

static void forget(struct senders *senders, struct limit *limit)
{
	struct place *place = limit->place;

	HASH_DEL(senders->limits, limit);
	free(limit->key);
	free(limit);
	if (--place->limits > 0)
		return;
	HASH_DEL(senders->places, place);
	free(place->name);
	free(place);
}

void senders_destroy(struct senders **ptr)
{
	struct senders *senders = *ptr;

	*ptr = NULL;
	if (senders == NULL)
		return;
	while (senders->limits != NULL)
		forget(senders, senders->limits);
	free(senders);
}

static struct limit *find(const struct senders *senders, const char *destination, const char *domain)
{
	char key[KEY_MAX];
	struct limit *limit;

	(void)snprintf(key, sizeof(key), "%s\n%s", destination, domain);
	HASH_FIND_STR(senders->limits, key, limit);
	return limit;
}

static struct place *place_get(struct senders *senders, const char *name)
{
	struct place *place;

	HASH_FIND_STR(senders->places, name, place);
	if (place != NULL)
		return place;
	place = xcalloc(1, sizeof(*place));
	place->name = xstrdup(name);
	HASH_ADD_KEYPTR(hh, senders->places, place->name, strlen(place->name), place);
	return place;
}

static struct limit *get(struct senders *senders, const char *destination, const char *domain)
{
	struct limit *limit = find(senders, destination, domain);
	char key[KEY_MAX];

	if (limit != NULL)
		return limit;
	if (HASH_COUNT(senders->limits) >= LIMITS_MAX)
		forget(senders, senders->limits);
	limit = xcalloc(1, sizeof(*limit));
	(void)snprintf(key, sizeof(key), "%s\n%s", destination, domain);
	limit->key = xstrdup(key);
	limit->place = place_get(senders, destination);
	limit->place->limits++;
	HASH_ADD_KEYPTR(hh, senders->limits, limit->key, strlen(limit->key), limit);
	return limit;
}

static int64_t doubled(int64_t first, int64_t most, uint32_t times)
{
	while (times-- > 0 && first < most)
		first *= 2;
	return first < most ? first : most;
}

bool senders_throttled(struct senders *senders, const char *destination, const char *domain, int64_t wait_ms, wall_ms now)
{
	struct limit *limit = get(senders, destination, domain);
	int64_t pause;

	/* Those that were under way together count once. */
	if (limit->throttles > 0 && limit->next_at > now + limit->gap_ms && now + wait_ms <= limit->next_at)
		return false;
	pause = doubled(PAUSE_FIRST_MS, PAUSE_MAX_MS, limit->throttles);
	limit->gap_ms = doubled(GAP_FIRST_MS, GAP_MAX_MS, limit->throttles);
	limit->throttles += limit->throttles < UINT8_MAX;
	limit->next_at = now + (wait_ms > pause ? wait_ms : pause);
	return true;
}

bool senders_delivered(struct senders *senders, const char *destination, const char *domain)
{
	struct limit *limit = senders->limits != NULL ? find(senders, destination, domain) : NULL;

	if (limit == NULL)
		return false;
	limit->gap_ms /= 2;
	if (limit->gap_ms >= GAP_LEAST_MS)
		return false;
	forget(senders, limit);
	return true;
}

bool senders_any(const struct senders *senders, const char *destination)
{
	struct place *place;

	if (senders->places == NULL)
		return false;
	HASH_FIND_STR(senders->places, destination, place);
	return place != NULL;
}

wall_ms senders_turn(struct senders *senders, const char *destination, const char *domain, wall_ms now)
{
	struct limit *limit = find(senders, destination, domain);

	if (limit == NULL)
		return 0;
	if (now - limit->next_at > KEEP_MS) {
		forget(senders, limit);
		return 0;
	}
	if (limit->next_at > now)
		return limit->next_at;
	limit->next_at = now + limit->gap_ms;
	return 0;
}

/* --- the store: version u8, throttles u8, gap u32, next turn u64, kept until u64 ------------------------------------------------ */

size_t senders_encode(const struct senders *senders, const char *destination, const char *domain, uint8_t out[SENDERS_ROW])
{
	const struct limit *limit = find(senders, destination, domain);
	uint8_t *to = out;

	if (limit == NULL)
		return 0;
	to = bigend_put(to, VERSION, 1);
	to = bigend_put(to, limit->throttles, 1);
	to = bigend_put(to, (uint64_t)limit->gap_ms, 4);
	to = bigend_put(to, (uint64_t)limit->next_at, 8);
	to = bigend_put(to, (uint64_t)(limit->next_at + KEEP_MS), 8);
	return (size_t)(to - out);
}

enum err senders_restore(
    struct senders *senders, const char *destination, const char *domain, const void *data, size_t len, wall_ms now)
{
	const uint8_t *at = data;
	struct limit read = { 0 }, *limit;
	wall_ms until;

	if (len < 1)
		return ERR_CORRUPT;
	if (bigend_get(&at, 1) != VERSION)
		return ERR_VERSION;
	if (len != SENDERS_ROW)
		return ERR_CORRUPT;
	read.throttles = (uint32_t)bigend_get(&at, 1);
	read.gap_ms = (int64_t)bigend_get(&at, 4);
	read.next_at = (wall_ms)bigend_get(&at, 8);
	until = (wall_ms)bigend_get(&at, 8);
	if (read.gap_ms > GAP_MAX_MS || read.next_at < 0 || until < read.next_at)
		return ERR_CORRUPT;
	if (until <= now)
		return OK;
	limit = get(senders, destination, domain);
	limit->throttles = read.throttles;
	limit->gap_ms = read.gap_ms;
	limit->next_at = read.next_at;
	return OK;
}
