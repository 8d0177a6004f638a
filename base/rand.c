/* base/rand.c - seeded pseudo-random numbers: xoshiro256** by Blackman and Vigna, seeded through splitmix64. */
#include "base/rand.h"

#include <sys/random.h>

#include "base/err.h"

static uint64_t splitmix64(uint64_t *x)
{
	uint64_t z = (*x += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void rand_seed(struct rand *r, uint64_t seed)
{
	for (size_t i = 0; i < ARRAY_LEN(r->s); i++)
		r->s[i] = splitmix64(&seed);
}

uint64_t rand_entropy(void)
{
	uint64_t seed;

	/* Up to 256 bytes are never cut short and, once the pool is ready, never interrupted (getrandom(2)). */
	must(getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
	return seed;
}

static uint64_t rotate(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

uint64_t rand_u64(struct rand *r)
{
	uint64_t *s = r->s;
	uint64_t result = rotate(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint32_t rand_below(struct rand *r, uint32_t bound)
{
	uint32_t floor;
	uint64_t product;

	must(bound > 0);
	/* Lemire's multiplication; the rejected remainder is what would favour small numbers. */
	floor = -bound % bound;
	do {
		product = (rand_u64(r) >> 32) * bound;
	} while ((uint32_t)product < floor);
	return (uint32_t)(product >> 32);
}

double rand_unit(struct rand *r)
{
	return (double)(rand_u64(r) >> 11) * 0x1.0p-53;
}
