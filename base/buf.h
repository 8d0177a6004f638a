/* base/buf.h - growable bytes with a hard cap that is given at the start. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"

/* data[0..len) is valid; when cap > 0 a NUL that does not count follows it, so text can be used as a C string. */
struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max; /* bytes; never grows beyond */
};

/* Start empty; allocates nothing yet. `max` in bytes. */
void buf_init(struct buf *buf, size_t max);

/* Free the memory; the buffer is empty afterwards and may be used again with the same cap. */
void buf_fini(struct buf *buf);

/* Forget the content, keep the memory. */
void buf_reset(struct buf *buf);

/* Append; `data` must not lie inside the buffer itself. ERR_LIMIT, with nothing appended, when the cap would be exceeded. */
MUST_USE enum err buf_add(struct buf *buf, const void *data, size_t len);
MUST_USE enum err buf_add_str(struct buf *buf, const char *text);
MUST_USE enum err buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* Room for `len` more bytes, uninitialised, already counted in buf->len. NULL: the cap would be exceeded. */
MUST_USE void *buf_extend(struct buf *buf, size_t len);

/* Remove the first `len` bytes (at most buf->len). */
void buf_consume(struct buf *buf, size_t len);

/* The content as a C string; "" when nothing was ever added. Valid until the next change. */
const char *buf_str(const struct buf *buf);

#endif
