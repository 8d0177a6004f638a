/* relay/sign/fold.h - a header field that is written token by token and folded below 78 columns (RFC 5322 section 2.1.1). Pure. */
#ifndef SIGN_FOLD_H
#define SIGN_FOLD_H

#include "base/buf.h"

#define FOLD_COLUMNS 77
#define FOLD_TOKEN   512 /* bytes of a token with its NUL: a domain name and its tag */

/* One field being written. The first ERR_LIMIT of the buffer stays until the end. */
struct fold {
	struct buf *out;
	size_t column;
	enum err err;
};

/* Begin a field at the end of `out`, which must be at the start of a line. */
void fold_init(struct fold *fold, struct buf *out);

/* A token that is not cut: behind `gap` on the same line, or at the start of the next one. */
void fold_printf(struct fold *fold, const char *gap, const char *format, ...) PRINTF_LIKE(3, 4);

/* Text that may be cut anywhere, such as base64; begins right behind the last token. */
void fold_split(struct fold *fold, const char *text);

/* The CRLF at the end of the field. */
void fold_end(struct fold *fold);

/* OK, or ERR_LIMIT: something did not fit. */
MUST_USE enum err fold_result(const struct fold *fold);

#endif
