/* queue/warm.c - the states of cold lanes: bytes of somebody else's, kept under a name. */
#include "queue/warm.h"

#include <stdio.h>
#include <string.h>

#define PREFIX  "w:"
#define KEY_MAX 480 /* LMDB takes 511 */

enum err warm_check(const struct queue_warm *warm, struct err_detail *why)
{
	if (warm->key && (strlen(warm->key) > KEY_MAX || warm->len > QUEUE_WARM_MAX))
		return err_set(why, ERR_LIMIT, "a lane's state is too long");
	return OK;
}

int warm_store(struct txn *txn, const struct queue_warm *warm)
{
	char key[sizeof(PREFIX) + KEY_MAX];

	if (!warm->key)
		return 0;
	snprintf(key, sizeof(key), PREFIX "%s", warm->key);
	return txn_meta_put(txn, key, warm->data, warm->len);
}

int warm_each(struct txn *txn, queue_warm_fn fn, void *arg)
{
	const size_t prefix = sizeof(PREFIX) - 1;
	MDB_val key, value;
	int rc = txn_meta_seek(txn, PREFIX, &key, &value);

	for (; rc == 0 && key.mv_size >= prefix && memcmp(key.mv_data, PREFIX, prefix) == 0;
	     rc = txn_meta_next(txn, &key, &value)) {
		char name[KEY_MAX + 1];
		uint8_t data[QUEUE_WARM_MAX];

		if (key.mv_size - prefix > KEY_MAX || value.mv_size > QUEUE_WARM_MAX)
			continue;
		memcpy(name, (const char *)key.mv_data + prefix, key.mv_size - prefix);
		name[key.mv_size - prefix] = '\0';
		memcpy(data, value.mv_data, value.mv_size);
		fn(arg, name, data, value.mv_size);
	}
	return rc == MDB_NOTFOUND ? 0 : rc;
}
