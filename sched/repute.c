/* sched/repute.c - the record of a tenant: whose mail a cold address should carry first. Stored, so that a restart does not forget it. */
#include <stdlib.h>
#include <string.h>

#include "base/bigend.h"
#include "sched/parts.h"

#define RECORD_LEAST  30   /* recipients until it says something */
#define RECORD_LONG   2000 /* beyond, older ones count half */
#define RISKY_SHARE   0.03 /* of unknown recipients; senders' platforms step in at 3 to 5 % */
#define COMPLAINT_AS  10   /* a complaint weighs like so many unknown recipients */
#define GOOD_FOR_ONE  19   /* recipients of others that earn it one: a twentieth of the mail */
#define EARNED_DEBT   INT64_C(1000000000000)
#define EARNED_MOST   190  /* in all: no burst of it after a long wait */

#define VERSION     2 /* in version 1 the last number counted turns, from 0 to GOOD_FOR_ONE */
#define ENCODED_LEN 25 /* version, tried, bad, turns */

void repute_note(struct tenant *tenant, uint32_t tried, uint32_t unknown, uint32_t complained)
{
	tenant->noted = tenant->noted || tried + complained > 0;
	tenant->tried += tried;
	tenant->bad += unknown + COMPLAINT_AS * complained;
	if (tenant->tried > RECORD_LONG) {
		tenant->tried /= 2;
		tenant->bad /= 2;
	}
}

bool repute_is_risky(const struct tenant *tenant)
{
	return tenant->tried >= RECORD_LEAST && tenant->bad > RISKY_SHARE * tenant->tried + 1;
}

bool repute_has_turn(const struct tenant *tenant)
{
	return tenant->risky_earned >= GOOD_FOR_ONE;
}

uint32_t repute_part(const struct tenant *tenant, uint32_t rcpts)
{
	int64_t most = tenant->risky_earned / GOOD_FOR_ONE;

	return most < 1 ? 1 : most < rcpts ? (uint32_t)most : rcpts;
}

void repute_count_turn(struct tenant *tenant, bool own, uint32_t rcpts)
{
	tenant->risky_earned += own ? -(int64_t)GOOD_FOR_ONE * rcpts : (int64_t)rcpts;
	if (tenant->risky_earned > EARNED_MOST)
		tenant->risky_earned = EARNED_MOST;
	tenant->noted = true;
}

static uint8_t *put_real(uint8_t *at, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bigend_put(at, bits, 8);
}

static double get_real(const uint8_t **at)
{
	uint64_t bits = bigend_get(at, 8);
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

bool repute_state(struct tenant *tenant, struct sched_warm *out)
{
	uint8_t *at = out->data;

	if (tenant->tried <= 0 && tenant->bad <= 0)
		return false;
	if (tenant->key == NULL)
		tenant->key = xasprintf(" %c %s", REPUTE_MARK, tenant->name);
	*at++ = VERSION;
	at = put_real(at, tenant->tried);
	at = put_real(at, tenant->bad);
	(void)bigend_put(at, (uint64_t)tenant->risky_earned, 8);
	out->key = tenant->key;
	out->len = ENCODED_LEN;
	return true;
}

enum err repute_restore(struct tenant *tenant, const void *data, size_t len)
{
	const uint8_t *at = data;
	uint8_t version;
	uint64_t turns;
	double tried, bad;

	if (len == 0)
		return ERR_CORRUPT;
	version = *at++;
	if (version == 0 || version > VERSION)
		return ERR_VERSION;
	if (len != ENCODED_LEN)
		return ERR_CORRUPT;
	if (tenant->tried > 0)
		return ERR_EXISTS;
	tried = get_real(&at);
	bad = get_real(&at);
	turns = bigend_get(&at, 8);
	if (!(tried >= 0 && tried <= 1e12 && bad >= 0 && bad <= 1e12))
		return ERR_CORRUPT;
	tenant->tried = tried;
	tenant->bad = bad;
	tenant->risky_earned = version == 1 ? (int64_t)(turns % (GOOD_FOR_ONE + 1)) : (int64_t)turns;
	if (tenant->risky_earned > EARNED_MOST || tenant->risky_earned < -EARNED_DEBT)
		tenant->risky_earned = 0;
	return OK;
}
