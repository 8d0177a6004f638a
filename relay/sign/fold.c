/* relay/sign/fold.c - a header field that is written token by token and folded below 78 columns. */
#include "relay/sign/fold.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FOLD_INDENT 8 /* columns of a tab */

void fold_init(struct fold *fold, struct buf *out)
{
	*fold = (struct fold){ .out = out };
}

static void put(struct fold *fold, const char *text, size_t len)
{
	if (fold->err == OK)
		fold->err = buf_add(fold->out, text, len);
	fold->column += len;
}

static void next_line(struct fold *fold)
{
	put(fold, "\r\n\t", 3);
	fold->column = FOLD_INDENT;
}

void fold_printf(struct fold *fold, const char *gap, const char *format, ...)
{
	char token[FOLD_TOKEN];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(token, sizeof(token), format, args);
	va_end(args);
	must(len >= 0 && (size_t)len < sizeof(token));
	if (fold->column > FOLD_INDENT && fold->column + strlen(gap) + (size_t)len > FOLD_COLUMNS)
		next_line(fold);
	else
		put(fold, gap, strlen(gap));
	put(fold, token, (size_t)len);
}

void fold_split(struct fold *fold, const char *text)
{
	for (size_t left = strlen(text), part; left > 0; text += part, left -= part) {
		if (fold->column >= FOLD_COLUMNS)
			next_line(fold);
		part = FOLD_COLUMNS - fold->column;
		if (part > left)
			part = left;
		put(fold, text, part);
	}
}

void fold_end(struct fold *fold)
{
	put(fold, "\r\n", 2);
}

enum err fold_result(const struct fold *fold)
{
	return fold->err;
}
