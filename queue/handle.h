/* queue/handle.h - what a `struct queue` holds; for the files of this folder. */
#ifndef QUEUE_HANDLE_H
#define QUEUE_HANDLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "queue/queue.h"
#include "queue/room.h"
#include "queue/sweep.h"
#include "queue/txn.h"

struct queue {
	char *state;
	int lock_fd; /* -1: none */
	struct txn_env env;
	/* Readers hold it shared for each call, the writer alone while it closes and opens the environment. */
	pthread_rwlock_t env_lock;
	pthread_mutex_t readers_lock;
	struct queue_reader *readers; /* all that are open, so that their LMDB transactions end with the environment */
	_Atomic msg_id last_id;
	msg_id first_id; /* of this run; 0 when read-only */
	struct room room;
	struct sweep sweep;
	struct writer *writer; /* NULL: read-only */
	void (*on_fatal)(void *arg, const char *text);
	void *arg;
	_Atomic uint64_t commits, rows, chunk_bytes, pending;
	_Atomic int64_t dead_keep_ms; /* as configured */
	_Atomic uint64_t dead_limit;
	_Atomic uint64_t dead_letters, dead_bytes; /* as of the last commit */
};

#endif
