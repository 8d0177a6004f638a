/* queue/writer.h - the thread that owns every write transaction: gathers requests, commits them together, repairs, sweeps. */
#ifndef QUEUE_WRITER_H
#define QUEUE_WRITER_H

#include "queue/handle.h"

struct writer;

/* Start the thread on an open queue; queue->writer is set by the caller. */
struct writer *writer_start(struct queue *queue) MUST_USE;

/* Hand a request in. Any thread. */
void writer_post(struct writer *writer, struct queue_req *req);

/* Finish what was handed in, end the thread, free. */
void writer_stop(struct writer **writer);

#endif
