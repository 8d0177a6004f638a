/* relay/ops/suppress_verb.c - the verb suppress: addresses that nothing is taken for, listed and changed. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "queue/suppress.h"
#include "relay/ops/fact.h"
#include "relay/ops/task.h"
#include "relay/wire/address.h"

#define SLICE 1000 /* rows in one turn */

struct suppress;

/* A request with its items behind it. */
struct asked {
	struct queue_suppress request;
	struct suppress *owner;
	struct queue_suppress_item items[];
};

struct suppress {
	struct task task;
	bool listing;
	struct suppress_cursor cursor;
	wall_ms now;
	const char *tenant;          /* NULL: every one; of a change: "" for all */
	const char *pattern;         /* NULL: every address */
	struct asked *asked; /* what is to be changed; NULL: nothing */
	bool waits, answered;
	size_t refused;              /* of an import */
};

/* --- list ------------------------------------------------------------------------------------------------------------------- */

static void list_entry(void *arg, const struct suppress_entry *entry)
{
	struct suppress *s = arg;
	json_t *o;

	if (entry->until <= s->now || (s->tenant && strcmp(s->tenant, entry->tenant) != 0) ||
	    (s->pattern && fnmatch(s->pattern, entry->address, FNM_CASEFOLD) != 0))
		return;
	o = json_object();
	fact_text(o, "address", entry->address);
	fact_text(o, "tenant", entry->tenant);
	fact_time(o, "since", entry->since);
	fact_time(o, "until", entry->until);
	fact_text(o, "origin", suppress_origin_name(entry->origin));
	fact_text(o, "reason", entry->reason);
	task_emit(&s->task, o);
}

static enum task_state list_step(struct suppress *s)
{
	struct err_detail why;

	if (queue_suppress_walk(s->task.env->reader, &s->cursor, SLICE, list_entry, s, &why) != OK)
		return task_end(&s->task, OPS_REFUSED, "%s", why.text);
	return s->cursor.end ? task_end(&s->task, OPS_DONE, "%s", "") : TASK_MORE;
}

/* --- changes ---------------------------------------------------------------------------------------------------------------- */

static void on_done(struct queue_req *req)
{
	struct asked *asked = CONTAINER_OF(req, struct asked, request.req);
	struct suppress *s = asked->owner;

	if (s->task.abandoned) {
		free(asked);
		task_free(&s->task);
		return;
	}
	s->waits = false;
	s->answered = true;
	task_wake(&s->task);
}

/* The arguments hold the texts as long as the task lives, which is as long as the request is under way. */
static struct queue_suppress *request_create(struct suppress *s, size_t items)
{
	struct asked *asked = xcalloc(1, sizeof(*asked) + items * sizeof(asked->items[0]));
	struct queue_suppress *request = &asked->request;

	asked->owner = s;
	request->req.kind = QUEUE_SUPPRESS;
	request->req.reply_to = loop_mailbox(s->task.env->loop);
	request->req.done = on_done;
	request->now = clock_wall();
	request->items = asked->items;
	request->urgent = true;
	s->asked = asked;
	return request;
}

static bool is_address(const char *text)
{
	struct address address;

	return text && address_parse(text, true, &address, NULL) == OK && address.at > 0;
}

static bool is_tenant(const struct suppress *s, const char *name)
{
	return name[0] == '\0' || conf_tenant_find(s->task.env->conf(s->task.env->arg), name) != NULL;
}

static wall_ms end_of(const struct suppress *s)
{
	const json_t *span = json_object_get(s->task.args, "for");

	return json_is_integer(span) ? clock_wall() + (wall_ms)json_integer_value(span) : WALL_NEVER;
}

/* add and del: words 1.. are addresses. */
static bool change_start(struct suppress *s, const json_t *words, enum suppress_op op)
{
	size_t count = json_array_size(words) - 1;
	const char *reason = task_text(&s->task, "reason");
	struct queue_suppress *request;

	if (count == 0 || count > SUPPRESS_ITEMS_MAX) {
		(void)task_end(&s->task, OPS_USAGE, "suppress: whom? expected 1 to %d addresses", SUPPRESS_ITEMS_MAX);
		return false;
	}
	s->tenant = s->tenant ? s->tenant : "";
	if (!is_tenant(s, s->tenant)) {
		(void)task_end(&s->task, OPS_REFUSED, "there is no tenant \"%s\"", s->tenant);
		return false;
	}
	request = request_create(s, count);
	for (size_t i = 0; i < count; i++) {
		const char *address = json_string_value(json_array_get(words, i + 1));

		if (!is_address(address)) {
			(void)task_end(&s->task, OPS_USAGE, "\"%s\" is no address, expected one such as ann@example.net", address ? address : "");
			return false;
		}
		request->items[i] = (struct queue_suppress_item){
			.op = op, .tenant = s->tenant, .address = address, .reason = reason, .since = request->now, .until = end_of(s),
			.origin = SUPPRESS_BY_OPERATOR,
		};
	}
	request->item_count = count;
	return true;
}

static wall_ms time_of(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) && json_integer_value(value) > 0 ? (wall_ms)json_integer_value(value) : 0;
}

static void tell_refused(struct suppress *s, const char *address, const char *why)
{
	json_t *o = json_object();

	s->refused++;
	fact_text(o, "address", address ? address : "");
	fact_text(o, "error", why);
	task_emit(&s->task, o);
}

/* import: "entries" are objects with address, tenant, reason, since and until (ms). Those that are none are counted. */
static bool import_start(struct suppress *s)
{
	const json_t *entries = json_object_get(s->task.args, "entries");
	size_t count = json_array_size(entries);
	struct queue_suppress *request;

	if (count == 0 || count > SUPPRESS_ITEMS_MAX) {
		(void)task_end(&s->task, OPS_USAGE, "suppress import: expected 1 to %d entries at a time", SUPPRESS_ITEMS_MAX);
		return false;
	}
	request = request_create(s, count);
	for (size_t i = 0; i < count; i++) {
		const json_t *entry = json_array_get(entries, i);
		const char *address = json_string_value(json_object_get(entry, "address"));
		const char *tenant = json_string_value(json_object_get(entry, "tenant"));
		wall_ms since = time_of(entry, "since"), until = time_of(entry, "until");

		tenant = tenant ? tenant : "";
		if (!is_address(address) || !is_tenant(s, tenant)) {
			tell_refused(s, address, is_address(address) ? "there is no such tenant" : "no address, expected one such as ann@example.net");
			continue;
		}
		request->items[request->item_count++] = (struct queue_suppress_item){
			.op = SUPPRESS_PUT, .tenant = tenant, .address = address, .reason = json_string_value(json_object_get(entry, "reason")),
			.since = since ? since : request->now, .until = until ? until : WALL_NEVER, .origin = SUPPRESS_BY_IMPORT,
		};
	}
	return true;
}

static void log_change(const struct suppress *s, size_t changed)
{
	const struct queue_suppress *request = &s->asked->request;
	struct log_line line;

	log_begin(&line, LOG_INFO, request->items[0].op == SUPPRESS_DELETE ? "suppression-lifted" : "address-suppressed");
	log_str(&line, "rcpt", request->item_count == 1 ? request->items[0].address : NULL);
	log_str(&line, "tenant", request->items[0].tenant[0] ? request->items[0].tenant : NULL);
	log_num(&line, "addresses", (int64_t)changed);
	log_str(&line, "reason", request->items[0].reason);
	log_str(&line, "by", "operator");
	log_end(&line);
}

static enum task_state change_end(struct suppress *s)
{
	const struct queue_suppress *request = &s->asked->request;
	bool deletes = request->items[0].op == SUPPRESS_DELETE;
	size_t changed = 0;

	if (request->item_count > 0 && request->req.result != OK)
		return task_end(&s->task, OPS_REFUSED, "nothing was changed: %s", request->req.why);
	for (size_t i = 0; i < request->item_count; i++)
		changed += request->items[i].changed;
	if (changed > 0)
		log_change(s, changed);
	s->task.summary = json_object();
	fact_number(s->task.summary, "changed", changed);
	fact_number(s->task.summary, "known", request->item_count - changed);
	fact_number(s->task.summary, "refused", s->refused);
	if (deletes)
		return task_end(&s->task, changed > 0 ? OPS_DONE : OPS_REFUSED, "%zu of %zu no longer suppressed%s", changed, request->item_count,
		    changed < request->item_count ? ", the others were not" : "");
	return task_end(&s->task, s->refused > 0 ? OPS_REFUSED : OPS_DONE, "%zu suppressed, %zu were already%s", changed,
	    request->item_count - changed, s->refused > 0 ? ", others are no addresses or of an unknown tenant" : "");
}

static enum task_state change_step(struct suppress *s)
{
	if (s->answered || s->asked->request.item_count == 0)
		return change_end(s);
	s->waits = true;
	queue_submit(s->task.env->queue, &s->asked->request.req);
	return TASK_WAIT;
}

/* --- the verb --------------------------------------------------------------------------------------------------------------- */

static bool suppress_start(struct task *task)
{
	struct suppress *s = (struct suppress *)task;
	const json_t *words = json_object_get(task->args, "words");
	const char *word = json_string_value(json_array_get(words, 0));

	s->now = clock_wall();
	s->tenant = task_text(task, "tenant");
	s->listing = !word || strcmp(word, "list") == 0;
	if (s->listing) {
		s->pattern = json_string_value(json_array_get(words, 1));
		return true;
	}
	if (!task->env->sched) {
		(void)task_end(task, OPS_UNREACHABLE, "suppress %s needs a running daemon", word);
		return false;
	}
	if (strcmp(word, "add") == 0)
		return change_start(s, words, SUPPRESS_PUT);
	if (strcmp(word, "del") == 0)
		return change_start(s, words, SUPPRESS_DELETE);
	if (strcmp(word, "import") == 0)
		return import_start(s);
	(void)task_end(task, OPS_USAGE, "suppress: expected list, add, del, export or import");
	return false;
}

static enum task_state suppress_step(struct task *task)
{
	struct suppress *s = (struct suppress *)task;

	return s->listing ? list_step(s) : change_step(s);
}

static bool suppress_fini(struct task *task)
{
	struct suppress *s = (struct suppress *)task;

	if (s->waits)
		return false;
	free(s->asked);
	s->asked = NULL;
	return true;
}

const struct task_kind suppress_kind = {
	.verb = "suppress", .size = sizeof(struct suppress), .start = suppress_start, .step = suppress_step, .fini = suppress_fini,
};
