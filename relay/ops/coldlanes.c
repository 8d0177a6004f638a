/* relay/ops/coldlanes.c - the verb warmup: where each cold lane stands, and the operator's word about it. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/deliver/dispatch.h"
#include "relay/ops/coldlanes.h"
#include "relay/ops/fact.h"
#include "relay/ops/row.h"
#include "relay/ops/task.h"

/* --- status ------------------------------------------------------------------------------------------------------------------ */

static void put_view(void *arg, const struct sched_warm_view *v)
{
	struct task *task = arg;
	json_t *o = json_object();

	fact_text(o, "source", v->source);
	fact_text(o, "destination", v->destination);
	fact_text(o, "plan", v->plan);
	fact_text(o, "phase", v->warm ? "warm" : v->exploring ? "exploring" : "climbing");
	fact_number(o, "step", v->step);
	fact_number(o, "planned", v->planned);
	if (!v->warm)
		fact_number(o, "budget", v->budget);
	fact_number(o, "used", v->used);
	fact_number(o, "delivered", v->accepted);
	fact_number(o, "deferred", v->deferred);
	fact_number(o, "blocked", v->blocked);
	fact_number(o, "unknown", v->unknown);
	fact_number(o, "complaints", v->complained);
	fact_number(o, "yesterday", v->yesterday);
	fact_number(o, "mean", (uint64_t)(v->mean + 0.5));
	fact_time(o, "next_step", v->warm ? 0 : v->next_step);
	fact_time(o, "resting_until", v->resting_until);
	fact_text(o, "obstacle", v->obstacle);
	task_emit(task, o);
}

static void put_late(void *arg, const struct sched_late *late)
{
	struct task *task = arg;
	json_t *o = json_object();
	char text[200];

	(void)snprintf(text, sizeof(text), "late: %llu recipients wait, %llu a day may leave", (unsigned long long)late->waiting,
	    (unsigned long long)late->daily);
	fact_text(o, "source", "*");
	fact_text(o, "destination", late->destination);
	fact_text(o, "phase", "late");
	fact_number(o, "waiting", late->waiting);
	fact_time(o, "next_step", late->gone_at);
	fact_text(o, "obstacle", text);
	task_emit(task, o);
}

static enum task_state status(struct task *task, const char *const *words, size_t count)
{
	if (count > 0)
		return task_end(task, OPS_USAGE, "warmup status takes no more words");
	sched_warm_read(task->env->sched, row_now(task->env), put_view, task);
	coldswap_status(task);
	sched_late_each(task->env->sched, row_now(task->env), put_late, task);
	return task_end(task, OPS_DONE, "%s", "");
}

/* --- changes ------------------------------------------------------------------------------------------------------------------- */

static const struct change {
	const char *word;
	enum sched_warm_verb verb;
	bool volume; /* takes one */
	const char *done;
} changes[] = {
	{ "pause", WARM_PAUSE, false, "paused until it is resumed" },
	{ "resume", WARM_RESUME, false, "goes on" },
	{ "step", WARM_STEP, true, "set to another volume" },
	{ "restart", WARM_RESTART, false, "begins anew" },
	{ "adopt", WARM_ADOPT, false, "warm from now on" },
	{ "complained", WARM_COMPLAINED, true, "complaints counted" },
};

static void tell(const struct change *change, const char *source, const char *destination, uint32_t volume, uint32_t lanes)
{
	struct log_line line;

	log_begin(&line, LOG_INFO, "warmup-changed");
	log_str(&line, "source", source);
	if (destination)
		log_str(&line, "destination", destination);
	log_str(&line, "change", change->word);
	if (change->volume)
		log_num(&line, "volume", volume);
	log_num(&line, "lanes", lanes);
	log_str(&line, "by", "operator");
	log_end(&line);
}

static bool read_volume(const char *text, uint32_t *out)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (end == text || text[0] == '-')
		return false;
	if (*end == 'k')
		value *= 1000;
	else if (*end == 'M')
		value *= 1000000;
	if (*end != '\0' && end[1] != '\0')
		return false;
	*out = (uint32_t)value;
	return (*end == '\0' || *end == 'k' || *end == 'M') && value > 0 && value <= 1000000000;
}

/* SOURCE [DESTINATION] [VOLUME] */
static enum task_state carry_out(struct task *task, const struct change *change, const char *const *words, size_t count)
{
	const char *destination = count == 2u + change->volume ? words[1] : NULL;
	struct warm_task *w = (struct warm_task *)task;
	uint32_t volume = 0, lanes;

	if (count < 1u + change->volume || count > 2u + change->volume)
		return task_end(task, OPS_USAGE, "warmup %s: expected SOURCE [DESTINATION]%s", change->word, change->volume ? " VOLUME" : "");
	if (change->volume && !read_volume(words[count - 1], &volume))
		return task_end(task, OPS_USAGE, "warmup %s: \"%s\" is no number such as 500 or 20k", change->word,
		    words[count - 1]);
	if (w->storing.stored)
		return task_end(task, w->storing.why[0] ? OPS_REFUSED : OPS_DONE, "\"%s\" no longer retires%s%s", words[0],
		    w->storing.why[0] ? ", but only until the daemon restarts: " : "", w->storing.why);
	lanes = dispatch_warm_change(task->env->dispatch, change->verb, words[0], destination, volume);
	if (!destination && (change->verb == WARM_RESUME || change->verb == WARM_ADOPT) && coldswap_end(w, words[0]))
		return TASK_WAIT;
	if (lanes == 0)
		return task_end(task, OPS_REFUSED, "no warm-up of \"%s\"%s%s is known", words[0], destination ? " towards " : "",
		    destination ? destination : "");
	tell(change, words[0], destination, volume, lanes);
	return task_end(task, OPS_DONE, "%u lane%s of \"%s\": %s", lanes, lanes == 1 ? "" : "s", words[0], change->done);
}

/* --- the verb ------------------------------------------------------------------------------------------------------------------- */

#define WORDS_MAX 8

static enum task_state warmup_step(struct task *task)
{
	const json_t *list = json_object_get(task->args, "words");
	const char *words[WORDS_MAX] = { "status" };
	size_t count = json_array_size(list);

	if (count > WORDS_MAX)
		return task_end(task, OPS_USAGE, "warmup: too many words");
	for (size_t i = 0; i < count; i++) {
		words[i] = json_string_value(json_array_get(list, i));
		if (!words[i])
			return task_end(task, OPS_USAGE, "warmup: a word is no text");
	}
	if (strcmp(words[0], "history") == 0 && count == 1)
		return coldpast_step((struct warm_task *)task);
	if (strcmp(words[0], "forecast") == 0 && count == 1)
		return coldahead_step((struct warm_task *)task);
	if (strcmp(words[0], "status") == 0)
		return status(task, words + 1, count > 0 ? count - 1 : 0);
	if (strcmp(words[0], "retire") == 0)
		return coldswap_retire((struct warm_task *)task, words + 1, count - 1);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		if (strcmp(changes[i].word, words[0]) == 0)
			return carry_out(task, &changes[i], words + 1, count - 1);
	return task_end(task, OPS_USAGE, "warmup: \"%s\" is not known; expected status, history, forecast, pause, resume, step, restart, adopt, retire or complained", words[0]);
}

static bool warmup_fini(struct task *task)
{
	struct warm_task *w = (struct warm_task *)task;

	coldahead_free(&w->ahead);
	return task_is_stored(task);
}

const struct task_kind warmup_kind = {
	.verb = "warmup", .needs_daemon = true, .size = sizeof(struct warm_task), .step = warmup_step, .fini = warmup_fini
};
