/* queue/tail.h - a data file that is shorter than the pages that LMDB counts: was it cut, or never written so far? */
#ifndef QUEUE_TAIL_H
#define QUEUE_TAIL_H

#include "queue/txn.h"

/*
 * The data file of the open environment has `file_bytes`, fewer than txn_env_file_bytes says. Pages that one transaction takes at the
 * end of the file and gives back (a body whose client hangs up) are counted and stand in the free list, but are never written: such a
 * file is whole. OK: the list names every page that is missing. ERR_CORRUPT: it does not, the file was cut. ERR_IO.
 */
MUST_USE enum err tail_check(const struct txn_env *env, uint64_t file_bytes, struct err_detail *why);

#endif
