/* queue/lock.c - STATE/lock: held exclusively by the daemon, shared by tools that read the store without one. */
#include "queue/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_STEP_MS 10
#define WAIT_STEPS   200

static enum err lock_path(const char *state, char *path, size_t size, struct err_detail *why)
{
	if ((size_t)snprintf(path, size, "%s/lock", state) >= size)
		return err_set(why, ERR_LIMIT, "path of the state directory is too long");
	return OK;
}

static enum err failed(const char *doing, const char *path, struct err_detail *why)
{
	enum err code = errno == ENOSPC || errno == EDQUOT ? ERR_FULL : errno == EACCES ? ERR_DENIED : ERR_IO;

	return err_set(why, code, "%s %s: %s", doing, path, strerror(errno));
}

/* A shared lock that can be had means that only readers are in the way, and they are quick. */
static bool is_held_by_daemon(int fd)
{
	if (flock(fd, LOCK_SH | LOCK_NB) != 0)
		return true;
	flock(fd, LOCK_UN);
	return false;
}

enum err lock_take(const char *state, int *fd_out, struct err_detail *why)
{
	char path[4096];
	int fd;
	enum err e = lock_path(state, path, sizeof(path), why);

	if (e != OK)
		return e;
	if (mkdir(state, 0700) != 0 && errno != EEXIST)
		return failed("create", state, why);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed("open", path, why);
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		if (i >= WAIT_STEPS || is_held_by_daemon(fd)) {
			close(fd);
			return err_set(why, ERR_BUSY, "%s is held: another daemon runs on this state", path);
		}
		poll(NULL, 0, WAIT_STEP_MS);
	}
	/* The pid is for people; a disk too full for it must not keep the daemon down. */
	if (ftruncate(fd, 0) == 0)
		(void)!dprintf(fd, "%ld\n", (long)getpid());
	*fd_out = fd;
	return OK;
}

enum err lock_share(const char *state, int *fd_out, struct err_detail *why)
{
	char path[4096];
	int fd;
	enum err e = lock_path(state, path, sizeof(path), why);

	*fd_out = -1;
	if (e != OK)
		return e;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? OK : failed("open", path, why);
	if (flock(fd, LOCK_SH | LOCK_NB) != 0) {
		close(fd);
		return err_set(why, ERR_BUSY, "a daemon runs on %s", state);
	}
	*fd_out = fd;
	return OK;
}
