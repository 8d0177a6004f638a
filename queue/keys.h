/* queue/keys.h - keys that clients give their messages, kept for a day: a message that is handed in again is accepted once.
 *
 * Two rows of the meta table each: key/TENANT/KEY holds the record; keytime/ID names that row, so that the oldest can be found. Each new key
 * takes two rows of keys away whose day is over: there are never more than were given in a day. Writer thread only. */
#ifndef QUEUE_KEYS_H
#define QUEUE_KEYS_H

#include "queue/txn.h"

/* Does the message have a key? */
bool keys_has(const struct queue_accept *accept);

/* ERR_EXISTS, with accept->earlier filled in: the key is in use. Changes nothing. */
MUST_USE enum err keys_check(struct txn *txn, struct queue_accept *accept, struct err_detail *why);

/* Store the key with its message. LMDB's codes. */
int keys_put(struct txn *txn, const struct queue_accept *accept);

#endif
