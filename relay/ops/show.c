/* relay/ops/show.c - the verbs show (all that is known of a message) and cat (its body, byte for byte). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "relay/ops/choice.h"
#include "relay/ops/encode.h"
#include "relay/ops/fact.h"
#include "relay/ops/hosts.h"
#include "relay/ops/show.h"

static const char *given_id(const struct task *task)
{
	return json_string_value(json_array_get(json_object_get(task->args, "ids"), 0));
}

/* One argument that names a message that is in the queue; the job is the caller's to free. False: task_end was called. */
static bool load_message(struct task *task, struct queue_job **job_out, struct chosen *chosen_out)
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
		*chosen_out = choice.ids[0];
	choice_fini(&choice);
	if (!fine)
		return false;
	err = queue_job_load(task->env->reader, chosen_out->id, UINT32_MAX, job_out, &why);
	if (err == OK)
		return true;
	*job_out = NULL;
	if (err == ERR_NOT_FOUND)
		(void)task_end(task, OPS_REFUSED, "%s is not in the queue: delivered, bounced, or never here", given_id(task));
	else
		(void)task_end(task, OPS_REFUSED, "%s", why.text);
	return false;
}

/* --- show ------------------------------------------------------------------------------------------------------------------- */

static const char *const HEADERS[] = { "From", "To", "Cc", "Subject", "Date", "Message-ID" };

/* A field without its folds (RFC 5322 section 2.2.3), NULs left out. Returns what follows the field. */
static const char *unfold(const char *at, const char *end, char *out, size_t size, size_t *len_out)
{
	size_t len = 0;

	for (; at < end; at++) {
		if (*at == '\n' && (at + 1 == end || (at[1] != ' ' && at[1] != '\t')))
			break;
		if (*at != '\r' && *at != '\n' && *at != '\0' && len < size)
			out[len++] = *at;
	}
	*len_out = len;
	return at < end ? at + 1 : end;
}

static void put_header(json_t *headers, const char *field, size_t len)
{
	const char *colon = memchr(field, ':', len);

	for (size_t i = 0; colon && i < ARRAY_LEN(HEADERS); i++) {
		const char *value = colon + 1, *end = field + len;

		if (!ascii_equal_n(field, (size_t)(colon - field), HEADERS[i]) || json_object_get(headers, HEADERS[i]))
			continue;
		while (value < end && (*value == ' ' || *value == '\t'))
			value++;
		fact_text_n(headers, HEADERS[i], value, (size_t)(end - value));
	}
}

/* The header section as far as the first two chunks of the body hold it; the first may be no more than our own fields. */
json_t *show_headers(const struct ops_env *env, msg_id id)
{
	json_t *headers = json_object();
	char *chunk = xcalloc(2, QUEUE_CHUNK), field[2048];
	size_t len = 0, more = 0;

	if (queue_body_read(env->reader, id, 0, chunk, &len, NULL) == OK) {
		bool has_more = queue_body_read(env->reader, id, 1, chunk + len, &more, NULL) == OK;
		const char *at = chunk, *end = chunk + len + (has_more ? more : 0);

		while (at < end && *at != '\r' && *at != '\n') {
			size_t n;

			at = unfold(at, end, field, sizeof(field), &n);
			put_header(headers, field, n);
		}
	}
	free(chunk);
	return headers;
}

/* NOTIFY= in the words of RFC 3461; null where it was not given. */
static void put_notify(json_t *o, uint8_t notify)
{
	static const struct {
		uint8_t bit;
		const char *word;
	} words[] = { { NOTIFY_NEVER, "NEVER" }, { NOTIFY_SUCCESS, "SUCCESS" }, { NOTIFY_FAILURE, "FAILURE" }, { NOTIFY_DELAY, "DELAY" } };
	char text[64] = "";

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (notify & words[i].bit)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", text[0] != '\0' ? "," : "", words[i].word);
	fact_text(o, "notify", text);
}

static void add_host(void *arg, const struct host_view *view)
{
	must(json_array_append_new(arg, host_json(view)) == 0);
}

static json_t *show_rcpt(const struct ops_env *env, const struct row *row)
{
	json_t *o = row_json(row), *hosts = json_array();

	if (env->dispatch)
		dispatch_hosts_of(env->dispatch, row->rcpt->domain, add_host, hosts);
	fact_json(o, "hosts_down", hosts);

	fact_text(o, "relay", row->rcpt->relay);
	fact_time(o, "last_attempt", row->rcpt->last_attempt);
	fact_time(o, "since", row->since);
	put_notify(o, row->rcpt->notify);
	fact_text(o, "orcpt", row->rcpt->orcpt);
	fact_bool(o, "warned", row->rcpt->warned);
	(void)json_object_del(o, "sender");
	(void)json_object_del(o, "tenant");
	(void)json_object_del(o, "size");
	return o;
}

struct traces {
	json_t *list;
	const struct queue_job *job;
	const struct chosen *chosen;
};

/* Those of the jobs that are asked about. */
static bool is_asked_for(const struct traces *traces, uint32_t job)
{
	for (size_t i = 0; i < traces->job->rcpt_count; i++)
		if (traces->job->rcpts[i].job == job && (traces->chosen->whole || traces->job->rcpts[i].n == traces->chosen->n))
			return true;
	return false;
}

static void add_trace(void *arg, uint32_t job, uint32_t attempt, const char *text, size_t len)
{
	struct traces *traces = arg;
	json_t *o;

	if (!is_asked_for(traces, job))
		return;
	o = json_object();
	fact_number(o, "job", job);
	fact_number(o, "attempt", attempt);
	fact_text_n(o, "text", text, len);
	must(json_array_append_new(traces->list, o) == 0);
}

/* What was said in the last attempts, as far as it is kept. */
static json_t *traces_of(const struct ops_env *env, const struct queue_job *job, const struct chosen *chosen)
{
	struct traces traces = { .list = json_array(), .job = job, .chosen = chosen };

	/* One that cannot be read leaves the rest of the answer as it is. */
	if (queue_traces_read(env->reader, job->message.id, add_trace, &traces, NULL) != OK)
		(void)json_array_clear(traces.list);
	return traces.list;
}

static void put_flags(json_t *o, uint32_t flags)
{
	fact_bool(o, "eight_bit", flags & MSG_8BIT);
	fact_bool(o, "smtputf8", flags & MSG_SMTPUTF8);
	fact_bool(o, "bounce", flags & MSG_BOUNCE);
	fact_bool(o, "tls", flags & MSG_TLS);
	fact_bool(o, "binary", flags & MSG_BINARY);
	fact_bool(o, "requiretls", flags & MSG_REQUIRETLS);
	fact_text(o, "ret", flags & MSG_RET_FULL ? "FULL" : flags & MSG_RET_HDRS ? "HDRS" : "");
}

json_t *show_message(const struct ops_env *env, const struct queue_message *message)
{
	char id[MSG_ID_TEXT];
	json_t *o = json_object();

	fact_text(o, "id", msg_id_format(message->id, id));
	fact_text(o, "sender", message->sender);
	fact_text(o, "tenant", message->tenant);
	fact_text(o, "pool", message->pool);
	fact_text(o, "priority", row_priority(env, message));
	fact_number(o, "mt_priority", message->priority);
	fact_text(o, "envid", message->envid);
	fact_text(o, "client", message->client);
	fact_text(o, "login", message->login);
	fact_time(o, "arrived", message->arrived);
	fact_time(o, "deadline", message->deadline);
	fact_number(o, "size", message->size_bytes);
	put_flags(o, message->flags);
	return o;
}

static enum task_state show_step(struct task *task)
{
	wall_ms now = row_now(task->env);
	struct queue_job *job;
	struct chosen chosen;
	json_t *o, *rcpts;

	if (!load_message(task, &job, &chosen))
		return TASK_END;
	rcpts = json_array();
	for (size_t i = 0; i < job->rcpt_count; i++) {
		struct row row;

		if (!chosen.whole && job->rcpts[i].n != chosen.n)
			continue;
		row_fill(&row, task->env, job, i, now);
		must(json_array_append_new(rcpts, show_rcpt(task->env, &row)) == 0);
	}
	if (json_array_size(rcpts) == 0) {
		json_decref(rcpts);
		free(job);
		return task_end(task, OPS_REFUSED, "%s is not in the queue: delivered, bounced, or never here", given_id(task));
	}
	o = show_message(task->env, &job->message);
	fact_number(o, "queued_recipients", job->rcpt_count);
	fact_number(o, "accepted_recipients", job->message.rcpt_count);
	fact_bool(o, "in_doubt", job->in_doubt);
	fact_json(o, "headers", show_headers(task->env, job->message.id));
	fact_json(o, "recipients", rcpts);
	fact_json(o, "transcripts", traces_of(task->env, job, &chosen));
	free(job);
	task_emit(task, o);
	return task_end(task, OPS_DONE, "%s", "");
}

const struct task_kind show_kind = { .verb = "show", .size = sizeof(struct task), .step = show_step };

/* --- cat -------------------------------------------------------------------------------------------------------------------- */

enum task_state show_chunk(struct task *task, msg_id id, uint32_t n, uint32_t chunks)
{
	char *data, *text;
	size_t len;
	json_t *o;

	if (n == chunks)
		return task_end(task, OPS_DONE, "%s", "");
	data = xcalloc(1, QUEUE_CHUNK);
	if (queue_body_read(task->env->reader, id, n, data, &len, NULL) != OK) {
		free(data);
		return task_end(task, OPS_REFUSED, "the message has left the store while it was read");
	}
	text = xcalloc(1, BASE64_SIZE(len));
	o = json_object();
	fact_text(o, "data", base64_encode(data, len, text));
	task_emit(task, o);
	free(text);
	free(data);
	return TASK_MORE;
}

struct cat {
	struct task task;
	msg_id id; /* 0: not yet looked for */
	uint32_t chunk, chunks;
};

static enum task_state cat_step(struct task *task)
{
	struct cat *cat = (struct cat *)task;

	if (cat->id == 0) {
		struct queue_job *job;
		struct chosen chosen;

		if (!load_message(task, &job, &chosen))
			return TASK_END;
		cat->id = chosen.id;
		cat->chunks = job->message.chunks;
		free(job);
	}
	return show_chunk(task, cat->id, cat->chunk++, cat->chunks);
}

const struct task_kind cat_kind = { .verb = "cat", .size = sizeof(struct cat), .step = cat_step };
