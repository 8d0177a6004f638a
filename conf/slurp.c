/* conf/slurp.c - a whole configuration file into memory. */
#include "conf/slurp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum err slurp_file(const char *file, struct buf *text, struct stat *status_out, struct err_detail *why)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum err err = OK;
	ssize_t got = 0;
	char part[16384];

	if (fd < 0)
		return err_set(why, ERR_IO, "cannot be opened (%s), expected a readable file", strerror(errno));
	if (fstat(fd, status_out) != 0)
		err = err_set(why, ERR_IO, "cannot be read (%s), expected a file", strerror(errno));
	while (err == OK && (got = read(fd, part, sizeof(part))) > 0)
		if (buf_add(text, part, (size_t)got) != OK)
			err = err_set(why, ERR_LIMIT, "found more than %zu bytes, expected a smaller file", text->max);
	if (err == OK && got < 0)
		err = err_set(why, ERR_IO, "cannot be read (%s), expected a file", strerror(errno));
	close(fd);
	return err;
}
