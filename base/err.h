/* base/err.h - error codes, their texts, and the small macros every file uses.
 *
 * Three kinds of failure are never mixed: a bug of ours aborts through must(); trouble of our own (disk, memory limits,
 * bad settings) is an `enum err` with a text in `struct err_detail`; what a remote server answered is data, not an error
 * (relay/deliver/outcome.h). */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

enum err {
	OK = 0,
	ERR_INVALID,   /* malformed input */
	ERR_NOT_FOUND, /* the named thing does not exist */
	ERR_EXISTS,    /* the named thing exists already */
	ERR_FULL,      /* disk, quota or map is full; SMTP 452 */
	ERR_LIMIT,     /* a limit of the configuration would be exceeded */
	ERR_IO,        /* the operating system or the disk failed */
	ERR_CORRUPT,   /* a stored record cannot be what we wrote */
	ERR_VERSION,   /* a record or store newer than this program */
	ERR_DENIED,    /* not allowed */
	ERR_BUSY,      /* in use by somebody else; try again */
	ERR_TIMEOUT,   /* a deadline of ours has passed */
	ERR_CODES
};

/* Where a function says what went wrong, for the operator. The caller owns it; NULL is accepted wherever it is taken. */
struct err_detail {
	enum err code;
	char text[1024];
};

/* Fill `why` (may be NULL) with a printf-formatted text; returns `code`, so that `return err_set(...)` works. */
enum err err_set(struct err_detail *why, enum err code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* A short name such as "full", for logs and JSON. Never NULL. */
const char *err_name(enum err code);

/* Abort with file, line and condition when an invariant of ours is broken; kept in every build. */
#define must(cond) ((cond) ? (void)0 : must_fail(#cond, __FILE__, __LINE__))
_Noreturn void must_fail(const char *cond, const char *file, int line);

/* Allocation of our own fixed-size objects: never NULL, aborts when memory is exhausted. Zero-filled. Freed by free(). */
void *xcalloc(size_t count, size_t size) MUST_USE;
void *xrealloc(void *old, size_t size) MUST_USE;
char *xstrdup(const char *text) MUST_USE;
char *xstrndup(const char *text, size_t len) MUST_USE;
char *xasprintf(const char *format, ...) PRINTF_LIKE(1, 2) MUST_USE;

#endif
