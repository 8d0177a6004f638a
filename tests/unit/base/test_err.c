/* tests/unit/base/test_err.c - error texts and the allocation that cannot fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"

static void every_code_has_a_name_of_its_own(void **state)
{
	for (int a = 0; a < ERR_CODES; a++) {
		assert_non_null(err_name((enum err)a));
		for (int b = 0; b < a; b++)
			assert_string_not_equal(err_name((enum err)a), err_name((enum err)b));
	}
	assert_string_equal(err_name(ERR_CODES), "unknown");
}

static void a_detail_is_optional_and_cut_to_its_size(void **state)
{
	struct err_detail why;
	char longer[2 * sizeof(why.text)];

	assert_int_equal(err_set(NULL, ERR_FULL, "%s", "x"), ERR_FULL);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(err_set(&why, ERR_IO, "%s", longer), ERR_IO);
	assert_int_equal(why.code, ERR_IO);
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
}

static void saying_what_went_wrong_keeps_errno(void **state)
{
	struct err_detail why;

	errno = ENOSPC;
	(void)err_set(&why, ERR_FULL, "%s", strerror(ENOENT));
	assert_int_equal(errno, ENOSPC);
}

static void a_broken_invariant_aborts(void **state)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		close(STDERR_FILENO);
		must(1 == 2);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void memory_is_zeroed_and_never_null(void **state)
{
	unsigned char *bytes = xcalloc(3, 5);
	void *none = xcalloc(0, 0);
	char *text = xasprintf("%s-%d", "a", 7), *part = xstrndup("abcdef", 3);

	for (int i = 0; i < 15; i++)
		assert_int_equal(bytes[i], 0);
	assert_non_null(none);
	assert_string_equal(text, "a-7");
	assert_string_equal(part, "abc");
	free(bytes);
	free(none);
	free(text);
	free(part);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_a_name_of_its_own),
		cmocka_unit_test(a_detail_is_optional_and_cut_to_its_size),
		cmocka_unit_test(saying_what_went_wrong_keeps_errno),
		cmocka_unit_test(a_broken_invariant_aborts),
		cmocka_unit_test(memory_is_zeroed_and_never_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
