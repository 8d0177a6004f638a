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

#define LOG_LINE_MAX 4096 /* bytes with the line feed: what one write to a pipe passes on whole */

/* A line being built, on the caller's stack. A text that does not fit is cut and ends in "...", and room is kept behind it
 * for the short fields that follow; a key that no longer fits is left out. text_len and json_len are 0 for a form that
 * nobody wants. */
struct log_line {
	enum log_level level;
	const char *event;
	size_t text_len, json_len;
	char text[LOG_LINE_MAX];
	char json[LOG_LINE_MAX];
};

/* Lines below `level` do not go to standard error. Info at the start. Set at start and on reload; any thread. */
void log_set_level(enum log_level level);

/* "debug", "info", "warn", "error". False: none of them. Pure. */
bool log_level_parse(const char *name, enum log_level *out);

/* Open the event log: directory DIR/YYYY-MM-DD.jsonl (UTC), a new file each day, files older than `keep_days` removed;
 * total size bounded by `max_bytes` (oldest removed first; base/log_file.h). Facts of level info and above go there,
 * whatever level standard error has. Opening it again replaces the former one. A write that fails later is told once on
 * standard error (event-log-failed) and tried again with each line. ERR_IO: cannot be created; `why` says what. */
MUST_USE enum err log_open_events(const char *dir, int keep_days, uint64_t max_bytes, struct err_detail *why);

/* No event log from now on. May be called without one. */
void log_close_events(void);

/* Start a line. `event` is a constant such as "accepted". Keys are constants; values are quoted and escaped as needed (a
 * value is quoted when it is empty or holds a space, quote, backslash, '=' or control character; control characters and
 * bytes that are not UTF-8 become \xNN). In JSON time, level and event come first and what is not UTF-8 becomes \ufffd;
 * on standard error a level above info comes last (level=warn). */
void log_begin(struct log_line *line, enum log_level level, const char *event);

/* Add a text; NULL: the field is left out. */
void log_str(struct log_line *line, const char *key, const char *value);

/* Add a text of up to LOG_LINE_MAX bytes built printf-wise. */
void log_fmt(struct log_line *line, const char *key, const char *format, ...) PRINTF_LIKE(3, 4);

/* Add a number; a number in JSON too. */
void log_num(struct log_line *line, const char *key, int64_t value);

/* Write the line: one write(2) to standard error, one to the event log. Any thread. */
void log_end(struct log_line *line);

/* The short form for messages to the operator: `event text="..."`. */
void log_text(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
