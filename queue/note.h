/* queue/note.h - rows of other parts of the program, each under a name. Stored in the meta table, key "note/" and the name. */
#ifndef QUEUE_NOTE_H
#define QUEUE_NOTE_H

#include "queue/txn.h"

/* ERR_INVALID, ERR_LIMIT: no name, name or data too long. Pure. */
MUST_USE enum err note_check(const struct queue_note_put *put, struct err_detail *why);

/* An LMDB code. */
int note_store(struct txn *txn, const struct queue_note_put *put);

/* See queue_notes_read. An LMDB code. */
int note_each(struct txn *txn, const char *prefix, queue_note_fn fn, void *arg);

#endif
