/* conf/slurp.h - a whole configuration file into memory. */
#ifndef CONF_SLURP_H
#define CONF_SLURP_H

#include <sys/stat.h>

#include "base/buf.h"

/* Append the file to `text`, whose cap bounds it. ERR_IO and ERR_LIMIT say in `why` what was found and what was expected. */
MUST_USE enum err slurp_file(const char *file, struct buf *text, struct stat *status_out, struct err_detail *why);

#endif
