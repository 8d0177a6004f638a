/* relay/deliver/keep.h - hand a small row to the store and go on: what is lost by a crash before the commit can be found out again. */
#ifndef DELIVER_KEEP_H
#define DELIVER_KEEP_H

#include "queue/queue.h"

/* Put the note, or remove it (len 0). Both texts are copied. NULL as the queue: nothing is kept. Any thread. */
void keep_note(struct queue *queue, const char *name, const void *data, size_t len);

#endif
