/* tests/unit/queue/test_note.c - rows of other parts, each under a name. */
#include "store.h"

struct kept {
	unsigned count;
	char all[200];
};

static void keep(void *arg, const char *name, const void *data, size_t len)
{
	struct kept *kept = arg;
	size_t at = strlen(kept->all);

	kept->count++;
	snprintf(kept->all + at, sizeof(kept->all) - at, "%s=%.*s;", name, (int)len, (const char *)data);
}

static struct kept read_all(struct store *s, const char *prefix)
{
	struct kept kept = { 0 };

	assert_int_equal(queue_notes_read(s->reader, prefix, keep, &kept, NULL), OK);
	return kept;
}

static enum err put(struct store *s, const char *name, const char *data)
{
	struct queue_note_put note = { .name = name, .data = data, .len = strlen(data) };

	return store_do(s, QUEUE_NOTE_PUT, &note.req);
}

static void notes_survive_a_restart_and_are_found_by_the_beginning_of_their_name(void **state)
{
	struct store *s = *state;

	assert_int_equal(put(s, "b/2", "two"), OK);
	assert_int_equal(put(s, "b/1", "one"), OK);
	assert_int_equal(put(s, "a/1", "other"), OK);
	assert_int_equal(put(s, "c", "more"), OK);
	store_reopen(s);
	assert_string_equal(read_all(s, "b/").all, "b/1=one;b/2=two;");
	assert_int_equal(read_all(s, "").count, 4);
	assert_int_equal(read_all(s, "x").count, 0);
	store_check(s);
}

static void a_note_is_replaced_and_an_empty_one_removes_it(void **state)
{
	struct store *s = *state;

	assert_int_equal(put(s, "a", "first"), OK);
	assert_int_equal(put(s, "a", "second"), OK);
	assert_string_equal(read_all(s, "").all, "a=second;");
	assert_int_equal(put(s, "a", ""), OK);
	assert_int_equal(put(s, "never there", ""), OK);
	assert_int_equal(read_all(s, "").count, 0);
}

static void what_is_too_long_or_nameless_is_refused(void **state)
{
	struct store *s = *state;
	struct queue_note_put note = { .data = "x", .len = 1 };
	char name[QUEUE_NOTE_NAME + 2];

	assert_int_equal(store_do(s, QUEUE_NOTE_PUT, &note.req), ERR_INVALID);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(put(s, name, "x"), ERR_LIMIT);
	name[sizeof(name) - 2] = '\0';
	assert_int_equal(put(s, name, "x"), OK);
	note = (struct queue_note_put){ .name = "a", .data = name, .len = QUEUE_NOTE_MAX + 1 };
	assert_int_equal(store_do(s, QUEUE_NOTE_PUT, &note.req), ERR_LIMIT);
	assert_int_equal(read_all(s, "").count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(notes_survive_a_restart_and_are_found_by_the_beginning_of_their_name, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(a_note_is_replaced_and_an_empty_one_removes_it, store_setup, store_teardown),
		cmocka_unit_test_setup_teardown(what_is_too_long_or_nameless_is_refused, store_setup, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
