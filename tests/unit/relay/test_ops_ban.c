/* tests/unit/relay/test_ops_ban.c - the verb ban: what it lists, what it lifts, what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "relay/ops/task.h"

static struct conf_bruteforce limits = { .failures = 2, .network = 9, .login = 2, .window_ms = MINUTES(10), .ban_ms = HOURS(2),
	.ban_max_ms = HOURS(2), .lock_ms = HOURS(1) };
static struct guard *guard;
static char rows[2000];

static int setup(void **state)
{
	struct ip_addr addr;

	guard = guard_create(10, NULL, NULL);
	guard_configure(guard, &limits);
	assert_true(ip_parse("192.0.2.7", &addr));
	for (int i = 0; i < 2; i++)
		(void)guard_fail(guard, &addr, "shop", clock_mono());
	return 0;
}

static int teardown(void **state)
{
	guard_destroy(&guard);
	return 0;
}

static void on_emit(void *arg, json_t *object)
{
	const char *kind = json_string_value(json_object_get(object, "kind")), *name = json_string_value(json_object_get(object, "name"));
	const char *until = json_string_value(json_object_get(object, "until"));
	size_t at = strlen(rows);

	assert_true(until != NULL && strlen(until) == strlen("2026-11-24T21:02:32.123Z"));
	snprintf(rows + at, sizeof(rows) - at, "%s %s %d;", kind, name, (int)json_integer_value(json_object_get(object, "failures")));
	json_decref(object);
}

/* `words` is a JSON array. Returns the exit status; rows come in `rows`. */
static enum ops_exit ask(const char *words, bool counted)
{
	char scheduler; /* only its being there counts */
	struct ops_env env = { .sched = (struct sched *)(void *)&scheduler, .guard = counted ? guard : NULL };
	struct task_out out = { .emit = on_emit };
	json_t *args = json_object();
	struct task *task;
	enum ops_exit status;

	rows[0] = '\0';
	assert_int_equal(json_object_set_new(args, "words", json_loads(words, 0, NULL)), 0);
	task = task_create(&env, "ban", args, &out);
	assert_int_equal(task_step(task), TASK_END);
	status = task->exit;
	task_destroy(&task);
	json_decref(args);
	return status;
}

static void bans_and_locks_are_listed_and_lifted(void **state)
{
	assert_int_equal(ask("[]", true), OPS_DONE);
	assert_string_equal(rows, "address 192.0.2.7 2;login shop 2;");
	assert_int_equal(ask("[\"lift\", \"192.0.2.7\"]", true), OPS_DONE);
	assert_int_equal(ask("[\"list\"]", true), OPS_DONE);
	assert_string_equal(rows, "login shop 2;");
	assert_int_equal(ask("[\"lift\", \"shop\"]", true), OPS_DONE);
	assert_int_equal(ask("[\"list\"]", true), OPS_DONE);
	assert_string_equal(rows, "");
}

static void what_makes_no_sense_is_refused(void **state)
{
	assert_int_equal(ask("[\"lift\", \"192.0.2.8\"]", true), OPS_REFUSED);
	assert_int_equal(ask("[\"lift\"]", true), OPS_USAGE);
	assert_int_equal(ask("[\"lift\", \"a\", \"b\"]", true), OPS_USAGE);
	assert_int_equal(ask("[\"lift\", 5]", true), OPS_USAGE);
	assert_int_equal(ask("[\"forgive\", \"a\"]", true), OPS_USAGE);
	assert_int_equal(ask("[]", false), OPS_REFUSED);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = { TEST(bans_and_locks_are_listed_and_lifted), TEST(what_makes_no_sense_is_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
