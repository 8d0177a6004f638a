/* relay/ops/dead_show.c - the verbs dead show (all that is known of dead letters) and dead cat (the message, byte for byte). */
#include <stdlib.h>

#include "relay/ops/fact.h"
#include "relay/ops/letters.h"
#include "relay/ops/show.h"

/* The one message that an argument names; the letters are the caller's to free. False: task_end was called. */
static bool load(struct task *task, struct queue_letters **out, struct chosen *chosen)
{
	struct choice choice;
	struct err_detail why;
	bool fine = choice_init(&choice, task);
	enum err err;

	if (fine && choice.id_count != 1) {
		(void)task_end(task, OPS_USAGE, "%s: expected one ID", task->kind->verb);
		fine = false;
	}
	if (fine)
		*chosen = choice.ids[0];
	choice_fini(&choice);
	if (!fine)
		return false;
	err = queue_letters_load(task->env->reader, chosen->id, out, &why);
	if (err == ERR_NOT_FOUND)
		(void)task_end(task, OPS_REFUSED, "%s: no dead letter; it was delivered, still waits, or was removed",
		    json_string_value(json_array_get(json_object_get(task->args, "ids"), 0)));
	else if (err != OK)
		(void)task_end(task, OPS_REFUSED, "%s", why.text);
	return err == OK;
}

/* --- dead show --------------------------------------------------------------------------------------------------------------- */

static json_t *show_letter(const struct queue_letters *letters, size_t i)
{
	const struct queue_letter *letter = &letters->letters[i];
	json_t *o = letters_json(letters, i);

	fact_text(o, "state", "dead");
	fact_text(o, "relay", letter->rcpt.relay);
	fact_time(o, "last_attempt", letter->rcpt.last_attempt);
	fact_text(o, "orcpt", letter->rcpt.orcpt);
	fact_time(o, "replayed_at", letter->replayed_at);
	(void)json_object_del(o, "sender");
	(void)json_object_del(o, "tenant");
	(void)json_object_del(o, "size");
	return o;
}

struct transcripts {
	json_t *list;
	const struct queue_letters *letters;
	const struct chosen *chosen;
};

static bool is_asked_for(const struct transcripts *transcripts, uint32_t job)
{
	for (size_t i = 0; i < transcripts->letters->count; i++) {
		const struct queue_rcpt *rcpt = &transcripts->letters->letters[i].rcpt;

		if (rcpt->job == job && (transcripts->chosen->whole || rcpt->n == transcripts->chosen->n))
			return true;
	}
	return false;
}

static void add_transcript(void *arg, uint32_t job, uint32_t attempt, const char *text, size_t len)
{
	struct transcripts *transcripts = arg;
	json_t *o;

	if (!is_asked_for(transcripts, job))
		return;
	o = json_object();
	fact_number(o, "job", job);
	fact_number(o, "attempt", attempt);
	fact_text_n(o, "text", text, len);
	must(json_array_append_new(transcripts->list, o) == 0);
}

static json_t *recipients_of(const struct queue_letters *letters, const struct chosen *chosen)
{
	json_t *list = json_array();

	for (size_t i = 0; i < letters->count; i++)
		if (chosen->whole || letters->letters[i].rcpt.n == chosen->n)
			must(json_array_append_new(list, show_letter(letters, i)) == 0);
	return list;
}

static enum task_state show_step(struct task *task)
{
	struct transcripts transcripts = { .list = NULL };
	struct queue_letters *letters;
	struct chosen chosen;
	json_t *o, *rcpts;

	if (!load(task, &letters, &chosen))
		return TASK_END;
	rcpts = recipients_of(letters, &chosen);
	if (json_array_size(rcpts) == 0) {
		json_decref(rcpts);
		free(letters);
		return task_end(task, OPS_REFUSED, "this recipient is no dead letter");
	}
	transcripts = (struct transcripts){ .list = json_array(), .letters = letters, .chosen = &chosen };
	/* Transcripts that cannot be read leave the rest of the answer as it is. */
	if (queue_traces_read(task->env->reader, chosen.id, add_transcript, &transcripts, NULL) != OK)
		(void)json_array_clear(transcripts.list);
	o = show_message(task->env, &letters->message);
	fact_number(o, "dead_recipients", letters->count);
	fact_number(o, "accepted_recipients", letters->message.rcpt_count);
	fact_json(o, "headers", show_headers(task->env, chosen.id));
	fact_json(o, "recipients", rcpts);
	fact_json(o, "transcripts", transcripts.list);
	free(letters);
	task_emit(task, o);
	return task_end(task, OPS_DONE, "%s", "");
}

const struct task_kind dead_show_kind = { .verb = "dead show", .size = sizeof(struct task), .step = show_step };

/* --- dead cat ---------------------------------------------------------------------------------------------------------------- */

struct dead_cat {
	struct task task;
	msg_id id; /* 0: not yet looked for */
	uint32_t chunk, chunks;
};

static enum task_state cat_step(struct task *task)
{
	struct dead_cat *cat = (struct dead_cat *)task;

	if (cat->id == 0) {
		struct queue_letters *letters;
		struct chosen chosen;

		if (!load(task, &letters, &chosen))
			return TASK_END;
		cat->id = chosen.id;
		cat->chunks = letters->message.chunks;
		free(letters);
	}
	return show_chunk(task, cat->id, cat->chunk++, cat->chunks);
}

const struct task_kind dead_cat_kind = { .verb = "dead cat", .size = sizeof(struct dead_cat), .step = cat_step };
