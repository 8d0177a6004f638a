/* base/err.c - error codes, their names, and allocation that cannot fail. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[ERR_CODES] = {
	[OK] = "ok",           [ERR_INVALID] = "invalid", [ERR_NOT_FOUND] = "not-found", [ERR_EXISTS] = "exists",
	[ERR_FULL] = "full",   [ERR_LIMIT] = "limit",     [ERR_IO] = "io",               [ERR_CORRUPT] = "corrupt",
	[ERR_VERSION] = "version", [ERR_DENIED] = "denied", [ERR_BUSY] = "busy",         [ERR_TIMEOUT] = "timeout",
};

enum err err_set(struct err_detail *why, enum err code, const char *format, ...)
{
	int saved = errno; /* callers often look at it again after saying what went wrong */
	va_list args;

	if (why != NULL) {
		why->code = code;
		va_start(args, format);
		vsnprintf(why->text, sizeof(why->text), format, args);
		va_end(args);
		errno = saved;
	}
	return code;
}

const char *err_name(enum err code)
{
	return (unsigned)code < ERR_CODES ? names[code] : "unknown";
}

_Noreturn void must_fail(const char *cond, const char *file, int line)
{
	fprintf(stderr, "broken-invariant at=%s:%d condition=\"%s\"\n", file, line, cond);
	abort();
}

static void *must_have(void *memory)
{
	must(memory != NULL);
	return memory;
}

void *xcalloc(size_t count, size_t size)
{
	/* calloc(0, ...) may answer NULL without being out of memory. */
	return must_have(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *xrealloc(void *old, size_t size)
{
	return must_have(realloc(old, size > 0 ? size : 1));
}

char *xstrdup(const char *text)
{
	return must_have(strdup(text));
}

char *xstrndup(const char *text, size_t len)
{
	return must_have(strndup(text, len));
}

char *xasprintf(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	must(vasprintf(&text, format, args) >= 0);
	va_end(args);
	return text;
}
