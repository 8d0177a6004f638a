/* tests/unit/relay/test_login_cache.c - good credentials are remembered for their time, and not too many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "relay/intake/login_cache.h"

static struct login_cache cache;

static int setup(void **state)
{
	login_cache_init(&cache);
	return 0;
}

static int teardown(void **state)
{
	login_cache_fini(&cache);
	return 0;
}

static const uint8_t *tag(uint32_t number)
{
	static uint8_t bytes[CREDENTIAL_TAG];

	memcpy(bytes + 10, &number, sizeof(number));
	return bytes;
}

static void what_was_right_is_known_until_its_time_is_over(void **state)
{
	assert_false(login_cache_has(&cache, tag(1), 1000));
	login_cache_put(&cache, tag(1), 2000);
	assert_true(login_cache_has(&cache, tag(1), 1999));
	assert_false(login_cache_has(&cache, tag(2), 1999));
	assert_false(login_cache_has(&cache, tag(1), 2000));
	assert_false(login_cache_has(&cache, tag(1), 1999)); /* it is gone */
}

static void putting_again_prolongs(void **state)
{
	login_cache_put(&cache, tag(1), 2000);
	login_cache_put(&cache, tag(1), 3000);
	assert_true(login_cache_has(&cache, tag(1), 2999));
}

static void the_oldest_makes_room(void **state)
{
	for (uint32_t i = 0; i < LOGIN_CACHE_MAX; i++)
		login_cache_put(&cache, tag(i), 2000);
	login_cache_put(&cache, tag(0), 2000); /* the youngest now */
	for (uint32_t i = 0; i < 10; i++)
		login_cache_put(&cache, tag(100000 + i), 2000);
	assert_true(login_cache_has(&cache, tag(0), 1000));
	for (uint32_t i = 1; i <= 10; i++)
		assert_false(login_cache_has(&cache, tag(i), 1000));
	assert_true(login_cache_has(&cache, tag(11), 1000));
	assert_true(login_cache_has(&cache, tag(100009), 1000));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_was_right_is_known_until_its_time_is_over), TEST(putting_again_prolongs), TEST(the_oldest_makes_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
