/* base/bigend.h - numbers in stored records: the high byte first. */
#ifndef BASE_BIGEND_H
#define BASE_BIGEND_H

#include <stdint.h>

/* The low `bytes` bytes of `value` (0 to 8) at `to`; returns where the next ones go. The room is the caller's care. */
static inline uint8_t *bigend_put(uint8_t *to, uint64_t value, unsigned bytes)
{
	while (bytes-- > 0)
		*to++ = (uint8_t)(value >> 8 * bytes);
	return to;
}

/* Of `bytes` bytes (0 to 8) at `*at`, which moves on behind them. That they are there is the caller's care. */
static inline uint64_t bigend_get(const uint8_t **at, unsigned bytes)
{
	uint64_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | *(*at)++;
	return value;
}

#endif
