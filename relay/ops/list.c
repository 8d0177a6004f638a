/* relay/ops/list.c - the verb list: a line for each undelivered recipient that was asked for. */
#include "relay/ops/choice.h"
#include "relay/ops/fact.h"

#define SLICE_MESSAGES 100 /* looked at in one step: below a millisecond when nothing matches */
#define SLICE_ROWS     200 /* emitted in one step */

struct list {
	struct task task;
	struct choice choice;
	uint64_t limit; /* 0: none */
	uint64_t rcpts, messages;
	size_t slice;
};

static bool list_start(struct task *task)
{
	struct list *list = (struct list *)task;

	return choice_limit(task, &list->limit) && choice_init(&list->choice, task);
}

static bool at_limit(const struct list *list)
{
	return list->limit > 0 && list->rcpts >= list->limit;
}

static bool list_row(void *arg, const struct row *row)
{
	struct list *list = arg;

	if (at_limit(list))
		return false;
	list->rcpts++;
	list->slice++;
	task_emit(&list->task, row_json(row));
	return list->slice < SLICE_ROWS && !at_limit(list);
}

static bool list_message(void *arg, const struct queue_job *job)
{
	((struct list *)arg)->messages++;
	return true;
}

static enum task_state list_step(struct task *task)
{
	struct list *list = (struct list *)task;
	struct err_detail why;
	bool end;

	list->slice = 0;
	if (choice_walk(&list->choice, task->env, SLICE_MESSAGES, list_row, list_message, list, &end, &why) != OK)
		return task_end(task, OPS_REFUSED, "%s", why.text);
	if (!end && !at_limit(list))
		return TASK_MORE;
	task->summary = json_object();
	fact_number(task->summary, "recipients", list->rcpts);
	fact_number(task->summary, "messages", list->messages);
	fact_bool(task->summary, "limited", !end);
	return task_end(task, choice_tell_missing(&list->choice, task) > 0 ? OPS_REFUSED : OPS_DONE, "%s", "");
}

static bool list_fini(struct task *task)
{
	choice_fini(&((struct list *)task)->choice);
	return true;
}

const struct task_kind list_kind = {
	.verb = "list", .size = sizeof(struct list), .start = list_start, .step = list_step, .fini = list_fini,
};
