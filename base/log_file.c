/* base/log_file.c - a directory of daily files that bounds its own age and size. */
#include "base/log_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"

#define DAY_LEN   10 /* "2026-11-24" */
#define SUFFIX    ".jsonl"
#define NAME_MAX_ 32
#define PART_MAX  9999
#define PARTS     8 /* a file may have 1/PARTS of the bound before it is set aside */

struct log_file {
	char *dir;
	int dir_fd;
	int fd; /* -1: closed, to be opened by the next write */
	int keep_days;
	uint64_t max_bytes;
	uint64_t total; /* bytes of all files, counted at the last sweep and kept up since */
	uint64_t size;  /* bytes of the open one */
	char day[DAY_LEN + 1];
	wall_ms day_start;
	wall_ms retry_at; /* do not try to open again before; 0: at once */
};

/* --- names -------------------------------------------------------------------------------------------------------- */

static void day_of(wall_ms when, char day[DAY_LEN + 1])
{
	char text[CLOCK_TEXT];

	clock_rfc3339(when, text);
	memcpy(day, text, DAY_LEN);
	day[DAY_LEN] = '\0';
}

static bool matches(const char *text, const char *shape)
{
	for (; *shape != '\0'; shape++, text++)
		if (*shape == '9' ? !ascii_is_digit(*text) : *text != *shape)
			return false;
	return *text == '\0';
}

/* The part number: 0 for a day's newest file, -1 for a name that is not ours. */
static int part_of(const char *name)
{
	if (matches(name, "9999-99-99" SUFFIX))
		return 0;
	return matches(name, "9999-99-99.9999" SUFFIX) ? (int)strtol(name + DAY_LEN + 1, NULL, 10) : -1;
}

static void today_name(const struct log_file *file, char name[NAME_MAX_])
{
	snprintf(name, NAME_MAX_, "%s" SUFFIX, file->day);
}

/* --- the directory ------------------------------------------------------------------------------------------------ */

static int is_ours(const struct dirent *entry)
{
	return part_of(entry->d_name) >= 0;
}

int log_file_list(int dir_fd, struct dirent ***entries_out)
{
	return scandirat(dir_fd, ".", entries_out, is_ours, alphasort);
}

void log_file_list_free(struct dirent **entries, int count)
{
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
}

static uint64_t size_of(const struct log_file *file, const char *name)
{
	struct stat st;

	return fstatat(file->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

/* Count all files anew and remove, oldest first, what is too old or too much. The newest stays in any case. */
static void sweep(struct log_file *file, wall_ms now)
{
	char oldest[DAY_LEN + 1], today[NAME_MAX_];
	struct dirent **entries;
	int count = log_file_list(file->dir_fd, &entries);

	if (count < 0)
		return; /* nothing is lost by trying at the next sweep */
	day_of(now - DAYS(file->keep_days), oldest);
	today_name(file, today);
	file->total = 0;
	for (int i = 0; i < count; i++)
		file->total += size_of(file, entries[i]->d_name);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		bool too_old = strncmp(name, oldest, DAY_LEN) < 0;
		uint64_t size = size_of(file, name);

		if (strcmp(name, today) == 0 || (!too_old && file->total <= file->max_bytes))
			continue;
		if (unlinkat(file->dir_fd, name, 0) == 0)
			file->total -= size;
	}
	log_file_list_free(entries, count);
}

/* Rename today's full file to its next part. */
static void set_aside(struct log_file *file)
{
	char today[NAME_MAX_], part[NAME_MAX_];
	struct dirent **entries;
	int count = log_file_list(file->dir_fd, &entries), last = 0;

	if (count < 0)
		return;
	for (int i = 0; i < count; i++)
		if (strncmp(entries[i]->d_name, file->day, DAY_LEN) == 0 && part_of(entries[i]->d_name) > last)
			last = part_of(entries[i]->d_name);
	log_file_list_free(entries, count);
	if (last >= PART_MAX)
		return; /* goes on in the same file: the bound gives way, not the record */
	today_name(file, today);
	snprintf(part, sizeof(part), "%s.%04d" SUFFIX, file->day, last + 1);
	if (renameat(file->dir_fd, today, file->dir_fd, part) != 0)
		return;
	close(file->fd);
	file->fd = -1;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static enum err open_today(struct log_file *file, wall_ms now, struct err_detail *why)
{
	char name[NAME_MAX_];
	struct stat st;

	if (now < file->retry_at && file->retry_at - now <= LOG_FILE_RETRY)
		return err_set(why, ERR_IO, "%s: not open, tried again in a moment", file->dir);
	day_of(now, file->day);
	today_name(file, name);
	file->fd = openat(file->dir_fd, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (file->fd < 0) {
		file->retry_at = now + LOG_FILE_RETRY;
		return err_set(why, ERR_IO, "open %s/%s: %s", file->dir, name, strerror(errno));
	}
	file->retry_at = 0;
	file->day_start = now - now % DAYS(1);
	file->size = fstat(file->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	sweep(file, now);
	return OK;
}

enum err log_file_open(const char *dir, int keep_days, uint64_t max_bytes, wall_ms now, struct log_file **file_out,
    struct err_detail *why)
{
	struct log_file *file;
	enum err err;
	int dir_fd;

	if (mkdir(dir, 0750) != 0 && errno != EEXIST)
		return err_set(why, ERR_IO, "create %s: %s", dir, strerror(errno));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return err_set(why, ERR_IO, "open %s: %s", dir, strerror(errno));
	file = xcalloc(1, sizeof(*file));
	file->dir = xstrdup(dir);
	file->dir_fd = dir_fd;
	file->fd = -1;
	file->keep_days = keep_days;
	file->max_bytes = max_bytes;
	err = open_today(file, now, why);
	if (err != OK)
		log_file_close(&file);
	*file_out = file;
	return err;
}

void log_file_close(struct log_file **file)
{
	if (*file == NULL)
		return;
	if ((*file)->fd >= 0)
		close((*file)->fd);
	close((*file)->dir_fd);
	free((*file)->dir);
	free(*file);
	*file = NULL;
}

static enum err append(struct log_file *file, const char *line, size_t len, struct err_detail *why)
{
	ssize_t n = write(file->fd, line, len);

	if (n == (ssize_t)len) {
		file->size += len;
		file->total += len;
		return OK;
	}
	err_set(why, ERR_IO, "write %s/%s" SUFFIX ": %s", file->dir, file->day, n < 0 ? strerror(errno) : "short write");
	/* Half a line would spoil the next one as well. */
	if (n > 0 && ftruncate(file->fd, (off_t)file->size) != 0)
		file->size += (uint64_t)n;
	return ERR_IO;
}

enum err log_file_write(struct log_file *file, wall_ms now, const char *line, size_t len, struct err_detail *why)
{
	enum err err;

	if (file->fd >= 0) {
		if (now < file->day_start || now >= file->day_start + DAYS(1)) {
			close(file->fd);
			file->fd = -1;
		} else if (file->size > 0 && file->size + len > file->max_bytes / PARTS) {
			set_aside(file);
		}
	}
	if (file->fd < 0) {
		err = open_today(file, now, why);
		if (err != OK)
			return err;
	}
	err = append(file, line, len, why);
	if (file->total > file->max_bytes)
		sweep(file, now);
	return err;
}
