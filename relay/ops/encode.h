/* relay/ops/encode.h - bytes as text in JSON: base64 (RFC 4648 section 4, with padding). relay/intake/base64.h reads it. Pure. */
#ifndef OPS_ENCODE_H
#define OPS_ENCODE_H

#include <stddef.h>

#define BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1) /* of the text with NUL */

/* Returns `out`, which holds BASE64_SIZE(len) bytes. */
char *base64_encode(const void *data, size_t len, char *out);

#endif
