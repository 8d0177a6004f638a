/* relay/intake/base64.h - strict base64 decoding (RFC 4648 section 4) for SASL responses. Pure. */
#ifndef INTAKE_BASE64_H
#define INTAKE_BASE64_H

#include "base/err.h"

/* Decode all of `text` into `out` (at least len / 4 * 3 bytes). ERR_INVALID for a foreign character, wrong padding or length. */
MUST_USE enum err base64_decode(const char *text, size_t len, char *out, size_t *out_len);

#endif
