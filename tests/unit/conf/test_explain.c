/* tests/unit/conf/test_explain.c - what --explain says, and that the reference page is not stale. */
#include "tests/unit/conf/conf_test.h"

#include "conf/schema.h"

/* Output of conf_explain, or the text of its error; malloc'ed. */
static char *explain(const char *key, enum err want)
{
	struct err_detail why = { 0 };
	char *text = NULL, *copy;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	assert_int_equal(conf_explain(key, out, &why), want);
	fclose(out);
	copy = xstrdup(want == OK ? text : why.text);
	free(text);
	return copy;
}

static void a_key_is_explained_with_value_default_and_reload(void **state)
{
	char *text = explain("retry.first", OK);

	(void)state;
	assert_string_equal(text, "retry.first\n"
	    "  Delay before the second attempt after a temporary failure; it grows from there.\n"
	    "  value:   a duration from 1s to 1d\n"
	    "  default: 5m\n"
	    "  changes: with a reload\n");
	free(text);
	text = explain("state", OK);
	assert_non_null(strstr(text, "  changes: with a restart\n"));
	free(text);
}

static void a_map_or_a_list_is_explained_with_all_it_holds(void **state)
{
	char *text = explain("tenants[].logins[]", OK);

	(void)state;
	assert_non_null(strstr(text, "tenants.logins.user\n"));
	assert_non_null(strstr(text, "tenants.logins.hash\n"));
	assert_null(strstr(text, "tenants.name\n"));
	free(text);
}

static void an_unknown_key_hears_the_nearest_one(void **state)
{
	static const struct { const char *key, *want; } rows[] = {
		{ "retry.frist", "unknown key \"retry.frist\", did you mean \"retry.first\"?" },
		{ "quota", "unknown key \"quota\", did you mean \"tenants.quota\"?" },
		{ "tenants.pol", "unknown key \"tenants.pol\", did you mean \"tenants.pool\"?" },
		{ "hostnme", "unknown key \"hostnme\", did you mean \"hostname\"?" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *text = explain(rows[i].key, ERR_NOT_FOUND);

		assert_string_equal(text, rows[i].want);
		free(text);
	}
}

static void every_row_can_be_explained_by_its_full_key(void **state)
{
	char key[128];

	(void)state;
	for (size_t i = 0; i < schema_row_count; i++) {
		char *text = explain(schema_full_key(&schema_rows[i], key), OK);

		assert_non_null(strstr(text, schema_rows[i].help));
		free(text);
	}
}

static void the_reference_page_is_what_the_schema_says(void **state)
{
	char *text = NULL, page[65536] = "";
	size_t len = 0;
	FILE *out = open_memstream(&text, &len), *file = fopen("docs/CONFIG.md", "re");

	(void)state;
	assert_non_null(out);
	assert_non_null(file);
	conf_reference(out);
	fclose(out);
	assert_true(fread(page, 1, sizeof(page) - 1, file) > 0);
	fclose(file);
	if (strcmp(page, text) != 0)
		fail_msg("docs/CONFIG.md is stale: make docs");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_explained_with_value_default_and_reload),
		cmocka_unit_test(a_map_or_a_list_is_explained_with_all_it_holds),
		cmocka_unit_test(an_unknown_key_hears_the_nearest_one),
		cmocka_unit_test(every_row_can_be_explained_by_its_full_key),
		cmocka_unit_test(the_reference_page_is_what_the_schema_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
