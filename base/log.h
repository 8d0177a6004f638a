/* base/log.h - one line for each fact: `event key=value ...` on standard error, the same as JSON in the event log.
 *
 * Usage:  struct log_line line;
 *         log_begin(&line, LOG_INFO, "delivered");
 *         log_str(&line, "id", id); log_num(&line, "size", size);
 *         log_end(&line);
 * Never secrets, never message bodies. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/clock.h"
#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

#define LOG_LINE_MAX   4096
#define LOG_FIELDS_MAX 32

/* A line being built, on the caller's stack. A text that does not fit is cut and ends in "...". */
struct log_line {
	enum log_level level;
	const char *event;
	size_t text_len, json_len;
	char text[LOG_LINE_MAX];
	char json[LOG_LINE_MAX];
};

/* Lines below `level` are dropped. Set at start and on reload; any thread. */
void log_set_level(enum log_level level);
bool log_level_parse(const char *name, enum log_level *out);

/* Open the event log: directory DIR/YYYY-MM-DD.jsonl (UTC), a new file each day, files older than `keep_days` removed;
 * total size bounded by `max_bytes` (oldest removed first). Facts of level info and above go there. */
MUST_USE enum err log_open_events(const char *dir, int keep_days, uint64_t max_bytes, struct err_detail *why);
void log_close_events(void);

/* `event` is a constant such as "accepted". Keys are constants; values are quoted and escaped as needed (a value is quoted
 * when it is empty or holds a space, quote, backslash, '=' or control character; control characters become \xNN). */
void log_begin(struct log_line *line, enum log_level level, const char *event);
void log_str(struct log_line *line, const char *key, const char *value); /* NULL: the field is left out */
void log_fmt(struct log_line *line, const char *key, const char *format, ...) PRINTF_LIKE(3, 4);
void log_num(struct log_line *line, const char *key, int64_t value);
void log_end(struct log_line *line); /* one write(2) to standard error, one to the event log */

/* The short form for messages to the operator: `event text="..."`. */
void log_text(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
