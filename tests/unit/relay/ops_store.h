/* tests/unit/relay/ops_store.h - a store with a few messages, and answers of the operator's verbs as lines of text. */
#ifndef TESTS_UNIT_RELAY_OPS_STORE_H
#define TESTS_UNIT_RELAY_OPS_STORE_H

#include "relay/ops/task.h"
#include "tests/unit/queue/store.h"

/* What a verb has answered. */
struct answer {
	json_t *rows; /* an array */
	json_t *end;
	bool woken;
};

static inline void answer_emit(void *arg, json_t *object)
{
	assert_int_equal(json_array_append_new(((struct answer *)arg)->rows, object), 0);
}

static inline void answer_wake(void *arg) { ((struct answer *)arg)->woken = true; }

/* Run a verb to its end. `turn` lets others work while the task waits; NULL: it must not wait. `args` is JSON text. */
static inline struct answer ask(const struct ops_env *env, const char *verb, const char *args, void (*turn)(void *arg), void *turn_arg)
{
	struct answer answer = { .rows = json_array() };
	struct task_out out = { .emit = answer_emit, .wake = answer_wake, .arg = &answer };
	json_t *object = json_loads(args, 0, NULL);
	struct task *task;

	if (!object)
		fail_msg("no JSON: %s", args);
	task = task_create(env, verb, object, &out);
	for (enum task_state state; (state = task_step(task)) != TASK_END;) {
		while (state == TASK_WAIT && !answer.woken) {
			assert_non_null(turn);
			turn(turn_arg);
		}
		answer.woken = false;
	}
	answer.end = task_end_line(task);
	task_destroy(&task);
	json_decref(object);
	return answer;
}

static inline void answer_free(struct answer *answer)
{
	json_decref(answer->rows);
	json_decref(answer->end);
}

static inline int answer_exit(const struct answer *answer)
{
	return (int)json_integer_value(json_object_get(answer->end, "exit"));
}

static inline const char *answer_message(const struct answer *answer)
{
	const char *text = json_string_value(json_object_get(answer->end, "message"));

	return text ? text : "";
}

/* Member `key` of row `i`, "" when absent. */
static inline const char *answer_text(const struct answer *answer, size_t i, const char *key)
{
	const char *text = json_string_value(json_object_get(json_array_get(answer->rows, i), key));

	return text ? text : "";
}

static inline json_int_t answer_number(const struct answer *answer, size_t i, const char *key)
{
	return json_integer_value(json_object_get(json_array_get(answer->rows, i), key));
}

/* The values of one member of all rows, with spaces between them; malloc'ed. */
static inline char *answer_column(const struct answer *answer, const char *key)
{
	char *all = xstrdup("");

	for (size_t i = 0; i < json_array_size(answer->rows); i++) {
		char *longer = xasprintf("%s%s%s", all, i > 0 ? " " : "", answer_text(answer, i, key));

		free(all);
		all = longer;
	}
	return all;
}

#endif
