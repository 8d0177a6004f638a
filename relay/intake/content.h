/* relay/intake/content.h - the content of a message on its way into chunks of the store.
 *
 * Up to CONTENT_HELD full chunks wait in memory and go with the commit. A longer body is stored while it arrives, with at most
 * CONTENT_IN_FLIGHT chunks under way: then the client has to wait. */
#ifndef INTAKE_CONTENT_H
#define INTAKE_CONTENT_H

#include "relay/intake/chunk_pool.h"
#include "relay/wire/dot.h"
#include "relay/wire/trace.h"

#define CONTENT_HELD      4 /* full chunks: 256 KiB less what their pages need */
#define CONTENT_IN_FLIGHT 4

struct content {
	struct block *current; /* being filled; after a fault: where the rest is thrown */
	struct block *held[CONTENT_HELD];
	size_t held_count;
	uint32_t next_chunk;   /* number of held[0], or of `current` */
	unsigned in_flight;
	bool streaming;
	const char *fault;     /* the reply that this content will get; NULL: none yet */
	uint64_t size;         /* bytes of the client's, line ends counted, transparency dots not */
	uint64_t stored;       /* bytes with our Received field */
	struct dot_reader reader;
	struct header_scan scan;
};

/* Where content of the client's can be put: *room_out bytes, at least one. NULL: nowhere until the store has answered. */
char *content_room(struct transaction *tx, size_t *room_out);
/* `len` bytes were put there: counts them and looks at the header. */
void content_added(struct transaction *tx, size_t len);
/* Put bytes of our own at the start: the Received field. */
void content_prepend(struct transaction *tx, const void *data, size_t len);

/* Note what the reader found wrong, if anything. */
void content_note_fault(struct transaction *tx);
/* The content will be refused with `reply`, a static text; the first fault counts. Frees memory; what comes is thrown away. */
void content_fail(struct transaction *tx, const char *reply);

/* Describe the chunks that are left as blobs; returns how many (at most CONTENT_HELD + 1). */
size_t content_rest(const struct transaction *tx, struct queue_blob *blobs);

/* Give all memory back but what the store still reads from. */
void content_release(struct transaction *tx);

#endif
