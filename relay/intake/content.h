/* relay/intake/content.h - the content of a message on its way into chunks of the store.
 *
 * Until the header section is complete all waits in memory, for it may have to be changed (heading.h). Up to CONTENT_HELD full chunks wait in memory and go with the commit. A longer body is stored while it arrives, with at most
 * CONTENT_IN_FLIGHT chunks under way: then the client has to wait. Chunk 0 is left for our own fields, which are complete at the end
 * only; where all fits into one chunk they share it. */
#ifndef INTAKE_CONTENT_H
#define INTAKE_CONTENT_H

#include "base/buf.h"
#include "relay/intake/chunk_pool.h"
#include "relay/wire/dot.h"
#include "relay/wire/trace.h"

#define CONTENT_HELD      4 /* full chunks: 256 KiB less what their pages need */
#define CONTENT_IN_FLIGHT 4
#define CONTENT_NO_MEMORY "452 4.3.1 too much mail is on its way in; try again later"
#define CONTENT_HEADER_TOO_LARGE "552 5.3.4 header section is larger than the limit"
#define CONTENT_BLOBS     (CONTENT_HELD + 2)

struct content {
	struct block *current; /* being filled; after a fault: where the rest is thrown */
	struct block *held[CONTENT_HELD];
	size_t held_count;
	uint32_t streamed;     /* chunks that the store was given: 1.. */
	unsigned in_flight;    /* of them without an answer, and a signature that a helper makes */
	bool streaming;
	bool heading_closed;   /* the header section was complete and has been dealt with */
	const char *fault;     /* the reply that this content will get; NULL: none yet */
	uint64_t size;         /* bytes without our fields: the client's, but for what was changed in the header; transparency dots not counted */
	struct buf own;        /* our fields, to stand before it */
	struct dot_reader reader;
	struct header_scan scan;
};

/* Where content of the client's can be put: *room_out bytes, at least one. NULL: nowhere until the store has answered. */
char *content_room(struct transaction *tx, size_t *room_out);
/* `len` bytes were put there: counts them and looks at the header. */
void content_added(struct transaction *tx, size_t len);
/* Begin; nothing is there yet. */
void content_init(struct transaction *tx);
void content_fini(struct transaction *tx);

/* All is here. A message without a body ends its header section only now. */
void content_close(struct transaction *tx);
/* `data` takes the place of all content so far, none of which is on its way to the store. */
void content_replace(struct transaction *tx, const char *data, size_t len);

/* Note what the reader found wrong, if anything. */
void content_note_fault(struct transaction *tx);
/* The content will be refused with `reply`, a static text; the first fault counts. Frees memory; what comes is thrown away. */
void content_fail(struct transaction *tx, const char *reply);

/* All is here: put what the store does not have yet into `accept`, with the size of it all. `blobs` holds CONTENT_BLOBS and is borrowed. */
void content_rest(struct transaction *tx, struct queue_blob *blobs, struct queue_accept *accept);

/* Give all memory back but what the store still reads from. */
void content_release(struct transaction *tx);

#endif
