/* base/table.c - the keyed hash behind every table. */
#include "base/table.h"

#include <pthread.h>
#include <xxhash.h>

#include "base/rand.h"

static pthread_once_t seeded = PTHREAD_ONCE_INIT;
static uint64_t seed;

static void choose_seed(void)
{
	seed = rand_entropy();
}

uint64_t table_hash(const void *key, size_t len)
{
	must(pthread_once(&seeded, choose_seed) == 0);
	return XXH3_64bits_withSeed(key, len, seed);
}
