/* relay/ops/replay.c - the verb dead replay: dead letters back into the queue as new messages, in slices and at a bounded rate.
 *
 * Each letter is marked in the transaction that accepts its copy, so whoever goes away, or a crash, in the middle leaves letters that are either
 * replayed or not; the same command goes on with those. */
#include <stdlib.h>
#include <string.h>

#include "conf/value.h"
#include "relay/ops/fact.h"
#include "relay/ops/letters.h"
#include "relay/ops/reissue.h"

#define SLICE_MESSAGES 32
#define UNDER_WAY_MAX  32 /* messages that are being copied: two chunks of memory each */
#define RATE_USUAL     "10/s" /* without --rate */

/* Letters of one message: numbers of recipients, and later places among its letters. */
struct found {
	msg_id id;
	size_t *which, count;
	struct found *next;
};

struct replay {
	struct task task;
	struct choice choice;
	bool dry_run, again, all_walked, waits;
	const char *pool, *source; /* of the arguments, or NULL */
	int64_t gap_us;            /* between two recipients; 0: all at once */
	int64_t next_us;           /* when the next one is due; wall clock */
	struct found *found, **end; /* of this slice */
	size_t under_way;
	uint64_t matched, replayed, messages, before, told, failed, lost;
	char why[200];             /* of the first failure */
};

static const char *plural(uint64_t count)
{
	return count == 1 ? "" : "s";
}

/* --- the start --------------------------------------------------------------------------------------------------------------- */

static bool read_rate(struct replay *replay)
{
	const char *text = task_text(&replay->task, "rate");
	struct value value = { .number = 0 };

	if (!value_parse(VALUE_RATE, text ? text : RATE_USUAL, &value)) {
		(void)task_end(&replay->task, OPS_USAGE, "rate: expected %s", value_expected(VALUE_RATE));
		return false;
	}
	replay->gap_us = value.number > 0 ? DAYS(1) * 1000 / value.number : 0; /* its number is that of a day */
	return true;
}

static bool has_source(const struct conf *conf, const struct conf_pool *pool, const char *source)
{
	for (size_t i = 0; pool && i < pool->source_count; i++)
		if (strcmp(conf->sources[pool->sources[i]].name, source) == 0)
			return true;
	return false;
}

/* A source sends what its pool holds: the pool that was named, or the first that it is in. */
static bool read_way(struct replay *replay, const struct conf *conf)
{
	struct task *task = &replay->task;
	const struct conf_pool *pool;

	replay->pool = task_text(task, "pool");
	replay->source = task_text(task, "source_to");
	pool = replay->pool ? conf_pool_find(conf, replay->pool) : NULL;
	if (replay->pool && !pool) {
		(void)task_end(task, OPS_REFUSED, "there is no pool \"%s\"", replay->pool);
		return false;
	}
	if (!replay->source)
		return true;
	for (size_t i = 0; !pool && i < conf->pool_count; i++)
		if (has_source(conf, &conf->pools[i], replay->source))
			pool = &conf->pools[i];
	if (!has_source(conf, pool, replay->source)) {
		(void)task_end(task, OPS_REFUSED, "source \"%s\" is in no pool%s%s", replay->source, replay->pool ? " of the name " : "",
		    replay->pool ? replay->pool : "");
		return false;
	}
	replay->pool = pool->name;
	return true;
}

static bool replay_start(struct task *task)
{
	struct replay *replay = (struct replay *)task;

	replay->end = &replay->found;
	replay->dry_run = json_is_true(json_object_get(task->args, "dry_run"));
	replay->again = json_is_true(json_object_get(task->args, "again"));
	if (!replay->dry_run && !task->env->dispatch) {
		(void)task_end(task, OPS_UNREACHABLE, "dead replay needs a running daemon");
		return false;
	}
	if (!read_rate(replay) || !read_way(replay, task->env->conf(task->env->arg)) || !choice_init(&replay->choice, task))
		return false;
	if (!choice_is_given(&replay->choice)) {
		(void)task_end(task, OPS_USAGE, "dead replay whom? expected IDs or a filter; '*' is all");
		return false;
	}
	replay->next_us = row_now(task->env) * 1000;
	return true;
}

/* --- a slice ----------------------------------------------------------------------------------------------------------------- */

static void tell_before(struct replay *replay, const struct queue_letters *letters, size_t i)
{
	char earlier[MSG_ID_TEXT], text[100];
	struct row row;
	json_t *o;

	replay->before++;
	if (replay->choice.is_open)
		return;
	letters_row(&row, letters, i);
	(void)snprintf(text, sizeof(text), "replayed before, as %s; --again does it once more",
	    msg_id_format(letters->letters[i].replayed, earlier));
	o = json_object();
	fact_text(o, "id", row.id);
	fact_text(o, "error", text);
	task_emit(&replay->task, o);
}

static bool replay_letters(void *arg, const struct queue_letters *letters, const size_t *which, size_t count)
{
	struct replay *replay = arg;
	struct found *found = xcalloc(1, sizeof(*found));

	found->which = xcalloc(count, sizeof(found->which[0]));
	for (size_t i = 0; i < count; i++) {
		const struct queue_letter *letter = &letters->letters[which[i]];

		replay->matched++;
		if (letter->replayed && !replay->again) {
			tell_before(replay, letters, which[i]);
			continue;
		}
		if (replay->dry_run) {
			task_emit(&replay->task, letters_json(letters, which[i]));
			replay->replayed++;
			replay->told += letter->dsn != 0;
			continue;
		}
		found->which[found->count++] = letter->rcpt.n;
	}
	if (found->count == 0) {
		replay->messages += replay->dry_run;
		free(found->which);
		free(found);
		return true;
	}
	found->id = letters->message.id;
	*replay->end = found;
	replay->end = &found->next;
	return true;
}

static void found_free(struct found *found)
{
	free(found->which);
	free(found);
}

static void reissued(void *arg, const struct reissue_result *result)
{
	struct replay *replay = arg;

	replay->under_way--;
	if (result->result == OK) {
		replay->messages++;
		replay->replayed += result->count;
	} else if (result->result == ERR_EXISTS) {
		replay->before += result->count; /* by somebody else since the walk came by */
	} else {
		replay->failed += result->count;
		if (!replay->why[0])
			(void)snprintf(replay->why, sizeof(replay->why), "%s", result->why);
	}
	if (replay->task.abandoned) {
		if (replay->under_way == 0)
			task_free(&replay->task);
		return;
	}
	if (replay->waits) {
		replay->waits = false;
		task_wake(&replay->task);
	}
}

/* Numbers of recipients into places among the letters, as they are now; those that have gone are left out. */
static size_t places_of(const struct queue_letters *letters, size_t *which, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < letters->count; k++)
			if (letters->letters[k].rcpt.n == which[i])
				which[kept++] = k;
	return kept;
}

/* One message of the slice: due when the rate has come to it. */
static void replay_one(struct replay *replay, struct found *found)
{
	const struct ops_env *env = replay->task.env;
	struct queue_letters *letters = NULL;
	size_t count = queue_letters_load(env->reader, found->id, &letters, NULL) == OK ? places_of(letters, found->which, found->count) : 0;
	struct reissue_wish wish = {
		.due = replay->next_us / 1000, .pool = replay->pool, .source = replay->source, .again = replay->again,
	};

	replay->lost += found->count - count;
	if (count > 0) {
		for (size_t i = 0; i < count; i++)
			replay->told += letters->letters[found->which[i]].dsn != 0;
		replay->next_us += replay->gap_us * (int64_t)count;
		replay->under_way++;
		reissue_start(env, letters, found->which, count, &wish, reissued, replay);
	}
	free(letters);
}

static void replay_found(struct replay *replay)
{
	while (replay->found && replay->under_way < UNDER_WAY_MAX) {
		struct found *found = replay->found;

		replay->found = found->next;
		replay_one(replay, found);
		found_free(found);
	}
	if (!replay->found)
		replay->end = &replay->found;
}

/* --- the end ----------------------------------------------------------------------------------------------------------------- */

static enum task_state replay_end(struct replay *replay)
{
	struct task *task = &replay->task;
	size_t missing = choice_tell_lost(&replay->choice, task, "no dead letter");
	bool refused = replay->failed > 0 || missing > 0 || (!replay->choice.is_open && replay->before > 0);
	char text[800];
	int len = snprintf(text, sizeof(text), "%llu recipient%s in %llu message%s %sreplayed", (unsigned long long)replay->replayed,
	    plural(replay->replayed), (unsigned long long)replay->messages, plural(replay->messages), replay->dry_run ? "would be " : "");

	if (replay->told > 0)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "; of %llu the sender has been told that delivery failed",
		    (unsigned long long)replay->told);
	if (replay->before > 0)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "; %llu had been replayed before", (unsigned long long)replay->before);
	if (replay->failed > 0)
		(void)snprintf(text + len, sizeof(text) - (size_t)len, "; %llu failed: %s", (unsigned long long)replay->failed, replay->why);
	task->summary = json_object();
	fact_number(task->summary, "matched", replay->matched);
	fact_number(task->summary, "replayed", replay->replayed);
	fact_number(task->summary, "messages", replay->messages);
	fact_number(task->summary, "before", replay->before);
	fact_number(task->summary, "told", replay->told);
	fact_number(task->summary, "failed", replay->failed);
	fact_number(task->summary, "gone", replay->lost);
	if (!replay->dry_run && replay->messages > 0)
		fact_time(task->summary, "last_due", replay->next_us / 1000);
	return task_end(task, refused ? OPS_REFUSED : OPS_DONE, "%s", text);
}

static enum task_state replay_step(struct task *task)
{
	struct replay *replay = (struct replay *)task;
	struct err_detail why;

	replay_found(replay);
	if (!replay->found && !replay->all_walked && replay->under_way < UNDER_WAY_MAX) {
		if (letters_walk(&replay->choice, task->env, SLICE_MESSAGES, replay_letters, replay, &replay->all_walked, &why) != OK)
			return task_end(task, OPS_REFUSED, "%s", why.text);
		return TASK_MORE;
	}
	if (replay->under_way == 0 && !replay->found)
		return replay_end(replay);
	replay->waits = true;
	return TASK_WAIT;
}

static bool replay_fini(struct task *task)
{
	struct replay *replay = (struct replay *)task;

	choice_fini(&replay->choice);
	while (replay->found) {
		struct found *next = replay->found->next;

		found_free(replay->found);
		replay->found = next;
	}
	return replay->under_way == 0;
}

const struct task_kind dead_replay_kind = {
	.verb = "dead replay", .size = sizeof(struct replay), .start = replay_start, .step = replay_step, .fini = replay_fini,
};
