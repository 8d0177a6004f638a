/* base/log_tail.c - reading along the event log: its lines from a place on, over the change of files, and then what is added.
 *
 * The file that is read stays open while its name may change under it (log_file.h sets full ones aside) or vanish. Which one follows is
 * decided by the directory: sorted by name, the one behind ours; when ours is gone, the oldest, since the oldest are removed first. */
#include "base/log_tail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_file.h"

#define CHUNK        65536 /* bytes read at a time; more than one line */
#define REWIND_TRIES 10 /* each meets a file that was renamed since the directory was read */

struct log_tail {
	char *dir;
	int dir_fd;
	int fd;         /* -1: none yet */
	ino_t inode;    /* of fd */
	bool skip;      /* up to the next line feed: a line of which the beginning was not read, or one too long */
	size_t at, len; /* of data: read up to, filled up to */
	char data[CHUNK + 1];
};

_Static_assert(CHUNK >= 4 * LOG_LINE_MAX, "a chunk holds whole lines");

/* --- files ---------------------------------------------------------------------------------------------------------- */

static void leave(struct log_tail *tail)
{
	if (tail->fd >= 0)
		close(tail->fd);
	tail->fd = -1;
	tail->at = tail->len = 0;
	tail->skip = false;
}

/* Read `name` from `offset` on, from the beginning of a line. ERR_NOT_FOUND: it has another name meanwhile, or none; ours stays open. */
static enum err enter(struct log_tail *tail, const char *name, off_t offset, struct err_detail *why)
{
	int fd = openat(tail->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return err_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "open %s/%s: %s", tail->dir, name, strerror(errno));
	if (fstat(fd, &st) != 0 || (offset > 0 && lseek(fd, offset - 1, SEEK_SET) < 0)) {
		(void)err_set(why, ERR_IO, "read %s/%s: %s", tail->dir, name, strerror(errno));
		close(fd);
		return ERR_IO;
	}
	leave(tail);
	tail->fd = fd;
	tail->inode = st.st_ino;
	tail->skip = offset > 0;
	return OK;
}

static uint64_t size_at(const struct log_tail *tail, const char *name)
{
	struct stat st;

	return fstatat(tail->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
}

static int list(const struct log_tail *tail, struct dirent ***entries_out, struct err_detail *why)
{
	int count = log_file_list(tail->dir_fd, entries_out);

	if (count < 0)
		(void)err_set(why, ERR_IO, "read %s: %s", tail->dir, strerror(errno));
	return count;
}

/* The file that follows ours. ERR_NOT_FOUND: none yet. */
static enum err next_name(const struct log_tail *tail, char name[NAME_MAX + 1], struct err_detail *why)
{
	struct dirent **entries;
	int count = list(tail, &entries, why), next = 0;
	enum err err = ERR_NOT_FOUND;

	if (count < 0)
		return ERR_IO;
	for (int i = 0; i < count; i++) {
		struct stat st;

		if (tail->fd >= 0 && fstatat(tail->dir_fd, entries[i]->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_ino == tail->inode)
			next = i + 1;
	}
	if (next < count) {
		memcpy(name, entries[next]->d_name, strlen(entries[next]->d_name) + 1);
		err = OK;
	}
	log_file_list_free(entries, count);
	return err;
}

/* --- lines ---------------------------------------------------------------------------------------------------------- */

/* More bytes of the file. ERR_NOT_FOUND: its end. */
static enum err fill(struct log_tail *tail, struct err_detail *why)
{
	ssize_t n;

	if (tail->fd < 0)
		return ERR_NOT_FOUND;
	memmove(tail->data, tail->data + tail->at, tail->len - tail->at);
	tail->len -= tail->at;
	tail->at = 0;
	if (tail->len == CHUNK) { /* no line feed in all of it */
		tail->len = 0;
		tail->skip = true;
	}
	n = read(tail->fd, tail->data + tail->len, CHUNK - tail->len);
	if (n < 0)
		return err_set(why, ERR_IO, "read %s: %s", tail->dir, strerror(errno));
	tail->len += (size_t)n;
	return n > 0 ? OK : ERR_NOT_FOUND;
}

/* A line of what has been read. */
static bool take(struct log_tail *tail, const char **line_out, size_t *len_out)
{
	for (char *end; (end = memchr(tail->data + tail->at, '\n', tail->len - tail->at));) {
		bool skipped = tail->skip;

		*line_out = tail->data + tail->at;
		*len_out = (size_t)(end - *line_out);
		*end = '\0';
		tail->at += *len_out + 1;
		tail->skip = false;
		if (!skipped)
			return true;
	}
	return false;
}

enum err log_tail_next(struct log_tail *tail, const char **line_out, size_t *len_out, struct err_detail *why)
{
	char name[NAME_MAX + 1];
	bool ended = false; /* a file follows: when ours has no more now, it never will */

	while (!take(tail, line_out, len_out)) {
		enum err err = fill(tail, why);

		if (err == ERR_NOT_FOUND && !ended) {
			err = next_name(tail, name, why);
			ended = true;
		} else if (err == ERR_NOT_FOUND) {
			err = enter(tail, name, 0, why);
			ended = false;
		}
		if (err != OK)
			return err;
	}
	return OK;
}

/* --- open, rewind and close ------------------------------------------------------------------------------------------ */

/* ERR_NOT_FOUND: a file has got another name meanwhile. */
static enum err rewind_once(struct log_tail *tail, uint64_t bytes, bool *whole_out, struct err_detail *why)
{
	struct dirent **entries;
	int count = list(tail, &entries, why), first = count - 1;
	enum err err = OK;
	uint64_t size = 0;

	if (count < 0)
		return ERR_IO;
	for (; first >= 0; first--) {
		size = size_at(tail, entries[first]->d_name);
		if (size >= bytes || first == 0)
			break;
		bytes -= size;
	}
	*whole_out = first <= 0 && size <= bytes;
	if (first >= 0)
		err = enter(tail, entries[first]->d_name, size > bytes ? (off_t)(size - bytes) : 0, why);
	log_file_list_free(entries, count);
	return err;
}

enum err log_tail_rewind(struct log_tail *tail, uint64_t bytes, bool *whole_out, struct err_detail *why)
{
	enum err err = ERR_NOT_FOUND;

	for (int tries = 0; err == ERR_NOT_FOUND && tries < REWIND_TRIES; tries++)
		err = rewind_once(tail, bytes, whole_out, why);
	return err == ERR_NOT_FOUND ? ERR_IO : err;
}

enum err log_tail_open(const char *dir, struct log_tail **tail_out, struct err_detail *why)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct log_tail *tail;
	enum err err;
	bool whole;

	*tail_out = NULL;
	if (fd < 0)
		return err_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "open %s: %s", dir, strerror(errno));
	tail = xcalloc(1, sizeof(*tail));
	tail->dir = xstrdup(dir);
	tail->dir_fd = fd;
	tail->fd = -1;
	err = log_tail_rewind(tail, 0, &whole, why);
	if (err != OK)
		log_tail_close(&tail);
	*tail_out = tail;
	return err;
}

void log_tail_close(struct log_tail **tail)
{
	if (*tail == NULL)
		return;
	leave(*tail);
	close((*tail)->dir_fd);
	free((*tail)->dir);
	free(*tail);
	*tail = NULL;
}
