/* relay/ops/letters.c - dead letters as the operator sees them: the walk over those that were asked for, and their facts. */
#include "relay/ops/letters.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "relay/ops/fact.h"

static const char *const CAUSES[LETTER_CAUSES] = {
	[LETTER_NONE] = "", [LETTER_REFUSED] = "refused", [LETTER_EXPIRED] = "expired", [LETTER_OPERATOR] = "operator",
};

void letters_row(struct row *row, const struct queue_letters *letters, size_t i)
{
	const struct queue_letter *letter = &letters->letters[i];
	char id[MSG_ID_TEXT];

	*row = (struct row){
		.message = &letters->message, .rcpt = &letter->rcpt, .state = ROW_WAITING, .reason = letter->rcpt.reason,
		.source = letter->rcpt.source, .destination = letter->destination[0] ? letter->destination : letter->rcpt.domain,
	};
	(void)snprintf(row->id, sizeof(row->id), "%s.%" PRIu32, msg_id_format(letters->message.id, id), letter->rcpt.n);
}

static void put_id(json_t *o, const char *key, msg_id id)
{
	char text[MSG_ID_TEXT];

	fact_text(o, key, id ? msg_id_format(id, text) : NULL);
}

json_t *letters_json(const struct queue_letters *letters, size_t i)
{
	const struct queue_letter *letter = &letters->letters[i];
	struct row row;
	json_t *o = json_object();

	letters_row(&row, letters, i);
	fact_text(o, "id", row.id);
	fact_text(o, "rcpt", letter->rcpt.address);
	fact_text(o, "sender", letters->message.sender);
	fact_text(o, "tenant", letters->message.tenant);
	fact_text(o, "destination", row.destination);
	fact_time(o, "died", letter->died);
	fact_text(o, "cause", CAUSES[letter->cause]);
	fact_text(o, "reason", letter->rcpt.reason);
	fact_text(o, "class", letter->rcpt.class_name);
	fact_number(o, "attempts", letter->rcpt.attempts);
	fact_text(o, "reply", letter->rcpt.reply);
	fact_text(o, "source", letter->rcpt.source);
	put_id(o, "dsn", letter->dsn);
	fact_number(o, "size", letters->message.size_bytes);
	put_id(o, "replayed", letter->replayed);
	return o;
}

/* --- the walk ---------------------------------------------------------------------------------------------------------------- */

struct letters_walk {
	struct choice *choice;
	letters_fn fn;
	void *arg;
	wall_ms now;
	bool stopped;
};

static bool visit(void *arg, const struct queue_letters *letters)
{
	struct letters_walk *walk = arg;
	size_t *which = xcalloc(letters->count, sizeof(*which)), count = 0;

	for (size_t i = 0; i < letters->count; i++) {
		const struct queue_letter *letter = &letters->letters[i];
		struct row row;

		if (!choice_names(walk->choice, letters->message.id, letter->rcpt.n))
			continue;
		letters_row(&row, letters, i);
		if (choice_passes(walk->choice, &row, letter->died, walk->now))
			which[count++] = i;
	}
	if (count > 0 && !walk->fn(walk->arg, letters, which, count))
		walk->stopped = true;
	free(which);
	return !walk->stopped;
}

static enum err visit_named(struct letters_walk *walk, const struct ops_env *env, size_t max, struct err_detail *why)
{
	struct choice *choice = walk->choice;

	for (size_t i = 0; i < max && choice->id_at < choice->id_count && !walk->stopped; i++) {
		msg_id id = choice->ids[choice->id_at].id;
		struct queue_letters *letters;
		enum err err = queue_letters_load(env->reader, id, &letters, why);

		if (err != OK && err != ERR_NOT_FOUND)
			return err;
		if (err == OK) {
			(void)visit(walk, letters);
			free(letters);
		}
		while (choice->id_at < choice->id_count && choice->ids[choice->id_at].id == id)
			choice->id_at++;
	}
	return OK;
}

enum err letters_walk(struct choice *choice, const struct ops_env *env, size_t max, letters_fn fn, void *arg, bool *end_out,
    struct err_detail *why)
{
	struct letters_walk walk = { .choice = choice, .fn = fn, .arg = arg, .now = row_now(env) };
	enum err err;

	if (choice->is_open) {
		err = queue_letters_scan(env->reader, &choice->cursor, max, visit, &walk, why);
		*end_out = choice->cursor.end || choice->cursor.id >= choice->end;
	} else {
		err = visit_named(&walk, env, max, why);
		*end_out = choice->id_at == choice->id_count;
	}
	return err;
}
