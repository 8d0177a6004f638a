/* base/table.h - uthash with a keyed hash, so that nobody outside can choose colliding keys. Include this, never uthash.h. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* XXH3 seeded once per process with kernel randomness. Safe from any thread. */
uint64_t table_hash(const void *key, size_t len);

#define HASH_FUNCTION(key, len, value) ((value) = (unsigned)table_hash((key), (len)))
#define uthash_fatal(msg)              must(!msg)
#include "base/err.h"
#include <uthash.h>

#endif
