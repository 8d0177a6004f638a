/* tests/unit/base/test_crate.c - small objects: all zero, apart from one another, and used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rand.h"
#include "base/crate.h"

#define OBJECTS 20000

static bool is_filled(const uint8_t *object, size_t size, uint8_t with)
{
	for (size_t i = 0; i < size; i++)
		if (object[i] != with)
			return false;
	return true;
}

static size_t some_size(struct rand *rand)
{
	return 1 + rand_below(rand, 1200); /* beyond the largest that has a list */
}

static void objects_are_zero_and_apart_whatever_was_given_back(void **state)
{
	struct crate crate = { 0 };
	struct rand rand;
	uint8_t **objects = xcalloc(OBJECTS, sizeof(*objects));
	size_t *sizes = xcalloc(OBJECTS, sizeof(*sizes));

	rand_seed(&rand, 5);
	for (int turn = 0; turn < 3 * OBJECTS; turn++) {
		uint32_t i = rand_below(&rand, OBJECTS);

		if (objects[i] != NULL) {
			assert_true(is_filled(objects[i], sizes[i], (uint8_t)(i | 1)));
			crate_give(&crate, objects[i], sizes[i]);
		}
		sizes[i] = some_size(&rand);
		objects[i] = crate_take(&crate, sizes[i]);
		assert_true((uintptr_t)objects[i] % _Alignof(max_align_t) == 0);
		assert_true(is_filled(objects[i], sizes[i], 0));
		memset(objects[i], (int)(i | 1), sizes[i]);
	}
	for (uint32_t i = 0; i < OBJECTS; i++)
		if (objects[i] != NULL)
			crate_give(&crate, objects[i], sizes[i]);
	crate_fini(&crate);
	assert_int_equal(crate.block_count, 0);
	free(objects);
	free(sizes);
}

static void what_comes_and_goes_takes_no_more_room(void **state)
{
	struct crate crate = { 0 };
	void *first = crate_take(&crate, 100), *second;
	size_t blocks = crate.block_count;

	crate_give(&crate, first, 100);
	for (int i = 0; i < OBJECTS; i++) {
		second = crate_take(&crate, 100);
		crate_give(&crate, second, 100);
	}
	assert_int_equal(crate.block_count, blocks);
	crate_fini(&crate);
}

static void advice_changes_no_contents(void **state)
{
	size_t size = (size_t)9 << 20;
	uint8_t *array = malloc(size), *block = crate_block((size_t)2 << 20, true);

	assert_non_null(array);
	memset(array, 7, size);
	crate_advise(array, size);
	crate_advise(array, 10);
	assert_true(is_filled(array, size, 7));
	assert_true((uintptr_t)block % ((size_t)2 << 20) == 0);
	free(array);
	free(block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_zero_and_apart_whatever_was_given_back),
		cmocka_unit_test(what_comes_and_goes_takes_no_more_room),
		cmocka_unit_test(advice_changes_no_contents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
