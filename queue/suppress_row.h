/* queue/suppress_row.h - rows of suppressed addresses inside a write transaction, and their bytes. */
#ifndef QUEUE_SUPPRESS_ROW_H
#define QUEUE_SUPPRESS_ROW_H

#include "queue/suppress.h"
#include "queue/txn.h"

/* ERR_LIMIT, ERR_INVALID: no address, a tenant or address too long, too many items. Pure. */
MUST_USE enum err suppress_check(const struct queue_suppress *req, struct err_detail *why);
/* LMDB's codes. */
int suppress_apply(struct txn *txn, struct queue_suppress *req);

/* Decode a row; texts of `out` point into `key` (copied there, SUPPRESS_KEY_MAX + 1 bytes) and `reason`. False: it cannot be read. For the fuzzer too. */
bool suppress_decode(const void *key_data, size_t key_len, const void *data, size_t len, char *key, char reason[SUPPRESS_REASON_MAX + 1],
    struct suppress_entry *out);

#endif
