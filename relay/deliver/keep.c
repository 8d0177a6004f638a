/* relay/deliver/keep.c - hand a small row to the store and go on. */
#include "relay/deliver/keep.h"

#include <stdlib.h>
#include <string.h>

/* One block: the queue frees it. */
struct keeping {
	struct queue_note_put put; /* first */
	char text[];
};

void keep_note(struct queue *queue, const char *name, const void *data, size_t len)
{
	size_t name_size = strlen(name) + 1;
	struct keeping *keeping;

	if (!queue)
		return;
	keeping = xcalloc(1, sizeof(*keeping) + name_size + len);
	memcpy(keeping->text, name, name_size);
	if (len > 0)
		memcpy(keeping->text + name_size, data, len);
	keeping->put = (struct queue_note_put){ .req = { .kind = QUEUE_NOTE_PUT }, .name = keeping->text, .data = keeping->text + name_size,
		.len = len };
	queue_submit(queue, &keeping->put.req);
}
