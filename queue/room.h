/* queue/room.h - may new mail come in? Quota of ours, watermark of the file system, bytes under way; one atomic load when yes. */
#ifndef QUEUE_ROOM_H
#define QUEUE_ROOM_H

#include <stdatomic.h>

#include "base/clock.h"
#include "queue/queue.h"

enum room_cause { ROOM_QUOTA, ROOM_DISK, ROOM_FAILED, ROOM_BROKEN };

/* Written by the writer thread (limits: by any), read by all. */
struct room {
	_Atomic int64_t left;                  /* bytes that intake may still bring in */
	_Atomic int cause;                     /* which of enum room_cause bounds `left` */
	_Atomic uint64_t quota, reserve;       /* as configured, bytes */
	_Atomic uint64_t used, reusable;       /* pages in tables; pages of the file that are free inside it */
	_Atomic uint64_t disk_free, disk_mark; /* file system: available; what intake leaves alone */
	_Atomic uint64_t yields;               /* bytes of dead letters, which make room when it is needed */
	_Atomic uint64_t in_flight;            /* handed in, not committed */
	_Atomic int64_t shut_until;            /* mono_ms: a commit has just found the disk full */
	char path[4096];
};

/* `path` of the store, limits in bytes (quota 0: none); limits may be changed by any thread. */
void room_init(struct room *room, const char *path, uint64_t quota, uint64_t reserve);
void room_limit(struct room *room, uint64_t quota, uint64_t reserve);

/* Bytes of a request that was handed in, and when it is done. Any thread. */
void room_enter(struct room *room, uint64_t bytes);
void room_leave(struct room *room, uint64_t bytes);

/* Look again. `used` and `file` in bytes (txn_used_bytes, txn_env_file_bytes). Writer thread. */
void room_update(struct room *room, uint64_t used, uint64_t file, mono_ms now);

/* How many bytes are missing for `bytes` more, if dead letters do not make room for them; 0: none. Writer thread. */
uint64_t room_lack(struct room *room, uint64_t bytes);

/* A commit found the disk full: nothing comes in for a second. Broken: nothing comes in any more. Writer thread. */
void room_shut(struct room *room, mono_ms now);
void room_break(struct room *room);

/* queue_has_room. */
MUST_USE enum err room_ask(struct room *room, uint64_t bytes, struct err_detail *why);

/* The hard bound, when a request is about to be written: `bytes` on top of `batch` in this transaction. What room_ask let in
 * may use up half of the watermark. Writer thread. */
MUST_USE enum err room_admit(struct room *room, uint64_t batch, uint64_t bytes, struct err_detail *why);

#endif
