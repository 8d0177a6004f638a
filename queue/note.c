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
	char key[sizeof(PREFIX) + QUEUE_NOTE_NAME], name[QUEUE_NOTE_NAME + 1];
	const size_t skip = sizeof(PREFIX) - 1;
	MDB_val at, value;
	int rc;

	snprintf(key, sizeof(key), PREFIX "%s", prefix);
	for (rc = txn_meta_seek(txn, key, &at, &value); rc == 0; rc = txn_meta_next(txn, &at, &value)) {
		if (at.mv_size < strlen(key) || memcmp(at.mv_data, key, strlen(key)) != 0)
			return 0;
		if (at.mv_size - skip >= sizeof(name))
			continue;
		memcpy(name, (const char *)at.mv_data + skip, at.mv_size - skip);
		name[at.mv_size - skip] = '\0';
		fn(arg, name, value.mv_data, value.mv_size);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}
