/* relay/ops/encode.c - bytes as text in JSON: base64 (RFC 4648 section 4, with padding). */
#include "relay/ops/encode.h"

#include <stdint.h>

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t len, char *out)
{
	const uint8_t *in = data;
	char *at = out;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t bits = (uint32_t)in[i] << 16 | (n > 1 ? (uint32_t)in[i + 1] << 8 : 0) | (n > 2 ? in[i + 2] : 0);

		*at++ = DIGITS[bits >> 18];
		*at++ = DIGITS[bits >> 12 & 63];
		*at++ = n > 1 ? DIGITS[bits >> 6 & 63] : '=';
		*at++ = n > 2 ? DIGITS[bits & 63] : '=';
	}
	*at = '\0';
	return out;
}
