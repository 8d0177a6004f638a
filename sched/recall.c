/* sched/recall.c - what is learned goes to the store when it changes and comes back at start: lanes, destinations, the operator's pauses.
 *
 * A change puts its owner's key on a list; whoever writes takes the keys and the bytes as they are by then, so ten changes in a row are one row.
 * What the store knew of lanes and destinations waits by key until one of them is made: most never are again, and are dropped after a week. */
#include "sched/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/learned.h"

#define KEEP_MS    DAYS(7) /* a row that nothing has touched for so long */
#define ROWS_MAX   20000   /* that are waited for */
#define KEY_TEXT   300     /* bytes of a destination's key that stand in a row's key as they are */

/* A key whose row is to be written, or bytes of a row that nobody has asked for yet. */
struct recall {
	char *key;
	uint8_t data[LEARNED_MAX];
	size_t len;
	UT_hash_handle hh;
};

/* --- keys: "l SOURCE DESTINATION", "d DESTINATION", "t TENANT", "s SOURCE" ------------------------------------------------------ */

static uint64_t hash_of(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return hash;
}

static char *dest_key(const struct dest *dest, const char *before)
{
	if (strlen(dest->key) > KEY_TEXT)
		return xasprintf("%sh:#%016llx", before, (unsigned long long)hash_of(dest->key));
	return xasprintf("%s%s", before, dest->key);
}

static char *key_of_lane(const struct lane *lane)
{
	char *before = xasprintf("l %s ", lane->source->name), *key = dest_key(lane->dest, before);

	free(before);
	return key;
}

static struct recall *find(struct recall *table, const char *key)
{
	struct recall *row;

	HASH_FIND_STR(table, key, row);
	return row;
}

/* Takes `key`. */
static struct recall *add(struct sched *sched, struct recall **table, char *key)
{
	struct recall *row = find(*table, key);

	if (row != NULL) {
		free(key);
		return row;
	}
	row = model_alloc(sched, sizeof(*row));
	row->key = key;
	HASH_ADD_KEYPTR(hh, *table, row->key, strlen(row->key), row);
	return row;
}

static void drop(struct sched *sched, struct recall **table, struct recall *row)
{
	HASH_DEL(*table, row);
	free(row->key);
	model_free(sched, row, sizeof(*row));
}

void recall_fini(struct sched *sched)
{
	while (sched->unsaved != NULL)
		drop(sched, &sched->unsaved, sched->unsaved);
	while (sched->remembered != NULL)
		drop(sched, &sched->remembered, sched->remembered);
}

/* --- lanes ------------------------------------------------------------------------------------------------------------------- */

static uint8_t class_of_words(const char *words)
{
	for (int class = 0; words != NULL && class < CLASS_COUNT; class++)
		if (replies_class_name((enum replies_class)class) == words)
			return (uint8_t)(class + 1);
	return 0;
}

static struct learned_lane of_lane(const struct lane *lane)
{
	return (struct learned_lane){ .pace = lane->pace, .failures = lane->failures, .blocks = lane->blocks,
		.paused_until = lane->paused_until, .shut_by = lane->shut_by, .shut_class = class_of_words(lane->shut_words),
		.silent = lane->silent, .silences = lane->silences, .strained = lane->strained, .refused = lane->refused,
		.unheard_at = lane->unheard_at, .strained_at = lane->strained_at, .health = lane->health };
}

/* What a row is written for, as a number; 0: there is nothing to say. Windows count by their magnitude, figures of the record not at all. */
static uint64_t sum_of_lane(const struct lane *lane)
{
	uint64_t sum;

	if (!state_is_worth(lane))
		return 0;
	sum = lane->failures;
	sum = sum * 31 + lane->blocks;
	sum = sum * 31 + (uint64_t)lane->paused_until;
	sum = sum * 31 + lane->shut_by;
	sum = sum * 31 + (lane->silent | lane->strained << 1 | lane->refused << 2);
	sum = sum * 31 + (lane->pace.threshold != 0 ? 32u - (unsigned)__builtin_clz(pace_limit(&lane->pace)) : 0);
	sum = sum * 31 + lane->pace.threshold;
	return sum != 0 ? sum : 1;
}

void recall_note_lane(struct sched *sched, struct lane *lane)
{
	uint64_t sum = sum_of_lane(lane);

	if (sum == lane->saved)
		return;
	lane->saved = sum;
	(void)add(sched, &sched->unsaved, key_of_lane(lane));
}

void recall_forget_lane(struct sched *sched, struct lane *lane)
{
	if (lane->saved == 0)
		return;
	lane->saved = 0;
	(void)add(sched, &sched->unsaved, key_of_lane(lane));
}

/* A lane is shut for one of these; whatever else a damaged row says would be taken for a limit that nobody lifts. */
static unsigned shut_by_of(uint32_t stored)
{
	static const unsigned reasons[] = { WHY_LANE_BLOCKED, WHY_LANE_SILENT, WHY_LANE_HEALTH };

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (stored == reasons[i])
			return stored;
	return WHY_LANE_PAUSED;
}

void recall_lane(struct sched *sched, struct lane *lane)
{
	struct learned_lane known;
	struct recall *row;
	char *key;

	if (sched->remembered == NULL)
		return;
	key = key_of_lane(lane);
	row = find(sched->remembered, key);
	free(key);
	if (row == NULL || learned_decode_lane(row->data, row->len, &known) != OK)
		return;
	lane->pace = known.pace;
	lane->pace.flight = 0; /* those under way are no more */
	lane->blocks = known.blocks;
	lane->paused_until = known.paused_until;
	lane->shut_by = shut_by_of(known.shut_by);
	lane->shut_words = known.shut_class > 0 && known.shut_class <= CLASS_COUNT
	    ? replies_class_name((enum replies_class)(known.shut_class - 1))
	    : NULL;
	lane->silent = known.silent;
	lane->silences = known.silences;
	lane->strained = known.strained;
	lane->refused = known.refused;
	lane->unheard_at = known.unheard_at;
	lane->strained_at = known.strained_at;
	lane->health = known.health;
	/* A probe whose time has come is not left to the last. */
	lane_set_failures(sched, lane, known.silent && known.paused_until <= sched->now ? 0 : known.failures);
	lane->saved = sum_of_lane(lane);
	drop(sched, &sched->remembered, row);
}

/* --- destinations ---------------------------------------------------------------------------------------------------------------- */

static uint64_t sum_of_dest(const struct dest *dest)
{
	if (!dest->down && !dest->operator_paused)
		return 0;
	return ((uint64_t)dest->pause_until * 31 + dest->pauses) * 4 + 2u * dest->down + dest->operator_paused + 1;
}

void recall_note_dest(struct sched *sched, struct dest *dest)
{
	uint64_t sum = sum_of_dest(dest);

	if (sum == dest->saved)
		return;
	dest->saved = sum;
	(void)add(sched, &sched->unsaved, dest_key(dest, "d "));
}

void recall_forget_dest(struct sched *sched, struct dest *dest)
{
	if (dest->saved == 0)
		return;
	dest->saved = 0;
	(void)add(sched, &sched->unsaved, dest_key(dest, "d "));
}

void recall_dest(struct sched *sched, struct dest *dest)
{
	struct learned_dest known;
	struct recall *row;
	char *key;

	if (sched->remembered == NULL)
		return;
	key = dest_key(dest, "d ");
	row = find(sched->remembered, key);
	free(key);
	if (row == NULL || learned_decode_dest(row->data, row->len, &known) != OK)
		return;
	dest->operator_paused = known.operator_paused;
	dest->down = known.down;
	dest->failures = known.failures;
	dest->pauses = known.pauses;
	dest->pause_until = known.pause_until;
	sched->operator_pauses += dest->operator_paused;
	sched->dests_down += dest->down;
	dest_refresh(sched, dest, sched->now);
	dest->saved = sum_of_dest(dest);
	drop(sched, &sched->remembered, row);
}

/* --- the operator's pauses of tenants and sources --------------------------------------------------------------------------------- */

void recall_note_pause(struct sched *sched, char kind, const char *name)
{
	(void)add(sched, &sched->unsaved, xasprintf("%c %s", kind, name));
}

/* --- out and in ------------------------------------------------------------------------------------------------------------------- */

static struct dest *dest_by_key(const struct sched *sched, const char *key)
{
	struct dest *dest;

	HASH_FIND(hh_key, sched->dest_keys, key, strlen(key), dest);
	for (struct dest *d = sched->dest_keys; dest == NULL && strncmp(key, "h:#", 3) == 0 && d != NULL; d = d->hh_key.next) {
		char *own = dest_key(d, "");

		if (strcmp(own, key) == 0)
			dest = d;
		free(own);
	}
	return dest;
}

static struct lane *lane_by_key(const struct sched *sched, const char *key)
{
	const char *space = strchr(key, ' ');
	char *name = space != NULL ? xasprintf("%.*s", (int)(space - key), key) : NULL;
	const struct dest *dest = space != NULL ? dest_by_key(sched, space + 1) : NULL;
	const struct source *source = NULL;

	if (name != NULL)
		HASH_FIND_STR(sched->source_names, name, source);
	free(name);
	return source != NULL && dest != NULL ? lane_find(sched, dest, source) : NULL;
}

static size_t encode_lane(const struct lane *lane, uint8_t out[LEARNED_MAX])
{
	struct learned_lane learned = of_lane(lane);

	return learned_encode_lane(&learned, out);
}

static size_t encode_dest(const struct dest *d, uint8_t out[LEARNED_MAX])
{
	return learned_encode_dest(&(struct learned_dest){ .operator_paused = d->operator_paused, .down = d->down,
	    .failures = d->failures, .pauses = d->pauses, .pause_until = d->pause_until }, out);
}

/* The row of a key as it is now; 0: there is none to keep. */
static size_t encode(const struct sched *sched, const char *key, uint8_t out[LEARNED_MAX])
{
	const struct lane *lane;
	const struct dest *dest;
	const struct tenant *tenant;
	const struct source *source;
	const char *name = key + 2;

	switch (key[0]) {
	case 'l':
		lane = lane_by_key(sched, name);
		return lane != NULL && lane->saved != 0 ? encode_lane(lane, out) : 0;
	case 'd':
		dest = dest_by_key(sched, name);
		return dest != NULL && dest->saved != 0 ? encode_dest(dest, out) : 0;
	case 't':
		HASH_FIND_STR(sched->tenant_names, name, tenant);
		out[0] = 1;
		return tenant != NULL && tenant->paused;
	default:
		HASH_FIND_STR(sched->source_names, name, source);
		out[0] = 1;
		return source != NULL && source->paused;
	}
}

bool sched_learned_next(struct sched *sched, struct sched_learned *out)
{
	struct recall *row = sched->unsaved;

	if (row == NULL)
		return false;
	snprintf(out->key, sizeof(out->key), "%s", row->key);
	out->len = encode(sched, row->key, out->data);
	drop(sched, &sched->unsaved, row);
	return true;
}

static enum err check(const char *key, const void *data, size_t len, wall_ms *last)
{
	struct learned_lane lane;
	struct learned_dest dest;
	enum err e;

	*last = WALL_NEVER;
	if (key[0] == 'l') {
		e = learned_decode_lane(data, len, &lane);
		*last = e == OK && lane.pace.used_at > lane.paused_until ? lane.pace.used_at : e == OK ? lane.paused_until : 0;
		return e;
	}
	if (key[0] != 'd')
		return len > 0 && ((const uint8_t *)data)[0] == 1 ? OK : ERR_VERSION;
	e = learned_decode_dest(data, len, &dest);
	if (e == OK && !dest.operator_paused)
		*last = dest.pause_until;
	return e;
}

/* Who is gone from the configuration is not paused any more; writing the row again drops it. */
static void restore_pause(struct sched *sched, const char *key, wall_ms now)
{
	if (sched_pause(sched, key[0] == 't' ? "tenant" : "source", key + 2, true, now) != OK)
		recall_note_pause(sched, key[0], key + 2);
}

enum err sched_learned_restore(struct sched *sched, const char *key, const void *data, size_t len, wall_ms now)
{
	struct recall *row;
	wall_ms last;
	enum err e;

	if (strlen(key) < 3 || key[1] != ' ' || strchr("ldts", key[0]) == NULL || len > LEARNED_MAX)
		return ERR_CORRUPT;
	timer_now(sched, now);
	e = check(key, data, len, &last);
	if (e != OK)
		return e;
	if (key[0] == 't' || key[0] == 's') {
		restore_pause(sched, key, now);
		return OK;
	}
	if (last < now - KEEP_MS || HASH_COUNT(sched->remembered) >= ROWS_MAX) {
		(void)add(sched, &sched->unsaved, xstrdup(key)); /* nothing has it any more: the row goes */
		return OK;
	}
	row = add(sched, &sched->remembered, xstrdup(key));
	memcpy(row->data, data, len);
	row->len = len;
	return OK;
}
