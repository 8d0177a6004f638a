/* relay/ops/dead_list.c - the verbs dead list and dead drop: what is among the dead letters, and taking letters away for good. */
#include <stdlib.h>

#include "base/log.h"
#include "relay/ops/fact.h"
#include "relay/ops/letters.h"

#define SLICE_MESSAGES 64
#define SLICE_ROWS     200 /* emitted in one step */

/* --- dead list --------------------------------------------------------------------------------------------------------------- */

struct dead_list {
	struct task task;
	struct choice choice;
	uint64_t limit, letters, messages; /* limit 0: none */
	size_t slice;
};

static bool list_start(struct task *task)
{
	struct dead_list *list = (struct dead_list *)task;

	return choice_limit(task, &list->limit) && choice_init(&list->choice, task);
}

static bool at_limit(const struct dead_list *list)
{
	return list->limit > 0 && list->letters >= list->limit;
}

static bool list_letters(void *arg, const struct queue_letters *letters, const size_t *which, size_t count)
{
	struct dead_list *list = arg;

	list->messages++;
	for (size_t i = 0; i < count && !at_limit(list); i++) {
		list->letters++;
		list->slice++;
		task_emit(&list->task, letters_json(letters, which[i]));
	}
	return list->slice < SLICE_ROWS && !at_limit(list);
}

static enum task_state list_step(struct task *task)
{
	struct dead_list *list = (struct dead_list *)task;
	struct err_detail why;
	bool end;

	list->slice = 0;
	if (letters_walk(&list->choice, task->env, SLICE_MESSAGES, list_letters, list, &end, &why) != OK)
		return task_end(task, OPS_REFUSED, "%s", why.text);
	if (!end && !at_limit(list))
		return TASK_MORE;
	task->summary = json_object();
	fact_number(task->summary, "letters", list->letters);
	fact_number(task->summary, "messages", list->messages);
	fact_bool(task->summary, "limited", !end);
	return task_end(task, choice_tell_lost(&list->choice, task, "no dead letter") > 0 ? OPS_REFUSED : OPS_DONE, "%s", "");
}

static bool list_fini(struct task *task)
{
	choice_fini(&((struct dead_list *)task)->choice);
	return true;
}

const struct task_kind dead_list_kind = {
	.verb = "dead list", .size = sizeof(struct dead_list), .start = list_start, .step = list_step, .fini = list_fini,
};

/* --- dead drop --------------------------------------------------------------------------------------------------------------- */

struct dead_drop {
	struct task task;
	struct choice choice;
	bool dry_run, erase, all_walked;
	size_t under_way; /* requests at the writer */
	bool waits;       /* for `wake` */
	uint64_t matched, removed, failed;
	char why[200];    /* of the first failure */
	struct removal *found; /* of this slice, to be handed in after the walk */
};

/* The letters of one message. */
struct removal {
	struct queue_dead_drop request;
	struct dead_drop *drop;
	struct removal *next;
	uint32_t ns[];
};

static bool drop_start(struct task *task)
{
	struct dead_drop *drop = (struct dead_drop *)task;

	drop->dry_run = json_is_true(json_object_get(task->args, "dry_run"));
	/* Whoever names an address wants nothing of it to stay: transcripts hold the addresses of all recipients of a job. */
	drop->erase = json_object_get(task->args, "rcpt") || json_object_get(task->args, "sender");
	if (!drop->dry_run && !task->env->dispatch) {
		(void)task_end(task, OPS_UNREACHABLE, "dead drop needs a running daemon");
		return false;
	}
	if (!choice_init(&drop->choice, task))
		return false;
	if (!choice_is_given(&drop->choice)) {
		(void)task_end(task, OPS_USAGE, "dead drop whom? expected IDs or a filter; '*' is all");
		return false;
	}
	return true;
}

static bool drop_letters(void *arg, const struct queue_letters *letters, const size_t *which, size_t count)
{
	struct dead_drop *drop = arg;
	struct removal *removal;

	drop->matched += count;
	if (drop->dry_run) {
		for (size_t i = 0; i < count; i++)
			task_emit(&drop->task, letters_json(letters, which[i]));
		return true;
	}
	removal = xcalloc(1, sizeof(*removal) + count * sizeof(removal->ns[0]));
	for (size_t i = 0; i < count; i++)
		removal->ns[i] = letters->letters[which[i]].rcpt.n;
	removal->drop = drop;
	removal->request = (struct queue_dead_drop){ .id = letters->message.id, .ns = removal->ns, .count = count, .erase = drop->erase };
	removal->next = drop->found;
	drop->found = removal;
	return true;
}

/* Without addresses: they may be what was to be forgotten. */
static void log_removed(const struct queue_dead_drop *request)
{
	char id[MSG_ID_TEXT];
	struct log_line line;

	log_begin(&line, LOG_INFO, "letters-removed");
	log_str(&line, "id", msg_id_format(request->id, id));
	log_num(&line, "rcpts", (int64_t)request->removed);
	log_str(&line, "by", "operator");
	log_end(&line);
}

static void removed(struct queue_req *req)
{
	struct removal *removal = CONTAINER_OF(req, struct removal, request.req);
	struct dead_drop *drop = removal->drop;

	drop->under_way--;
	drop->removed += req->result == OK ? removal->request.removed : 0;
	drop->failed += req->result != OK;
	if (req->result == OK && removal->request.removed > 0)
		log_removed(&removal->request);
	if (req->result != OK && !drop->why[0])
		(void)snprintf(drop->why, sizeof(drop->why), "%s", req->why);
	free(removal);
	if (drop->under_way > 0)
		return;
	if (drop->task.abandoned) {
		task_free(&drop->task);
	} else if (drop->waits) {
		drop->waits = false;
		task_wake(&drop->task);
	}
}

static void submit_found(struct dead_drop *drop)
{
	for (struct removal *removal = drop->found, *next; removal; removal = next) {
		next = removal->next;
		removal->request.req.kind = QUEUE_DEAD_DROP;
		removal->request.req.reply_to = loop_mailbox(drop->task.env->loop);
		removal->request.req.done = removed;
		drop->under_way++;
		queue_submit(drop->task.env->queue, &removal->request.req);
	}
	drop->found = NULL;
}

static enum task_state drop_end(struct dead_drop *drop)
{
	struct task *task = &drop->task;
	uint64_t count = drop->dry_run ? drop->matched : drop->removed;
	size_t missing = choice_tell_lost(&drop->choice, task, "no dead letter");

	task->summary = json_object();
	fact_number(task->summary, "matched", drop->matched);
	fact_number(task->summary, "removed", drop->removed);
	fact_number(task->summary, "failed", drop->failed);
	return task_end(task, drop->failed + missing > 0 ? OPS_REFUSED : OPS_DONE, "%llu dead letter%s %sremoved%s%s",
	    (unsigned long long)count, count == 1 ? "" : "s", drop->dry_run ? "would be " : "", drop->why[0] ? "; " : "", drop->why);
}

static enum task_state drop_step(struct task *task)
{
	struct dead_drop *drop = (struct dead_drop *)task;
	struct err_detail why;

	if (!drop->all_walked &&
	    letters_walk(&drop->choice, task->env, SLICE_MESSAGES, drop_letters, drop, &drop->all_walked, &why) != OK)
		return task_end(task, OPS_REFUSED, "%s", why.text);
	submit_found(drop);
	if (drop->under_way > 0) {
		drop->waits = true;
		return TASK_WAIT;
	}
	return drop->all_walked ? drop_end(drop) : TASK_MORE;
}

static bool drop_fini(struct task *task)
{
	struct dead_drop *drop = (struct dead_drop *)task;

	choice_fini(&drop->choice);
	for (struct removal *removal = drop->found, *next; removal; removal = next) {
		next = removal->next;
		free(removal);
	}
	return drop->under_way == 0;
}

const struct task_kind dead_drop_kind = {
	.verb = "dead drop", .size = sizeof(struct dead_drop), .start = drop_start, .step = drop_step, .fini = drop_fini,
};
