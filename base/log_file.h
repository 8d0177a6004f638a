/* base/log_file.h - a directory of daily files that bounds its own age and size.
 *
 * The newest lines are in DIR/YYYY-MM-DD.jsonl. When that file alone has an eighth of the size bound it is renamed to
 * DIR/YYYY-MM-DD.NNNN.jsonl, NNNN counting up from 0001, so that sorting by name is sorting by age and the bound can be
 * kept even within one day. Only files of these two forms are ever removed. One owner; no locking here. */
#ifndef BASE_LOG_FILE_H
#define BASE_LOG_FILE_H

#include "base/clock.h"
#include "base/err.h"

struct dirent;
struct log_file;

/*
 * Start writing below `dir`, which is created (mode 0750) when only its last part is missing.
 *
 *   keep_days  files of UTC days more than this many days ago are removed; 1 or more
 *   max_bytes  bound for all files together, kept to within one line
 *   now        names today's file, which is opened at once and appended to
 *
 * ERR_IO: the directory or the file cannot be had; `why` says which.
 */
MUST_USE enum err log_file_open(const char *dir, int keep_days, uint64_t max_bytes, wall_ms now,
    struct log_file **file_out, struct err_detail *why);

/* Sets the pointer to NULL; NULL inside is accepted. */
void log_file_close(struct log_file **file);

/*
 * Append `line`, which ends in a line feed, whole or not at all; changes the file at midnight and keeps the bounds.
 *
 * ERR_IO: not written. The next call tries again, but after a failure to open not before LOG_FILE_RETRY has passed.
 */
#define LOG_FILE_RETRY SECONDS(10)
MUST_USE enum err log_file_write(struct log_file *file, wall_ms now, const char *line, size_t len,
    struct err_detail *why);

/* For readers: the files of these forms in an open directory, oldest first, and their number; log_file_list_free frees them. -1: errno. */
int log_file_list(int dir_fd, struct dirent ***entries_out);
void log_file_list_free(struct dirent **entries, int count);

#endif
