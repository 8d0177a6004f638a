/* sched/habit.c - the daily curves of the mail: of all that comes in, and of each provider's where that is enough to differ.
 *
 * Cold lanes spread their day's budget by them (warmup.c). Stored as lanes' states are, now and then, so that a restart does not forget them. */
#include <stdlib.h>
#include <string.h>

#include "sched/parts.h"

#define STORE_MS MINUTES(5)

struct habit {
	char *key; /* of its stored record; what follows the mark is the destination's key, or nothing */
	struct curve curve;
	struct curve_line line;
	bool noted;       /* the curve has changed since it was stored, */
	wall_ms store_at; /* which happens again from then on */
	UT_hash_handle hh;
};

static const char *dest_of(const struct habit *habit)
{
	return habit->key + 3;
}

static struct habit *find(const struct sched *sched, const char *dest)
{
	struct habit *habit;

	HASH_FIND_STR(sched->habits, dest, habit);
	return habit;
}

/* The line of all mail stands in for whatever is not known of a destination's own. */
static void draw(struct sched *sched)
{
	double all[CURVE_HOURS], own[CURVE_HOURS];
	struct habit *whole = find(sched, "");

	curve_blend(&whole->curve, NULL, all);
	for (struct habit *habit = sched->habits; habit != NULL; habit = habit->hh.next) {
		if (habit != whole)
			curve_blend(&habit->curve, all, own);
		curve_draw(habit == whole ? all : own, &habit->line);
	}
}

static struct habit *get(struct sched *sched, const char *dest)
{
	struct habit *habit = find(sched, dest);

	if (habit != NULL)
		return habit;
	if (dest[0] != '\0')
		(void)get(sched, "");
	habit = model_alloc(sched, sizeof(*habit));
	habit->key = xasprintf(" %c %s", HABIT_MARK, dest);
	HASH_ADD_KEYPTR(hh, sched->habits, dest_of(habit), strlen(dest_of(habit)), habit);
	draw(sched);
	return habit;
}

/* Destinations without a name of their own are many, and small. */
static const char *key_for(const char *dest)
{
	return strncmp(dest, "p:", 2) == 0 ? dest : "";
}

const struct curve_line *habit_line(struct sched *sched, const char *dest)
{
	return &get(sched, key_for(dest))->line;
}

static bool note(struct habit *habit, uint32_t rcpts, wall_ms now)
{
	habit->noted = true;
	return curve_note(&habit->curve, rcpts, now);
}

void habit_note(struct sched *sched, const struct dest *dest, uint32_t rcpts, wall_ms now)
{
	struct habit *whole = get(sched, ""), *own = get(sched, key_for(dest->key));
	bool changed = note(whole, rcpts, now);

	if (own != whole)
		changed = note(own, rcpts, now) || changed;
	if (changed)
		draw(sched);
}

static void encode(const struct habit *habit, struct sched_warm *out)
{
	out->key = habit->key;
	out->len = CURVE_ENCODED_LEN;
	curve_encode(&habit->curve, out->data);
}

void habit_each(struct sched *sched, sched_warm_changed_fn fn, void *arg)
{
	struct sched_warm state;

	for (const struct habit *habit = sched->habits; habit != NULL; habit = habit->hh.next) {
		encode(habit, &state);
		fn(arg, &state);
	}
}

void habit_records(struct sched *sched, sched_warm_changed_fn fn, void *arg)
{
	struct sched_warm state;

	for (struct habit *habit = sched->habits; habit != NULL; habit = habit->hh.next) {
		/* A clock that was set back must not keep it from the store. */
		if (!habit->noted || (sched->now < habit->store_at && habit->store_at - sched->now <= STORE_MS))
			continue;
		habit->noted = false;
		habit->store_at = sched->now + STORE_MS;
		encode(habit, &state);
		fn(arg, &state);
	}
}

enum err habit_restore(struct sched *sched, const char *dest, const void *data, size_t len)
{
	struct habit *habit;
	struct curve curve;
	enum err e = curve_decode(data, len, &curve);

	if (e != OK)
		return e;
	if (strcmp(key_for(dest), dest) != 0)
		return ERR_CORRUPT;
	habit = get(sched, dest);
	if (habit->curve.day != 0)
		return ERR_EXISTS;
	habit->curve = curve;
	draw(sched);
	return OK;
}

void habit_fini(struct sched *sched)
{
	struct habit *habit, *next;

	HASH_ITER (hh, sched->habits, habit, next) {
		HASH_DEL(sched->habits, habit);
		free(habit->key);
		model_free(sched, habit, sizeof(*habit));
	}
}
