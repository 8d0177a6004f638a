/* queue/room.c - may new mail come in? Quota of ours, watermark of the file system, bytes under way. */
#include "queue/room.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#define LOAD(field)       atomic_load_explicit(&(field), memory_order_relaxed)
#define STORE(field, val) atomic_store_explicit(&(field), (val), memory_order_relaxed)

#define SHUT_MS           1000

void room_init(struct room *room, const char *path, uint64_t quota, uint64_t reserve)
{
	snprintf(room->path, sizeof(room->path), "%s", path);
	room_limit(room, quota, reserve);
}

void room_limit(struct room *room, uint64_t quota, uint64_t reserve)
{
	STORE(room->quota, quota);
	STORE(room->reserve, reserve);
}

void room_enter(struct room *room, uint64_t bytes)
{
	atomic_fetch_add_explicit(&room->in_flight, bytes, memory_order_relaxed);
	atomic_fetch_sub_explicit(&room->left, (int64_t)bytes, memory_order_relaxed);
}

void room_leave(struct room *room, uint64_t bytes)
{
	/* Stored by now and counted as used, or refused: in both cases it is no longer counted twice. */
	atomic_fetch_sub_explicit(&room->in_flight, bytes, memory_order_relaxed);
	atomic_fetch_add_explicit(&room->left, (int64_t)bytes, memory_order_relaxed);
}

static void look_at_disk(struct room *room)
{
	struct statvfs fs;
	uint64_t twentieth, reserve = LOAD(room->reserve);

	if (statvfs(room->path, &fs) != 0)
		return;
	twentieth = (uint64_t)fs.f_blocks * fs.f_frsize / 20;
	STORE(room->disk_free, (uint64_t)fs.f_bavail * fs.f_frsize);
	STORE(room->disk_mark, reserve < twentieth ? reserve : twentieth);
}

/* a - b, bounded to what int64_t holds. */
static int64_t difference(uint64_t a, uint64_t b)
{
	uint64_t d = a > b ? a - b : b - a;

	if (d > INT64_MAX / 4)
		d = INT64_MAX / 4;
	return a > b ? (int64_t)d : -(int64_t)d;
}

void room_update(struct room *room, uint64_t used, uint64_t file, mono_ms now)
{
	uint64_t quota = LOAD(room->quota);
	int64_t by_quota, by_disk;

	if (LOAD(room->cause) == ROOM_BROKEN)
		return;
	look_at_disk(room);
	STORE(room->used, used);
	STORE(room->reusable, file > used ? file - used : 0);
	if (now < LOAD(room->shut_until))
		return;
	by_quota = quota ? difference(quota, used) : INT64_MAX / 4;
	by_disk = difference(LOAD(room->disk_free) + LOAD(room->reusable), LOAD(room->disk_mark));
	STORE(room->cause, by_quota < by_disk ? ROOM_QUOTA : ROOM_DISK);
	STORE(room->left, (by_quota < by_disk ? by_quota : by_disk) + difference(LOAD(room->yields), 0) - (int64_t)LOAD(room->in_flight));
}

static uint64_t above(uint64_t amount, uint64_t limit)
{
	return amount > limit ? amount - limit : 0;
}

uint64_t room_lack(struct room *room, uint64_t bytes)
{
	uint64_t quota = LOAD(room->quota), by_quota, by_disk;

	if (LOAD(room->cause) == ROOM_BROKEN)
		return 0;
	by_quota = quota ? above(LOAD(room->used) + bytes, quota) : 0;
	by_disk = above(LOAD(room->disk_mark) + bytes, LOAD(room->disk_free) + LOAD(room->reusable));
	return by_quota > by_disk ? by_quota : by_disk;
}

void room_shut(struct room *room, mono_ms now)
{
	STORE(room->shut_until, now + SHUT_MS);
	STORE(room->cause, ROOM_FAILED);
	STORE(room->left, INT64_MIN / 2);
}

void room_break(struct room *room)
{
	STORE(room->cause, ROOM_BROKEN);
	STORE(room->left, INT64_MIN / 2);
}

static enum err refuse(struct room *room, enum room_cause cause, struct err_detail *why)
{
	switch (cause) {
	case ROOM_QUOTA:
		return err_set(why, ERR_FULL, "store quota reached: %" PRIu64 " of %" PRIu64 " bytes in use",
		    LOAD(room->used), LOAD(room->quota));
	case ROOM_DISK:
		return err_set(why, ERR_FULL, "disk nearly full: %" PRIu64 " bytes free, %" PRIu64 " are kept back",
		    LOAD(room->disk_free) + LOAD(room->reusable), LOAD(room->disk_mark));
	case ROOM_FAILED:
		return err_set(why, ERR_FULL, "disk full: the last commit found no space");
	case ROOM_BROKEN:
		return err_set(why, ERR_FULL, "the store has failed and takes nothing in");
	}
	return ERR_FULL;
}

enum err room_ask(struct room *room, uint64_t bytes, struct err_detail *why)
{
	int64_t left = LOAD(room->left);

	if (left > 0 && (uint64_t)left >= bytes)
		return OK;
	return refuse(room, LOAD(room->cause), why);
}

enum err room_admit(struct room *room, uint64_t batch, uint64_t bytes, struct err_detail *why)
{
	uint64_t quota = LOAD(room->quota);
	uint64_t free_bytes = LOAD(room->disk_free) + LOAD(room->reusable);

	if (LOAD(room->cause) == ROOM_BROKEN)
		return refuse(room, ROOM_BROKEN, why);
	if (quota && LOAD(room->used) + batch + bytes > quota)
		return refuse(room, ROOM_QUOTA, why);
	if (free_bytes < LOAD(room->disk_mark) / 2 + batch + bytes)
		return refuse(room, ROOM_DISK, why);
	return OK;
}
