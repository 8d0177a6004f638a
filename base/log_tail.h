/* base/log_tail.h - reading along the event log: its lines from a place on, over the change of files, and then what is added. */
#ifndef BASE_LOG_TAIL_H
#define BASE_LOG_TAIL_H

#include "base/err.h"

/* A reader of a directory that log_file.h writes, in another process as well. It takes nothing from the writer and stops nobody. */
struct log_tail;

/* Begin at the end: the lines to come. ERR_NOT_FOUND: there is no such directory; ERR_IO: it cannot be read; `why` says which. */
MUST_USE enum err log_tail_open(const char *dir, struct log_tail **tail_out, struct err_detail *why);
void log_tail_close(struct log_tail **tail); /* sets the pointer to NULL; NULL inside is accepted */

/* Go to the first line that begins within the last `bytes` of what there is now. *whole_out: that is the oldest line kept. ERR_IO. */
MUST_USE enum err log_tail_rewind(struct log_tail *tail, uint64_t bytes, bool *whole_out, struct err_detail *why);

/*
 * The next line, without its line feed; *line_out (NUL-terminated) is good until the next call. A line longer than any that is written there is
 * left out.
 *
 * ERR_NOT_FOUND: no more for now, ask again later; ERR_IO: `why` says what.
 */
MUST_USE enum err log_tail_next(struct log_tail *tail, const char **line_out, size_t *len_out, struct err_detail *why);

#endif
