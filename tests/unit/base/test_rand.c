/* tests/unit/base/test_rand.c - seeded numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/rand.h"

static void the_same_seed_gives_the_same_numbers(void **state)
{
	struct rand a, b, c;
	int same = 0;

	rand_seed(&a, 42);
	rand_seed(&b, 42);
	rand_seed(&c, 43);
	for (int i = 0; i < 100; i++) {
		uint64_t n = rand_u64(&a);

		assert_true(n == rand_u64(&b));
		same += n == rand_u64(&c);
	}
	assert_int_equal(same, 0);
}

static void the_numbers_are_those_of_the_published_algorithm(void **state)
{
	/* xoshiro256** from the state 1, 2, 3, 4: the reference implementation's first outputs. */
	static const uint64_t want[] = { UINT64_C(11520), UINT64_C(0), UINT64_C(1509978240), UINT64_C(1215971899390074240) };
	struct rand r = { { 1, 2, 3, 4 } };

	for (size_t i = 0; i < ARRAY_LEN(want); i++)
		assert_true(rand_u64(&r) == want[i]);
}

static void numbers_below_a_bound_are_even(void **state)
{
	static const uint32_t bounds[] = { 1, 2, 3, 10, 1000, UINT32_MAX };
	struct rand r;

	rand_seed(&r, 7);
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		double sum = 0;

		for (int n = 0; n < 20000; n++) {
			uint32_t got = rand_below(&r, bounds[i]);

			assert_true(got < bounds[i]);
			sum += got;
		}
		/* The mean of 20,000 is off by more than 3 % of the bound only if they are not uniform. */
		assert_true(sum / 20000 - (bounds[i] - 1.0) / 2 < 0.03 * bounds[i]);
		assert_true((bounds[i] - 1.0) / 2 - sum / 20000 < 0.03 * bounds[i]);
	}
}

/* Three quarters of the range: a plain multiplication would give every third number twice as often as the others. */
static void a_large_bound_favours_no_number(void **state)
{
	uint32_t bound = UINT32_C(3) << 30;
	int hits = 0;
	struct rand r;

	rand_seed(&r, 11);
	for (int n = 0; n < 30000; n++)
		hits += rand_below(&r, bound) % 3 == 0;
	assert_in_range(hits, 9500, 10500);
}

static void unit_numbers_fill_zero_to_one(void **state)
{
	struct rand r;
	double low = 1, high = 0;

	rand_seed(&r, 1);
	for (int i = 0; i < 10000; i++) {
		double x = rand_unit(&r);

		assert_true(x >= 0 && x < 1);
		low = x < low ? x : low;
		high = x > high ? x : high;
	}
	assert_true(low < 0.01 && high > 0.99);
}

static void two_seeds_of_the_kernel_differ(void **state)
{
	assert_true(rand_entropy() != rand_entropy());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_numbers),
		cmocka_unit_test(the_numbers_are_those_of_the_published_algorithm),
		cmocka_unit_test(numbers_below_a_bound_are_even),
		cmocka_unit_test(a_large_bound_favours_no_number),
		cmocka_unit_test(unit_numbers_fill_zero_to_one),
		cmocka_unit_test(two_seeds_of_the_kernel_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
