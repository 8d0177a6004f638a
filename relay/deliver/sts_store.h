/* relay/deliver/sts_store.h - a policy as a row of the store: encode, decode. Pure. */
#ifndef DELIVER_STS_STORE_H
#define DELIVER_STS_STORE_H

#include "relay/deliver/sts_found.h"

#define STS_NOTE "sts/" /* and the domain: name of the note */

/* Append the record. ERR_LIMIT by the buffer alone. */
MUST_USE enum err sts_encode(const struct sts_found *found, wall_ms fetched, struct buf *out);

/* One reference; NULL: not a record that we understand. */
struct sts_found *sts_decode(const void *data, size_t len, wall_ms *fetched_out) MUST_USE;

#endif
