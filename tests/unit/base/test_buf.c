/* tests/unit/base/test_buf.c - growth, cap and content of buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buf.h"

static void an_unused_buffer_is_an_empty_text(void **state)
{
	struct buf buf;

	buf_init(&buf, 10);
	assert_string_equal(buf_str(&buf), "");
	assert_int_equal(buf.cap, 0);
	buf_consume(&buf, 3);
	buf_reset(&buf);
	buf_fini(&buf);
}

static void the_cap_is_reached_exactly_and_never_passed(void **state)
{
	struct buf buf;

	buf_init(&buf, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(buf_add(&buf, "x", 1), OK);
	assert_int_equal(buf_add(&buf, "y", 1), ERR_LIMIT);
	assert_int_equal(buf_printf(&buf, "%d", 1), ERR_LIMIT);
	assert_null(buf_extend(&buf, 1));
	assert_null(buf_extend(&buf, SIZE_MAX));
	assert_int_equal(buf.len, 100);
	assert_int_equal(strlen(buf_str(&buf)), 100);
	assert_int_equal(buf_add(&buf, NULL, 0), OK);
	buf_fini(&buf);
}

static void a_refused_append_leaves_the_content_alone(void **state)
{
	struct buf buf;

	buf_init(&buf, 4);
	assert_int_equal(buf_add_str(&buf, "abc"), OK);
	assert_int_equal(buf_add_str(&buf, "de"), ERR_LIMIT);
	assert_int_equal(buf_printf(&buf, "%s", "de"), ERR_LIMIT);
	assert_string_equal(buf_str(&buf), "abc");
	assert_int_equal(buf_add_str(&buf, "d"), OK);
	assert_string_equal(buf_str(&buf), "abcd");
	buf_fini(&buf);
}

static void content_may_hold_nul_bytes_and_is_terminated(void **state)
{
	struct buf buf;

	buf_init(&buf, 1000);
	assert_int_equal(buf_add(&buf, "a\0b", 3), OK);
	assert_int_equal(buf.len, 3);
	assert_memory_equal(buf.data, "a\0b", 4);
	memset(buf_extend(&buf, 500), 'z', 500);
	assert_int_equal(buf.data[503], '\0');
	buf_fini(&buf);
}

static void consuming_takes_from_the_front(void **state)
{
	struct buf buf;

	buf_init(&buf, 100);
	assert_int_equal(buf_printf(&buf, "%s %d", "line", 12), OK);
	buf_consume(&buf, 5);
	assert_string_equal(buf_str(&buf), "12");
	buf_consume(&buf, 99);
	assert_string_equal(buf_str(&buf), "");
	assert_int_equal(buf.len, 0);
	buf_fini(&buf);
}

static void a_finished_buffer_can_be_used_again_with_its_cap(void **state)
{
	struct buf buf;

	buf_init(&buf, 2);
	assert_int_equal(buf_add_str(&buf, "ab"), OK);
	buf_fini(&buf);
	assert_int_equal(buf_add_str(&buf, "abc"), ERR_LIMIT);
	assert_int_equal(buf_add_str(&buf, "cd"), OK);
	assert_string_equal(buf_str(&buf), "cd");
	buf_fini(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unused_buffer_is_an_empty_text),
		cmocka_unit_test(the_cap_is_reached_exactly_and_never_passed),
		cmocka_unit_test(a_refused_append_leaves_the_content_alone),
		cmocka_unit_test(content_may_hold_nul_bytes_and_is_terminated),
		cmocka_unit_test(consuming_takes_from_the_front),
		cmocka_unit_test(a_finished_buffer_can_be_used_again_with_its_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
