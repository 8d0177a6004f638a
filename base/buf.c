/* base/buf.c - growable bytes with a hard cap that is given at the start. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf){ .max = max };
}

void buf_fini(struct buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->max);
}

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	if (buf->cap > 0)
		buf->data[0] = '\0';
}

/* Make room for `len` more bytes and the NUL behind them. False: the cap. */
static bool reserve(struct buf *buf, size_t len)
{
	size_t need, cap;

	if (len > buf->max - buf->len)
		return false;
	need = buf->len + len + 1;
	if (need <= buf->cap)
		return true;
	cap = buf->cap > 0 ? buf->cap : FIRST_CAP;
	while (cap < need)
		cap += cap / 2;
	if (cap > buf->max + 1)
		cap = buf->max + 1; /* >= need, as checked above */
	buf->data = xrealloc(buf->data, cap);
	buf->cap = cap;
	return true;
}

void *buf_extend(struct buf *buf, size_t len)
{
	char *room;

	if (!reserve(buf, len))
		return NULL;
	room = buf->data + buf->len;
	buf->len += len;
	buf->data[buf->len] = '\0';
	return room;
}

enum err buf_add(struct buf *buf, const void *data, size_t len)
{
	void *room = buf_extend(buf, len);

	if (room == NULL)
		return ERR_LIMIT;
	if (len > 0)
		memcpy(room, data, len);
	return OK;
}

enum err buf_add_str(struct buf *buf, const char *text)
{
	return buf_add(buf, text, strlen(text));
}

enum err buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args, again;
	int len;
	char *room;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	must(len >= 0);
	room = buf_extend(buf, (size_t)len);
	if (room != NULL)
		vsnprintf(room, (size_t)len + 1, format, again);
	va_end(again);
	va_end(args);
	return room != NULL ? OK : ERR_LIMIT;
}

void buf_consume(struct buf *buf, size_t len)
{
	if (len >= buf->len) {
		buf_reset(buf);
		return;
	}
	buf->len -= len;
	memmove(buf->data, buf->data + len, buf->len + 1);
}

const char *buf_str(const struct buf *buf)
{
	return buf->cap > 0 ? buf->data : "";
}
