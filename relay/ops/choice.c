/* relay/ops/choice.c - which recipients the operator means: IDs and filters, and the walk over the store that finds them. */
#include "relay/ops/choice.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "relay/ops/fact.h"

#define WILDCARDS "*?["

/* --- the arguments ---------------------------------------------------------------------------------------------------------- */

static const char *destination_field(const struct row *row) { return row->destination; }
static const char *tenant_field(const struct row *row) { return row->message->tenant; }
static const char *sender_field(const struct row *row) { return row->message->sender[0] ? row->message->sender : "<>"; }
static const char *rcpt_field(const struct row *row) { return row->rcpt->address; }
static const char *domain_field(const struct row *row) { return row->rcpt->domain; }
static const char *reply_field(const struct row *row) { return row->rcpt->reply[0] ? row->rcpt->reply : row->rcpt->reason; }
static const char *state_field(const struct row *row) { return row_state_name(row->state); }
static const char *class_field(const struct row *row) { return row->rcpt->class_name; }
static const char *source_field(const struct row *row) { return row->source; }

static const struct filter {
	const char *key;
	const char *(*field)(const struct row *row);
	const char *(*also)(const struct row *row); /* or this one may match */
	bool within; /* a text without wildcards may stand anywhere in it */
} filters[] = {
	{ "destination", destination_field, domain_field, false },
	{ "tenant", tenant_field, NULL, false },
	{ "sender", sender_field, NULL, false },
	{ "rcpt", rcpt_field, NULL, false },
	{ "reply", reply_field, NULL, true },
	{ "state", state_field, NULL, false },
	{ "source", source_field, NULL, false },
	{ "class", class_field, NULL, false },
};

bool choice_text_matches(const char *pattern, const char *text, bool within)
{
	if (within && !strpbrk(pattern, WILDCARDS))
		return strcasestr(text, pattern) != NULL;
	return fnmatch(pattern, text, FNM_CASEFOLD | FNM_NOESCAPE) == 0;
}

/* "ID" or "ID.n". */
static bool parse_id(const char *text, struct chosen *out)
{
	const char *dot = strchr(text, '.');
	char *end;
	unsigned long n;

	*out = (struct chosen){ .whole = !dot };
	if (!msg_id_parse(text, dot ? (size_t)(dot - text) : strlen(text), &out->id))
		return false;
	if (!dot)
		return true;
	n = strtoul(dot + 1, &end, 10);
	out->n = (uint32_t)n;
	return ascii_is_digit(dot[1]) && *end == '\0' && n < UINT32_MAX;
}

static int by_id(const void *a, const void *b)
{
	const struct chosen *x = a, *y = b;

	return x->id != y->id ? (x->id < y->id ? -1 : 1) : (x->n > y->n) - (x->n < y->n);
}

static bool read_ids(struct choice *choice, struct task *task)
{
	json_t *list = json_object_get(task->args, "ids"), *value;
	size_t i;

	choice->ids = xcalloc(json_array_size(list) + 1, sizeof(choice->ids[0]));
	choice->patterns = json_array();
	json_array_foreach(list, i, value) {
		const char *text = json_string_value(value);

		if (text && strpbrk(text, WILDCARDS)) {
			must(json_array_append(choice->patterns, value) == 0);
		} else if (!text || !parse_id(text, &choice->ids[choice->id_count++])) {
			(void)task_end(task, OPS_REFUSED, "\"%s\" is no ID: expected ID, ID.n or shell wildcards", text ? text : "");
			return false;
		}
	}
	if (choice->id_count > 0 && json_array_size(choice->patterns) > 0) {
		(void)task_end(task, OPS_USAGE, "IDs and wildcards for IDs cannot be mixed");
		return false;
	}
	qsort(choice->ids, choice->id_count, sizeof(choice->ids[0]), by_id);
	return true;
}

static bool is_text_or_texts(const json_t *value)
{
	for (size_t i = 0; i < json_array_size(value); i++)
		if (!json_is_string(json_array_get(value, i)))
			return false;
	return json_is_string(value) || json_array_size(value) > 0;
}

/* A misspelt state would look like an empty queue. */
static const char *unknown_state(const json_t *args)
{
	json_t *value = json_object_get(args, "state");
	size_t count = json_is_array(value) ? json_array_size(value) : value ? 1 : 0;

	for (size_t i = 0; i < count; i++) {
		json_t *pattern = json_is_array(value) ? json_array_get(value, i) : value;
		bool known = false;

		for (enum row_state state = 0; state < ROW_STATES; state++)
			known = known || choice_text_matches(json_string_value(pattern), row_state_name(state), false);
		if (!known)
			return json_string_value(pattern);
	}
	return NULL;
}

bool choice_limit(struct task *task, uint64_t *limit_out)
{
	const json_t *limit = json_object_get(task->args, "limit");

	if (limit && (!json_is_integer(limit) || json_integer_value(limit) < 1)) {
		(void)task_end(task, OPS_USAGE, "limit: expected a number from 1 on");
		return false;
	}
	*limit_out = (uint64_t)json_integer_value(limit);
	return true;
}

bool choice_init(struct choice *choice, struct task *task)
{
	json_t *older = json_object_get(task->args, "older");

	*choice = (struct choice){ .args = task->args, .end = UINT64_MAX };
	if (!read_ids(choice, task))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		const json_t *value = json_object_get(task->args, filters[i].key);

		if (value && !is_text_or_texts(value)) {
			(void)task_end(task, OPS_USAGE, "%s: expected a text", filters[i].key);
			return false;
		}
	}
	if (unknown_state(choice->args)) {
		(void)task_end(task, OPS_USAGE, "state \"%s\": expected waiting, active, deferred, held or blocked", unknown_state(choice->args));
		return false;
	}
	if (older && (!json_is_integer(older) || json_integer_value(older) < 0)) {
		(void)task_end(task, OPS_USAGE, "older: expected milliseconds");
		return false;
	}
	choice->older_ms = json_integer_value(older);
	choice->is_open = choice->id_count == 0;
	if (task->env->sched)
		choice->end = queue_new_id(task->env->queue);
	return true;
}

void choice_fini(struct choice *choice)
{
	free(choice->ids);
	json_decref(choice->patterns);
	*choice = (struct choice){ .id_count = 0 };
}

bool choice_is_given(const struct choice *choice)
{
	for (size_t i = 0; i < ARRAY_LEN(filters); i++)
		if (json_object_get(choice->args, filters[i].key))
			return true;
	return choice->id_count > 0 || json_array_size(choice->patterns) > 0 || json_object_get(choice->args, "older");
}

/* --- matching --------------------------------------------------------------------------------------------------------------- */

static bool filter_matches(const struct filter *filter, const char *pattern, const struct row *row)
{
	return choice_text_matches(pattern, filter->field(row), filter->within) ||
	    (filter->also && choice_text_matches(pattern, filter->also(row), filter->within));
}

/* One of the patterns is enough. */
static bool filter_passes(const struct filter *filter, const json_t *value, const struct row *row)
{
	if (!value)
		return true;
	if (json_is_string(value))
		return filter_matches(filter, json_string_value(value), row);
	for (size_t i = 0; i < json_array_size(value); i++)
		if (filter_matches(filter, json_string_value(json_array_get(value, i)), row))
			return true;
	return false;
}

static bool id_pattern_passes(const struct choice *choice, const struct row *row)
{
	char id[MSG_ID_TEXT];
	size_t count = json_array_size(choice->patterns);

	(void)msg_id_format(row->message->id, id);
	for (size_t i = 0; i < count; i++) {
		const char *pattern = json_string_value(json_array_get(choice->patterns, i));

		if (choice_text_matches(pattern, row->id, false) || choice_text_matches(pattern, id, false))
			return true;
	}
	return count == 0;
}

bool choice_passes(const struct choice *choice, const struct row *row, wall_ms since, wall_ms now)
{
	if (choice->older_ms > 0 && now - since < choice->older_ms)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(filters); i++)
		if (!filter_passes(&filters[i], json_object_get(choice->args, filters[i].key), row))
			return false;
	return id_pattern_passes(choice, row);
}

/* --- the walk --------------------------------------------------------------------------------------------------------------- */

struct walk {
	struct choice *choice;
	const struct ops_env *env;
	choice_row_fn row_fn;
	choice_message_fn message_fn;
	void *arg;
	wall_ms now;
	bool stopped;
};

/* Among the explicit IDs of this message, which begin at id_at. */
bool choice_names(struct choice *choice, msg_id id, uint32_t n)
{
	bool named = choice->is_open;

	for (size_t i = choice->id_at; i < choice->id_count && choice->ids[i].id == id; i++) {
		if (choice->ids[i].whole || choice->ids[i].n == n) {
			choice->ids[i].found = true;
			named = true;
		}
	}
	return named;
}

static bool visit(void *arg, const struct queue_job *job)
{
	struct walk *walk = arg;
	bool any = false;

	if (job->message.id >= walk->choice->end)
		return false;
	for (size_t i = 0; i < job->rcpt_count; i++) {
		struct row row;

		if (!choice_names(walk->choice, job->message.id, job->rcpts[i].n))
			continue;
		row_fill(&row, walk->env, job, i, walk->now);
		if (!choice_passes(walk->choice, &row, job->message.arrived, walk->now))
			continue;
		any = true;
		if (walk->row_fn && !walk->row_fn(walk->arg, &row))
			walk->stopped = true;
	}
	if (any && walk->message_fn && !walk->message_fn(walk->arg, job))
		walk->stopped = true;
	return !walk->stopped;
}

static enum err visit_named(struct walk *walk, size_t max, struct err_detail *why)
{
	struct choice *choice = walk->choice;

	for (size_t i = 0; i < max && choice->id_at < choice->id_count && !walk->stopped; i++) {
		msg_id id = choice->ids[choice->id_at].id;
		struct queue_job *job;
		enum err err = queue_job_load(walk->env->reader, id, UINT32_MAX, &job, why);

		if (err != OK && err != ERR_NOT_FOUND)
			return err;
		if (err == OK) {
			(void)visit(walk, job);
			free(job);
		}
		while (choice->id_at < choice->id_count && choice->ids[choice->id_at].id == id)
			choice->id_at++;
	}
	return OK;
}

enum err choice_walk(struct choice *choice, const struct ops_env *env, size_t max, choice_row_fn row_fn,
    choice_message_fn message_fn, void *arg, bool *end_out, struct err_detail *why)
{
	struct walk walk = {
		.choice = choice, .env = env, .row_fn = row_fn, .message_fn = message_fn, .arg = arg, .now = row_now(env),
	};
	enum err err;

	if (choice->is_open) {
		err = queue_scan(env->reader, &choice->cursor, max, visit, &walk, why);
		*end_out = choice->cursor.end || choice->cursor.id >= choice->end;
	} else {
		err = visit_named(&walk, max, why);
		*end_out = choice->id_at == choice->id_count;
	}
	return err;
}

size_t choice_tell_missing(const struct choice *choice, struct task *task)
{
	return choice_tell_lost(choice, task, "not in the queue");
}

size_t choice_tell_lost(const struct choice *choice, struct task *task, const char *words)
{
	size_t missing = 0;

	for (size_t i = 0; i < choice->id_count; i++) {
		char id[ROW_ID];
		json_t *line;

		if (choice->ids[i].found)
			continue;
		missing++;
		line = json_object();
		(void)msg_id_format(choice->ids[i].id, id);
		if (!choice->ids[i].whole)
			(void)snprintf(id + strlen(id), sizeof(id) - strlen(id), ".%" PRIu32, choice->ids[i].n);
		fact_text(line, "id", id);
		fact_text(line, "error", words);
		task_emit(task, line);
	}
	return missing;
}
