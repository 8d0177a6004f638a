/* queue/note.c - rows of other parts of the program, each under a name. */
#include "queue/note.h"

#include <stdio.h>
#include <string.h>

#define PREFIX "note/"

enum err note_check(const struct queue_note_put *put, struct err_detail *why)
{
	if (!put->name || put->name[0] == '\0')
		return err_set(why, ERR_INVALID, "a note without a name");
	if (strlen(put->name) > QUEUE_NOTE_NAME || put->len > QUEUE_NOTE_MAX)
		return err_set(why, ERR_LIMIT, "the note %.100s or its name is too long", put->name);
	return OK;
}

int note_store(struct txn *txn, const struct queue_note_put *put)
{
	char key[sizeof(PREFIX) + QUEUE_NOTE_NAME];
	int rc;

	snprintf(key, sizeof(key), PREFIX "%s", put->name);
	if (put->len > 0)
		return txn_meta_put(txn, key, put->data, put->len);
	rc = txn_meta_del(txn, key);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

int note_each(struct txn *txn, const char *prefix, queue_note_fn fn, void *arg)
{
	return txn_meta_each(txn, PREFIX, prefix, QUEUE_NOTE_NAME, fn, arg);
}
