/* tests/unit/conf/test_schema.c - what must hold for every row of the schema, without exceptions. */
#include "tests/unit/conf/conf_test.h"

#include "conf/schema.h"

/* A file in which `key: text` stands where the row belongs, in the entry of its section. */
static char *file_with(const struct schema_row *row, const char *text)
{
	static const struct { const char *before, *after; } entries[SECTION_COUNT] = {
		[SECTION_ROOT] = { "", "" },
		[SECTION_LISTEN] = { "listen: [{", "}]" },
		[SECTION_TENANT] = { "tenants: [{name: t, from: [127.0.0.0/8], ", "}]" },
		[SECTION_LOGIN] = { "tenants: [{name: t, logins: [{", "}]}]" },
		[SECTION_DKIM] = { "dkim: [{", "}]" },
		[SECTION_SOURCE] = { "sources: [{name: a, ip: 127.0.0.2, ", "}]" },
		[SECTION_PLAN] = { "plans: [{name: p, ", "}]" },
		[SECTION_PLAN_GROUP] = { "plans: [{name: p, groups: [{providers: [p], ", "}]}]" },
		[SECTION_POOL] = { "pools: [{", "}]" },
		[SECTION_PROVIDER] = { "providers: [{name: p, mx: [p.example], ", "}]" },
		[SECTION_ROUTE] = { "routes: [{", "}]" },
	};
	char setting[512] = "", part[512], key[128], *save = NULL;
	size_t depth = 0;

	snprintf(key, sizeof(key), "%s", row->key);
	for (char *word = strtok_r(key, ".", &save); word; word = strtok_r(NULL, ".", &save), depth++) {
		snprintf(part, sizeof(part), "%.200s%s%.100s: ", setting, depth ? "{" : "", word);
		memcpy(setting, part, sizeof(setting));
	}
	snprintf(part, sizeof(part), "%.300s\"%.64s\"%.*s", setting, text, (int)depth - 1, "}}}}");
	return xasprintf("%s%s%s%s\n", row->section == SECTION_LISTEN ? "" : "listen: [{at: \"127.0.0.1:2525\"}]\n",
	    entries[row->section].before, part, entries[row->section].after);
}

/* Whether the row's own bounds refuse the text; rules across settings may have their say too. */
static bool is_refused(const struct schema_row *row, const char *text)
{
	char *file = file_with(row, text), expected[256];
	struct conf_faults faults;
	struct conf *conf = conf_load_text("/t/t.yaml", file, strlen(file), &faults);
	bool refused;

	schema_expected(row, expected);
	refused = strstr(faults.text, expected) != NULL;
	if (!refused && strstr(faults.text, "unknown key"))
		fail_msg("%s: %s", file, faults.text);
	conf_unref(&conf);
	conf_faults_free(&faults);
	free(file);
	return refused;
}

/* The smallest difference that the notation can express. */
static int64_t step_of(enum value_type type)
{
	return type == VALUE_DURATION ? SECONDS(1) : type == VALUE_DATE ? DAYS(1) : 1;
}

static void check_bound(const struct schema_row *row, const char *bound, int outwards)
{
	char text[VALUE_TEXT_MAX];
	struct value value;

	if (is_refused(row, bound))
		fail_msg("%s: bound %s is refused", row->key, bound);
	assert_true(value_parse(row->type, bound, &value));
	value.number += outwards * step_of(row->type);
	if (value.number < 0)
		return; /* nothing below can be written */
	if (value.period_ms)
		value.period_ms = DAYS(1);
	value_format(row->type, &value, text);
	if (!is_refused(row, text))
		fail_msg("%s: %s, one step outside %s, is accepted", row->key, text, bound);
}

static void every_bound_is_accepted_and_one_step_outside_is_refused(void **state)
{
	size_t checked = 0;

	(void)state;
	for (size_t i = 0; i < schema_row_count; i++) {
		const struct schema_row *row = &schema_rows[i];

		if (row->kind != SCHEMA_VALUE || !value_is_numeric(row->type))
			continue;
		if (!row->least || !row->most)
			fail_msg("%s: a number without bounds", row->key);
		check_bound(row, row->least, -1);
		check_bound(row, row->most, 1);
		checked++;
	}
	assert_true(checked > 30);
}

static void every_default_is_valid_and_within_its_bounds(void **state)
{
	struct value value;

	(void)state;
	for (size_t i = 0; i < schema_row_count; i++) {
		const struct schema_row *row = &schema_rows[i];

		if (row->kind != SCHEMA_VALUE || !row->dflt)
			continue;
		if (!value_parse(row->type, row->dflt, &value) || !schema_in_bounds(row, &value))
			fail_msg("%s: default %s", row->key, row->dflt);
	}
}

static void every_row_has_help_that_is_a_sentence_and_a_key_of_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < schema_row_count; i++) {
		const struct schema_row *row = &schema_rows[i];
		size_t len = strlen(row->help);

		if (len < 4 || row->help[len - 1] != '.')
			fail_msg("%s: help \"%s\"", row->key, row->help);
		assert_ptr_equal(schema_find(row->section, row->key), row);
		assert_false(schema_is_map(row->section, row->key));
	}
}

static void rows_of_a_section_stand_together(void **state)
{
	size_t sum = 0, count;

	(void)state;
	for (enum schema_section section = 0; section < SECTION_COUNT; section++) {
		schema_section(section, &count);
		assert_true(count > 0);
		sum += count;
	}
	assert_int_equal(sum, schema_row_count);
}

static void a_swapped_letter_is_one_mistake(void **state)
{
	(void)state;
	assert_int_equal(schema_distance("hostnmae", "hostname"), 1);
	assert_int_equal(schema_distance("hostnme", "hostname"), 1);
	assert_int_equal(schema_distance("hostname", "hostname"), 0);
	assert_int_equal(schema_distance("", "abc"), 3);
	assert_int_equal(schema_distance("kitten", "sitting"), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bound_is_accepted_and_one_step_outside_is_refused),
		cmocka_unit_test(every_default_is_valid_and_within_its_bounds),
		cmocka_unit_test(every_row_has_help_that_is_a_sentence_and_a_key_of_its_own),
		cmocka_unit_test(rows_of_a_section_stand_together),
		cmocka_unit_test(a_swapped_letter_is_one_mistake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
