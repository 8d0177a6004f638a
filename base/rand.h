/* base/rand.h - seeded pseudo-random numbers for jitter and choice (not for secrets). */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

/* State of one generator (xoshiro256**); one owner, no locking. */
struct rand {
	uint64_t s[4];
};

/* Start from a seed; the same seed gives the same numbers. */
void rand_seed(struct rand *r, uint64_t seed);

/* A seed from the kernel. */
uint64_t rand_entropy(void);

/* Uniform: 64 bits; 0..bound-1 (bound > 0); [0,1). */
uint64_t rand_u64(struct rand *r);
uint32_t rand_below(struct rand *r, uint32_t bound);
double rand_unit(struct rand *r);

#endif
